"""`mien log`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from mien.cli.at_service import FOLDER, chosen, desk
from mien.cli.group import family
from mien.cli.output import Column, Output, answers
from mien.errors import UsageError

NEWEST = 50  # entries that are shown unless told otherwise
BROKEN = 69  # exit code when an entry is not what was written
LIST = (
    Column("entry", lambda one: one["number"], width=6),
    Column("when", lambda one: one["at"][:23], width=23),
    Column("tenant", lambda one: one["tenant"], width=8),
    Column("key", lambda one: one["key"], width=12),
    Column("action", lambda one: one["action"], width=15),
    Column("facts", lambda one: _facts(one["facts"])),
)
folder = click.argument("data", metavar="DIR", type=FOLDER)


@family("log")
@click.pass_context
@answers
def command(context: click.Context, out: Output) -> None:
    """Who did what, when, in which gallery: every request and every command leaves an entry. Each is hashed with the one
    before it, and the newest is sealed with the service's secret, so that none can be changed or taken out unseen.
    Without a further word it shows the newest entries of the service in the usual folder."""
    if context.invoked_subcommand is None:
        with desk(chosen(None)) as open_:
            _list(open_.log.entries(None, None, NEWEST), out)


@command.command("verify")
@folder
@click.option(
    "--known", metavar="HEAD", default="", help="A head that was told earlier, which must be in the log still."
)
@click.option("--after", type=click.IntRange(0), default=0, help="Only what stands behind this entry.")
@click.option("--without-secret", is_flag=True, help="Check the chain only, as somebody from outside can.")
@answers
def verify(data: Path, known: str, after: int, without_secret: bool, out: Output) -> int:
    """Check that every entry is what was written.

    In its place, and to the end. Exit code 69 and the first broken entry where that is not so. Keep the head on another
    machine: with --known it also shows that nobody put back an older copy of the whole file."""
    with desk(chosen(data)) as open_:
        found = open_.log.verify(known, not without_secret, after)
    lines = [("log", found.fault or "whole"), ("entries in order", f"{found.entries:,}"), ("head", found.head)]
    out.answer(dataclasses.asdict(found) | {"whole": found.fault is None}, lines)
    return BROKEN if found.fault else 0


@command.command("show")
@folder
@click.option("--tenant", help="Only what one did.")
@click.option("--gallery", help="Only what was done in one.")
@click.option("--action", help="Only one kind, such as subject.forget.")
@click.option("--subject", help="Only what was done about somebody, erased or not (with --tenant and --gallery).")
@click.option("--limit", type=click.IntRange(1), default=NEWEST, show_default=True, help="Entries, the newest.")
@answers
def show(data: Path, tenant: str | None, limit: int, out: Output, **only: str | None) -> None:
    """The newest entries."""
    from mien.serve.log import Only

    gallery, subject = only["gallery"], only["subject"]
    if subject is not None and (gallery is None or tenant is None):
        raise UsageError("A subject is looked for by tenant and gallery.", "Give --tenant and --gallery too.")
    with desk(chosen(data)) as open_:
        alias = None if subject is None else open_.log.alias(str(tenant), str(gallery), subject)
        _list(open_.log.entries(tenant, None, limit, Only(alias, gallery, only["action"])), out)


def _list(found: Iterable[Mapping[str, Any]], out: Output) -> None:
    with out.listing("entries", LIST) as listing:
        for one in found:
            listing.add(one)


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in facts.items())
