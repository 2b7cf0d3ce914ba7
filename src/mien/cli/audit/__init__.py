"""`mien audit NAME`: one file per audit, loaded when it is called."""

from __future__ import annotations

import click

from mien.audit.listing import AUDITS
from mien.cli.group import Catalogue, family
from mien.cli.output import Column, Output, answers

__all__ = ["AUDITS", "Audits", "command"]

COLUMNS = (Column("name", lambda one: one["name"]), Column("audit", lambda one: one["audit"]))


class Audits(Catalogue):
    """The audits of `mien audit`."""

    table, package, heading = AUDITS, "mien.cli.audit", "Audits"


@family("audit", cls=Audits)
@answers
@click.pass_context
def command(context: click.Context, out: Output) -> None:
    """Each prints its headline with an interval. With -o FOLDER it also writes report.html to hand on (plots inside, no
    network), report.json with the same numbers, and CSV files of the rows behind them. Alone it lists the audits.

    \b
      mien audit verification --data lfw/ --pairs pairs.txt -o report/
      mien audit longitudinal --scores scores.csv -o report/
    """
    if context.invoked_subcommand is None:
        out.table("audits", COLUMNS, [{"name": name, "audit": line} for name, line in AUDITS.items()])
