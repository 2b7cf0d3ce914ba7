"""Windows of tracked faces: bounded, complete, one person each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mien.detect.clips import clips
from mien.errors import UnreadableMedia
from mien.types import Clip, Face, Frame


class Scripted:
    """A tracker that follows a script: frame index -> tracks present; a track ends when the script drops it."""

    def __init__(self, script: list[set[int]]) -> None:
        self.script = script
        self.present: set[int] = set()
        self.gone: list[int] = []

    def update(self, frame: Frame) -> list[Face]:
        now = self.script[frame.index]
        self.gone += sorted(self.present - now)
        self.present = now
        points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
        return [Face(frame, np.array([30, 30, 70, 75], np.float32), points, 0.9, track) for track in sorted(now)]

    def ended(self) -> list[int]:
        gone, self.gone = self.gone, []
        return gone


def frames(count: int, fail_after: int | None = None, failure: BaseException | None = None) -> Iterator[Frame]:
    for index in range(count):
        if index == fail_after:
            raise failure or UnreadableMedia("It is cut short.")
        yield Frame(np.zeros((720, 1280, 3), np.uint8), "film", index, index / 25)


def told(clip: Clip) -> tuple[int, int, int, bool]:
    return clip.faces[0].track, clip.faces[0].frame.index, clip.faces[-1].frame.index, clip.ended


def test_a_long_track_gives_several_windows_and_the_last_is_marked() -> None:
    found = [told(clip) for clip in clips(frames(25), Scripted([{1}] * 25), fps=25, length=10)]
    assert found == [(1, 0, 9, False), (1, 10, 19, False), (1, 20, 24, True)]


def test_a_track_of_exactly_one_window_has_ended_with_it() -> None:
    assert [told(clip) for clip in clips(frames(10), Scripted([{1}] * 10), fps=25, length=10)] == [(1, 0, 9, True)]


def test_people_do_not_mix_and_leave_when_they_leave() -> None:
    script = [{1}, {1, 2}, {1, 2}, {2}, {2}, {2, 3}]
    found = [told(clip) for clip in clips(frames(6), Scripted(script), fps=25, length=10)]
    assert found == [(1, 0, 2, True), (2, 1, 5, True), (3, 5, 5, True)]


def test_kept_faces_do_not_pin_their_frames() -> None:
    (clip,) = clips(frames(3), Scripted([{1}] * 3), fps=25)
    assert all(max(face.frame.pixels.shape) <= 256 for face in clip.faces)
    assert clip.span == (0.0, 2 / 25)


def test_what_was_seen_before_a_failure_is_handed_over() -> None:
    walk = clips(frames(10, fail_after=4), Scripted([{1}] * 10), fps=25)
    assert told(next(walk)) == (1, 0, 3, True)
    with pytest.raises(UnreadableMedia, match="cut short"):
        next(walk)


def test_what_was_seen_before_an_interruption_is_handed_over() -> None:
    walk = clips(frames(10, fail_after=4, failure=KeyboardInterrupt()), Scripted([{1}] * 10), fps=25)
    assert told(next(walk)) == (1, 0, 3, True)
    with pytest.raises(KeyboardInterrupt):
        next(walk)


def test_an_empty_film_gives_nothing() -> None:
    assert not list(clips(frames(3), Scripted([set()] * 3), fps=25))


def test_windows_of_seconds_lie_on_the_clock_of_the_source_for_everybody() -> None:
    script = [{1} if index < 20 else {1, 2} for index in range(60)]
    found = [told(clip) for clip in clips(frames(60), Scripted(script), fps=25, every=1.0)]
    first, second = [(1, 0, 24, False), (2, 20, 24, False)], [(1, 25, 49, False), (2, 25, 49, False)]
    assert found == [*first, *second, (1, 50, 59, True), (2, 50, 59, True)]


def test_windows_of_no_length_are_single_frames() -> None:
    found = [told(clip) for clip in clips(frames(3), Scripted([{1}] * 3), fps=25, every=0)]
    assert found == [(1, 0, 0, False), (1, 1, 1, False), (1, 2, 2, True)]


def test_of_long_windows_a_bounded_number_of_faces_is_kept_evenly_spread() -> None:
    found = list(clips(frames(250), Scripted([{1}] * 250), fps=25, length=10, every=5.0))
    assert [told(clip)[1:3] for clip in found] == [(0, 117), (125, 242)]
    for clip in found:
        steps = np.diff([face.frame.index for face in clip.faces])
        assert len(clip.faces) == 10 and clip.fps == pytest.approx(25 / 13)
        assert set(steps) == {13}


def test_frames_that_come_faster_than_the_video_says_hold_no_more() -> None:
    """A variable rate: 100 frames within one second of a video that claims 10 per second."""
    many = [Frame(np.zeros((720, 1280, 3), np.uint8), "film", index, index / 100) for index in range(100)]
    (clip,) = clips(many, Scripted([{1}] * 100), fps=10, length=10, every=1.0)
    assert len(clip.faces) == 10
