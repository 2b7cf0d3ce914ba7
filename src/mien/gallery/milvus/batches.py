"""How a write becomes whole on a server that knows no transactions.

A write is a batch: an *intent* row goes first, then its rows, each with the batch's name, then one *commit* row, and that
counts: rows of a batch without it are seen by nobody. The intent goes last. A batch whose writer died is taken back by whoever
comes after `LEASE`: an *abort* row first, then a look at the commit. The writer looks the other way round, commit first and
then abort; so of a writer that was only slow and one that clears up after it, at most one goes on.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mien.errors import GalleryBusy
from mien.gallery.milvus.layout import BATCH, record
from mien.gallery.milvus.tables import STRONG, Tables

LEASE = 600.0  # s after which the writer of a batch is taken for dead
_REMEMBERED = 1_000_000  # batches known to count, about 60 MB
_ASKED = 2_000  # keys in one question


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch that was begun and not ended."""

    batch: str
    began: float  # s, by the clock of the writer
    owner: str  # whom an erasure is about; "" for an enrolment


def new_batch() -> str:
    """A name that no other batch has."""
    return base64.urlsafe_b64encode(os.urandom(9)).decode()


class Batches:
    """The batches of one gallery."""

    def __init__(self, tables: Tables) -> None:
        self._link, self._tables = tables.link, tables
        self._counting: dict[str, None] = {}  # oldest first

    def begin(self, batch: str, owner: str = "") -> None:
        """Announce a batch."""
        row = record("i" + batch, "intent", owner, batch) | {"place": time.time_ns()}
        self._link.write(self._tables.records, [row])

    def commit(self, batch: str) -> None:
        """Make it count. Raises GalleryBusy when it was taken for dead; then it does not."""
        self._link.write(self._tables.records, [record("k" + batch, "commit", "", batch)])
        if self._there(["a" + batch], STRONG):
            self._link.delete(self._tables.records, ["k" + batch])
            raise GalleryBusy(
                f"Writing to {self._link.address.shown} took longer than {LEASE:.0f} s and was given up.",
                "Do it again.",
            )
        self._remember([batch])

    def end(self, batch: str) -> None:
        """Nothing is left to do for it."""
        self._link.delete(self._tables.records, ["i" + batch])

    def abort(self, batch: str) -> bool:
        """Bar a batch for good; False when it counts already."""
        self._link.write(self._tables.records, [record("a" + batch, "abort", "", batch)])
        if self._there(["k" + batch], STRONG):
            self._link.delete(self._tables.records, ["a" + batch])
            return False
        return True

    def counting(self, batches: Iterable[str], level: str) -> set[str]:
        """Those that count."""
        asked = set(batches)
        unknown = sorted(asked - self._counting.keys())
        for start in range(0, len(unknown), _ASKED):
            part = unknown[start : start + _ASKED]
            there = self._there(["k" + batch for batch in part] + ["a" + batch for batch in part], level)
            self._remember(batch for batch in part if "k" + batch in there and "a" + batch not in there)
        return asked & self._counting.keys()

    def seen(self, rows: list[dict[str, Any]], level: str) -> list[dict[str, Any]]:
        """The rows of batches that count; a row's batch is the end of its key, or its field."""
        counting = self.counting((batch_of(row) for row in rows), level)
        return [row for row in rows if batch_of(row) in counting]

    def open(self, level: str = STRONG) -> list[Intent]:
        """Batches that were begun and not ended."""
        found = self._link.rows(self._tables.records, 'kind == "intent"', ["batch", "place", "owner"], level)
        return [Intent(row["batch"], row["place"] / 1e9, row["owner"]) for row in found]

    def _there(self, keys: list[str], level: str) -> set[str]:
        rows = self._link.rows(self._tables.records, f"id in {json.dumps(keys)}", ["id"], level)
        return {row["id"] for row in rows}

    def _remember(self, batches: Iterable[str]) -> None:
        for batch in batches:
            self._counting[batch] = None
        while len(self._counting) > _REMEMBERED:
            del self._counting[next(iter(self._counting))]


def batch_of(row: dict[str, Any]) -> str:
    """The batch that brought a row of a template or a person."""
    return str(row["id"])[-BATCH:]
