"""`mien judge`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli import words
from mien.cli.group import verb
from mien.cli.options import seconds, with_engine
from mien.cli.output import Column, Output, Step, answers
from mien.cli.pictures import Canvas, Strip
from mien.cli.sources import Refused, Share, gather, is_still
from mien.cli.windows import Seen, in_order
from mien.errors import InputError, MienError, UsageError

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.protocols import Judge
    from mien.types import Clip, Face, Reading

Record = dict[str, Any]
MENTIONED = 0.05  # probability from which a table names a further label


@verb("judge")
@click.argument("judge", metavar="KIND|CARD")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--faces", type=click.Choice(["all", "best"]), default="all", help="Of a picture or window: all, or one.")
@click.option("--every", type=seconds, metavar="SECONDS",
              help="Length of a video's windows, 0 to 60; 0 reads each frame by itself (default: 1).")  # fmt: skip
@click.option("--draw", metavar="PATH", help="Write annotated pictures: a file for one source, else a folder.")
@click.option("--format", "table", type=click.Choice(["fex", "openface"]),
              help="Write the table of Py-Feat or of OpenFace 2, a row per face and frame.")  # fmt: skip
@with_engine()
@answers
def command(  # noqa: PLR0913 - one parameter per option
    sources: tuple[str, ...],
    faces: str,
    every: float | None,
    draw: str | None,
    table: str | None,
    engine: Engine,
    out: Output,
) -> int:
    """KIND is what is read: expression, liveness, quality, iso_quality. CARD is a classifier of faces: the name of a model,
    a card's TOML file, or the folder of a training run. A source is a picture, a video, a folder, a pattern in quotes, or
    the address of a camera or stream.

    One line per face of a picture, and one per person and window of a video, in the order of time. A reading of an
    expression tells what a face looks like, not what a person feels. Where a face shows too little, nothing is read and
    the line says why.

    With --draw a picture is written with its readings, a video as its timeline.

    Exit code: 0 something was read, 2 nobody was seen or all showed too little. When a source could not be used the rest
    goes on, and the exit code is that of the first such failure."""
    asked = engine.judges[-1]  # an unknown one is told before the work
    if table and out.form == "json":
        raise UsageError(f"--format {table} is a table of its own.", "Leave --json away.")
    found = gather(sources)
    writer = _Foreign(out, table) if table else _Own(out, asked, found.width)
    with writer, out.progress("judging", len(found.sources), "sources") as step:
        canvas = Canvas.at(draw, len(found.sources)) if draw else None
        window = every if every is not None else 0.0 if table else 1.0
        work = _Work(engine, asked, writer, step, canvas, found.refused, faces == "best", window)
        work.do(found.sources)
        writer.also(without_faces=work.empty, failures=out.problems(work.refused))
        writer.also(drawn=canvas.written if canvas else [])
    for source in work.empty:
        out.note(f"{source}: no face")
    out.passed(found.passed)
    out.failures(work.refused)
    if work.refused:
        return work.refused[0][1].exit_code
    return 0 if work.read else 2


@dataclass
class _Work:
    engine: Engine
    judge: Judge
    writer: _Own | _Foreign
    step: Step
    canvas: Canvas | None
    refused: Refused
    best: bool
    every: float
    empty: list[str] = field(default_factory=list)
    read: int = 0  # faces off which something was read

    def do(self, sources: list[str | Path]) -> None:
        """Stills side by side on all threads, each video by itself as it goes."""
        for still, group in groupby(sources, key=is_still):
            if still:
                for source, answer in self.engine.map(self._still, group):
                    self._note(source, [answer] if isinstance(answer, list) else answer)
            else:
                for source in group:
                    share = Share(self.step)
                    self._note(source, in_order(self.engine.readings(source, self.every, share), self.every), share)

    def _still(self, source: str | Path) -> list[Seen]:
        return list(self.engine.readings(source))

    def _note(self, source: str | Path, windows: Iterable[list[Seen]] | MienError, share: Share | None = None) -> None:
        count = 0
        strip = self.canvas.strip(source, labels(self.judge)) if self.canvas is not None and share is not None else None
        drawn: list[tuple[Face, Record]] = []
        try:
            if isinstance(windows, MienError):
                raise windows
            for window in windows:
                for seen, record in self._records(window, share is None):
                    count += 1
                    self.writer.add(record)
                    if strip is not None:
                        strip.add(seen[0].best, record)
                    elif self.canvas is not None:
                        drawn.append((seen[0].best, record))
        except InputError as error:
            self.refused.append((str(source), error))
        except KeyboardInterrupt:  # how one leaves a camera: what was read so far is drawn
            self._draw(source, strip, drawn)
            raise
        else:
            if not count:
                self.empty.append(str(source))
                if share is None:
                    self.writer.nobody(str(source))
        self._draw(source, strip, drawn)
        self.step(1 - (share.done if share else 0))

    def _draw(self, source: str | Path, strip: Strip | None, drawn: list[tuple[Face, Record]]) -> None:
        if strip is not None and strip.tracks:
            strip.write()
        elif self.canvas is not None and drawn:
            self.canvas.readings(source, drawn)

    def _records(self, window: list[Seen], still: bool) -> Iterator[tuple[Seen, Record]]:
        """The faces of a picture or window as records, the best alone if that is wanted."""
        numbered = list(enumerate(window, 1))
        if self.best:
            numbered = [max(numbered, key=lambda one: one[1][0].best.eye_distance * one[1][0].best.score)]
        for number, seen in numbered:
            record = self._record(*seen)
            self.read += bool(record["scores"])
            yield seen, record | {"face": number if still else None}

    def _record(self, clip: Clip, readings: list[Reading]) -> Record:
        """A face with all readings, and apart from them what is shown of the one that was asked for."""
        mine = next(one for one in readings if one.model == self.judge.name)
        of_class = mine.unit == "probability"
        top = (mine.label if of_class else next(iter(mine.scores))) if mine.scores else None
        shown: Record = {
            "label": mine.label if of_class else None,
            "score_of": top,
            "value": wire.encode(mine.scores[top]) if top else None,
            "scores": wire.encode(mine.scores),
            "reasons": list(mine.reasons),
        }
        return wire.seen(clip, readings) | shown


class _Own:
    """Our own table, JSON or CSV."""

    def __init__(self, out: Output, judge: Judge, width: int) -> None:
        self._listing = out.listing("faces", columns(judge), source=width)
        self.also = self._listing.also

    def __enter__(self) -> None:
        self._listing.__enter__()

    def __exit__(self, *failure: Any) -> None:
        self._listing.__exit__(*failure)

    def add(self, record: Record) -> None:
        """One face."""
        shown = {"score_of", "value", "scores", "reasons"}
        as_json = self._listing.out.form == "json"
        self._listing.add({key: value for key, value in record.items() if key not in shown} if as_json else record)

    def nobody(self, source: str) -> None:
        """A picture without a face has no row: it is told at the end."""


class _Foreign:
    """A table as Py-Feat or OpenFace 2 writes it, on stdout."""

    def __init__(self, out: Output, name: str) -> None:
        from mien.compat import tables

        fex = name == "fex"
        self._out, self._begun = out, False
        self._columns = tables.FEX if fex else tables.OPENFACE
        self._row: Callable[[Mapping[str, Any]], Record] = tables.fex if fex else tables.openface
        self._none: Callable[[str], Record] = tables.fex_none if fex else tables.openface_none

    def __enter__(self) -> None:
        """Nothing is written before the first row."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self._write([])

    def add(self, record: Record) -> None:
        """One face of one frame."""
        self._write([self._row(record)])

    def nobody(self, source: str) -> None:
        """A picture without a face has a row that says so."""
        self._write([self._none(source)])

    def also(self, **rest: Any) -> None:
        """Failures are told on stderr: these tables have no place for them."""

    def _write(self, rows: list[Record]) -> None:
        titles, self._begun = () if self._begun else self._columns, True
        self._out.rows(titles, [[row.get(name) for name in self._columns] for row in rows])


