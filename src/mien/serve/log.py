"""Who did what, when: an append-only log that is hash-chained and sealed, in a file that the service's processes share.

An entry names the key, the action and facts about it; never pixels or vectors. Subjects stand in it under an alias (an HMAC
of their name): the name itself is kept beside the chain and goes with the person, and the chain stays whole."""

from __future__ import annotations

import hmac
import json
import logging
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLong
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mien.errors import CannotWrite, MienError, Unavailable
from mien.serve import chain
from mien.serve.anchor import Anchor
from mien.serve.records import Records

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from mien.serve.access import Caller

_TABLES = """
CREATE TABLE IF NOT EXISTS log (
    number INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash BLOB NOT NULL,
    tenant TEXT GENERATED ALWAYS AS (json_extract(entry, '$.tenant')) VIRTUAL,
    alias TEXT GENERATED ALWAYS AS (json_extract(entry, '$.facts.subject')) VIRTUAL
) STRICT;
CREATE INDEX IF NOT EXISTS log_tenant ON log (tenant, number);
CREATE INDEX IF NOT EXISTS log_alias ON log (alias, number);
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER, hash BLOB, seal BLOB) STRICT;
CREATE TABLE IF NOT EXISTS name (alias TEXT PRIMARY KEY, subject TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS gone (alias TEXT PRIMARY KEY) STRICT;
CREATE TRIGGER IF NOT EXISTS log_stays BEFORE DELETE ON log BEGIN SELECT raise(ABORT, 'the log only grows'); END;
CREATE TRIGGER IF NOT EXISTS log_is_so BEFORE UPDATE ON log BEGIN SELECT raise(ABORT, 'the log only grows'); END;
"""
SUBJECTS = ("subject", "into", "other")  # facts that are names of subjects
GATHER = 0.2  # s that entries of reads wait for others; what a kill can lose
WAITING = 10_000  # entries that may wait while the disk takes none; then requests are refused
PATIENCE = 20.0  # s that a change waits for its entry to be on the disk
JUMP = 2.0  # s by which the clock may part from the steady one before that is an entry of its own

log = logging.getLogger("mien.serve")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class Only:
    """Which entries are wanted; None is any."""

    alias: str | None = None  # of a subject
    gallery: str | None = None
    action: str | None = None


@dataclass(slots=True, eq=False)
class _Entry:
    body: dict[str, Any]
    names: dict[str, str] = field(default_factory=dict)  # alias -> subject
    durable: bool = False  # a change: somebody waits for it, and it may name a subject anew
    at: str = field(default_factory=lambda: _now())
    done: Future[None] = field(default_factory=Future)


