"""`mien audit detection`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.options import with_engine
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.audit.data import Labelled
    from mien.audit.data.boxes import Truth
    from mien.audit.detection.looking import Looked
    from mien.engine import Engine
    from mien.report import Problem, Report


@audit_verb("detection")
@click.option("--data", metavar="FOLDER", help="Pictures that show no face: every detection in them is false.")
@click.option("--faces", metavar="FOLDER", help="Pictures that each show a face: without a detection it was missed.")
@click.option("--boxes", metavar="FILE", help="Boxes of all faces: CSV (path,x0,y0,x1,y1) or the list of WIDER FACE.")
@click.option("--boxed", metavar="FOLDER", help="The pictures that --boxes names (default: the folder of that file).")
@click.option("--pad", type=float, default=0.0, show_default=True, help="Share of each side added, for tight crops.")
@click.option("--overlap", type=click.FloatRange(0.05, 1), default=0.5, show_default=True, help="IoU of a right box.")
@with_engine()
def command(  # noqa: PLR0913 - one parameter per option
    data: str | None,
    faces: str | None,
    boxes: str | None,
    boxed: str | None,
    pad: float,
    overlap: float,
    engine: Engine,
    run: Run,
) -> Report:
    """Any of --data, --faces and --boxes, or all of them. FOLDER may also be a zip. --pad is for the pictures of --faces.

    \b
      mien audit detection --data backgrounds/ -o report/
      mien audit detection --faces lfw/ --detector yunet
      mien audit detection --boxes wider_face_val_bbx_gt.txt --boxed WIDER_val/images -o report/

    What is done is kept beside the report until it is written: the same command goes on after a kill."""
    from mien.audit.detection.audit import Detection, Looks
    from mien.audit.detection.looking import speeds

    if not (data or faces or boxes):
        raise UsageError("Nothing is given to look at.", "Give --data, --faces or --boxes.")
    if boxed and not boxes:
        raise UsageError("--boxed goes with --boxes.", "Name the file of boxes.")
    problems: list[Problem] = []
    empty = _listed(data, 0.0, problems)
    showing = _listed(faces, pad, problems)
    marked, truth = _boxed(boxes, boxed, problems)
    looked = _look(engine, [*empty, *showing, *marked], run)
    first, second = len(empty), len(empty) + len(showing)
    timed = {"no face": empty, "a face": showing, "marked": marked}
    run.made |= {
        "data": "; ".join(str(one) for one in (data, faces, boxes) if one),
        "models": {"detector": engine.detector.name},
    }
    looks = Looks(
        looked[:first],
        looked[first:second],
        list(zip(looked[second:], truth, strict=True)),
        {kind: speeds(engine, some) for kind, some in timed.items() if some},
        tuple(problems),
    )
    return Detection(run.rounds, run.seed, overlap).run(looks)


def _listed(path: str | None, pad: float, problems: list[Problem]) -> tuple[Labelled, ...]:
    """Pictures of a folder; whose they are does not matter here."""
    from mien.audit.data import pictures

    if path is None:
        return ()
    listed, found = pictures(path, pad)
    problems += [one for one in found if one.kind not in ("no_subject", "empty_person")]
    return listed


def _boxed(
    boxes: str | None, folder: str | None, problems: list[Problem]
) -> tuple[tuple[Labelled, ...], tuple[Truth, ...]]:
    """Pictures of which the list says what they show, and that."""
    if boxes is None:
        return (), ()
    from mien.audit.data.boxes import read_boxes

    listed = _listed(folder or str(Path(boxes).parent), 0.0, problems)
    truth, found = read_boxes(boxes, [one.name for one in listed])
    problems += found
    numbers = sorted(truth)
    return tuple(listed[number] for number in numbers), tuple(truth[number] for number in numbers)


def _look(engine: Engine, pictures: list[Labelled], run: Run) -> tuple[Looked, ...]:
    from mien.audit.captures.resume import DETECTIONS, forget
    from mien.audit.detection.looking import look

    store = run.folder / DETECTIONS if run.folder is not None else None
    with run.out.progress("looking", len(pictures), "pictures") as step:
        looked = look(engine, pictures, store=store, progress=lambda done, total: step(1, total))
    if store is not None:
        run.after.append(lambda: forget(store))
    return looked
