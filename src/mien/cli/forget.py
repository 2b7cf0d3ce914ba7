"""`mien forget`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from mien import wire
from mien.cli import options
from mien.cli.group import verb
from mien.cli.options import gallery_at, with_keys
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
@with_keys
@answers
def command(gallery: str, subjects: tuple[str, ...], yes: bool, keys: str | None, out: Output) -> int:
    """Templates, crops and metadata are erased for good, not hidden. On a terminal it asks first. Copies that a migration
    left beside the gallery, or is making there, are reached too; one that cannot be reached is a failure.

    The receipt names what was erased: the digest is taken over the templates and cannot be turned back into them."""
    refused: list[tuple[str, MienError]] = []
    receipts: list[dict[str, Any]] = []
    with gallery_at(gallery, keys=keys, out=out) as people:
        if not yes and options.on_terminal():
            names = ", ".join(subjects)
            click.confirm(f"Erase {names} from {gallery} for good?", abort=True, err=True)
        for subject in subjects:
            copies, missed = _copies(gallery, subject)
            refused += [failure for failure in missed if failure[0] not in dict(refused)]
            try:
                receipts.append(wire.encode(people.erase(subject)) | {"copies": copies})
            except UnknownSubject as error:
                if copies:
                    receipts.append(_elsewhere(subject, copies))
                else:
                    refused.append((subject, error))
    older = sorted({path for one in receipts for path in one["copies"]})
    out.table("receipts", COLUMNS, receipts, gallery=gallery, older_copies=older, failures=out.problems(refused))
    for path in older:
        out.note(f"Erased from the copy {path} as well.")
    out.failures(refused)
    return refused[0][1].exit_code if refused else 0


def _copies(gallery: str, subject: str) -> tuple[list[str], Sequence[tuple[str, MienError]]]:
    """(copies beside the gallery that held the subject and do not any more, copies out of reach)."""
    if "://" in gallery:
        return [], []
    from mien.gallery.moving.beside import erase_in_copies

    return erase_in_copies(gallery, subject)


def _elsewhere(subject: str, copies: list[str]) -> dict[str, Any]:
    """The receipt of somebody who was in older copies only: a migration had lost them."""
    from mien.gallery.base import now

    return {"subject": subject, "samples": 0, "images": 0, "when": now(), "digest": "", "copies": copies}
