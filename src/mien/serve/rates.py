"""How much a key may ask: a rate with bursts, per process, and a quota per day, over all processes."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from mien.errors import Overloaded
from mien.serve.keys import Key
from mien.serve.records import Records
from mien.serve.settings import Settings

_TABLES = """
CREATE TABLE IF NOT EXISTS quota (key TEXT PRIMARY KEY, day TEXT NOT NULL, used INTEGER NOT NULL) STRICT;
"""
_SURE = 2.0  # s for which a quota that was used up is taken to be so still: a refusal should not cost a write
_PARTS = 50  # a process takes a quota in that many parts, so that few requests wait for the disk


class Bucket:
    """A token bucket: `rate` per second run in, up to `most`."""

    __slots__ = ("_at", "_lock", "_tokens")

    def __init__(self, most: float) -> None:
        self._tokens, self._at, self._lock = most, time.monotonic(), threading.Lock()

    def take(self, rate: float, most: float) -> float:
        """Take one token; returns 0, or the seconds until there is one."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(most, self._tokens + (now - self._at) * rate)
            self._at = now
            if self._tokens < 1:
                return (1 - self._tokens) / rate
            self._tokens -= 1
            return 0.0


class Rates:
    """Counts the requests of keys. A process has its share of each rate; a quota is counted in the records, in parts: a
    process that is killed takes at most one part with it (a fiftieth), and a quota is never exceeded."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self._records, self._settings = records, settings
        self._buckets: dict[str, Bucket] = {}
        self._none: dict[str, float] = {}  # key -> until when it is known that nothing is left, monotonic s
        self._left: defaultdict[tuple[str, str], int] = defaultdict(int)  # (key, day) -> requests taken and not used
        self._lock = threading.Lock()
        records.keep(_TABLES)

    def take(self, key: Key) -> None:
        """Count one request. Raises Overloaded with the seconds to wait."""
        processes = self._settings.processes
        rate = (key.rate or self._settings.rate) / processes
        most = max(1.0, (key.burst or self._settings.burst) / processes)
        bucket = self._buckets.get(key.id)
        if bucket is None:
            with self._lock:
                bucket = self._buckets.setdefault(key.id, Bucket(most))
        if after := bucket.take(rate, most):
            told = f"The key {key.name!r} asks more than {key.rate or self._settings.rate:g} times a second."
            raise Overloaded(told, f"Try again in {after:.1f} s, and more slowly.", after)
        if key.quota is not None:
            self._count(key, key.quota)

    def used(self, key: Key) -> int:
        """Requests of today that processes took out of the quota."""
        with self._records.look() as db:
            row = db.execute("SELECT used FROM quota WHERE key = ? AND day = ?", (key.id, _today())).fetchone()
        return int(row["used"]) if row else 0

    def close(self) -> None:
        """Give back what was taken and not used today."""
        with self._lock:
            for (key, day), left in self._left.items():
                if left:
                    with self._records.change() as db:
                        db.execute("UPDATE quota SET used = used - ? WHERE key = ? AND day = ?", (left, key, day))
            self._left.clear()

    def _count(self, key: Key, quota: int) -> None:
        with self._lock:
            place, now = (key.id, _today()), time.monotonic()
            if not self._left[place] and self._none.get(key.id, 0.0) < now:
                self._left = defaultdict(
                    int, {one: left for one, left in self._left.items() if left and one[1] == place[1]}
                )
                self._left[place] = self._part(key.id, place[1], quota)
                if not self._left[place]:
                    self._none[key.id] = now + _SURE
            if self._left[place]:
                self._left[place] -= 1
                return
        after = _until_tomorrow()
        told = f"Today's quota of {quota:,} requests of the key {key.name!r} is used up."
        raise Overloaded(told, "Wait until tomorrow (UTC), or have the quota raised.", after)

    def _part(self, key: str, day: str, quota: int) -> int:
        """Take a part of what is left of a key's day; returns how many requests."""
        with self._records.change() as db:
            row = db.execute("SELECT day, used FROM quota WHERE key = ?", (key,)).fetchone()
            used = row["used"] if row and row["day"] == day else 0
            part: int = min(max(1, quota // _PARTS), max(0, quota - used))
            db.execute("INSERT OR REPLACE INTO quota VALUES (?, ?, ?)", (key, day, used + part))
        return part


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _until_tomorrow() -> float:
    now = datetime.now(UTC)
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - now).total_seconds()
