"""Tracked faces to clips: bounded windows, one person each.

A face pins the frame it lies in (a 1080p frame is 6 MB), so every tracked face is re-homed onto a small margin crop before it
is kept. A window ends when it holds `length` faces or when its track ends; a long track gives several clips, of which only
the last has ``ended`` set. Memory is bounded by ``tracks alive x length`` crops whatever the length of the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from mien.align import rehome
from mien.errors import MienError
from mien.types import Clip, Face, Frame


class Tracks(Protocol):
    """What a tracker offers."""

    def update(self, frame: Frame) -> list[Face]:
        """The faces of this frame with their track numbers."""

    def ended(self) -> list[int]:
        """Tracks that ended since last asked."""


def clips(frames: Iterable[Frame], tracker: Tracks, fps: float, length: int = 64) -> Iterator[Clip]:
    """Clips of the people seen in `frames`, each as soon as it is complete.

    What is held when `frames` fails or is interrupted half-way is handed over before that goes on: nothing seen is lost."""
    held: dict[int, list[Face]] = {}
    failure: MienError | KeyboardInterrupt | None = None
    source = iter(frames)
    while True:
        try:
            faces = tracker.update(next(source))
        except StopIteration:
            break
        except (MienError, KeyboardInterrupt) as error:  # a file cut short, a lost camera, somebody who has seen enough
            failure = error
            break
        for face in faces:
            window = held.setdefault(face.track, [])
            if len(window) == length:
                yield Clip(tuple(window), fps=fps, ended=False)
                window.clear()
            window.append(rehome(face))
        for track in tracker.ended():
            if track in held:
                yield Clip(tuple(held.pop(track)), fps=fps)
    for window in held.values():
        yield Clip(tuple(window), fps=fps)
    if failure is not None:
        raise failure
