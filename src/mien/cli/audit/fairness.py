"""`mien audit fairness`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.audit.sources import Sources, with_pictures
from mien.cli.options import rate
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.audit.fairness import Compared
    from mien.report import Report


@audit_verb("fairness")
@with_pictures(required=False, labels=True)
@click.option("--against", metavar="NAME", multiple=True, help="A second embedder, side by side; repeatable.")
@click.option("--scores", metavar="CSV", multiple=True, help="Comparisons instead of pictures; twice: two systems.")
@click.option(
    "--fmr", type=rate, metavar="RATE", default="1e-3", show_default=True, help="Aimed at, all groups together."
)
@click.option("--threshold", type=float, help="A threshold chosen by hand instead.")
@click.option("--own", is_flag=True, help="Set the threshold on half of these people, not from the model's card.")
@click.option("--least", type=click.IntRange(2), default=30, show_default=True, help="People a group needs.")
@click.option("--at-most", type=click.IntRange(2), metavar="N", help="Pictures per person, drawn at random.")
@click.option(
    "--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Weight of FMR against FNMR."
)
@click.option("--crossed/--not-crossed", default=True, show_default=True, help="Intersections of every two columns.")
def command(  # noqa: PLR0913 - one parameter per option
    sources: Sources,
    against: tuple[str, ...],
    scores: tuple[str, ...],
    fmr: float,
    threshold: float | None,
    own: bool,
    least: int,
    at_most: int | None,
    alpha: float,
    crossed: bool,
    run: Run,
) -> Report:
    """One threshold serves everybody. Groups come from --labels: a column subject (or path) and a column per grouping,
    such as sex or age_group; the intersection of every two columns is judged as well. What differs is set beside what
    labels dealt at random would show, and a group too small for a rate gets none, with the reason. mien never guesses a
    group from a face.

    A file of scores has score, probe_subject, reference_subject, and may hold the groups itself: probe_sex and
    reference_sex, and so on. Without a card the threshold is set on half of the people and judged on the others.

    \b
      mien audit fairness --data faces/ --labels groups.csv -o report/
      mien audit fairness --scores a.csv --scores b.csv --fmr 1e-2
    """
    from mien.audit.fairness import Fairness, read_scores

    if bool(scores) == (sources.path is not None):
        raise UsageError("Pictures or scores are needed, and not both.", "Give --data or --scores.")
    audit = Fairness(fmr, threshold, own, least, alpha, crossed, run.rounds, run.seed)
    if scores:
        if against or at_most:
            raise UsageError("--against and --at-most are for pictures.", "Give --data, or leave them out.")
        run.made["data"] = ", ".join(scores)
        return audit.run([read_scores(path, sources.labels, Path(path).stem) for path in scores])
    report = audit.run(_systems(sources, against, at_most, threshold, run))
    return replace(report, problems=tuple(dict.fromkeys((*sources.problems, *report.problems))))


def _systems(
    sources: Sources, against: tuple[str, ...], at_most: int | None, threshold: float | None, run: Run
) -> list[Compared]:
    """The engine's embedder, and those it is held against, on the same pictures."""
    import numpy as np

    from mien.audit.captures import at_most as drawn
    from mien.audit.data import read_labels
    from mien.audit.fairness import of_captures
    from mien.engine import Engine

    if sources.labels is None:
        raise UsageError("No groups are given.", "Give --labels: a CSV with subject (or path) and columns of groups.")
    sources.pictures()  # read once, for all systems
    detector = sources.engine.detector.name if against else ""
    systems, models = [], []
    for name in ("", *against):
        one = replace(sources, engine=Engine(detector, name)) if name else sources
        captures = one.capture(run)
        models.append(run.made["models"])
        groups = read_labels(sources.labels, captures.names, captures.subjects)
        kept = range(len(captures)) if at_most is None else drawn(captures.subjects, at_most, run.seed)
        columns = {title: [column[number] for number in kept] for title, column in groups.columns.items()}
        captures = captures.part(np.asarray(kept))
        compared = of_captures(one.engine.embedder.name, captures, columns, one.engine.points, threshold)
        systems.append(compared)
        if not name:
            sources.problems += groups.problems
    run.made["models"] = models if against else models[0]
    return systems
