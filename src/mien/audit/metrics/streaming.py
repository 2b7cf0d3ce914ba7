"""Any number of comparisons in bounded memory: those nearest the errors one by one, the rest counted.

Thresholds of use lie among the highest impostor scores and the lowest genuine ones. These are kept exactly, so a threshold
at a small false-match rate is exact, and so is its interval. The bulk is counted between edges, per person: the rate at an
edge is exact, a threshold between two edges is rounded to the worse one (`Reduced.index`), which moves a rate by less than
the mass between them, about 2 % of the rate.

Resampling people (see `recognition.bootstrap`) costs nothing per comparison that was not kept. A genuine comparison counts
as often as its one person was drawn, so sums per person are enough. For an impostor comparison of the bulk the product of
two draws is replaced by its first-order part, 1 + (m1 - 1) + (m2 - 1) (Hoeffding, 1948): what is left out matters only
where few comparisons count, and those are kept. Both versions err towards wide intervals (Owen, Ann. Appl. Stat. 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.recognition import F64, I64
from mien.types import F32

I32 = NDArray[np.int32]
Scores = NDArray[np.floating[Any]]
Weigh = Callable[[F64], float]  # how often each person was drawn (p,) -> weight of all comparisons

STEP = 2.0**-15  # edges among cosines are multiples of it, so that a float says exactly on which side it lies
_EDGES = 600
_NEAREST = 1e-3  # the edges begin where this share of comparisons is beyond


class Highest:
    """The highest `count` of all scores added so far, each with the two things it compares."""

    def __init__(self, count: int, least: float = -np.inf) -> None:
        """least: below this a score is of no interest."""
        self.least: Any = np.float32(least)  # below this a score cannot be among them
        self.dropped = False  # whether a score was left out
        self._count = count
        self._parts: list[tuple[Scores, I32, I32]] = []
        self._held = 0

    def add(self, scores: Scores, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Add scores (m,) with what they compare (m,) each. Leave out what is below `least` to save time."""
        self._parts.append((scores, first.astype(np.int32), second.astype(np.int32)))
        self._held += len(scores)
        if self._held > 2 * self._count:
            self._shrink()

    def result(self) -> tuple[Scores, I32, I32]:
        """What is held, scores falling."""
        if not self._parts:
            return np.empty(0, np.float32), np.empty(0, np.int32), np.empty(0, np.int32)
        self._shrink()
        scores, first, second = self._parts[0]
        order = np.argsort(-scores, kind="stable")
        return scores[order], first[order], second[order]

    def _shrink(self) -> None:
        scores, first, second = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        if len(scores) > self._count:
            chosen = np.argpartition(-scores, self._count - 1)[: self._count]
            scores, first, second = scores[chosen], first[chosen], second[chosen]
            self.least = scores.min()
            self.dropped = True
        self._parts, self._held = [(scores, first, second)], len(scores)


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """All comparisons of one kind. Its axis runs from the worst errors on: falling scores of impostors, rising ones of
    genuine comparisons. `mass` at a place of the axis is the number of errors a threshold there makes."""

    impostor: bool
    axis: F64  # (k + e,) k kept scores, then e edges of the bulk; negated for impostors, so that it always rises
    one: I32  # (k,) number of one capture …
    other: I32  # (k,) … and of the other
    owner: I64  # (n,) person of each capture
    reach: float  # scores of the axis (negated for impostors) before this are all kept; inf: all are
    total: int  # comparisons, failures included
    made: int  # comparisons, without those that failed
    failed: F64  # (p,) failures that count as errors at every threshold, per person: of genuine comparisons
    numbers: I64  # (k + e + 1,) errors before each place, every comparison counted once
    beyond: F32  # (p, e) of these, those that a person takes part in: for the edges
    weigh: Weigh

    @property
    def kept(self) -> int:
        """How many comparisons are kept exactly."""
        return len(self.one)

    @property
    def scores(self) -> F64:
        """(k,) the scores kept, worst first."""
        return -self.axis[: self.kept] if self.impostor else self.axis[: self.kept]

    def index(self, thresholds: F64) -> I64:
        """The place of each threshold: `mass[index]` is what it lets through (impostors) or misses (genuine).

        Exact among the scores kept and on an edge; between edges that of the edge with more errors."""
        x = -thresholds if self.impostor else thresholds
        place = np.searchsorted(self.axis[: self.kept], x, side="right" if self.impostor else "left")
        edge = np.searchsorted(self.axis[self.kept :], x, side="left") + 1
        bulk = (x >= self.reach) if self.impostor else (x > self.reach)
        within: I64 = np.where(bulk, np.minimum(self.kept + edge, len(self.axis)), place).astype(np.int64)
        return within

    def rate(self, threshold: float) -> float:
        """Share of all comparisons that are errors at a threshold."""
        return float(self.numbers[self.index(np.array([threshold]))[0]]) / self.total

    def thresholds(self) -> F64:
        """(k + e + 1,) of impostors: the smallest threshold that lets no more through than `numbers` says at a place."""
        kept = np.nextafter(-self.axis[: self.kept], np.inf)
        edges = -self.axis[self.kept :]
        if np.isfinite(self.reach):
            return np.concatenate([kept, [np.nextafter(-self.reach, np.inf)], edges])
        return np.concatenate([kept, [-self.axis[-1] if self.kept else -np.inf]])

    def masses(self, drawn: NDArray[np.uint8]) -> Iterator[I64]:
        """(k + e + 1,) `numbers` of each resample; drawn: (rounds, p) how often each person was drawn.

        One array is filled again and again: be done with it before the next, since fresh memory costs more than the work."""
        first, second = self.owner[self.one], self.owner[self.other]
        wide = np.uint8 if int(drawn.max(initial=0)) < 16 else np.uint16  # products of two draws must fit
        weights, others = np.empty(self.kept, wide), np.empty(self.kept, wide)
        mass = np.empty(len(self.axis) + 1, np.int64)
        near, far = mass[1 : self.kept + 1], mass[self.kept + 1 :]
        for counts, rest in zip(drawn.astype(wide), self._bulk(drawn), strict=True):
            np.take(counts, first, out=weights, mode="clip")  # with "raise" numpy would go through a copy
            if self.impostor:
                np.multiply(weights, np.take(counts, second, out=others, mode="clip"), out=weights)
            np.cumsum(weights, dtype=np.int64, out=near)
            mass[0] = self.failed @ counts
            if mass[0]:
                near += mass[0]
            far[:] = np.maximum.accumulate(np.maximum(rest, mass[self.kept]))
            yield mass

    def _bulk(self, drawn: NDArray[np.uint8]) -> NDArray[Any]:
        if not self.beyond.shape[1]:
            return np.empty((len(drawn), 0))
        if not self.impostor:
            return drawn.astype(np.float32) @ self.beyond
        centred = drawn.astype(np.float32) - 1
        found: F64 = np.rint(self.numbers[self.kept + 1 :] + (centred @ self.beyond).astype(np.float64))
        return found


