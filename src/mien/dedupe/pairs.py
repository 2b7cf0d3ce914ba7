"""All comparisons of different subjects of a gallery, in memory that grows with the templates and not with their square.

Products are float32, in blocks; what comes within their rounding error of the threshold is scored again without rounding,
so the pairs found are those that a search would find.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.types import F32

I64 = NDArray[np.int64]
Progress = Callable[[int, int], None]  # (comparisons done, comparisons in all)

_ROWS, _COLUMNS = 512, 4096  # of one block of scores: 8 MB
_SAMPLE = 200_000  # scores of strangers kept to say what is usual among them
_SPARE = 4  # pairs are cut to the best when there are so many times as many as are wanted


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A gallery's templates."""

    vectors: F32  # (n, D) unit length
    owner: I64  # (n,) number of the subject of each
    names: tuple[str, ...]

    @property
    def comparisons(self) -> int:
        """Comparisons of templates of different subjects."""
        counts = np.bincount(self.owner, minlength=len(self.names)).astype(np.int64)
        return int((len(self.owner) ** 2 - (counts**2).sum()) // 2)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What comparing everybody with everybody brought."""

    best: dict[tuple[int, int], tuple[float, int, int]]  # {(subject, subject): (score, template, template)}, best first
    reached: int  # comparisons of different subjects that reach the threshold, listed or not
    strangers: F32  # (s,) sorted scores drawn at random, of different subjects except the pairs found
    other: F32  # (n,) each template's highest score with another subject …
    whose: I64  # (n,) … and the template it is with; -1: there is nobody else


def scan(held: Held, threshold: float, limit: int, progress: Progress | None = None) -> Scan:
    """Compare all templates of different subjects; keep the `limit` best pairs of subjects that reach `threshold`."""
    search = _Search(held, threshold, limit)
    count, done = len(held.owner), 0
    for top in range(0, count, _ROWS):
        for left in range(top, count, _COLUMNS):
            search.block(slice(top, top + _ROWS), slice(left, left + _COLUMNS))
            done += (min(top + _ROWS, count) - top) * (min(left + _COLUMNS, count) - left)
            if progress is not None:
                progress(min(done, count**2 // 2), max(1, count**2 // 2))
    return search.result()


@dataclass(slots=True, eq=False)
class _Search:
    held: Held
    threshold: float
    limit: int
    reached: int = 0
    pairs: dict[tuple[int, int], tuple[float, int, int]] = field(default_factory=dict)
    drawn: list[F32] = field(default_factory=list)
    drawn_of: list[I64] = field(default_factory=list)  # number of the pair of subjects that each is of
    other: F32 = field(init=False)
    whose: I64 = field(init=False)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    slack: float = field(init=False)

    def __post_init__(self) -> None:
        count, dimension = self.held.vectors.shape
        self.other, self.whose = np.full(count, -2, np.float32), np.full(count, -1, np.int64)
        # Bound on a float32 product's error for unit vectors in any order of summation (Higham, 2002, section 3.1).
        self.slack = (dimension + 8) * 2.0**-24

    def block(self, rows: slice, columns: slice) -> None:
        """The comparisons of two stretches of templates; below the diagonal nothing is counted twice."""
        vectors, owner = self.held.vectors, self.held.owner
        scores = vectors[rows] @ vectors[columns].T
        places = np.arange(len(owner))
        counted = (owner[rows, None] != owner[None, columns]) & (places[rows, None] < places[None, columns])
        scores = np.where(counted, scores, np.float32(-2))
        self._note(scores, places[rows], places[columns])
        row, column = np.nonzero(scores >= self.threshold - self.slack)
        self._keep(scores[row, column], places[rows][row], places[columns][column])
        self._draw(scores, counted, rows, columns)

    def _note(self, scores: F32, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
        """Whom each template resembles most among the others."""
        for found, mine, theirs, axis in ((scores, rows, columns, 1), (scores, columns, rows, 0)):
            where = found.argmax(axis=axis)
            top = found.max(axis=axis)
            better = top > np.maximum(self.other[mine], np.float32(-1.5))
            self.other[mine[better]], self.whose[mine[better]] = top[better], theirs[where[better]]

    def _keep(self, scores: F32, first: NDArray[np.intp], second: NDArray[np.intp]) -> None:
        sure = scores >= self.threshold + self.slack
        if len(scores) > self.limit and len(self.pairs) >= self.limit:
            # A flood: only what may be among the best is worth scoring again.
            bar = min(score for score, _, _ in self.pairs.values()) - self.slack
            self.reached += int((sure & (scores < bar)).sum())
            kept = ~sure | (scores >= bar)
            first, second = first[kept], second[kept]
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            score = exact(self.held.vectors[one], self.held.vectors[other])
            if score >= self.threshold:
                self.reached += 1
                owners = self.held.owner[one], self.held.owner[other]
                key = (int(min(owners)), int(max(owners)))
                if score > self.pairs.get(key, (-2.0, 0, 0))[0]:
                    self.pairs[key] = (score, one, other)
                if len(self.pairs) > _SPARE * self.limit:
                    self._cut()

    def _cut(self) -> None:
        best = sorted(self.pairs.items(), key=lambda item: (-item[1][0], item[0]))
        self.pairs = dict(best[: self.limit])

    def _draw(self, scores: F32, counted: NDArray[np.bool_], rows: slice, columns: slice) -> None:
        """A share of the strangers' scores, the same for every block."""
        share = _SAMPLE / max(1, self.held.comparisons)
        if share >= 1:
            places = np.flatnonzero(counted)
        else:
            places = self.rng.integers(scores.size, size=self.rng.binomial(scores.size, share))
            places = places[counted.ravel()[places]]
        row, column = np.divmod(places, scores.shape[1])
        self.drawn.append(scores[row, column])
        self.drawn_of.append(self._pair(self.held.owner[rows][row], self.held.owner[columns][column]))

    def _pair(self, one: I64, other: I64) -> I64:
        return np.minimum(one, other) * len(self.held.names) + np.maximum(one, other)

    def result(self) -> Scan:
        """What was found. In a small gallery somebody enrolled twice would make strangers look much alike."""
        found = np.array([one * len(self.held.names) + other for one, other in self.pairs], np.int64)
        self._cut()
        strangers = np.concatenate([*self.drawn, np.empty(0, np.float32)])
        of_pair = np.concatenate([*self.drawn_of, np.empty(0, np.int64)])
        strangers = np.sort(strangers[~np.isin(of_pair, found)])
        return Scan(self.pairs, self.reached, strangers.astype(np.float32), self.other, self.whose)


def exact(one: F32, other: F32) -> float:
    """The correctly rounded cosine of two unit vectors, as a search gives it."""
    terms = one.astype(np.float64) * other.astype(np.float64)
    return max(-1.0, min(1.0, math.fsum(terms.tolist())))
