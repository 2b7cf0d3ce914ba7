"""People who may be enrolled twice, found while somebody looks at the review queue."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mien.dedupe import dedupe
from mien.errors import EvidenceError
from mien.gallery import BaseGallery
from mien.serve.samples import ID_BYTES
from mien.types import OperatingPoint

MOST = 2_000  # templates that are compared while a request waits; more is work for `mien dedupe`
KEPT = 60.0  # s for which what was found is not looked for anew, while the gallery has as many people and templates
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


class Doubles:
    """Looks for doubles, and remembers what was found for a minute."""

    def __init__(self, points: Callable[[], Sequence[OperatingPoint]]) -> None:
        self._points = points
        self._found: dict[Where, tuple[tuple[int, int], float, Found]] = {}
        self._lock = threading.Lock()  # one look at a time: each takes a core

    def of(self, where: Where, gallery: BaseGallery) -> Found:
        """The doubles of a gallery."""
        counts = gallery.count()
        if counts[1] > MOST:
            why = f"{counts[1]:,} templates are too many to compare while you wait: run `mien dedupe`"
            return Found(why=why)
        with self._lock:
            held = self._found.get(where)
            if held is None or held[0] != counts or time.monotonic() - held[1] > KEPT:
                held = self._found[where] = counts, time.monotonic(), self._looked(where, gallery)
            return held[2]

    def drop(self, where: Where) -> None:
        """Look anew next time."""
        with self._lock:
            self._found.pop(where, None)

    def _looked(self, where: Where, gallery: BaseGallery) -> Found:
        try:
            found = dedupe(gallery, points=self._points())
        except EvidenceError as error:
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
