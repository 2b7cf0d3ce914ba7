"""`mien people`."""

from __future__ import annotations

import click

from mien import wire
from mien.cli import words
from mien.cli.group import verb
from mien.cli.options import gallery_at, with_keys
from mien.cli.output import Column, Output, answers
from mien.errors import GalleryError
from mien.where import parse

COLUMNS = (
    Column("subject", lambda one: one["subject"]),
    Column("pictures", lambda one: one["samples"]),
    Column("crops kept", lambda one: one["images"]),
    Column("enrolled", lambda one: one["enrolled"]),
    Column("metadata", lambda one: [f"{key}={value}" for key, value in one["metadata"].items()]),
)


@verb("people")
@click.argument("gallery", metavar="GALLERY")
@click.option("--where", metavar="FILTER", help="Only these people, such as: site = 'berlin' and age >= 30.")
@with_keys
@answers
def command(gallery: str, where: str | None, keys: str | None, out: Output) -> None:
    """A crop kept is the picture of a face that `enrol --keep-images` stored; `migrate` needs it."""
    among = None if where is None else parse(where)
    with gallery_at(gallery, read_only=True, keys=keys, out=out) as people:
        everybody = people.people()
        space, outgrown = people.space, words.outgrown(people)
    chosen = [one for one in everybody if among is None or among.matches(one.subject, one.metadata, one.enrolled)]
    records = [wire.encode(person) for person in chosen]
    under_way = "" if "://" in gallery else _migration(gallery)
    out.table("people", COLUMNS, records, gallery=gallery, space=space, warnings=[outgrown] if outgrown else [])
    if among is not None:
        out.note(f"{len(records):,} of {len(everybody):,} people: those where {among}.")
    elif not records:
        out.note(f"Nobody is enrolled in {gallery}. Add people with: mien enrol {gallery} --from photos/")
    if outgrown:
        out.warn(outgrown)
    if under_way:
        out.note(under_way)


def _migration(gallery: str) -> str:
    from pathlib import Path

    from mien.gallery.moving.state import Ledger

    try:
        with Ledger(Path(gallery).absolute()) as ledger:
            state = ledger.state
    except FileNotFoundError:
        return ""
    except GalleryError as error:
        return str(error)
    how = "is being migrated" if state.phase == "preparing" else "was migrated, with its way back kept,"
    return f"{gallery} {how} to {state.embedder}. See: mien migrate {gallery} --status"
