"""The 8-bit ResNet: close to the float one, and the same on every processor."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.models.build import RECIPES
from mien.models.build.int8 import read_ranges, rounded


def weights() -> Path:
    found = find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package face_recognition_models is not installed")
    return Path(found.submodule_search_locations[0]) / "models" / "dlib_face_recognition_resnet_model_v1.dat"


@pytest.fixture(scope="module")
def nets() -> dict[str, bytes]:
    paths = {"weights": weights()}
    return {name: RECIPES[name](paths)["net"] for name in ("dlib_resnet", "dlib_resnet_int8")}


def described(net: bytes, chips: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(None, {"pixels": chips})[0])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def pictures(data: Path) -> np.ndarray:
    import cv2

    paths = sorted(data.glob("faces/lfw10/*/*.jpg"))[::7]
    return np.stack([cv2.resize(cv2.imread(str(path))[60:200, 55:195, ::-1], (150, 150)) for path in paths])


def test_vectors_hardly_move(nets: dict[str, bytes], data: Path) -> None:
    chips = pictures(data)
    exact, fast = described(nets["dlib_resnet"], chips), described(nets["dlib_resnet_int8"], chips)
    cosines = (exact * fast).sum(1)
    assert cosines.min() > 0.999
    assert np.median(cosines) > 0.9995


def test_one_by_one_equals_all_at_once(nets: dict[str, bytes]) -> None:
    chips = np.random.default_rng(0).integers(0, 256, (5, 150, 150, 3)).astype(np.uint8)
    together = described(nets["dlib_resnet_int8"], chips)
    alone = np.concatenate([described(nets["dlib_resnet_int8"], chip[None]) for chip in chips])
    assert np.abs(together - alone).max() < 1e-6


def test_no_pair_of_products_saturates(nets: dict[str, bytes]) -> None:
    model = onnx.load_from_string(nets["dlib_resnet_int8"])
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "QLinearConv"]
    assert len(convolutions) == 29 + 4
    for node in convolutions:
        kernel = constants[node.input[3]].astype(int)
        pairs = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1, 2)
        assert 255 * pairs.clip(min=0).sum(-1).max() < 2**15
        assert 255 * -pairs.clip(max=0).sum(-1).min() <= 2**15


@given(st.integers(0, 2**32 - 1))
def test_rounding_keeps_the_sums_of_kernels(seed: int) -> None:
    filters = np.random.default_rng(seed).normal(size=(3, 4, 3, 3)) ** 3
    filters[2] = 0
    integers, scales = rounded(filters)
    steps = filters / scales[:, None, None, None]
    assert (np.abs(integers - steps) < 1).all()
    assert (np.abs((integers - steps).sum((2, 3))) < 0.5001).all()
    assert not integers[2].any()


def test_ranges_belong_to_this_network() -> None:
    ranges = read_ranges()
    assert set(ranges) == {"stem"} | {
        f"block{number}{part}" for number in range(14) for part in ("", ".first", ".second")
    }
    for number in range(14):
        assert ranges[f"block{number}"].low == 0 < ranges[f"block{number}"].high
