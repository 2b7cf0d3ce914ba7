"""Which rows of a gallery's file have their codes in segments, so that only what came later is read when it is opened."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mien.gallery.segments import Entry
from mien.gallery.store import corrupt, seal, xor


@dataclass(frozen=True, slots=True)
class Covered:
    """Everybody up to `last_subject`, with all samples up to `last_sample`; what of them is still there."""

    last_subject: int = 0
    last_sample: int = 0
    subjects: int = 0
    samples: int = 0
    balance: bytes = bytes(16)  # of their seals, as in `Head`
    entries: tuple[Entry, ...] = ()

    def without(self, marks: Sequence[tuple[int, bytes]], subject: tuple[int, bytes] | None) -> Covered:
        """After (id, seal) of samples, and of a subject, went away."""
        gone = [mark for number, mark in marks if number <= self.last_sample]
        leaves = subject is not None and subject[0] <= self.last_subject
        balance = self.balance
        for mark in (*gone, *([subject[1]] if subject is not None and leaves else [])):
            balance = xor(balance, mark)
        return replace(self, subjects=self.subjects - leaves, samples=self.samples - len(gone), balance=balance)


def read(db: sqlite3.Connection, path: Path) -> Covered:
    """What is noted, checked; nothing in a file of format 1."""
    if db.execute("PRAGMA user_version").fetchone()[0] == 1:
        return Covered()
    found = db.execute("SELECT * FROM covered").fetchall()
    if not found:
        return Covered()
    *values, mark = found[0]
    if mark != seal(*values):
        raise corrupt(path, "the note of its codes does not match its seal")
    subject, sample, subjects, samples, balance, entries = values[1:]
    return Covered(subject, sample, subjects, samples, balance, tuple(Entry(*entry) for entry in json.loads(entries)))


def write(db: sqlite3.Connection, covered: Covered) -> None:
    """Replace the note. Runs inside the caller's transaction."""
    numbers = (1, covered.last_subject, covered.last_sample, covered.subjects, covered.samples)
    values = (*numbers, covered.balance, json.dumps(covered.entries))
    db.execute("INSERT OR REPLACE INTO covered VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, seal(*values)))
