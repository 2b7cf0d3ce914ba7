"""A gallery goes: everybody in it is erased, all that the service keeps about them, and the gallery; one receipt is left.

What is to go is put down first, so that a drop that was cut off is ended when the service starts again."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from mien.errors import GalleryCorrupt, GalleryNotFound
from mien.gallery.base import now
from mien.serve.access import Caller
from mien.serve.erasing import Erasure
from mien.serve.galleries import checked

if TYPE_CHECKING:
    from mien.serve.service import Service

TABLES = """
CREATE TABLE IF NOT EXISTS dropping (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, gallery TEXT NOT NULL, receipt TEXT NOT NULL)
STRICT;
"""
EVERYBODY = "*"  # in place of an alias, on the receipt of a gallery


def dropped(service: Service, caller: Caller, name: str) -> tuple[Erasure, int]:
    """Drop a gallery for good and keep a receipt: (that, how many people it held). On return it is durable, and in the log.

    A damaged gallery goes too; its receipt counts nobody. Raises InputError, GalleryNotFound, GalleryBusy, Conflict for one
    that belongs to the operator or is being migrated."""
    tenant = caller.tenant
    with service.galleries.alone(tenant, checked(name)):
        if (tenant, name) not in service.galleries:
            raise GalleryNotFound(f"There is no gallery {name!r}.", "See which there are.")
        service.galleries.may_go(tenant, name)
        service.gate.again(caller)
        one = Erasure(secrets.token_hex(8), name, "", EVERYBODY, 0, 0, now(), "", caller.key, "gallery")
        with service.records.change() as db:
            db.execute("INSERT INTO dropping VALUES (?, ?, ?, ?)", (one.id, tenant, name, json.dumps(asdict(one))))
        return _ended(service, caller, one)


def resume(service: Service, tenant: str | None = None, name: str | None = None) -> int:
    """End the drops that were cut off (None: of all galleries); returns how many."""
    with service.records.look() as db:
        rows = db.execute(
            "SELECT * FROM dropping WHERE tenant = ifnull(?, tenant) AND gallery = ifnull(?, gallery)", (tenant, name)
        ).fetchall()
    for row in rows:
        one = Erasure(**json.loads(row["receipt"]))
        with service.galleries.alone(row["tenant"], one.gallery):
            if _begun(service, one):  # still: another process may have ended it, and somebody made one anew
                _ended(service, Caller(one.by, "", "admin", row["tenant"]), one)
    return len(rows)


def _begun(service: Service, one: Erasure) -> bool:
    with service.records.look() as db:
        return db.execute("SELECT 1 FROM dropping WHERE id = ?", (one.id,)).fetchone() is not None


def _ended(service: Service, caller: Caller, one: Erasure) -> tuple[Erasure, int]:
    """Within the gallery's turn: nobody makes one of that name before the drop is struck out."""
    tenant, name = caller.tenant, one.gallery
    service.jobs.drop(tenant, name)
    people = 0
    try:
        with service.galleries.turn(tenant, name) as gallery:
            for person in gallery.people():
                for erase in service.erasers:
                    erase(tenant, name, person.subject)
                service.log.forget(service.log.alias(tenant, name, person.subject))
            gone = service.galleries.destroy(tenant, name)
            people, one = gone.people, replace(one, samples=gone.samples, images=gone.images, digest=gone.digest)
    except GalleryNotFound:
        pass  # it was cut off after that
    except GalleryCorrupt:
        service.galleries.wreck(tenant, name)
    service.policies.drop(tenant, name)
    service.review.drop(tenant, name)
    service.doubles.drop((tenant, name))
    service.rekognition.drop(tenant, name)
    service.log.add(caller, "gallery.drop", durable=True, gallery=name, samples=one.samples, receipt=one.id)
    service.receipts.end(tenant, one)
    with service.records.change() as db:
        db.execute("DELETE FROM dropping WHERE id = ?", (one.id,))
    service.records.settle()
    return one, people
