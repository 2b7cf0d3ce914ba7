"""Samples to the gallery, in the order of the source, some hundreds in one durable commit (see `journal` for the order)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from mien.bulk.items import Item
from mien.bulk.journal import Height, Journal
from mien.bulk.makers import Made
from mien.bulk.outcome import Outcome
from mien.decide import Policy
from mien.errors import InputError, MienError, UnknownSubject
from mien.gallery.base import BaseGallery
from mien.types import Sample

BATCH = 256  # samples in a commit: a second or more of work for many workers, and few enough to hold
EVERY = 10.0  # s after which a smaller batch is committed too
Refused = Callable[[str, MienError], Any]


class Writer:
    """The one writer of a run. What it was given is durable after `commit`."""

    def __init__(
        self, gallery: BaseGallery, journal: Journal, outcome: Outcome, refused: Refused | None = None
    ) -> None:
        self._gallery = gallery
        self._journal = journal
        self._outcome = outcome
        self._refused = refused
        self._good: list[tuple[bytes, Item, Sample]] = []
        self._bad: list[tuple[bytes, Item, MienError]] = []
        self._last = time.monotonic()
        self._asked: tuple[str, frozenset[bytes]] = ("", frozenset())

    def add(self, key: bytes, item: Item, made: Made) -> None:
        """One picture's sample or failure; committed with others."""
        self._outcome.looked += 1
        if isinstance(made, MienError):
            self._bad.append((key, item, made))
            self.fail(item.source, made)
        else:
            self._good.append((key, item, made))
            self._outcome.waiting += 1
        full = len(self._good) >= BATCH or len(self._bad) >= 4 * BATCH
        if full or time.monotonic() - self._last > EVERY:
            self.commit()

    def fail(self, source: str, error: MienError) -> None:
        """Count and tell a failure."""
        self._outcome.failed += 1
        if self._refused is not None:
            self._refused(source, error)

    def commit(self) -> None:
        """Make everything durable that was added. Raises GalleryError; then the journal knows what was begun."""
        good, bad = self._good, self._bad
        if good or bad:
            opened = ((key, item, digest(sample)) for key, item, sample in good)
            self._journal.intend(opened, bad, height(self._gallery))
            self._good, self._bad = [], []
            if good:
                self._settle(good)
        self._last = time.monotonic()

    def there(self, item: Item, template: bytes) -> bool:
        """Whether the gallery has the template of an open picture; if so, its person's metadata are noted (again)."""
        if self._asked[0] != item.subject:
            try:
                held = frozenset(digest(sample) for _, sample in self._gallery.samples(item.subject))
            except UnknownSubject:
                held = frozenset()
            self._asked = (item.subject, held)
        found = template in self._asked[1]
        if found and item.metadata is not None:
            self._gallery.enrol(item.subject, (), item.metadata)
        return found

    def _settle(self, good: list[tuple[bytes, Item, Sample]]) -> None:
        people: dict[str, list[Sample]] = {}
        metadata: dict[str, Mapping[str, Any]] = {}
        for _, item, sample in good:
            people.setdefault(item.subject, []).append(sample)
            if item.metadata is not None:
                metadata[item.subject] = item.metadata
        refused = self._enrol(people, metadata)
        self._outcome.waiting -= len(good)
        kept = [(key, item, sample) for key, item, sample in good if item.subject not in refused]
        failed = [(key, item, refused[item.subject]) for key, item, _ in good if item.subject in refused]
        for _, item, error in failed:
            self.fail(item.source, error)
        if failed:
            self._journal.intend((), failed)
        self._journal.settle([key for key, _, _ in kept], height(self._gallery))
        self._outcome.samples += len(kept)
        self._outcome.poor += sum((sample.template.quality or 0) < Policy().quality for _, _, sample in kept)

    def _enrol(
        self, people: Mapping[str, list[Sample]], metadata: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, MienError]:
        """All in one commit; where one of them is refused, each alone. Gives the refused."""
        everybody = [(subject, samples, metadata.get(subject)) for subject, samples in people.items()]
        refused: dict[str, MienError] = {}
        try:
            self._outcome.added += self._gallery.enrol_many(everybody)
        except InputError:
            for subject, samples, words in everybody:
                try:
                    self._outcome.added += self._gallery.enrol(subject, samples)
                except InputError as error:
                    refused[subject] = error
                    continue
                try:
                    if words is not None:
                        self._gallery.enrol(subject, (), words)
                except InputError as error:  # the person is enrolled; what was to be noted about them cannot be
                    self.fail(subject, error)
        return refused


def height(gallery: BaseGallery) -> Height | None:
    """How many erasures and samples a gallery has ever seen; None for one that does not count them."""
    revision = getattr(gallery, "revision", None)
    head = None if revision is None else revision()
    erasures, samples = getattr(head, "epoch", None), getattr(head, "last_sample", None)
    return None if erasures is None or samples is None else Height(int(erasures), int(samples))


def digest(sample: Sample) -> bytes:
    """16 bytes that stand for a template."""
    return hashlib.blake2b(sample.template.vector.tobytes(), digest_size=16).digest()
