"""MMOD against dlib itself, which is installed for the tests only."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien import media
from mien.detect import load
from mien.detect.mmod import Mmod, layout
from mien.errors import UsageError
from mien.types import U8, Frame

LFW = ("Ariel_Sharon", "Colin_Powell", "Tony_Blair")


@pytest.fixture(scope="module")
def mmod() -> Mmod:
    made = load("dlib_mmod")
    assert isinstance(made, Mmod)
    return made


@pytest.fixture(scope="module")
def pictures(data: Path, portraits: dict[str, Path]) -> list[U8]:
    """Five with faces of several sizes; one holds six people."""
    faces = data / "faces"
    paths = [faces / "lfw10" / name / f"{name}_0001.jpg" for name in LFW] + [faces / "group_photo.jpg"]
    group = cv2.resize(media.read_image(paths.pop()).pixels, (640, 443), interpolation=cv2.INTER_AREA)
    tall = cv2.resize(media.read_image(portraits["obama"]).pixels, (201, 307), interpolation=cv2.INTER_AREA)
    return [*(media.read_image(path).pixels for path in paths), np.asarray(group), np.asarray(tall)]


def test_boxes_are_the_same_whole_numbers_as_dlibs(mmod: Mmod, pictures: list[U8]) -> None:
    dlib = pytest.importorskip("dlib")
    package = find_spec("face_recognition_models")
    assert package is not None and package.submodule_search_locations
    weights = Path(package.submodule_search_locations[0]) / "models" / "mmod_human_face_detector.dat"
    oracle = dlib.cnn_face_detection_model_v1(str(weights))
    total = 0
    for pixels in pictures:
        found = oracle(pixels, 0)
        wanted = [(f.rect.left(), f.rect.top(), f.rect.right(), f.rect.bottom()) for f in found]
        boxes, strengths = mmod.boxes(pixels)
        assert [tuple(box) for box in boxes.tolist()] == wanted
        assert strengths.tolist() == pytest.approx([f.confidence for f in found], abs=1e-4)
        total += len(wanted)
    assert total >= 5


def test_points_and_scores_go_with_the_boxes(mmod: Mmod, pictures: list[U8]) -> None:
    (face,) = mmod.detect([Frame(pictures[0])])[0]
    (other,) = load("mtcnn").detect([Frame(pictures[0])])[0]
    assert np.abs(face.points - other.points).max() < 0.1 * other.eye_distance
    boxes, strengths = mmod.boxes(pictures[0])
    assert face.box.tolist() == (boxes[0] + [0, 0, 1, 1]).tolist()
    assert face.score == pytest.approx(strengths[0] / (1 + strengths[0]))


@pytest.mark.parametrize("shape", [(1, 1), (250, 250), (720, 1280), (1280, 720), (3, 4000), (999, 1000)])
def test_levels_lie_apart_on_the_canvas(shape: tuple[int, int]) -> None:
    places = layout(*shape)
    assert places[0][2:] == shape[::-1]
    taken = np.zeros((sum(high + 10 for *_, high in places) + 30, shape[1] + 22), bool)
    for x, y, wide, high in places:
        assert x >= 11 and y >= 11 and x + wide <= shape[1] + 11
        assert not taken[y : y + high, x : x + wide].any()
        taken[y : y + high, x : x + wide] = True


def test_a_higher_confidence_is_stricter(pictures: list[U8]) -> None:
    assert load("dlib_mmod", accept=50.0).detect([Frame(pictures[0])]) == [[]]
    with pytest.raises(UsageError, match="0 or more"):
        load("dlib_mmod", accept=-1.0)
