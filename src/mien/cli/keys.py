"""`mien keys`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.at_service import Desk, chosen, desk, with_data
from mien.cli.group import family
from mien.cli.output import Column, Output, answers

if TYPE_CHECKING:
    from mien.serve.keys import Key

LIST = (
    Column("id", lambda one: one["id"]),
    Column("name", lambda one: one["name"]),
    Column("role", lambda one: one["role"]),
    Column("tenant", lambda one: one["tenant"]),
    Column("state", lambda one: one["state"]),
    Column("made", lambda one: one["made"][:10]),
    Column("last used", lambda one: one["used"] or "never"),
    Column("refused from", lambda one: one["expires"] and one["expires"][:16]),
    Column("rate", lambda one: one["rate"]),
    Column("quota", lambda one: one["quota"]),
)
ONCE = "The key is shown this once and kept nowhere: keep it where you keep passwords."
identity = click.argument("key", metavar="ID")


@family("keys")
@click.pass_context
@answers
def command(context: click.Context, out: Output) -> None:
    """Without a further word it lists those of the service in the usual folder. They are kept as digests in that folder,
    and a service that runs heeds every change at once.

    reader: sees and asks. operator: also enrols, forgets, reviews, runs jobs. admin: also makes galleries and keys, reads the
    log. A tenant has galleries, keys, jobs and a log of its own, and sees nothing of the others."""
    if context.invoked_subcommand is None:
        _list(None, None, out)


@command.command("make")
@with_data
@click.option("--role", type=click.Choice(["reader", "operator", "admin"]), default="reader", show_default=True)
@click.option("--tenant", default="default", show_default=True, help="Whose galleries it opens.")
@click.option("--name", default="", help="What lists and the log call it (default: its role).")
@click.option("--rate", type=float, help="Requests per second, on average (default: the service's).")
@click.option("--burst", type=int, help="Requests at once (default: the service's).")
@click.option("--quota", type=int, help="Requests per day, UTC (default: no limit).")
@click.option("--expires", metavar="DATE", help="Refused after that day, such as 2027-06-30.")
@answers
def make(data: Path | None, role: Any, tenant: str, name: str, out: Output, **terms: Any) -> None:
    """Make a key; its text is shown once."""
    from mien.serve.keys import Terms

    with desk(chosen(data, there=False)) as open_:
        _show(open_, open_.keys.make(name or role, role, tenant, Terms(**terms)), "key.make", out)


@command.command("list")
@with_data
@click.option("--tenant", help="Only those of one.")
@answers
def list_(data: Path | None, tenant: str | None, out: Output) -> None:
    """All keys, without their secrets."""
    _list(data, tenant, out)


def _list(data: Path | None, tenant: str | None, out: Output) -> None:
    with desk(chosen(data)) as open_:
        out.table("keys", LIST, [_shape(one) for one in open_.keys.listed(tenant)])


@command.command("revoke")
@identity
@with_data
@answers
def revoke(key: str, data: Path | None, out: Output) -> None:
    """Refuse a key from now on, and end its sessions."""
    with desk(chosen(data)) as open_:
        gone = open_.keys.revoke(key)
        facts = {"id": gone.id, "name": gone.name, "role": gone.role}
        open_.log.add(open_.caller(gone.tenant), "key.revoke", durable=True, **facts)
    out.answer({"id": gone.id, "name": gone.name, "revoked": True}, [("revoked", f"{gone.id} ({gone.name})")])


@command.command("rotate")
@identity
@click.option("--hours", type=click.FloatRange(0, 8760), default=24.0, show_default=True, help="The old key works on.")
@with_data
@answers
def rotate(key: str, hours: float, data: Path | None, out: Output) -> None:
    """Make a key in place of another.

    It has the old one's name, role and terms."""
    with desk(chosen(data)) as open_:
        _show(open_, open_.keys.rotate(key, hours), "key.rotate", out)


def _show(open_: Desk, text: str, action: str, out: Output) -> None:
    from mien.serve.keys import number

    made = open_.keys.numbered(number(text))
    facts = {"id": made.id, "name": made.name, "role": made.role}
    open_.log.add(open_.caller(made.tenant), action, durable=True, **facts)
    lines = [
        ("key", text),
        ("id", made.id),
        ("role", made.role),
        ("tenant", made.tenant),
        ("refused from", made.expires),
    ]
    out.answer(_shape(made) | {"key": text}, lines)
    out.note(ONCE)


def _shape(key: Key) -> dict[str, Any]:
    return dataclasses.asdict(key) | {"state": key.state}
