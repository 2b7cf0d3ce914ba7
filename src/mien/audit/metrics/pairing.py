"""Pairs to a `Det`: a list of scored pairs, or every pair that templates allow, compared as it goes and never held whole.

Impostor pairs are always of different people. Every genuine pair counts, and so does every pair with a failed capture.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.curves import Det
from mien.audit.metrics.recognition import F64, I64, Comparisons
from mien.audit.metrics.streaming import Reduced, Reducer, Weigh, edges_of
from mien.errors import InputError
from mien.types import F32

KEPT_LEAST, KEPT_SHARE, KEPT_MOST = 2**18, 0.012, 2**20  # scores kept one by one: so many at least, this share, at most
_TILE = 1024  # captures a side
_CHUNK = 2**18  # genuine pairs at a time
_SAMPLE = 2**20  # pairs that edges are laid by


def listed(comparisons: Comparisons) -> Det:
    """A list of scored pairs, reduced. Raises InputError where a score is NaN or +inf."""
    scores = comparisons.scores
    bad = int((np.isnan(scores) | np.isposinf(scores)).sum())
    if bad:
        raise InputError(f"{bad:,} of {len(scores):,} scores are no numbers.", "Mark a failed comparison as -inf.")
    everyone, numbers = np.unique(np.concatenate([comparisons.first, comparisons.second]), return_inverse=True)
    first, second = np.split(numbers.reshape(-1).astype(np.int64), 2)
    same, failed, owner = comparisons.same, np.isneginf(scores), np.arange(len(everyone))
    parts = []
    for impostor in (False, True):
        mine = same != impostor
        held = mine & ~failed
        keep = kept(int(mine.sum()))
        edges = edges_of(scores[held], impostor, cosines=False) if held.sum() > keep else np.empty(0)
        reducer = Reducer(impostor, owner, keep, edges)
        where = np.flatnonzero(held)
        for start in range(0, len(where), _CHUNK * 4):
            part = where[start : start + _CHUNK * 4]
            reducer.add(scores[part], first[part], second[part])
        weigh = _listed_weight(first[mine], second[mine], len(everyone), impostor)
        lost = np.bincount(first[mine & failed & ~np.bool_(impostor)], minlength=len(everyone)).astype(np.float64)
        parts.append(reducer.finish(int(mine.sum()), lost, weigh))
    pairs = len(np.unique(_code(first[~same], second[~same], len(everyone))))
    return Det(parts[0], parts[1], len(everyone), np.bincount(first[same], minlength=len(everyone)), pairs)


def every(vectors: F32, owner: I64) -> Det:
    """Every pair of captures: unit `vectors` (n, D), rows of zeros where a capture failed, of people `owner` (n,).

    Memory is that of the vectors, some counters per person, and 1.2 % of the comparisons, a million at most."""
    owner = np.unique(owner, return_inverse=True)[1].reshape(-1).astype(np.int64)
    order = np.argsort(owner, kind="stable")
    there = order[vectors[order].any(1)]
    captures, usable = np.bincount(owner), np.bincount(owner[there], minlength=int(owner.max(initial=-1)) + 1)
    genuine = _every_genuine(vectors, owner, there, captures, usable)
    impostor = _every_impostor(vectors, owner, there, captures)
    people = int((usable > 0).sum())
    return Det(genuine, impostor, len(captures), captures * (captures - 1) // 2, people * (people - 1) // 2)


def genuine_pairs(owner: I64, chosen: I64) -> Iterator[tuple[I64, I64]]:
    """All pairs of one person's captures among `chosen` (m,), those of a person standing together; in chunks."""
    starts = np.flatnonzero(np.r_[True, np.diff(owner[chosen]) != 0]) if len(chosen) else np.empty(0, np.int64)
    one: list[I64] = []
    other: list[I64] = []
    held = 0
    for group in np.split(chosen, starts[1:]):
        first, second = np.triu_indices(len(group), 1)
        one.append(group[first])
        other.append(group[second])
        held += len(first)
        if held >= _CHUNK:
            yield np.concatenate(one), np.concatenate(other)
            one, other, held = [], [], 0
    if held:
        yield np.concatenate(one), np.concatenate(other)


