"""Intervals of what `ageing.fit` found: people are drawn again, and the days that all share are drawn from the model.

People are the independent unit, so each round draws people with replacement, all their days with them, and computes trend
and variances anew in closed form: the trend by weighted least squares at the fitted variances, the variances by moments.
The change against the moments of all people is added to the fitted value. What all people share on a day would be the same in
every such round; so its variance is drawn from its likelihood, and its share of the trend's error is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mien.audit.metrics.ageing import NOTHING, Cells, Fit, shared_likelihood
from mien.audit.metrics.ageing_lines import Lines
from mien.audit.metrics.recognition import F64
from mien.types import Metric

DOUBT = float(np.exp(-1.92))  # of a likelihood against its maximum: within it lies what is not rejected at 5 %


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """What the fit might have been: one number for each of m rounds; variances of scores, trend in scores per year."""

    people: F64
    trends: F64
    shared: F64
    own: F64
    within: F64
    trend: F64
    weights: F64  # (m, people) how often each person was drawn

    @property
    def day(self) -> F64:
        """(m,) variance between days: shared and own."""
        return self.shared + self.own

    @property
    def still(self) -> bool:
        """Whether days may not differ at all."""
        floor = NOTHING**2 * float(np.median(self.within))
        return all(float(np.quantile(part, 0.025)) <= floor for part in (self.shared, self.own))


def draw(data: Cells, found: Fit, rounds: int = 1000, seed: int = 0) -> Draws:
    """Draw people `rounds` times. The same seed gives the same draws, whatever the order of the scores."""
    data = data.without(found.changes)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(data.people, np.full(data.people, 1 / data.people), size=rounds).astype(float)
    once = _moments(data, found, np.ones((1, data.people)))
    moved = _moments(data, found, weights)
    sure = found.variances
    values = {name: np.maximum(0.0, sure[name] + moved[name] - once[name]) for name in ("people", "within")}
    for name, known in (("trends", data.sloped), ("own", data.replicated)):
        values[name] = np.maximum(0.0, sure[name] + moved[name] - once[name]) if known else np.zeros(rounds)
    trend = found.trend + moved["trend"] - once["trend"] + rng.normal(0, found.trend_error_of_days, rounds)
    shared = _shared(data, found, rounds, rng)
    return Draws(trend=trend, shared=shared, weights=weights, **values)


def _shared(data: Cells, found: Fit, rounds: int, rng: np.random.Generator) -> F64:
    """(rounds,) variances of shared days, drawn from their likelihood with all else as fitted."""
    if not data.crossed:
        return np.zeros(rounds)
    estimate = float(np.sqrt(found.variances["shared"]))
    top = max(3 * estimate, 0.1 * float(np.sqrt(found.variances["own"] + found.variances["within"])))
    for _ in range(3):  # first where it is, then closely
        grid = np.linspace(0, top, 41)
        likely = shared_likelihood(found, grid)
        likely = np.exp(likely - likely.max())
        high = float(grid[likely > 1e-4][-1])
        if high > top / 3:
            break
        top = 1.5 * high
    fine = np.linspace(0, top, 4000)
    mass = np.cumsum(np.interp(fine, grid, likely))
    drawn: F64 = np.interp(rng.uniform(0, mass[-1], rounds), mass, fine)
    if likely[0] > DOUBT:  # the likelihood does not reject that there is none: then the interval begins there
        drawn = np.where(drawn <= np.quantile(drawn, 0.05), 0.0, drawn)
    return drawn**2


def _moments(data: Cells, found: Fit, weights: F64) -> dict[str, F64]:
    """Trend and variances by moments, for each row of `weights` (m, people)."""
    lines, sure = Lines.of(data), found.variances
    scatter = np.bincount(data.person, data.squares, data.people)
    spare = np.bincount(data.person, data.count - 1, data.people)
    within = _ratio(weights @ scatter, weights @ spare) if data.replicated else np.full(len(weights), sure["within"])
    freed = np.where(lines.spread > 0, np.maximum(lines.days - 2, 0), lines.days - 1)
    straight = freed > 0
    left = weights @ (lines.residual * straight) - within * (weights @ (lines.noise * straight))
    between = _ratio(left, weights @ (freed * straight))
    if not data.replicated:  # one capture a day: what lines leave is all there is
        within = between + sure["within"]
    since = lines.when - found.centre
    safe = np.where(lines.spread > 0, lines.spread, np.inf)
    doubt = found.day / safe + sure["within"] * lines.noise_slope
    trends = _variance(lines.slope, doubt, sure["trends"], weights * (lines.days >= 3) * (lines.spread > 0))
    doubt = found.day / lines.days + sure["within"] * lines.noise_middle + since**2 * sure["trends"]
    people = _variance(lines.middle - found.trend * since, doubt, sure["people"], weights)
    trend = _trend(found, weights)
    return {"within": within, "own": between, "trends": trends, "people": people, "trend": trend}


def _variance(value: F64, doubt: F64, between: float, weights: F64) -> F64:
    """(m,) variance between people of `value` (people,), each known with variance `doubt`; the sharper count more."""
    trust = np.where(np.isfinite(doubt), 1 / np.maximum(between + doubt, 1e-300) ** 2, 0.0)
    trust = trust / (trust.max() or 1.0)
    mass = weights * trust
    mean = _ratio(mass @ value, mass.sum(1))
    doubt = np.where(np.isfinite(doubt), doubt, 0.0)
    square = mass @ value**2 - mean**2 * mass.sum(1)
    share = _ratio((mass**2).sum(1), mass.sum(1) ** 2)  # what the mean itself takes away
    return _ratio(square, mass.sum(1) * (1 - np.minimum(share, 0.5))) - _ratio(mass @ doubt, mass.sum(1))


def _trend(found: Fit, weights: F64) -> F64:
    """(m,) trend by weighted least squares at the fitted variances and day effects, devices and changes estimated with it."""
    model, parts = found.model
    data, t, columns = model.data, model.t, model.columns.copy()
    columns[-1] -= found.day_effect[data.day] / model.scale
    weight = 1 / (parts["own"] + parts["within"] / data.count)

    def crossed(left: F64, right: F64) -> F64:
        """(people, l, r) of weighted products."""
        sums = [[np.bincount(data.person, weight * a * b, data.people) for b in right] for a in left]
        answer: F64 = np.array(sums).transpose(2, 0, 1)
        return answer

    own = np.stack([np.ones(len(t)), t])  # what people differ in
    between = np.array([[parts["people"], parts["covariance"]], [parts["covariance"], parts["trends"]]])
    seen, pull = crossed(own, own), crossed(own, columns)
    # X'V^-1[X y] of each person: V^-1 by the matrix inversion lemma, without inverting `between`
    part = np.linalg.solve(np.eye(2) + between @ seen, between @ pull)
    known = crossed(columns[:-1], columns) - pull[:, :, :-1].transpose(0, 2, 1) @ part
    total = np.einsum("mp,pij->mij", weights, known)
    effects = np.linalg.solve(total[:, :, :-1], total[:, :, -1:])
    answer: F64 = effects[:, 1, 0] * model.scale / model.span
    return answer


def _ratio(upper: F64, lower: F64) -> F64:
    answer: F64 = np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)
    return answer


def between(value: float, drawn: F64, n: int) -> Metric:
    """A value with the 2.5 and 97.5 percentiles of what it might have been."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Metric(float(value), float(min(low, value)), float(max(high, value)), n)


