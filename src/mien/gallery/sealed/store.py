"""The folder people.sealed: `records.db` (SQLite) says what there is, `groups.N.bin` holds the packed ciphertexts.

No key is needed here and none is known. A changed group goes to a free place of the file and is synced; the transaction that
points there is synced; then the old place is overwritten: at once where somebody was erased, else when it is used again. So a
process that dies leaves the old state or the new one. Writers take turns through SQLite's lock, and whoever read places that
were written meanwhile finds the revision changed and reads again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryError, GalleryFull, GalleryNotFound, UsageError
from mien.gallery import store as plain
from mien.gallery.sealed import folder as home
from mien.gallery.sealed.groups_file import GroupsFile, shred
from mien.gallery.sealed.profiles import profile
from mien.gallery.sealed.records import (
    U32,
    Change,
    Detail,
    GroupRow,
    GroupWrite,
    Head,
    SampleRow,
    State,
    SubjectRow,
)

ROTATING = ".rotating"  # subfolder in which a rotation prepares what is to come
_SAMPLE = "number, subject, grp, slot, covered, record, detail, mark"


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What a search looks at."""

    head: Head
    numbers: tuple[int, ...]  # of the groups
    places: tuple[int, ...]  # where each stands
    body: U32  # (places, words) memory map


class Store:
    """One open folder. Not locked within a process: its owner is; processes may share the folder.

    Raises GalleryNotFound, GalleryCorrupt, GalleryReadOnly, GalleryBusy, GalleryFull."""

    def __init__(self, folder: str | os.PathLike[str], *, read_only: bool = False, timeout: float = 10.0) -> None:
        self.folder = Path(folder).absolute()
        self._path = self.folder / home.RECORDS
        self._timeout = timeout
        self._file: GroupsFile | None = None
        self._generation = -1
        if not self._path.exists():
            raise GalleryNotFound(f"There is no sealed gallery at {self.folder}.", "Make one with `mien seal`.")
        if not self._path.stat().st_size:
            raise plain.corrupt(self.folder, "its records are empty")
        self.writable = not read_only and plain.writable(self._path)
        with plain.plain_errors(self.folder):
            self._db = plain.connect(self._path, "rw" if plain.writable(self._path) else self._unwritable(), timeout)
            self._opened = False
            try:
                home.inspect(self._db, self.folder)
                if read_only:
                    self._db.execute("PRAGMA query_only = ON")
                head, generation = home.read_head(self._db, self.folder)
                if head.dimension:
                    self._groups(head, generation)
                self._tidy()
                self._opened = True
            finally:
                if not self._opened:
                    self.close()

    def head(self) -> Head:
        """The head as it is now."""
        with plain.plain_errors(self.folder):
            return home.read_head(self._db, self.folder)[0]

    def state(self, revision: int = -1, epoch: int = -1) -> State:
        """Rows that are newer than a revision; all of them where rows went away since that epoch."""
        with self._reading():
            head, _ = home.read_head(self._db, self.folder)
            whole = epoch != head.epoch or not 0 <= revision <= head.revision
            since = (-1 if whole else revision,)
            rows = self._db.execute("SELECT id, record, mark FROM subject WHERE revision > ?", since)
            subjects = [SubjectRow(*row) for row in rows]
            rows = self._db.execute(f"SELECT {_SAMPLE} FROM sample WHERE revision > ? ORDER BY number", since)
            samples = [SampleRow(*row) for row in rows]
            rows = self._db.execute("SELECT number, version, anchor, mark FROM grp WHERE revision > ?", since)
            return State(head, subjects, samples, [GroupRow(*row) for row in rows], whole)

    def details(self, numbers: Sequence[int], pictures: bool = True) -> dict[int, Detail]:
        """Sealed vectors and, where asked for, crops of samples; those that are gone are left out."""
        found = {}
        wanted = "vector, picture" if pictures else "vector, x''"
        with self._reading():
            for number in numbers:
                row = self._db.execute(f"SELECT {wanted} FROM detail WHERE number = ?", (number,)).fetchone()
                if row is not None:
                    found[number] = Detail(*row)
        return found

    def snapshot(self) -> Snapshot:
        """All groups where they stand now; whoever used it asks `head` afterwards whether the revision is still that."""
        while True:
            with self._reading():
                head, generation = home.read_head(self._db, self.folder)
                rows = self._db.execute("SELECT number, place FROM grp ORDER BY number").fetchall()
            numbers, places = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
            try:
                body = self._groups(head, generation).view(max(places) + 1) if rows else np.empty((0, 0), np.uint32)
            except GalleryCorrupt:
                if self.head().revision == head.revision:
                    raise
            else:
                return Snapshot(head, numbers, places, body)

    def groups(self, numbers: Sequence[int]) -> dict[int, tuple[GroupRow, U32]]:
        """Rows and bytes of groups; those that are gone are left out."""
        query = "SELECT number, version, anchor, mark, place FROM grp WHERE number = ?"
        while True:
            with self._reading():
                head, generation = home.read_head(self._db, self.folder)
                rows = [self._db.execute(query, (number,)).fetchone() for number in numbers]
            try:
                found = {
                    row[0]: (
                        GroupRow(*row[:4]),
                        self._groups(head, generation).view(row[4] + 1)[row[4]].copy().reshape(head.row_shape),
                    )
                    for row in rows
                    if row is not None
                }
            except GalleryCorrupt:
                if self.head().revision == head.revision:
                    raise
            else:
                if self.head().revision == head.revision:  # no place was used again meanwhile
                    return found

    def apply(self, change: Change) -> bool:
        """Take a step, durably; False when somebody else was faster. Raises GalleryFull, UsageError for a misfit."""
        self.require_write()
        with plain.plain_errors(self.folder):
            try:
                switched = self._step(change)
            except sqlite3.IntegrityError as error:
                raise UsageError(f"The change does not fit the gallery: {error}.", "Make it anew.") from error
            if switched is None:
                return False
            if switched or change.erases:
                self._purge()
        return True

    def require_write(self) -> None:
        """Raise GalleryReadOnly where nothing may be changed."""
        if not self.writable:
            raise plain.read_only(self.folder)

    def adopt(self, folder: Path) -> None:
        """Take over everything of the closed gallery in `folder`: readers see the old or the new; the old is erased."""
        self.require_write()
        with plain.plain_errors(self.folder):
            old, generation = home.read_head(self._db, self.folder)
            with plain.connect(folder / home.RECORDS, "rw", self._timeout) as other:
                new, theirs = home.read_head(other, folder)
            self._move_in(folder, new, theirs, generation + 1)
            self._db.execute("ATTACH ? AS other", (str(folder / home.RECORDS),))
            try:
                with plain.transaction(self._db, "IMMEDIATE"):
                    if home.read_head(self._db, self.folder)[0] != old:
                        raise GalleryBusy(f"The gallery {self.folder} was changed meanwhile.", "Run the same again.")
                    tables = ("subject", "grp", "sample", "detail", "head")
                    for table in reversed(tables):
                        self._db.execute(f"DELETE FROM main.{table}")
                    for table in tables:
                        self._db.execute(f"INSERT INTO main.{table} SELECT * FROM other.{table}")
                    self._db.execute("UPDATE main.head SET generation = ?, purge = 1", (generation + 1,))
            finally:
                self._db.execute("DETACH other")
            self._purge()

    def faults(self) -> list[str]:
        """What SQLite itself finds wrong."""
        with plain.plain_errors(self.folder):
            found = [f"SQLite: {row[0]}" for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            if self._db.execute("PRAGMA foreign_key_check").fetchone():
                found.append("A row belongs to nobody.")
        return found

    def close(self) -> None:
        """Let go of the files."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._db.close()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _unwritable(self) -> str:
        """SQLite cannot share a log in a folder that it may not write to; without a log the file alone is all there is."""
        return "ro" if plain.footprint(self._path).log else "immutable"

    def _groups_path(self, generation: int) -> Path:
        return self.folder / f"groups.{generation}.bin"

    def _groups(self, head: Head, generation: int) -> GroupsFile:
        if self._file is None or self._generation != generation:
            if self._file is not None:
                self._file.close()
                self._file = None
            size = head.layout.group_bytes(profile(head.profile))
            self._file = GroupsFile(self._groups_path(generation), head.gallery, size, self.writable)
            self._generation = generation
        return self._file

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with plain.plain_errors(self.folder), plain.transaction(self._db, "DEFERRED"):
            yield

    def _step(self, change: Change) -> bool | None:
        """The transaction of `apply`: whether a new file of groups was begun; None when somebody else was faster."""
        with plain.transaction(self._db, "IMMEDIATE"):
            head, generation = home.read_head(self._db, self.folder)
            if change.head.revision != head.revision + 1:
                return None
            home.check_change(change, head)
            switched = bool(change.groups) and not head.dimension
            if switched:  # of another size, perhaps; nobody is enrolled in the old file any more
                generation += 1
                size = change.head.layout.group_bytes(profile(head.profile))
                GroupsFile.create(self._groups_path(generation), head.gallery, size)
            self._take_away(change)
            self._put_groups(change, generation)
            self._put_rows(change)
            home.write_head(self._db, change.head, generation, purge=change.erases)
        return switched

    def _take_away(self, change: Change) -> None:
        for number in change.gone_samples:
            self._db.execute("DELETE FROM detail WHERE number = ?", (number,))
            self._db.execute("DELETE FROM sample WHERE number = ?", (number,))
        for subject in change.gone_subjects:
            self._db.execute("DELETE FROM subject WHERE id = ?", (subject,))
        self._gone = {
            row[0]
            for group in change.gone_groups
            for row in self._db.execute("SELECT place FROM grp WHERE number = ?", (group,))
        }
        for group in change.gone_groups:
            self._db.execute("DELETE FROM grp WHERE number = ?", (group,))

    def _put_groups(self, change: Change, generation: int) -> None:
        if not change.groups:
            return
        file = self._groups(change.head, generation)
        # Also what this very change frees: until it is committed, a crash must find the old bytes.
        taken = {row[0] for row in self._db.execute("SELECT place FROM grp")} | self._gone
        place = 0
        for write in change.groups:
            while place in taken:
                place += 1
            taken.add(place)
            old = self._db.execute("SELECT place FROM grp WHERE number = ?", (write.row.number,)).fetchone()
            file.write(place, write.whole if write.whole is not None else _added(write, file, old, change.head))
            self._db.execute(
                "INSERT INTO grp VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET version = excluded.version, "
                "anchor = excluded.anchor, mark = excluded.mark, place = excluded.place, revision = excluded.revision",
                (*astuple(write.row), place, change.head.revision),
            )
        file.sync()

    def _put_rows(self, change: Change) -> None:
        revision = change.head.revision
        for subject in change.subjects:
            self._db.execute(
                "INSERT INTO subject VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record, "
                "mark = excluded.mark, revision = excluded.revision",
                (subject.id, subject.record, subject.mark, revision),
            )
        for sample in change.samples:
            self._db.execute("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*astuple(sample), revision))
            detail = (change.details or {}).get(sample.number, Detail())
            self._db.execute("INSERT INTO detail VALUES (?, ?, ?)", (sample.number, detail.vector, detail.picture))

    def _move_in(self, folder: Path, new: Head, theirs: int, generation: int) -> None:
        """Bring the files of another gallery beside ours; nothing points to them yet."""
        source, public = folder / f"groups.{theirs}.bin", home.public_folder(self.folder, new.identity)
        if source.exists():
            source.replace(self._groups_path(generation))
        if not public.exists():
            home.public_folder(folder, new.identity).rename(public)
        plain.sync_folder(self.folder)

    def _purge(self) -> None:
        """Overwrite what nobody points to and write the records anew, so that no byte of what was erased stays."""
        try:
            with plain.transaction(self._db, "IMMEDIATE"):
                head, generation = home.read_head(self._db, self.folder)
                if head.dimension:
                    _wipe(self._groups(head, generation), {row[0] for row in self._db.execute("SELECT place FROM grp")})
                for path in self.folder.glob("groups.*.bin*"):
                    if path != self._groups_path(generation) or not head.dimension:
                        shred(path)
                for path in self.folder.glob("public-*"):
                    if path != home.public_folder(self.folder, head.identity):
                        home.remove(path)
                home.remove(
                    self.folder / ROTATING
                )  # a rotation that is under way begins anew: it would bring back the erased
            self._db.execute("VACUUM")
            self._db.execute("UPDATE head SET purge = 0")
            plain.empty_log(self._db, self._timeout)
        except (GalleryBusy, GalleryFull, sqlite3.OperationalError) as error:
            why = str(error).rstrip(".")
            raise GalleryBusy(
                f"What was erased is out of the gallery {self.folder}, but old bytes may be in its files: {why}.",
                "Close the gallery everywhere, make room if need be, and open it once: that clears them.",
            ) from error

    def _tidy(self) -> None:
        """Finish what a process that died, or met a busy gallery or a full disk, left to do."""
        if self.writable and self._db.execute("SELECT purge FROM head").fetchone()[0]:
            with suppress(GalleryBusy):
                self._purge()


def _added(write: GroupWrite, file: GroupsFile, old: tuple[int] | None, head: Head) -> U32:
    """Ciphertexts that came from the edge, placed and added to what is there. No key is needed for that."""
    from mien.gallery.sealed.cipher import cipher

    by, layout = cipher(profile(head.profile)), head.layout
    body: U32 | None = None if old is None else file.view(old[0] + 1)[old[0]].reshape(head.row_shape)
    for slot, row in write.rows:
        body = by.placed(body, slot, row, layout)
    if body is None:
        raise GalleryError("A group was to be written without anything in it.", "Report this.")
    return body


def _wipe(file: GroupsFile, taken: set[int]) -> None:
    for place, body in enumerate(file.view(file.places())):
        if place not in taken and body.any():
            file.wipe(place)
    file.sync()
