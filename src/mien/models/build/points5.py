"""dlib's shape predictors (Kazemi and Sullivan 2014), of five points and of 68, as arrays.

The file is one run of integers: its reals are pairs of mantissa and exponent, its sizes are the same for every tree. So
it is cut into integers once, and the arrays are slices of them.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelCorrupt
from mien.types import F32

I64 = NDArray[np.int64]
_CASCADES, _TREES, _SPLITS = 15, 500, 15
_COORDINATES = {10: 800, 136: 500}  # number of pixels looked up, by that of coordinates
_AT_ONCE = 1 << 20  # integers: bounds memory while the file of 68 points (33 million of them) is read


def build(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """{weights} -> {points}: the predictor as an .npz. Raises ModelCorrupt.

    For n points and p pixels (5 and 800, or 68 and 500): mean (n, 2) in parts of the box; anchors (15, p) and offsets
    (15, p, 2): where the pixels are looked up, relative to which point; left, right (15, 500, 15): which two pixels a
    split compares; limits (15, 500, 15): with what; leaves (15, 500, 16, n, 2): what a tree adds to the points."""
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
            f"{name} is not dlib's predictor of points: {why}.", "Install the package that carries it again."
        ) from why


def _integers(data: bytes) -> I64:
    """All integers of the file: a control byte (low nibble: length, high bit: sign), then the magnitude."""
    starts, at = array("q"), 0
    while at < len(data):
        starts.append(at)
        at += 1 + (data[at] & 0x0F)
    if at != len(data):
        raise ValueError("its bytes are not a run of integers")
    padded, where = np.frombuffer(data + bytes(16), np.uint8), np.frombuffer(starts, np.int64)
    parts = [_decoded(padded, where[start : start + _AT_ONCE]) for start in range(0, len(where), _AT_ONCE)]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _decoded(padded: NDArray[np.uint8], where: I64) -> I64:
    """The integers that start at these places."""
    control = padded[where]
    length = control & 0x0F
    if (control & 0x70).any() or not ((length >= 1) & (length <= 7)).all():
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
    run.expect(1)
    coordinates = -int(run.take(1)[0])
    if coordinates not in _COORDINATES:
        raise ValueError("its sizes are others")
    run.expect(-1)
    mean = _reals(run.take(2 * coordinates)).reshape(-1, 2)
    run.expect(_CASCADES)
    leaves_of_tree = _SPLITS + 1
    split_end, leaf_size = 1 + 4 * _SPLITS, 2 + 2 * coordinates
    tree_size = split_end + 1 + leaves_of_tree * leaf_size
    forest = run.take(_CASCADES * (1 + _TREES * tree_size)).reshape(_CASCADES, -1)
    _same(forest[:, 0], _TREES)
    trees = forest[:, 1:].reshape(_CASCADES, _TREES, tree_size)
    _same(trees[..., 0], _SPLITS)
    _same(trees[..., split_end], leaves_of_tree)
    splits = trees[..., 1:split_end].reshape(_CASCADES, _TREES, _SPLITS, 4)
    leaves = trees[..., split_end + 1 :].reshape(_CASCADES, _TREES, leaves_of_tree, leaf_size)
    _same(leaves[..., :2], (-coordinates, -1))
    pixels = _COORDINATES[coordinates]
    anchors = _table(run, pixels, 1)
    offsets = _table(run, pixels, 4)
    if run.at != len(run.values) or not _inside(anchors, len(mean)) or not _inside(splits[..., :2], pixels):
        raise ValueError("its tables point outside")
    return {
        "mean": mean,
        "anchors": anchors.astype(np.int16),
        "offsets": _reals(offsets).reshape(_CASCADES, pixels, 2),
        "left": splits[..., 0].astype(np.int16),
        "right": splits[..., 1].astype(np.int16),
        "limits": _reals(splits[..., 2:])[..., 0],
        "leaves": _reals(leaves[..., 2:]).reshape(_CASCADES, _TREES, leaves_of_tree, -1, 2),
    }


def _table(run: _Run, pixels: int, width: int) -> I64:
    """A list per cascade with one entry of `width` integers per pixel."""
    run.expect(_CASCADES)
    rows = run.take(_CASCADES * (1 + width * pixels)).reshape(_CASCADES, -1)
    _same(rows[:, 0], pixels)
    return rows[:, 1:]


def _inside(values: I64, limit: int) -> bool:
    return bool(((values >= 0) & (values < limit)).all())
