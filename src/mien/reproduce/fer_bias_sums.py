"""Ratios of biased to balanced training over a handful of runs, with intervals that know how few they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.audit.metrics import F64
from mien.types import Metric


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of means over runs, on the logarithm, with its variance and degrees of freedom."""

    log: float
    variance: float
    freedom: float
    n: int  # runs

    def metric(self) -> Metric:
        """The ratio with its 95 % interval (Student's t on the logarithm; Welch and Satterthwaite)."""
        from scipy.stats import t

        half = float(t.ppf(0.975, max(self.freedom, 1.0))) * float(np.sqrt(self.variance))
        value, low, high = (float(np.exp(self.log + step)) for step in (0.0, -half, half))
        return Metric(value, low, high, self.n)

    def over(self, other: Ratio) -> Ratio:
        """This ratio over another, of other runs."""
        variance = self.variance + other.variance
        parts = sum(one.variance**2 / max(one.freedom, 1.0) for one in (self, other))
        freedom = variance**2 / parts if parts > 0 else np.inf
        return Ratio(self.log - other.log, variance, float(freedom), self.n + other.n)


def extremes_to_balanced(strengths: F64, values: F64) -> Ratio:
    """Mean of the two extreme strengths over that of balanced data, 0.5. values: (S, R) by strength and run."""
    low, middle, high = (
        values[int(np.argmin(np.abs(strengths - at)))] for at in (strengths.min(), 0.5, strengths.max())
    )
    runs = values.shape[1]
    ends = (low.mean() + high.mean()) / 2
    ddof = 1 if runs > 1 else 0
    # Variance of a logarithm: of the mean over the mean's square. The two ends have a quarter of the weight squared each.
    parts = np.array(
        [
            low.var(ddof=ddof) / runs / 4 / ends**2,
            high.var(ddof=ddof) / runs / 4 / ends**2,
            middle.var(ddof=ddof) / runs / middle.mean() ** 2,
        ]
    )
    variance = float(parts.sum())
    squares = float((parts**2).sum())
    freedom = variance**2 * max(runs - 1, 1) / squares if squares > 0 else np.inf
    return Ratio(float(np.log(ends / middle.mean())), variance, float(freedom), 3 * runs)


def paired(strengths: F64, values: F64, other: F64) -> Ratio:
    """How much more the extremes of `values` are than those of `other`, run by run: runs that share everything else.

    Balanced training is the same run for both and cancels."""
    ends = [int(np.argmin(strengths)), int(np.argmax(strengths))]
    logs = np.log(values[ends].mean(axis=0) / other[ends].mean(axis=0))
    count = len(logs)
    variance = float(logs.var(ddof=1)) / count if count > 1 else 0.0
    return Ratio(float(logs.mean()), variance, max(count - 1, 1), count)


def rank_correlation(strengths: F64, values: F64) -> float:
    """Spearman's correlation of |strength - 0.5| with the mean over runs; strengths of the same size are ties."""
    from scipy.stats import spearmanr

    size = np.round(np.abs(strengths - 0.5), 6)
    return float(spearmanr(size, values.mean(axis=1)).statistic)
