"""The reader of dlib's bytes, against a writer of the same format and against damage."""

from __future__ import annotations

import math
import random
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import ModelCorrupt
from mien.models.build.dlib_dat import Affine, Conv, Dense, Mark, Pool, Reader, read_network


def packed(value: int) -> bytes:
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def packed_real(value: float) -> bytes:
    if math.isinf(value) or math.isnan(value):
        return packed(0) + packed(32002 if math.isnan(value) else 32000 if value > 0 else 32001)
    mantissa, exponent = math.frexp(value)
    return packed(int(mantissa * 2**53)) + packed(exponent - 53)


def packed_text(text: str) -> bytes:
    return packed(len(text)) + text.encode()


def packed_tensor(values: np.ndarray) -> bytes:
    shape = (*values.shape, *[1] * (4 - values.ndim)) if values.size else (0, 0, 0, 0)
    return packed(2) + b"".join(map(packed, shape)) + values.astype("<f4").tobytes()


def packed_view(*shape: int) -> bytes:
    return packed(1) + b"".join(map(packed, shape))


EMPTY = packed_tensor(np.zeros(0))
TRAILER = b"100" + EMPTY * 2


def tiny_network() -> bytes:
    """input -> [tag] conv (innermost) -> batch norm -> relu -> mean of the plane -> linear, under a metric loss."""
    rng = np.random.default_rng(0)
    conv = rng.normal(size=2 * 3 * 9 + 2)
    norm = [
        rng.normal(size=(4, 1, 1, 1)),
        *(np.zeros(2) for _ in range(2)),
        np.array([0.5, -1.0]),
        np.array([4.0, 9.0]),
    ]
    reals = b"".join(packed_real(1.0) for _ in range(4))
    layers = [
        packed_text("con_4") + packed_tensor(conv) + b"".join(map(packed, (2, 3, 3, 1, 1, 1, 1)))
        + packed_view(2, 3, 3, 3) + packed_view(1, 2, 1, 1) + reals + TRAILER + EMPTY + packed(1),
        packed_text("bn_con2") + packed_tensor(norm[0]) + packed_view(1, 2, 1, 1) * 2
        + b"".join(packed_tensor(part) for part in norm[1:]) + packed(1) * 2 + reals + packed_real(1e-4) + TRAILER + EMPTY,
        packed_text("relu_") + TRAILER + EMPTY,
        packed_text("avg_pool_2") + b"".join(map(packed, (0, 0, 1, 1, 0, 0))) + TRAILER + EMPTY,
        packed_text("fc_2") + packed(4) + packed(2) + packed_tensor(np.arange(8.0)) + packed_view(2, 4, 1, 1)
        + packed_view(0, 0, 0, 0) + packed(1) + reals + TRAILER + EMPTY,
    ]  # fmt: skip
    head = packed(1) + packed_text("loss_metric_2") + packed_real(0.04) + packed_real(0.6)
    versions = b"".join(map(packed, (2, 2, 1, 2, 2, 3)))  # outermost first; 1 stands for a tag
    entry = packed_text("input_rgb_image_sized") + b"".join(map(packed_real, (1.0, 2.0, 3.0))) + packed(150) * 2
    return head + versions + entry + b"".join(layers)


def dlib_files() -> list[Path]:
    found = find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package face_recognition_models is not installed")
    folder = Path(found.submodule_search_locations[0]) / "models"
    return [folder / "mmod_human_face_detector.dat", folder / "dlib_face_recognition_resnet_model_v1.dat"]


def test_a_written_network_is_read_back() -> None:
    net = read_network(tiny_network(), "tiny")
    conv, norm, fork_or_relu, *_ = net.layers
    assert net.mean == (1.0, 2.0, 3.0)
    assert isinstance(conv, Conv) and conv.weights.shape == (2, 3, 3, 3) and (conv.stride, conv.pad) == (1, 1)
    expected = np.random.default_rng(0).normal(size=2 * 3 * 9 + 2).astype(np.float32)
    assert np.array_equal(np.concatenate([conv.weights.ravel(), conv.bias]), expected)
    assert isinstance(norm, Affine)
    assert fork_or_relu == Mark("relu")
    assert Pool("avg", 0, 1) in net.layers and Mark("fork") in net.layers
    dense = net.layers[-1]
    assert isinstance(dense, Dense) and np.array_equal(dense.weights, np.arange(8.0).reshape(2, 4))


def test_batch_normalisation_becomes_scale_and_shift() -> None:
    norm = read_network(tiny_network(), "tiny").layers[1]
    assert isinstance(norm, Affine)
    rng = np.random.default_rng(0)
    rng.normal(size=56)
    gamma, beta = np.split(rng.normal(size=4).astype(np.float32).astype(float), 2)
    x, means, variances = np.array([0.3, -2.0]), np.array([0.5, -1.0]), np.array([4.0, 9.0])
    assert x * norm.scale + norm.shift == pytest.approx((x - means) / np.sqrt(variances + 1e-4) * gamma + beta)


@given(st.integers(-(2**63), 2**63))
def test_integers_round_trip(value: int) -> None:
    reader = Reader(packed(value)[:9], "x")
    assert abs(value) >= 2**64 or reader.integer() == value


@given(st.floats(allow_nan=False))
def test_reals_round_trip(value: float) -> None:
    assert Reader(packed_real(value), "x").real() == pytest.approx(value, rel=1e-15, abs=1e-320)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(tiny_network()) - 1))
def test_a_cut_network_is_refused(cut: int) -> None:
    with pytest.raises(ModelCorrupt, match="tiny is not the dlib model"):
        read_network(tiny_network()[:cut], "tiny")


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(tiny_network()) - 1), st.integers(1, 255))
def test_a_damaged_network_is_read_or_refused(place: int, change: int) -> None:
    data = bytearray(tiny_network())
    data[place] ^= change
    with suppress(ModelCorrupt):
        read_network(bytes(data), "tiny")


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ModelCorrupt):
        read_network(data, "x")


def test_extra_bytes_are_refused() -> None:
    with pytest.raises(ModelCorrupt, match="unread bytes"):
        read_network(tiny_network() + b"\0", "tiny")


def test_real_files_are_read_to_the_last_byte_and_refused_when_cut() -> None:
    rng = random.Random(0)
    for path, layers in zip(dlib_files(), (19, 130), strict=True):
        data = path.read_bytes()
        assert len(read_network(data, path.name).layers) == layers
        for cut in [*rng.sample(range(len(data)), 20), len(data) - 1]:
            with pytest.raises(ModelCorrupt):
                read_network(data[:cut], path.name)
