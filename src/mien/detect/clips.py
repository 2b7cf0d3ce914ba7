"""Tracked faces to clips: bounded windows, one person each.

A face pins the frame it lies in (a 1080p frame is 6 MB), so every tracked face is re-homed onto a small margin crop before it
is kept. A window ends when it holds `length` faces or when its track ends; a long track gives several clips, of which only
the last has ``ended`` set. Memory is bounded by ``tracks alive x length`` crops whatever the length of the video.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from mien.align import rehome, surroundings
from mien.errors import MienError
from mien.types import Clip, Face, Frame

LENGTH = 64  # faces of one clip, at most


class Tracks(Protocol):
    """What a tracker offers."""

    def update(self, frame: Frame) -> list[Face]:
        """The faces of this frame with their track numbers."""

    def ended(self) -> list[int]:
        """Tracks that ended since last asked."""


def clips(
    frames: Iterable[Frame],
    tracker: Tracks,
    fps: float,
    length: int = LENGTH,
    every: float | None = None,
    around: float = 0.0,
) -> Iterator[Clip]:
    """Clips of the people seen in `frames`, each as soon as it is complete.

    every: s; windows then go from one multiple of it to the next on the clock of the source, alike for everybody, and 0
    makes a clip of each face. Of a window with more than `length` frames that many are kept, evenly spread, and the
    clip's `fps` is lower accordingly.
    around: boxes that are kept around each face on a second crop (`Face.around`); 0 keeps none.
    What is held when `frames` fails or is interrupted half-way is handed over before that goes on: nothing seen is lost."""
    held: dict[int, list[Face]] = {}
    failure: MienError | KeyboardInterrupt | None = None
    source = iter(frames)
    stride = max(1, math.ceil((every or 0) * fps / length))
    while True:
        try:
            frame = next(source)
            faces = tracker.update(frame)
        except StopIteration:
            break
        except (MienError, KeyboardInterrupt) as error:  # a file cut short, a lost camera, somebody who has seen enough
            failure = error
            break
        for face in faces:
            window = held.setdefault(face.track, [])
            if window and (len(window) == length if every is None else _over(window[0], face, every)):
                yield Clip(tuple(window), fps=fps / stride, ended=False)
                window.clear()
            if not window or (len(window) < length and (frame.index - window[0].frame.index) % stride == 0):
                kept = rehome(face)
                window.append(replace(kept, around=surroundings(face, around)) if around else kept)
        for track in tracker.ended():
            if track in held:
                yield Clip(tuple(held.pop(track)), fps=fps / stride)
    for window in held.values():
        yield Clip(tuple(window), fps=fps / stride)
    if failure is not None:
        raise failure


def window_of(time: float, every: float) -> int:
    """Number of the window of `every` s that a time in s falls into."""
    return math.floor(time / every + 1e-6)  # the time of a frame may be a rounding short of a full second


def _over(first: Face, face: Face, every: float) -> bool:
    """Whether a face comes after the window that began with `first`."""
    return every == 0 or window_of(face.frame.time, every) != window_of(first.frame.time, every)
