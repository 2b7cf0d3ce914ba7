"""What an audit of ageing says in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mien.audit.longitudinal.dates import named
from mien.audit.metrics.ageing_draws import between
from mien.types import Metric

if TYPE_CHECKING:
    from mien.audit.longitudinal.audit import Errors, Study, Watched


_BENT = " (References being of one date, it may as well be that people's ageing is no straight line.)"


def told(metric: Metric, digits: int = 2) -> str:
    """0.031 (0.030 to 0.032)."""
    value, low, high = (f"{number:.{digits}g}" for number in (metric.value, metric.low, metric.high))
    return f"{value} ({low} to {high})"


def percent(metric: Metric) -> str:
    """3.1 % (2.2 to 4.0)."""
    return f"{100 * metric.value:.2g} % ({100 * metric.low:.2g} to {100 * metric.high:.2g})"


def headline(study: Study) -> str:
    """The number that matters."""
    counts = (
        f"{study.people:,} people, {int(study.cells.count.sum()):,} scores of {len(study.cells.mean):,} days of theirs"
    )
    total = between(study.fit.trend * study.period, study.draws.trend * study.period, study.people)
    over = f"the trend over {study.period:.1f} years adds up to {told(total)}"
    if study.ratios is None:
        return f"{over.capitalize()}; days cannot be told from noise, with one capture a day ({counts})."
    day = between(np.sqrt(study.fit.day), np.sqrt(study.draws.day), study.people)
    reverse, to_day = study.ratios.day_to_trend, study.ratios.trend_to_day
    if reverse is None:
        much = f"days differ by more: at least {study.ratios.least:.2g} times as much"
        much = much if study.ratios.least > 1 else "which is more cannot be told"
    elif reverse.low > 1:
        much = f"days differ by more: {told(reverse)} times as much"
    elif reverse.high < 1:
        much = "the trend is more: " + (
            f"{told(to_day)} times as much" if to_day is not None else f"days differ {told(reverse)} times as much"
        )
    else:
        much = f"which is more cannot be told: days differ {told(reverse)} times as much"
    return f"From day to day a person's scores differ by {told(day)} (standard deviation), {over}; {much} ({counts})."


def findings(study: Study, threshold: float | None, limit: float, alarm: float) -> tuple[str, ...]:
    """What it means and what to do."""
    answer = [_trend(study), *_confounded(study), *_people(study, alarm), *_days(study)]
    for one in study.watched:
        answer += _change(study, one, alarm / len(study.watched))
        answer += _odd(study, one)
    if study.same_day_gain is not None and study.same_day_gain.low <= 0:
        answer.append("Comparisons with a reference of the same day cannot be told from those of other days.")
    elif study.same_day_gain is not None:
        answer.append(
            f"Comparisons with a reference of the same day score {told(study.same_day_gain)} higher than the person's other "
            "days lead to expect: tests on one day flatter by that."
        )
    if study.errors is None:
        answer.append("No threshold was given, so nothing is said about error rates and new references (--threshold).")
    else:
        answer += _renewal(study.errors, limit, threshold or 0.0)
    return tuple(answer)


def _trend(study: Study) -> str:
    trend = between(study.fit.trend, study.draws.trend, study.people)
    since = "since the reference" if study.data.referenced else "since a person's first score"
    if trend.low <= 0 <= trend.high:
        return f"No common trend can be told from none: {told(trend)} per year {since}."
    return f"Scores {'fall' if trend.value < 0 else 'rise'} by {told(_size(trend))} per year {since}."


def _size(trend: Metric) -> Metric:
    low, high = sorted((abs(trend.low), abs(trend.high)))
    return Metric(abs(trend.value), low, high, trend.n)


def _confounded(study: Study) -> list[str]:
    answer = []
    if study.confounded:
        answer.append(
            "All references are of about one date, so the age of a reference and the date say the same: a trend may be people "
            "who age or a camera that does; these data cannot tell."
        )
    if not study.data.referenced:
        answer.append("The dates of references are not known: time counts from each person's first score.")
    return answer


def _people(study: Study, alarm: float) -> list[str]:
    trends = study.trends
    if not len(trends.p):
        return ["Nobody was seen on three days or more: nobody's own trend can be told."]
    down = int((trends.distinct & (trends.slope < 0)).sum())
    return [
        f"{int(trends.distinct.sum()):,} of {len(trends.p):,} people have an own trend that can be told from none ({down:,} "
        f"of them downward; false discoveries held at {alarm:.0%}). That is no proof that the others do not age."
    ]


def _days(study: Study) -> list[str]:
    cells, found = study.cells, study.fit.variances
    answer = []
    if not cells.replicated:
        answer.append(
            "There is one capture per person and day: what a day does cannot be told from noise, and no ratio of days "
            "to trend is given. Two captures a day would do."
        )
    if not cells.crossed:
        answer.append(
            "Hardly any two people share a day: what all share on a day cannot be told from what is a person's own, "
            "and drift of a camera would go unseen."
        )
    if cells.replicated and study.ratios is not None and study.ratios.trend_to_day is None:
        answer.append("It cannot be told whether days differ at all: their differences may be the noise of captures.")
    elif cells.crossed and study.fit.day > 0 and cells.replicated:
        part = found["shared"] / study.fit.day
        answer.append(
            f"{part:.0%} of the variance between days is shared by all people of a day (light, camera, software); the rest is "
            "each person's own day."
        )
    return answer


def _change(study: Study, one: Watched, alarm: float) -> list[str]:
    where = f" on {one.device}" if one.device else ""
    what = one.change
    if what is None:
        return [f"Too few days{where} to look for a change ({len(one.days.date)}; it takes ten)."]
    if not one.found:
        return [
            f"No change that all share was found{where} (false-alarm rate {alarm:.2g}, p of the best-fitting one {what.p:.2g})."
        ]
    date, low, high = (named(day, study.data.dated) for day in (what.date, what.low, what.high))
    size = told(Metric(what.size, what.size - 1.96 * what.error, what.size + 1.96 * what.error, len(one.days.date)))
    verb = "shifted at once" if what.kind == "step" else "began to drift"
    return [
        f"Scores of all people{where} {verb} about {date} ({low} to {high}), by {size} up to the last day "
        f"(p {what.p:.2g}; false-alarm rate {alarm:.2g}). Look for a change of camera, light or software. What is said of "
        "people has it taken out." + (_BENT if study.confounded else "")
    ]


def _odd(study: Study, one: Watched) -> list[str]:
    if not one.odd.days:
        return []
    where = f" on {one.device}" if one.device else ""
    days = ", ".join(
        f"{named(int(one.days.date[day]), study.data.dated)} ({one.days.mean[day]:+.2g})" for day in one.odd.days[:5]
    )
    more = f" and {len(one.odd.days) - 5} more" if len(one.odd.days) > 5 else ""
    return [f"Days{where} on which all scores were unlike those of other days: {days}{more}."]


def _renewal(errors: Errors, limit: float, threshold: float) -> list[str]:
    ages, found = errors.forecast.years, errors.renewal
    span = f"{ages[0]:.2g} to {ages[-1]:.2g} years"
    first, last = (
        percent(Metric(errors.forecast.rate[at], errors.forecast.low[at], errors.forecast.high[at], 0))
        for at in (0, -1)
    )
    answer = [
        f"At threshold {threshold:.4g} references of {ages[0]:.2g} years miss {first}, those of {ages[-1]:.2g} years {last}."
    ]
    if found.already:
        answer.append(
            f"References as young as any here already miss more than {limit:.2g}: new ones would not mend that; look at "
            "threshold, camera and captures."
        )
    elif found.after is None:
        doubt = "" if found.beyond > 0.975 else f", though {1 - found.beyond:.0%} of the resamples pass it"
        answer.append(
            f"No need for new references within the data's horizon ({span}): the limit of {limit:.2g} is not passed{doubt}. "
            "Beyond that nothing is said."
        )
    else:
        open_end = found.beyond > 0.025
        end = f"; the upper end lies beyond the data's horizon of {ages[-1]:.2g} years" if open_end else ""
        answer.append(
            f"Take new references after {found.after.value:.2g} years ({found.after.low:.2g} to "
            f"{found.after.high:.2g}{end}): then more than {limit:.2g} of comparisons with one's own reference fail."
        )
    return answer
