"""Search on the server, finished here: the server names rows, `ranking` scores them without rounding and settles ties.

The server computes in float32, each score within a bound of the true one. So the worst row of an answer tells what the rows
left out reach at most. Where that does not settle it, more rows are asked for; where the server gives no more, all are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import GalleryCorrupt
from mien.gallery import ranking
from mien.gallery.milvus.batches import Batches, batch_of
from mien.gallery.milvus.layout import OWNER, Key, key_of, vector_of
from mien.gallery.milvus.link import LIMIT
from mien.gallery.milvus.tables import Tables
from mien.gallery.scan import Candidates
from mien.types import F32, Match

_AT_ONCE = 512  # rows whose vectors come along with the answer
_MORE, _SPARE = 4, 16  # rows asked for beyond those wanted: several belong to one subject
_FETCHED = 2_000  # vectors asked for at a time
_FILTERED = 10_000  # subjects that a filter may name in a question to the server; more of them are sorted out here


def slack(dimension: int) -> float:
    """Bound on a float32 inner product's error for unit vectors, in any order of summation (Higham, 2002, section 3.1)."""
    unit = 2.0**-24
    return (dimension + 8) * unit / (1 - dimension * unit)


class RemoteView:
    """The templates of a gallery, or of some of its subjects, as the server has them."""

    def __init__(self, tables: Tables, batches: Batches, owners: frozenset[str] | None = None) -> None:
        self._tables, self._batches, self._owners = tables, batches, owners

    def search(self, probes: F32, k: int, floor: float | None) -> list[list[Match]]:
        """For each of the (q, D) unit vectors the k best subjects that score at least `floor`."""
        if self._owners is not None and not self._owners:
            return [[] for _ in probes]
        return ranking.search(Source(self._tables, self._batches, self._owners), probes, k, floor)


