"""The charts of an audit of ageing, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mien.audit.longitudinal.dates import named
from mien.audit.metrics.ageing import YEAR
from mien.audit.metrics.ageing_draws import between
from mien.audit.metrics.recognition import F64
from mien.report import Bars, Chart, Line, Lines, Mark

if TYPE_CHECKING:
    from mien.audit.longitudinal.audit import Study, Watched

SHOWN = 4  # people and devices that get lines of their own


def all_of(study: Study, threshold: float | None, limit: float) -> tuple[Chart, ...]:
    """Everything worth a picture."""
    watched = sorted(study.watched, key=lambda one: (not one.found, not one.odd.days, one.device))[:SHOWN]
    days = [_days(study, one) for one in watched if len(one.days.date) >= 3]
    errors = [_errors(study, limit)] if study.errors is not None else []
    return (_trend(study, threshold), _variances(study), *days, *errors, *_people(study))


def _trend(study: Study, threshold: float | None) -> Lines:
    """Mean score by age of the reference, and the trend."""
    cells, fit = study.cells, study.fit
    edges = np.linspace(cells.years.min(), cells.years.max(), 13)
    place = np.clip(np.searchsorted(edges, cells.years, side="right") - 1, 0, 11)
    people = cells.people
    points = []
    for number in range(12):
        inside = place == number
        who = cells.person[inside]
        if len(np.unique(who)) < 5:
            continue
        total = study.draws.weights @ np.bincount(who, cells.mean[inside], people)
        count = study.draws.weights @ np.bincount(who, minlength=people).astype(float)
        drawn = total[count > 0] / count[count > 0]
        mean = between(float(cells.mean[inside].mean()), drawn, len(who))
        points.append((float(cells.years[inside].mean()), mean))
    ages = np.linspace(cells.years.min(), cells.years.max(), 30)
    line = fit.level + fit.trend * (ages - fit.centre)
    level = np.sqrt(fit.variances["people"] / people)
    drawn = study.draws.trend[:, None] * (ages - fit.centre)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    band = [np.minimum(line, fit.level + low - 1.96 * level), np.maximum(line, fit.level + high + 1.96 * level)]
    lines = (
        Line("trend", _t(ages), _t(line), _t(band[0]), _t(band[1])),
        Line(
            "mean of days",
            tuple(x for x, _ in points),
            tuple(one.value for _, one in points),
            tuple(one.low for _, one in points),
            tuple(one.high for _, one in points),
            "points",
        ),
    )
    marks = (Mark("y", threshold, "threshold"),) if threshold is not None else ()
    return Lines(
        "Score by age of the reference",
        "years since the reference" if study.data.referenced else "years since the first score",
        "score",
        lines,
        marks=marks,
        note="Points: who was seen at that age, people drawn again. Line: the trend within people, as the model has it.",
    )


def _variances(study: Study) -> Bars:
    """Standard deviations beside the trend over the period."""
    from mien.audit.metrics.ageing_draws import deviations

    cells = study.cells
    wanted = {"people": ("between people", True), "shared": ("days, shared by all", cells.crossed)}
    wanted |= {"own": ("days, one's own", cells.replicated)}
    wanted |= {"within": ("within a day" if cells.replicated else "days and noise", True)}
    counts = {name: len(cells.mean) for name, (_, known) in wanted.items() if known}
    bars = {wanted[name][0]: one for name, one in deviations(study.fit, study.draws, counts).items()}
    drawn = np.abs(study.draws.trend) * study.period
    trend = between(abs(study.fit.trend) * study.period, drawn, study.people)
    bars[f"trend over {study.period:.1f} years"] = trend
    return Bars("What makes scores differ", "standard deviation of scores; of the trend: its size", bars)


def _days(study: Study, one: Watched) -> Lines:
    """Means of days, with the limits of an odd day and the change that was found."""
    days = one.days
    x = (days.date - days.date[0]) / YEAR
    spread = np.sqrt(days.error**2 + study.fit.variances["shared"])
    usual = spread * one.odd.limit
    shape = one.change.shape if one.change is not None and one.found else np.zeros(len(x))
    lines = [Line("mean of the day", _t(x), _t(days.mean), style="points")]
    lines.append(Line("limits for a single day", _t(x), _t(shape), _t(shape - usual), _t(shape + usual)))
    strange = list(one.odd.days)
    if strange:
        lines.append(Line("odd day", _t(x[strange]), _t(days.mean[strange]), style="points"))
    marks: tuple[Mark, ...] = ()
    if one.change is not None and one.found:
        marks = (
            Mark(
                "x",
                float((one.change.date - days.date[0]) / YEAR),
                f"change, {named(one.change.date, study.data.dated)}",
            ),
        )
    where = f" on {one.device}" if one.device else ""
    return Lines(
        f"Days{where}",
        f"years since {named(int(days.date[0]), study.data.dated)}",
        "score above what was expected of the people seen",
        tuple(lines),
        marks=marks,
    )


def _errors(study: Study, limit: float) -> Lines:
    """FNMR by age: observed, and expected."""
    errors = study.errors
    assert errors is not None
    middle = (errors.edges[1:] + errors.edges[:-1]) / 2
    seen = [(float(at), one) for at, (one, _) in zip(middle, errors.by_age, strict=True) if one is not None]
    expected = errors.forecast
    lines = (
        Line("expected", _t(expected.years), _t(expected.rate), _t(expected.low), _t(expected.high)),
        Line(
            "observed",
            tuple(x for x, _ in seen),
            tuple(one.value for _, one in seen),
            tuple(one.low for _, one in seen),
            tuple(one.high for _, one in seen),
            "points",
        ),
    )
    marks = [Mark("y", limit, "limit")]
    if errors.renewal.after is not None:
        marks.append(Mark("x", errors.renewal.after.value, "new reference"))
    return Lines(
        "Missed comparisons by age of the reference",
        "years",
        "FNMR",
        lines,
        marks=tuple(marks),
        note="Observed: those seen at that age. Expected: everybody, each score moved along its person's trend.",
    )


def _people(study: Study) -> list[Lines]:
    """The few people whose scores move most surely."""
    trends, cells = study.trends, study.cells
    if not len(trends.p):
        return []
    lines = []
    for one in np.lexsort((trends.person, trends.p))[:SHOWN]:
        mine = cells.person == trends.person[one]
        x, y = cells.years[mine], cells.without(study.fit.changes).mean[mine]
        order = np.argsort(x)
        name = study.data.subjects[study.who[trends.person[one]]]
        slope = f"{name}: {trends.slope[one]:+.2g} a year"
        lines.append(Line(slope, _t(x[order]), _t(y[order]), style="points"))
    note = "" if trends.distinct.any() else "None of these can be told from no trend."
    return [Lines("People whose scores move most surely", "years", "mean score of the day", tuple(lines), note=note)]


def _t(values: F64) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