def compared(vectors: F32, one: I64, other: I64) -> F32:
    """(m,) cosines of pairs of rows."""
    scores = np.empty(len(one), np.float32)
    for start in range(0, len(one), _CHUNK // 16):  # small enough that the rows gathered stay near
        part = slice(start, start + _CHUNK // 16)
        np.einsum("ij,ij->i", vectors[one[part]], vectors[other[part]], out=scores[part])
    return scores


def kept(total: int) -> int:
    """How many of `total` comparisons are kept one by one."""
    return min(max(KEPT_LEAST, int(KEPT_SHARE * total)), KEPT_MOST)


def _every_genuine(vectors: F32, owner: I64, there: I64, captures: I64, usable: I64) -> Reduced:
    pairs, made = captures * (captures - 1) // 2, usable * (usable - 1) // 2
    keep = kept(int(made.sum()))
    edges = np.empty(0)
    if made.sum() > keep:
        edges = edges_of(compared(vectors, *_some_genuine(owner, there)), impostor=False)
    reducer = Reducer(False, owner, keep, edges, cosines=True)
    for one, other in genuine_pairs(owner, there):
        reducer.add(compared(vectors, one, other), one, other)
    return reducer.finish(int(pairs.sum()), (pairs - made).astype(np.float64), lambda drawn: float(pairs @ drawn))


def _every_impostor(vectors: F32, owner: I64, there: I64, captures: I64) -> Reduced:
    made = (len(there) ** 2 - int((np.bincount(owner[there]) ** 2).sum())) // 2
    keep = kept(made)
    edges = edges_of(compared(vectors, *_some_impostors(owner, there)), impostor=True) if made > keep else np.empty(0)
    reducer = Reducer(True, owner, keep, edges, cosines=True)
    for rows in range(0, len(there), _TILE):
        first = there[rows : rows + _TILE]
        for columns in range(rows, len(there), _TILE):
            second = there[columns : columns + _TILE]
            scores = vectors[first] @ vectors[second].T
            if owner[first[-1]] < owner[second[0]]:
                reducer.add_tile(scores, first, second)
            else:  # pairs of one person, pairs seen before
                row, column = np.nonzero(owner[first][:, None] < owner[second][None])
                reducer.add(scores[row, column], first[row], second[column])
    total = (int(captures.sum()) ** 2 - int((captures**2).sum())) // 2

    def weigh(drawn: NDArray[np.uint8] | F64) -> float:
        held = captures * drawn
        return float((held.sum() ** 2 - (held**2).sum()) / 2)

    return reducer.finish(total, np.zeros(len(captures)), weigh)


def _some_impostors(owner: I64, there: I64) -> tuple[I64, I64]:
    rng = np.random.default_rng(0)
    one, other = there[rng.integers(len(there), size=(2, _SAMPLE))]
    apart = owner[one] != owner[other]
    return one[apart], other[apart]


def _some_genuine(owner: I64, there: I64) -> tuple[I64, I64]:
    """Pairs of each person's captures with the next few: a sample that needs no pair to be listed first."""
    parts = []
    for step in range(1, 1 + max(1, _SAMPLE // len(there))):
        alike = owner[there[:-step]] == owner[there[step:]]
        parts.append((there[:-step][alike], there[step:][alike]))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _listed_weight(first: I64, second: I64, people: int, impostor: bool) -> Weigh:
    if not impostor:
        pairs = np.bincount(first, minlength=people)
        return lambda drawn: float(pairs @ drawn)
    codes, counts = np.unique(_code(first, second, people), return_counts=True)
    one, other = np.divmod(codes, max(people, 1))
    return lambda drawn: float((counts * (np.take(drawn, one) * np.take(drawn, other).astype(np.uint16))).sum())


def _code(first: I64, second: I64, people: int) -> I64:
    """One number per pair of people, whichever comes first."""
    codes: I64 = np.minimum(first, second) * people + np.maximum(first, second)
    return codes
