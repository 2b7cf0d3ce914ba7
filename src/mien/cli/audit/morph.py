"""`mien audit morph`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.options import rate

if TYPE_CHECKING:
    from mien.audit.attacks.scores import Higher
    from mien.report import Report


@audit_verb("morph")
@click.option(
    "--scores", metavar="PATH", help="Comparisons of morphs with their people: CSV, or published zip or folder."
)
@click.option("--thresholds", metavar="CSV", help="Columns system, threshold; higher (alike, different), fnmr.")
@click.option("--detection", metavar="CSV", help="Scores of a detector: columns method, score; subject, split.")
@click.option("--dev", metavar="CSV", help="A second file of detection, to choose its threshold on.")
@click.option("--threshold", type=float, help="Of detection, by hand: at or above it a picture is taken for bona fide.")
@click.option(
    "--macer", type=rate, metavar="RATE", help="Highest MACER in development (default: where errors are equal)."
)
@click.option(
    "--higher",
    type=click.Choice(["bona_fide", "attack"]),
    default="bona_fide",
    show_default=True,
    help="Which pictures the detector's scores are higher for.",
)
def command(  # noqa: PLR0913 - one parameter per option
    scores: str | None,
    thresholds: str | None,
    detection: str | None,
    dev: str | None,
    threshold: float | None,
    macer: float | None,
    higher: Higher,
    run: Run,
) -> Report:
    """--scores has a row for each comparison of a morph with a picture of one of its people: morph, subject, system,
    score and, where there are several, attempt and set. --thresholds says from where on each system takes two pictures
    for one person. The published layout of the Morphing Attack Potential holds both. --detection is a file as for
    `mien audit attack`, with morphing methods for kinds of attack: MACER and BSCER.

    \b
      mien audit morph --scores scores.csv --thresholds thresholds.csv -o report/
      mien audit morph --scores published.zip
      mien audit morph --detection detector.csv --macer 0.1
    """
    from mien.audit.attacks.morph import Morph, MorphData
    from mien.audit.attacks.morph_scores import read_morphs
    from mien.audit.attacks.scores import read_attacks

    compared = read_morphs(Path(scores), Path(thresholds) if thresholds else None) if scores else None
    detected = read_attacks(Path(detection), Path(dev) if dev else None, higher) if detection else None
    return Morph(threshold, macer, run.rounds, run.seed).run(MorphData(compared, detected))
