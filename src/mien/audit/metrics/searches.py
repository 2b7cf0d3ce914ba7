"""Searches of a gallery: FPIR, FNIR, ranks, at the gallery's own size and at smaller ones (ISO/IEC 19795-1; NIST FRTE 1:N).

A mated search looks for somebody enrolled; it misses where the mate is not found first, stays below the threshold, or
nothing could be searched: failures are misses. A non-mated search is a stranger's; any answer at or above the threshold is
a false positive. DIR, the detection and identification rate of Phillips et al. (2011) and Bob, is 1 - FNIR.

Each search is scored by the cosine of the best subject and by how far that stands out (`mien.decide.relative`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.curves import bounded, draws
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.decide import NEIGHBOURS, SHARE, comparisons_needed, in_words, supports
from mien.errors import EvidenceError
from mien.types import F32, Metric, Score

_BLOCK = 256  # probes at a time
_CELLS = 4_000_000  # of the matrix of weights that is held at a time
POINTS = 60  # of a curve
NOBODY = -1  # the mate of a stranger


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """n searches of one gallery, reduced to what decides."""

    subjects: int  # enrolled: N
    person: I64  # (n,) whose probe
    mated: Bools  # (n,) whether that person is enrolled
    mate: F64  # (n,) score of the mate; -inf where the search or the enrolment failed, and for strangers
    rank: I64  # (n,) of the mate, ties counted against it; N + 1 where it was not found
    others: F64  # (n, 6) the best scores among other subjects, falling; -inf where there are fewer

    def scored(self, score: Score = "cosine") -> OpenSet:
        """What is held against a threshold. Raises EvidenceError for a relative score among too few subjects."""
        first = np.where(self.rank == 1, self.mate, -np.inf)[self.mated]
        best = self.others[~self.mated, 0]
        if score == "relative":
            if self.subjects <= NEIGHBOURS:
                raise EvidenceError(
                    f"A relative score takes {NEIGHBOURS + 1} subjects, and {self.subjects} are enrolled."
                )
            first = first - SHARE * _mean(self.others[self.mated, :NEIGHBOURS])
            best = best - SHARE * _mean(self.others[~self.mated, 1:])
        return OpenSet(first, best, self.person[self.mated], self.person[~self.mated])


@dataclass(frozen=True, slots=True, eq=False)
class OpenSet:
    """The scores that decide mated and non-mated searches; -inf never reaches a threshold."""

    mated: F64  # (m,) of the mate where it was found first
    strangers: F64  # (s,) of the best answer
    mated_person: I64  # (m,)
    stranger_person: I64  # (s,)

    @property
    def people(self) -> int:
        """How many different strangers search: what a false-positive rate rests on."""
        return len(np.unique(self.stranger_person))

    def threshold(self, rate: float) -> float:
        """The smallest threshold at which at most `rate` of the strangers' searches name somebody.

        Raises EvidenceError for fewer than 3 / rate strangers (rule of three)."""
        _require(rate, self.people)
        order = np.sort(self.strangers)[::-1]
        return float(_thresholds(order)[_place(np.arange(len(order) + 1), rate * len(order))])

    def fpir(self, threshold: float) -> float:
        """Share of strangers' searches that name somebody."""
        return float((self.strangers >= threshold).mean())

    def fnir(self, threshold: float) -> float:
        """Share of mated searches that miss."""
        return float((self.mated < threshold).mean())


@dataclass(frozen=True, slots=True)
class Found:
    """What a threshold does in searches."""

    threshold: float
    fpir: Metric
    fnir: Metric


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """Searches measured."""

    fnir: Mapping[float, Metric]  # by the FPIR it is at
    threshold: Mapping[float, float]
    refused: Mapping[float, str]
    at: tuple[Found, ...]  # the thresholds asked about
    curve: tuple[F64, F64, F64, F64]  # FPIR (k,), FNIR (k,), low, high


