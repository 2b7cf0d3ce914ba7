"""When to take a new reference: how the false-non-match rate grows as references age.

Every score is moved along its person's trend to the age asked about: nothing is assumed of the tails of scores, only that what
is not known of a person's own trend is normal. Nothing is said about ages beyond those in the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.audit.metrics.ageing import Fit
from mien.audit.metrics.ageing_draws import Draws
from mien.audit.metrics.recognition import F64, I64, fnmr
from mien.types import Metric

NODES = 5  # trends at which rates are computed; between them they are interpolated


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """False-non-match rate of references of the ages `years` (m,), with its 95 % interval."""

    years: F64
    rate: F64
    low: F64
    high: F64
    drawn: F64  # (rounds, m) rates as they might have been


def forecast(scores: tuple[I64, F64, F64], found: Fit, drawn: Draws, threshold: float, years: F64) -> Forecast:
    """Expected rates at `threshold`; scores: person (n,), years (n,), score (n,) -inf where a capture failed."""
    person, age, score = scores
    spread = max(float(np.std(drawn.trend)), 1e-12)
    offsets = np.linspace(-3, 3, NODES) * spread
    people = len(found.person_trend)
    each = np.empty((NODES, people, len(years)))
    count = np.bincount(person, minlength=people).astype(float)
    for node, offset in enumerate(offsets):
        slope = found.trend + offset + found.person_trend[person]
        doubt = np.sqrt(found.person_trend_variance)[person]
        for number, year in enumerate(years):
            missed = _below(score + slope * (year - age), threshold, doubt * np.abs(year - age))
            each[node, :, number] = np.bincount(person, missed, people)
    middle = each[NODES // 2].sum(0) / count.sum()
    total = drawn.weights @ count
    rates = np.stack([drawn.weights @ rows for rows in each]) / total[None, :, None]  # (nodes, rounds, m)
    place = np.clip((drawn.trend - found.trend) / spread, -3, 3)
    where = (place + 3) / 6 * (NODES - 1)
    left = np.minimum(where.astype(int), NODES - 2)
    part = (where - left)[:, None]
    rounds = np.arange(len(where))
    redrawn = rates[left, rounds] * (1 - part) + rates[left + 1, rounds] * part
    low, high = np.quantile(redrawn, [0.025, 0.975], axis=0)
    return Forecast(years, middle, np.minimum(low, middle), np.maximum(high, middle), redrawn)


def _below(score: F64, threshold: float, doubt: F64) -> F64:
    """(n,) chance that a score known up to a normal `doubt` lies below the threshold; -inf is below for certain."""
    from scipy.special import ndtr

    sure = (score < threshold).astype(float)
    finite = np.isfinite(score) & (doubt > 0)
    sure[finite] = ndtr((threshold - score[finite]) / doubt[finite])
    return sure


@dataclass(frozen=True, slots=True)
class Renewal:
    """The age at which the rate passes a limit. None where that lies beyond the data, or was so from the start."""

    after: Metric | None  # years; an end of the interval that lies beyond the data is the data's last year
    already: bool  # the limit is passed by references as young as any in the data
    beyond: float  # share of the rounds in which the limit is not passed within the data


def renewal(seen: Forecast, limit: float, n: int) -> Renewal:
    """When the rate first passes `limit`, within the ages of the forecast."""
    after = _crossing(seen.years, seen.rate[None], limit)[0]
    redrawn = _crossing(seen.years, seen.drawn, limit)
    beyond = float(np.isinf(redrawn).mean())
    already = bool(seen.rate[0] > limit)
    if already or np.isinf(after):
        return Renewal(None, already, beyond)
    last = float(seen.years[-1])
    low, high = np.quantile(np.minimum(redrawn, last), [0.025, 0.975])
    return Renewal(
        Metric(float(after), min(float(low), float(after)), max(float(high), float(after)), n), False, beyond
    )


def _crossing(years: F64, rates: F64, limit: float) -> F64:
    """(m,) where each row of rates (m, k) first passes the limit, linear between years; inf where it never does."""
    over = rates > limit
    first = np.argmax(over, axis=1)
    rows = np.arange(len(rates))
    before = np.maximum(first - 1, 0)
    low, high = rates[rows, before], rates[rows, first]
    part = np.divide(limit - low, high - low, out=np.zeros_like(low), where=high > low)
    where = years[before] + np.clip(part, 0, 1) * (years[first] - years[before])
    where = np.where(first == 0, years[0], where)
    answer: F64 = np.where(over.any(1), where, np.inf)
    return answer


def by_age(scores: tuple[I64, F64, F64], threshold: float, edges: F64, weights: F64) -> list[tuple[Metric | None, int]]:
    """Observed FNMR between each two `edges` (years), with the people behind it.

    weights: (rounds, people) how often each round drew each person. None with fewer than five people."""
    person, age, score = scores
    bins = np.clip(np.searchsorted(edges, age, side="right") - 1, 0, len(edges) - 2)
    answer: list[tuple[Metric | None, int]] = []
    for number in range(len(edges) - 1):
        inside = bins == number
        who = len(np.unique(person[inside]))
        if who < 5:
            answer.append((None, who))
            continue
        missed = np.bincount(person[inside], score[inside] < threshold, weights.shape[1])
        count = np.bincount(person[inside], minlength=weights.shape[1]).astype(float)
        total = weights @ count
        drawn = (weights @ missed)[total > 0] / total[total > 0]
        value = fnmr(score[inside], threshold)
        low, high = np.quantile(drawn, [0.025, 0.975])
        high = max(float(high), 1 - 0.05 ** (1 / who) if value == 0 else value)  # none of so many people: rule of three
        answer.append((Metric(value, min(float(low), value), high, int(inside.sum())), who))
    return answer
