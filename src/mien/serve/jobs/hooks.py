"""A word to the client's own service when a job is over: signed, tried again for a while, and what came of it kept.

    Mien-Signature: t=1766700000,v1=<hex of HMAC-SHA256(secret, "1766700000." + body)>

The secret is a tenant's own, derived from the master secret; GET /v1/hooks tells it. A word may
come twice, with the same Mien-Delivery: a process can die between sending and noting."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import secrets
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

from mien.errors import MienError
from mien.serve.jobs.addresses import allowed
from mien.serve.jobs.fetching import connect
from mien.serve.jobs.job import Job, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mien.serve.records import Records

log = logging.getLogger("mien.serve")

_TABLES = """
CREATE TABLE IF NOT EXISTS hook (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, tenant TEXT NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL, tries INTEGER NOT NULL, next REAL NOT NULL, status INTEGER, reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS hook_due ON hook (state, next);
CREATE INDEX IF NOT EXISTS hook_job ON hook (job);
"""
WAITS = (2.0, 10.0, 60.0, 600.0, 3600.0)  # s between tries; after the last it counts as failed
TIMEOUT = 10.0  # s to connect, and for the answer
_HOLD = 60.0  # s that a process keeps one to itself while it sends
_IDLE = 2.0  # s between looks for what others left
_COMMIT = 0.05  # s for the change that put it there to be on the disk
SCHEMES = ("https", "http")


def signature(key: str, when: int, body: bytes) -> str:
    """The value of Mien-Signature."""
    made = hmac.new(key.encode(), f"{when}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={when},v1={made}"


class Hooks:
    """Sends from one thread; what is due stands in the records, so a kill loses none."""

    def __init__(
        self, records: Records, master: bytes, prefixes: Sequence[str], waits: Sequence[float] = WAITS
    ) -> None:
        self._records, self._master, self._prefixes, self._waits = records, master, prefixes, waits
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="hooks", daemon=True)
        records.keep(_TABLES)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Send no more."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def secret(self, tenant: str) -> str:
        """What signs the words to a tenant's hooks."""
        return hmac.digest(self._master, b"mien hook " + tenant.encode(), "sha256").hex()

    def put(self, db: sqlite3.Connection, job: Job) -> None:
        """Note, within the change that ends a job, that its hook is to be told."""
        url = job.asked.get("hook")
        if not url:
            return
        body = json.dumps({"event": f"job.{job.state}", "job": told(job)}, ensure_ascii=False)
        db.execute(
            "INSERT INTO hook VALUES (?, ?, ?, ?, ?, 'waiting', 0, 0, NULL, NULL)",
            (secrets.token_hex(8), job.id, job.tenant, url, body),
        )
        self._wake.set()

    def of(self, job: Job) -> list[dict[str, Any]]:
        """What became of a job's hooks."""
        with self._records.look() as db:
            rows = db.execute("SELECT url, state, tries, status, reason FROM hook WHERE job = ?", (job.id,)).fetchall()
        return [dict(row) for row in rows]

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                while not self._stopping.is_set() and (row := self._due()) is not None:
                    self._settle(row, *self._send(row))
            except Exception as error:  # whatever it is, the others must be sent
                log.warning("hooks wait: %s", error, exc_info=not isinstance(error, MienError))
            if self._wake.wait(min(_IDLE, *self._waits)):
                self._stopping.wait(_COMMIT)

    def _due(self) -> sqlite3.Row | None:
        wanted = "SELECT * FROM hook WHERE state = 'waiting' AND next <= ? ORDER BY next LIMIT 1"
        with self._records.look() as db:
            if db.execute(wanted, (time.time(),)).fetchone() is None:
                return None
        with self._records.change() as db:
            row: sqlite3.Row | None = db.execute(wanted, (time.time(),)).fetchone()
            if row is not None:
                db.execute("UPDATE hook SET next = ? WHERE id = ?", (time.time() + _HOLD, row["id"]))
            return row

    def _send(self, row: sqlite3.Row) -> tuple[int | None, str]:
        """The status that was answered, and why it is no success."""
        try:
            address = allowed(row["url"], self._prefixes, SCHEMES, "a webhook")
        except MienError as error:
            return None, error.message
        body, now = row["body"].encode(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "mien",
            "Mien-Delivery": row["id"],
            "Mien-Signature": signature(self.secret(row["tenant"]), now, body),
        }
        headers |= address.login
        connection = connect(address, TIMEOUT)
        try:
            connection.request("POST", address.rest or "/", body, headers)
            status = connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException) as error:
            return None, str(error) or type(error).__name__
        finally:
            connection.close()
        moved = ": it points elsewhere, which is not followed" if 300 <= status < 400 else ""
        return status, "" if 200 <= status < 300 else f"it answered {status}{moved}"

    def _settle(self, row: sqlite3.Row, status: int | None, reason: str) -> None:
        tries = row["tries"] + 1
        state = "sent" if not reason else "waiting" if tries <= len(self._waits) else "failed"
        after = self._waits[tries - 1] if state == "waiting" else 0.0
        with self._records.change() as db:
            db.execute(
                "UPDATE hook SET state = ?, tries = ?, next = ?, status = ?, reason = ? WHERE id = ?",
                (state, tries, time.time() + after, status, reason or None, row["id"]),
            )
