"""`mien detect`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien import wire
from mien.cli import words
from mien.cli.group import verb
from mien.cli.options import with_engine
from mien.cli.output import Column, Listing, Output, answers
from mien.cli.pictures import Canvas
from mien.cli.sources import gather
from mien.errors import InputError
from mien.types import Face

if TYPE_CHECKING:
    from mien.engine import Engine

COLUMNS = (
    Column("source", lambda one: one["source"]),
    Column("time", lambda one: words.clock(one["time"]) if one["time"] else None, width=8, only="table"),
    Column("time", lambda one: one["time"], only="csv"),
    Column("frame", lambda one: one["index"], only="csv"),
    Column("face", lambda one: words.box(one["box"]), width=20, only="table"),
    Column("x0", lambda one: one["box"][0], only="csv"),
    Column("y0", lambda one: one["box"][1], only="csv"),
    Column("x1", lambda one: one["box"][2], only="csv"),
    Column("y1", lambda one: one["box"][3], only="csv"),
    Column("eye distance", lambda one: one["eye_distance"], width=12),
    Column("score", lambda one: one["score"], width=5),
)


@verb("detect")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--draw", metavar="PATH", help="Write annotated pictures: a file for one source, else a folder.")
@with_engine()
@answers
def command(sources: tuple[str, ...], draw: str | None, engine: Engine, out: Output) -> int:
    """A source is a picture, a video, a folder, or a pattern in quotes. Boxes are in pixels of the picture as displayed,
    with the upper left corner at 0,0.

    With --draw a still gives its annotated picture, a video the frame with the most faces."""
    found = gather(sources)
    refused, empty = found.refused, list[str]()
    canvas = Canvas.at(draw, len(found.sources)) if draw else None
    with (
        out.listing("faces", COLUMNS, source=found.width) as listing,
        out.progress("detecting", len(found.sources), "sources") as step,
    ):
        for source in found.sources:
            try:
                if not _one(source, engine, listing, canvas):
                    empty.append(str(source))
            except InputError as error:
                refused.append((str(source), error))
            step(1)
        listing.also(without_faces=empty, failures=out.problems(refused), drawn=canvas.written if canvas else [])
    for source in empty:
        out.note(f"{source}: no face")
    out.passed(found.passed)
    out.failures(refused)
    return refused[0][1].exit_code if refused else 0


def _one(source: str | Path, engine: Engine, listing: Listing, canvas: Canvas | None) -> int:
    """List the faces of one source; how many there were."""
    count, best = 0, list[Face]()
    for faces in _by_frame(engine.detect(source)):
        for face in faces:
            listing.add(wire.face(face))
        count += len(faces)
        best = faces if len(faces) > len(best) else best
    if canvas is not None and best:
        canvas.faces(source, best)
    return count


def _by_frame(faces: Iterator[Face]) -> Iterator[list[Face]]:
    for _, group in groupby(faces, key=lambda face: face.frame.index):
        yield list(group)
