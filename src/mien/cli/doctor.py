"""`mien doctor`."""

from __future__ import annotations

import dataclasses

import click

from mien import wire
from mien.cli import checks
from mien.cli.group import verb
from mien.cli.output import Column, Output, answers

BROKEN = 69  # exit code when something does not work
COLUMNS = (
    Column("state", lambda one: one["state"], width=5),
    Column("what", lambda one: one["name"], width=16),
    Column("finding", lambda one: f"{one['finding']} {one['remedy']}".strip()),
)


@verb("doctor")
@click.argument("galleries", metavar="[GALLERY]...", nargs=-1)
@answers
def command(galleries: tuple[str, ...], out: Output) -> int:
    """Nothing here touches the network. OK works, WARN works with a limit, FAIL does not work. Of each GALLERY named it is
    said whether its thresholds still fit its size.

    Exit code 0 when nothing fails, 69 otherwise."""
    worst = 0
    with out.listing("checks", COLUMNS) as listing:
        for check in checks.all_checks(galleries):
            listing.add(wire.encode(dataclasses.asdict(check)))
            worst = max(worst, BROKEN if check.state == "FAIL" else 0)
        listing.also(works=not worst)
    if worst:
        out.note("Something does not work; what to do stands behind each FAIL.")
    return worst
