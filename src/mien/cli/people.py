"""`mien people`."""

from __future__ import annotations

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.options import gallery_at, with_keys
from mien.cli.output import Column, Output, answers

COLUMNS = (
    Column("subject", lambda one: one["subject"]),
    Column("pictures", lambda one: one["samples"]),
    Column("crops kept", lambda one: one["images"]),
    Column("enrolled", lambda one: one["enrolled"]),
    Column("metadata", lambda one: [f"{key}={value}" for key, value in one["metadata"].items()]),
)


@verb("people")
@click.argument("gallery", metavar="GALLERY")
@with_keys
@answers
def command(gallery: str, keys: str | None, out: Output) -> None:
    """A crop kept is the picture of a face that `enrol --keep-images` stored; `migrate` needs it."""
    with gallery_at(gallery, read_only=True, keys=keys, out=out) as people:
        records = [wire.encode(person) for person in people.people()]
        space = people.space
    out.table("people", COLUMNS, records, gallery=gallery, space=space)
    if not records:
        out.note(f"Nobody is enrolled in {gallery}. Add people with: mien enrol {gallery} --from photos/")
