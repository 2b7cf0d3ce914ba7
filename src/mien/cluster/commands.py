"""What the user says about groups. Each command is kept with what it changed, binds later groupings, and can be undone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mien.cluster.state import State, read
from mien.errors import UsageError

Before = dict[str, dict[str, Any]]


class Command:
    """One command on its way into the album; runs inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, words: str) -> None:
        self.db = db
        made = datetime.now(UTC).isoformat(timespec="seconds")
        found = db.execute("INSERT INTO command VALUES (NULL, ?, ?, '{}')", (words, made))
        self.number = int(found.lastrowid or 0)
        self.before: Before = {"faces": {}, "groups": {}, "photos": {}}

    def move(self, faces: Iterable[int], group: int | None) -> None:
        """Put faces into a group, or into none."""
        for face in faces:
            (old,) = self.db.execute("SELECT grouped FROM face WHERE id = ?", (face,)).fetchone()
            self.before["faces"].setdefault(str(face), old)
            self.db.execute("UPDATE face SET grouped = ? WHERE id = ?", (group, face))

    def change(self, group: int, **values: Any) -> None:
        """Set columns of a group."""
        row = self.db.execute("SELECT name, hidden, part_of FROM grouping WHERE id = ?", (group,)).fetchone()
        self.before["groups"].setdefault(str(group), list(row))
        for column, value in values.items():
            self.db.execute(f"UPDATE grouping SET {column} = ? WHERE id = ?", (value, group))

    def allow_twice(self, photos: Iterable[int]) -> None:
        """These photos may show one person more than once."""
        for photo in photos:
            self.before["photos"].setdefault(str(photo), 0)
            self.db.execute("UPDATE photo SET twice = 1 WHERE id = ?", (photo,))

    def tie(self, faces: Sequence[int]) -> None:
        """They are one person; what was said to the contrary is lifted."""
        self.db.executemany("INSERT INTO tie VALUES (?, ?, NULL)", [(self.number, face) for face in faces])
        inside = set(faces)
        sides: dict[int, dict[int, set[int]]] = {}
        for command, side, face in self.db.execute("SELECT command, side, face FROM parting WHERE lifted IS NULL"):
            if face in inside:
                sides.setdefault(command, {}).setdefault(side, set()).add(face)
        for command, found in sides.items():
            if len(found) == 2:
                self._lift("parting", command, set.union(*found.values()))

    def part(self, one: Sequence[int], other: Sequence[int]) -> None:
        """They are two persons; ties across are lifted from the faces in `other`."""
        rows = [(self.number, side, face) for side, faces in enumerate((one, other)) for face in faces]
        self.db.executemany("INSERT INTO parting VALUES (?, ?, ?, NULL)", rows)
        ties: dict[int, set[int]] = {}
        for command, face in self.db.execute("SELECT command, face FROM tie WHERE lifted IS NULL"):
            ties.setdefault(command, set()).add(face)
        for command, faces in ties.items():
            if not faces.isdisjoint(one) and not faces.isdisjoint(other):
                self._lift("tie", command, faces & set(other))

    def _lift(self, table: str, command: int, faces: Iterable[int]) -> None:
        self.db.executemany(
            f"UPDATE {table} SET lifted = ? WHERE command = ? AND face = ? AND lifted IS NULL",
            [(self.number, command, face) for face in faces],
        )

    def done(self) -> int:
        """Keep what it changed; returns the command's number."""
        self.db.execute("UPDATE command SET before = ? WHERE id = ?", (json.dumps(self.before), self.number))
        return self.number


def merge(db: sqlite3.Connection, words: str, groups: Sequence[int], faces: Sequence[int], twice: bool) -> int:
    """Groups, and faces that are in none, become one person: the first group's number and name stay.

    Returns the number. Raises UsageError where a photo would show that person twice, unless `twice`."""
    state = read(db)
    members = state.members()
    parts = [members[group] for group in groups] + [np.flatnonzero(state.faces == face) for face in faces]
    shared = _shared(state, parts)
    if shared and not twice:
        raise UsageError(
            f"{len(shared)} {'photo shows' if len(shared) == 1 else 'photos show'} both, so they are two people.",
            "If it is a mirror or a collage, allow it: --allow-twice.",
        )
    command = Command(db, words)
    command.allow_twice(shared)
    target = groups[0] if groups else _fresh(db)
    rows = np.sort(np.concatenate(parts))
    name = next((state.kept_apart[group][0] for group in groups if state.kept_apart[group][0]), "")
    # Old groups first: two of one name may not stand, not even for a moment.
    for group in groups[1:]:
        command.change(group, name="", part_of=target)
    command.change(target, name=name)
    command.move((int(face) for face in state.faces[rows] if face), target)
    command.tie([int(face) for face in state.faces[rows]])
    command.done()
    return target


def _shared(state: State, parts: Sequence[np.ndarray[Any, Any]]) -> list[int]:
    """Photos with faces in more than one part."""
    photos = [photo for rows in parts for photo in set(state.photos[rows].tolist()) - state.twice]
    return sorted({photo for photo in photos if photos.count(photo) > 1}) if len(set(photos)) < len(photos) else []