@dataclass(frozen=True, slots=True)
class Ratios:
    """How days compare with the trend over a period. None: without an upper limit, because what it divides by may be none."""

    total: Metric  # change over the period, score
    trend_to_day: Metric | None  # size of that change, in standard deviations between days
    day_to_trend: Metric | None  # the reverse: standard deviation between days to the size of that change
    day_share: Metric  # of the variance that days and trends give one person's scores over the period, the part of days
    least: float  # lower end of `day_to_trend`, also where it has no upper one


def ratios(found: Fit, drawn: Draws, period: float, n: int) -> Ratios:
    """Compare days with trends over `period` years; n is the count behind it.

    Times spread evenly over the period make a trend's variance (trend**2 + own trends) * period**2 / 12."""
    day, days = np.sqrt(found.day), np.sqrt(drawn.day)
    floor = NOTHING * float(np.sqrt(found.variances["within"]))
    signed = drawn.trend * period / np.maximum(days, floor)
    low, high = (float(value) for value in np.quantile(signed, [0.025, 0.975]))
    value = abs(found.trend) * period / max(float(day), floor)
    least, most = sorted((abs(low), abs(high)))
    least = 0.0 if low <= 0 <= high else least
    to_day = Metric(value, min(least, value), max(most, value), n)
    some = not drawn.still
    reverse = None
    if to_day.low > 0:
        reverse = Metric(float(day) / (abs(found.trend) * period), 1 / to_day.high if some else 0.0, 1 / to_day.low, n)
    spread = period**2 / 12

    def share(day: F64, trend: F64, own: F64) -> F64:
        return day / np.maximum(day + (trend**2 + own) * spread, floor**2)

    once = share(np.array(found.day), np.array(found.trend), np.array(found.variances["trends"]))
    part = between(float(once), share(drawn.day, drawn.trend, drawn.trends), n)
    total = between(found.trend * period, drawn.trend * period, n)
    return Ratios(total, to_day if some else None, reverse, part, 1 / to_day.high if some else 0.0)


def deviations(found: Fit, drawn: Draws, counts: dict[str, int]) -> dict[str, Metric]:
    """Standard deviations with intervals: between people, of trends, between days (shared, own, both), within a day."""
    root: Callable[[F64], F64] = np.sqrt
    sure = {**found.variances, "day": found.day}
    told = {name: between(np.sqrt(sure[name]), root(getattr(drawn, name)), n) for name, n in counts.items()}
    if "day" in told and drawn.still:
        told["day"] = replace(told["day"], low=0.0)
    return told
