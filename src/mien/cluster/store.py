"""The file of an album: one SQLite database with photos seen, faces, groups, and what the user said about them.

Photos are known by the digest of their content, so that a renamed or copied file is not seen twice. Numbers of groups are
given once and never again; a group that became part of another points at it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryError, GalleryFull, GalleryNotFound, GalleryReadOnly

APPLICATION = 0x6D69636C  # "micl", in the header of the file
VERSION = 1
_TIMEOUT = 10.0  # s to wait for another process that is writing

SCHEMA = (
    "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), space TEXT NOT NULL)",
    """CREATE TABLE photo (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, source TEXT NOT NULL,
twice INTEGER NOT NULL, faces INTEGER NOT NULL)""",
    """CREATE TABLE face (id INTEGER PRIMARY KEY AUTOINCREMENT, photo INTEGER NOT NULL REFERENCES photo (id),
grouped INTEGER REFERENCES grouping (id), quality REAL NOT NULL, vector BLOB NOT NULL, crop BLOB NOT NULL,
geometry TEXT NOT NULL)""",
    """CREATE TABLE grouping (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, hidden INTEGER NOT NULL,
part_of INTEGER REFERENCES grouping (id))""",
    """CREATE TABLE command (id INTEGER PRIMARY KEY AUTOINCREMENT, words TEXT NOT NULL, made TEXT NOT NULL,
before TEXT NOT NULL)""",
    """CREATE TABLE tie (command INTEGER NOT NULL REFERENCES command (id), face INTEGER NOT NULL REFERENCES face (id),
lifted INTEGER REFERENCES command (id), PRIMARY KEY (command, face))""",
    """CREATE TABLE parting (command INTEGER NOT NULL REFERENCES command (id), side INTEGER NOT NULL,
face INTEGER NOT NULL REFERENCES face (id), lifted INTEGER REFERENCES command (id), PRIMARY KEY (command, side, face))""",
    "CREATE INDEX face_of_photo ON face (photo)",
    "CREATE INDEX face_of_group ON face (grouped)",
)


def open_file(path: Path, *, create: bool, read_only: bool) -> sqlite3.Connection:
    """A connection to an album, made if there is none and `create`.

    Raises GalleryNotFound, GalleryCorrupt, GalleryReadOnly, GalleryBusy, GalleryError."""
    if path.is_dir():
        raise GalleryError(f"{path} is a folder; an album is one file.", "Name a file, such as people.cluster.")
    there = path.exists()
    if not there and (read_only or not create):
        raise GalleryNotFound(f"There is no album at {path}.", f"Make it with: mien cluster photos/ -o {path.name}")
    if not path.parent.is_dir():
        raise GalleryNotFound(f"There is no folder {path.parent} to put the album in.", "Make the folder first.")
    if there and path.stat().st_size == 0:
        raise _none(path)
    with plain_errors(path):
        mode = "rwc" if not there else "rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "ro"
        db = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=_TIMEOUT, isolation_level=None,
                             check_same_thread=False)  # fmt: skip
        with ExitStack() as undo:
            undo.callback(db.close)
            _prepare(db, path, there, read_only or mode == "ro")
            undo.pop_all()
    return db


def _prepare(db: sqlite3.Connection, path: Path, there: bool, read_only: bool) -> None:
    for pragma in ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON", "trusted_schema = OFF"):
        db.execute(f"PRAGMA {pragma}")
    if not there:
        db.execute("PRAGMA journal_mode = WAL")
        with transaction(db):
            # Another process may have been first; the header is part of the transaction, so it is whole or absent.
            if db.execute("PRAGMA application_id").fetchone()[0] == 0:
                for statement in SCHEMA:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {VERSION}")
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise _none(path)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise GalleryCorrupt(f"The album {path} has format {version}; this mien reads {VERSION}.", "Update mien.")
    if read_only:
        db.execute("PRAGMA query_only = ON")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Be the one writer; on leaving, all is on the disk or nothing is."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            with suppress(sqlite3.Error):  # the error that brought us here is the one to tell
                db.execute("ROLLBACK")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the one process that adds photos to an album; the system lets go of it also when the process is killed.

    Raises GalleryBusy."""
    lock = sqlite3.connect(path.with_name(f".{path.name}.lock"), timeout=0.0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise GalleryBusy(
                f"Another process is adding photos to the album {path}.", "Try again when it has finished."
            ) from error
        yield
    finally:
        lock.close()


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error, path) from error


def _translated(error: sqlite3.Error, path: Path) -> GalleryError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE):
        return GalleryFull(
            f"The album {path} could not be written: the disk or a quota is full.",
            "Make room and run the same again; everything done before is kept.",
        )
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return GalleryBusy(f"Another process is writing to the album {path}.", "Try again when it has finished.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return GalleryReadOnly(f"The album {path} cannot be opened for this.", "Look at its permissions.")
        case sqlite3.SQLITE_NOTADB:
            return _none(path)
    return GalleryCorrupt(f"The album {path} is damaged: {error}.", "Put a copy in its place, or make a new one.")


def _none(path: Path) -> GalleryCorrupt:
    return GalleryCorrupt(f"The file {path} is no album.", "Name an album, or a file that does not exist yet.")
