"""Every picture through detector, embedder and both judges of quality, on all cores; a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.audit.captures import Captures
from mien.audit.captures.capturing import NO_FACE, Done, Progress, gathered, given_face, passed, unfinished
from mien.audit.data import Labelled
from mien.audit.metrics import F64
from mien.engine import Engine
from mien.errors import InputError
from mien.judge.iso_quality import COMPONENTS, Assessment, failed, measure, told
from mien.types import Face, Frame, OperatingPoint

NAMES = tuple(COMPONENTS)
_VERSION = "iso_quality 1"  # of what is kept: another number when a measure changes
_PLACE = 14  # numbers that say where the face lies: box, five points
_BEHIND = len(NAMES) + _PLACE  # numbers kept behind a template


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """n pictures with their captures, native values and faces."""

    pictures: tuple[Labelled, ...]
    captures: Captures  # their quality is the `overall` of the quality judge
    natives: F64  # (n, 28) in the order of COMPONENTS; NaN where there is none
    places: F64  # (n, 14) box and five points in px of the picture as the data set has it; NaN without a face
    operating: tuple[OperatingPoint, ...] = ()  # of the embedder's card
    given: frozenset[str] = frozenset()  # components whose native values were measured elsewhere

    def assessment(self, row: int) -> Assessment:
        """All 28 components of one picture."""
        values = {
            name: float(value) for name, value in zip(NAMES, self.natives[row], strict=True) if np.isfinite(value)
        }
        if not values and self.captures.failures[row]:
            return failed(self.captures.failures[row])
        return told(values, given={name: values[name] for name in self.given & set(values)})

    def face(self, row: int) -> Face | None:
        """The face of one picture, which is read again; None where there is none. Raises UnreadableMedia."""
        if not np.isfinite(self.places[row]).all():
            return None
        place = self.places[row].astype(np.float32)
        frame = unpadded(self.pictures[row].read(), self.pictures[row].pad)
        return Face(frame, place[:4], place[4:].reshape(5, 2), 1.0)


def look(
    engine: Engine,
    pictures: Sequence[Labelled],
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Looked:
    """All pictures, in their order; `store` and `progress` as `mien.audit.captures.capturing.capture` has them."""
    kept = unfinished(store)
    try:
        done = passed(engine, _Looker(engine, kept.known), pictures, kept, progress)
    finally:
        kept.close()
    behind = np.full((len(done), _BEHIND), np.nan)
    for row, one in enumerate(done):
        if one.vector is not None:
            behind[row] = one.vector[-_BEHIND:]
    templates = [
        one if one.vector is None else Done(one.digest, one.faces, one.failure, one.vector[:-_BEHIND], one.quality)
        for one in done
    ]
    captures = gathered(engine, pictures, templates, 0.0)
    return Looked(tuple(pictures), captures, behind[:, : len(NAMES)], behind[:, len(NAMES) :], engine.points)


def unpadded(frame: Frame, pad: float) -> Frame:
    """The picture as it was before `mien.audit.data.picture.padded`: room around a face must not be made up."""
    wide, high = (_added(side, pad) for side in (frame.width, frame.height))
    return Frame(frame.pixels[high : frame.height - high, wide : frame.width - wide], frame.source)


def _added(side: int, pad: float) -> int:
    """How much of a padded side was added at one end."""
    guess = round(side / (1 + 2 * pad))
    for before in (guess, guess - 1, guess + 1):
        if before + 2 * round(pad * before) == side:
            return round(pad * before)
    return round((side - guess) / 2)


@dataclass(frozen=True, slots=True)
class _Looker:
    """Looks at one picture, unless that was done before."""

    engine: Engine
    known: Mapping[str, Done]

    def __call__(self, picture: Labelled) -> tuple[str, Done]:
        digest = picture.digest()
        where = self.engine.detector.name if picture.points is None else repr(picture.points.tolist())
        words = (_VERSION, digest, repr(picture.pad), where, self.engine.embedder.space, self.engine.judges[0].name)
        key = hashlib.sha256("\n".join(words).encode()).hexdigest()
        return key, self.known.get(key) or self._look(picture, digest)

    def _look(self, picture: Labelled, digest: str) -> Done:
        frame = picture.read()
        faces = self.engine.faces(frame) if picture.points is None else [given_face(frame, picture.points)]
        if not faces:
            return Done(digest, 0, NO_FACE)
        original = [_moved(face, picture.pad) for face in faces]
        try:
            template = self.engine.shots(faces[:1])[0].template
            natives, _ = measure(original[0], original if picture.points is None else None)
        except InputError as error:  # points that no face can have
            return Done(digest, len(faces), error.message)
        values = [natives.get(name, np.nan) for name in NAMES]
        kept = np.concatenate([template.vector, values, original[0].box, original[0].points.reshape(-1)])
        return Done(digest, len(faces), "", kept.astype(np.float32), template.quality or 0.0)


def _moved(face: Face, pad: float) -> Face:
    """The face in the picture without its padding."""
    if not pad:
        return face
    corner = np.array([_added(face.frame.width, pad), _added(face.frame.height, pad)], np.float32)
    return Face(unpadded(face.frame, pad), face.box - np.tile(corner, 2), face.points - corner, face.score)
