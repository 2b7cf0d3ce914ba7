"""Identifications that somebody should look at: those that abstained, and those that were close. Nothing is moved by itself.

What waits keeps the template of the face seen, and its crop where images are kept; settled, it keeps neither. A face that
was settled once does not come again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from mien.align import rehome
from mien.errors import Conflict, NotFound
from mien.gallery.crops import pack_face, unpack_face
from mien.serve.records import Records
from mien.types import Decision, Face, Sample, Template

MOST = 1000  # that wait in one gallery; a further one takes the place of the oldest
DAYS = 30  # after which whatever waits, or was settled, is gone
_TABLES = """
CREATE TABLE IF NOT EXISTS review (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, gallery TEXT NOT NULL, made TEXT NOT NULL,
    state TEXT NOT NULL, verdict TEXT NOT NULL, why TEXT NOT NULL, matches TEXT NOT NULL, threshold REAL,
    space TEXT NOT NULL, quality REAL, vector BLOB, png BLOB, geometry TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS review_open ON review (tenant, gallery, state, number);
CREATE TABLE IF NOT EXISTS cannot (
    tenant TEXT NOT NULL, gallery TEXT NOT NULL, one TEXT NOT NULL, other TEXT NOT NULL, made TEXT NOT NULL,
    PRIMARY KEY (tenant, gallery, one, other)
) STRICT;
"""

Where = tuple[str, str]  # tenant and gallery


@dataclass(frozen=True, slots=True)
class Doubt:
    """What waits for somebody to look at it."""

    number: int
    id: str
    made: str
    verdict: str
    why: tuple[str, ...]
    candidates: tuple[tuple[str, float], ...]  # subject and score, best first, without those it was said not to be
    threshold: float | None
    image: bool


class Review:
    """The queue, in the records, and who was said not to be whom."""

    def __init__(self, records: Records, embed: Callable[[Sequence[Face]], Sequence[Template]], keep: bool) -> None:
        self._records, self._embed, self._keep = records, embed, keep
        records.keep(_TABLES)

    def note(self, tenant: str, gallery: str, decisions: Sequence[Decision], close: float) -> int:
        """Put those of the `decisions` into the queue that are in doubt; returns how many are new there.

        close: cosine, how near to the threshold or to the runner-up is doubtful. Embeds their faces: a worker's job."""
        doubted = [(one, why) for one in decisions if one.faces and (why := doubts(one, close))]
        if not doubted:
            return 0
        templates = self._embed([one.faces[0] for one, _ in doubted])
        found = [(each, why, template) for (each, why), template in zip(doubted, templates, strict=True)]
        rows = [_row(tenant, gallery, *each, keep=self._keep) for each in found]
        with self._records.change() as db:
            before = db.total_changes
            marks = ", ".join(["?"] * len(rows[0]))
            db.executemany(f"INSERT OR IGNORE INTO review VALUES (NULL, {marks})", rows)
            new = db.total_changes - before
            db.execute(
                "DELETE FROM review WHERE number IN (SELECT number FROM review WHERE tenant = ? AND gallery = ?"
                " AND state = 'open' ORDER BY number DESC LIMIT -1 OFFSET ?)",
                (tenant, gallery, MOST),
            )
        return new

    def waiting(self, where: Where, before: int | None, limit: int) -> list[Doubt]:
        """What waits in a gallery, newest first: those under the number `before`."""
        with self._records.look() as db:
            rows = db.execute(
                "SELECT * FROM review WHERE tenant = ? AND gallery = ? AND state = 'open' AND number < ?"
                " ORDER BY number DESC LIMIT ?",
                (*where, before if before is not None else 2**62, limit),
            ).fetchall()
            return [_doubt(db, where, row) for row in rows]

    def one(self, where: Where, number: str) -> tuple[Doubt, Sample]:
        """What waits under an id, with the face that was seen. Raises NotFound, Conflict when it was settled."""
        with self._records.look() as db:
            row = db.execute(
                "SELECT * FROM review WHERE tenant = ? AND gallery = ? AND id = ? AND vector NOT NULL", (*where, number)
            ).fetchone()
            settled = db.execute(
                "SELECT state FROM review WHERE tenant = ? AND gallery = ? AND id = ?", (*where, number)
            ).fetchone()
            if row is not None and row["state"] == "open":
                return _doubt(db, where, row), _sample(row)
        if settled is not None:
            raise Conflict(f"{number!r} was settled: {settled['state']}.", "See what waits still.")
        raise NotFound(f"Nothing called {number[:40]!r} waits for review.", "See what does.")

    def settle(self, where: Where, number: str, state: str) -> None:
        """Take something out of the queue, with the face. Raises Conflict when somebody was quicker."""
        with self._records.change() as db:
            done = db.execute(
                "UPDATE review SET state = ?, vector = NULL, png = NULL, geometry = NULL, matches = '[]', why = '[]'"
                " WHERE tenant = ? AND gallery = ? AND id = ? AND state = 'open'",
                (state, *where, number),
            )
            if not done.rowcount:
                raise Conflict(f"{number!r} was settled by somebody else.", "See what waits still.")

    def dismiss(self, where: Where, number: str) -> None:
        """Let something that is not in the queue (a pair) not come again."""
        with self._records.change() as db:
            db.execute(
                "INSERT OR IGNORE INTO review (id, tenant, gallery, made, state, verdict, why, matches, space)"
                " VALUES (?, ?, ?, ?, 'dismissed', '', '[]', '[]', '')",
                (number, *where, _now()),
            )

    def dismissed(self, where: Where) -> set[str]:
        """Ids that were settled."""
        with self._records.look() as db:
            rows = db.execute(
                "SELECT id FROM review WHERE tenant = ? AND gallery = ? AND state != 'open'", where
            ).fetchall()
        return {row["id"] for row in rows}

    def part(self, where: Where, one: str, other: str) -> None:
        """Put down that two are not the same: each a sample (`face:ID`) or a subject (`name:NAME`)."""
        with self._records.change() as db:
            pair = sorted((one, other))
            db.execute("INSERT OR IGNORE INTO cannot VALUES (?, ?, ?, ?, ?)", (*where, *pair, _now()))

    def parted(self, where: Where) -> set[tuple[str, str]]:
        """The pairs that are not the same, each sorted."""
        with self._records.look() as db:
            rows = db.execute("SELECT one, other FROM cannot WHERE tenant = ? AND gallery = ?", where).fetchall()
        return {(row["one"], row["other"]) for row in rows}

    def forget(self, tenant: str, gallery: str, subject: str) -> None:
        """Erase what names a subject: the face may be theirs (an `Eraser`)."""
        name = f"name:{subject}"
        with self._records.change() as db:
            db.execute(
                "DELETE FROM review WHERE tenant = ? AND gallery = ? AND EXISTS"
                " (SELECT 1 FROM json_each(matches) WHERE json_extract(value, '$[0]') = ?)",
                (tenant, gallery, subject),
            )
            db.execute(
                "DELETE FROM cannot WHERE tenant = ? AND gallery = ? AND (one = ? OR other = ?)",
                (tenant, gallery, name, name),
            )

    def renamed(self, where: Where, old: str, new: str) -> None:
        """Let what names `old` name `new`, so that it goes with that person."""
        with self._records.change() as db:
            rows = db.execute(
                "SELECT number, matches FROM review WHERE tenant = ? AND gallery = ? AND EXISTS"
                " (SELECT 1 FROM json_each(matches) WHERE json_extract(value, '$[0]') = ?)",
                (*where, old),
            ).fetchall()
            for row in rows:
                matches: dict[str, float] = {}
                for name, score in json.loads(row["matches"]):
                    matches.setdefault(new if name == old else name, score)  # best first
                best = list(matches.items())
                db.execute("UPDATE review SET matches = ? WHERE number = ?", (json.dumps(best), row["number"]))
            pairs = db.execute(
                "SELECT one, other, made FROM cannot WHERE tenant = ? AND gallery = ? AND ? IN (one, other)",
                (*where, f"name:{old}"),
            ).fetchall()
            for one, other, made in pairs:
                db.execute(
                    "DELETE FROM cannot WHERE tenant = ? AND gallery = ? AND one = ? AND other = ?",
                    (*where, one, other),
                )
                pair = sorted(f"name:{new}" if each == f"name:{old}" else each for each in (one, other))
                if pair[0] != pair[1]:
                    db.execute("INSERT OR IGNORE INTO cannot VALUES (?, ?, ?, ?, ?)", (*where, *pair, made))

    def drop(self, tenant: str, gallery: str) -> None:
        """Erase all of a gallery."""
        with self._records.change() as db:
            for table in ("review", "cannot"):
                db.execute(f"DELETE FROM {table} WHERE tenant = ? AND gallery = ?", (tenant, gallery))

    def sweep(self) -> None:
        """Erase what is too old."""
        least = (datetime.now(UTC) - timedelta(days=DAYS)).isoformat(timespec="seconds")
        with self._records.change() as db:
            db.execute("DELETE FROM review WHERE made < ?", (least,))


def doubts(decision: Decision, close: float) -> tuple[str, ...]:
    """Why somebody should look at a decision; nothing where nobody need, or where there is nobody to compare with."""
    if not decision.matches:
        return ()
    if decision.verdict == "abstain":
        return decision.reasons
    why = []
    if decision.threshold is not None and decision.score is not None:
        lead = decision.score - decision.threshold.threshold
        if abs(lead) < close:
            why.append(f"the score is within {abs(lead):.3f} of the threshold")
    if decision.verdict == "accept" and len(decision.matches) > 1:
        lead = decision.matches[0].score - decision.matches[1].score
        if lead < close:
            why.append(f"{decision.matches[1].subject} is only {lead:.3f} less alike")
    return tuple(why)


def _row(
    tenant: str, gallery: str, one: Decision, why: Sequence[str], template: Template, *, keep: bool
) -> tuple[Any, ...]:
    vector = template.vector.tobytes()
    number = hashlib.blake2b(json.dumps([tenant, gallery]).encode() + vector, digest_size=8).hexdigest()
    matches = json.dumps([[each.subject, round(each.score, 6)] for each in one.matches[:5]])
    png, geometry = pack_face(rehome(one.faces[0])) if keep else (None, None)
    threshold = one.threshold.threshold if one.threshold else None
    head = (number, tenant, gallery, _now(), "open", one.verdict, json.dumps(list(why)), matches, threshold)
    return (*head, template.space, template.quality, vector, png, geometry)


def _doubt(db: sqlite3.Connection, where: Where, row: Mapping[str, Any]) -> Doubt:
    face = f"face:{row['id']}"
    parted = db.execute(
        "SELECT one, other FROM cannot WHERE tenant = ? AND gallery = ? AND (one = ? OR other = ?)",
        (*where, face, face),
    ).fetchall()
    others = {(each["other"] if each["one"] == face else each["one"]).removeprefix("name:") for each in parted}
    matches = [(name, score) for name, score in json.loads(row["matches"]) if name not in others]
    return Doubt(
        row["number"],
        row["id"],
        row["made"],
        row["verdict"],
        tuple(json.loads(row["why"])),
        tuple(matches),
        row["threshold"],
        row["png"] is not None,
    )


def _sample(row: Mapping[str, Any]) -> Sample:
    template = Template(np.frombuffer(row["vector"], np.float32), row["space"], row["quality"])
    face = unpack_face(row["png"], row["geometry"]) if row["png"] is not None else None
    return Sample(template, face, f"review {row['id']}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