class Source:
    """Rows of the server, numbered in the order in which a search met them."""

    proof = "float32 on the server with its bound"

    def __init__(self, tables: Tables, batches: Batches, owners: frozenset[str] | None) -> None:
        self._link, self._tables, self._batches = tables.link, tables, batches
        self._level = tables.link.address.consistency
        self._owners = owners
        self._hidden: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._keys: list[str] = []
        self._known: dict[int, tuple[int, F32]] = {}
        self._people: dict[str, int] = {}
        self._dimension = 0

    def __len__(self) -> int:
        return 1 << 40  # a search ends when nothing is left out, not by a count that another process changes

    def candidates(self, probes: F32, m: int, floor: float | None) -> list[Candidates]:
        """All rows that may reach a threshold, and the threshold, for each probe."""
        self._dimension = probes.shape[1]
        limit = _MORE * m + _SPARE
        if limit > LIMIT:
            return [self._all(probe, m, floor) for probe in probes]
        found = self._asked(probes, limit, floor)
        return [self._judged(rows, limit, probes.shape[1], floor) for rows in found]

    def fetch(self, rows: NDArray[np.int64]) -> tuple[Sequence[int], F32]:
        """Numbers of the owners and vectors (n, D) of those of the rows that are still there."""
        lacking = [self._keys[row] for row in rows.tolist() if row not in self._known]
        for start in range(0, len(lacking), _FETCHED):
            where = f"id in {json.dumps(lacking[start : start + _FETCHED])}"
            self._learn(self._link.rows(self._tables.people, where, ["id", "subject", "vector"], self._level))
        there = [self._known[row] for row in rows.tolist() if row in self._known]
        if not there:
            return [], np.empty((0, self._dimension), np.float32)
        return [owner for owner, _ in there], np.stack([vector for _, vector in there])

    def named(self, owners: Sequence[int]) -> Sequence[str]:
        """The owners' names."""
        names = list(self._people)
        return [names[owner] for owner in owners]

    def _judged(self, rows: list[dict[str, Any]], limit: int, dimension: int, floor: float | None) -> Candidates:
        least = -math.inf if floor is None else floor
        if len(rows) >= limit:
            worst = min(float(row["distance"]) for row in rows)
            least = max(least, float(np.nextafter(worst + slack(dimension), 2.0)))
        kept = [self._number(row["id"]) for row in rows if self._wanted(row)]
        return Candidates(np.array(kept, np.int64), least)

    def _asked(self, probes: F32, limit: int, floor: float | None) -> list[list[dict[str, Any]]]:
        """Rows of the server's answer; asked again without the batches in it that do not count."""
        together = len(probes) * limit <= _AT_ONCE
        fields = ["subject", "vector"] if together else []
        while True:
            options: dict[str, Any] = {"filter": self._filter(), "output_fields": fields}
            if floor is not None:  # the server leaves out a row that is exactly at the radius
                options["search_params"] = {"params": {"radius": floor - 2 * slack(probes.shape[1])}}
            answer = self._link.call(
                "search", self._tables.people, list(probes), limit=limit, consistency_level=self._level, **options
            )
            found = [[_row(hit) for hit in hits] for hits in answer]
            rows = [row for each in found for row in each]
            hidden = {batch_of(row) for row in rows} - self._batches.counting(map(batch_of, rows), self._level)
            if not hidden:
                if together:
                    self._learn(rows)
                return found
            self._hidden |= hidden

    def _filter(self) -> str:
        parts = []
        if self._hidden:
            parts.append(f"batch not in {json.dumps(sorted(self._hidden))}")
        if self._owners is not None and len(self._owners) <= _FILTERED:
            parts.append(f"owner in {json.dumps(sorted(self._owners))}")
        return " and ".join(parts)

    def _wanted(self, row: dict[str, Any]) -> bool:
        return self._owners is None or row["id"][:OWNER] in self._owners

    def _all(self, probe: F32, m: int, floor: float | None) -> Candidates:
        """Every row that can be among the m best subjects, from a walk over all rows."""
        width = slack(len(probe))
        least = -math.inf if floor is None else floor
        kept: list[tuple[float, str, dict[str, Any]]] = []
        fields = ["id", "subject", "vector"]
        for page in self._link.pages(self._tables.people, self._filter(), fields, self._level, size=2048):
            rows = [row for row in self._batches.seen(page, self._level) if self._wanted(row)]
            if not rows:
                continue
            scores = np.stack([vector_of(row) for row in rows]) @ probe
            for score, row in zip(scores.tolist(), rows, strict=True):
                if score >= least - width:
                    kept.append((score, row["subject"], row))
            if len(kept) > 4 * m + LIMIT:
                kept = _best(kept, m, width)
        self._learn([row for *_, row in kept])
        return Candidates(np.array([self._number(row["id"]) for *_, row in kept], np.int64), -math.inf)

    def _learn(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            number = self._number(row["id"])
            if number not in self._known:
                key, vector = Key.of(row["id"]), vector_of(row)
                if key_of(key.owner, vector.tobytes(), key.batch) != key:
                    raise GalleryCorrupt(
                        f"A template of {row['subject']!r} in {self._link.address.shown} is not the one enrolled.",
                        "Erase and enrol that person again, and look at the server's disks.",
                    )
                owner = self._people.setdefault(row["subject"], len(self._people))
                self._known[number] = (owner, vector)

    def _number(self, key: str) -> int:
        number = self._numbers.setdefault(key, len(self._keys))
        if number == len(self._keys):
            self._keys.append(key)
        return number


def _row(hit: Any) -> dict[str, Any]:
    entity = hit["entity"]
    return {"id": hit["id"], "distance": hit["distance"], **{name: entity[name] for name in entity if name != "id"}}


def _best(
    kept: list[tuple[float, str, dict[str, Any]]], m: int, width: float
) -> list[tuple[float, str, dict[str, Any]]]:
    """Rows that may still belong to the m best subjects."""
    kept.sort(key=lambda item: -item[0])
    seen: set[str] = set()
    for score, name, _ in kept:
        seen.add(name)
        if len(seen) == m:
            return [item for item in kept if item[0] >= score - 2 * width]
    return kept
