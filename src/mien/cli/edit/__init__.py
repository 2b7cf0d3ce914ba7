"""`mien edit NAME`: one file per way to change pictures, loaded when it is called."""

from __future__ import annotations

import click

from mien.cli.group import Catalogue, family
from mien.cli.output import Column, Output, answers

# Edit -> what it does, in one line.
EDITS = {
    "anonymise": "Hide faces in photos and videos: all of them, those of strangers, or those of named people.",
}

COLUMNS = (Column("name", lambda one: one["name"]), Column("edit", lambda one: one["edit"]))


class Edits(Catalogue):
    """The edits of `mien edit`."""

    table, package, heading = EDITS, "mien.cli.edit", "Edits"


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
