"""Average linkage: groups merge while their faces resemble each other, on average, more than the bar for their sizes.

The mean cosine between the faces of two groups is the product of the sums of their vectors over the product of their
sizes, so a group is one sum and one count, and no matrix of all pairs is ever held. Where two groups reach a mean of t,
some two of their parts do (a mean never exceeds its largest term), so the pairs of nodes that reach the lowest bar are
all the candidates there can be. They are found by products in blocks, or by a scan of codes that misses none of them.

One face that resembles two people does not join them: the others still do not resemble each other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.gallery.scan import candidates_many, encode, kernel
from mien.types import F32

F64 = NDArray[np.float64]

NEAREST = 64  # candidates kept per node; the rounds make good what that leaves out
_BLOCK = 1024  # nodes whose products with all others are held at a time
_CODED = 2048  # nodes from which on they are searched by codes; below it, products of floats are over sooner
_PROBES = 256  # nodes searched for at a time
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Bar:
    """The mean cosine at which groups merge: `large` for large groups, `single` for two faces, in between by size.

    A mean over many pairs varies less than one pair does, so less is needed to tell it from chance."""

    large: float
    single: float

    def between(self, one: NDArray[np.int64] | int, other: NDArray[np.int64] | int) -> F64:
        """The bar for groups of so many faces."""
        share = 1 / np.sqrt(np.multiply(one, other, dtype=np.float64))
        return np.asarray(self.large + (self.single - self.large) * share)


@dataclass(slots=True)
class Node:
    """A face or a group on its way into a larger group."""

    sum: F64  # (D,) of its faces' unit vectors; poor faces count for nothing
    count: int  # faces in the sum
    photos: set[int] = field(default_factory=set)  # no other group may show the same photo …
    sides: set[tuple[int, int]] = field(
        default_factory=set
    )  # … or stand on the other side of a parting (number, 0 | 1)
    fixed: int = 0  # number of a group that may take others in but not join another so numbered; 0: none

    def may_join(self, other: Node) -> bool:
        """Whether nothing forbids that the two are one person."""
        if self.fixed and other.fixed and self.fixed != other.fixed:
            return False
        if not self.photos.isdisjoint(other.photos):
            return False
        few, many = sorted((self.sides, other.sides), key=len)
        return not any((parting, 1 - side) in many for parting, side in few)


def agglomerate(nodes: Sequence[Node], bar: Bar) -> list[list[int]]:
    """Which nodes become one group: lists of their numbers, each sorted, in the order of their first.

    Merges the pair that is furthest above its bar first, until no permitted pair reaches it."""
    members = [[number] for number in range(len(nodes))]
    held = list(nodes)
    for _ in range(_ROUNDS):
        grouped = _merged(held, bar)
        if len(grouped) == len(held):
            break
        members = [sorted(number for part in group for number in members[part]) for group in grouped]
        held = [_joined([held[part] for part in group]) for group in grouped]
    return sorted(members)


def _joined(parts: Sequence[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    return Node(
        np.sum([part.sum for part in parts], axis=0),
        sum(part.count for part in parts),
        set().union(*(part.photos for part in parts)),
        set().union(*(part.sides for part in parts)),
        max(part.fixed for part in parts),
    )


def candidates(means: F32, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs i < j of (m, D) mean vectors whose product reaches `least`; of each row, the `NEAREST` at most.

    Float32 products are off by about 1e-6; the caller scores again."""
    near = _by_codes if len(means) >= _CODED and kernel() != "numpy" else _by_products
    found = [np.empty(0, np.int64)]
    for first, second in near(means, least):
        found.append(np.minimum(first, second) * len(means) + np.maximum(first, second))
    pairs = np.unique(np.concatenate(found))
    return pairs // max(1, len(means)), pairs % max(1, len(means))


