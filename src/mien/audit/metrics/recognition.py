"""The metrics core: error rates of comparisons and of searches, with the uncertainty that belongs to them.

Definitions follow ISO/IEC 19795-1. Scores grow with likeness and thresholds are inclusive: a comparison is accepted
when ``score >= threshold``. A comparison that could not be made (no face found) enters with the score ``-inf``, so that
it stays in every denominator: it is a false non-match of a genuine pair and never a false match.

Comparisons that share people are not independent, so intervals come from resampling people: see `bootstrap`. Statistics
take optional weights for that purpose; the weight of a comparison is how often it occurs in a resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mien.decide import comparisons_needed, expected_fpir, in_words, supports
from mien.errors import EvidenceError
from mien.types import Metric

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

__all__ = [
    "Comparisons",
    "TenFold",
    "bootstrap",
    "eer",
    "error_versus_discard",
    "expected_fpir",
    "far",
    "fmr",
    "fnir",
    "fnmr",
    "fpir",
    "frr",
    "gfar",
    "gfrr",
    "hter",
    "supports",
    "tar_at_fmr",
    "ten_fold",
    "threshold_at_fmr",
    "wilson",
]


def fmr(impostor: F64, threshold: float, weights: F64 | None = None) -> float:
    """False-match rate: share of `impostor` scores (n,) at or above `threshold`."""
    return _share(impostor >= threshold, weights)


def fnmr(genuine: F64, threshold: float, weights: F64 | None = None) -> float:
    """False-non-match rate: share of `genuine` scores (n,) below `threshold`; failures to acquire count."""
    return _share(genuine < threshold, weights)


def far(fmr: float, fta: float) -> float:
    """False-accept rate of a transaction of one attempt: the attempt is acquired and falsely matches."""
    return fmr * (1 - fta)


def frr(fnmr: float, fta: float) -> float:
    """False-reject rate of a transaction of one attempt: it is not acquired, or falsely does not match.

    fnmr, here and below: of the comparisons that could be made."""
    return fta + fnmr * (1 - fta)


def gfar(fmr: float, fta: float, fte: float) -> float:
    """Generalised false-accept rate: of people who come to enrol and of attempts; who is not enrolled is not taken for."""
    return far(fmr, fta) * (1 - fte)


def gfrr(fnmr: float, fta: float, fte: float) -> float:
    """Generalised false-reject rate: who could not enrol is rejected at every attempt."""
    return fte + frr(fnmr, fta) * (1 - fte)


def hter(genuine: F64, impostor: F64, threshold: float) -> float:
    """Half total error rate: mean of FMR and FNMR at a threshold that was set elsewhere."""
    return (fmr(impostor, threshold) + fnmr(genuine, threshold)) / 2


def threshold_at_fmr(impostor: F64, rate: float, weights: F64 | None = None) -> float:
    """The smallest threshold whose false-match rate on `impostor` is at most `rate`; never above it, also with ties.

    Raises EvidenceError when there are fewer than 3 / rate comparisons (rule of three)."""
    require_support(rate, len(impostor))
    order = np.argsort(impostor)[::-1]
    scores = np.asarray(impostor, np.float64)[order]
    mass = np.cumsum(np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)[order])
    allowed = int(np.searchsorted(mass, rate * mass[-1] * (1 + 1e-12), side="right"))  # this many may be accepted
    return float(np.nextafter(scores[allowed], np.inf)) if allowed < len(scores) else float(scores[-1])


def require_support(rate: float, comparisons: int, of: str = "impostor comparisons") -> None:
    """Raise EvidenceError when `comparisons` cannot support a rate of `rate`; `of` says what they are."""
    if not supports(rate, comparisons):
        raise EvidenceError(
            f"{comparisons:,} {of} cannot support a false-match rate of {in_words(rate)}.",
            f"It takes at least {comparisons_needed(rate):,} (rule of three).",
        )


def tar_at_fmr(genuine: F64, impostor: F64, rate: float, weights: tuple[F64, F64] | None = None) -> float:
    """True-accept rate, 1 - FNMR, at the smallest threshold that holds the false-match rate at `rate`.

    weights: of the genuine and of the impostor comparisons."""
    mine, theirs = weights if weights is not None else (None, None)
    return 1 - fnmr(genuine, threshold_at_fmr(impostor, rate, theirs), mine)


def eer(genuine: F64, impostor: F64, weights: tuple[F64, F64] | None = None) -> float:
    """Equal error rate: mean of FMR and FNMR at the observed score where they differ least (the lowest such score)."""
    mine, theirs = weights if weights is not None else (np.ones(len(genuine)), np.ones(len(impostor)))
    thresholds = np.unique(np.concatenate([genuine, impostor]))
    missed = _mass_below(genuine, mine, thresholds)
    accepted = 1 - _mass_below(impostor, theirs, thresholds)
    nearest = int(np.argmin(np.round(np.abs(missed - accepted), 12)))  # so that rounding breaks no tie
    return float(missed[nearest] + accepted[nearest]) / 2


def fpir(best: F64, threshold: float) -> float:
    """False-positive identification rate: share of non-mated searches whose `best` score (n,) reaches `threshold`."""
    return _share(best >= threshold, None)


def fnir(mate: F64, rank: I64, threshold: float, within: int = 1) -> float:
    """False-negative identification rate: share of mated searches whose mate stays below `threshold` or unranked.

    mate: (n,) score of the enrolled mate, -inf where the search failed; rank: (n,) its rank among the subjects, 1 is
    best; within: the last rank that counts as found."""
    return _share((mate < threshold) | (rank > within), None)


def wilson(errors: int, trials: int, level: float = 0.95) -> Metric:
    """A share of independent trials with interval (Wilson, JASA 1927). Where trials share people, use `bootstrap`."""
    if trials <= 0:
        raise EvidenceError("A rate needs at least one trial.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, inflated = errors / trials, 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / inflated
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / inflated
    low, high = float(centre - half), float(centre + half)
    return Metric(share, low if errors else 0.0, high if errors < trials else 1.0, trials)


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Scored pairs of captures, with the people they are of."""

    scores: F64  # (n,) -inf where a capture had no face
    first: I64  # (n,) number of the person of one capture
    second: I64  # (n,) … and of the other

    @property
    def same(self) -> Bools:
        """(n,) whether a pair is genuine."""
        same: Bools = self.first == self.second
        return same

    @property
    def people(self) -> int:
        """How many different people take part."""
        return len(np.unique(np.concatenate([self.first, self.second])))

    def split(self, weights: F64 | None = None) -> tuple[F64, F64, tuple[F64, F64]]:
        """Genuine scores, impostor scores, and the weights of both."""
        weights = np.ones(len(self.scores)) if weights is None else weights
        return self.scores[self.same], self.scores[~self.same], (weights[self.same], weights[~self.same])


