"""A whole source with its faces hidden, those between two sightings too.

A source is gone through twice: once to find out who is where and when, once to paint. So a face that was missed in the middle
of its track is hidden as well, and one is hidden a little before it is first seen and after it is last seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mien.align import rehome
from mien.errors import InputError, UnreadableMedia, UsageError
from mien.media import frames_of
from mien.media.source import Source
from mien.protocols import Editor
from mien.types import F32, Clip, Face, Frame

Keep = Callable[[Clip], bool]
# What to look for faces with when they are to be hidden: options of `detect.load("mtcnn")` and of its tracker. Smaller and
# poorer faces than anybody is known by, profiles among them; a hand hidden in vain costs little.
WATCHFUL: Mapping[str, Any] = {"minimum": 20.0, "accept": 0.5, "accept_retry": 0.5, "most": 4_000_000}
TRACKING: Mapping[str, int] = {"every": 1, "birth": 1, "patience": 25, "longest": 1920}
LINGER = 10  # frames that a tracked face is hidden before it is first seen and after it is last seen
STRETCH = 3.0  # s of a track after which it is asked anew whether the face may stay
LOOKS = 6  # faces of such a stretch that are looked at


@dataclass(frozen=True, slots=True)
class Again:
    """The frames of a picture or video, from its start whenever they are asked for."""

    source: Source

    def __iter__(self) -> Iterator[Frame]:
        return frames_of(self.source)


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """A frame with what was done to it. The faces lie in `frame`; their `score` is 0 where nothing was seen."""

    frame: Frame
    hidden: tuple[Face, ...]
    kept: tuple[Face, ...]


@dataclass(slots=True, eq=False)
class _Seen:
    """One face in one frame."""

    place: int  # of the frame, in the order they came
    geometry: F32  # (14,) box and points
    score: float
    track: int
    kept: bool = False


@dataclass(slots=True, eq=False)
class Plan:
    """Which faces of a source are hidden, frame by frame."""

    frames: int = 0
    people: int = 0  # tracks; in stills, faces
    stayed: int = 0  # those of them that were left as they are the whole time
    _at: dict[int, list[_Seen]] = field(default_factory=dict)

    def hidden(self) -> int:
        """Faces that are hidden, counted frame by frame."""
        return sum(not one.kept for many in self._at.values() for one in many)

    def unseen(self) -> int:
        """Those of them that no detector saw: between two sightings, or just before or after one."""
        return sum(not one.kept and not one.score for many in self._at.values() for one in many)

    def apply(self, frames: Iterable[Frame], editor: Editor) -> Iterator[Edited]:
        """The frames with the faces hidden. Raises UnreadableMedia when they are not those that the plan was made of."""
        place = -1
        for place, frame in enumerate(frames):
            if place >= self.frames:
                break
            here = self._at.get(place, [])
            hidden = tuple(_face(frame, one) for one in here if not one.kept)
            kept = tuple(_face(frame, one) for one in here if one.kept)
            yield Edited(editor.edit(frame, hidden), hidden, kept)
        if place + 1 != self.frames:
            raise UnreadableMedia("The source changed while it was read.", "Work on a copy that nobody writes to.")


def anonymised(
    frames: Iterable[Frame], see: Callable[[Frame], Sequence[Face]], editor: Editor, keep: Keep | None = None
) -> Iterator[Edited]:
    """The frames with every face hidden that `see` finds, in order; nothing is handed over before all were looked at.

    frames: something that can be gone through twice, such as a list or `Again(path)`. see: the faces of a frame; for
    video that of a tracker (`Tracker.update`), whose `Face.track` tells which faces are one person's. keep: whether a
    face may stay; asked with up to `LOOKS` faces of each `STRETCH` s of a track, on crops, and in stills with each face.
    Raises UsageError for frames that can be gone through once only, and whatever reading and detecting raise."""
    yield from plan(frames, see, keep).apply(frames, editor)


def plan(frames: Iterable[Frame], see: Callable[[Frame], Sequence[Face]], keep: Keep | None = None) -> Plan:
    """Go through the frames and find out which faces to hide; see `anonymised`."""
    if iter(frames) is frames:
        raise UsageError("Frames are gone through twice, and these can be read once only.", "Give a list, or Again().")
    made, tracks = Plan(), dict[int, _Track]()
    for frame in frames:
        for face in see(frame):
            key = face.track if face.track >= 0 else -1 - len(tracks)
            tracks.setdefault(key, _Track(keep)).add(made.frames, face)
        made.frames += 1
    for track in tracks.values():
        track.judge()
        made.people += 1
        made.stayed += all(one.kept for one in track.seen)
        for one in track.filled(made.frames):
            made._at.setdefault(one.place, []).append(one)
    return made


class _Track:
    """What is known of one person's way through the source."""

    def __init__(self, keep: Keep | None) -> None:
        self.seen: list[_Seen] = []
        self._keep = keep
        self._asked = 0  # of `seen`, how many are judged
        self._looks: list[Face] = []
        self._began = 0.0
        self._broken = False

    def add(self, place: int, face: Face) -> None:
        """Seen in the frame at `place`."""
        geometry = np.concatenate([face.source_box, _source_points(face).reshape(10)])
        now = face.frame.time
        if len(self.seen) > self._asked and now - self._began >= STRETCH:
            self.judge()
        self.seen.append(_Seen(place, geometry, max(face.score, 1e-6), face.track))
        if len(self.seen) - self._asked == 1:
            self._began = now
        if self._keep is None:
            return
        # Evenly spread over the stretch; crops, because a face holds on to its whole frame.
        if not self._looks or now - self._looks[-1].frame.time >= STRETCH / LOOKS:
            try:
                self._looks.append(rehome(face))
            except InputError:  # its points are no face's: who it is cannot be told
                self._broken = True

    def judge(self) -> None:
        """Ask whether the face may stay in what was seen since last asked."""
        if self._keep is not None and self._looks and not self._broken:
            stays = self._keep(Clip(tuple(self._looks)))
            self.seen[self._asked :] = [replace(one, kept=stays) for one in self.seen[self._asked :]]
        self._asked, self._looks, self._broken = len(self.seen), [], False

    def filled(self, frames: int) -> Iterator[_Seen]:
        """All sightings, and what lies between, before and after them. A gap stays open only between two that may."""
        first, last = self.seen[0], self.seen[-1]
        linger = LINGER if first.track >= 0 else 0
        for place in range(max(0, first.place - linger), first.place):
            yield replace(first, place=place, score=0.0)
        for one, following in zip(self.seen, [*self.seen[1:], last], strict=True):
            yield one
            for place in range(one.place + 1, following.place):
                part = np.float32((place - one.place) / (following.place - one.place))
                geometry = one.geometry + part * (following.geometry - one.geometry)
                yield _Seen(place, geometry, 0.0, one.track, one.kept and following.kept)
        for place in range(last.place + 1, min(frames, last.place + 1 + linger)):
            yield replace(last, place=place, score=0.0)


def _source_points(face: Face) -> F32:
    """(5, 2) in px of the source frame."""
    left, top, scale = face.origin
    return (face.points / np.float32(scale) + np.array([left, top], np.float32)).astype(np.float32)


def _face(frame: Frame, one: _Seen) -> Face:
    return Face(frame, one.geometry[:4], one.geometry[4:].reshape(5, 2), one.score, one.track)
