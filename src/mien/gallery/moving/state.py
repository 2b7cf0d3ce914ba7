"""What is known of a migration: one small SQLite file beside the gallery, which any process can read.

Beside `people.db` may stand

    people.db.migration         this file: how far it is, and which sample of the one index is which of the other
    people.db.migration-lock    held while both indexes are changed together
    people.db.migrating         the index in the new space, until the switch
    people.db.<time>.bak        the index in the old space, from the switch on

People and templates are named in here by keyed digests only; the key goes when the file goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from glob import escape
from pathlib import Path
from typing import Literal, NamedTuple, Self

from mien.errors import GalleryBusy, GalleryCorrupt

Phase = Literal["preparing", "switched"]
_TIMEOUT = 10.0  # s to wait for another process that is writing here
_APPLICATION = 0x6D69656D  # "miem", in the header of the file
_SCHEMA = (
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL)",
    "CREATE TABLE pair (id INTEGER PRIMARY KEY, person BLOB NOT NULL, old BLOB, new BLOB)",
    "CREATE UNIQUE INDEX pair_once ON pair (person, IFNULL(old, x''), IFNULL(new, x''))",
)


@dataclass(frozen=True, slots=True)
class State:
    """How far a migration is."""

    phase: Phase  # preparing: the gallery answers in the old space; switched: in the new one
    embedder: str  # name of the model moved to
    old: str  # space moved from
    new: str  # space moved to
    second: str  # name of the file of the index that does not answer, beside the gallery
    started: str  # ISO 8601 UTC
    key: str  # hex, of the digests in here
    epoch: int  # of the gallery: removals up to there are done in the second index as well
    allow_loss: bool = False  # pictures without a crop may be lost
    pending: str = ""  # while switching: the file that takes the index in use; it becomes the second
    pending_epoch: int = 0  # and the epoch that the gallery will have then
    compared: str = ""  # the verdict of the last comparison, in words

    @property
    def space(self) -> str:
        """Space of the second index."""
        return self.new if self.phase == "preparing" else self.old

    @property
    def other(self) -> Phase:
        """The phase that a switch, or a roll back, leads to."""
        return "switched" if self.phase == "preparing" else "preparing"


class Count(NamedTuple):
    """How many samples of one person stand where, by the pairs."""

    here: int  # in the gallery
    there: int  # in the second index
    lost: int  # in the gallery, with no counterpart: they have no crop
    staying: int  # in the second index, with no counterpart: they were lost at the switch


class Pair(NamedTuple):
    """Digests of one sample in the gallery and of its counterpart in the second index."""

    here: bytes | None
    there: bytes | None


def state_path(gallery: Path) -> Path:
    """Where the state of a gallery's migration is, if there is one."""
    return gallery.with_name(gallery.name + ".migration")


def kept_files(gallery: Path) -> list[Path]:
    """Other indexes of the same people beside a gallery: what migrations left, oldest first, and what one is making."""
    found = sorted(gallery.parent.glob(f"{escape(gallery.name)}.*.bak"))
    growing = gallery.with_name(gallery.name + ".migrating")
    return [*found, growing] if growing.exists() else found


