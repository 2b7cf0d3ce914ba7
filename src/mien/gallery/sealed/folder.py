"""The folder of a sealed gallery: what is in it, making one, refusing what is none, and what change fits."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from mien.errors import GalleryNotFound, GalleryReadOnly, UsageError
from mien.gallery import store as plain
from mien.gallery.sealed.groups_file import other_format, shred
from mien.gallery.sealed.profiles import EVERY, FORMAT, OpenProfile
from mien.gallery.sealed.records import Change, Head

RECORDS = plain.SEALED_RECORDS
APPLICATION = 0x6D69655C  # in the header of records.db
LARGEST_RECORD = 1 << 18  # bytes: metadata are at most 64 KiB of text
LARGEST_DETAIL = 1 << 24  # a crop of 1024 px that does not compress, and some
HEAD = tuple(field.name for field in fields(Head))
SCHEMA = (
    "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, purge INTEGER NOT NULL, "
    f"{', '.join(f'{name} NOT NULL' for name in HEAD)})",
    "CREATE TABLE subject (id BLOB PRIMARY KEY, record BLOB NOT NULL, mark BLOB NOT NULL, revision INTEGER NOT NULL)",
    "CREATE TABLE grp (number INTEGER PRIMARY KEY, version INTEGER NOT NULL, anchor BLOB NOT NULL, mark BLOB NOT NULL, "
    "place INTEGER NOT NULL UNIQUE, revision INTEGER NOT NULL)",
    "CREATE TABLE sample (number INTEGER PRIMARY KEY, subject BLOB NOT NULL REFERENCES subject (id), "
    "grp INTEGER NOT NULL REFERENCES grp (number), slot INTEGER NOT NULL, covered INTEGER NOT NULL, record BLOB NOT NULL, "
    "detail BLOB NOT NULL, mark BLOB NOT NULL, revision INTEGER NOT NULL, UNIQUE (grp, slot))",
    "CREATE TABLE detail (number INTEGER PRIMARY KEY REFERENCES sample (number), vector BLOB NOT NULL, "
    "picture BLOB NOT NULL)",
)


def create(folder: Path, head: Head, public: bytes) -> None:
    """Make the folder of an empty gallery, whole or not at all. Raises UsageError when something is there."""
    taken = UsageError(f"There is already something at {folder}.", "Choose another name; nothing is overwritten.")
    if folder.exists():
        raise taken
    if not folder.parent.is_dir():
        raise GalleryNotFound(f"There is no folder {folder.parent} to put the gallery in.", "Make the folder first.")
    fresh = folder.with_name(f".{folder.name[:100]}.{os.urandom(6).hex()}.new")
    try:
        build(fresh, head, public)
        if folder.exists():
            raise taken
        fresh.rename(folder)
        plain.sync_folder(folder.parent)
    except PermissionError as error:
        raise GalleryReadOnly(f"The folder {folder.parent} may not be written.", "Choose another folder.") from error
    finally:
        remove(fresh)


def build(folder: Path, head: Head, public: bytes) -> None:
    """An empty gallery in a folder of its own that nobody else looks at yet."""
    home = public_folder(folder, head.identity)
    home.mkdir(mode=0o700, parents=True)
    (home / "public.key").write_bytes(public)
    folder.chmod(0o700)
    with plain.plain_errors(folder), plain.connect(folder / RECORDS, "rwc", 10.0) as db:
        # All are part of the file's format and must come before the first table.
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN")
        for statement in SCHEMA:
            db.execute(statement)
        write_head(db, head, 0, purge=False)
        db.execute("COMMIT")


def public_folder(folder: Path, identity: str) -> Path:
    """Where the public key of these keys lies: a matcher needs it to sanitise, and it is no secret."""
    return folder / f"public-{identity}"


def read_head(db: sqlite3.Connection, folder: Path) -> tuple[Head, int]:
    """(head row, number of the file of groups); the row's mark is for whoever holds the keys to check."""
    rows = db.execute(f"SELECT generation, {', '.join(HEAD)} FROM head").fetchall()
    if len(rows) != 1:
        raise plain.corrupt(folder, "its head row is missing")
    wanted = tuple({"bytes": bytes, "int": int, "str": str}[str(field.type)] for field in fields(Head))
    if tuple(map(type, rows[0][1:])) != wanted:
        raise plain.corrupt(folder, "its head row makes no sense")
    head = Head(*rows[0][1:])
    block = head.block
    if len(head.gallery) != 16 or head.profile not in EVERY or not 0 <= head.dimension < 1 << 16:
        raise plain.corrupt(folder, "its head row makes no sense")
    whole = block == 1 or not isinstance(EVERY[head.profile], OpenProfile)
    if head.dimension and not (0 < block <= 2048 and block & (block - 1) == 0 and whole):
        raise plain.corrupt(folder, "its head row makes no sense")
    return head, rows[0][0]


