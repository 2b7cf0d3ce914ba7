"""`mien doctor`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import click

from mien import wire
from mien.cli import checks
from mien.cli.at_service import with_data
from mien.cli.group import verb
from mien.cli.output import Column, Output, answers
from mien.errors import UsageError

BROKEN = 69  # exit code when something does not work
COLUMNS = (
    Column("state", lambda one: one["state"], width=5),
    Column("what", lambda one: one["name"], width=16),
    Column("finding", lambda one: f"{one['finding']} {one['remedy']}".strip()),
)


@verb("doctor")
@click.argument("galleries", metavar="[GALLERY]...", nargs=-1)
@click.option("--service", is_flag=True, help="Check the deployment of a service instead.")
@with_data
@answers
def command(galleries: tuple[str, ...], service: bool, data: Path | None, out: Output) -> int:
    """Nothing here touches the network. OK works, WARN works with a limit, FAIL does not work. Of each GALLERY named it is
    said whether its thresholds still fit its size.

    With --service: secret, rights, TLS, records, log, keys, retention, disk, models and galleries of a service, with the
    settings that it is started with; it may be running.

    Exit code 0 when nothing fails, 69 otherwise."""
    if data is not None and not service:
        raise UsageError("--data is the folder of a service.", "Give --service too.")
    worst = 0
    with out.listing("checks", COLUMNS) as listing:
        for check in _looks(galleries, service, data):
            listing.add(wire.encode(dataclasses.asdict(check)))
            worst = max(worst, BROKEN if check.state == "FAIL" else 0)
        listing.also(works=not worst)
    if worst:
        out.note("Something does not work; what to do stands behind each FAIL.")
    return worst


def _looks(galleries: tuple[str, ...], service: bool, data: Path | None) -> Iterator[checks.Check]:
    if not service:
        return checks.all_checks(galleries)
    from mien.cli.service_checks import service_checks

    return service_checks(data, galleries)
