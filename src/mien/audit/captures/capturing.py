"""Every picture of a data set through detector and embedder, on all cores; a killed run goes on where it was.

The largest face of a picture counts. A picture without one keeps its row, with the reason: it is a failure to acquire.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.audit.captures.captures import Captures
from mien.audit.captures.resume import Store, forget
from mien.audit.data.found import Found
from mien.audit.data.picture import Labelled
from mien.engine import Engine
from mien.errors import InputError, MienError, ModelError, UsageError
from mien.report import Problem
from mien.types import F32, Face, Frame

__all__ = ["Done", "Progress", "capture", "forget", "gathered", "given_face", "lost", "passed", "unfinished"]

Progress = Callable[[int, int], None]  # pictures done, pictures in all
NO_FACE = "no face was found"
POOR = "the face is too poor to know anybody by"
_MANY = "A picture with several faces; the largest counts as its subject's."
_FAILED = "A picture that gave no template; it stays in the data as a failure to acquire."


def capture(
    engine: Engine,
    pictures: Sequence[Labelled],
    *,
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    floor: float = 0.0,
) -> Captures:
    """All pictures as captures, in their order.

    store: a file that keeps what is done, so that the same call goes on after a kill; it holds templates of people, so
    `forget` it when the report is written. Pictures with the same bytes are looked at once.
    floor: faces of a lower overall quality fail to acquire; 0.0 keeps all, `Policy().floor` is what enrolment asks for.
    Raises UsageError for names that are not unique, InputError for a store that is none."""
    if len({one.name for one in pictures}) < len(pictures):
        raise UsageError("Two pictures have the same name.", "Give every picture a name of its own.")
    kept = unfinished(store)
    try:
        looked = passed(engine, _Looker(engine, kept.known), pictures, kept, progress)
    finally:
        kept.close()
    return gathered(engine, pictures, looked, floor)


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """One picture, looked at."""

    digest: str
    faces: int
    failure: str = ""
    vector: F32 | None = None
    quality: float = 0.0


def unfinished(store: str | os.PathLike[str] | None) -> Store[Done]:
    """What is done of a run. Raises InputError for a file of another kind, CannotWrite."""
    return Store(store, _encoded, _decoded)


def _encoded(done: Done) -> tuple[str, bytes]:
    text = json.dumps([done.digest, done.faces, done.failure, done.quality])
    return text, b"" if done.vector is None else done.vector.tobytes()


def _decoded(text: str, blob: bytes) -> Done:
    digest, faces, failure, quality = json.loads(text)
    return Done(
        str(digest), int(faces), str(failure), np.frombuffer(blob, np.float32) if blob else None, float(quality)
    )


def lost(captures: Captures) -> tuple[Problem, ...]:
    """What a report says of captures that gave no template, and of pictures with several faces."""
    found = Found()
    for name, reason, faces in zip(captures.names, captures.failures, captures.faces, strict=True):
        if reason:
            found.add("failed_capture", _FAILED, f"{name}: {reason}")
        if faces > 1:
            found.add("several_faces", _MANY, f"{name}: {faces} faces")
    return found.problems()


@dataclass(frozen=True, slots=True)
class _Looker:
    """Looks at one picture, unless that was done before."""

    engine: Engine
    known: Mapping[str, Done]

    def __call__(self, picture: Labelled) -> tuple[str, Done]:
        digest = picture.digest()
        key = self._key(picture, digest)
        return key, self.known.get(key) or self._look(picture, digest)

    def _key(self, picture: Labelled, digest: str) -> str:
        """What the result depends on."""
        where = self.engine.detector.name if picture.points is None else repr(picture.points.tolist())
        words = (digest, repr(picture.pad), where, self.engine.embedder.space, self.engine.judges[0].name)
        return hashlib.sha256("\n".join(words).encode()).hexdigest()

    def _look(self, picture: Labelled, digest: str) -> Done:
        frame = picture.read()
        faces = self.engine.faces(frame) if picture.points is None else [given_face(frame, picture.points)]
        if not faces:
            return Done(digest, 0, NO_FACE)
        try:
            template = self.engine.shots(faces[:1])[0].template
        except InputError as error:  # points that no face can have
            return Done(digest, len(faces), error.message)
        return Done(digest, len(faces), "", template.vector.astype(np.float32), template.quality or 0.0)


def given_face(frame: Frame, points: F32) -> Face:
    """The face that a data set says is there; its box spans the points and as much again around them."""
    low, high = points.min(0), points.max(0)
    box = np.concatenate([low - (high - low) / 2, high + (high - low) / 2])
    return Face(frame, box.astype(np.float32), points.astype(np.float32), 1.0)


def passed(
    engine: Engine,
    look: Callable[[Labelled], tuple[str, Done]],
    pictures: Sequence[Labelled],
    kept: Store[Done],
    progress: Progress | None,
) -> list[Done]:
    """Each picture through `look`, on all cores, kept as it is done; what `look` hands back is (key, result)."""
    done: list[Done] = []
    for _, result in engine.map(look, pictures):
        if isinstance(result, MienError):  # a file that cannot be read; it may be there when the run goes on
            if isinstance(result, ModelError):
                raise result
            done.append(Done("", 0, result.message))
        else:
            key, one = result
            if key not in kept.known:
                kept.keep(key, one)
            done.append(one)
        if progress is not None:
            progress(len(done), len(pictures))
    return done


def gathered(engine: Engine, pictures: Sequence[Labelled], looked: Sequence[Done], floor: float) -> Captures:
    """Pictures that were looked at, as captures."""
    dimension = next((len(one.vector) for one in looked if one.vector is not None), 1)
    vectors = np.zeros((len(looked), dimension), np.float32)
    quality = np.full(len(looked), np.nan)
    failures = []
    for row, one in enumerate(looked):
        poor = one.vector is not None and one.quality < floor
        failures.append(f"{POOR} (quality {one.quality:.2f})" if poor else one.failure)
        if one.vector is not None and not poor:
            vectors[row], quality[row] = one.vector, one.quality
    return Captures(
        tuple(one.name for one in pictures),
        tuple(one.subject for one in pictures),
        vectors,
        quality,
        tuple(failures),
        engine.embedder.space,
        tuple(one.digest for one in looked),
        tuple(one.faces for one in looked),
    )
