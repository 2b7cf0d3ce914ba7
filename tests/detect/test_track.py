"""Tracks: the rules on drawn scenes with a detector that knows the truth, and the whole on real video."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from mien import media
from mien.detect import load
from mien.detect.boxes import overlaps
from mien.detect.cuts import Cuts
from mien.detect.mtcnn import Mtcnn
from mien.detect.track import Tracker, TrackerOptions
from mien.errors import UsageError
from mien.types import F32, U8, Face, Frame

SIDE = 40
Scene = Mapping[str, tuple[int, int]]  # who stands where (x0, y0)


def drawn(scene: Scene, backdrop: int = 0, size: tuple[int, int] = (200, 320)) -> U8:
    """A coarse random backdrop with a distinct random texture for everybody."""
    chance = np.random.default_rng(backdrop)
    cells = chance.integers(0, 256, (size[0] // 20, size[1] // 20, 3), dtype=np.uint8)
    pixels = np.repeat(np.repeat(cells, 20, axis=0), 20, axis=1)
    for who, (x, y) in scene.items():
        face = np.random.default_rng(sum(who.encode())).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        pixels[y : y + SIDE, x : x + SIDE] = np.repeat(np.repeat(face, SIDE // 5, axis=0), SIDE // 5, axis=1)
    return pixels


class Oracle:
    """A detector that is told the truth and counts how often it is asked."""

    name = "oracle"

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes = scenes
        self.searched: list[int] = []
        self.blind: set[int] = set()  # frames in which nothing is found

    def truth(self, frame: Frame) -> list[Face]:
        if frame.index in self.blind:
            return []
        boxes = [np.array([x, y, x + SIDE, y + SIDE], np.float32) for x, y in self.scenes[frame.index].values()]
        return [Face(frame, box, np.zeros((5, 2), np.float32), 0.99) for box in boxes]

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        self.searched += [frame.index for frame in frames]
        return [self.truth(frame) for frame in frames]

    def refine(self, frame: Frame, boxes: F32) -> list[Face]:
        faces = self.truth(frame)
        found = []
        for box in boxes:
            shared = [float(overlaps(box[None], face.box[None])[0, 0]) for face in faces]
            best = int(np.argmax(shared)) if shared and max(shared) > 0.3 else -1
            nobody = Face(frame, box, np.zeros((5, 2), np.float32), 0.01)
            found.append(faces[best] if best >= 0 else nobody)
        return found


def followed(
    scenes: Sequence[Scene], oracle: Oracle, backdrops: Sequence[int] = (), **options: int
) -> Iterator[list[Face]]:
    tracker = Tracker(oracle, TrackerOptions(**options))
    for index, scene in enumerate(scenes):
        backdrop = backdrops[index] if backdrops else 0
        yield tracker.update(Frame(drawn(scene, backdrop), index=index))


def tracks_of(steps: Sequence[list[Face]]) -> list[list[int]]:
    return [[face.track for face in faces] for faces in steps]


def test_one_moving_face_keeps_its_number_and_is_searched_for_now_and_then() -> None:
    scenes = [{"ana": (20 + 5 * step, 60)} for step in range(40)]
    oracle = Oracle(scenes)
    steps = list(followed(scenes, oracle, every=5))
    assert tracks_of(steps) == [[]] + [[0]] * 39, "reported from the second sight on"
    assert len(oracle.searched) == 8
    assert steps[-1][0].box[0] == 20 + 5 * 39


def test_a_fast_face_is_expected_where_it_is_going() -> None:
    scenes = [{"ana": (10 + 22 * step, 60)} for step in range(12)]
    oracle = Oracle(scenes)
    steps = list(followed(scenes, oracle, every=6))
    assert tracks_of(steps) == [[]] + [[0]] * 11
    assert len(oracle.searched) <= 4, "in between it was found where it was expected"


def test_a_face_that_jumps_is_searched_for_at_once() -> None:
    scenes = [{"ana": (100, 60)}] * 9 + [{"ana": (130, 60)}] * 9
    oracle = Oracle(scenes)
    steps = list(followed(scenes, oracle, every=50))
    assert tracks_of(steps) == [[]] + [[0]] * 17
    assert oracle.searched == [0, 9]


def test_one_face_is_not_two_people_even_if_two_tracks_claim_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.detect.track.alike", lambda first, second: True)
    scenes: list[Scene] = [{"ana": (100, 60), "bob": (118, 60)}] * 6 + [{"ana": (106, 60)}] * 6
    shown = tracks_of(list(followed(scenes, Oracle(scenes), every=50)))
    assert shown[5] == [0, 1] and shown[6:] == [[0]] * 6


def test_a_face_seen_once_is_no_track() -> None:
    scenes: list[Scene] = [{}, {"flash": (50, 50)}, {}, {}, {}, {}]
    tracker_steps = list(followed(scenes, Oracle(scenes), every=1, patience=1))
    assert tracks_of(tracker_steps) == [[]] * 6


def test_a_face_hidden_for_a_while_comes_back_as_itself_and_ends_after_its_patience() -> None:
    scenes = [{"ana": (100, 60)}] * 60
    oracle = Oracle(scenes)
    oracle.blind = {*range(10, 18), *range(25, 60)}
    tracker = Tracker(oracle, TrackerOptions(patience=12))
    seen, ended = [], []
    for index, scene in enumerate(scenes):
        seen.append([face.track for face in tracker.update(Frame(drawn(scene), index=index))])
        ended += [(number, index) for number in tracker.ended()]
    assert seen[:10] == [[]] + [[0]] * 9 and seen[10:18] == [[]] * 8 and [0] in seen[18:21]
    assert ended == [(0, 24 + 13)]
    assert tracker.ended() == []


def test_two_people_who_pass_each_other_keep_their_numbers() -> None:
    scenes = [{"ana": (20 + 6 * step, 40), "bob": (260 - 6 * step, 95)} for step in range(38)]
    steps = list(followed(scenes, Oracle(scenes)))
    for scene, faces in list(zip(scenes, steps, strict=True))[1:]:
        assert {face.track: int(face.box[0]) for face in faces} == {0: scene["ana"][0], 1: scene["bob"][0]}


def test_a_cut_ends_every_track_even_when_a_face_stands_in_the_same_place() -> None:
    scenes = [{"ana": (100, 60)}] * 12 + [{"bob": (102, 61)}] * 12
    steps = list(followed(scenes, Oracle(scenes), backdrops=[0] * 12 + [7] * 12))
    assert tracks_of(steps) == [[]] + [[0]] * 11 + [[]] + [[1]] * 11


def test_another_face_in_the_same_place_is_another_track_without_any_cut() -> None:
    scenes = [{"ana": (100, 60)}] * 12 + [{"bob": (100, 60)}] * 12
    steps = list(followed(scenes, Oracle(scenes)))
    shown = tracks_of(steps)
    assert shown[:12] == [[]] + [[0]] * 11
    assert all(0 not in numbers for numbers in shown[12:]) and shown[-1] == [1]


def test_the_largest_face_comes_first_and_frames_are_not_kept() -> None:
    scenes = [{"ana": (20, 20), "bob": (200, 100)}] * 3
    oracle = Oracle(scenes)
    tracker = Tracker(oracle)
    kept = []
    for index, scene in enumerate(scenes):
        pixels = drawn(scene)
        kept.append(weakref.ref(pixels))
        tracker.update(Frame(pixels, index=index))
        del pixels
    assert [ref() for ref in kept] == [None] * 3


def test_a_large_frame_is_searched_small_and_answered_large(portraits: dict[str, Path]) -> None:
    import cv2

    pixels = np.asarray(cv2.resize(media.read_image(portraits["obama"]).pixels, (1500, 1900)))
    sizes = []

    class Spy:
        name = "spy"
        inner = load("mtcnn", retries=())

        def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
            sizes.append((frames[0].width, frames[0].height))
            return self.inner.detect(frames)

    (face,) = Tracker(Spy(), TrackerOptions(birth=1, longest=950)).update(Frame(pixels))
    (direct,) = Spy.inner.detect([Frame(pixels)])[0]
    assert sizes == [(750, 950)]
    assert face.frame.width == 1500
    assert np.abs(face.points - direct.points).max() < 0.05 * direct.eye_distance


@pytest.mark.parametrize("options", [{"every": 0}, {"birth": 0}, {"patience": -1}, {"longest": 5}, {"keep": 0.0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        TrackerOptions(**options)


def test_a_fade_or_a_moving_camera_is_no_cut() -> None:
    wide = drawn({}, 3, (400, 1200))
    cuts = Cuts()
    assert not any(cuts.cut(wide[:, step : step + 640]) for step in range(0, 500, 8))
    assert cuts.cut(drawn({}, 4, (400, 640)))
    assert not cuts.cut((drawn({}, 4, (400, 640)) * 0.97).astype(np.uint8))
    assert cuts.cut(np.zeros((100, 100, 3), np.uint8)), "another size is another scene"


# ------------------------------------------------------------------------------------------------ real video


@pytest.fixture(scope="module")
def one_look() -> Mtcnn:
    made = load("mtcnn", retries=())
    assert isinstance(made, Mtcnn)
    return made


def spans(path: Path, detector: Mtcnn, frames: int) -> dict[int, list[int]]:
    """Indices of the frames in which each track was seen."""
    tracker, seen = Tracker(detector), dict[int, list[int]]()
    for frame, _ in zip(media.open_video(path).frames(), range(frames), strict=False):
        for face in tracker.update(frame):
            seen.setdefault(face.track, []).append(frame.index)
    return seen


def test_one_person_on_video_is_one_track_and_nobody_is_none(data: Path, one_look: Mtcnn) -> None:
    assert spans(data / "video" / "single_face.mp4", one_look, 60) == {0: list(range(1, 60))}
    assert spans(data / "video" / "no_face.mp4", one_look, 60) == {}


def test_no_track_crosses_a_cut_between_two_people(data: Path, one_look: Mtcnn) -> None:
    seen = spans(data / "video" / "short_hamilton_clip.mp4", one_look, 120)
    for cut in (20, 82):
        assert not any(min(frames) < cut <= max(frames) for frames in seen.values())
    assert any(min(frames) <= 84 and len(frames) >= 34 for frames in seen.values()), "the singer after the cut"
