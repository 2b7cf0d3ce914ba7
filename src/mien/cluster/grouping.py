"""Faces to groups: new faces join the groups there are or found new ones, and nobody is renumbered.

Good faces merge by average linkage, each existing group as one node. Then each mediocre face joins the one group it is
nearest to, if it reaches that group's bar, and is not counted in it: it cannot draw others in.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.cluster.linkage import Bar, Node, agglomerate
from mien.cluster.nouns import Grouped
from mien.cluster.state import FLOOR, GOOD, State, read

Rows = NDArray[np.intp]


def group(db: sqlite3.Connection, bar: Bar, anew: bool = False) -> Grouped:
    """Bring the groups up to date; inside the caller's transaction.

    anew: forget which face is in which group, except of groups that have a name or are hidden, and not what the user
    said; numbers go to the groups that are most like the old ones."""
    state = read(db)
    before = state.groups.copy()
    found = assign(state, bar, anew)
    numbers, new, merged = _numbered(db, state, found, before)
    changed = np.flatnonzero(numbers != before)
    db.executemany(
        "UPDATE face SET grouped = ? WHERE id = ?",
        [(int(numbers[row]) or None, int(state.faces[row])) for row in changed],
    )
    joined = int((numbers[changed] != 0).sum())
    return Grouped(joined, tuple(new), tuple(merged))


def assign(state: State, bar: Bar, anew: bool = False) -> list[Rows]:
    """Rows of each group there should be, of two faces or more, or of one that was a group already."""
    held = [rows for rows in state.members().values() if not anew or _fixed(state, rows)]
    starts = [*held, *(_tied(state, held) if anew else [])]
    taken = np.zeros(len(state.faces), bool)
    for rows in starts:
        taken[rows] = True
    singles = [np.array([row]) for row in np.flatnonzero(~taken & (state.quality >= GOOD))]
    parts = [*starts, *singles]
    fixed = [_fixed(state, rows) if number < len(held) else 0 for number, rows in enumerate(parts)]
    nodes = [state.node(rows, mark) for rows, mark in zip(parts, fixed, strict=True)]
    made = agglomerate(nodes, bar)
    groups = [
        np.sort(np.concatenate([parts[part] for part in group]))
        for group in made
        if len(group) > 1 or group[0] < len(starts)
    ]
    for rows in groups:
        taken[rows] = True
    return _attached(state, groups, np.flatnonzero(~taken & (state.quality >= FLOOR) & (state.quality < GOOD)), bar)


def _fixed(state: State, rows: Rows) -> int:
    return state.settled(int(state.groups[rows[0]]))


def _tied(state: State, held: Sequence[Rows]) -> list[Rows]:
    """What the user tied together outside of `held`, ties that share a face joined."""
    settled = {int(row) for rows in held for row in rows}
    place = {int(face): row for row, face in enumerate(state.faces) if row not in settled}
    root = {row: row for row in place.values()}

    def top(row: int) -> int:
        while root[row] != row:
            root[row] = row = root[root[row]]
        return row

    for tie in state.ties:
        for one, other in pairwise(place[face] for face in tie if face in place):
            root[top(other)] = top(one)
    tied: dict[int, list[int]] = {}
    for row in {place[face] for tie in state.ties for face in tie if face in place}:
        tied.setdefault(top(row), []).append(row)
    return [np.array(sorted(rows)) for rows in tied.values()]


def _attached(state: State, groups: list[Rows], rows: Rows, bar: Bar) -> list[Rows]:
    """The groups with the mediocre faces `rows` that belong to one of them, the surest first."""
    if not len(rows) or not groups:
        return groups
    nodes = [state.node(each) for each in groups]
    counts = np.array([node.count for node in nodes])
    means = np.stack([node.sum / node.count for node in nodes])
    lead = state.vectors[rows].astype(np.float64) @ means.T - bar.between(counts, 1)
    more: dict[int, list[int]] = {}
    placed: set[int] = set()
    index, at = np.nonzero(lead >= 0)
    for row, number in sorted(zip(index.tolist(), at.tolist(), strict=True), key=lambda pair: -lead[pair]):
        face, node = Node(means[0], 1), nodes[number]
        face.photos = {int(state.photos[rows[row]])} - state.twice
        face.sides = state.sides.get(int(state.faces[rows[row]]), set())
        if row not in placed and face.may_join(node):
            placed.add(row)
            more.setdefault(number, []).append(row)
            node.photos |= face.photos
            node.sides |= face.sides
    return [
        np.sort(np.concatenate([each, rows[more[number]]])) if number in more else each
        for number, each in enumerate(groups)
    ]


def _numbered(
    db: sqlite3.Connection, state: State, found: Sequence[Rows], before: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[int], list[tuple[int, int]]]:
    """(group of each face, numbers of new groups, groups that became part of others)."""
    numbers = np.zeros(len(state.faces), np.int64)
    shared = sorted(
        (not state.settled(old), -count, old, index)
        for index, rows in enumerate(found)
        for old, count in Counter(before[rows].tolist()).items()
        if old
    )
    named: dict[int, int] = {}
    kept: set[int] = set()
    for _, _, old, index in _oldest_first(shared):
        if index not in named and old not in kept:
            named[index] = old
            kept.add(old)
    new = []
    for index, rows in enumerate(found):
        if index not in named:
            named[index] = int(db.execute("INSERT INTO grouping VALUES (NULL, '', 0, NULL)").lastrowid or 0)
            new.append(named[index])
        numbers[rows] = named[index]
    merged = []
    for index, rows in enumerate(found):
        for old in sorted(set(before[rows].tolist()) - {0, *named.values()}):
            if not (numbers[before == old] != named[index]).any():  # the whole of it went there
                merged.append((old, named[index]))
    db.executemany("UPDATE grouping SET part_of = ? WHERE id = ?", [(into, old) for old, into in merged])
    return numbers, new, merged


def _oldest_first(shared: list[tuple[bool, int, int, int]]) -> list[tuple[bool, int, int, int]]:
    """Named groups keep their number, then the lowest number wins where whole groups merge, else the largest share."""
    owners = Counter(old for _, _, old, _ in shared)
    return sorted(shared, key=lambda item: (item[0], item[1] if owners[item[2]] > 1 else 0, item[2]))
