"""The jobs in the service's records: made, leased to a process for some seconds, finished by whoever holds the lease.

A process that dies stops renewing its lease, and another takes the job over. Only the holder of the lease can finish a job,
and only while it is running: results come once."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mien.errors import NotFound
from mien.serve.jobs import timeline
from mien.serve.jobs.job import OVER, Job, State, of_row
from mien.serve.records import Records

_TABLES = """
CREATE TABLE IF NOT EXISTS job (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL,
    kind TEXT NOT NULL, live INTEGER NOT NULL, asked TEXT NOT NULL, state TEXT NOT NULL, progress REAL NOT NULL,
    made REAL NOT NULL, started REAL, ended REAL, worker TEXT, until REAL NOT NULL, attempts INTEGER NOT NULL,
    problem TEXT, result TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS job_tenant ON job (tenant, number);
CREATE INDEX IF NOT EXISTS job_state ON job (state, live, number);
CREATE INDEX IF NOT EXISTS job_served ON job (tenant, started);
"""
MOST_ATTEMPTS = 3  # processes that may die of a job before it counts as failed
_STRAY = 86_400.0  # s after which a folder without a job is taken for the rest of an upload that was cut off
# The tenant who was served longest ago comes first, so that one with a thousand jobs does not hold up the others.
_NEXT = """
SELECT * FROM job WHERE live = ? AND (state = 'queued' OR (state = 'running' AND until < ?))
ORDER BY state = 'queued',
    (SELECT coalesce(max(started), 0) FROM job AS other WHERE other.tenant = job.tenant),
    number LIMIT 1
"""
_ENDED = f"({', '.join(repr(state) for state in OVER)})"


class Jobs:
    """The table of jobs, and the folder `home` in which each has its own."""

    def __init__(self, records: Records, home: Path) -> None:
        self._records, self._home = records, home
        self.made: Callable[[], object] = _nothing  # called when there is something to do
        self.ended: Callable[[sqlite3.Connection, Job], object] = _nothing  # called within the change that ends one
        records.keep(_TABLES)

    # --- by request -----------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """An id for a job to be, whose folder may be filled before the job is made."""
        return secrets.token_hex(8)

    def folder(self, number: str) -> Path:
        """The folder of a job, by its id."""
        return self._home / number

    def make(self, number: str, who: tuple[str, str], kind: str, asked: Mapping[str, Any], live: bool = False) -> Job:
        """Put a job into the queue; `who` is tenant and key."""
        with self._records.change() as db:
            db.execute(
                "INSERT INTO job (id, tenant, key, kind, live, asked, state, progress, made, until, attempts) "
                "VALUES (?, ?, ?, ?, ?, ?, 'queued', 0, ?, 0, 0)",
                (number, *who, kind, int(live), json.dumps(asked, ensure_ascii=False, allow_nan=False), time.time()),
            )
            job = self._one(db, number)
        self.made()
        return job

    def get(self, tenant: str, number: str) -> Job:
        """A job of a tenant. Raises NotFound."""
        with self._records.look() as db:
            row = db.execute("SELECT * FROM job WHERE id = ? AND tenant = ?", (number, tenant)).fetchone()
        if row is None:
            raise NotFound(f"There is no job {number[:40]!r}.", "See which there are at /v1/jobs.")
        return of_row(row)

    def listed(self, tenant: str, before: int | None, limit: int, states: Iterable[str] = ()) -> list[Job]:
        """Jobs of a tenant, newest first: those made before the one of number `before`."""
        wanted = tuple(states)
        among = f" AND state IN ({', '.join('?' * len(wanted))})" if wanted else ""
        with self._records.look() as db:
            rows = db.execute(
                f"SELECT * FROM job WHERE tenant = ? AND number < ?{among} ORDER BY number DESC LIMIT ?",
                (tenant, before if before is not None else 2**62, *wanted, limit),
            ).fetchall()
        return [of_row(row) for row in rows]

    def waiting(self, tenant: str) -> tuple[int, int]:
        """How many jobs of a tenant are not over, and the bytes of their uploads."""
        with self._records.look() as db:
            asked = "SELECT count(*), coalesce(sum(json_extract(asked, '$.bytes')), 0) FROM job WHERE tenant = ?"
            row = db.execute(f"{asked} AND state IN ('queued', 'running')", (tenant,)).fetchone()
        return int(row[0]), int(row[1])

    def cancel(self, tenant: str, number: str) -> Job:
        """End a job that is not over; whoever works on it learns it within a fraction of a second. Raises NotFound."""
        self.get(tenant, number)
        with self._records.change() as db:
            changed = db.execute(
                "UPDATE job SET state = 'cancelled', ended = ? WHERE id = ? AND state IN ('queued', 'running')",
                (time.time(), number),
            ).rowcount
            job = self._one(db, number)
            if changed:
                self.ended(db, job)
        if changed and job.worker is None:
            self.let_go(job)
        return job

    def erase(self, tenant: str, number: str) -> None:
        """Delete a job that is over, with its results; any other is left alone. Raises NotFound."""
        job = self.get(tenant, number)
        with self._records.change() as db:
            gone = db.execute(f"DELETE FROM job WHERE id = ? AND state IN {_ENDED}", (number,)).rowcount
        if gone:
            shutil.rmtree(self.folder(job.id), ignore_errors=True)

    # --- by whoever works -----------------------------------------------------------------------------------------

    def lease(self, worker: str, live: bool, seconds: float) -> Job | None:
        """The next job, now this worker's for so long; None where nothing waits."""
        with self._records.look() as db:  # nobody is kept from writing for a look
            if db.execute(_NEXT, (int(live), time.time())).fetchone() is None:
                return None
        with self._records.change() as db:
            now = time.time()
            while (row := db.execute(_NEXT, (int(live), now)).fetchone()) is not None:
                if row["attempts"] < MOST_ATTEMPTS:
                    db.execute(
                        "UPDATE job SET state = 'running', worker = ?, until = ?, attempts = attempts + 1, started = ?, "
                        "progress = 0 WHERE number = ?",
                        (worker, now + seconds, now, row["number"]),
                    )
                    return self._one(db, row["id"])
                problem = {
                    "type": "InternalError",
                    "detail": f"{row['attempts']} processes ended while they worked on it.",
                }
                self._end(db, row["id"], "failed", None, problem)
        return None

    def renew(self, job: Job, progress: float, seconds: float) -> bool:
        """Hold a job for so long again; False where it is no longer the worker's, or was cancelled."""
        with self._records.change() as db:
            return bool(
                db.execute(
                    "UPDATE job SET until = ?, progress = ? WHERE id = ? AND worker = ? AND state = 'running'",
                    (time.time() + seconds, progress, job.id, job.worker),
                ).rowcount
            )

    def holds(self, job: Job) -> bool:
        """Whether the job is still this worker's and wanted."""
        with self._records.look() as db:
            row = db.execute("SELECT worker, state FROM job WHERE id = ?", (job.id,)).fetchone()
        return row is not None and row["worker"] == job.worker and row["state"] == "running"

    def mine(self, job: Job) -> bool:
        """Whether this worker had the job last, whatever became of it."""
        with self._records.look() as db:
            row = db.execute("SELECT worker FROM job WHERE id = ?", (job.id,)).fetchone()
        return row is not None and row["worker"] == job.worker

    def finish(
        self, job: Job, state: State, result: Mapping[str, Any] | None, problem: Mapping[str, Any] | None = None
    ) -> bool:
        """End a job with its result; False, and nothing is changed, where it is no longer this worker's."""
        with self._records.change() as db:
            row = db.execute("SELECT worker, state FROM job WHERE id = ?", (job.id,)).fetchone()
            if row is None or row["worker"] != job.worker or row["state"] != "running":
                return False
            self._end(db, job.id, state, result, problem)
            return True

    def settle(self, job: Job, result: Mapping[str, Any]) -> None:
        """The result of a job that was cancelled while this worker had it: what there was until then."""
        with self._records.change() as db:
            db.execute(
                "UPDATE job SET result = ? WHERE id = ? AND worker = ? AND state = 'cancelled'",
                (json.dumps(result, ensure_ascii=False, allow_nan=False), job.id, job.worker),
            )

    def give_back(self, job: Job) -> None:
        """Into the queue again, as a stopping process does; the attempt does not count."""
        with self._records.change() as db:
            db.execute(
                "UPDATE job SET state = 'queued', worker = NULL, until = 0, attempts = attempts - 1, progress = 0 "
                "WHERE id = ? AND worker = ? AND state = 'running'",
                (job.id, job.worker),
            )

    def let_go(self, job: Job) -> None:
        """Delete what was only needed to do the job: the upload."""
        name = job.asked.get("upload")
        if name:
            (self.folder(job.id) / str(name)).unlink(missing_ok=True)

    def forget(self, tenant: str, gallery: str, subject: str) -> None:
        """Take somebody out of the timelines of all jobs that looked for the people of a gallery. Raises CannotWrite."""
        with self._records.look() as db:
            rows = db.execute(
                "SELECT id FROM job WHERE tenant = ? AND kind = 'video' AND json_extract(asked, '$.gallery') = ?",
                (tenant, gallery),
            ).fetchall()
        for row in rows:
            timeline.forget(self.folder(row["id"]), subject)

    def drop(self, tenant: str, gallery: str) -> None:
        """Delete all jobs about a gallery that goes; whoever works on one stops."""
        about = "tenant = ? AND json_extract(asked, '$.gallery') = ?"
        with self._records.change() as db:
            gone = db.execute(f"SELECT id FROM job WHERE {about}", (tenant, gallery)).fetchall()
            db.execute(f"DELETE FROM job WHERE {about}", (tenant, gallery))
        for row in gone:
            shutil.rmtree(self.folder(row["id"]), ignore_errors=True)

    def sweep(self, days: int) -> int:
        """Delete what ended more than `days` ago (0: nothing), what live sources showed before that, uploads of jobs that are
        over, and strays; returns how many jobs went."""
        old = time.time() - days * 86_400
        with self._records.change() as db:
            ended = db.execute(f"SELECT * FROM job WHERE state IN {_ENDED}").fetchall()
            gone = [row["id"] for row in ended if days and row["ended"] < old]
            db.executemany("DELETE FROM job WHERE id = ?", [(number,) for number in gone])
            known = {row["id"] for row in db.execute("SELECT id FROM job")}
            watched = [row["id"] for row in db.execute("SELECT id FROM job WHERE live AND state = 'running'")]
        for row in ended:
            if time.time() - row["ended"] > 60:  # whoever works on a cancelled one needs a moment
                self.let_go(of_row(row))
        for folder in self._home.iterdir() if self._home.is_dir() else ():
            if folder.name in gone or (folder.name not in known and time.time() - folder.stat().st_mtime > _STRAY):
                shutil.rmtree(folder, ignore_errors=True)
        if days:
            for number in watched:
                timeline.prune(self.folder(number), old)
        return len(gone)

    def _end(
        self,
        db: sqlite3.Connection,
        number: str,
        state: State,
        result: Mapping[str, Any] | None,
        problem: Mapping[str, Any] | None,
    ) -> None:
        texts = [json.dumps(one, ensure_ascii=False, allow_nan=False) if one else None for one in (result, problem)]
        done = ", progress = 1" if state == "done" else ""
        db.execute(
            f"UPDATE job SET state = ?, ended = ?, result = ?, problem = ?{done} WHERE id = ?",
            (state, time.time(), *texts, number),
        )
        self.ended(db, self._one(db, number))

    def _one(self, db: sqlite3.Connection, number: str) -> Job:
        return of_row(db.execute("SELECT * FROM job WHERE id = ?", (number,)).fetchone())


def _nothing(*_: object) -> None:
    """Nobody listens."""
