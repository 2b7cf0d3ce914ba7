"""The file of an embedded gallery: one SQLite database, every row of it sealed.

A seal is a BLAKE2b digest of what the row says. The head row counts the rows, holds the exclusive-or of their seals
(`balance`) and is sealed itself, so a row that was changed, lost or doubled by a failing disk is noticed, not searched.

No function here opens the database file except through SQLite: closing any other descriptor of it would drop the locks
that this process holds on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any
from uuid import uuid4

from mien.errors import (
    GalleryBusy,
    GalleryCorrupt,
    GalleryError,
    GalleryFull,
    GalleryNotFound,
    GalleryReadOnly,
    UsageError,
)
from mien.gallery import schema

SEALED_RECORDS = "records.db"  # in the folder of a sealed gallery


@dataclass(frozen=True, slots=True)
class Head:
    """The one row that speaks for all others."""

    space: str | None = None
    dimension: int | None = None
    subjects: int = 0
    samples: int = 0
    last_subject: int = 0  # ids are never used twice
    last_sample: int = 0
    epoch: int = 0  # grows whenever rows go away; while it stands still, rows are only added
    edits: int = 0  # grows whenever somebody's metadata are replaced
    purge: int = 0  # 1 while erased bytes may still be somewhere in the file
    balance: bytes = bytes(16)
    points: str = "[]"  # operating points measured on the people enrolled, as JSON


def seal(*parts: Any) -> bytes:
    """(16 bytes) digest of values as SQLite hands them out; any change of a value or its type changes it."""
    blobs = [part for part in parts if type(part) is bytes]
    # A repr never holds a raw NUL, so the first one ends it; blobs are stood for by their lengths, as no value SQLite has.
    text = repr([(len(part),) if type(part) is bytes else part for part in parts])
    return hashlib.blake2b(b"\0".join((text.encode("utf-8", "surrogatepass"), *blobs)), digest_size=16).digest()


def xor(left: bytes, right: bytes) -> bytes:
    """(16 bytes) left and right combined; doing it twice undoes it."""
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(16, "little")


def read_head(db: sqlite3.Connection, path: Path) -> Head:
    """The head row, checked."""
    columns = ", ".join(column.name for column in fields(Head))
    found = db.execute(f"SELECT {columns}, seal FROM head").fetchall()
    if len(found) != 1 or found[0][-1] != seal(*found[0][:-1]):
        raise corrupt(path, "its head row does not match its seal")
    return Head(*found[0][:-1])


def write_head(db: sqlite3.Connection, head: Head) -> None:
    """Replace the head row."""
    values = astuple(head)
    marks = ", ".join("?" * (len(values) + 1))
    db.execute(f"INSERT OR REPLACE INTO head VALUES (1, {marks})", (*values, seal(*values)))


def corrupt(path: Path, what: str) -> GalleryCorrupt:
    """The error for a damaged file."""
    return GalleryCorrupt(
        f"The gallery {path} is damaged: {what}.", "Put a backup in its place, or enrol into a new file."
    )


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except (sqlite3.Error, UnicodeError) as error:
        raise _translate(error, path) from error


def _translate(error: Exception, path: Path) -> GalleryError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    # A quota or a size limit is an input/output error to SQLite; only ENOSPC is "full".
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE):
        return GalleryFull(
            f"The gallery {path} could not be written: the disk or a quota is full.",
            "Make room and try again; everything enrolled before is still there.",
        )
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return GalleryBusy(f"Another process is writing to the gallery {path}.", "Try again when it has finished.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return read_only(path)
        case sqlite3.SQLITE_CANTOPEN:
            return GalleryReadOnly(
                f"The gallery {path} cannot be opened: the file, its -wal file or its folder is out of reach.",
                "Look at the permissions; after a crash, open it once where its folder can be written.",
            )
        case sqlite3.SQLITE_NOTADB:
            return not_a_gallery(path)
        case sqlite3.SQLITE_IOERR if code != sqlite3.SQLITE_IOERR_SHORT_READ:
            return GalleryError(
                f"The disk failed under the gallery {path}: {error}.", "Look at the disk, then try again."
            )
    return corrupt(path, str(error))


def read_only(path: Path) -> GalleryReadOnly:
    """The error for a change to what may only be read."""
    return GalleryReadOnly(f"The gallery {path} may only be read.", "Open it for writing, and look at its permissions.")


def not_a_gallery(path: Path) -> GalleryCorrupt:
    """The error for a file of something else."""
    return GalleryCorrupt(
        f"The file {path} is no gallery.", "Give the path of a gallery, or of a file that does not exist yet."
    )


def is_sealed(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a sealed gallery: a folder with records in it, or a name that says so and is no file."""
    home = Path(path)
    try:
        return (home / SEALED_RECORDS).is_file() or (home.suffix == ".sealed" and not home.is_file())
    except (OSError, ValueError):
        return False  # told when it is opened


