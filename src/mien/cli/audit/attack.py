"""`mien audit attack`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.options import rate

if TYPE_CHECKING:
    from mien.audit.attacks.scores import Higher
    from mien.report import Report


@audit_verb("attack")
@click.option("--scores", metavar="CSV", required=True, help="Columns species, score; subject, split, matched.")
@click.option("--dev", metavar="CSV", help="A second file, to choose the threshold on.")
@click.option("--threshold", type=float, help="Given by hand: at or above it a presentation is accepted.")
@click.option(
    "--apcer", type=rate, metavar="RATE", help="Highest APCER in development (default: where errors are equal)."
)
@click.option(
    "--higher",
    type=click.Choice(["bona_fide", "attack"]),
    default="bona_fide",
    show_default=True,
    help="Which presentations the scores are higher for.",
)
def command(
    scores: str, dev: str | None, threshold: float | None, apcer: float | None, higher: Higher, run: Run
) -> Report:
    """A row of the file is a presentation: species is empty or bona_fide for a bona fide one and names the kind of
    attack otherwise; an empty score is no response. subject gives intervals over people. split (dev, eval) or --dev
    gives the threshold: none is ever chosen on the presentations that are judged. matched (1, 0) is the result of the
    comparison with the person attacked, or claimed: it adds the whole system's IAPAR, FRR and RIAPAR.

    \b
      mien audit attack --scores scores.csv -o report/
      mien audit attack --scores test.csv --dev val.csv --apcer 0.05
    """
    from mien.audit.attacks.attack import Attack
    from mien.audit.attacks.scores import read_attacks

    data = read_attacks(Path(scores), Path(dev) if dev else None, higher)
    return Attack(threshold, apcer, run.rounds, run.seed).run(data)
