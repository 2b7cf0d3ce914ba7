"""Erasing a person everywhere: the gallery with its copies, what other parts keep, and the name in the log; with a receipt.

What is to be erased is put down first, so that an erasure that was cut off (a kill, a power cut) is ended at the next start."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mien.errors import GalleryNotFound, UnknownSubject
from mien.gallery.base import now
from mien.gallery.names import subject_name
from mien.serve.access import Caller
from mien.serve.log import Only
from mien.serve.records import Records

if TYPE_CHECKING:
    from mien.gallery import BaseGallery
    from mien.serve.service import Service

# (tenant, gallery, subject) -> erases what a part of the service keeps about the subject; may be called again for the same.
Eraser = Callable[[str, str, str], None]
_TABLES = """
CREATE TABLE IF NOT EXISTS erasing (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, gallery TEXT NOT NULL, subject TEXT NOT NULL, by TEXT NOT NULL,
    why TEXT NOT NULL, begun TEXT NOT NULL, samples INTEGER NOT NULL, images INTEGER NOT NULL, digest TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS receipt (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, gallery TEXT NOT NULL, alias TEXT NOT NULL,
    samples INTEGER NOT NULL, images INTEGER NOT NULL, at TEXT NOT NULL, digest TEXT NOT NULL, by TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS receipt_tenant ON receipt (tenant, number);
"""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The receipt of an erasure. The one that is kept has no `subject`, only the alias made of it (see `log.Log.alias`)."""

    id: str
    gallery: str
    subject: str
    alias: str
    samples: int  # templates erased
    images: int  # crops erased
    when: str  # ISO 8601 UTC
    digest: str  # BLAKE2b over the erased templates in the order they were enrolled, hex; "" where a kill lost it
    by: str  # id of the key; "" for the service's own pass
    why: str  # "request" or "expired"


class Receipts:
    """What was erased, kept in the records without names."""

    def __init__(self, records: Records) -> None:
        self.records = records
        records.keep(_TABLES)

    def listed(
        self, tenant: str, before: int | None = None, limit: int = 100, only: Only | None = None
    ) -> list[dict[str, Any]]:
        """Receipts of a tenant, newest first: those under the number `before`, and as `only` says."""
        of = only or Only()
        with self.records.look() as db:
            rows = db.execute(
                "SELECT * FROM receipt WHERE tenant = ? AND number < ? AND alias = ifnull(?, alias)"
                " AND gallery = ifnull(?, gallery) ORDER BY number DESC LIMIT ?",
                (tenant, before or 2**62, of.alias, of.gallery, limit),
            ).fetchall()
        return [_told(row) for row in rows]

    def begin(self, tenant: str, one: Erasure) -> None:
        """Put down that somebody is to be erased."""
        with self.records.change() as db:
            db.execute(
                "INSERT INTO erasing VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '')",
                (one.id, tenant, one.gallery, one.subject, one.by, one.why, one.when),
            )

    def taken(self, one: Erasure) -> None:
        """Put down what was taken out of the gallery."""
        with self.records.change() as db:
            given = (one.samples, one.images, one.digest, one.id)
            db.execute("UPDATE erasing SET samples = ?, images = ?, digest = ? WHERE id = ?", given)

    def strike(self, one: Erasure) -> None:
        """Take back what was put down: there was nobody."""
        with self.records.change() as db:
            db.execute("DELETE FROM erasing WHERE id = ?", (one.id,))

    def end(self, tenant: str, one: Erasure) -> None:
        """Keep the receipt in place of what was begun."""
        counted = (one.samples, one.images, one.when, one.digest, one.by, one.why)
        with self.records.change() as db:
            db.execute("DELETE FROM erasing WHERE id = ?", (one.id,))
            db.execute(
                "INSERT OR IGNORE INTO receipt (id, tenant, gallery, alias, samples, images, at, digest, by, why)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (one.id, tenant, one.gallery, one.alias, *counted),
            )

    def unfinished(self, older: str) -> list[tuple[str, Erasure]]:
        """(tenant, erasure) of those begun before `older` (ISO 8601 UTC) and not ended."""
        with self.records.look() as db:
            rows = db.execute("SELECT * FROM erasing WHERE begun <= ?", (older,)).fetchall()
        return [(row["tenant"], _begun(row)) for row in rows]


def forgotten(service: Service, caller: Caller, gallery: str, subject: str, why: str = "request") -> Erasure:
    """Erase a subject for good and keep a receipt. On return it is durable, and in the log.

    Raises GalleryNotFound, UnknownSubject, BadSubject, NotAuthenticated when the key was revoked meanwhile, GalleryBusy."""
    name, tenant = subject_name(subject), caller.tenant
    alias = service.log.alias(tenant, gallery, name)
    one = Erasure(secrets.token_hex(8), gallery, name, alias, 0, 0, now(), "", caller.key, why)
    with service.galleries.turn(tenant, gallery) as people:
        if name not in people:
            raise UnknownSubject(f"Nobody called {name!r} is enrolled here.", "See who is in the list of subjects.")
        service.gate.again(caller)
        service.receipts.begin(tenant, one)
        try:
            one = _taken(service, one, people)
        except UnknownSubject:
            service.receipts.strike(one)  # another process was quicker
            raise
    return _ended(service, caller, one)


def resume(service: Service, older: str) -> int:
    """End the erasures that were begun before `older` (ISO 8601 UTC) and cut off; returns how many.

    That somebody is gone is no error here, and who was enrolled under the name since stays."""
    found = service.receipts.unfinished(older)
    for tenant, begun in found:
        one = replace(begun, alias=service.log.alias(tenant, begun.gallery, begun.subject))
        with suppress(GalleryNotFound, UnknownSubject), service.galleries.turn(tenant, one.gallery) as people:
            if people.person(one.subject).enrolled <= one.when:
                one = _taken(service, one, people)
        _ended(service, Caller(one.by, "", "operator", tenant), one)
    return len(found)


def _taken(service: Service, one: Erasure, people: BaseGallery) -> Erasure:
    """`one` with what was taken out of the gallery."""
    gone = people.erase(one.subject)
    one = replace(one, samples=gone.samples, images=gone.images, when=gone.when, digest=gone.digest)
    service.receipts.taken(one)
    return one


def _ended(service: Service, caller: Caller, one: Erasure) -> Erasure:
    for erase in service.erasers:
        erase(caller.tenant, one.gallery, one.subject)
    facts = {"gallery": one.gallery, "subject": one.subject, "samples": one.samples, "why": one.why, "receipt": one.id}
    service.log.add(caller, "subject.forget", durable=True, **facts)
    service.log.forget(one.alias)
    service.receipts.end(caller.tenant, one)
    service.records.settle()
    return one


def _begun(row: sqlite3.Row) -> Erasure:
    kept = {name: row[name] for name in ("id", "gallery", "subject", "samples", "images", "digest", "by", "why")}
    return Erasure(**kept, alias="", when=row["begun"])


def _told(row: sqlite3.Row) -> dict[str, Any]:
    names = ("number", "id", "gallery", "alias", "samples", "images", "digest", "by", "why")
    return {name: row[name] for name in names} | {"when": row["at"]}
