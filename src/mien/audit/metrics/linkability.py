"""Unlinkability of protected templates: does a score between two of them tell whether they are one person's?

D(s) and D_sys of Gomez-Barrero et al., IEEE TIFS 2018, used in the sense of ISO/IEC 24745. Mated scores compare
templates of one person under different keys, non-mated ones those of different people under different keys. The
likelihood ratio LR(s) = p(s|mated) / p(s|non-mated) with the prior ratio omega = p(mated) / p(non-mated) gives

    D(s) = 2 omega LR / (1 + omega LR) - 1 where omega LR > 1, else 0;  D = 1 where only mated scores occur
    D_sys = integral of D(s) p(s|mated) ds: 0 unlinkable, 1 fully linkable

Densities are histograms over the common range, as in the authors' reference. Kernel estimates were not taken: their tails
decide D where data are few (disjoint scores would not give 1), and they smear scores that come in steps, such as Hamming
distances. One departure: with the default bins, scores far outside (see `edges_of`) go into the outermost bins, because a
single -999 in place of a failed comparison would put all others into one bin and hide any linkability.

Chance alone makes D_sys positive, the more so the more bins: for no linkability at all, 1,000 scores of each kind give 0.09
with the reference's 100 bins and 0.04 with the 20 used here by default. `shuffled` measures this floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mien.audit.metrics.recognition import F64, I64, wilson
from mien.errors import EvidenceError, UsageError
from mien.types import Metric

MOST_BINS = 100  # as the authors' reference
FEWEST_BINS = 4
FAR = 3.0  # quartile distances beyond the quartiles, 4.7 standard deviations of normal scores: what is far outside


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """The evidence for linkability, score by score."""

    edges: F64  # (bins + 1,) of scores
    mated: F64  # (bins,) share of mated scores in each bin
    nonmated: F64  # (bins,) share of non-mated scores
    omega: float = 1.0

    @property
    def local(self) -> F64:
        """(bins,) D(s); 0 where there are no mated scores."""
        ahead, total = self.omega * self.mated - self.nonmated, self.omega * self.mated + self.nonmated
        local: F64 = np.clip(np.divide(ahead, total, out=np.zeros_like(ahead), where=total > 0), 0, 1)
        return local

    @property
    def system(self) -> float:
        """D_sys."""
        return min(1.0, round(float(self.local @ self.mated), 12))


def bins_for(mated: int, nonmated: int) -> int:
    """How many bins that many scores carry: twice the cube root of the fewer (Rice's rule), from 4 to 100."""
    return int(np.clip(round(2 * min(mated, nonmated) ** (1 / 3)), FEWEST_BINS, MOST_BINS))


def edges_of(mated: F64, nonmated: F64, bins: int | None = None) -> F64:
    """(bins + 1,) edges over the common range of both kinds of scores.

    Default bins: `bins_for`, over the range without what is far outside for its own kind (Tukey's outer fences: more than
    three quartile distances beyond the quartiles). Raises EvidenceError for scores that are all equal, or nearly."""
    whole = np.concatenate([mated, nonmated])
    low, high = float(whole.min()), float(whole.max())
    if bins is None:
        ends = [_fences(scores) for scores in (mated, nonmated)]
        low, high = max(low, min(end[0] for end in ends)), min(high, max(end[1] for end in ends))
    number = bins or bins_for(len(mated), len(nonmated))
    edges = np.linspace(low, high, number + 1)
    if not (np.diff(edges) > 0).all():
        raise EvidenceError(
            f"All scores are equal, or too nearly so for {number} bins: nothing can be told from them.",
            "Look at what wrote them.",
        )
    return edges


def far(scores: F64, edges: F64) -> int:
    """How many scores (n,) lie outside the edges, and are counted in the outermost bins."""
    return int(((scores < edges[0]) | (scores > edges[-1])).sum())


def _fences(scores: F64) -> tuple[float, float]:
    first, third = np.quantile(scores, [0.25, 0.75])
    if first == third:  # scores of few values have no quartile distance
        return float(scores.min()), float(scores.max())
    return float(first - FAR * (third - first)), float(third + FAR * (third - first))


def link(
    mated: F64,
    nonmated: F64,
    omega: float = 1.0,
    bins: int | None = None,
    weights: tuple[F64, F64] | None = None,
) -> Link:
    """Histograms of both kinds of scores, (n,) and (m,), over their common range.

    bins: default `bins_for`; 100 to compare with published values. weights: how often each score counts, for resamples.
    Which way scores grow does not matter. Raises EvidenceError for one kind only, UsageError for an omega that is none."""
    if len(mated) == 0 or len(nonmated) == 0:
        raise EvidenceError(
            f"Linkability needs mated and non-mated scores, and there are {len(mated):,} and {len(nonmated):,}.",
            "Compare templates of one person under two keys, and of two people under two keys.",
        )
    if not (omega > 0 and np.isfinite(omega)):
        raise UsageError(f"omega is a ratio of probabilities, and {omega} is none.", "Use 1 where nothing is known.")
    edges = edges_of(mated, nonmated, bins)
    mine, theirs = weights if weights is not None else (None, None)
    return Link(edges, _shares(mated, edges, mine), _shares(nonmated, edges, theirs), omega)


def d_sys(mated: F64, nonmated: F64, omega: float = 1.0, bins: int | None = None) -> float:
    """Global linkability, 0 to 1. See `link`."""
    return link(mated, nonmated, omega, bins).system


def shuffled(mated: F64, nonmated: F64, omega: float = 1.0, bins: int | None = None, rounds: int = 200) -> F64:
    """(rounds,) D_sys with the labels shuffled: what chance alone gives for these scores, counts and bins.

    It is reported beside D_sys and not subtracted: where there is linkability the bias is much smaller (measured in the
    tests), and subtracting would hide a third of a true 0.13."""
    whole = np.sort(np.concatenate([mated, nonmated]))  # so that the order of a file's rows decides nothing
    draws = ((shuffle < len(mated)).astype(np.float64) for shuffle in _shuffles(len(whole), rounds))
    return replicates(whole, whole, omega, edges_of(mated, nonmated, bins), ((one, 1 - one) for one in draws))


def replicates(
    mated: F64,
    nonmated: F64,
    omega: float,
    edges: F64,
    draws: Iterable[tuple[F64, F64]],
) -> F64:
    """D_sys under each of several weightings of the scores, over the bins between `edges`; a draw without one kind is
    left out."""
    places, size = (_places(mated, edges), _places(nonmated, edges)), len(edges) - 1
    values = []
    for weights in draws:
        mine, theirs = (np.bincount(place, w, minlength=size) for place, w in zip(places, weights, strict=True))
        if mine.sum() and theirs.sum():
            values.append(Link(edges, mine / mine.sum(), theirs / theirs.sum(), omega).system)
    return np.array(values)


def draws_of_scores(counts: tuple[int, int], rounds: int, seed: int) -> Iterator[tuple[F64, F64]]:
    """Weights of mated and non-mated scores for a bootstrap that takes comparisons as independent."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        mine, theirs = (np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64) for n in counts)
        yield mine, theirs


def draws_of_people(mated: I64, nonmated: tuple[I64, I64], rounds: int, seed: int) -> Iterator[tuple[F64, F64]]:
    """The same drawing people: a comparison counts as often as its people were drawn, see `recognition.bootstrap`.

    mated: (n,) number of the person; nonmated: (m,) of one and (m,) of the other person."""
    rng = np.random.default_rng(seed)
    everyone, numbers = np.unique(np.concatenate([mated, *nonmated]), return_inverse=True)
    mine, first, second = np.split(numbers, [len(mated), len(mated) + len(nonmated[0])])
    for _ in range(rounds):
        drawn = np.bincount(rng.integers(len(everyone), size=len(everyone)), minlength=len(everyone)).astype(np.float64)
        yield drawn[mine], drawn[first] * drawn[second]


def with_interval(value: float, resampled: F64, floor: float, n: tuple[int, int]) -> Metric:
    """D_sys with its 95 % interval from `resampled` (rounds,) values.

    Resampling adds to a histogram's noise and so to D_sys what sampling has added before; the percentiles are moved back
    by that much. A value that shuffled labels reach too (`floor`, their 97.5 % quantile) may be 0: the interval says so.
    n: the number of mated and of non-mated scores."""
    bias = float(np.mean(resampled)) - value
    low, high = (float(bound) - bias for bound in np.quantile(resampled, [0.025, 0.975]))
    low = 0.0 if value <= floor else max(0.0, min(low, value))
    high = min(1.0, max(high, value))
    if (
        value == 1 > floor
    ):  # no overlap seen: the share of mated scores that may overlap is bounded by the rule of three
        low = 1 - wilson(0, min(n)).high
    return Metric(value, low, high, sum(n))


def _shares(scores: F64, edges: F64, weights: F64 | None) -> F64:
    mass = np.bincount(_places(scores, edges), weights, minlength=len(edges) - 1).astype(np.float64)
    total = mass.sum()
    if total == 0:
        raise EvidenceError("A density needs at least one score.")
    shares: F64 = mass / total
    return shares


def _places(scores: F64, edges: F64) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The bin of each score; the last one holds its upper edge, as in numpy."""
    place: np.ndarray[tuple[int], np.dtype[np.intp]] = np.clip(
        np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2
    )
    return place


def _shuffles(size: int, rounds: int) -> Iterator[I64]:
    """Where each of `size` scores goes, seeded, so that the same scores give the same floor."""
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        yield rng.permutation(size)
