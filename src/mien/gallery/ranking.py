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

_MORE = 8  # rows that are scored first, besides twice as many as subjects are asked for
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
        for place, left in zip(open_, found, strict=True):
            matches = _ranked(source, probes[place], left, k)
            settled = len(matches) == k and matches[-1].score >= left.threshold
            if settled or left.threshold <= (-math.inf if floor is None else floor) or m >= len(source):
                answers[place] = [match for match in matches if floor is None or match.score >= floor]
            else:
                unsettled.append(place)
        open_, m = unsettled, m * _WIDER
    return answers


def _ranked(source: Source, probe: F32, found: Candidates, k: int) -> list[Match]:
    """The k best subjects among the owners of some rows."""
    rows, tops = found.rows, found.tops
    some = _MORE + 2 * k
    if tops is None or len(rows) <= 2 * some:
        owners, scores = _scored(source, probe, rows)
        best = _best(owners, scores, k)
    else:  # those that may score most are fetched first: the others may not be worth it
        order = np.argsort(-tops, kind="stable")
        owners, scores = _scored(source, probe, rows[order[:some]])
        best = _best(owners, scores, k)
        rest = order[some:]
        if len(best) >= k:
            rest = rest[np.maximum(tops[rest].astype(np.float64), -1.0) >= min(best.values())]
        more, others = _scored(source, probe, rows[rest])
        owners, scores = [*owners, *more], np.concatenate([scores, others])
        best = _best(owners, scores, k)
    evidence = SearchEvidence(True, source.proof, len(scores))
    ranking = sorted(zip(source.named(list(best)), best.values(), strict=True), key=lambda item: (-item[1], item[0]))
    return [Match(name, score, evidence) for name, score in ranking[:k]]


def _scored(source: Source, probe: F32, rows: NDArray[np.int64]) -> tuple[Sequence[int], NDArray[np.float64]]:
    """Owners and scores of those of the rows that are still there."""
    owners, vectors = source.fetch(rows)
    scores = exact(vectors, probe)
    np.minimum(scores, 1.0, out=scores)  # or two that are a little longer than 1 would not tie
    np.maximum(scores, -1.0, out=scores)
    return owners, scores


def _best(owners: Sequence[int], scores: NDArray[np.float64], k: int) -> dict[int, float]:
    """{owner: score} of the k best and of whoever ties with the last of them; of all where there are fewer."""
    best: dict[int, float] = {}
    last = -math.inf
    for row in np.argsort(-scores, kind="stable").tolist():
        score = float(scores[row])
        if len(best) >= k and score < last:
            break
        if owners[row] not in best:
            best[owners[row]] = last = score
    return best
