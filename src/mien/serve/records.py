"""What the service itself remembers: keys, jobs, receipts and the log, in one SQLite file that its processes share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.errors import CannotWrite, Unavailable

_WAIT = 10.0  # s for another process that is writing
_MOMENT = 500  # ms for readers of what is to be taken out of the write-ahead log


class Records:
    """A connection per thread to the service's own database; each part brings its tables.

    Raises CannotWrite where the file cannot be made or the disk is full, Unavailable while another process keeps writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def keep(self, tables: str) -> None:
        """Make tables that are not there yet: `tables` is SQL of CREATE … IF NOT EXISTS."""
        with self._told():
            db = self._db
            try:
                db.executescript(f"BEGIN IMMEDIATE; {tables} COMMIT;")  # one wait for the disk, not one for each table
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def look(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the records."""
        with self._told():
            self._db.execute("BEGIN DEFERRED")
            try:
                yield self._db
            finally:
                self._db.execute("ROLLBACK")

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Be the one writer; on leaving, all is on the disk or nothing is."""
        with self._told():
            db = self._db
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # a commit that fails on a full disk may leave it open, or not
                    db.execute("ROLLBACK")
                raise

    def settle(self) -> bool:
        """Take what was erased out of the write-ahead log too; False while a reader holds it there for longer."""
        with self._told():
            db = self._db
            db.execute(f"PRAGMA busy_timeout = {_MOMENT}")
            try:
                return bool(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
            finally:
                db.execute(f"PRAGMA busy_timeout = {int(_WAIT * 1000)}")

    def close(self) -> None:
        """Let go of the file, for all threads."""
        with self._lock:
            for one in self._all:
                one.close()
            self._all.clear()
            self._local = threading.local()

    @property
    def _db(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            self.path.parent.mkdir(0o700, parents=True, exist_ok=True)
            found = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = FULL")
            found.execute("PRAGMA secure_delete = ON")
            with self._lock:
                self._all.append(found)
            self._local.db = found
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise Unavailable("The service's records are in use for too long.", "Try again in a moment.") from error
            what = "has no room on its disk" if "full" in str(error) else f"cannot be used: {error}"
            raise CannotWrite(
                f"The file {self.path} {what}.", "Check the disk and the rights of the folder."
            ) from error
        except OSError as error:
            raise CannotWrite(
                f"The folder of {self.path} cannot be made: {error.strerror}.", "Name another."
            ) from error
