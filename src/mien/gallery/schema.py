"""The tables of a gallery's file, in the formats that there were."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import Any

APPLICATION = 0x6D69656E  # "mien", in the header of the file
VERSION = 2  # format 1 lacks what `_LARGE` adds; it is read as it is and brought up to date by the first who may write
PAGE = 8192  # bytes: three templates of 512 dimensions; at 4,096 each would have a page of its own

_FIRST = (
    """CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), space TEXT, dimension INTEGER,
subjects INTEGER NOT NULL, samples INTEGER NOT NULL, last_subject INTEGER NOT NULL, last_sample INTEGER NOT NULL,
epoch INTEGER NOT NULL, edits INTEGER NOT NULL, purge INTEGER NOT NULL, balance BLOB NOT NULL, points TEXT NOT NULL,
seal BLOB NOT NULL)""",
    """CREATE TABLE subject (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, enrolled TEXT NOT NULL,
seal BLOB NOT NULL, metadata TEXT NOT NULL, metadata_seal BLOB NOT NULL)""",
    """CREATE TABLE sample (id INTEGER PRIMARY KEY, subject INTEGER NOT NULL REFERENCES subject (id),
vector BLOB NOT NULL, quality REAL, source BLOB NOT NULL, image_seal BLOB, seal BLOB NOT NULL)""",
    "CREATE TABLE image (sample INTEGER PRIMARY KEY REFERENCES sample (id), png BLOB NOT NULL, geometry TEXT NOT NULL)",
)
# For galleries too large to be read as a whole when they are opened.
_LARGE = (
    """CREATE TABLE covered (id INTEGER PRIMARY KEY CHECK (id = 1), last_subject INTEGER NOT NULL,
last_sample INTEGER NOT NULL, subjects INTEGER NOT NULL, samples INTEGER NOT NULL, balance BLOB NOT NULL,
segments TEXT NOT NULL, seal BLOB NOT NULL)""",
    "CREATE INDEX sample_subject ON sample (subject, (image_seal IS NOT NULL))",
)


def statements(version: int = VERSION) -> tuple[str, ...]:
    """What makes the tables."""
    return _FIRST if version == 1 else (*_FIRST, *_LARGE)


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Make a file of format 1 one of the present format. Runs inside the caller's transaction."""
    if db.execute("PRAGMA user_version").fetchone()[0] < VERSION:
        for statement in _LARGE:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")


def tables(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()


@cache
def expected_tables(version: int) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in statements(version):
            db.execute(statement)
        return tables(db)