def search(
    gallery: tuple[F32, I64],
    probes: tuple[F32, I64, I64],
    subjects: int,
    smaller: Sequence[I64] = (),
) -> list[Searches]:
    """Every probe against the gallery, and against each of some `smaller` ones.

    gallery: unit vectors (g, D), rows of zeros where a capture failed, and the subject of each, 0 … subjects - 1.
    probes: vectors (n, D), the number of the enrolled mate of each, NOBODY for strangers, and of the person.
    smaller: the subjects of each smaller gallery; a mate that is not among them takes the place of the last, so that every
    mated search stays one. A subject counts with its best template. Memory: a block of probes by all templates."""
    vectors, owner = gallery
    there = np.flatnonzero(vectors.any(1))
    there = there[np.argsort(owner[there], kind="stable")]
    enrolled, starts = np.unique(owner[there], return_index=True)
    kept, columns = vectors[there], np.full((_BLOCK, subjects), -np.inf, np.float32)
    sets = [np.arange(subjects), *smaller]
    parts: list[list[tuple[F64, I64, F64]]] = [[] for _ in sets]
    for start in range(0, len(probes[0]), _BLOCK):
        block, mates = probes[0][start : start + _BLOCK], probes[1][start : start + _BLOCK]
        scores = columns[: len(block)].copy()
        if len(there):
            scores[:, enrolled] = np.maximum.reduceat(block @ kept.T, starts, axis=1)
        scores[~block.any(1)] = -np.inf
        has = np.flatnonzero(mates != NOBODY)
        mate = np.full(len(block), -np.inf)
        mate[has] = scores[has, mates[has]]
        scores[has, mates[has]] = -np.inf
        for chosen, part in zip(sets, parts, strict=True):
            part.append(_within(scores, mate, mates, chosen))
    mated = probes[1] != NOBODY
    return [
        Searches(len(chosen), probes[2], mated, *(np.concatenate(column) for column in zip(*part, strict=True)))
        for chosen, part in zip(sets, parts, strict=True)
    ]


def _within(scores: F32, mate: F64, mates: I64, chosen: I64) -> tuple[F64, I64, F64]:
    """Mate's score, its rank and the best others of a block of searches among the `chosen` subjects."""
    others = scores[:, chosen]
    outside = (mates != NOBODY) & ~np.isin(mates, chosen)
    others[outside, -1] = -np.inf
    count = min(NEIGHBOURS + 1, others.shape[1])
    best = np.full((len(others), NEIGHBOURS + 1), -np.inf)
    best[:, :count] = -np.sort(-np.partition(others, -count, axis=1)[:, -count:], axis=1)
    rank = 1 + (others >= mate[:, None]).sum(1)
    rank[np.isneginf(mate)] = len(chosen) + 1
    return mate, rank.astype(np.int64), best


def cmc(searches: Searches, ranks: Sequence[int]) -> F64:
    """(k,) share of mated searches whose mate is among the best so many: the cumulative match characteristic, closed set."""
    rank = searches.rank[searches.mated]
    return np.array([float((rank <= last).mean()) for last in ranks])


def samples(subjects: int, sizes: Sequence[int], count: int, seed: int = 0) -> list[I64]:
    """`count` drawn galleries of each of `sizes`, those of one draw within each other, size by size."""
    orders = [np.random.default_rng([seed, draw]).permutation(subjects) for draw in range(count)]
    return [order[:size] for size in sizes for order in orders]


def measure(
    scores: OpenSet, rates: Sequence[float], thresholds: Sequence[float] = (), rounds: int = 1000, seed: int = 0
) -> Open:
    """FNIR at each FPIR of `rates`, both rates at each threshold, and the curve, with intervals of a bootstrap over those
    who search; the gallery stays as it is. The threshold of a rate is set anew in every resample.

    Raises EvidenceError without mated searches, and without strangers."""
    if not len(scores.mated):
        raise EvidenceError("No search has a mate in the gallery.", "Give probes of people who are enrolled.")
    if not len(scores.strangers):
        raise EvidenceError("No stranger searches.", "Give probes of people who are not enrolled.")
    refused = {}
    for rate in rates:
        try:
            _require(rate, scores.people)
        except EvidenceError as error:
            refused[rate] = str(error)
    supported = [rate for rate in rates if rate not in refused]
    curve = np.geomspace(min(0.5, 3 / scores.people), 1.0, POINTS)
    work = _Resamples(scores, np.concatenate([supported, curve]), np.asarray(thresholds, np.float64))
    whole, (low, high) = work.whole(), np.nanquantile(work.rounds(rounds, seed), [0.025, 0.975], axis=0)
    metrics = [Metric(float(v), float(a), float(b), 0) for v, a, b in zip(whole, low, high, strict=True)]
    first, last = len(supported), len(supported) + POINTS
    m, s, mates = len(scores.mated), len(scores.strangers), len(np.unique(scores.mated_person))
    fnir = {rate: bounded(_of(metrics[i], m), mates) for i, rate in enumerate(supported)}
    judged = zip(thresholds, metrics[last : last + len(thresholds)], metrics[last + len(thresholds) :], strict=True)
    at = tuple(Found(float(t), bounded(_of(p, s), scores.people), bounded(_of(n, m), mates)) for t, p, n in judged)
    held = {rate: scores.threshold(rate) for rate in supported}
    return Open(fnir, held, refused, at, (curve, whole[first:last], low[first:last], high[first:last]))


