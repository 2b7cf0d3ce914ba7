"""Every picture through the detector alone, on all cores; a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.audit.captures.capturing import Progress
from mien.audit.captures.resume import Store
from mien.audit.data.picture import Labelled
from mien.audit.metrics import F64
from mien.engine import Engine
from mien.errors import MienError, ModelError
from mien.types import F32

TIMED = 30  # pictures that are looked at one by one for the speed


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What the detector found in one picture."""

    picture: Labelled
    width: int = 0  # px
    height: int = 0
    boxes: F32 = field(default_factory=lambda: np.empty((0, 4), np.float32))  # (k, 4) px
    scores: F64 = field(default_factory=lambda: np.empty(0))  # (k,)
    failure: str = ""  # why the picture could not be looked at

    @property
    def name(self) -> str:
        """Of the picture."""
        return self.picture.name


def look(
    engine: Engine,
    pictures: Sequence[Labelled],
    *,
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Looked, ...]:
    """The faces of all pictures, in order. `store`: as for `capture`; it holds boxes, no templates.

    Pictures are read as they are, whatever points the data set gives."""
    kept: Store[Seen] = Store(store, _encoded, _decoded)

    def one(picture: Labelled) -> tuple[str, Seen]:
        words = f"{picture.digest()} {picture.pad!r} {engine.detector.name}"
        key = hashlib.sha256(words.encode()).hexdigest()
        if key in kept.known:
            return key, kept.known[key]
        frame = picture.read()
        found = [[*face.source_box.tolist(), face.score] for face in engine.faces(frame)]
        return key, (frame.width, frame.height, np.array(found, np.float64).reshape(-1, 5))

    done: list[Looked] = []
    try:
        for picture, result in engine.map(one, pictures):
            if isinstance(result, ModelError):
                raise result
            if isinstance(result, MienError):
                done.append(Looked(picture, failure=result.message))
            else:
                if result[0] not in kept.known:
                    kept.keep(*result)
                width, height, found = result[1]
                done.append(Looked(picture, width, height, found[:, :4].astype(np.float32), found[:, 4]))
            if progress is not None:
                progress(len(done), len(pictures))
    finally:
        kept.close()
    return tuple(done)


def speeds(engine: Engine, pictures: Sequence[Labelled], most: int = TIMED) -> F64:
    """(k,) ms that the detector takes for each of `most` pictures spread over the data, one after another, reading left out.

    The first picture is looked at once before, so that loading the models does not count."""
    chosen = (
        [pictures[index] for index in np.unique(np.linspace(0, len(pictures) - 1, most).astype(int))]
        if pictures
        else []
    )
    times = []
    for picture in [*chosen[:1], *chosen]:
        try:
            frame = picture.read()
        except MienError:  # counted where the pictures are looked at
            continue
        start = time.perf_counter()
        engine.faces(frame)
        times.append(1000 * (time.perf_counter() - start))
    return np.array(times[1:])


Seen = tuple[int, int, F64]  # width, height, (k, 5) boxes and scores


def _encoded(seen: Seen) -> tuple[str, bytes]:
    return json.dumps(seen[:2]), seen[2].tobytes()


def _decoded(text: str, blob: bytes) -> Seen:
    width, height = json.loads(text)
    return int(width), int(height), np.frombuffer(blob, np.float64).reshape(-1, 5)