def side_file(path: Path) -> Path:
    """Where SQLite logs what is not in the file yet."""
    return path.with_name(path.name + "-wal")


def codes_folder(path: Path) -> Path:
    """Where the codes of a large gallery are (see `segments`)."""
    return path.with_name(path.name + "-codes")


def writable(path: Path) -> bool:
    """Whether the file and its folder (for the side files) may be written."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def present(path: Path) -> bool:
    """Whether a file is there. Raises UsageError for a folder, or for what can be no path."""
    try:
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder; a gallery is one file.", f"Give a file in it, such as {path / 'people.db'}."
            )
        if "\0" in str(path):
            raise UsageError("The path of the gallery holds a NUL character.", "Take it out.")
        return path.exists()
    except OSError as error:
        raise UsageError(f"{str(path)[:200]} cannot be a gallery: {error.strerror}.", "Give another path.") from error


def create(path: Path) -> None:
    """Make an empty gallery, whole or not at all; one that another process makes meanwhile is left alone."""
    if not path.parent.is_dir():
        raise GalleryNotFound(f"There is no folder {path.parent} to put the gallery in.", "Make the folder first.")
    if side_file(path).exists():
        raise GalleryCorrupt(
            f"The gallery {path} is missing, but its log {side_file(path).name} is there.",
            "Bring the file back beside it, or remove the log to start anew.",
        )
    with suppress(FileExistsError), _built(path) as fresh, connect(fresh, "rwc", 10.0) as db:
        # All three are part of the file's format and must come before the first table, the page size before all else.
        db.execute(f"PRAGMA page_size = {schema.PAGE}")
        db.execute(f"PRAGMA application_id = {schema.APPLICATION}")
        db.execute(f"PRAGMA user_version = {schema.VERSION}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN")
        for statement in schema.statements():
            db.execute(statement)
        write_head(db, Head())
        db.execute("COMMIT")


@contextmanager
def _built(path: Path) -> Iterator[Path]:
    """A name beside `path` that takes its place when the block ends well, unless something is there by then."""
    fresh = path.with_name(f".{path.name[:100]}.{uuid4().hex[:12]}.new")
    try:
        with plain_errors(path):
            if not os.access(path.parent, os.W_OK):
                raise GalleryReadOnly(
                    f"The folder {path.parent} may not be written.", "Choose another folder for the gallery."
                )
            yield fresh
        try:
            os.link(fresh, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if path.exists():
                raise FileExistsError(path) from None
            fresh.rename(path)
        sync_folder(path.parent)
    finally:
        remove(fresh)


def remove(path: Path) -> None:
    """Take away a gallery's file, its side files and its codes, if they are there."""
    for leftover in (path, side_file(path), path.with_name(path.name + "-shm")):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(codes_folder(path), ignore_errors=True)


