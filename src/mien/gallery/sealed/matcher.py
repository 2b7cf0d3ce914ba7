"""The matcher: it stores and compares ciphertexts, and holds no key.

What it can see: how many people, templates and groups there are, which rows belong together, when rows come and go, when and
how often is searched, how long names and metadata are within 128 bytes. What it cannot: names, templates, probes (but in the
profile open-probe those too), scores, who was found.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mien.errors import GalleryBusy, GalleryError
from mien.gallery.sealed import folder as home
from mien.gallery.sealed.cipher import check_sanitising, cipher
from mien.gallery.sealed.probe_device import Probe
from mien.gallery.sealed.profiles import profile
from mien.gallery.sealed.records import U32, Change, Detail, GroupRow, Head, State
from mien.gallery.sealed.store import Snapshot, Store

if TYPE_CHECKING:
    from mien.gallery.sealed.keys import PublicKey

SPARE = 2  # responses kept to be written over
RETRIES = 20  # searches begun anew because somebody wrote meanwhile


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """An encrypted answer: one row per group, in the order of `numbers`."""

    revision: int  # of the gallery as it was searched
    numbers: tuple[int, ...]
    body: U32  # (groups, limbs, 3, ring); to a probe in the open (groups, 2, ring)


class Depot(Protocol):
    """What a sealed gallery asks of a matcher, be it in this process or behind an address."""

    def head(self) -> Head:
        """The head as it is now."""

    def state(self, revision: int = -1, epoch: int = -1) -> State:
        """Rows since then."""

    def details(self, numbers: Sequence[int], pictures: bool = True) -> dict[int, Detail]:
        """Sealed vectors and, where asked for, crops of samples."""

    def groups(self, numbers: Sequence[int]) -> dict[int, tuple[GroupRow, U32]]:
        """Rows and bytes of groups."""

    def search(self, probe: Probe) -> Response:
        """Every score, encrypted."""

    def done(self, response: Response) -> None:
        """Say that nobody looks at a response any more: the next search may write over it."""

    def apply(self, change: Change, token: bytes) -> bool:
        """Take a step; False when somebody else was faster. token: see `Marker.token`."""

    def close(self) -> None:
        """Let go."""


class Matcher:
    """Searches one folder. Threads may share it; what is not comparing takes turns.

    sanitise: with the public key that lies in the folder: needed where key holder and gallery owner differ, because a response
    that is not sanitised tells the key holder the templates themselves. threads: for one search."""

    def __init__(self, store: Store, sanitise: bool = False, threads: int | None = None) -> None:
        self.store = store
        self._sanitise = sanitise
        self._public: PublicKey | None = None
        self.threads = threads or os.cpu_count() or 1
        self._lock = threading.RLock()
        self._spare: list[U32] = []  # responses that nobody looks at any more

    def head(self) -> Head:
        """The head as it is now."""
        with self._lock:
            return self.store.head()

    def state(self, revision: int = -1, epoch: int = -1) -> State:
        """Rows since then."""
        with self._lock:
            return self.store.state(revision, epoch)

    def details(self, numbers: Sequence[int], pictures: bool = True) -> dict[int, Detail]:
        """Sealed vectors and, where asked for, crops of samples."""
        with self._lock:
            return self.store.details(numbers, pictures)

    def groups(self, numbers: Sequence[int]) -> dict[int, tuple[GroupRow, U32]]:
        """Rows and bytes of groups."""
        with self._lock:
            return self.store.groups(numbers)

    def search(self, probe: Probe) -> Response:
        """Every score, encrypted. Raises GalleryError for a probe of other keys, InputError for one of other shape."""
        for _ in range(RETRIES):
            with self._lock:
                seen = self.store.snapshot()
            check_identity(probe.identity, seen.head)
            answer = self.compare(probe, seen)
            if self.head().revision == seen.head.revision:  # else a place may have been written meanwhile
                return answer
        raise GalleryBusy(f"The gallery {self.store.folder} is being changed all the time.", "Try again later.")

    def compare(self, probe: Probe, seen: Snapshot) -> Response:
        """The search itself, over what a snapshot saw: no lock is needed."""
        asked = None if probe.numbers is None else set(probe.numbers)
        pairs = [pair for pair in zip(seen.numbers, seen.places, strict=True) if asked is None or pair[0] in asked]
        numbers, places = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
        if not numbers:
            return Response(seen.head.revision, (), np.empty((0, 0, 3, 0), np.uint32))
        by, layout = cipher(profile(seen.head.profile)), seen.head.layout
        groups = seen.body.reshape(-1, *seen.head.row_shape)
        if asked is not None:
            groups, places = groups[list(places)], tuple(range(len(places)))
        with self._lock:
            spare = self._spare.pop() if self._spare else None
        found = by.search(groups, probe.body, layout, self.threads, spare)
        if places != tuple(range(len(groups))):
            found = found[list(places)]
        if self._sanitise:
            found = by.sanitise(self.public(seen.head), layout, found)
        return Response(seen.head.revision, numbers, found)

    def done(self, response: Response) -> None:
        """Keep its memory for the next search: a system takes longer to hand out 37 MiB than to fill them."""
        with self._lock:
            if len(self._spare) < SPARE:
                self._spare.append(response.body)

    def ready(self) -> None:
        """Say now, not at the first search, why answers cannot be sanitised. Raises UsageError, InputError."""
        head = self.head()
        if self._sanitise:
            check_sanitising(profile(head.profile))
            self.public(head)

    def public(self, head: Head) -> PublicKey:
        """The public key in the folder. Raises InputError, UsageError where it is damaged or missing."""
        from mien.gallery.sealed.keys import load_public

        if self._public is None or self._public.identity != head.identity:
            self._public = load_public(home.public_folder(self.store.folder, head.identity))
            check_identity(self._public.identity, head)
        return self._public

    def apply(self, change: Change, token: bytes) -> bool:
        """Take a step; False when somebody else was faster."""
        with self._lock:
            return self.store.apply(change)

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self.store.close()


def check_identity(identity: str, head: Head, kind: str | None = None) -> None:
    """Raise GalleryError where something was made for other keys than the gallery's; kind: their profile, to tell more."""
    if identity != head.identity:
        other = kind is not None and kind != head.profile
        raise GalleryError(
            f"These keys are {identity}, but the gallery was sealed with {head.identity}"
            + (f": they are of the profile {kind}, and it is of the profile {head.profile}." if other else "."),
            "Name the folder with the gallery's own keys.",
        )
