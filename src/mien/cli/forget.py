"""`mien forget`."""

from __future__ import annotations

import click

from mien import wire
from mien.cli import options
from mien.cli.group import verb
from mien.cli.options import gallery_at
from mien.cli.output import Column, Output, answers
from mien.errors import MienError, UnknownSubject

COLUMNS = (
    Column("erased", lambda one: one["subject"]),
    Column("pictures", lambda one: one["samples"]),
    Column("crops", lambda one: one["images"]),
    Column("when", lambda one: one["when"]),
    Column("digest of what was erased", lambda one: one["digest"]),
)


@verb("forget")
@click.argument("gallery", metavar="GALLERY")
@click.argument("subjects", metavar="SUBJECT...", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@answers
def command(gallery: str, subjects: tuple[str, ...], yes: bool, out: Output) -> int:
    """Templates, crops and metadata are erased for good, not hidden. On a terminal it asks first. Copies that a migration
    left beside the gallery are named, not touched.

    The receipt names what was erased: the digest is taken over the templates and cannot be turned back into them."""
    from mien.gallery import backups

    refused: list[tuple[str, MienError]] = []
    receipts = []
    with gallery_at(gallery) as people:
        if not yes and options.on_terminal():
            names = ", ".join(subjects)
            click.confirm(f"Erase {names} from {gallery} for good?", abort=True, err=True)
        for subject in subjects:
            try:
                receipts.append(wire.encode(people.erase(subject)))
            except UnknownSubject as error:
                refused.append((subject, error))
    older = [str(path) for path in backups(gallery)] if receipts else []
    out.table("receipts", COLUMNS, receipts, gallery=gallery, older_copies=older, failures=out.problems(refused))
    for path in older:
        out.note(
            f"{path} is an older copy of this gallery and may still hold what was erased: delete it, or forget there too."
        )
    out.failures(refused)
    return refused[0][1].exit_code if refused else 0