def _require(rate: float, strangers: int) -> None:
    if not supports(rate, strangers):
        raise EvidenceError(
            f"{strangers:,} strangers cannot support naming {in_words(rate)} of them.",
            f"It takes at least {comparisons_needed(rate):,} (rule of three).",
        )


class _Resamples:
    """FNIR at rates, then FPIR and FNIR at thresholds: for everybody, and for resamples of who searches."""

    def __init__(self, scores: OpenSet, rates: F64, thresholds: F64) -> None:
        self._order, self._rates = np.argsort(-scores.strangers, kind="stable"), rates
        falling, rising = scores.strangers[self._order], np.argsort(scores.mated, kind="stable")
        self._rising = rising
        mated = scores.mated[rising]
        self._missed = np.searchsorted(mated, _thresholds(falling), side="left")
        self._at = np.searchsorted(-falling, -thresholds, side="right"), np.searchsorted(mated, thresholds, side="left")
        everyone = np.concatenate([scores.stranger_person, scores.mated_person])
        names, numbers = np.unique(everyone, return_inverse=True)
        numbers = numbers.reshape(-1)
        self._people = len(names)
        self._strangers, self._mates = numbers[: len(falling)][self._order], numbers[len(falling) :][rising]

    def whole(self) -> F64:
        """(values,)"""
        values: F64 = self._values(np.ones((1, self._people), np.uint8))[0]
        return values

    def rounds(self, rounds: int, seed: int) -> F64:
        """(rounds, values)"""
        drawn = draws(self._people, rounds, seed)
        step = max(1, _CELLS // max(len(self._strangers) + len(self._mates), 1))
        return np.concatenate([self._values(drawn[start : start + step]) for start in range(0, rounds, step)])

    def _values(self, drawn: NDArray[np.uint8]) -> F64:
        passed, missed = (_mass(drawn[:, who]) for who in (self._strangers, self._mates))
        with np.errstate(invalid="ignore"):  # nobody of a kind was drawn: NaN, passed over by nanquantile
            shares: list[F64] = [
                np.concatenate([
                    lost[self._missed[[_place(gone, rate * gone[-1]) for rate in self._rates]]] / lost[-1],
                    gone[self._at[0]] / gone[-1],
                    lost[self._at[1]] / lost[-1],
                ])
                for gone, lost in zip(passed, missed, strict=True)
            ]  # fmt: skip
        return np.stack(shares)


def _mass(weights: NDArray[np.uint8]) -> F64:
    """(r, n + 1) running sums from 0."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _thresholds(falling: F64) -> F64:
    """(n + 1,) the smallest threshold that lets through no more than the first 0 … n of falling scores."""
    finite = falling[np.isfinite(falling)]
    last = finite[-1] if len(finite) else -np.inf
    held = np.concatenate([np.nextafter(falling, np.inf), [last]])
    held[~np.isfinite(held)] = last
    smallest: F64 = np.maximum(held, last)
    return smallest


def _place(mass: F64 | I64, allowed: float) -> int:
    return int(np.searchsorted(mass, allowed * (1 + 1e-12), side="right")) - 1


def _of(metric: Metric, count: int) -> Metric:
    return Metric(metric.value, metric.low, metric.high, count)


def _mean(scores: F64) -> F64:
    """(n,) mean of the scores in a row; of a search without any, 0: its score stays -inf."""
    mean: F64 = np.where(np.isfinite(scores), scores, 0.0).mean(1)
    return mean