class Ledger:
    """The open state. Every change is on the disk when its method returns."""

    def __init__(self, gallery: Path) -> None:
        """Open what is there. Raises GalleryCorrupt for a file of something else, FileNotFoundError where none is."""
        self.gallery = gallery
        self.path = state_path(gallery)
        if not self.path.exists():
            raise FileNotFoundError(self.path)
        self._db = _connect(self.path)
        with ExitStack() as undo, self._told():
            undo.callback(self._db.close)
            _careful(self._db)
            if self._db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
                raise self._corrupt("it is something else")
            self.state = self._read()
            undo.pop_all()

    @classmethod
    def create(cls, gallery: Path, state: State) -> Self:
        """Begin one, whole or not at all."""
        path = state_path(gallery)
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)  # of a process that died here; the caller holds the lock
        db = _connect(fresh)
        try:
            _careful(db)
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute("BEGIN")
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO state VALUES (1, ?)", (json.dumps(asdict(state)),))
            db.execute("COMMIT")
        finally:
            db.close()
        fresh.replace(path)
        return cls(gallery)

    def write(self, state: State) -> None:
        """Put another state in its place."""
        with self._change():
            self._db.execute("UPDATE state SET text = ?", (json.dumps(asdict(state)),))
        self.state = state

    def reread(self) -> State:
        """The state as another process may have left it."""
        with self._told():
            self.state = self._read()
        return self.state

    @property
    def second(self) -> Path:
        """The file of the index that does not answer."""
        return self.gallery.with_name(self.state.second)

    def person(self, subject: str) -> bytes:
        """(16 bytes) what stands for a subject."""
        return self._digest(b"person", subject.encode("utf8", "surrogatepass"))

    def mark(self, subject: str, vector: bytes) -> bytes:
        """(16 bytes) what stands for a template of a subject."""
        return self._digest(b"sample", self.person(subject) + vector)

    def counts(self) -> dict[bytes, Count]:
        """Of everybody."""
        here, there = self._columns
        query = (
            f"SELECT person, COUNT({here}), COUNT(DISTINCT {there}), SUM({here} IS NOT NULL AND {there} IS NULL),"
            f" SUM({here} IS NULL) FROM pair GROUP BY person"
        )
        with self._told():
            return {person: Count(*numbers) for person, *numbers in self._db.execute(query)}

    def pairs(self, person: bytes) -> list[Pair]:
        """Of one person."""
        here, there = self._columns
        with self._told():
            rows = self._db.execute(f"SELECT {here}, {there} FROM pair WHERE person = ? ORDER BY id", (person,))
            return [Pair(*row) for row in rows]

    def total(self) -> tuple[int, int]:
        """(samples of the gallery that are done, those of them that are lost)."""
        here, there = self._columns
        query = f"SELECT COUNT({here}), SUM({here} IS NOT NULL AND {there} IS NULL) FROM pair"
        with self._told():
            done, lost = self._db.execute(query).fetchone()
        return done, lost or 0

    def add(self, rows: Iterable[tuple[bytes, Pair]]) -> None:
        """More pairs, of (person, pair)."""
        here, there = self._columns
        with self._change():
            self._db.executemany(
                f"INSERT OR IGNORE INTO pair (person, {here}, {there}) VALUES (?, ?, ?)",
                [(person, pair.here, pair.there) for person, pair in rows],
            )

    def remove(self, person: bytes, pairs: Iterable[Pair] | None = None) -> None:
        """Take out pairs of a person, or all of them."""
        here, there = self._columns
        with self._change():
            if pairs is None:
                self._db.execute("DELETE FROM pair WHERE person = ?", (person,))
            else:
                self._db.executemany(
                    f"DELETE FROM pair WHERE person = ? AND {here} IS ? AND {there} IS ?",
                    [(person, pair.here, pair.there) for pair in pairs],
                )

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _columns(self) -> tuple[str, str]:
        return ("old", "new") if self.state.phase == "preparing" else ("new", "old")

    def _digest(self, kind: bytes, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=16, key=bytes.fromhex(self.state.key), person=kind).digest()

    def _read(self) -> State:
        try:
            held = json.loads(self._db.execute("SELECT text FROM state").fetchone()[0])
            return State(**{field.name: held[field.name] for field in fields(State)})
        except (TypeError, KeyError, ValueError) as error:
            raise self._corrupt("its state cannot be read") from error

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise GalleryBusy(f"Another process is writing to {self.path}.", "Try again.") from error
            raise self._corrupt(str(error)) from error

    def _corrupt(self, what: str) -> GalleryCorrupt:
        return GalleryCorrupt(
            f"The state of a migration {self.path} cannot be used: {what}.",
            f"Erase it with `mien migrate {self.gallery} --drop` and begin anew; the gallery itself is not touched.",
        )


def discard(path: Path) -> None:
    """Take away a state file and what SQLite keeps beside it."""
    for each in (path, path.with_name(path.name + "-journal"), path.with_name(path.name + ".new")):
        each.unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_TIMEOUT, isolation_level=None, check_same_thread=False)


def _careful(db: sqlite3.Connection) -> None:
    """What is written is on the disk, and what is deleted is overwritten."""
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")


def new_key() -> str:
    """A key for the digests."""
    return os.urandom(16).hex()
