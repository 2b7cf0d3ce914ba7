"""`mien enrol`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli import bulk_enrol
from mien.cli.bulk_enrol import Bulk, with_bulk
from mien.cli.group import verb
from mien.cli.options import gallery_at, pair, with_engine, with_keys
from mien.cli.output import Column, Output, Step, answers
from mien.cli.sources import Found, gather, gather_people
from mien.errors import InputError, UsageError

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.protocols import Gallery
    from mien.sources import Enrolment

Pictures = Sequence[str | Path]
People = Mapping[str, Pictures]
PART = 64  # pictures between two writes
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
@click.option(
    "--from", "folder", metavar="SOURCE", help="A folder with a folder per person; a list; s3://bucket/prefix."
)
@click.option("--keep-images", is_flag=True, help="Keep a crop of each face, so that the gallery can change models.")
@click.option("--metadata", type=pair, metavar="KEY=VALUE", multiple=True, help="Kept with the person; repeatable.")
@with_bulk
@with_keys
@with_engine()
@answers
def command(  # noqa: PLR0913 - one parameter per option
    gallery: str,
    subject: str | None,
    pictures: tuple[str, ...],
    folder: str | None,
    keep_images: bool,
    metadata: tuple[tuple[str, str], ...],
    bulk: Bulk,
    keys: str | None,
    engine: Engine,
    out: Output,
) -> int:
    """\b
      mien enrol people.db --from photos/         photos/ana/1.jpg, photos/ana/2.jpg, photos/ben/1.jpg ...
      mien enrol people.db ana ana1.jpg ana2.jpg  one person
      mien enrol people.db --from photos/ --workers auto --failures failures.csv      very many
      mien enrol people.db --from list.csv        rows of subject,path[,metadata ...]; CSV, TSV, JSON lines, - is stdin
      mien enrol people.db --from s3://bucket/people

    The gallery is made if there is none. Each picture must show one person. A person is on the disk when their line
    appears; running the same command again adds only what is new. A picture that cannot be used does not stop the
    rest: it is listed at the end, and the exit code is then 65.

    With --workers, and for lists and buckets, what is finished is kept in a journal beside the gallery: the same command
    goes on wherever it was stopped, and people who were erased meanwhile stay erased. Counts are told, not people."""
    if folder is not None and subject is None and bulk.wanted(folder):
        more = {"keep_images": keep_images, "metadata": dict(metadata), "keys": keys}
        return bulk_enrol.run(gallery, folder, bulk, out, **more)
    if folder is None:
        bulk_enrol.no_bulk(bulk)
    people, found = _people(subject, pictures, folder)
    refused, total, added = found.refused, sum(len(paths) for paths in people.values()), 0
    with (
        gallery_at(gallery, create=True, keys=keys, out=out) as store,
        out.listing("people", COLUMNS) as listing,
        out.progress("enrolling", total, "pictures") as step,
    ):
        for name, paths in people.items():
            try:
                made = _enrol(
                    engine, store, name, paths, step, keep_images=keep_images, metadata=dict(metadata) or None
                )
            except InputError as error:
                refused.append((name, error))
                continue
            of_person = [(refusal.source, refusal.error) for refusal in made.refused]
            refused += of_person
            listing.add(_shape(made) | {"refused": out.problems(of_person)})
            added += made.added
        listing.also(gallery=gallery, failures=out.problems(refused))
        count = listing.count
    out.note(f"{added} new pictures of {count} {'person' if count == 1 else 'people'} in {gallery}.")
    out.passed(found.passed)
    out.failures(refused)
    return REFUSED if refused else 0


def _people(subject: str | None, pictures: Sequence[str], folder: str | None) -> tuple[People, Found]:
    if folder is not None and subject is not None:
        raise UsageError("--from names every person after their folder.", "Leave out the name and the pictures.")
    if folder is not None:
        people, found = gather_people(folder)
        return dict(people), found
    if subject is None or not pictures:
        raise UsageError("Nobody to enrol.", "Give a name and pictures, or --from with a folder per person.")
    found = gather(pictures)
    return ({subject: found.sources} if found.sources else {}), found


def _enrol(engine: Engine, store: Gallery, name: str, paths: Pictures, step: Step, **options: Any) -> Enrolment:
    """One person, durable after every PART pictures, so that little is lost when somebody with thousands is stopped."""
    whole: Enrolment | None = None
    for start in range(0, len(paths), PART):
        made = engine.enrol(store, name, _counted(paths[start : start + PART], step), **options)
        whole = made if whole is None else _joined(whole, made)
    assert whole is not None  # folder_per_person and gather leave out people without pictures
    return whole


def _shape(made: Enrolment) -> dict[str, Any]:
    return {"subject": made.subject, "added": made.added, "known": made.known, "warnings": list(made.warnings)}


def _joined(one: Enrolment, other: Enrolment) -> Enrolment:
    return replace(
        one,
        added=one.added + other.added,
        known=one.known + other.known,
        refused=one.refused + other.refused,
        warnings=tuple(dict.fromkeys(one.warnings + other.warnings)),
    )


def _counted(paths: Iterable[str | Path], step: Step) -> Iterator[str | Path]:
    for path in paths:
        yield path
        step(1)
