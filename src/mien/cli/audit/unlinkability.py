"""`mien audit unlinkability`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb

if TYPE_CHECKING:
    from mien.report import Report


@audit_verb("unlinkability")
@click.option("--scores", metavar="CSV", required=True, help="Columns mated (1 or 0), score; subject, other.")
@click.option(
    "--omega", type=float, default=1.0, show_default=True, help="How much likelier mated is, before the score."
)
@click.option("--bins", type=click.IntRange(2, 1000), help="Of the histograms; 100 to compare with published values.")
def command(scores: str, omega: float, bins: int | None, run: Run) -> Report:
    """A row of the file is a comparison of two protected templates made under different keys: mated when they are one
    person's. subject and other name the two people; the interval then draws people. The D_sys of shuffled labels is
    printed beside: that much comes from chance alone.

    \b
      mien audit unlinkability --scores scores.csv -o report/
    """
    from mien.audit.attacks.unlinkability import Unlinkability, read_links

    return Unlinkability(omega, bins, run.rounds, run.seed).run(read_links(Path(scores)))
