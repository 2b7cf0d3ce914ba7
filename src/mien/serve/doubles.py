"""People who may be enrolled twice, found while somebody looks at the review queue."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mien.dedupe import dedupe
from mien.errors import MienError
from mien.gallery import BaseGallery
from mien.serve.samples import ID_BYTES
from mien.types import OperatingPoint

MOST = 2_000  # templates that are compared; they are read with their crops, which takes seconds. More: `mien dedupe`
KEPT = 600.0  # s for which what was found is not looked for anew, while the gallery has as many people and templates
PATIENCE = 1.0  # s that a request waits for a look; it goes on without the request
Where = tuple[str, str]  # tenant and gallery


@dataclass(frozen=True, slots=True)
class Double:
    """Two subjects who may be one person, by their two most alike samples."""

    id: str
    one: str
    other: str
    score: float  # cosine
    one_sample: str  # id
    other_sample: str


@dataclass(frozen=True, slots=True)
class Found:
    """The doubles of a gallery. Either `why` there are none, or how many of them chance alone may have brought."""

    doubles: tuple[Double, ...] = ()
    expected: float | None = None
    why: str = ""
    looking: bool = False  # ask again


@dataclass(frozen=True, slots=True)
class _Held:
    counts: tuple[int, int]  # people and templates
    at: float
    found: Found


class Doubles:
    """Looks for doubles in a thread, one gallery at a time, and remembers what was found."""

    def __init__(self, points: Callable[[], Sequence[OperatingPoint]]) -> None:
        self._points = points
        self._held: dict[Where, _Held] = {}
        self._looking: dict[Where, threading.Event] = {}
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def of(self, where: Where, gallery: BaseGallery) -> Found:
        """The doubles of a gallery, as far as they are known within a second."""
        counts = gallery.count()
        if counts[1] > MOST:
            return Found(why=f"{counts[1]:,} templates are too many to compare here: run `mien dedupe`")
        with self._lock:
            held = self._held.get(where)
            if held is not None and held.counts == counts and time.monotonic() - held.at < KEPT:
                return held.found
            done = self._looking.get(where)
            if done is None:
                done = self._looking[where] = threading.Event()
                given = where, gallery, counts, done
                threading.Thread(target=self._look, args=given, name="doubles", daemon=True).start()
        done.wait(PATIENCE)
        with self._lock:
            held = self._held.get(where)
        if held is not None and held.counts == counts:
            return held.found
        return Found(why="people who may be enrolled twice are being looked for: ask again in a moment", looking=True)

    def drop(self, where: Where) -> None:
        """Look anew next time."""
        with self._lock:
            self._held.pop(where, None)

    def _look(self, where: Where, gallery: BaseGallery, counts: tuple[int, int], done: threading.Event) -> None:
        try:
            with self._turn:
                found = self._looked(where, gallery)
            with self._lock:
                self._held[where] = _Held(counts, time.monotonic(), found)
        finally:
            with self._lock:
                self._looking.pop(where, None)
            done.set()

    def _looked(self, where: Where, gallery: BaseGallery) -> Found:
        try:
            found = dedupe(gallery, points=self._points())
        except MienError as error:  # too few people, no evidence; or the gallery went away meanwhile
            return Found(why=error.message)
        doubles = (
            Double(_id(where, pair.one, pair.other), pair.one, pair.other, pair.score, *map(_sample_id, pair.vectors))
            for pair in found.pairs
        )
        return Found(tuple(doubles), found.expected)


def _id(where: Where, one: str, other: str) -> str:
    return "p" + hashlib.blake2b(json.dumps([*where, one, other]).encode(), digest_size=ID_BYTES).hexdigest()


def _sample_id(vector: bytes) -> str:
    return hashlib.blake2b(vector, digest_size=ID_BYTES).hexdigest()
