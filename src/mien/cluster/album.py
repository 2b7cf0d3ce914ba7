"""An album: photos of unknown people, grouped, in one durable file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from mien.cluster import commands, crops, grouping, store
from mien.cluster.adding import Adding, Step
from mien.cluster.linkage import Bar, candidates
from mien.cluster.nouns import Added, Alike, Group, Grouped, Seen
from mien.cluster.state import GOOD, State, read
from mien.decide import Policy
from mien.engine import Engine
from mien.errors import SpaceMismatch, UnknownSubject, UsageError
from mien.gallery.names import subject_name
from mien.types import OperatingPoint, Sample, Template

FMR = 3e-5  # of two faces; chosen on half the people of LFW, judged on the others: benchmarks/clustering.py
LOOSER = 30.0  # the rate for large groups, in times of that: means of many pairs vary less
_ASK = 0.012  # below the bar by no more than that two groups are worth a question


def bar_at(points: Iterable[OperatingPoint], fmr: float = FMR) -> Bar:
    """The bar for merging, from an embedder's evidence. Raises EvidenceError for a rate that it cannot support."""
    known = list(points)
    single = Policy(fmr=fmr).point(known).threshold
    return Bar(min(single, Policy(fmr=min(0.5, LOOSER * fmr)).point(known).threshold), single)