def labels(judge: Judge) -> tuple[str, ...]:
    """What a judge's scores are called; of measures the one that stands for all."""
    known: tuple[str, ...] = getattr(judge, "labels", ())
    return known if hasattr(judge, "card") else known[:1]


def columns(judge: Judge) -> list[Column]:
    """The columns for what a judge reads: each label has one in CSV."""
    names: tuple[str, ...] = getattr(judge, "labels", ())
    of_class = hasattr(judge, "card")
    start = [
        Column("source", lambda one: one["source"]),
        Column("face", _who, width=8, only="table"),
        Column("where", _where, width=20, only="table"),
        Column("reading", _reading, width=16, only="table"),
        Column("beside", _beside, width=28, only="table"),
        Column("why", lambda one: one["reasons"], only="table"),
        *(_csv(name, name) for name in ("face", "track", "index", "time")),
        *(Column(name, _at("span", at), only="csv") for at, name in enumerate(("start", "end"))),
        *(Column(name, _at("box", at), only="csv") for at, name in enumerate(("x0", "y0", "x1", "y1"))),
        _csv("eye distance", "eye_distance"),
        _csv("score", "score"),
    ]
    if of_class:
        start.append(_csv("predicted", "label"))
    start += [Column(f"p_{label}" if of_class else label, _score(label), only="csv") for label in names]
    if judge.kind == "expression":
        start += [Column(axis, _derived(axis), only="csv") for axis in ("valence", "arousal")]
    return [*start, _csv("reasons", "reasons")]


def _csv(title: str, key: str) -> Column:
    return Column(title, lambda one: one[key], only="csv")


def _at(key: str, place: int) -> Callable[[Mapping[str, Any]], Any]:
    return lambda one: one[key] and one[key][place]


def _score(label: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda one: one["scores"].get(label)


def _derived(axis: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda one: next((of["scores"][axis] for of in one["readings"] if of["kind"] == "valence_arousal"), None)


def _who(one: Mapping[str, Any]) -> str:
    return str(one["face"]) if one["face"] is not None else f"track {one['track']}"


def _where(one: Mapping[str, Any]) -> str:
    if one["span"] is None:
        return words.box(one["box"])
    start, end = one["span"]
    return words.clock(start) if start == end else f"{words.clock(start)} to {words.clock(end)}"


def _reading(one: Mapping[str, Any]) -> str:
    return f"{one['score_of']} {one['value']:.2f}" if one["score_of"] else "cannot tell"


def _beside(one: Mapping[str, Any]) -> str:
    """What else is likely, for a person to weigh; of measures the three lowest."""
    rest = [(label, value) for label, value in one["scores"].items() if label != one["score_of"]]
    if one["label"] is not None:
        rest = sorted((item for item in rest if item[1] >= MENTIONED), key=lambda item: -item[1])
    else:
        rest = sorted(rest, key=lambda item: item[1])[:3]
    return ", ".join(f"{label} {value:.2f}" for label, value in rest)