def _by_products(means: F32, least: float) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(rows, whom they are near to) by products of all with all."""
    for start in range(0, len(means), _BLOCK):
        scores = means[start : start + _BLOCK] @ means.T
        own = np.arange(len(scores))
        scores[own, start + own] = -2
        if scores.shape[1] > NEAREST:
            bound = np.partition(scores, -NEAREST, axis=1)[:, -NEAREST]
            row, column = np.nonzero(scores >= np.maximum(bound, least)[:, None])
        else:
            row, column = np.nonzero(scores >= least)
        yield row + start, column


def _by_codes(means: F32, least: float) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The same by a scan of short codes, which leaves out no row that is among the nearest."""
    codes = encode(means)
    for start in range(0, len(means), _PROBES):
        found = candidates_many(codes, means[start : start + _PROBES], NEAREST + 1, least)  # the row itself is one
        for row, near in enumerate(found, start):
            others = near.rows[near.rows != row]
            scores = means[others] @ means[row]
            bound = np.partition(scores, -NEAREST)[-NEAREST] if len(scores) > NEAREST else least
            others = others[scores >= max(bound, least)]
            yield np.full(len(others), row), others


def _merged(nodes: Sequence[Node], bar: Bar) -> list[list[int]]:
    """One round."""
    if len(nodes) < 2:
        return [[number] for number in range(len(nodes))]
    means = np.stack([node.sum / max(1, node.count) for node in nodes]).astype(np.float32)
    first, second = candidates(means, min(bar.large, bar.single) - 1e-5)
    return _Round(nodes, bar).run(first, second)


class _Round:
    """Nodes that merge, and the heap of pairs that may."""

    def __init__(self, nodes: Sequence[Node], bar: Bar) -> None:
        self._bar = bar
        self._nodes: dict[int, Node] = dict(enumerate(nodes))
        self._parts = {number: [number] for number in self._nodes}
        self._near: dict[int, set[int]] = {number: set() for number in self._nodes}
        self._sums = np.stack([node.sum for node in nodes])
        self._counts = np.array([node.count for node in nodes], np.int64)
        self._born = dict.fromkeys(self._nodes, 0)  # a pair scored before either grew is out of date
        self._heap: list[tuple[float, int, int, int, int]] = []

    def run(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> list[list[int]]:
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            self._near[one].add(other)
            self._near[other].add(one)
        for number, near in self._near.items():
            self._offer(number, [other for other in near if other > number])
        while self._heap:
            _, one, other, age, other_age = heapq.heappop(self._heap)
            if self._born.get(one) == age and self._born.get(other) == other_age:
                self._merge(one, other)
        return sorted(sorted(parts) for parts in self._parts.values())

    def _offer(self, number: int, others: list[int]) -> None:
        """Put the pairs that reach their bar on the heap."""
        if not others:
            return
        counts = self._counts[others]
        means = self._sums[others] @ self._sums[number] / np.maximum(1, counts * self._counts[number])
        lead = means - self._bar.between(counts, int(self._counts[number]))
        for index in np.flatnonzero(lead >= 0).tolist():
            one, other = sorted((number, others[index]))
            heapq.heappush(self._heap, (-float(lead[index]), one, other, self._born[one], self._born[other]))

    def _merge(self, one: int, other: int) -> None:
        """`other` becomes part of `one`, unless that is forbidden: then they are no candidates any more."""
        if not self._nodes[one].may_join(self._nodes[other]):
            self._near[one].discard(other)
            self._near[other].discard(one)
            return
        gone = self._nodes.pop(other)
        self._nodes[one] = _joined([self._nodes[one], gone])
        self._parts[one] += self._parts.pop(other)
        self._sums[one] += self._sums[other]
        self._counts[one] += self._counts[other]
        near = (self._near[one] | self._near.pop(other)) - {one, other}
        for neighbour in near:
            self._near[neighbour].discard(other)
            self._near[neighbour].add(one)
        self._near[one] = near
        self._born[one] += 1
        del self._born[other]
        self._offer(one, sorted(near))