def write_head(db: sqlite3.Connection, head: Head, generation: int, *, purge: bool) -> None:
    """Replace the head row. purge: whether bytes of what was erased may still be somewhere in the files."""
    before = db.execute("SELECT purge FROM head").fetchone() or (0,)
    marks = ", ".join("?" * (len(HEAD) + 3))
    db.execute(
        f"INSERT OR REPLACE INTO head VALUES ({marks})", (1, generation, int(purge or before[0]), *astuple(head))
    )


def inspect(db: sqlite3.Connection, folder: Path) -> None:
    """Refuse what is another program's, of another version, or has tables that are not ours."""
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise plain.not_a_gallery(folder / RECORDS)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        raise other_format(f"The sealed gallery {folder}", version)
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in SCHEMA:
            fresh.execute(statement)
        wanted = _tables(fresh)
    # Foreign triggers and views would run inside our statements, so not one table more is allowed either.
    if _tables(db) != wanted:
        raise plain.corrupt(folder, "its tables are not those of a sealed gallery")


def _tables(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()


def check_change(change: Change, head: Head) -> None:
    """Raise UsageError for a change that cannot be meant for this gallery. Whether it is true, only keys can tell."""
    after, misfit = (
        change.head,
        UsageError("The change does not fit the gallery.", "Make it anew from its present state."),
    )
    same = ("gallery", "identity", "profile", "door")
    marks = [row.mark for row in change.subjects] + [row.mark for row in change.samples] + [after.mark]
    marks += [part for write in change.groups for part in (write.row.mark, write.row.anchor)]
    sizes = [len(row.record) for row in change.subjects] + [len(row.record) for row in change.samples]
    details = [len(part) for each in (change.details or {}).values() for part in (each.vector, each.picture)]
    fits = (
        all(getattr(after, name) == getattr(head, name) for name in same)
        and all(len(mark) == 32 for mark in marks)
        and max(sizes, default=0) <= LARGEST_RECORD
        and max(details, default=0) <= LARGEST_DETAIL
        and len(after.sealed) <= LARGEST_RECORD
        and set(change.details or {}) <= {row.number for row in change.samples}
        and all(head.last_sample < row.number <= after.last_sample for row in change.samples)
        and after.last_group >= head.last_group
        and after.epoch == head.epoch + change.erases
    )
    if not fits or (not after.dimension and (change.groups or change.samples)):
        raise misfit
    layout_same = (after.dimension, after.block) == (head.dimension, head.block)
    if not layout_same and head.dimension and after.dimension:
        raise misfit
    for write in change.groups:
        arrays = [row for _, row in write.rows] + ([] if write.whole is None else [write.whole])
        slots = all(0 <= slot < after.layout.slots for slot, _ in write.rows)
        if not arrays or not slots or any(array.shape != after.row_shape for array in arrays):
            raise misfit
    if after.dimension and any(not 0 <= row.slot < after.layout.slots for row in change.samples):
        raise misfit


def remove(folder: Path) -> None:
    """Take away a folder that holds a gallery of ours, groups overwritten."""
    if folder.is_dir():
        for path in folder.glob("groups.*.bin*"):
            shred(path)
        shutil.rmtree(folder)
