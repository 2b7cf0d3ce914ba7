"""How long people are kept: each one's own date, or so many days for all; a pass now and then erases who is due.

Care for a person stands in the metadata: `consent` and `purpose` (text), `expires` (see `people.cared`)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mien.errors import InputError, MienError, UnknownSubject
from mien.serve.access import Caller
from mien.serve.erasing import forgotten, resume

if TYPE_CHECKING:
    from mien.gallery import BaseGallery
    from mien.serve.records import Records
    from mien.serve.service import Service
    from mien.types import Person

_PAGE = 1000  # people looked at in one go
_FIRST = 10.0  # s after the start until the first look
_LEFT = 60.0  # s after which an erasure that is not ended is taken for cut off
_TABLES = "CREATE TABLE IF NOT EXISTS pass (one INTEGER PRIMARY KEY CHECK (one = 1), began REAL NOT NULL) STRICT;"

log = logging.getLogger("mien.serve")


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody whose time is over."""

    tenant: str
    gallery: str
    subject: str
    since: str  # ISO 8601 UTC


@dataclass(slots=True)
class Pass:
    """What a pass did."""

    looked: int = 0  # people looked at
    erased: list[Due] = field(default_factory=list)
    unreadable: list[Due] = field(default_factory=list)  # whose `expires` is no date: kept, and to be mended
    failures: list[tuple[str, MienError]] = field(default_factory=list)  # (gallery or gallery/subject, why)
    halt: threading.Event = field(default_factory=threading.Event)  # ends it before the next person


def moment(text: Any) -> datetime | None:
    """When an `expires` is over: a bare date ends with that day (UTC). None for what is no date."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        found += timedelta(days=1 if len(text.strip()) <= 10 else 0)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ends(person: Person, days: int) -> datetime | None:
    """When somebody is to be erased: by their own date, else `days` (0: never) after they were enrolled; None for never.

    Raises InputError when their date is none."""
    own = person.metadata.get("expires")
    if own is not None:
        found = moment(own)
        if found is None:
            raise InputError(f"{str(own)[:40]!r} is no date.", "Write `expires` such as 2027-06-30.")
        return found
    enrolled = moment(person.enrolled) if days else None
    return enrolled + timedelta(days=days) if enrolled else None


def run(service: Service, dry: bool = False, halt: threading.Event | None = None) -> Pass:
    """Erase whoever is due, in all galleries of all tenants; one that fails is told, and the rest goes on.

    dry: only say who that is. halt: ends it before the next person."""
    done = Pass(halt=halt or threading.Event())
    for tenant in service.keys.tenants():
        for gallery in service.galleries.names(tenant):
            try:
                _looked(service, (tenant, gallery), done, dry)
            except MienError as error:
                done.failures.append((gallery, error))
    if not dry:
        counts = {"erased": len(done.erased), "unreadable": len(done.unreadable), "failed": len(done.failures)}
        service.log.add(None, "retention.run", durable=True, looked=done.looked, **counts)
    return done


def _looked(service: Service, place: tuple[str, str], done: Pass, dry: bool) -> None:
    tenant, gallery = place
    who = Caller("", "retention", "operator", tenant)
    now = datetime.now(UTC)
    for person in _everybody(service.galleries.open(*place)):
        if done.halt.is_set():
            return
        done.looked += 1
        try:
            over = ends(person, service.settings.retention_days)
        except InputError:
            done.unreadable.append(Due(*place, person.subject, str(person.metadata["expires"])[:40]))
            continue
        if over is None or over > now:
            continue
        try:
            if not dry:
                forgotten(service, who, gallery, person.subject, "expired")
        except UnknownSubject:
            continue  # gone by request meanwhile
        except MienError as error:
            done.failures.append((f"{gallery}/{person.subject}", error))
            continue
        done.erased.append(Due(*place, person.subject, over.isoformat(timespec="seconds")))


def _everybody(gallery: BaseGallery) -> Iterator[Person]:
    page = gallery.people(limit=_PAGE)
    while page:
        yield from page
        page = gallery.people(after=page[-1].subject, limit=_PAGE)


def last_pass(records: Records) -> float | None:
    """When the last pass began, s since 1970; None before the first."""
    records.keep(_TABLES)
    with records.look() as db:
        row = db.execute("SELECT began FROM pass").fetchone()
    return None if row is None else float(row["began"])


class Retention:
    """The thread that makes a pass every settings.retention_minutes, in one process of all that share the records."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="retention", daemon=True)
        service.records.keep(_TABLES)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being erased now."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def due(self) -> bool:
        """Whether it is time for a pass; whoever is told so has it."""
        now, every = time.time(), self._service.settings.retention_minutes * 60
        with self._service.records.change() as db:
            row = db.execute("SELECT began FROM pass").fetchone()
            if row is not None and 0 <= now - row["began"] < every:  # a clock that was set back is no reason to wait
                return False
            db.execute("INSERT OR REPLACE INTO pass VALUES (1, ?)", (now,))
            return True

    def _keep(self) -> None:
        every = self._service.settings.retention_minutes * 60
        self._stopping.wait(min(_FIRST, every))
        while not self._stopping.is_set():
            try:
                self._service.log.anchor()
                self._service.log.settle()
                self._service.records.settle()
                resume(self._service, (datetime.now(UTC) - timedelta(seconds=_LEFT)).isoformat(timespec="seconds"))
                self._service.answers.sweep()
                self._service.review.sweep()
                if self.due():
                    done = run(self._service, halt=self._stopping)
                    if done.failures or done.unreadable:
                        log.warning("retention left people", extra={"failed": len(done.failures)})
            except Exception as error:
                log.error("retention failed", exc_info=error)
            self._stopping.wait(min(60.0, every))
