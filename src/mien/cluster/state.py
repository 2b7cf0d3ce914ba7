"""Faces, groups and constraints of an album as they stand, read at once for a grouping or a command."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.cluster.linkage import Node
from mien.decide import Policy
from mien.types import F32

F64 = NDArray[np.float64]

GOOD, FLOOR = Policy().quality, Policy().floor  # below GOOD a face founds no group, below FLOOR it joins none


@dataclass(slots=True, eq=False)
class State:
    """Everything that decides who is grouped with whom. Rows are in the order of the faces' numbers."""

    faces: NDArray[np.int64]  # (n,) numbers
    photos: NDArray[np.int64]  # (n,)
    groups: NDArray[np.int64]  # (n,) 0: none
    quality: F64  # (n,)
    vectors: F32  # (n, D)
    twice: set[int]  # photos that may show one person more than once
    sides: dict[int, set[tuple[int, int]]]  # {face: (parting, side)}
    kept_apart: dict[int, tuple[str, bool]]  # {group: (name, hidden)}, living groups
    ties: list[list[int]] = field(default_factory=list)  # faces that the user said are one person

    def node(self, rows: NDArray[np.intp], fixed: int = 0) -> Node:
        """The given faces as one node; poor ones count only where there are no others."""
        good = rows[self.quality[rows] >= GOOD]
        counted = good if len(good) else rows
        return Node(
            self.vectors[counted].astype(np.float64).sum(0),
            len(counted),
            {int(photo) for photo in self.photos[rows]} - self.twice,
            {side for face in self.faces[rows] for side in self.sides.get(int(face), ())},
            fixed,
        )

    def members(self) -> dict[int, NDArray[np.intp]]:
        """Rows of each living group, by its number."""
        order = np.argsort(self.groups, kind="stable")
        numbers, starts = np.unique(self.groups[order], return_index=True)
        parts = np.split(order, starts[1:])
        return {int(number): rows for number, rows in zip(numbers, parts, strict=True) if number}

    def settled(self, group: int) -> int:
        """Its number if the user named or hid it, so that it joins no other such group; else 0."""
        name, hidden = self.kept_apart[group]
        return group if name or hidden else 0


def read(db: sqlite3.Connection) -> State:
    """The album as it stands; inside the caller's transaction."""
    rows = db.execute("SELECT id, photo, coalesce(grouped, 0), quality, vector FROM face ORDER BY id").fetchall()
    numbers = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
    vectors = np.frombuffer(b"".join(row[4] for row in rows), np.float32)
    sides: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for command, side, face in db.execute("SELECT command, side, face FROM parting WHERE lifted IS NULL"):
        sides[face].add((command, side))
    ties: dict[int, list[int]] = defaultdict(list)
    for command, face in db.execute("SELECT command, face FROM tie WHERE lifted IS NULL ORDER BY command, face"):
        ties[command].append(face)
    groups = db.execute("SELECT id, name, hidden FROM grouping WHERE part_of IS NULL")
    return State(
        numbers[:, 0],
        numbers[:, 1],
        numbers[:, 2].copy(),
        np.array([row[3] for row in rows], np.float64),
        vectors.reshape(len(rows), -1) if rows else vectors.reshape(0, 1),
        {photo for (photo,) in db.execute("SELECT id FROM photo WHERE twice = 1")},
        dict(sides),
        {number: (name, bool(hidden)) for number, name, hidden in groups},
        list(ties.values()),
    )
