"""From rows to subjects: the one search that all engines of our own share, so that all score and order alike.

A scan names every row that may be among the m best, with a threshold that is reached by whatever it left out at most
(`mien.gallery.scan`). Those rows are scored without rounding. When the ones that reach the threshold belong to k subjects,
nobody left out can be among the k best; else m grows. The proof is in ``docs/concepts/exact-search.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.gallery.scan import Candidates, exact
from mien.types import F32, Match, SearchEvidence

_WIDER = 4  # how much more rows are looked at where too few subjects were found


class Source(Protocol):
    """Rows that are searched together, as they are at one moment."""

    @property
    def proof(self) -> str:
        """What makes a search exact."""

    def __len__(self) -> int:
        """Number of rows."""

    def candidates(self, probes: F32, m: int, floor: float | None) -> list[Candidates]:
        """For each probe (q, D) all rows that may reach a threshold, and the threshold (see `mien.gallery.scan`)."""

    def fetch(self, rows: NDArray[np.int64]) -> tuple[Sequence[int], F32]:
        """Numbers of the owners and vectors (n, D) of those of the rows that are still there."""

    def named(self, owners: Sequence[int]) -> Sequence[str]:
        """The owners' names."""


def search(source: Source, probes: F32, k: int, floor: float | None) -> list[list[Match]]:
    """For each of the probes (q, D), unit length, the k best subjects by their best row, best first, ties by name.

    Scores are the correctly rounded inner products within -1 and 1, so equal rows tie wherever they stand."""
    answers: list[list[Match]] = [[] for _ in probes]
    open_, m = list(range(len(probes))), k
    while open_:
        found = source.candidates(probes if len(open_) == len(probes) else probes[open_], m, floor)
        unsettled = []
        for place, (rows, threshold) in zip(open_, found, strict=True):
            matches = _ranked(source, probes[place], rows, k)
            settled = len(matches) == k and matches[-1].score >= threshold
            if settled or threshold <= (-math.inf if floor is None else floor) or m >= len(source):
                answers[place] = [match for match in matches if floor is None or match.score >= floor]
            else:
                unsettled.append(place)
        open_, m = unsettled, m * _WIDER
    return answers


def _ranked(source: Source, probe: F32, rows: NDArray[np.int64], k: int) -> list[Match]:
    """The k best subjects among the owners of some rows."""
    owners, vectors = source.fetch(rows)
    scores = exact(vectors, probe)
    np.minimum(scores, 1.0, out=scores)  # or two that are a little longer than 1 would not tie
    np.maximum(scores, -1.0, out=scores)
    best: dict[int, float] = {}
    last = -math.inf  # score of the last who was taken
    for row in np.argsort(-scores, kind="stable").tolist():
        score = float(scores[row])
        if len(best) >= k and score < last:
            break  # names are looked up of no more than may be named
        if owners[row] not in best:
            best[owners[row]] = last = score
    evidence = SearchEvidence(True, source.proof, len(rows))
    ranking = sorted(zip(source.named(list(best)), best.values(), strict=True), key=lambda item: (-item[1], item[0]))
    return [Match(name, score, evidence) for name, score in ranking[:k]]
