"""dlib's five-point shape predictor (Kazemi and Sullivan 2014) as arrays.

The file is one run of integers: its reals are pairs of mantissa and exponent, its sizes are the same for every tree. So
it is cut into integers once, and the arrays are slices of them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelCorrupt
from mien.types import F32

I64 = NDArray[np.int64]
_CASCADES, _TREES, _SPLITS, _COORDINATES, _PIXELS = 15, 500, 15, 10, 800


def build(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """{weights} -> {points}: the predictor as an .npz. Raises ModelCorrupt.

    mean (5, 2) in parts of the box; anchors (15, 800) and offsets (15, 800, 2): where the pixels are looked up,
    relative to which point; left, right (15, 500, 15): which two pixels a split compares; limits (15, 500, 15): with
    what; leaves (15, 500, 16, 5, 2): what a tree adds to the points."""
    arrays = read(paths["weights"].read_bytes(), paths["weights"].name)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return {"points": stream.getvalue()}


def read(data: bytes, name: str) -> dict[str, NDArray[np.generic]]:
    """The predictor's arrays by name. Raises ModelCorrupt on any other bytes."""
    try:
        return _arrays(_Run(_integers(data)))
    except (ValueError, IndexError, OverflowError) as why:
        raise ModelCorrupt(
            f"{name} is not dlib's five-point predictor: {why}.", "Install the package that carries it again."
        ) from why


def _integers(data: bytes) -> I64:
    """All integers of the file: a control byte (low nibble: length, high bit: sign), then the magnitude."""
    starts, at = [], 0
    while at < len(data):
        starts.append(at)
        at += 1 + (data[at] & 0x0F)
    padded = np.frombuffer(data + bytes(16), np.uint8)
    where = np.array(starts, np.int64)
    control = padded[where]
    length = control & 0x0F
    if at != len(data) or (control & 0x70).any() or not ((length >= 1) & (length <= 7)).all():
        raise ValueError("its bytes are not a run of integers")
    values = np.zeros(len(where), np.int64)
    for byte in range(int(length.max())):
        values += np.where(byte < length, padded[where + 1 + byte].astype(np.int64) << (8 * byte), 0)
    return np.where(control & 0x80, -values, values)


class _Run:
    """A cursor over integers."""

    def __init__(self, values: I64) -> None:
        self.values = values
        self.at = 0

    def take(self, count: int) -> I64:
        """The next `count`."""
        if self.at + count > len(self.values):
            raise ValueError("it ends too early")
        self.at += count
        return self.values[self.at - count : self.at]

    def expect(self, *values: int) -> None:
        """The next ones, which must be these."""
        _same(self.take(len(values)), values)


def _same(values: I64, wanted: int | tuple[int, ...]) -> None:
    if not (values == np.asarray(wanted)).all():
        raise ValueError("its sizes are others")


def _reals(pairs: I64) -> F32:
    """(..., 2 n) mantissas and exponents -> (..., n)."""
    mantissa, exponent = pairs[..., ::2], pairs[..., 1::2]
    if (abs(exponent) > 2000).any():
        raise ValueError("a number is not finite")
    return np.ldexp(mantissa.astype(np.float64), exponent.astype(np.int32)).astype(np.float32)


def _arrays(run: _Run) -> dict[str, NDArray[np.generic]]:
    run.expect(1, -_COORDINATES, -1)
    mean = _reals(run.take(2 * _COORDINATES)).reshape(-1, 2)
    run.expect(_CASCADES)
    leaves_of_tree = _SPLITS + 1
    split_end, leaf_size = 1 + 4 * _SPLITS, 2 + 2 * _COORDINATES
    tree_size = split_end + 1 + leaves_of_tree * leaf_size
    forest = run.take(_CASCADES * (1 + _TREES * tree_size)).reshape(_CASCADES, -1)
    _same(forest[:, 0], _TREES)
    trees = forest[:, 1:].reshape(_CASCADES, _TREES, tree_size)
    _same(trees[..., 0], _SPLITS)
    _same(trees[..., split_end], leaves_of_tree)
    splits = trees[..., 1:split_end].reshape(_CASCADES, _TREES, _SPLITS, 4)
    leaves = trees[..., split_end + 1 :].reshape(_CASCADES, _TREES, leaves_of_tree, leaf_size)
    _same(leaves[..., :2], (-_COORDINATES, -1))
    anchors = _table(run, 1)
    offsets = _table(run, 4)
    if run.at != len(run.values) or not _inside(anchors, len(mean)) or not _inside(splits[..., :2], _PIXELS):
        raise ValueError("its tables point outside")
    return {
        "mean": mean,
        "anchors": anchors.astype(np.int16),
        "offsets": _reals(offsets).reshape(_CASCADES, _PIXELS, 2),
        "left": splits[..., 0].astype(np.int16),
        "right": splits[..., 1].astype(np.int16),
        "limits": _reals(splits[..., 2:])[..., 0],
        "leaves": _reals(leaves[..., 2:]).reshape(_CASCADES, _TREES, leaves_of_tree, -1, 2),
    }


def _table(run: _Run, width: int) -> I64:
    """A list per cascade with one entry of `width` integers per pixel."""
    run.expect(_CASCADES)
    rows = run.take(_CASCADES * (1 + width * _PIXELS)).reshape(_CASCADES, -1)
    _same(rows[:, 0], _PIXELS)
    return rows[:, 1:]


def _inside(values: I64, limit: int) -> bool:
    return bool(((values >= 0) & (values < limit)).all())
