"""`mien audit verification`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.audit.sources import Sources, with_pictures
from mien.cli.options import rate
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.audit.data import PairList
    from mien.report import Report


@audit_verb("verification")
@with_pictures(required=False, labels=True)
@click.option("--pairs", metavar="FILE", help="Pairs to compare: pairs.txt of LFW, a CSV, or the .bin itself.")
@click.option("--scores", metavar="CSV", help="Scores of comparisons instead of pictures.")
@click.option("--fmr", "rates", type=rate, multiple=True, help="False-match rates to report at; repeatable.")
@click.option("--at-most", type=click.IntRange(2), metavar="N", help="Pictures per person, drawn at random.")
@click.option("--floor", type=click.FloatRange(0, 1), default=0.0, help="Refuse pictures of a lower quality than this.")
def command(  # noqa: PLR0913 - one parameter per option
    sources: Sources,
    pairs: str | None,
    scores: str | None,
    rates: tuple[float, ...],
    at_most: int | None,
    floor: float,
    run: Run,
) -> Report:
    """Without --pairs every genuine pair and every pair of different people is compared; a .bin brings its own pairs. A
    picture without a face is an error of all its genuine comparisons. Rates that the people in the data cannot support
    are refused. The thresholds on the model's card are judged on the data.

    \b
      mien audit verification --data lfw/ --pairs pairs.txt -o report/
      mien audit verification --data faces/                 # a folder per person
      mien audit verification --data crops.zip --pad 0.5    # tight crops
      mien audit verification --scores scores.csv
    """
    from mien.audit.data import read_scores
    from mien.audit.recognition.verification import RATES, Verification

    wrong = [one for one in rates if not 0 < one < 1]
    if wrong:
        raise UsageError(
            f"A false-match rate lies between 0 and 1, and {wrong[0]:g} does not.", "For 1 in 1,000: 1e-3."
        )
    if (sources.path is None) == (scores is None):
        raise UsageError("Pictures or scores are needed, and not both.", "Give --data or --scores.")
    wanted = tuple(sorted(set(rates), reverse=True)) or RATES
    if scores is not None:
        if pairs is not None or at_most is not None:
            raise UsageError("--pairs and --at-most are for pictures.", "Leave them out with --scores.")
        run.made["data"] = scores
        return Verification(wanted, (), run.rounds, run.seed).run(read_scores(scores))
    if at_most is not None:
        if pairs is not None:
            raise UsageError("A list of pairs says itself which pictures are compared.", "Leave out --at-most.")
        sources = thinned(sources, at_most, run)
    return _of_pictures(sources, pairs, wanted, floor, run)


def _of_pictures(sources: Sources, pairs: str | None, rates: tuple[float, ...], floor: float, run: Run) -> Report:
    from mien.audit.data import read_pairs
    from mien.audit.recognition.trial import Paired
    from mien.audit.recognition.verification import Verification
    from mien.audit.recognition.verification_parts import pace

    if pairs is None and str(sources.path).lower().endswith(".bin"):
        pairs = str(sources.path)
    listed = read_pairs(pairs, sources.pictures()) if pairs is not None else None  # a bad list is told before the work
    if listed is not None:
        run.made["pairs"] = pairs
        sources, listed = _used(sources, listed)
    captures = sources.capture(run, floor)
    audit = Verification(rates, sources.engine.points, run.rounds, run.seed)
    report = audit.run(captures if listed is None else Paired(captures, listed))
    tables = {**report.tables, "Speed": (*pace(sources.engine, sources.pictures()), *report.tables["Speed"])}
    return replace(report, tables=tables, problems=tuple(dict.fromkeys((*sources.problems, *report.problems))))


def _used(sources: Sources, listed: PairList) -> tuple[Sources, PairList]:
    """Only the pictures that a pair names: looking at the others would take time and tell nothing."""
    import numpy as np

    used = np.union1d(listed.first, listed.second)
    pictures = sources.pictures()
    first, second = (np.searchsorted(used, side) for side in (listed.first, listed.second))
    part = tuple(pictures[index] for index in used)
    return replace(sources, _pictures=part), replace(listed, first=first, second=second, owner=listed.owner[used])


def thinned(sources: Sources, most: int, run: Run) -> Sources:
    """No more than so many pictures of a person, drawn."""
    from mien.audit.captures import at_most

    pictures = sources.pictures()
    kept = at_most([one.subject for one in pictures], most, run.seed)
    run.made |= {"at most": f"{most} pictures of a person", "pictures passed over": len(pictures) - len(kept)}
    return replace(sources, _pictures=tuple(pictures[index] for index in kept))
