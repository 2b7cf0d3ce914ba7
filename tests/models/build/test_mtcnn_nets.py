"""MTCNN's graphs against the networks written out in plain numpy, channels last as they lie in the files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from mien.errors import ModelCorrupt
from mien.models.build import RECIPES
from mien.models.build.mtcnn_lz4 import read_arrays


def sources() -> dict[str, Path]:
    found = find_spec("mtcnn")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package mtcnn is not installed")
    folder = Path(found.submodule_search_locations[0]) / "assets" / "weights"
    return {name: folder / f"{name}.lz4" for name in ("pnet", "rnet", "onet")}


class Plain:
    """The layers of one network, taken in order; planes are (H, W, C)."""

    def __init__(self, name: str, pixels: np.ndarray) -> None:
        path = sources()[name]
        self.arrays = iter(read_arrays(path.read_bytes(), path.name))
        self.value = (pixels.astype(float) - 127.5) / 128

    def conv(self) -> np.ndarray:
        weights, bias = next(self.arrays), next(self.arrays)
        size = weights.shape[:2]
        seen = np.lib.stride_tricks.sliding_window_view(self.value, size, axis=(0, 1))
        return np.einsum("hwcij,ijco->hwo", seen, weights) + bias

    def dense(self) -> np.ndarray:
        weights, bias = next(self.arrays), next(self.arrays)
        return self.value @ weights + bias

    def prelu(self, value: np.ndarray) -> None:
        slope = next(self.arrays)
        self.value = np.where(value > 0, value, slope.reshape(-1) * value)

    def pool(self, size: int, whole: bool = False) -> None:
        """Maximum at stride 2; the last windows may hang over unless only whole ones count."""
        sides = [(side - size) // 2 + 1 if whole else -(-(side - size) // 2) + 1 for side in self.value.shape[:2]]
        rows = [
            [self.value[2 * i : 2 * i + size, 2 * j : 2 * j + size].max((0, 1)) for j in range(sides[1])]
            for i in range(sides[0])
        ]
        self.value = np.array(rows)

    def flat(self) -> None:
        self.value = self.value.transpose(1, 0, 2).ravel()


def face_probability(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return odds[..., 1] / odds.sum(-1)


def run(name: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(RECIPES["mtcnn"](sources())[name], providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(np.asarray, session.run(names, {"pixels": pixels})), strict=True))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("size", [(12, 12), (25, 38), (40, 31)])
def test_pnet(size: tuple[int, int]) -> None:
    pictures = noise(2, *size, 3)
    found = run("pnet", pictures)
    for number, picture in enumerate(pictures):
        plain = Plain("pnet", picture)
        plain.prelu(plain.conv())
        plain.pool(2)
        plain.prelu(plain.conv())
        plain.prelu(plain.conv())
        shift, score = plain.conv(), face_probability(plain.conv())
        assert np.abs(found["shift"][number] - shift.transpose(2, 0, 1)).max() < 1e-5
        assert np.abs(found["score"][number] - score).max() < 1e-5


def test_rnet() -> None:
    pictures = noise(3, 24, 24, 3)
    found = run("rnet", pictures)
    for number, picture in enumerate(pictures):
        plain = Plain("rnet", picture)
        plain.prelu(plain.conv())
        plain.pool(3)
        plain.prelu(plain.conv())
        plain.pool(3, whole=True)
        plain.prelu(plain.conv())
        plain.flat()
        plain.prelu(plain.dense())
        assert np.abs(found["shift"][number] - plain.dense()).max() < 1e-5
        assert found["score"][number] == pytest.approx(face_probability(plain.dense()), abs=1e-5)


def test_onet() -> None:
    pictures = noise(3, 48, 48, 3)
    found = run("onet", pictures)
    for number, picture in enumerate(pictures):
        plain = Plain("onet", picture)
        plain.prelu(plain.conv())
        plain.pool(3)
        plain.prelu(plain.conv())
        plain.pool(3, whole=True)
        plain.prelu(plain.conv())
        plain.pool(2)
        plain.prelu(plain.conv())
        plain.flat()
        plain.prelu(plain.dense())
        assert np.abs(found["shift"][number] - plain.dense()).max() < 1e-5
        points = plain.dense()
        assert np.abs(found["points"][number] - np.stack([points[:5], points[5:]], 1)).max() < 1e-5
        assert found["score"][number] == pytest.approx(face_probability(plain.dense()), abs=1e-5)


def test_a_face_is_told_from_noise_and_its_points_lie_in_order(data: Path) -> None:
    import cv2

    photo = cv2.imread(str(sorted(data.glob("faces/lfw10/*/*.jpg"))[0]))[..., ::-1]
    face = cv2.resize(np.ascontiguousarray(photo[65:190, 65:190]), (48, 48), interpolation=cv2.INTER_AREA)
    found = run("onet", np.stack([face, noise(48, 48, 3)]))
    assert found["score"][0] > 0.9 > 0.1 > found["score"][1]
    right_eye, left_eye, nose, right_mouth, left_mouth = found["points"][0]
    assert right_eye[0] < nose[0] < left_eye[0] and right_mouth[0] < left_mouth[0]
    assert right_eye[1] < nose[1] < right_mouth[1] and left_eye[1] < nose[1] < left_mouth[1]


def test_building_twice_gives_the_same_bytes() -> None:
    assert RECIPES["mtcnn"](sources()) == RECIPES["mtcnn"](sources())


def test_swapped_files_are_refused() -> None:
    paths = sources()
    with pytest.raises(ModelCorrupt, match=r"rnet\.lz4"):
        RECIPES["mtcnn"](paths | {"pnet": paths["rnet"]})
