"""`mien retention`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mien import wire
from mien.cli.at_service import chosen, with_data
from mien.cli.group import verb
from mien.cli.output import Column, Output, answers

COLUMNS = (
    Column("tenant", lambda one: one["tenant"]),
    Column("gallery", lambda one: one["gallery"]),
    Column("subject", lambda one: one["subject"]),
    Column("over since", lambda one: one["since"]),
)


@verb("retention")
@click.argument("galleries", metavar="[GALLERY]...", nargs=-1)
@with_data
@click.option("--dry-run", is_flag=True, help="Only say who is due.")
@answers
def command(galleries: tuple[str, ...], data: Path | None, dry_run: bool, out: Output) -> int:
    """A service does this by itself every MIEN_SERVE_RETENTION_MINUTES. Somebody is due when the date in their metadata's
    `expires` has passed or, without one, MIEN_SERVE_RETENTION_DAYS after they were enrolled. Name the GALLERY files that
    the service is started with; those made by request are known. Receipts are kept as for `forget`."""
    from mien.serve import retention
    from mien.serve.app import unopened

    service = unopened(chosen(data, galleries))
    try:
        done = retention.run(service, dry_run)
    finally:
        service.close()
    for one in done.unreadable:
        out.warn(f"{one.subject} in {one.gallery} is kept: {one.since!r} in `expires` is no date.")
    rest: dict[str, Any] = {"looked": done.looked, "dry_run": dry_run, "unreadable": wire.encode(done.unreadable)}
    out.table("due", COLUMNS, wire.encode(done.erased), failures=out.problems(done.failures), **rest)
    out.note(f"{len(done.erased)} of {done.looked:,} people {'are due' if dry_run else 'were erased'}.")
    out.failures(done.failures)
    return done.failures[0][1].exit_code if done.failures else 0
