"""Photos into an album: each seen once, written every few seconds, so that a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mien import media
from mien.cluster import crops, store
from mien.cluster.nouns import Added
from mien.engine import Engine
from mien.errors import InputError, MienError
from mien.media.door import content_of
from mien.media.image import MAX_BYTES
from mien.sighting import Shot

Step = Callable[[int], None]  # told how many more photos are done

_PART, _SECONDS = 64, 10.0  # photos, s between two writes


@dataclass(frozen=True, slots=True)
class _Looked:
    """A photo with its faces; None where it was seen before."""

    digest: bytes
    source: str
    shots: list[Shot] | None


@dataclass(slots=True)
class Adding:
    """One run. The caller keeps other processes from running another."""

    path: Path
    db: sqlite3.Connection
    engine: Engine
    allow_twice: bool
    step: Step
    photos: int = 0
    known: int = 0
    faces: int = 0
    without: int = 0
    refused: list[tuple[str, MienError]] = field(default_factory=list)
    _seen: dict[bytes, str] = field(default_factory=dict)
    _waiting: list[_Looked] = field(default_factory=list)

    def run(self, photos: Iterable[str | os.PathLike[str]]) -> Added:
        """Look at all photos; what is no photo is listed."""
        with store.plain_errors(self.path):
            self._seen = dict(self.db.execute("SELECT digest, source FROM photo"))
        written = time.monotonic()
        try:
            for photo, result in self.engine.map(self._look, photos):
                if isinstance(result, MienError):
                    self.refused.append((os.fspath(photo), result))
                else:
                    self._take(result)
                self.step(1)
                if len(self._waiting) >= _PART or time.monotonic() - written > _SECONDS:
                    self._write()
                    written = time.monotonic()
        finally:
            self._write()  # also when stopped: what was seen is not seen again
        return Added(self.photos, self.known, self.faces, self.without, tuple(self.refused))

    def _look(self, photo: str | os.PathLike[str]) -> _Looked:
        """On one of the engine's threads: nothing here touches the album."""
        source = os.fspath(photo)
        digest = hashlib.blake2b(content_of(photo, MAX_BYTES), digest_size=16).digest()
        if digest in self._seen:
            return _Looked(digest, source, None)
        faces = self.engine.faces(media.read_image(photo))
        return _Looked(digest, source, self.engine.shots(faces) if faces else [])

    def _take(self, looked: _Looked) -> None:
        if looked.shots is None or looked.digest in self._seen:
            self.known += 1
            self._moved(looked)
            return
        self._seen[looked.digest] = looked.source
        self._waiting.append(looked)

    def _moved(self, looked: _Looked) -> None:
        """A photo seen before is now elsewhere, unless its old place still holds something."""
        old = self._seen[looked.digest]
        if old != looked.source and not Path(old).exists():
            self._seen[looked.digest] = looked.source
            with store.plain_errors(self.path), store.transaction(self.db):
                self.db.execute("UPDATE photo SET source = ? WHERE digest = ?", (looked.source, looked.digest))

    def _write(self) -> None:
        """Everything that waits, in one durable step."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        with store.plain_errors(self.path), store.transaction(self.db):
            for looked in waiting:
                photo = self._photo(looked)
                found = sum(self._put(looked, shot, photo) for shot in looked.shots or [])
                self.db.execute("UPDATE photo SET faces = ? WHERE id = ?", (found, photo))
                self.photos += 1
                self.faces += found
                self.without += found == 0

    def _photo(self, looked: _Looked) -> int:
        values = (
            looked.digest,
            looked.source.encode("utf8", "surrogateescape").decode("utf8", "replace"),
            int(self.allow_twice),
        )
        return int(self.db.execute("INSERT INTO photo VALUES (NULL, ?, ?, ?, 0)", values).lastrowid or 0)

    def _put(self, looked: _Looked, shot: Shot, photo: int) -> bool:
        try:
            jpeg, geometry = crops.pack(shot.face)
        except InputError as error:  # points that lie as on no face
            self.refused.append((looked.source, error))
            return False
        values = (photo, shot.worth, shot.template.vector.tobytes(), jpeg, geometry)
        self.db.execute("INSERT INTO face VALUES (NULL, ?, NULL, ?, ?, ?, ?)", values)
        return True