class Reducer:
    """Takes comparisons of one kind as they come, and hands back what is left of them."""

    def __init__(self, impostor: bool, owner: I64, keep: int, edges: F64, cosines: bool = False) -> None:
        """owner: (n,) person of each capture; keep: how many scores to keep; edges: (e,) rising, of the bulk; cosines: all
        scores are float32 from -1 to 1 and the edges multiples of `STEP`, which makes counting fast."""
        self._impostor, self._owner, self._edges = impostor, owner, edges
        self._people = int(owner.max(initial=-1)) + 1
        self._near = Highest(keep)
        self._made = 0
        self._bins = np.zeros((self._people, len(edges) + 1), np.int32)
        self._once = np.zeros(len(edges) + 1, np.int64)
        self._lookup = _lookup(edges) if cosines else None

    def add(self, scores: Scores, one: NDArray[Any], other: NDArray[Any]) -> None:
        """Finite scores (m,) of comparisons of capture `one` with capture `other`; failed ones are not added."""
        self._keep(scores, one, other)
        self._made += len(scores)
        if not len(self._edges):
            return
        bins = self._binned(scores)
        width = len(self._edges) + 1
        self._once += np.bincount(bins, minlength=width)
        for side in (one, other) if self._impostor else (one,):
            keys = self._owner[side] * width + bins
            self._bins += np.bincount(keys, minlength=self._bins.size).reshape(self._bins.shape).astype(np.int32)

    def add_tile(self, scores: F32, rows: I64, columns: I64) -> None:
        """Cosines (a, b) of each capture of `rows` (a,) with each of `columns` (b,), all of different people.

        Captures of a person must stand together, and people in order."""
        flat = scores.ravel()
        self._made += len(flat)
        near = np.flatnonzero(flat >= self._near.least)
        if len(near):
            row, column = np.divmod(near, scores.shape[1])
            self._keep(flat[near], rows[row], columns[column])
        if not len(self._edges):
            return
        bins = self._binned(scores)
        width = len(self._edges) + 1
        self._once += self._count(bins, self._owner[rows][:, None], width)
        self._count(bins, self._owner[columns][None], width)

    def finish(self, total: int, failed: F64, weigh: Weigh) -> Reduced:
        """The comparisons reduced; total: of them, with failures never added; failed: (p,) errors at any threshold."""
        values, one, other = self._near.result()
        axis = -values.astype(np.float64)  # rises; values are scores of impostors, negated ones of genuine comparisons
        reach = np.inf
        if self._near.dropped:
            reach = float(axis[-1])
            within = axis < reach  # of scores equal to the last some may be gone
            axis, one, other = axis[within], one[within], other[within]
        far = self._edges < -reach if self._impostor else self._edges > reach
        edges = self._edges[far]
        beyond = self._cumulated(self._bins)[:, far]
        once = self._cumulated(self._once[None])[0, far]
        if self._impostor:
            edges, beyond, once = edges[::-1], beyond[:, ::-1], once[::-1]
        else:
            beyond = beyond + failed[:, None]
        base = int(failed.sum())
        numbers = np.concatenate([[base], base + np.arange(1, len(axis) + 1), base + once])
        numbers = np.maximum.accumulate(numbers.astype(np.int64))
        axis = np.concatenate([axis, -edges if self._impostor else edges])
        parts = (axis, one, other, self._owner, reach, total, self._made)
        rest = (failed, numbers, beyond.astype(np.float32), weigh)
        return Reduced(self._impostor, *parts, *rest)

    def _keep(self, scores: Scores, one: NDArray[Any], other: NDArray[Any]) -> None:
        values = scores if self._impostor else -scores
        near = values >= self._near.least
        if near.all():
            self._near.add(values, one, other)
            return
        self._near.dropped = True
        self._near.add(values[near], one[near], other[near])

    def _binned(self, scores: Scores) -> I64:
        """Number of edges at or below each score."""
        if self._lookup is None:
            return np.searchsorted(self._edges, scores, side="right")
        steps = np.floor(scores * np.float32(1 / STEP)).astype(np.int32)
        steps += int(1 / STEP)
        found: I64 = self._lookup.take(steps, mode="clip")
        return found

    def _count(self, bins: I64, owner: I64, width: int) -> I64:
        """Add bins to the people of one side, and hand back the numbers per bin."""
        lowest, highest = int(owner.min()), int(owner.max())
        keys = bins + (owner - lowest) * width
        found = np.bincount(keys.ravel(), minlength=(highest - lowest + 1) * width).reshape(-1, width)
        self._bins[lowest : highest + 1] += found.astype(np.int32)
        numbers: I64 = found.sum(0)
        return numbers

    def _cumulated(self, bins: NDArray[Any]) -> NDArray[Any]:
        """(…, e) numbers at or above each edge, of impostors, or below it, of genuine comparisons."""
        if self._impostor:
            return bins[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
        return bins.cumsum(1)[:, :-1]


def edges_of(sample: Scores, impostor: bool, cosines: bool = True) -> F64:
    """(e,) rising edges for scores distributed like `sample`, densest where errors are rare.

    cosines: round them to multiples of `STEP`."""
    finite = np.asarray(sample, np.float64)[np.isfinite(sample)]
    if not len(finite):
        return np.empty(0)
    shares = np.geomspace(_NEAREST, 0.5, _EDGES * 3 // 4)
    shares = np.concatenate([shares, 1 - np.geomspace(0.5, _NEAREST, _EDGES // 4)])
    edges = np.quantile(finite, 1 - shares if impostor else shares)
    return np.unique(np.round(edges / STEP) * STEP if cosines else edges)


def _lookup(edges: F64) -> I64:
    """Number of edges at or below each multiple of STEP from -1 to 1."""
    steps = np.arange(-int(1 / STEP), int(1 / STEP) + 1) * STEP
    return np.searchsorted(edges, steps, side="right").astype(np.int64)