class Log:
    """The log in `records` (a file of its own), sealed under `master`. Threads and processes may share the file.

    One thread per process writes, many entries to a transaction; it starts with the first entry."""

    def __init__(self, records: Records, master: bytes, anchored: Anchor | None = None) -> None:
        self._records, self._master, self._anchored = records, master, anchored
        self._waiting: deque[_Entry] = deque()
        self._change = threading.Condition()
        self._stopping = self._hurry = False
        self._thread: threading.Thread | None = None
        self._drift = time.time() - time.monotonic()
        self._latest: _Entry | None = None  # the one added last
        # Number of the newest entry known to have been there: of the note, later of what this process wrote.
        self._written = Anchor.number(anchored.known()) if anchored else 0
        records.keep(_TABLES)

    def add(self, caller: Caller | None, action: str, *, durable: bool = False, **facts: Any) -> None:
        """Put down that `caller` (None: the service itself) did `action`; facts are JSON scalars or short lists of them.

        durable: return when it is on the disk (do not call it so from the event loop); else within GATHER seconds.
        Raises CannotWrite, Unavailable: then the entry is kept in memory and written when that is possible again."""
        tenant, key = (caller.tenant, caller.key) if caller else ("", "")
        shown, names = self._hidden(tenant, facts)
        one = _Entry({"tenant": tenant, "key": key, "action": action, "facts": shown}, names, durable)
        chain.canonical(one.body)  # what is no JSON fails here, and not in the thread that writes
        with self._change:
            if self._stopping:
                raise Unavailable("The service is stopping.", "Ask again in a moment.")
            if len(self._waiting) >= WAITING:
                raise CannotWrite("The log cannot be written, and nothing is done unlogged.", "Check the disk.")
            self._waiting.append(one)
            self._latest = one
            self._hurry |= durable
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="log", daemon=True)
                self._thread.start()
            self._change.notify_all()
        if durable:
            try:
                one.done.result(PATIENCE)
            except TooLong as error:
                raise Unavailable("The log cannot be written at the moment.", "Try again in a moment.") from error

    def alias(self, tenant: str, gallery: str, subject: str) -> str:
        """What stands in the log in place of a subject's name."""
        text = json.dumps([tenant, gallery, unicodedata.normalize("NFC", subject.strip())]).encode()
        return "~" + hmac.digest(self._master, b"mien alias " + text, "sha256").hex()[:24]

    def forget(self, alias: str) -> None:
        """Erase the name behind an alias; its entries stay, without it."""
        with self._records.change() as db:
            db.execute("INSERT OR IGNORE INTO gone VALUES (?)", (alias,))
            db.execute("DELETE FROM name WHERE alias = ?", (alias,))
        self.settle()

    def settle(self) -> None:
        """Leave no erased name in the file's write-ahead log; where a reader is at it, the next call does."""
        self._records.settle()

    def entries(
        self, tenant: str | None, before: int | None = None, limit: int = 100, only: Only | None = None
    ) -> list[dict[str, Any]]:
        """Entries of a tenant (None: of all), newest first: those under the number `before`, and as `only` says."""
        of = only or Only()
        wanted = {
            "tenant = ?": tenant,
            "number < ?": before,
            "alias = ?": of.alias,
            "json_extract(entry, '$.facts.gallery') = ?": of.gallery,
            "json_extract(entry, '$.action') = ?": of.action,
        }
        given = {words: value for words, value in wanted.items() if value is not None}
        clause = f"WHERE {' AND '.join(given)} " if given else ""
        with self._records.look() as db:
            asked = f"SELECT number, entry FROM log {clause}ORDER BY number DESC LIMIT ?"
            rows = db.execute(asked, (*given.values(), limit)).fetchall()
            found = [json.loads(row["entry"]) | {"number": row["number"]} for row in rows]
            return [_named(db, one) for one in found]

    def verify(self, known: str = "", sealed: bool = True, after: int = 0) -> chain.Verdict:
        """Check the whole chain, or what stands behind entry `after`. Raises UsageError for a `known` that is no head.

        known: a head that was told earlier; the one that was noted in the service's records is looked for too."""
        with suppress(MienError):  # what cannot be written now is not in it yet
            self.flush()
        noted = self._anchored.known() if self._anchored and sealed else ""
        with self._records.look() as db:
            head = db.execute("SELECT number, hash, seal FROM head").fetchone()
            rows = db.execute("SELECT number, entry, hash FROM log NOT INDEXED ORDER BY number")
            master = self._master if sealed else None
            return chain.check(map(tuple, rows), head and tuple(head), master, (noted, known), after)

    def anchor(self) -> None:
        """Note the head in the service's records, now and then."""
        with self._records.look() as db:
            head = db.execute("SELECT number, hash FROM head").fetchone()
        if head is not None and self._anchored is not None:
            self._anchored.note(f"{head['number']}:{head['hash'].hex()}")

    def flush(self) -> None:
        """Return when all that this process added is on the disk. Raises CannotWrite, Unavailable."""
        with self._change:
            self._hurry = True
            self._change.notify_all()
            last = self._latest
        if last is not None:
            last.done.result(PATIENCE)

    def close(self) -> None:
        """Write what waits and stop; what cannot be written is said on stderr."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(PATIENCE)
        if self._waiting:
            log.error("the log lost entries: they could not be written", extra={"entries": len(self._waiting)})
        with suppress(MienError):
            self.anchor()
        self._records.close()

    def _hidden(self, tenant: str, facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        shown, names = dict(facts), {}
        for one in SUBJECTS:
            if isinstance(shown.get(one), str):
                alias = self.alias(tenant, str(facts.get("gallery", "")), shown[one])
                names[alias], shown[one] = shown[one], alias
        return shown, names

    def _work(self) -> None:
        while batch := self._next():
            try:
                self._append(batch)
            except Exception as error:  # noqa: BLE001 - they are told, and it is tried again
                if not self._put_back(batch, error):
                    return
            else:
                for one in batch:
                    one.done.set_result(None)

    def _next(self) -> Sequence[_Entry]:
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._stopping)
            self._change.wait_for(lambda: self._stopping or self._hurry, GATHER)
            batch = list(self._waiting)
            self._waiting.clear()
            self._hurry = False
            return batch

    def _put_back(self, batch: Sequence[_Entry], error: Exception) -> bool:
        """Tell those who wait, and keep their entries; False when there is no more trying."""
        log.error("the log cannot be written", exc_info=error)
        for one in batch:
            one.done.set_exception(error)
            one.done = Future()  # whoever asks from now on waits for the next try
        with self._change:
            last = self._stopping  # a stop gives it one more try
            self._waiting.extendleft(reversed(batch))
            self._change.wait_for(lambda: self._stopping, 1.0)
            return not last

    def _append(self, batch: Sequence[_Entry]) -> None:
        with self._records.change() as db:
            head, whole = self._head(db)
            first = () if whole else (_own("log.broken", after=head.number - 1),)
            if first:
                log.error("the log is not as it was left; see `mien log verify`")
            for one in (*first, *self._jump(), *batch):
                head = _linked(db, head, one)
            sealed = chain.seal(self._master, head.number, head.hash)
            db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (head.number, head.hash, sealed))
        self._written = head.number

    def _head(self, db: sqlite3.Connection) -> tuple[chain.Head, bool]:
        """What the next entry is put behind, and whether the seal held.

        Where it did not, or entries of this process are gone, a number is left out for good, so that no later seal covers
        it up. Entries missing under a seal that holds leave their own gap."""
        sealed = db.execute("SELECT number, hash, seal FROM head").fetchone()
        last = db.execute("SELECT number, entry FROM log ORDER BY number DESC LIMIT 1").fetchone()
        at = json.loads(last["entry"])["at"] if last else ""
        if sealed is None and last is None and not self._written:
            return chain.Head(0, chain.START, ""), True
        number, newest = (sealed["number"], sealed["hash"]) if sealed else (0, chain.START)
        good = sealed is not None and hmac.compare_digest(sealed["seal"], chain.seal(self._master, number, newest))
        top = max(number, last["number"] if last else 0, self._written)
        return (
            (chain.Head(number, newest, at), True)
            if good and top == number
            else (chain.Head(top + 1, newest, at), False)
        )

    def _jump(self) -> Iterator[_Entry]:
        """An entry of its own where the clock was set since the last one."""
        drift = time.time() - time.monotonic()
        moved, self._drift = drift - self._drift, drift
        if abs(moved) > JUMP:
            yield _own("clock.jump", seconds=round(moved, 1), clock=_now())


def _own(action: str, **facts: Any) -> _Entry:
    return _Entry({"tenant": "", "key": "", "action": action, "facts": facts})


def _linked(db: sqlite3.Connection, head: chain.Head, one: _Entry) -> chain.Head:
    at = max(head.at, one.at)  # never backwards, whatever the clock does
    text = chain.canonical(one.body | {"at": at})
    found = chain.Head(head.number + 1, chain.linked(head.hash, text), at)
    db.execute("INSERT INTO log (number, entry, hash) VALUES (?, ?, ?)", (found.number, text, found.hash))
    for alias, name in one.names.items():
        if one.durable:
            db.execute("DELETE FROM gone WHERE alias = ?", (alias,))
        told = "INSERT OR IGNORE INTO name SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM gone WHERE alias = ?1)"
        db.execute(told, (alias, name))
    return found


def _named(db: sqlite3.Connection, entry: dict[str, Any]) -> dict[str, Any]:
    facts = entry["facts"]
    for one in SUBJECTS:
        if isinstance(facts.get(one), str):
            row = db.execute("SELECT subject FROM name WHERE alias = ?", (facts[one],)).fetchone()
            facts[one] = row["subject"] if row else facts[one]
    return entry


def opened(folder: Path, records: Records, master: bytes) -> Log:
    """The log of the service in `folder`, whose head is noted in `records`."""
    return Log(Records(folder / "log.db"), master, Anchor(records, master))
