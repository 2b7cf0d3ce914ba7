"""A straight line through each person's days, by least squares: own trends, and what moments are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.audit.metrics.ageing import Cells
from mien.audit.metrics.recognition import F64, I64, Bools


@dataclass(frozen=True, slots=True, eq=False)
class Trends:
    """Each person's own straight line through the means of days, fitted without any model of the others."""

    person: I64  # (m,) those seen on three days or more, over some time
    slope: F64  # (m,) score per year
    error: F64  # (m,) standard error
    p: F64  # (m,) of no trend: two-sided t test
    distinct: Bools  # (m,) distinguishable from none, with the false discoveries among them held at the rate asked for


def trends(data: Cells, rate: float = 0.05) -> Trends:
    """Own trends, and whose is distinguishable from none at a false-discovery rate (Benjamini and Hochberg 1995).

    Days are weighted alike: they differ by more than the number of captures on them. People seen on two days are left out."""
    from scipy import stats

    lines = Lines.of(data)
    use = (lines.days >= 3) & (lines.spread > 0)
    who = np.flatnonzero(use)
    free = lines.days[who] - 2
    error = np.sqrt(np.maximum(lines.residual[who], 1e-300) / free / lines.spread[who])
    p = 2 * stats.t.sf(np.abs(lines.slope[who]) / error, free)
    distinct = stats.false_discovery_control(p) <= rate if len(p) else np.zeros(0, bool)
    return Trends(who.astype(np.int64), lines.slope[who], error, p, distinct)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Least-squares lines through each person's days; what moments and own trends are made of. (people,) each."""

    days: F64
    spread: F64  # sum of squared years about the person's mean
    slope: F64  # score per year; 0 where there is no spread
    middle: F64  # mean score
    when: F64  # mean years
    residual: F64  # sum of squares about the line
    noise: F64  # what one unit of within-day variance adds to `residual`
    noise_middle: F64  # … to the variance of `middle`
    noise_slope: F64  # … to the variance of `slope`

    @classmethod
    def of(cls, data: Cells) -> Lines:
        """From cells, days weighted alike."""
        who, people = data.person, data.people
        days = np.bincount(who, minlength=people).astype(float)
        when = np.bincount(who, data.years, people) / days
        middle = np.bincount(who, data.mean, people) / days
        t = data.years - when[who]
        spread = np.bincount(who, t * t, people).astype(float)
        spread[spread < 1e-12] = 0.0
        safe = np.where(spread > 0, spread, 1.0)
        slope = np.where(spread > 0, np.bincount(who, t * data.mean, people) / safe, 0.0)
        left = data.mean - middle[who] - slope[who] * t
        each = 1 / data.count
        middle_noise = np.bincount(who, each, people) / days**2
        slope_noise = np.where(spread > 0, np.bincount(who, t * t * each, people) / safe**2, 0.0)
        noise = np.bincount(who, each, people) - days * middle_noise - spread * slope_noise
        residual = np.bincount(who, left * left, people).astype(float)
        return cls(days, spread, slope, middle, when, residual, noise, middle_noise, slope_noise)