@contextmanager
def appear(path: str | os.PathLike[str]) -> Iterator[Path]:
    """`_built` for a copy that a user asked for by name. Raises UsageError when something is there already."""
    target = Path(path).absolute()
    taken = UsageError(f"There is already something at {target}.", "Choose another name; nothing is overwritten.")
    if target.exists():
        raise taken
    if not target.parent.is_dir():
        raise GalleryNotFound(f"There is no folder {target.parent}.", "Make the folder first.")
    try:
        with _built(target) as fresh:
            yield fresh
    except FileExistsError:
        raise taken from None


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut, where the system lets a folder be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What changes when the file is replaced or written to."""

    inode: int
    size: int
    changed: int  # ns
    log: bool  # whether there is a log with something in it


def look(path: Path) -> os.stat_result:
    """What the file is at this moment; its inode is another once it was replaced. Raises GalleryNotFound when it is gone."""
    try:
        return path.stat()
    except FileNotFoundError:
        raise GalleryNotFound(f"The gallery {path} is not there any more.", "Put it back, or open another.") from None


def footprint(path: Path) -> Footprint:
    """Look at the file from outside. Raises GalleryNotFound when it is gone."""
    status = look(path)
    log = side_file(path)
    return Footprint(status.st_ino, status.st_size, status.st_mtime_ns, log.exists() and log.stat().st_size > 0)


def open_file(path: Path, timeout: float, read_only: bool) -> tuple[sqlite3.Connection, bool]:
    """(connection to a gallery's file, whether it is frozen: it sees the file as it is now and no later change)."""
    if not os.access(path, os.R_OK):
        raise GalleryError(f"The gallery {path} may not be read.", "Look at its permissions.")
    if path.stat().st_size == 0:
        raise corrupt(path, "it is empty")
    # SQLite cannot share a log in a folder that it may not write to. Where there is no log nobody is writing just now,
    # and the file alone is all there is.
    mode = "rw" if writable(path) else "ro" if footprint(path).log else "immutable"
    with plain_errors(path), ExitStack() as undo:
        db = connect(path, mode, timeout)
        undo.callback(db.close)
        inspect(db, path)
        if read_only:
            db.execute("PRAGMA query_only = ON")
        undo.pop_all()
    return db, mode == "immutable"


class _Connection(sqlite3.Connection):
    """A connection that a `with` block closes."""

    def __exit__(self, *_: object) -> Any:
        self.close()


def connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    """Open the database file. mode: rw, rwc, ro, or immutable (nobody else writes, no side files are made)."""
    how = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    db = sqlite3.connect(
        f"{path.as_uri()}?{how}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )
    with ExitStack() as undo:
        undo.callback(db.close)  # the first statement is what finds out that this is no database
        for pragma in (
            "synchronous = FULL",
            "secure_delete = ON",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
        ):
            db.execute(f"PRAGMA {pragma}")
        undo.pop_all()
    return db


def inspect(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is empty, another program's, of another version, or whose tables are not ours."""
    if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION:
        raise not_a_gallery(path)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version not in (1, schema.VERSION):
        raise GalleryCorrupt(
            f"The gallery {path} has format {version}; this mien reads formats 1 and {schema.VERSION}.", "Update mien."
        )
    # Foreign triggers and views would run inside our statements, so not one table more is allowed either.
    if schema.tables(db) != schema.expected_tables(version):
        raise corrupt(path, "its tables are not those of a gallery")


def empty_log(db: sqlite3.Connection, timeout: float) -> None:
    """Bring everything into the file and cut the log to nothing. Raises GalleryBusy when others are in the way for long."""
    deadline = time.monotonic() + timeout
    # SQLite waits for readers by itself, but not for another process that is emptying the log.
    while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() >= deadline:
            raise GalleryBusy("The log of the gallery is in use.", "Try again later.")
        time.sleep(0.01)


def holds(path: Path, traces: Iterable[bytes]) -> bool:
    """Whether any of these bytes stand anywhere in a file that is not empty."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(trace) >= 0 for trace in traces)


@contextmanager
def transaction(db: sqlite3.Connection, kind: str) -> Iterator[None]:
    """BEGIN DEFERRED to read one state of the file, BEGIN IMMEDIATE to be the one writer."""
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            with suppress(sqlite3.Error):  # the error that brought us here is the one to tell
                db.execute("ROLLBACK")
