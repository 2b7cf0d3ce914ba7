"""`mien audit NAME`: one file per audit, loaded when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from mien.cli.group import family
from mien.cli.output import Column, Output, answers

# Audit -> what it does, in one line.
AUDITS = {
    "verification": "Error rates of comparing two faces: FMR, FNMR, DET, EER, at thresholds with their evidence.",
    "identification": "Error rates of searching a gallery: FPIR and FNIR at its size and at others, ranks.",
    "detection": "Faces found and missed, and false ones in pictures that show none.",
    "quality": "The components of ISO/IEC 29794-5, picture by picture, and whether quality predicts errors.",
    "fairness": "Error rates per group at one threshold, with intervals, and what the group sizes allow to say.",
    "longitudinal": "Whether scores fall with time: trend, days and people told apart, drift found, when to re-enrol.",
    "attack": "Presentation attacks from a file of scores: APCER per species, BPCER, and the whole system's IAPAR.",
    "morph": "Morphs from a file of scores: MMPMR, Morphing Attack Potential, detection errors.",
    "unlinkability": "Whether protected templates of one person can be linked: D of ISO/IEC 24745 from scores.",
    "affect": "Predictions of expressions, action units, intervals or valence and arousal against the truth.",
    "trust": "One report on a model that reads faces: accuracy, calibration, fairness, robustness, explanation.",
}

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