Statistic = Callable[[F64], float]


def bootstrap(
    statistic: Statistic, comparisons: Comparisons, rounds: int = 1000, level: float = 0.95, seed: int = 0
) -> Metric:
    """`statistic` of weights (n,) over `comparisons`, with the percentile interval of a bootstrap over people.

    Each round draws people with replacement; a comparison counts as often as its people were drawn: a genuine one m
    times, one of two people m1 x m2 times. All captures of a person stay together, so what comparisons share is kept
    (subset bootstrap: Bolle et al., CVIU 2004; crossed with the other person's: Owen, Ann. Appl. Stat. 2007).
    A paired difference of two systems is a statistic too: apply both to the same weights."""
    everyone, numbers = np.unique(np.concatenate([comparisons.first, comparisons.second]), return_inverse=True)
    first, second = np.split(numbers, 2)
    rng = np.random.default_rng(seed)
    values = np.empty(rounds)
    for index in range(rounds):
        drawn = np.bincount(rng.integers(len(everyone), size=len(everyone)), minlength=len(everyone)).astype(np.float64)
        weights = np.where(first == second, drawn[first], drawn[first] * drawn[second])
        values[index] = statistic(weights)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Metric(statistic(np.ones(len(first))), float(low), float(high), len(first))


@dataclass(frozen=True, slots=True)
class TenFold:
    """Accuracy under the protocol of Labeled Faces in the Wild."""

    accuracy: float  # mean over folds
    error: float  # standard error of that mean
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]  # each chosen on the other folds


def ten_fold(scores: F64, same: Bools, fold: I64) -> TenFold:
    """Accuracy per fold at the threshold that is best on all other folds (Huang et al., LFW, 2007, restricted view).

    A pair that could not be compared (-inf) is an error whatever its label: refusing must not earn a point."""
    accuracies, thresholds = [], []
    for number in np.unique(fold):
        held = fold == number
        threshold = _most_accurate(scores[~held], same[~held])
        right = ((scores[held] >= threshold) == same[held]) & np.isfinite(scores[held])
        accuracies.append(float(right.mean()))
        thresholds.append(threshold)
    error = float(np.std(accuracies, ddof=1) / np.sqrt(len(accuracies))) if len(accuracies) > 1 else 0.0
    return TenFold(float(np.mean(accuracies)), error, tuple(accuracies), tuple(thresholds))


def error_versus_discard(genuine: F64, quality: F64, threshold: float, discard: float) -> float:
    """FNMR at a fixed threshold once the share `discard` of genuine comparisons with the lowest `quality` is set aside.

    quality: (n,) the lower quality of a comparison's two captures; a failed capture has the lowest of all.
    (Error versus discard characteristic: Grother and Tabassi, PAMI 2007; Schlett et al., 2023.)"""
    kept = np.argsort(quality, kind="stable")[round(discard * len(quality)) :]
    return fnmr(genuine[kept], threshold)


def _share(hits: Bools, weights: F64 | None) -> float:
    if len(hits) == 0:
        raise EvidenceError("A rate needs at least one comparison.")
    return float(np.average(hits, weights=weights))


def _mass_below(scores: F64, weights: F64, thresholds: F64) -> F64:
    """(k,) share of weighted `scores` strictly below each threshold."""
    order = np.argsort(scores)
    mass = np.concatenate([[0.0], np.cumsum(weights[order])])
    below: F64 = mass[np.searchsorted(scores[order], thresholds, side="left")] / mass[-1]
    return below


def _most_accurate(scores: F64, same: Bools) -> float:
    """The score at which accepting gives the most right answers; the middle of the plateau's edge scores."""
    thresholds = np.unique(scores[np.isfinite(scores)])
    ones = np.ones(len(scores))
    accepted = (1 - _mass_below(scores[same], ones[same], thresholds)) * int(same.sum())
    refused = _mass_below(scores[~same], ones[~same], thresholds) * int((~same).sum())
    return float(thresholds[int(np.argmax(accepted + refused))])
