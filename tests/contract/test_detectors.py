"""One suite for every detector: whoever holds one cannot tell which it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien import media, protocols
from mien.detect import load
from mien.errors import UnknownModel, UsageError
from mien.types import U8, Face, Frame

NAMES = ["mtcnn", "dlib_mmod", "yunet", "yunet_dynamic"]


@pytest.fixture(params=NAMES)
def detector_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A card whose files are at hand."""
    name: str = request.param
    if name.startswith("yunet"):
        monkeypatch.setenv("MIEN_MODELS", str(request.getfixturevalue("data_models")))
    return name


@pytest.fixture
def detector(detector_name: str) -> protocols.Detector:
    return load(detector_name)


def portrait_pixels(portraits: dict[str, Path], name: str, width: int = 400) -> U8:
    import cv2

    pixels = media.read_image(portraits[name]).pixels
    height = round(width * pixels.shape[0] / pixels.shape[1])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))


def flat(faces: list[Face]) -> list[list[float]]:
    return [[*face.box.tolist(), *face.points.ravel().tolist(), face.score] for face in faces]


def test_it_is_a_detector_with_the_name_of_its_card(detector: protocols.Detector, detector_name: str) -> None:
    assert isinstance(detector, protocols.Detector)
    assert detector.name == detector_name


@pytest.mark.parametrize("level", [0, 127, 255])
def test_nothing_is_found_on_a_blank_picture(detector: protocols.Detector, level: int) -> None:
    assert detector.detect([Frame(np.full((240, 320, 3), level, np.uint8))]) == [[]]


def test_nothing_is_found_in_noise(detector: protocols.Detector) -> None:
    chance = np.random.default_rng(3)
    frames = [Frame(chance.integers(0, 256, (200, 260, 3), dtype=np.uint8)) for _ in range(3)]
    assert detector.detect(frames) == [[], [], []]


def test_no_frames_give_no_lists(detector: protocols.Detector) -> None:
    assert detector.detect([]) == []


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (2, 300), (20, 2000), (2000, 20)])
def test_odd_shapes_have_no_face_and_do_no_harm(detector: protocols.Detector, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(90, 160, (*shape, 3), dtype=np.uint8)
    assert detector.detect([Frame(pixels)]) == [[]]


def test_a_portrait_has_one_face_with_points_in_their_places(
    detector: protocols.Detector, portraits: dict[str, Path]
) -> None:
    frame = Frame(portrait_pixels(portraits, "obama"), source="obama")
    ((face,),) = detector.detect([frame])
    assert face.frame is frame and face.track == -1 and 0 < face.score <= 1
    assert face.box.shape == (4,) and face.points.shape == (5, 2)
    assert face.box.dtype == face.points.dtype == np.float32
    right_eye, left_eye, nose, right_mouth, left_mouth = face.points
    assert right_eye[0] < nose[0] < left_eye[0], "the subject's right is on the left of the picture"
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert (face.points > face.box[:2]).all() and (face.points < face.box[2:]).all()
    side = (face.box[2:] - face.box[:2]).mean()
    assert 0.25 < face.eye_distance / side < 0.6


def test_the_larger_of_two_faces_comes_first(detector: protocols.Detector, portraits: dict[str, Path]) -> None:
    small, large = portrait_pixels(portraits, "biden", 400), portrait_pixels(portraits, "obama", 640)
    canvas = np.full((max(len(small), len(large)), 1040, 3), 128, np.uint8)
    canvas[: len(small), :400], canvas[: len(large), 400:] = small, large
    first, second = detector.detect([Frame(canvas)])[0]
    assert np.prod(first.box[2:] - first.box[:2]) > np.prod(second.box[2:] - second.box[:2])
    assert first.box[0] > 400 > second.box[2]


def test_boxes_stay_near_the_frame_when_a_face_is_cut_off(
    detector: protocols.Detector, portraits: dict[str, Path]
) -> None:
    pixels = portrait_pixels(portraits, "obama")
    ((face,),) = detector.detect([Frame(pixels)])
    x, y = face.points[2].astype(int)
    for part in (pixels[y:], pixels[:y], pixels[:, x:], pixels[:, :x], pixels[:, : int(face.points[1][0]) + 5]):
        frame = Frame(np.ascontiguousarray(part))
        for cut in detector.detect([frame])[0]:
            room = cut.box[2:] - cut.box[:2]
            assert np.isfinite(cut.box).all() and np.isfinite(cut.points).all() and (room > 0).all()
            assert (cut.box[:2] > -room).all() and (cut.box[2:] < np.array([frame.width, frame.height]) + room).all()


def test_the_pixels_are_left_as_they_were_even_where_they_could_be_written(
    detector: protocols.Detector, portraits: dict[str, Path]
) -> None:
    pixels = portrait_pixels(portraits, "biden")
    before = pixels.copy()
    detector.detect([Frame(pixels)])
    assert np.array_equal(pixels, before)
    pixels.flags.writeable = False
    assert len(detector.detect([Frame(pixels)])[0]) == 1
    assert len(detector.detect([Frame(before[:, ::-1])])[0]) == 1, "a view with negative steps is a picture too"


def test_the_answer_does_not_depend_on_company_repetition_or_threads(
    detector: protocols.Detector, detector_name: str, portraits: dict[str, Path]
) -> None:
    frames = [Frame(portrait_pixels(portraits, name, 300)) for name in ("obama", "biden", "obama2")]
    frames.insert(1, Frame(np.zeros((50, 60, 3), np.uint8)))
    alone = [flat(detector.detect([frame])[0]) for frame in frames]
    assert [len(faces) for faces in alone] == [1, 0, 1, 1]
    assert [flat(faces) for faces in detector.detect(frames)] == alone
    assert [flat(faces) for faces in load(detector_name, threads=2).detect(frames)] == alone


def test_an_unknown_option_is_named(detector_name: str) -> None:
    with pytest.raises(UsageError, match="'wisdom'"):
        load(detector_name, wisdom=3)


def test_what_is_no_detector_is_refused() -> None:
    with pytest.raises(UnknownModel, match="dlib_resnet"):
        load("dlib_resnet")
    with pytest.raises(UnknownModel, match="mtcn"):
        load("mtcn")
    with pytest.raises(UsageError, match="0 threads"):
        load("mtcnn", threads=0)
