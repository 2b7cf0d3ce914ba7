"""A whole source: what was missed between two sightings is hidden, and whoever is in doubt is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import edit
from mien.edit.anonymise import LINGER, LOOKS, STRETCH
from mien.errors import UnreadableMedia, UsageError
from mien.types import Clip, Face, Frame

FPS = 10
FIVE = np.array([[-10, 0], [10, 0], [0, 11], [-8, 21], [8, 21]], np.float32)
NOWHERE = np.full((5, 2), np.nan, np.float32)


def film(count: int) -> list[Frame]:
    return [Frame(np.full((120, 160, 3), 200, np.uint8), "film", number, number / FPS) for number in range(count)]


def path(place: int) -> float:
    """x of the middle of the eyes."""
    return 40.0 + place / 2


def script(seen: Mapping[int, Sequence[int]], points: np.ndarray = FIVE) -> Callable[[Frame], list[Face]]:
    """Faces of each track in the frames named, moving to the right."""

    def see(frame: Frame) -> list[Face]:
        at = np.array([path(frame.index), 40], np.float32)
        box = np.concatenate([at - (20, 25), np.add(at, (20, 35))]).astype(np.float32)
        return [Face(frame, box, points + at, 0.9, track) for track, places in seen.items() if frame.index in places]

    return see


def where(edited: edit.Edited) -> list[float]:
    return [float((face.box[0] + face.box[2]) / 2) for face in edited.hidden]


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 59), min_size=1))
def test_a_face_is_hidden_from_before_it_is_first_seen_until_after_it_is_last_seen(places: set[int]) -> None:
    frames = film(60)
    done = list(edit.anonymised(frames, script({0: sorted(places)}), edit.load("cover")))
    first, last = min(places), max(places)
    for number, one in enumerate(done):
        if first - LINGER <= number <= last + LINGER:
            assert where(one) == pytest.approx([path(min(max(number, first), last))], abs=0.01)
            assert (one.hidden[0].score > 0) == (number in places)
            assert (one.frame.pixels == 118).any()
        else:
            assert not one.hidden and np.array_equal(one.frame.pixels, frames[number].pixels)
    assert [one.frame.index for one in done] == list(range(60))


def test_stills_have_no_before_and_after() -> None:
    frames = film(3)
    plan = edit.plan(frames, script({-1: [1]}))
    assert (plan.people, plan.hidden(), plan.unseen(), plan.frames) == (1, 1, 0, 3)
    assert [len(one.hidden) for one in plan.apply(frames, edit.load())] == [0, 1, 0]


def test_two_tracks_are_two_people() -> None:
    plan = edit.plan(film(40), script({0: range(10), 1: range(5, 40)}), lambda clip: clip.faces[0].track == 1)
    assert (plan.people, plan.stayed) == (2, 1)
    assert plan.hidden() == 10 + LINGER


def test_who_may_stay_is_asked_for_each_stretch() -> None:
    """Kept in the first stretch, hidden in the second: another person may stand there by then."""
    asked: list[Clip] = []

    def keep(clip: Clip) -> bool:
        asked.append(clip)
        return len(asked) == 1

    frames, length = film(60), int(STRETCH * FPS)
    done = list(edit.anonymised(frames, script({0: range(60)}), edit.load("cover"), keep))
    assert len(asked) == 2
    assert all(len(clip.faces) in (LOOKS, LOOKS + 1) for clip in asked)
    assert all(max(clip.faces[0].frame.pixels.shape) <= 256 for clip in asked)
    assert [len(one.kept) for one in done] == [1] * length + [0] * (60 - length)
    assert [len(one.hidden) for one in done] == [0] * length + [1] * (60 - length)
    assert np.array_equal(done[3].frame.pixels, frames[3].pixels)


def test_a_gap_beside_somebody_hidden_is_hidden() -> None:
    answers = iter([True, False])
    seen = [*range(10), *range(40, 60)]
    done = list(edit.anonymised(film(60), script({0: seen}), edit.load(), lambda clip: next(answers)))
    assert [len(one.hidden) for one in done[8:42]] == [0, 0, *[1] * 32]


def test_whose_points_are_no_faces_is_never_asked_about() -> None:
    def keep(clip: Clip) -> bool:
        raise AssertionError("asked")

    done = list(edit.anonymised(film(80), script({0: range(80)}, NOWHERE), edit.load(), keep))
    assert all(len(one.hidden) == 1 for one in done)


def test_one_look_without_points_hides_the_stretch() -> None:
    """Somebody else may have stood there just then."""

    def see(frame: Frame) -> list[Face]:
        return script({0: range(60)}, NOWHERE if frame.index == 5 else FIVE)(frame)

    done = list(edit.anonymised(film(60), see, edit.load(), lambda clip: True))
    assert [len(one.hidden) for one in done] == [1] * int(STRETCH * FPS) + [0] * (60 - int(STRETCH * FPS))


def test_frames_that_come_once_are_refused() -> None:
    with pytest.raises(UsageError, match="gone through twice"):
        list(edit.anonymised(iter(film(3)), script({}), edit.load()))


@pytest.mark.parametrize("second", [2, 4, 0])
def test_a_source_that_changed_meanwhile_is_refused(second: int) -> None:
    plan = edit.plan(film(3), script({0: [1]}))
    with pytest.raises(UnreadableMedia, match="changed while it was read"):
        list(plan.apply(film(second), edit.load()))


def test_again_reads_from_the_start(tmp_path: Any) -> None:
    from mien.media import write_image, write_video

    write_video(film(7), tmp_path / "film.mp4", fps=FPS)
    write_image(film(1)[0], tmp_path / "one.png")
    for name, count in (("film.mp4", 7), ("one.png", 1)):
        again = edit.Again(tmp_path / name)
        assert [frame.index for frame in again] == [frame.index for frame in again] == list(range(count))


def test_same_bytes_twice() -> None:
    one, other = (
        [each.frame.pixels for each in edit.anonymised(film(20), script({0: range(3, 9)}), edit.load())]
        for _ in range(2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
