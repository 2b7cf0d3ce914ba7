"""`mien audit affect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb

if TYPE_CHECKING:
    from mien.audit.affect import AffectData
    from mien.report import Report


@audit_verb("affect")
@click.option("--predictions", metavar="FILE", help="CSV: the columns say what is predicted.")
@click.option("--truth", metavar="FILE", help="CSV with the truth, where the predictions come without.")
@click.option("--development", metavar="FILE", help="CSV of other people, to choose thresholds and a temperature on.")
@click.option("--intervals", nargs=2, metavar="TRUTH PREDICTED", help="Two CSV files: video,onset,offset …")
@click.option("--classes", metavar="A,B,…", help="Judge these classes; others are listed and left out.")
@click.option("--bins", type=click.IntRange(2, 200), default=15, show_default=True, help="Of calibration errors.")
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Of units' probabilities."
)
@click.option("--present", type=float, default=2.0, show_default=True, help="Intensity from which a unit is present.")
@click.option("--overlap", type=click.FloatRange(0, 1, min_open=True), default=0.5, show_default=True, help="IoU.")
@click.option("--frames", is_flag=True, help="Onset and offset are frame numbers, both within; otherwise seconds.")
@click.option("--fps", type=float, default=0.0, help="Frames per second, to tell micro from macro by length.")
def command(  # noqa: PLR0913 - one parameter per option
    predictions: str | None,
    truth: str | None,
    development: str | None,
    intervals: tuple[str, str] | None,
    classes: str | None,
    bins: int,
    threshold: float,
    present: float,
    overlap: float,
    frames: bool,
    fps: float,
    run: Run,
) -> Report:
    """The columns of the file say what is judged, and several may be in one file:

    \b
      truth, predicted[, p_CLASS …]      classes: UAR, WAR, F1, confusion, calibration
      AU01_truth, AU01 …                 action units: F1, AUC, ICC(3,1)
      valence_truth, valence …           any number: CCC, RMSE, Pearson's r
      subject, video, fold, group …      whose, of which video, of which fold, in which group

    \b
      mien audit affect --predictions predictions.csv -o report/
      mien audit affect --predictions openface.csv --truth truth.csv
      mien audit affect --intervals truth.csv predicted.csv

    Intervals (95 %) draw people; give a column subject. OpenFace 2 and Py-Feat tables are read as predictions and joined
    with --truth by video, subject and frame. A row without an answer is a miss. What is chosen, a threshold or a
    temperature, is chosen on --development, whose people must be others."""
    from mien.audit.affect import Affect, read_intervals, read_predictions
    from mien.errors import UsageError

    if (predictions is None) == (intervals is None):
        raise UsageError("One of --predictions and --intervals is wanted.", "See mien audit affect --help.")
    data: AffectData
    if intervals is not None:
        data = read_intervals(Path(intervals[0]), Path(intervals[1]), fps, frames)
    else:
        named = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
        paths = [Path(name) if name else None for name in (truth, development)]
        data = read_predictions(Path(predictions or ""), paths[0], named, paths[1])
    run.made["data"] = data.source
    return Affect(run.rounds, run.seed, bins, threshold, present, overlap).run(data)
