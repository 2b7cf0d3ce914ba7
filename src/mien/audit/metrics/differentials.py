"""How far error rates differ between groups of people, in one number each; and what chance alone would make of it.

`fmr` and `fnmr` are rates per group at one threshold, ``(..., G)``; what comes back has the leading shape, so that all
resamples are done at once. A measure that is not defined for its rates, such as a ratio to zero, is NaN.

Ratios: Grother, Face recognition vendor test part 8, NISTIR 8429, 2022. Inequity rate: NIST FRVT part 3, NISTIR 8280, in
the form of NISTIR 8429. FDR: Pereira and Marcel, IEEE TBIOM 4(1), 2022. GARBE: Howard et al., ICPR workshops, 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.recognition import F64, I64, Bools, wilson
from mien.types import Metric

__all__ = [
    "Chance",
    "by_chance",
    "cells",
    "fdr",
    "garbe",
    "gini",
    "holm",
    "inequity_rate",
    "max_to_geometric_mean",
    "max_to_min",
    "spanned",
]


def max_to_min(rates: F64) -> F64:
    """Highest rate over lowest, 1 at best; NaN where the lowest is zero."""
    low = np.asarray(rates.min(axis=-1))
    return _over(rates.max(axis=-1), low, low > 0)


def max_to_geometric_mean(rates: F64) -> F64:
    """Highest rate over the geometric mean of all, 1 at best; steadier than `max_to_min`. NaN where a rate is zero."""
    fair = np.asarray((rates > 0).all(axis=-1))
    logs = np.log(np.where(fair[..., None], rates, 1.0))
    return np.where(fair, np.exp(logs.max(axis=-1) - logs.mean(axis=-1)), np.nan)


def gini(rates: F64) -> F64:
    """Gini coefficient, scaled by G / (G - 1) so that it reaches 1 where one group has all errors; 0 at best.

    G = n / (n - 1) * sum_ij |x_i - x_j| / (2 n^2 mean). NaN where there are no errors or fewer than two groups."""
    count, mean = rates.shape[-1], np.asarray(rates.mean(axis=-1))
    spread = np.abs(rates[..., :, None] - rates[..., None, :]).sum(axis=(-1, -2))
    return _over(spread, 2 * count * max(count - 1, 1) * mean, (mean > 0) & (count > 1))


def garbe(fmr: F64, fnmr: F64, alpha: float = 0.5) -> F64:
    """Gini aggregation rate for biometric equitability: alpha G(FMR) + (1 - alpha) G(FNMR), 0 at best."""
    return alpha * gini(fmr) + (1 - alpha) * gini(fnmr)


def fdr(fmr: F64, fnmr: F64, alpha: float = 0.5) -> F64:
    """Fairness discrepancy rate: 1 - (alpha max |dFMR| + (1 - alpha) max |dFNMR|), 1 at best.

    It takes differences, not ratios: at low rates it is near 1 for every system, whatever the groups."""
    return np.asarray(1 - (alpha * np.ptp(fmr, axis=-1) + (1 - alpha) * np.ptp(fnmr, axis=-1)), np.float64)


def inequity_rate(fmr: F64, fnmr: F64, alpha: float = 0.5) -> F64:
    """(max FMR / min FMR)^alpha (max FNMR / min FNMR)^(1 - alpha), 1 at best; NaN where a rate is zero."""
    return max_to_min(fmr) ** alpha * max_to_min(fnmr) ** (1 - alpha)


def spanned(value: float, resampled: F64, best: float, n: int, log: bool = False) -> Metric:
    """A measure of inequality with its bootstrap interval, which may reach equality: the measure's `best` value.

    Noise only ever adds to a largest difference: resamples, noisier than the data, lie too far from equality, and their
    quantiles would exclude it even where all groups are equal. The basic bootstrap takes the same step back from the
    estimate, but trusts a rate of one or two errors too much. So the far end is the plain quantile, and the end towards
    equality is whichever of the two reaches farther. (Davison and Hinkley, Bootstrap methods, 1997, 5.2.)
    log: step on the logarithm, for ratios."""
    known = resampled[np.isfinite(resampled)]
    if not len(known):
        return Metric(value, min(value, best), max(value, best), n)
    low, high = (float(end) for end in np.quantile(known, [0.025, 0.975]))
    far, plain = (low, high) if best > value else (high, low)
    basic = value * value / far if log else 2 * value - far
    if best > value:
        return Metric(value, min(low, value), min(max(basic, plain, value), best), n)
    return Metric(value, max(min(basic, plain, value), best), max(high, value), n)


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """What labels drawn at random make of the same comparisons."""

    p: Metric  # share of random labellings with as large a deviation of some group, n: how many were drawn
    groups: F64  # (G,) the same for each group, corrected for there being several
    relative: F64  # (G,) each group's rate over that of all these groups together
    ratio: tuple[float, float]  # median and 95 % point of the ratio max/min among them; NaN where mostly undefined


def by_chance(errors: F64, trials: F64) -> Chance | None:
    """Permutation test of "no group differs": `errors` and `trials` per group (1 + k, G), the first row as observed, the
    others with labels dealt anew to people. None where there are no errors or a group was dealt no trials.

    The statistic of a group is its rate relative to that of all groups together, in units of its spread among the
    permutations; the test is on the largest, so many groups do not make a difference by being many (maximum
    statistic: Westfall and Young, Resampling-based multiple testing, 1993). Where people of one group are all more
    alike than others, every group's rate rises; being relative, the statistic leaves that out."""
    pooled = errors.sum(axis=1, keepdims=True) / np.maximum(trials.sum(axis=1, keepdims=True), 1)
    if (trials <= 0).any() or pooled[0] <= 0 or len(errors) < 2:
        return None
    rates = errors / trials
    off = np.divide(rates, pooled, out=np.ones_like(rates), where=pooled > 0) - 1
    spread = off[1:].std(axis=0)
    if (spread <= 0).any():
        return None
    scaled = np.abs(off) / spread
    largest = scaled[1:].max(axis=1)
    count = len(largest)
    reached = (1 + (largest[:, None] >= scaled[0] - 1e-12).sum(axis=0)) / (1 + count)
    ratios = max_to_min(rates[1:])
    known = ratios[np.isfinite(ratios)]
    enough = len(known) > count / 2
    ratio = (float(np.median(known)), float(np.quantile(known, 0.95))) if enough else (np.nan, np.nan)
    return Chance(_share(int((largest >= scaled[0].max() - 1e-12).sum()), count), reached, off[0] + 1, ratio)


def _share(reached: int, drawn: int) -> Metric:
    """p of a permutation test, the labelling observed counted among them, so that it is never zero."""
    interval = wilson(reached, drawn)
    value = (1 + reached) / (1 + drawn)
    return Metric(value, min(interval.low, value), max(interval.high, value), drawn)


def _over(part: F64, whole: F64, fair: Bools) -> F64:
    """NaN where not `fair`."""
    over: F64 = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=fair)
    return over


def holm(p: F64) -> F64:
    """p values of several tests, corrected so that a false alarm among all of them stays as rare as in one.

    Holm, Scandinavian Journal of Statistics 6, 1979."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(np.asarray(p, np.float64)[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def cells(groups: int) -> I64:
    """(G, G) number of the cell of two groups, whichever comes first; the G groups with themselves come first."""
    table: NDArray[np.int64] = np.empty((groups, groups), np.int64)
    np.fill_diagonal(table, np.arange(groups))
    rows, columns = np.triu_indices(groups, 1)
    table[rows, columns] = table[columns, rows] = groups + np.arange(len(rows))
    return table