class Album:
    """Faces of photos, their groups, and what the user said of them. Use `open_album`.

    Groups have numbers that are never given twice; a number whose group became part of another still finds it. Every
    change is durable on return. Not for several threads."""

    def __init__(self, path: Path, *, create: bool, read_only: bool) -> None:
        self.path = path
        self._db = store.open_file(path, create=create, read_only=read_only)

    # --- photos -----------------------------------------------------------------------------------------------------

    def add(
        self, engine: Engine, photos: Iterable[str | os.PathLike[str]], *, allow_twice: bool = False,
        fmr: float = FMR, step: Step | None = None,
    ) -> tuple[Added, Grouped]:  # fmt: skip
        """Find the faces of the photos that are new, then group. Stopped or killed half-way, what was seen is kept.

        allow_twice: these photos may show one person more than once (mirrors, collages).
        Raises GalleryBusy while another process adds, SpaceMismatch for another embedder, EvidenceError."""
        bar = bar_at(engine.points, fmr)
        with store.alone(self.path):
            self._pin(engine.embedder.space)
            adding = Adding(self.path, self._db, engine, allow_twice, step or (lambda done: None))
            added = adding.run(photos)
            return added, self.group(bar)

    def group(self, bar: Bar, *, anew: bool = False) -> Grouped:
        """Let faces without a group join one or found one. anew: group again all that has no name and is not hidden,
        as after a change of the bar; what the user said binds it."""
        with self._writing():
            return grouping.group(self._db, bar, anew)

    def _pin(self, space: str) -> None:
        with self._writing():
            held = self._db.execute("SELECT space FROM head").fetchone()
            if held is None:
                self._db.execute("INSERT INTO head VALUES (1, ?)", (space,))
            elif held[0] != space:
                raise SpaceMismatch(
                    f"The album {self.path} holds templates of space {held[0]}; the embedder makes {space}.",
                    "Name the embedder it was made with, or make a new album.",
                )

    @property
    def space(self) -> str | None:
        """Space of the templates held; None while there are none."""
        with self._reading():
            held = self._db.execute("SELECT space FROM head").fetchone()
        return None if held is None else str(held[0])

    # --- listing ----------------------------------------------------------------------------------------------------

    def groups(self, *, least: int = 2, hidden: bool = False) -> list[Group]:
        """Groups of `least` faces and more, and all that have a name; the largest first."""
        with self._reading():
            state = read(self._db)
        found = [_group(state, number, rows) for number, rows in state.members().items()]
        listed = [one for one in found if (one.faces >= least or one.name) and (hidden or not one.hidden)]
        return sorted(listed, key=lambda one: (-one.faces, one.number))

    def faces(self, group: int | None = None) -> list[Seen]:
        """Every face, or those of one group. Raises UnknownSubject."""
        where, values = ("", ()) if group is None else ("WHERE grouped = ?", (self._living(group),))
        query = f"SELECT face.id, grouped, source, quality, geometry FROM face JOIN photo ON photo.id = photo {where}"
        with self._reading():
            rows = self._db.execute(f"{query} ORDER BY face.id", values).fetchall()
        return [_seen(*row) for row in rows]

    def face(self, number: int) -> Sample:
        """One face on its crop, with its template. Raises UnknownSubject."""
        query = """SELECT vector, quality, crop, geometry, source FROM face JOIN photo ON photo.id = photo
WHERE face.id = ?"""
        with self._reading():
            row = self._db.execute(query, (number,)).fetchone()
        if row is None:
            raise UnknownSubject(f"There is no face f{number} in {self.path}.", "See the listing of faces.")
        vector, quality, crop, geometry, source = row
        template = Template(np.frombuffer(vector, np.float32), self.space or "", quality)
        return Sample(template, crops.unpack(crop, geometry, source), source)

    def alike(self, bar: Bar, limit: int = 20) -> list[Alike]:
        """Pairs of groups that nearly merged, the most alike first: worth asking whether they are one person."""
        with self._reading():
            state = read(self._db)
        members = [
            (number, rows)
            for number, rows in state.members().items()
            if len(rows) > 1 and not state.kept_apart[number][1]
        ]
        nodes = [state.node(rows) for _, rows in members]
        if len(nodes) < 2:
            return []
        means = np.stack([node.sum / node.count for node in nodes]).astype(np.float32)
        found = [
            Alike(
                min(members[one][0], members[other][0]),
                max(members[one][0], members[other][0]),
                round(float(means[one] @ means[other]), 6),
            )
            for one, other in zip(*candidates(means, bar.large - _ASK), strict=True)
            if nodes[one].may_join(nodes[other])
        ]
        return sorted(found, key=lambda pair: -pair.likeness)[:limit]

    def number(self, group: int | str) -> int:
        """The number of a group given by number or name, through all that it became part of. Raises UnknownSubject."""
        with self._reading():
            return self._living(group)

    # --- what the user says -----------------------------------------------------------------------------------------

    def merge(self, *parts: int | str, allow_twice: bool = False) -> int:
        """Groups (numbers or names) and faces ("f12") are one person; the first group's number stays, and is returned.

        Raises UnknownSubject, and UsageError where a photo shows both."""
        with self._writing():
            groups = list(dict.fromkeys(self._living(part) for part in parts if _face_number(part) is None))
            faces = [self._known_face(part) for part in parts if _face_number(part) is not None]
            faces = [face for face in dict.fromkeys(faces) if self._group_of(face) not in groups]
            for face in faces:
                if self._group_of(face):
                    raise UsageError(
                        f"The face f{face} is in group {self._group_of(face)}.", "Merge the groups, or say --not first."
                    )
            if len(groups) + len(faces) < 2:
                raise UsageError("There are not two to merge.", "Name two groups, or a group and a face.")
            return commands.merge(self._db, f"merge {_words(parts)}", groups, faces, allow_twice)

    def split(self, group: int | str, faces: Iterable[int | str] = ()) -> int:
        """These faces, or without any the part least like the rest, become another group; returns its number."""
        chosen = list(faces)
        with self._writing():
            numbers = [self._known_face(face) for face in chosen]
            return commands.split(self._db, f"split {_words([group, *chosen])}", self._living(group), numbers)

    def separate(self, face: int | str, group: int | str) -> None:
        """A face is not the person of a group: it leaves it, if it is in it, and never joins it again."""
        with self._writing():
            commands.separate(self._db, f"not {_words([face, group])}", self._known_face(face), self._living(group))

    def name(self, group: int | str, name: str) -> None:
        """Name a group ("": no more). Raises BadSubject, and UsageError for a name that another group has."""
        spelt = subject_name(name) if name else ""
        with self._writing():
            number = self._living(group)
            query = "SELECT id FROM grouping WHERE name = ? AND id != ? AND part_of IS NULL AND name != ''"
            taken = self._db.execute(query, (spelt, number)).fetchone()
            if taken:
                raise UsageError(
                    f"Group {taken[0]} has the name {spelt}.", f"If they are one person: --merge {taken[0]} {number}."
                )
            commands.change(self._db, f"name {_words([group, spelt])}", number, name=spelt)

    def hide(self, group: int | str, hidden: bool = True) -> None:
        """Leave a group out of listings; it goes on collecting faces."""
        with self._writing():
            commands.change(
                self._db, f"{'hide' if hidden else 'show'} {group}", self._living(group), hidden=int(hidden)
            )

    def undo(self) -> str:
        """Take back the last command; returns its words. Raises UsageError when there is none."""
        with self._writing():
            return commands.undo(self._db)

    def history(self) -> list[tuple[str, str]]:
        """(ISO 8601 UTC, words) of the commands that stand, oldest first."""
        with self._reading():
            return self._db.execute("SELECT made, words FROM command ORDER BY id").fetchall()

    def forget(self, group: int | str) -> int:
        """Erase the faces of a group: templates, crops, and what was said of them. Cannot be undone; returns how many."""
        with self._writing():
            number = self._living(group)
            faces = [(row[0],) for row in self._db.execute("SELECT id FROM face WHERE grouped = ?", (number,))]
            for table in ("tie", "parting"):
                self._db.executemany(f"DELETE FROM {table} WHERE face = ?", faces)
            self._db.executemany("DELETE FROM face WHERE id = ?", faces)
            self._db.execute("UPDATE grouping SET name = '' WHERE id = ?", (number,))
            # An undo would want the faces back, and the words hold the name.
            self._db.execute("UPDATE command SET words = 'before an erasure', before = ''")
        with store.plain_errors(self.path):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(faces)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _living(self, group: int | str) -> int:
        """The number of a group given by number or name. Raises UnknownSubject."""
        text = str(group)
        found = self._db.execute("SELECT id FROM grouping WHERE name = ? AND name != ''", (text,)).fetchone()
        number = found[0] if found else int(text) if text.isdecimal() and len(text) < 18 else 0
        number = commands.resolve(self._db, number)
        if not self._db.execute("SELECT 1 FROM face WHERE grouped = ? LIMIT 1", (number,)).fetchone():
            raise UnknownSubject(f"There is no group {text} in {self.path}.", "See the listing of groups.")
        return int(number)

    def _known_face(self, face: int | str) -> int:
        number = _face_number(face) if isinstance(face, str) else face
        if number is None or not self._db.execute("SELECT 1 FROM face WHERE id = ?", (number,)).fetchone():
            raise UnknownSubject(f"There is no face {face} in {self.path}.", "Faces are called f1, f2 …; see --faces.")
        return number

    def _group_of(self, face: int) -> int:
        return int(self._db.execute("SELECT coalesce(grouped, 0) FROM face WHERE id = ?", (face,)).fetchone()[0])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with store.plain_errors(self.path), store.transaction(self._db):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with store.plain_errors(self.path):
            yield

    def close(self) -> None:
        """Let go of the file; closing twice is allowed."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _group(state: State, number: int, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Group:
    vectors = state.vectors[rows].astype(np.float64)
    total, count = vectors.sum(0), len(rows)
    own = float((vectors * vectors).sum())
    likeness = (float(total @ total) - own) / (count * (count - 1)) if count > 1 else 1.0
    # The best face shows the person: like the others, and sharp.
    best = int(rows[int((vectors @ total / count * state.quality[rows]).argmax())])
    name, hidden = state.kept_apart[number]
    photos = len(np.unique(state.photos[rows]))
    return Group(number, name, count, photos, round(likeness, 6), hidden, int(state.faces[best]))


def _seen(face: int, group: int | None, source: str, quality: float, geometry: str) -> Seen:
    shape = json.loads(geometry)
    x0, y0, scale = shape["origin"]
    left, top, right, bottom = (value / scale for value in shape["box"])
    box = (round(left + x0, 2), round(top + y0, 2), round(right + x0, 2), round(bottom + y0, 2))
    return Seen(face, group, "grouped" if group else "alone" if quality >= GOOD else "unsure", source, box, quality)


def _face_number(word: int | str) -> int | None:
    """12 for "f12", None for what names no face."""
    return int(word[1:]) if isinstance(word, str) and word[:1] == "f" and word[1:].isdecimal() else None


def _words(parts: Iterable[int | str]) -> str:
    return " ".join(str(part) for part in parts)
