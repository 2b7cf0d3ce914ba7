"""The reader of joblib dumps, against joblib itself and against pickles that mean harm."""

from __future__ import annotations

import io
import os
import pickle
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import ModelCorrupt
from mien.models.build.mtcnn_lz4 import read_arrays


def dumps(value: object) -> bytes:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return lz4.frame.compress(buffer.getvalue())


def weight_files() -> list[Path]:
    found = find_spec("mtcnn")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package mtcnn is not installed")
    folder = Path(found.submodule_search_locations[0]) / "assets" / "weights"
    return [folder / f"{name}.lz4" for name in ("pnet", "rnet", "onet")]


def test_the_package_files_read_as_joblib_reads_them() -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    for path in weight_files():
        ours, theirs = read_arrays(path.read_bytes(), path.name), joblib.load(path)
        assert len(ours) == len(theirs) > 10
        assert all(np.array_equal(a, b) and a.shape == b.shape for a, b in zip(ours, theirs, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=2, max_size=5), st.booleans())
def test_any_list_of_arrays_reads_back(shapes: list[list[int]], fortran: bool) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    arrays = [np.asfortranarray(array) if fortran else array for array in arrays]
    found = read_arrays(dumps(arrays), "x")
    assert all(np.array_equal(a, b) for a, b in zip(found, arrays, strict=True))


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo harm > harm.txt",)


class Attribute:
    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return getattr, ("a", "b")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [Harm(), [Harm()], [Attribute()], {"a": 1}, [1, 2], "text", [np.float64(1)]])
def test_any_other_pickle_is_refused_and_not_run(
    value: object, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelCorrupt, match=r"bad\.lz4 is not the dump"):
        read_arrays(lz4.frame.compress(pickle.dumps(value, protocol)), "bad.lz4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "array",
    [np.zeros(3), np.zeros(3, ">f4"), np.zeros(3, np.int32), np.array(["a"], object), np.array([np.nan], np.float32)],
    ids=["float64", "big-endian", "int32", "objects", "nan"],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ModelCorrupt):
        read_arrays(dumps([array, array]), "x")


def test_a_cut_or_damaged_dump_is_refused() -> None:
    plain = lz4.frame.decompress(dumps([np.ones((3, 3), np.float32), np.ones(2, np.float32)]))
    for cut in range(len(plain)):
        with pytest.raises(ModelCorrupt):
            read_arrays(lz4.frame.compress(plain[:cut]), "x")
    packed = lz4.frame.compress(plain)
    for cut in range(len(packed)):
        with pytest.raises(ModelCorrupt):
            read_arrays(packed[:cut], "x")


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damage_is_read_or_refused(data: st.DataObject) -> None:
    plain = bytearray(lz4.frame.decompress(dumps([np.ones((3, 3), np.float32), np.ones(2, np.float32)])))
    for _ in range(data.draw(st.integers(1, 3))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ModelCorrupt):
        read_arrays(lz4.frame.compress(bytes(plain)), "x")


@given(st.binary(max_size=300))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    for blob in (data, lz4.frame.compress(data)):
        with pytest.raises(ModelCorrupt):
            read_arrays(blob, "x")


def test_a_bomb_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="too large"):
        read_arrays(lz4.frame.compress(bytes(100 << 20)), "x")
