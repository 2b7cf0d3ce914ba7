"""A gallery whose rows are kept and searched by a Milvus server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING

from mien.errors import GalleryBusy, GalleryReadOnly
from mien.gallery.base import BaseGallery, Newcomer, Removed, View
from mien.gallery.listing import Page
from mien.gallery.milvus.address import Address
from mien.gallery.milvus.batches import Batches
from mien.gallery.milvus.checking import faults
from mien.gallery.milvus.holdings import Holdings
from mien.gallery.milvus.layout import owner_of
from mien.gallery.milvus.link import Link
from mien.gallery.milvus.searching import RemoteView
from mien.gallery.milvus.tables import STRONG, Head, Tables
from mien.gallery.milvus.writing import Writer
from mien.gallery.names import subject_name
from mien.types import F32, Match, Person, Sample

if TYPE_CHECKING:
    from mien.where import Where

_TRUST = 1.0  # s for which a gallery that held somebody is taken to hold somebody still


class MilvusGallery(BaseGallery):
    """People on a server that any number of processes share, all of which may write.

    An enrolment that returned is in the server's log. Whoever wrote sees it at once; others see it in less than a second,
    or at once with ?consistency=strong. A subject's score is that of the best template."""

    def __init__(self, address: Address, *, create: bool = True, read_only: bool = False) -> None:
        super().__init__(address.shown)
        self._read_only = read_only
        self._level = address.consistency
        self._link = Link(address)
        self._tables = Tables(self._link)
        self._batches = Batches(self._tables)
        self._holdings = Holdings(self._tables, self._batches)
        self._writer = Writer(self._tables, self._batches, self._holdings)
        self._head: Head | None = None
        self._filled = 0.0
        self._tables.open(create and not read_only)
        if not read_only:
            with suppress(GalleryBusy):
                self._writer.sweep()

    def _listed(self, page: Page) -> list[Person]:
        if page.whole:
            held = self._holdings.everybody(self._head, self._level)
        else:
            names = self._holdings.names(self._head, self._level)
            owners = [owner for owner, _ in page.cut(names.items(), itemgetter(1))]
            held = self._holdings.of(owners, self._head, self._level)
        found = [each.person() for each in held.values() if each.rows]
        return sorted(found, key=lambda person: person.subject)

    def _person(self, name: str) -> Person | None:
        owner = owner_of(name)
        held = self._holdings.of([owner], self._head, self._level).get(owner)
        return None if held is None or not held.rows else held.person()

    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        name = None if subject is None else subject_name(subject)
        with self._lock:
            self._refresh()
            head = self._head
            if name is None:
                owners = list(self._holdings.names(head, self._level))
            elif self._has(name):
                owners = [owner_of(name)]
            else:
                raise self._unknown(name)
        return iter(()) if head is None else self._holdings.samples(owners, head, self._level)

    def verify(self) -> list[str]:
        with self._lock:
            self._refresh()
            if not self._read_only:
                self._writer.sweep()
            return faults(self._tables, self._batches, self._holdings, self._head)

    @property
    def _space(self) -> str | None:
        return self._head.space if self._head is not None and self._anybody() else None

    @property
    def _dimension(self) -> int | None:
        return self._head.dimension if self._head is not None and self._anybody() else None

    @property
    def _points(self) -> str:
        return self._tables.points()

    def _keep(self, points: str) -> None:
        self._may_write()
        self._tables.keep_points(points)

    def _refresh(self) -> None:
        self._usable()
        self._head = self._tables.head()

    def _anybody(self) -> bool:
        if time.monotonic() > self._filled:
            self._filled = time.monotonic() + _TRUST if self._counts()[1] else 0.0
        return self._filled > 0

    def _counts(self) -> tuple[int, int]:
        if self._head is None:
            return 0, 0
        begun = self._batches.open(self._level)
        templates = self._link.count(self._tables.people, "", self._level)
        if not begun:
            return self._link.count(self._tables.records, 'kind == "person"', self._level), templates
        # Somebody is writing, or died writing: a note need not be a person yet, nor a row one that counts.
        pending = {intent.batch for intent in begun}
        for batch in pending - self._batches.counting(pending, self._level):
            templates -= self._link.count(self._tables.people, f'batch == "{batch}"', self._level)
        return len(self._holdings.names(self._head, self._level)), templates

    def _has(self, name: str) -> bool:
        owner = owner_of(name)
        held = self._holdings.of([owner], self._head, self._level)
        return owner in held and bool(held[owner].rows)

    def _view(self, where: Where | None) -> View:
        if self._head is None or not self._anybody():
            return Nobody()
        if where is None:
            return RemoteView(self._tables, self._batches)
        return RemoteView(self._tables, self._batches, self._holdings.matching(where, self._level))

    def _add(self, newcomers: Sequence[Newcomer]) -> int:
        self._may_write()
        return self._writer.enrol(newcomers)

    def _remove(self, name: str, vector: bytes | None) -> Removed:
        self._may_write()
        owner = owner_of(name)
        held = self._holdings.of([owner], self._head, STRONG).get(owner)
        if held is None or not held.rows:
            raise self._unknown(name)
        self._filled = 0.0
        return self._writer.erase(owner, held, vector)

    def _may_write(self) -> None:
        if self._read_only:
            raise GalleryReadOnly(f"The gallery {self.where} was opened for reading only.", "Open it for writing.")

    def _release(self) -> None:
        self._link.close()


class Nobody:
    """What a search looks at before the first enrolment."""

    def search(self, probes: F32, k: int, floor: float | None) -> list[list[Match]]:
        """Nobody, for each of the probes."""
        return [[] for _ in probes]
