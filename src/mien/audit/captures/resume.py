"""What is done of a long run, in one SQLite file, so that the run goes on after a kill.

The file may hold templates of people: it is made readable by its owner only, and `forget` removes it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from mien.errors import CannotWrite, InputError

TEMPLATES = "unfinished-face-templates.db"  # what to call the file, so that whoever sees it knows what is in it
DETECTIONS = "unfinished-detections.db"
BATCH = 64  # pictures, and …
SECONDS = 5.0  # … s, after whichever comes first what is done is on the disk
_KIND = 1_835_624_046  # application_id, so that no other database is taken for one

T = TypeVar("T")


class Store(Generic[T]):
    """What is done, by key. In memory only where there is no path."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        encode: Callable[[T], tuple[str, bytes]],
        decode: Callable[[str, bytes], T],
    ) -> None:
        """encode, decode: one thing done to JSON and an array's bytes, and back; `decode` raises ValueError, LookupError or
        TypeError for what `encode` did not write. Raises InputError for a file of another kind, CannotWrite."""
        self._path = Path(path) if path is not None else None
        self._encode = encode
        self._ahead: list[tuple[str, str, bytes]] = []
        self._written = time.monotonic()
        self._file = self._open(self._path) if self._path is not None else None
        self.known: dict[str, T] = self._read(decode)

    def keep(self, key: str, done: T) -> None:
        """One more, on the disk within a batch. Raises CannotWrite."""
        self.known[key] = done
        if self._file is not None:
            self._ahead.append((key, *self._encode(done)))
            if len(self._ahead) >= BATCH or time.monotonic() - self._written > SECONDS:
                self.flush()

    def flush(self) -> None:
        """All of it on the disk. Raises CannotWrite."""
        if self._file is None:
            return
        try:
            with self._file:
                self._file.executemany("INSERT OR REPLACE INTO done VALUES (?, ?, ?)", self._ahead)
        except sqlite3.Error as error:
            raise CannotWrite(f"{self._path} cannot be written: {error}.", "Make room there.") from error
        self._ahead, self._written = [], time.monotonic()

    def close(self) -> None:
        """Write what is left and let go of the file."""
        if self._file is not None:
            try:
                self.flush()
            finally:
                self._file.close()
                self._file = None

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise CannotWrite(f"{path} cannot be written: {error.strerror}.", "Name another folder.") from error
        file = sqlite3.connect(path, timeout=10)
        try:
            kind = file.execute("PRAGMA application_id").fetchone()[0]
            empty = file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
            if kind != _KIND and not (empty and kind == 0):
                raise sqlite3.DatabaseError("it is another database")
            file.execute(f"PRAGMA application_id = {_KIND}")
            file.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, record TEXT, vector BLOB)")
            file.commit()
        except sqlite3.Error as error:
            file.close()
            raise InputError(
                f"{path} holds no unfinished run: {error}.", "Remove it, or name another folder."
            ) from error
        return file

    def _read(self, decode: Callable[[str, bytes], T]) -> dict[str, T]:
        if self._file is None:
            return {}
        try:
            return {key: decode(text, blob) for key, text, blob in self._file.execute("SELECT * FROM done")}
        except (sqlite3.Error, ValueError, LookupError, TypeError) as error:
            self._file.close()
            raise InputError(f"{self._path} is damaged: {error}.", "Remove it; the run then starts anew.") from error


def forget(path: str | os.PathLike[str]) -> None:
    """Remove the file of a run, with what SQLite keeps beside it; one that is not there is no error."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{os.fspath(path)}{suffix}").unlink()
