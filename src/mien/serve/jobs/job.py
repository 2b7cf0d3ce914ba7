"""One job, as the records hold it and as it is told."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

State = Literal["queued", "running", "done", "failed", "cancelled"]
OVER: tuple[State, ...] = ("done", "failed", "cancelled")
HIDDEN = ("upload",)  # of what was asked: names of files here


@dataclass(frozen=True, slots=True)
class Job:
    """Times are s since 1970."""

    number: int  # grows: the order in which jobs were made
    id: str
    tenant: str
    key: str  # id of the key that asked
    kind: str
    live: bool  # a source without an end: goes on until it is cancelled
    asked: Mapping[str, Any]
    state: State
    progress: float  # 0..1; of a live one 0
    made: float
    started: float | None  # of the present attempt
    ended: float | None
    worker: str | None
    attempts: int
    problem: Mapping[str, Any] | None  # why it failed, in the shape of problem+json
    result: Mapping[str, Any] | None  # counts and numbers; what is long lies in the job's folder

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in OVER

    @property
    def eta(self) -> float | None:
        """s that it will take yet, as it went so far; None where that cannot be told."""
        if self.state != "running" or self.started is None or self.live or not 0.01 <= self.progress < 1:
            return None
        return round((time.time() - self.started) * (1 - self.progress) / self.progress, 1)


def of_row(row: sqlite3.Row) -> Job:
    """A row of the table."""
    given: dict[str, Any] = {
        name: row[name] for name in ("number", "id", "tenant", "key", "kind", "state", "progress", "made")
    }
    given |= {name: row[name] for name in ("started", "ended", "worker", "attempts")}
    texts: dict[str, Any] = {
        name: json.loads(row[name]) if row[name] else None for name in ("asked", "problem", "result")
    }
    return Job(**given, **texts, live=bool(row["live"]))


def told(job: Job, hooks: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """What the answer to a request says of a job."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "live": job.live,
        "progress": round(job.progress, 4),
        "eta": job.eta,
        "asked": {name: value for name, value in job.asked.items() if name not in HIDDEN},
        "made": _time(job.made),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "attempts": job.attempts,
        "result": job.result,
        "problem": job.problem,
        **({} if hooks is None else {"hooks": hooks}),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
