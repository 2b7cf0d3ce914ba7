"""`mien edit NAME`: one file per way to change pictures, loaded when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from mien.cli.group import family
from mien.cli.output import Column, Output, answers

# Edit -> what it does, in one line.
EDITS = {
    "anonymise": "Hide faces in photos and videos: all of them, those of strangers, or those of named people.",
}

COLUMNS = (Column("name", lambda one: one["name"]), Column("edit", lambda one: one["edit"]))


class Edits(click.Group):
    """Knows every edit by its line and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All edits, in the order of the table."""
        return list(EDITS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The edit's command, from its file."""
        if cmd_name not in EDITS:
            return None
        command: click.Command = import_module(f"mien.cli.edit.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the edits without loading one."""
        with formatter.section("Edits"):
            formatter.write_dl(list(EDITS.items()))


@family("edit", cls=Edits)
@answers
@click.pass_context
def command(context: click.Context, out: Output) -> None:
    """The originals stay as they are. What is written says in itself what was done: `mien-edit: blur`. Alone it lists
    the edits.

    \b
      mien edit anonymise street.jpg -o hidden.jpg
      mien edit anonymise photos/ -o hidden/ --only-unknown people.db
    """
    if context.invoked_subcommand is None:
        out.table("edits", COLUMNS, [{"name": name, "edit": line} for name, line in EDITS.items()])