def split(db: sqlite3.Connection, words: str, group: int, faces: Sequence[int]) -> int:
    """Faces leave a group for one of their own: the named ones, or without names the part that is least like the rest.

    Returns the new group's number. Raises UsageError for faces that are not in the group, or all of it."""
    state = read(db)
    rows = state.members()[group]
    inside = {int(face) for face in state.faces[rows]}
    strangers = [face for face in faces if face not in inside]
    if strangers:
        raise UsageError(f"The face f{strangers[0]} is not in group {group}.", "See its faces in the listing.")
    leaving = sorted(set(faces)) or _lesser(state, rows)
    staying = sorted(inside - set(leaving))
    if not staying or not leaving:
        raise UsageError(f"Group {group} cannot be split so.", "Name some of its faces, not all.")
    command = Command(db, words)
    fresh = _fresh(db)
    command.move(leaving, fresh)
    command.part(staying, leaving)
    command.done()
    return fresh


def _lesser(state: State, rows: np.ndarray[Any, Any]) -> list[int]:
    """The faces of the smaller of two parts, by two-means on the sphere from the two faces least alike."""
    vectors = state.vectors[rows].astype(np.float64)
    centre = vectors.sum(0)
    first = int((vectors @ centre).argmin())
    second = int((vectors @ vectors[first]).argmin())
    middles = vectors[[first, second]]
    side = np.zeros(len(rows), bool)
    for _ in range(50):
        scores = vectors @ middles.T
        moved = scores[:, 0] > scores[:, 1]
        moved[[first, second]] = True, False
        if (moved == side).all():
            break
        side = moved
        middles = np.stack([vectors[side].mean(0), vectors[~side].mean(0)])
        middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    chosen = side if 2 * side.sum() <= len(side) else ~side
    return [int(face) for face in state.faces[rows[chosen]]]


def separate(db: sqlite3.Connection, words: str, face: int, group: int) -> None:
    """A face is not the person of a group: it leaves it if it is there, and never joins it again."""
    state = read(db)
    others = [int(one) for one in state.faces[state.members()[group]] if one != face]
    if not others:
        raise UsageError(f"Group {group} is that face alone.", "Hide the group instead.")
    command = Command(db, words)
    if int(state.groups[state.faces == face][0]) == group:
        command.move([face], None)
    command.part(others, [face])
    command.done()


def change(db: sqlite3.Connection, words: str, group: int, **values: Any) -> None:
    """Name a group or hide it."""
    command = Command(db, words)
    command.change(group, **values)
    command.done()


def undo(db: sqlite3.Connection) -> str:
    """Take back the last command; returns its words. Faces that came meanwhile stay, unless that would put two faces of
    one photo into one group: then the one that came later goes."""
    found = db.execute("SELECT id, words, before FROM command WHERE before != '' ORDER BY id DESC LIMIT 1").fetchone()
    if found is None:
        raise UsageError("There is nothing to undo.", "")
    number, words, text = found
    before: Before = json.loads(text)
    for table in ("tie", "parting"):
        db.execute(f"DELETE FROM {table} WHERE command = ?", (number,))
        db.execute(f"UPDATE {table} SET lifted = NULL WHERE lifted = ?", (number,))
    for group, (name, hidden, part_of) in before["groups"].items():
        db.execute("UPDATE grouping SET name = ?, hidden = ?, part_of = ? WHERE id = ?", (name, hidden, part_of, group))
    db.executemany("UPDATE photo SET twice = ? WHERE id = ?", [(old, photo) for photo, old in before["photos"].items()])
    restored = {int(face): resolve(db, old) if old else None for face, old in before["faces"].items()}
    db.executemany("UPDATE face SET grouped = ? WHERE id = ?", [(group, face) for face, group in restored.items()])
    _settle(db, restored)
    db.execute("DELETE FROM command WHERE id = ?", (number,))
    return str(words)


def _settle(db: sqlite3.Connection, restored: dict[int, int | None]) -> None:
    """Take faces that came later out of groups where they meet a restored face they may not be with."""
    state = read(db)
    rows = {int(face): row for row, face in enumerate(state.faces)}
    for group in {group for group in restored.values() if group}:
        back = np.array([rows[face] for face, where in restored.items() if where == group])
        kept = state.node(back)
        for row in state.members()[group]:
            if int(state.faces[row]) not in restored and not state.node(np.array([row])).may_join(kept):
                db.execute("UPDATE face SET grouped = NULL WHERE id = ?", (int(state.faces[row]),))


def resolve(db: sqlite3.Connection, number: int) -> int:
    """The group that a number stands for now, through all that it became part of."""
    while True:
        found = db.execute("SELECT part_of FROM grouping WHERE id = ?", (number,)).fetchone()
        if found is None or found[0] is None:
            return number
        number = int(found[0])


def _fresh(db: sqlite3.Connection) -> int:
    return int(db.execute("INSERT INTO grouping VALUES (NULL, '', 0, NULL)").lastrowid or 0)
