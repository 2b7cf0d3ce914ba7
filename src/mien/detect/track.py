"""Frames of a video to faces with the number of their track.

The whole frame is searched every few frames, and when a track is young or lost; in between only the places where the known
faces should be are looked at, which costs a few per cent of a search. Faces join the tracks that predicted them, best
overlap first. A track is reported once it was seen twice, ends when it was not seen for a while, and never goes on over a
cut of the scene or when another face stands in its place: an identity must not jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from mien.detect.boxes import largest_first, overlaps
from mien.detect.cuts import Cuts
from mien.detect.likeness import alike, patch
from mien.detect.pyramid import Pyramid
from mien.errors import UsageError
from mien.protocols import Detector
from mien.types import F32, Face, Frame

_JOIN = 0.2  # shared part of the union from which a face may belong to a track
_NEAR, _SIZES = 0.8, 1.6  # or centres that close, in sides, with sides that differ by no more than this factor
_DOUBLE = 0.5  # shared part of the union from which two tracks follow the same face
_CALM = 0.6  # share of the last motion that is expected to go on
_PAUSE = 3  # frames between two searches for a lost track


@runtime_checkable
class Refiner(Protocol):
    """A detector that can look at given places only."""

    def refine(self, frame: Frame, boxes: F32) -> list[Face]:
        """One face per rough box (n, 4), in order, with the score that there is one."""


@runtime_checkable
class Patient(Protocol):
    """A detector that looks again where it finds nothing."""

    def one_look(self) -> Detector:
        """The same one without second looks."""


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """What may be chosen."""

    every: int = 5  # frames from one search of the whole frame to the next; 1: frame by frame
    birth: int = 2  # times a face must be seen before it is reported
    patience: int = 12  # frames that a track may go unseen before it ends
    keep: float = 0.7  # score from which a known face is still there
    longest: int = 1280  # px: larger frames are reduced to it for the search, not for the looks in between

    def __post_init__(self) -> None:
        if min(self.every, self.birth) < 1 or self.patience < 0 or self.longest < 64:
            raise UsageError("A tracker needs every and birth >= 1, patience >= 0 and longest >= 64.")
        if not 0 < self.keep <= 1:
            raise UsageError("A score to keep faces from lies between 0 and 1.")


@dataclass(slots=True, eq=False)
class _Track:
    number: int
    box: F32  # (4,) where it was last seen
    look: F32  # what it looked like there
    motion: F32  # (2,) px per frame
    seen: int = 1
    unseen: int = 0  # frames since

    def expected(self) -> F32:
        """(4,) where it should be now."""
        return self.box + np.tile(self.motion * _CALM, 2)

    def meet(self, face: Face, look: F32) -> None:
        """Seen again."""
        shift = (face.box[:2] + face.box[2:] - self.box[:2] - self.box[2:]) / 2
        self.motion = np.asarray((self.motion + shift / self.unseen) / 2, np.float32)
        self.box, self.look = face.box, look
        self.seen += 1
        self.unseen = 0


class Tracker:
    """Follows faces through one stream. Holds a few numbers per living track and no frames; for one thread."""

    def __init__(
        self, detector: Detector, options: TrackerOptions | None = None, refiner: Refiner | None = None
    ) -> None:
        """`refiner` looks at known faces; by default the detector if it can. Without one every frame is searched.

        A detector that looks twice on a miss looks once here: what it found so could not be followed anyway."""
        self.options = options or TrackerOptions()
        self._detector = detector.one_look() if isinstance(detector, Patient) else detector
        self._refiner = refiner or (detector if isinstance(detector, Refiner) else None)
        self._cuts = Cuts()
        self._tracks: list[_Track] = []
        self._born = 0
        self._since = self.options.every  # frames since the last search
        self._ended: list[int] = []

    def update(self, frame: Frame) -> list[Face]:
        """The faces of the next frame that belong to a confirmed track, largest first, with `Face.track` set."""
        self._since += 1
        if self._cuts.cut(frame.pixels):
            self._end(self._tracks)
            self._since = self.options.every
        for track in self._tracks:
            track.unseen += 1
        met = self._follow(frame)
        if self._since >= self.options.every or self._refiner is None or any(map(_missed, self._tracks)):
            met += self._search(frame, [face for _, face in met])
            self._since = 0
        self._end([track for track in self._tracks if track.unseen > self.options.patience])
        shown = [replace(face, track=track.number) for track, face in met if track.seen >= self.options.birth]
        return [shown[place] for place in largest_first(_boxes(shown))]

    def ended(self) -> list[int]:
        """Numbers of the tracks that ended since last asked."""
        ended, self._ended = self._ended, []
        return ended

    def _follow(self, frame: Frame) -> list[tuple[_Track, Face]]:
        """Known faces that are where they were expected, or nearly. The older track wins a face that two claim."""
        if self._refiner is None or not self._tracks:
            return []
        expected = np.array([track.expected() for track in self._tracks], np.float32)
        faces = self._refiner.refine(frame, expected)
        met: list[tuple[_Track, Face]] = []
        for track, box, face in zip(self._tracks, expected, faces, strict=True):
            there = face.score >= self.options.keep and overlaps(box[None], face.box[None])[0, 0] >= _JOIN
            if there and not _taken(face, [other for _, other in met]) and _met(track, face):
                met.append((track, face))
        return met

    def _search(self, frame: Frame, known: Sequence[Face]) -> list[tuple[_Track, Face]]:
        """Faces of the whole frame that are not known yet, each with the track that lost it or with a new one."""
        faces = [face for face in self._whole(frame) if not _taken(face, known)]
        lost = [track for track in self._tracks if track.unseen]
        met = []
        for track, face in _pairs(lost, faces):
            if _met(track, face):
                met.append((track, face))
        taken = {id(face) for _, face in met}
        for face in faces:
            if id(face) not in taken:
                look = patch(frame.pixels, face.box)
                self._tracks.append(_Track(self._born, face.box, look, np.zeros(2, np.float32)))
                self._born += 1
                met.append((self._tracks[-1], face))
        return met

    def _whole(self, frame: Frame) -> list[Face]:
        scale = self.options.longest / max(frame.width, frame.height)
        if scale >= 1:
            return self._detector.detect([frame])[0]
        small = replace(frame, pixels=Pyramid(frame.pixels).scaled(scale))
        unit = np.array([frame.width / small.width, frame.height / small.height], np.float32)
        return [
            replace(face, frame=frame, box=face.box * np.tile(unit, 2), points=face.points * unit)
            for face in self._detector.detect([small])[0]
        ]

    def _end(self, tracks: Sequence[_Track]) -> None:
        gone = {id(track) for track in tracks}
        self._ended += [track.number for track in tracks if track.seen >= self.options.birth]
        self._tracks = [track for track in self._tracks if id(track) not in gone]


def _missed(track: _Track) -> bool:
    """Just gone out of sight, or for so long that it is worth another search."""
    return track.unseen % _PAUSE == 1


def _met(track: _Track, face: Face) -> bool:
    """Let the track go on with this face unless another one stands in its place."""
    look = patch(face.frame.pixels, face.box)
    if not alike(track.look, look):
        return False
    track.meet(face, look)
    return True


def _boxes(faces: Sequence[Face]) -> F32:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def _taken(face: Face, faces: Sequence[Face]) -> bool:
    """Whether one of the others is the same face."""
    return bool(len(faces)) and float(overlaps(face.box[None], _boxes(faces)).max()) > _DOUBLE


def _pairs(tracks: Sequence[_Track], faces: Sequence[Face]) -> list[tuple[_Track, Face]]:
    """Tracks with the faces that may be theirs, each once, the best fitting first: by overlap, then by nearness."""
    if not tracks or not faces:
        return []
    expected, found = np.array([track.expected() for track in tracks], np.float32), _boxes(faces)
    shared = overlaps(expected, found)
    sides = [np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)) for boxes in (expected, found)]
    centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (expected, found)]
    apart = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2) / sides[0][:, None]
    ratio = sides[0][:, None] / sides[1][None]
    near = (apart <= _NEAR) & (np.maximum(ratio, 1 / ratio) <= _SIZES)
    fit = np.where((shared >= _JOIN) | near, shared + 1 / (1 + apart), 0)
    pairs = []
    while fit.max() > 0:
        row, column = np.unravel_index(int(fit.argmax()), fit.shape)
        pairs.append((tracks[int(row)], faces[int(column)]))
        fit[row, :] = fit[:, column] = 0
    return pairs
