"""`mien audit identification`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.audit.sources import Sources, with_pictures
from mien.cli.audit.verification import thinned
from mien.cli.options import rate
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.audit.recognition.identification import Enrolled
    from mien.report import Report
    from mien.types import OperatingPoint


@audit_verb("identification")
@with_pictures(required=False, labels=True)
@click.option("--gallery", metavar="GALLERY", help="A gallery file, searched with --probes.")
@click.option("--probes", metavar="DATA", help="Pictures to search with; a subject that is not enrolled is a stranger.")
@click.option("--enrol", type=click.IntRange(1), metavar="N", help="Of --data: enrol the first N pictures of a person.")
@click.option("--strangers", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.5, show_default=True,
              help="Of --data: share of the people who are not enrolled.")  # fmt: skip
@click.option("--fpir", "rates", type=rate, multiple=True, help="Shares of strangers named to report at; repeatable.")
@click.option("--at-most", type=click.IntRange(2), metavar="N", help="Pictures per person, drawn at random.")
def command(  # noqa: PLR0913 - one parameter per option
    sources: Sources,
    gallery: str | None,
    probes: str | None,
    enrol: int | None,
    strangers: float,
    rates: tuple[float, ...],
    at_most: int | None,
    run: Run,
) -> Report:
    """Who is missed and which strangers are named, at the gallery's size and at smaller ones drawn from it. Probes are a
    folder per person, named as in the gallery. A picture that gives no template is a miss.

    \b
      mien audit identification --gallery people.db --probes probes/ -o report/
      mien audit identification --data faces/ --enrol 1 --strangers 0.5
    """
    from mien.audit.recognition.identification import RATES, Identification

    wrong = [one for one in rates if not 0 < one < 1]
    if wrong:
        raise UsageError(
            f"A share of strangers lies between 0 and 1, and {wrong[0]:g} does not.", "For 1 in 100: 1e-2."
        )
    if (gallery is None) == (sources.path is None) or (gallery is None) != (probes is None):
        raise UsageError("A gallery with probes is needed, or data.", "Give --gallery and --probes, or --data.")
    if gallery is not None and probes is not None:
        sources.path = probes
    if at_most is not None:
        sources = thinned(sources, at_most, run)
    if gallery is not None:
        data, points = _of_gallery(sources, gallery, run)
    else:
        data, points = _of_data(sources, enrol or 1, strangers, run)
    wanted = tuple(sorted(set(rates), reverse=True)) or RATES
    report = Identification(wanted, points, rounds=run.rounds, seed=run.seed).run(data)
    return replace(report, problems=tuple(dict.fromkeys((*sources.problems, *report.problems))))


def _of_gallery(sources: Sources, gallery: str, run: Run) -> tuple[Enrolled, tuple[OperatingPoint, ...]]:
    from mien.audit.recognition.identification import of_gallery, same_space
    from mien.cli.options import gallery_at

    with gallery_at(gallery, read_only=True) as people:
        same_space(people, sources.engine.embedder.space)  # told before the work
        captures = sources.capture(run)
        run.made["gallery"] = gallery
        own = tuple(point for point in people.points if point.space == sources.engine.embedder.space)
        data = of_gallery(people, captures)
        return data, _policy(sources, own, people.templates, len(people))


def _of_data(sources: Sources, enrol: int, strangers: float, run: Run) -> tuple[Enrolled, tuple[OperatingPoint, ...]]:
    from mien.audit.recognition.identification import of_captures

    captures = sources.capture(run)
    run.made |= {"enrolled": f"the first {enrol} of each person", "strangers": strangers}
    data = of_captures(captures, enrol, strangers, run.seed, sources.engine.points)
    return data, _policy(sources, (), len(data.owner), len(data.subjects))


def _policy(
    sources: Sources, own: tuple[OperatingPoint, ...], templates: int, people: int
) -> tuple[OperatingPoint, ...]:
    """What the default policy decides by: the gallery's own points where it has them, and the card's cosine."""
    from mien.decide import Policy

    policy = Policy()
    relative = policy.relative(own, people)
    known = own if policy.reached(own, templates) else sources.engine.points
    cosine = (policy.point(known, templates),) if known else ()
    return (*((relative,) if relative else ()), *cosine)
