"""A camera to decisions, as of now: what comes while a frame is looked at is left out but for the newest frame.

A video file is looked at frame by frame, however long that takes (`Engine.identify`). A camera does not wait: without this, a
machine that is slower than the camera would see people later and later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mien import media
from mien.decide import Policy
from mien.detect.clips import clips
from mien.detect.track import Tracker
from mien.gallery import BaseGallery
from mien.sighting import Sighting, judged, spread
from mien.types import Decision, Frame

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.media import Video
    from mien.where import Where

LOOKS = 3  # shots of one clip that are embedded, as the engine does
_LOOK = 0.2  # s between looks whether the work is still wanted, also while the camera says nothing


def watched(
    engine: Engine, source: str, asked: tuple[BaseGallery, Policy, Where | None], seen: Callable[[float | None], None]
) -> Iterator[Decision]:
    """One decision per person, as soon as that person has left.

    seen: told the time of each frame in s, and None every now and then while none comes; may raise a MienError, after which
    those in sight are decided about and it goes on to the caller. Raises UnreadableMedia, SpaceMismatch, EvidenceError."""
    gallery, policy, where = asked
    people: dict[int, Sighting] = {}
    video = media.open_video(source)
    for clip in clips(newest(video, seen), Tracker(engine.detector), fps=video.fps):
        person = people.setdefault(clip.faces[0].track, Sighting())
        person.add(clip, engine.shots(spread(clip.faces, LOOKS)))
        # What was read last counts: somebody may stand there for hours.
        person.further = [reading for one in engine.judges[1:] for reading in judged(one, clip)]
        if clip.ended:
            yield from engine.decided([people.pop(clip.faces[0].track)], gallery, policy, where)


def newest(video: Video, seen: Callable[[float | None], None]) -> Iterator[Frame]:
    """Each time the newest frame that was not handed over yet. Raises what reading raises, and what `seen` does."""
    slot = _Slot(video)
    try:
        while (frame := slot.take(seen)) is not None:
            yield frame
            seen(frame.time)
    finally:
        slot.stop()


class _Slot:
    """Room for one frame, which a thread of its own fills; it closes the video when it ends."""

    def __init__(self, video: Video) -> None:
        self._video = video
        self._frame: Frame | None = None
        self._error: Exception | None = None
        self._ended = self._stopped = False
        self._change = threading.Condition()
        threading.Thread(target=self._fill, name="camera", daemon=True).start()

    def take(self, seen: Callable[[float | None], None]) -> Frame | None:
        """The newest frame; None when there will be no more."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._frame is not None or self._ended, _LOOK)
                frame, self._frame = self._frame, None
                if frame is not None:
                    return frame
                if self._ended:
                    if self._error is not None:
                        raise self._error
                    return None
            seen(None)

    def stop(self) -> None:
        """Take no more. A camera that says nothing keeps the thread until reading gives up."""
        with self._change:
            self._stopped = True

    def _fill(self) -> None:
        error: Exception | None = None
        try:
            for frame in self._video.frames():
                with self._change:
                    if self._stopped:
                        break
                    self._frame = frame
                    self._change.notify()
        except Exception as failed:  # noqa: BLE001 - told by whoever takes
            error = failed
        finally:
            self._video.close()
            with self._change:
                self._error, self._ended = error, True
                self._change.notify()
