"""`mien enrol`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.options import gallery_at, pair, with_engine
from mien.cli.output import Column, Output, Step, answers
from mien.errors import InputError, MienError, UsageError

if TYPE_CHECKING:
    from mien.engine import Engine

REFUSED = 65  # exit code when a picture could not be used, though the rest went in
COLUMNS = (
    Column("subject", lambda one: one["subject"], width=24),
    Column("added", lambda one: one["added"], width=5),
    Column("known", lambda one: one["known"], width=5),
    Column("refused", lambda one: len(one["refused"]), width=7),
    Column("remarks", lambda one: one["warnings"]),
)


@verb("enrol")
@click.argument("gallery", metavar="GALLERY")
@click.argument("subject", required=False)
@click.argument("pictures", metavar="[PICTURE]...", nargs=-1)
@click.option("--from", "folder", metavar="DIR", help="A folder with a folder of pictures per person.")
@click.option("--keep-images", is_flag=True, help="Keep a crop of each face, so that the gallery can change models.")
@click.option("--metadata", type=pair, metavar="KEY=VALUE", multiple=True, help="Kept with the person; repeatable.")
@with_engine()
@answers
def command(  # noqa: PLR0913 - one parameter per option
    gallery: str,
    subject: str | None,
    pictures: tuple[str, ...],
    folder: str | None,
    keep_images: bool,
    metadata: tuple[tuple[str, str], ...],
    engine: Engine,
    out: Output,
) -> int:
    """\b
      mien enrol people.db --from photos/         photos/ana/1.jpg, photos/ana/2.jpg, photos/ben/1.jpg ...
      mien enrol people.db ana ana1.jpg ana2.jpg  one person

    The gallery is made if there is none. Each picture must show one person. A person is on the disk when their line
    appears; running the same command again adds only what is new. A picture that cannot be used does not stop the
    rest: it is listed at the end, and the exit code is then 65."""
    people = _people(subject, pictures, folder)
    refused: list[tuple[str, MienError]] = []
    total = sum(len(paths) for _, paths in people)
    with (
        gallery_at(gallery, create=True) as store,
        out.listing("people", COLUMNS) as listing,
        out.progress("enrolling", total, "pictures") as step,
    ):
        for name, paths in people:
            try:
                made = engine.enrol(
                    store, name, _counted(paths, step), keep_images=keep_images, metadata=dict(metadata) or None
                )
            except InputError as error:
                refused.append((name, error))
                continue
            refused += [(refusal.source, refusal.error) for refusal in made.refused]
            listing.add(wire.encode(made))
        listing.also(gallery=gallery, failures=out.problems(refused))
    out.failures(refused)
    return REFUSED if refused else 0


def _people(subject: str | None, pictures: tuple[str, ...], folder: str | None) -> list[tuple[str, list[Path]]]:
    from mien.media import find, folder_per_person

    if folder is not None and subject is not None:
        raise UsageError("--from names every person after their folder.", "Leave out the name and the pictures.")
    if folder is not None:
        return [(name, list(paths)) for name, paths in folder_per_person(folder)]
    if subject is None or not pictures:
        raise UsageError("Nobody to enrol.", "Give a name and pictures, or --from with a folder per person.")
    return [(subject, list(find(pictures)))]


def _counted(paths: Iterable[Path], step: Step) -> Iterator[Path]:
    for path in paths:
        yield path
        step(1)
