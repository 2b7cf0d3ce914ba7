"""YuNet against OpenCV's own decoder of the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien import media
from mien.detect import load
from mien.errors import UsageError
from mien.types import U8, Frame

FILES = {"yunet": "yunet_n_640_640.onnx", "yunet_dynamic": "yunet_n_dynamic.onnx"}


@pytest.fixture
def mirrored(data_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIEN_MODELS", str(data_models))
    return data_models


def sized(path: Path, width: int, height: int) -> U8:
    return np.asarray(cv2.resize(media.read_image(path).pixels, (width, height), interpolation=cv2.INTER_AREA))


def opencv_rows(file: Path, canvas: U8) -> Any:
    """(n, 15) x, y, width, height, five points, score; the largest first."""
    net = cv2.FaceDetectorYN.create(str(file), "", (canvas.shape[1], canvas.shape[0]), 0.6, 0.3)
    rows = net.detect(np.ascontiguousarray(canvas[:, :, ::-1]))[1]
    return rows[np.argsort(-rows[:, 2] * rows[:, 3], kind="stable")]


@pytest.mark.parametrize("name", list(FILES))
def test_the_same_faces_as_opencv(name: str, mirrored: Path, data: Path) -> None:
    detector = load(name, accept=0.6)
    total = 0
    for path, width, height in (("group_photo.jpg", 640, 416), ("lfw10/Tony_Blair/Tony_Blair_0001.jpg", 250, 250)):
        pixels = sized(data / "faces" / path, width, height)
        right, below = (640 - width, 640 - height) if name == "yunet" else (-width % 32, -height % 32)
        canvas = np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT))
        faces = detector.detect([Frame(pixels)])[0]
        rows = [[*f.box[:2], *(f.box[2:] - f.box[:2]), *f.points.ravel(), f.score] for f in faces]
        assert np.array(rows) == pytest.approx(opencv_rows(mirrored / FILES[name], canvas), abs=2e-3)
        total += len(faces)
    assert total == 8


def test_large_pictures_are_reduced_and_places_restored(mirrored: Path, portraits: dict[str, Path]) -> None:
    detector = load("yunet_dynamic", longest=320)
    small = sized(portraits["obama"], 240, 320)
    large = np.asarray(cv2.resize(small, (1200, 1600), interpolation=cv2.INTER_CUBIC))
    (near,), (far,) = detector.detect([Frame(small), Frame(large)])
    assert np.abs(far.points / 5 - near.points).max() < 0.1 * near.eye_distance


def test_options_that_make_no_sense_are_refused(mirrored: Path) -> None:
    for options in ({"accept": 0.0}, {"overlap": 2.0}, {"longest": 3}):
        with pytest.raises(UsageError):
            load("yunet_dynamic", **options)
