"""Unlinkability of protected templates: does a score between two of them tell whether they are one person's?

D(s) and D_sys of Gomez-Barrero et al., IEEE TIFS 2018, used in the sense of ISO/IEC 24745. Mated scores compare
templates of one person under different keys, non-mated ones those of different people under different keys. The
likelihood ratio LR(s) = p(s|mated) / p(s|non-mated) with the prior ratio omega = p(mated) / p(non-mated) gives

    D(s) = 2 omega LR / (1 + omega LR) - 1 where omega LR > 1, else 0;  D = 1 where only mated scores occur
    D_sys = integral of D(s) p(s|mated) ds: 0 unlinkable, 1 fully linkable

Densities are histograms over the common range, as in the authors' reference. Kernel estimates were not taken: their tails
decide D where data are few (disjoint scores would not give 1), and they smear scores that come in steps, such as Hamming
distances. Chance alone makes D_sys positive, the more so the more bins: for no linkability at all, 1,000 scores of each
kind give 0.09 with the reference's 100 bins and 0.04 with the 20 used here by default. `shuffled` measures this floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.audit.metrics.recognition import F64, wilson
from mien.errors import EvidenceError, UsageError
from mien.types import Metric

MOST_BINS = 100  # as the authors' reference
FEWEST_BINS = 4


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
        return float(self.local @ self.mated)


def bins_for(mated: int, nonmated: int) -> int:
    """How many bins that many scores carry: twice the cube root of the fewer (Rice's rule), from 4 to 100."""
    return int(np.clip(round(2 * min(mated, nonmated) ** (1 / 3)), FEWEST_BINS, MOST_BINS))


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
    number = bins or bins_for(len(mated), len(nonmated))
    edges = np.histogram_bin_edges(np.concatenate([mated, nonmated]), number).astype(np.float64)
    mine, theirs = weights if weights is not None else (None, None)
    return Link(edges, _shares(mated, edges, mine), _shares(nonmated, edges, theirs), omega)


def d_sys(mated: F64, nonmated: F64, omega: float = 1.0, bins: int | None = None) -> float:
    """Global linkability, 0 to 1. See `link`."""
    return link(mated, nonmated, omega, bins).system


def shuffled(mated: F64, nonmated: F64, omega: float = 1.0, bins: int | None = None, rounds: int = 200) -> F64:
    """(rounds,) D_sys with the labels shuffled: what chance alone gives for these scores, counts and bins.

    It is reported beside D_sys and not subtracted: where there is linkability the bias is much smaller (measured in the
    tests), and subtracting would hide a third of a true 0.13. Seeded by the round."""
    edges = link(mated, nonmated, omega, bins).edges
    place = _places(np.concatenate([mated, nonmated]), edges)
    values = np.empty(rounds)
    for index in range(rounds):
        mixed = np.random.default_rng(index).permutation(place)
        values[index] = Link(
            edges,
            np.bincount(mixed[: len(mated)], minlength=len(edges) - 1) / len(mated),
            np.bincount(mixed[len(mated) :], minlength=len(edges) - 1) / len(nonmated),
            omega,
        ).system
    return values


def with_interval(value: float, resampled: F64, floor: float, n: tuple[int, int]) -> Metric:
    """D_sys with its 95 % interval from `resampled` (rounds,) values.

    Resampling adds to a histogram's noise and so to D_sys what sampling has added before; the percentiles are moved back
    by that much. A value that shuffled labels reach too (`floor`, their 97.5 % quantile) may be 0: the interval says so.
    n: the number of mated and of non-mated scores."""
    bias = float(np.mean(resampled)) - value
    low, high = (float(bound) - bias for bound in np.quantile(resampled, [0.025, 0.975]))
    low = 0.0 if value <= floor else max(0.0, min(low, value))
    high = min(1.0, max(high, value))
    if value == 1:  # no overlap seen: the share of mated scores that may overlap is bounded by the rule of three
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
