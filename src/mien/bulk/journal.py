"""What a bulk run has finished, beside the gallery, so that it can be stopped anywhere and go on.

Exactly once, and why. Every batch is three durable commits (SQLite, write-ahead log, synced), in this order:

1. journal: the batch's pictures are *open*, each with a digest of the template that is about to be written;
   pictures that failed are *failed*;
2. gallery: the batch, all of it or nothing (`enrol_many`);
3. journal: the open pictures are *done*, and the digests of their templates are wiped.

Killed before 1, the journal knows nothing and the gallery got nothing: the pictures are done anew. Killed between 1 and 3,
they are open, and the gallery itself says what happened: the subject has a template with that digest, then 2 was reached
and the picture is done; or not, then nothing of it was written and it is done anew. Killed after 3, it is skipped. So each
picture's template is written once, whether or not another batch size, another worker or another processor gives the same
bits; that the gallery does not add the same bytes twice is not needed for it. One batch at most is open.

Forgotten people. Whoever is erased from the gallery does not come back when a run goes on: their pictures are done, and
done ones are skipped. One case cannot be told from the gallery: killed between 1 and 3, then somebody erased, then
resumed. An embedded gallery counts its erasures, so an open picture that is not in it after an erasure is not enrolled
but listed as failed, for a person to decide (`retry`). Other galleries do not count them: there it is enrolled again.
Only `again` brings back what was done and erased.

Whose journal. A new gallery, or an older copy put back, holds less than its journal says; going on would lose people
without a word. An embedded gallery numbers its samples and erasures upwards, both are noted with each batch, and a
gallery that is behind its journal is refused. Of other galleries only emptiness shows.

What it holds: no name, no path, no template. A picture is a BLAKE2b digest of subject and source, keyed with 32 random
bytes kept in the journal; failures keep their sentence with the source's name taken out. Whoever has the journal *and*
guesses a name with its path can check the guess, so it is removed when the work is done for good; nothing but the skipping
is lost with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mien import errors
from mien.bulk.items import Item
from mien.errors import CannotWrite, GalleryBusy, MienError, UsageError
from mien.media.door import shown

State = Literal["new", "open", "done", "failed", "doubtful"]
_STATES: tuple[State, ...] = ("new", "open", "done", "failed", "doubtful")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS item (key BLOB PRIMARY KEY, stamp BLOB NOT NULL, state INTEGER NOT NULL, template BLOB, "
    "problem TEXT) WITHOUT ROWID",
)
_APPLICATION = 0x6D69656A  # "miej", in the header of the file


class Entry(NamedTuple):
    """What is known of a picture."""

    state: State
    template: bytes = b""  # digest, of an open one
    error: MienError | None = None  # of a failed one


class Height(NamedTuple):
    """How far an embedded gallery has come; both only grow."""

    erasures: int
    samples: int


class Journal:
    """One file, held by one run at a time; ":memory:" for a gallery that dies with the process.

    Raises GalleryBusy while another run holds it, UsageError for a file that is something else, CannotWrite."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with self._told():
            # The connection may be closed by another thread than made it, where a caller runs in one.
            self._db = sqlite3.connect(self.path, timeout=0.5, isolation_level=None, check_same_thread=False)
            try:
                self._begin()
            except sqlite3.Error:
                self._db.close()
                raise
        salt = self._meta("salt")
        if salt is None:
            salt = secrets.token_bytes(32)
            with self._told():
                self._db.execute("INSERT INTO meta VALUES ('salt', ?)", (salt,))
        self._salt: bytes = salt

    def key(self, item: Item) -> bytes:
        """16 bytes that stand for a picture of a subject."""
        text = f"{item.subject}\0{item.source}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._salt).digest()

    def look(self, key: bytes, item: Item) -> Entry:
        """What is known of a picture; one whose content has changed is new."""
        with self._told():
            row = self._db.execute("SELECT stamp, state, template, problem FROM item WHERE key = ?", (key,)).fetchone()
        if row is None or row[0] != _mark(item.stamp):
            return Entry("new")
        error = None if row[3] is None else _error(row[3], item.source)
        return Entry(_STATES[row[1]], row[2] or b"", error)

    def intend(
        self,
        opened: Iterable[tuple[bytes, Item, bytes]],
        failed: Iterable[tuple[bytes, Item, MienError]],
        height: Height | None = None,
    ) -> None:
        """Step 1: (key, item, digest of its template) about to be written, and (key, item, why) that failed.

        height: how far the gallery has come before that."""
        rows: list[tuple[Any, ...]] = [(key, _mark(item.stamp), 1, digest, None) for key, item, digest in opened]
        rows += [(key, _mark(item.stamp), 3, None, _problem(error, item.source)) for key, item, error in failed]
        with self._told(), self._change():
            self._db.executemany("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?)", rows)
            self._note(height)

    def settle(self, keys: Sequence[bytes], height: Height | None) -> None:
        """Step 3: these are in the gallery, which has come this far."""
        with self._told(), self._change():
            self._db.executemany("UPDATE item SET state = 2, template = NULL WHERE key = ?", [(key,) for key in keys])
            self._note(height)

    def doubt(self, height: Height) -> None:
        """People were erased since pictures were left open: of those it cannot be told any more whether they were in."""
        with self._told(), self._change():
            self._db.execute("UPDATE item SET state = 4 WHERE state = 1")
            self._note(height)

    @property
    def height(self) -> Height | None:
        """How far the gallery had come at the last of these."""
        text = self._meta("height")
        return None if text is None else Height(*json.loads(text))

    def count(self, state: State) -> int:
        """How many pictures are in a state."""
        with self._told():
            query = "SELECT count(*) FROM item WHERE state = ?"
            return int(self._db.execute(query, (_STATES.index(state),)).fetchone()[0])

    def clear(self) -> None:
        """Know of nothing any more."""
        with self._told(), self._change():
            self._db.execute("DELETE FROM item")
            self._db.execute("DELETE FROM meta WHERE name = 'height'")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _begin(self) -> None:
        for pragma in ("locking_mode = EXCLUSIVE", "secure_delete = ON", "trusted_schema = OFF"):
            self._db.execute(f"PRAGMA {pragma}")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        known = self._db.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION
        if tables and not known:
            self._db.close()
            raise UsageError(f"{shown(self.path)} is no journal of a bulk run.", "Name another with --journal.")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        with self._change():
            if not known:
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
            for statement in _SCHEMA:
                self._db.execute(statement)

    def _note(self, height: Height | None) -> None:
        if height is not None:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('height', ?)", (json.dumps(height),))

    def _meta(self, name: str) -> Any:
        with self._told():
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _change(self) -> Iterator[None]:
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
        except sqlite3.OperationalError as error:
            name = shown(self.path)
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                told = f"Another bulk run is at work with the journal {name}."
                raise GalleryBusy(told, "Wait for it, or name another journal with --journal.") from error
            raise CannotWrite(
                f"The journal {name} cannot be written: {error}.", "Check the space and the folder."
            ) from error
        except sqlite3.DatabaseError as error:
            told = f"{shown(self.path)} is no journal of a bulk run, or is damaged: {error}."
            raise UsageError(told, "Remove it: all pictures are looked at anew, and none is enrolled twice.") from error


def beside(gallery: str) -> Path | None:
    """Where the journal of a gallery lies unless another place is named; None for one that is no file."""
    if "://" in gallery:
        return None
    return Path(":memory:") if gallery == ":memory:" else Path(f"{gallery.rstrip('/')}.bulk")


def _mark(stamp: str) -> bytes:
    """8 bytes that stand for a stamp."""
    return hashlib.blake2b(stamp.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _problem(error: MienError, source: str) -> str:
    words = [text.replace(source, "\0").replace(shown(source), "\1") for text in (error.message, error.remedy)]
    return json.dumps([error.code, *words])


def _error(text: str, source: str) -> MienError:
    """The error that `_problem` was given."""
    code, *words = json.loads(text)
    kind = getattr(errors, code, MienError)
    message, remedy = (word.replace("\0", source).replace("\1", shown(source)) for word in words)
    made: MienError = kind(message, remedy)
    return made
