"""`mien audit longitudinal`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.audit.sources import Sources, with_pictures
from mien.cli.options import rate
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.audit.longitudinal import Records
    from mien.report import Report


@audit_verb("longitudinal")
@click.option("--scores", metavar="CSV", help="Columns subject, date, score; reference_date, device.")
@with_pictures(required=False, labels=True)
@click.option("--dates", metavar="CSV", help="Of pictures: path, date, device. Without: the EXIF date of each.")
@click.option("--threshold", type=float, help="Scores at or above it match (with --data: the embedder's own).")
@click.option(
    "--fnmr-limit",
    type=rate,
    default="0.05",
    show_default=True,
    metavar="RATE",
    help="Misses that call for new references.",
)
@click.option(
    "--false-alarm",
    type=rate,
    default="0.05",
    show_default=True,
    metavar="RATE",
    help="Of finding a change where none is.",
)
@click.option("--zone", default="", metavar="ZONE", help="Time zone of times with an offset, such as Europe/Berlin.")
def command(
    scores: str | None,
    dates: str | None,
    zone: str,
    sources: Sources,
    run: Run,
    **asked: Any,
) -> Report:
    """Scores are genuine: each compares a person with their own reference. Each row has a subject, a date and a score
    (-inf: the capture failed); with reference_date the age of the reference counts, else the time since the person's
    first score. Of pictures, each person's first dated one is the reference. Says how much days differ and how much
    the scores' trend adds up to, whose scores move, whether all scores moved on some day, and when to enrol anew.

    \b
      mien audit longitudinal --scores scores.csv --threshold 0.55 -o report/
      mien audit longitudinal --data faces/ --dates dates.csv -o report/
    """
    from mien.audit.longitudinal import Longitudinal, read_records

    if (scores is None) == (sources.path is None):
        raise UsageError("Give either --scores or --data.", "A file of scores, or a folder of dated pictures.")
    if scores is not None:
        if dates is not None:
            raise UsageError("--dates is for pictures.", "Scores have their dates in their own file.")
        run.made |= {"data": scores}
        data = read_records(scores, zone)
    else:
        data = _of_pictures(sources, dates, zone, run)
        if asked["threshold"] is None:
            from mien.decide import Policy

            asked["threshold"] = Policy().point(sources.engine.points).threshold
    return Longitudinal(**asked, rounds=run.rounds, seed=run.seed).run(data)


def _of_pictures(sources: Sources, dates: str | None, zone: str, run: Run) -> Records:
    from mien.audit.longitudinal import from_captures, read_dates

    when = read_dates(sources.pictures(), dates, zone)  # before the long work
    captures = sources.capture(run)
    data = from_captures(captures, when)
    return replace(data, problems=(*sources.problems, *data.problems))
