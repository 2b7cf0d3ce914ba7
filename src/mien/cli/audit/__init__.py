"""`mien audit NAME`: one file per audit, loaded when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from mien.audit.listing import AUDITS
from mien.cli.group import family
from mien.cli.output import Column, Output, answers

__all__ = ["AUDITS", "Audits", "command"]

COLUMNS = (Column("name", lambda one: one["name"]), Column("audit", lambda one: one["audit"]))


class Audits(click.Group):
    """Knows every audit by its line and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All audits, in the order of the table."""
        return list(AUDITS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The audit's command, from its file."""
        if cmd_name not in AUDITS:
            return None
        command: click.Command = import_module(f"mien.cli.audit.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the audits without loading one."""
        with formatter.section("Audits"):
            formatter.write_dl(list(AUDITS.items()))


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
