"""Our readings of dlib's weights against dlib itself, on real photos and on noise."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

from mien import align
from mien.embed.dlib_chip import dlib_chip
from mien.models.build import RECIPES
from mien.models.points5 import FivePoints

dlib = pytest.importorskip("dlib", reason="dlib is not installed (it is in the dev extra)")

RESNET, POINTS = "dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat"


@pytest.fixture(scope="module")
def sources() -> Path:
    found = find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package face_recognition_models is not installed")
    return Path(found.submodule_search_locations[0]) / "models"


@pytest.fixture(scope="module")
def resnet(sources: Path) -> onnxruntime.InferenceSession:
    net = RECIPES["dlib_resnet"]({"weights": sources / RESNET})["net"]
    return onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def points(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> FivePoints:
    path = tmp_path_factory.mktemp("points") / "points.npz"
    path.write_bytes(RECIPES["dlib_points5"]({"weights": sources / POINTS})["points"])
    return FivePoints(path)


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest) -> list[np.ndarray]:
    """The reference photos; where they are absent, the portraits, large and small."""
    try:
        data: Path = request.getfixturevalue("data")
    except pytest.skip.Exception:
        large = [read(path) for path in sorted(request.getfixturevalue("portraits").values())]
        return [*large, *(cv2.resize(picture, None, fx=0.4, fy=0.4) for picture in large)]
    paths = [data / f"faces/celebrity_pairs/{name}.jpg" for name in ("img1", "img11", "img13", "couple")]
    return [read(path) for path in (*sorted(data.glob("faces/lfw10/*/*.jpg"))[::8], *paths)]


def read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


@pytest.fixture(scope="module")
def faces(pictures: list[np.ndarray], sources: Path) -> list[tuple[np.ndarray, Any, Any]]:
    """(picture, box, dlib's points) of small and large faces."""
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(sources / POINTS))

    def found() -> Iterator[tuple[np.ndarray, Any, Any]]:
        for picture in pictures:
            for box in detector(picture):
                yield picture, box, predictor(picture, box)

    return list(found())


def described(resnet: onnxruntime.InferenceSession, chips: list[np.ndarray]) -> np.ndarray:
    return np.asarray(resnet.run(None, {"pixels": np.stack(chips)})[0])


def parts(shape: Any) -> np.ndarray:
    return np.array([(point.x, point.y) for point in shape.parts()], float)


def test_resnet(resnet: onnxruntime.InferenceSession, faces: list[tuple[np.ndarray, Any, Any]], sources: Path) -> None:
    theirs = dlib.face_recognition_model_v1(str(sources / RESNET))
    rng = np.random.default_rng(0)
    chips = [dlib.get_face_chip(picture, shape, 150, 0.25) for picture, _, shape in faces[:10]]
    chips += [rng.integers(0, 256, (150, 150, 3)).astype(np.uint8) for _ in range(2)]
    expected = np.array([list(theirs.compute_face_descriptor(chip)) for chip in chips])
    ours = described(resnet, chips)
    assert np.abs(ours - expected).max() < 1e-5
    cosines = (ours * expected).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() >= 0.99999


def test_five_points(points: FivePoints, faces: list[tuple[np.ndarray, Any, Any]]) -> None:
    misses = []
    for picture, box, shape in faces:
        ours = points.predict(picture, (box.left(), box.top(), box.right(), box.bottom()))
        misses.append(np.abs(np.floor(ours + 0.5) - parts(shape)).max())
    assert max(misses) <= 1
    assert np.mean(misses) < 0.5


def test_five_points_at_the_edge_and_in_grey(points: FivePoints, sources: Path) -> None:
    predictor = dlib.shape_predictor(str(sources / POINTS))
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (90, 110, 3)).astype(np.uint8), (0, 0), 4)
    for box in [(-20, -30, 60, 50), (50, 40, 150, 140), (-50, -50, 150, 150)]:
        expected = parts(predictor(picture, dlib.rectangle(*box)))
        assert np.abs(np.floor(points.predict(picture, box) + 0.5) - expected).max() <= 1
        grey = picture[..., 1].copy()
        expected = parts(predictor(grey, dlib.rectangle(*box)))
        assert np.abs(np.floor(points.predict(grey, box) + 0.5) - expected).max() <= 1


def test_the_exact_chip_is_exact(faces: list[tuple[np.ndarray, Any, Any]]) -> None:
    sides = [box.width() for _, box, _ in faces]
    assert max(sides) > 310 > 150 > min(sides)  # both with and without halving
    for picture, _, shape in faces:
        assert np.array_equal(dlib_chip(picture, parts(shape)), dlib.get_face_chip(picture, shape, 150, 0.25))


@pytest.mark.parametrize("shift", [(-70, 0), (0, -60), (120, 110)])
def test_the_exact_chip_is_exact_at_the_edge(faces: list[tuple[np.ndarray, Any, Any]], shift: tuple[int, int]) -> None:
    picture, box, shape = faces[0]
    moved = [dlib.point(point.x + shift[0], point.y + shift[1]) for point in shape.parts()]
    theirs = dlib.get_face_chip(picture, dlib.full_object_detection(box, moved), 150, 0.25)
    ours = dlib_chip(picture, parts(shape) + shift)
    assert np.array_equal(ours, theirs)


def test_our_own_chip_drifts_little_from_dlibs(
    resnet: onnxruntime.InferenceSession, faces: list[tuple[np.ndarray, Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same five points through our warp: what is left is the difference of the interpolation."""
    from mien.embed.dlib_chip import _FACE

    wanted = (0.25 + _FACE) / 1.5 * 150
    monkeypatch.setitem(align.TEMPLATES, "dlib_corners", align.Template(150, wanted, fit_in_picture=True))
    ours = [align.chip(picture, parts(shape) + 0.5, "dlib_corners") for picture, _, shape in faces]
    theirs = [dlib_chip(picture, parts(shape)) for picture, _, shape in faces]
    drift = np.linalg.norm(described(resnet, ours) - described(resnet, theirs), axis=1)
    assert np.median(drift) < 0.05 and drift.max() < 0.1  # one person and another are 0.6 apart
