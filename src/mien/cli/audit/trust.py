"""`mien audit trust`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.options import with_engine

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.report import Report


@audit_verb("trust")
@click.argument("model")
@click.option("--data", required=True, metavar="DATA", help="Folder per class, a zip of one, or a CSV: path,label …")
@click.option("--labels", metavar="FILE", help="CSV: path, and any of label, subject, columns of groups.")
@click.option("--below", default="", metavar="FOLDER", help="Only pictures whose path in the data begins so.")
@click.option("--crops", is_flag=True, help="Each picture is a crop of one face already, as the model wants it.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Of calibration error, the groups' gap, what mild degradation costs, importance off the face.",
)
@click.option("--spoilt", type=click.IntRange(10), default=1000, show_default=True, help="Pictures that are degraded.")
@click.option("--faces", type=click.IntRange(0, 50), default=6, show_default=True, help="Faces shown in the report.")
@with_engine()
def command(  # noqa: PLR0913 - one parameter per option
    model: str,
    data: str,
    labels: str | None,
    below: str,
    crops: bool,
    tolerance: float,
    spoilt: int,
    faces: int,
    engine: Engine,
    run: Run,
) -> Report:
    """MODEL is the card of a classifier of faces: a name, or the path of a TOML file (docs/guides/audit-trust.md). The
    report is a list of requirements, each met, not met, without enough data, or not stated, with the evidence. There is
    no single score. What nobody says (groups, subjects, the intended use) is named as missing, not guessed.

    \b
      mien audit trust my_model.toml --data photos/ --labels people.csv -o report/
      mien audit trust my_model.toml --data fer2013.zip --below fer2013/private_test --crops -o report/
    """
    from mien import models
    from mien.audit.trust import Trust, read
    from mien.judge.onnx import OnnxJudge

    judge = OnnxJudge(models.card(model), engine.threads)
    with run.out.progress("looking", None, "pictures") as step:
        found = read(data, judge, None if crops else engine, labels, below, lambda done, total: step(1, total))
    with run.out.progress("measuring", None, "stages") as step:
        return Trust(
            run.rounds, run.seed, tolerance, spoilt, faces, lambda what, done, total: step(float(done > 0), total)
        ).run(found)
