"""A gallery whose templates are compared without being decrypted.

With the keys and the ciphertexts in one process, as here, it is encryption at rest: it protects the disk, its copies and its
backups, not against whoever reads this process's memory. With the matcher behind an address (`remote`), the machine that
stores and compares learns neither templates nor probes, scores or names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryReadOnly, UsageError
from mien.gallery.base import BaseGallery, Newcomer, Removed
from mien.gallery.crops import unpack_face
from mien.gallery.listing import Page
from mien.gallery.matrix import check_template
from mien.gallery.names import subject_name
from mien.gallery.sealed.canaries import Content
from mien.gallery.sealed.coarse import Coarse
from mien.gallery.sealed.enroller import Enroller
from mien.gallery.sealed.index import Index, about
from mien.gallery.sealed.key_holder import KeyHolder
from mien.gallery.sealed.matcher import Depot, Matcher, Response, check_identity
from mien.gallery.sealed.probe_device import Probe, ProbeDevice
from mien.gallery.sealed.records import Change, Detail, GroupRow, SampleRow
from mien.gallery.sealed.repacker import Repacker
from mien.gallery.sealed.view import SealedView
from mien.types import F32, Match, Person, Sample, Template

if TYPE_CHECKING:
    from mien.where import Where

T = TypeVar("T")
RETRIES = 50  # changes made anew because somebody else was faster
_BLOCK = 64  # samples read at a time, crops with them


class SealedGallery(BaseGallery):
    """People behind a matcher, with all keys in this object: enroller, probe device and key holder in one.

    Scores are those of the plain gallery within 1e-4 (in the exact profile: exactly those of templates in steps of 1/256);
    subjects closer to each other than that may change places. Every search counts
    against the keys' quota."""

    def __init__(self, depot: Depot, holder: KeyHolder, where: str, *, read_only: bool = False) -> None:
        super().__init__(where)
        self._depot, self._holder, self._read_only = depot, holder, read_only
        head = depot.head()
        check_identity(holder.keys.identity, head, self.profile)
        self._marker, self._sealer = holder.marker(head.gallery), holder.sealer(head.gallery)
        self._vault = holder.vault(head.gallery)
        self._index = Index(self._marker, self._sealer, where, head)
        self._loaded = False
        self.shortlist: int | None = None
        self._device = ProbeDevice(holder.keys.public)
        public = holder.keys.public
        self._hand = Repacker(holder, depot)
        self._enroller = Enroller(public, self._marker, self._sealer, self._hand, self._vault)
        self._refresh()

    @property
    def in_process(self) -> bool:
        """Whether keys and ciphertexts are in one process: then this is encryption at rest."""
        return isinstance(self._depot, Matcher)

    @property
    def profile(self) -> str:
        """Name of the parameters."""
        return self._holder.keys.public.profile.name

    @property
    def identity(self) -> str:
        """Of the keys."""
        return self._holder.keys.identity

    def take_in(self, newcomers: Sequence[Newcomer], size: int = 0) -> int:
        """`enrol_many` with all that is known of them. size: templates to expect in all."""
        with self._lock:
            self._refresh()
            return self._enrol(newcomers, size)

    def _view(self, where: Where | None) -> SealedView:
        everybody = max(1, len(self._index.ids))
        if where is None:
            return SealedView(self._search, everybody)
        among = [one.subject for one in self.people() if where.matches(one.subject, one.metadata, one.enrolled)]
        return SealedView(self._search, everybody, frozenset(among))

    def _search(self, vector: F32, k: int) -> list[Match]:
        """The k best subjects; exhaustive, while encrypted. Raises GalleryError for an answer of the matcher that fails
        its checks, or a quota that is used up."""
        for _ in range(RETRIES):
            with self._lock:
                self._refresh()
                if not self._index.head.dimension:
                    return []
            found = self._compared(vector, k)
            if found is not None:
                return found
        raise self._busy()

    def _compared(self, vector: F32, k: int) -> list[Match] | None:
        """One search, in two rounds where a shortlist is wanted; None where the gallery was changed meanwhile."""
        layout, coarse = self._index.head.layout, self._index.coarse
        turned, numbers = self._index.turned(vector[None])[0], None
        if self.shortlist is not None and coarse is not None:
            numbers = self._asked(
                self._device.encrypt_coarse(layout, turned, coarse.size),
                lambda probe, response: self._holder.shortlist(self._index, probe, response, self.shortlist or 0),
            )
            if numbers is None:
                return None
        return self._asked(
            self._device.encrypt(layout, turned, numbers),
            lambda probe, response: self._holder.matches(self._index, probe, response, k),
        )

    def _asked(self, probe: Probe, read: Callable[[Probe, Response], T]) -> T | None:
        """What is read from the answer, while the gallery is as it was searched."""
        response = self._depot.search(probe)
        with self._lock:
            self._refresh()
            if response.revision != self._index.head.revision:
                return None
            found = read(probe, response)
            self._depot.done(response)
            return found

    @property
    def coarse(self) -> Coarse | None:
        """The preselection that the gallery was sealed with, which `shortlist` uses: rows that a first round leaves."""
        with self._lock:
            self._refresh()
            return self._index.coarse

    def preselect(self, coarse: Coarse) -> None:
        """Turn templates for a preselection. Raises UsageError where somebody is enrolled already."""
        with self._lock:
            self._refresh()
            if self._index.head.dimension:
                raise UsageError(f"{self.where} holds people already.", "Seal it anew with a preselection.")
            note = coarse.note()
            self._change(lambda: self._index.sealed_head(Change(self._index.head), self._space, self._points, note))

    def _listed(self, page: Page) -> list[Person]:
        return [self._told(name) for name in page.cut(sorted(self._index.ids), str)]

    def _person(self, name: str) -> Person | None:
        return self._told(name) if name in self._index.ids else None

    def _told(self, name: str) -> Person:
        subject = self._index.ids[name]
        rows = [self._index.samples[number] for number in self._index.kept[subject]]
        images = sum(self._index.record(row)["image"] for row in rows)
        who = self._index.people[subject]
        return Person(name, len(rows), images, json.loads(who.metadata), who.enrolled)

    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        name = None if subject is None else subject_name(subject)
        with self._lock:
            self._refresh()
            if name is not None and name not in self._index.ids:
                raise self._unknown(name)
            names = sorted(self._index.ids) if name is None else [name]
            walk = [(each, number) for each in names for number in self._index.kept[self._index.ids[each]]]
        return self._walk(walk)

    def verify(self) -> list[str]:
        faults: list[str] = []
        with self._lock:
            self._usable()
            try:
                if isinstance(self._depot, Matcher):
                    faults += self._depot.store.faults()
                self._loaded = False
                self._refresh()
            except GalleryCorrupt as error:
                return [*faults, error.message]
            for group in sorted(self._index.groups):
                faults += self._faults_of_group(group)
        return faults

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a copy to a new embedded gallery at `path`: not sealed, so put it where plain templates may lie."""
        super().backup(path)

    def forget_sample(self, subject: str, template: Template) -> bool:
        name = subject_name(subject)
        with self._lock:
            self._refresh()
            check_template(template, self._space, self._dimension, self.where)
            return self._remove(name, template.vector.tobytes()).samples > 0

    def _counts(self) -> tuple[int, int]:
        return len(self._index.ids), self._index.templates

    def _has(self, name: str) -> bool:
        return name in self._index.ids

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _space(self) -> str | None:
        space: str | None = self._index.notes["space"]
        return space

    @property
    def _points(self) -> str:
        points: str = self._index.notes["points"]
        return points

    @property
    def _dimension(self) -> int | None:
        return self._index.head.dimension or None

    def _keep(self, points: str) -> None:
        self._change(lambda: self._index.sealed_head(Change(self._index.head), self._space, points))

    def _refresh(self) -> None:
        self._usable()
        for _ in range(RETRIES):
            head = self._depot.head()
            if self._loaded and head == self._index.head:
                return
            check_identity(self.identity, head)
            since = (self._index.head.revision, self._index.head.epoch) if self._loaded else (-1, -1)
            self._loaded = False  # what fails half-way is read again as a whole
            self._index.update(self._depot.state(*since))
            self._loaded = True
            if self._holder.ledger.witness(self._index.head, self.where):
                return
            self._loaded = False
            if self._depot.head().revision <= self._index.head.revision:  # else others were merely faster
                raise self._holder.ledger.put_back(self._index.head, self.where)
        raise self._busy()

    def _change(self, make: Callable[[], Change | None]) -> None:
        if self._read_only:
            raise GalleryReadOnly(
                f"The gallery {self.where} may only be read.", "Open it for writing, and look at its permissions."
            )
        for _ in range(RETRIES):
            change = self._steady(make)
            if change is None:
                return
            done = self._depot.apply(change, self._marker.token())
            self._refresh()
            if done:
                return
        raise self._busy()

    def _steady(self, read: Callable[[], T]) -> T:
        """What `read` gives; begun anew where others changed the gallery between two of its questions to the matcher."""
        for _ in range(RETRIES):
            try:
                return read()
            except GalleryCorrupt:
                if self._depot.head() == self._index.head:
                    raise
                self._refresh()
        raise self._busy()

    def _add(self, newcomers: Sequence[Newcomer]) -> int:
        return self._enrol(newcomers, 0)

    def _enrol(self, newcomers: Sequence[Newcomer], size: int) -> int:
        added = 0

        def make() -> Change | None:
            nonlocal added
            change, added = self._enroller.enrol(self._index, newcomers, self._depot.groups, size)
            return change

        self._change(make)
        return added

    def _remove(self, name: str, vector: bytes | None) -> Removed:
        removed = Removed(0, 0, "")

        def make() -> Change | None:
            nonlocal removed
            subject = self._index.ids.get(name)
            if subject is None:
                raise self._unknown(name)
            rows = [self._index.samples[number] for number in self._index.kept[subject]]
            if vector is not None:
                mark = self._marker.fingerprint(vector)
                rows = [row for row in rows if self._index.record(row)["fingerprint"] == mark]
            removed = self._receipt(rows)
            if not rows:
                return None
            return self._hand.erase(self._index, [row.number for row in rows])

        self._change(make)
        return removed

    def _receipt(self, rows: Sequence[SampleRow]) -> Removed:
        details = self._depot.details([row.number for row in rows])
        vectors = [self._vector(row, details.get(row.number)).tobytes() for row in rows]
        images = sum(self._index.record(row)["image"] for row in rows)
        return Removed(len(rows), images, hashlib.blake2b(b"".join(vectors), digest_size=16).hexdigest())

    def _walk(self, walk: list[tuple[str, int]]) -> Iterator[tuple[str, Sample]]:
        for start in range(0, len(walk), _BLOCK):
            block = walk[start : start + _BLOCK]
            with self._lock:
                self._refresh()
                found = self._steady(partial(self._read, block))
            yield from found

    def _read(self, block: Sequence[tuple[str, int]]) -> list[tuple[str, Sample]]:
        here = [(name, self._index.samples[number]) for name, number in block if number in self._index.samples]
        details = self._depot.details([row.number for _, row in here])
        return [(name, self._sample(row, details.get(row.number))) for name, row in here]

    def _sample(self, row: SampleRow, detail: Detail | None) -> Sample:
        record, face = self._index.record(row), None
        if record["image"]:
            packed = self._index.picture(row, detail)
            size = 4 + int.from_bytes(packed[:4], "little")
            face = unpack_face(packed[size:], json.loads(packed[4:size]))
        template = Template(self._vector(row, detail), self._space or "", record["quality"])
        return Sample(template, face, record["source"])

    def _vector(self, row: SampleRow, detail: Detail | None) -> F32:
        """As it was enrolled; where an enroller without the vault took it in, as it decrypts."""
        kept = self._index.checked(row, detail).vector
        if kept:
            return np.frombuffer(self._vault.open(kept, about(row)), np.float32)
        stored, body = self._depot.groups([row.group]).get(row.group, (GroupRow(row.group, -1), None))
        self._index.check_group(row.group, stored, body)
        assert body is not None  # check_group
        held = self._holder.templates(self._index.head.layout, body[None])[0, row.slot]
        vector = self._index.straight(held[None])[0]
        unit: F32 = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit

    def _faults_of_group(self, group: int) -> list[str]:
        """Marks, kept vectors against decrypted ones, crops."""
        layout, faults = self._index.head.layout, []
        try:
            stored, body = self._depot.groups([group])[group]
            self._index.check_group(group, stored, body)
        except (GalleryCorrupt, KeyError) as error:
            return [getattr(error, "message", f"Group {group} is missing.")]
        rows, vectors = self._index.others(group), {}
        details = self._depot.details([row.number for row in rows])
        for row in rows:
            try:
                vectors[row.slot] = self._sample(row, details.get(row.number)).template.vector
            except GalleryCorrupt as error:
                faults.append(error.message)
        covered = frozenset(row.slot for row in rows if row.covered)
        canaries = [row.slot for row in self._index.canaries.get(group, ())]
        wanted = self._index.turned(
            Content(group, vectors, covered & vectors.keys(), canaries).rows(layout, self._vault.weights)
        )
        slack = self._holder.keys.public.profile.slack(layout)
        off = np.abs(self._holder.templates(layout, body[None])[0] - wanted).max(axis=1) > slack
        faults += [
            f"Sample {row.number} is not what its group holds." for row in rows if off[row.slot] and row.slot in vectors
        ]
        off[[row.slot for row in rows]] = False
        if off.any() and len(vectors) == len(rows):  # else the canaries' sums are not known
            faults.append(f"Group {group} holds something where nobody is enrolled.")
        return faults

    def _busy(self) -> GalleryBusy:
        return GalleryBusy(f"The gallery {self.where} is being changed all the time.", "Try again later.")

    def _release(self) -> None:
        self._depot.close()
