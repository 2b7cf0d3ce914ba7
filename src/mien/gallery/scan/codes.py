"""Rows to codes: one byte a dimension in two half-byte planes, and how far the codes may be from the row.

Row x becomes whole numbers u = 128 + rint(127 x / max|x|), each 1..255, kept as u = 16 h + l: the plane `high` holds h, the
plane `low` holds l. Read together they stand for scale * (u - 128); `high` alone stands for scale * (16 h - 120). So a
scan can read half of the bytes first and the other half only where that does not settle it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError
from mien.types import F32, U8

native: ModuleType | None
try:
    native = import_module("mien.gallery.scan._native")
    if not hasattr(native, "exact"):
        native = None  # of an older mien that lies about in a checkout
except ImportError:  # not built: numpy does it
    native = None

REACH = 1.001  # no row and no probe may be longer; unit vectors are, to within float32
GROUP = 128  # dimensions are padded to whole groups; a group is 64 bytes in each plane
LARGEST = 1 << 15  # dimensions; sums of products of codes stay within 32 bits
_TINY = 2.0**-100  # a row with no component above this has codes of zero; its residual says what is lost
_CHUNK = 2048  # rows encoded at a time


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Codes of n rows. Arrays are shared, not copied; the caller may keep them anywhere.

    Byte 64 g + j of a plane holds dimension 128 g + j in its low half and dimension 128 g + 64 + j in its high half.
    """

    high: U8  # (n, W) upper halves of the codes, W = 64 * ceil(D / 128)
    low: U8  # (n, W) lower halves
    scales: F32  # (n,) row ~ scale * (code - 128); NaN: the row is dead
    residuals: F32  # (n,) at least |row - scale * (code - 128)|
    coarse: F32  # (n,) at least |row - scale * (16 * high - 120)|

    def __post_init__(self) -> None:
        n, width = self.high.shape if self.high.ndim == 2 else (0, 1)
        if width % 64 or self.low.shape != (n, width) or not self.high.dtype == self.low.dtype == np.uint8:
            raise InputError("The planes of codes do not fit each other.", "Make codes with `encode`.")
        if not all(part.flags.c_contiguous for part in self.parts):
            raise InputError("Codes lie in pieces.", "Make them of whole, consecutive rows.")
        for numbers in (self.scales, self.residuals, self.coarse):
            if numbers.shape != (n,) or numbers.dtype != np.float32:
                raise InputError("Codes want a scale and two residuals (float32) a row.", "Make codes with `encode`.")

    @classmethod
    def empty(cls, rows: int, dimension: int) -> Self:
        """Room for `rows` rows of `dimension`, all dead until `encode(..., into=...)` fills them."""
        width = plane_width(dimension)
        planes = np.zeros((2, rows, width), np.uint8)
        return cls(planes[0], planes[1], np.full(rows, np.nan, np.float32), *np.zeros((2, rows), np.float32))

    def __len__(self) -> int:
        return len(self.scales)

    def __getitem__(self, part: slice) -> Self:
        """A view of some rows (consecutive ones)."""
        if part.step not in (None, 1):
            raise InputError("Only consecutive rows of codes make a view.", "Leave out the step.")
        return type(self)(self.high[part], self.low[part], self.scales[part], self.residuals[part], self.coarse[part])

    @property
    def parts(self) -> tuple[U8, U8, F32, F32, F32]:
        """The five arrays."""
        return self.high, self.low, self.scales, self.residuals, self.coarse

    @property
    def nbytes(self) -> int:
        """Bytes held; a search reads between half of them and all."""
        return sum(part.nbytes for part in self.parts)

    def wipe(self, rows: NDArray[np.intp]) -> None:
        """Make rows dead, and leave nothing of what they were."""
        self.scales[rows] = np.nan  # first: a search in another thread sees a dead row or the old one
        for part in (self.high, self.low, self.residuals, self.coarse):
            part[rows] = 0


def plane_width(dimension: int) -> int:
    """Bytes of one plane of one row. Raises InputError for dimensions that a scan cannot take."""
    if not 1 <= dimension <= LARGEST:
        raise InputError(f"A scan takes 1 to {LARGEST} dimensions, not {dimension}.", "Use shorter templates.")
    return 64 * -(-dimension // GROUP)


def encode(vectors: F32, into: Codes | None = None) -> Codes:
    """Codes of `vectors` (n, D), rows of length at most REACH; written to `into` (n rows) when that is given.

    Raises InputError for a row that is longer or not finite; then `into` may hold some of the rows before it.
    """
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise InputError("Codes are made of rows of float32.", "Give an array (n, D) of float32.")
    count, dimension = vectors.shape
    codes = Codes.empty(count, dimension) if into is None else into
    if len(codes) != count or codes.high.shape[1] != plane_width(dimension):
        raise InputError(
            f"There is room for {len(codes)} rows, and {count} of {dimension} dimensions came.", "Give room for them."
        )
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        _encode(vectors[part], codes[part], start)
    return codes


def _encode(vectors: F32, codes: Codes, start: int) -> None:
    """Encode a few rows, the first of which is number `start` in messages."""
    if native is None:
        plain_encode(vectors, codes, start)
    else:
        done, length = native.encode(np.ascontiguousarray(vectors), vectors.shape[1], codes.high.shape[1], codes.parts)
        if done < len(vectors):
            raise too_long(f"Row {start + done}", length)


def too_long(what: str, length: float) -> InputError:
    """What is raised for a row or a probe that no bound holds for."""
    return InputError(f"{what} has length {length:.6g}, not 1.", "Make templates with an embedder.")


def plain_encode(vectors: F32, codes: Codes, start: int) -> None:
    """`_encode` in numpy."""
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    bad = np.flatnonzero(~(lengths <= REACH))  # written so that NaN is bad too
    if len(bad):
        raise too_long(f"Row {start + bad[0]}", lengths[bad[0]])
    peaks = np.abs(vectors).max(axis=1)
    zero = peaks < _TINY
    safe = np.where(zero, np.float32(1), peaks)
    scales = np.where(zero, np.float32(0), safe / np.float32(127))
    steps = np.where(zero, np.float32(0), np.float32(127) / safe)
    numbers = np.clip(np.rint(vectors * steps[:, None]), -127, 127)
    padded = np.full((len(vectors), 2 * codes.high.shape[1]), 128, np.uint8)
    padded[:, : vectors.shape[1]] = numbers + 128
    shape = (len(vectors), -1, 2, 64)
    highs, lows = (padded >> 4).reshape(shape), (padded & 15).reshape(shape)
    coarse = 16.0 * (padded[:, : vectors.shape[1]] >> 4) - 120.0
    codes.high[:] = (highs[:, :, 0] | highs[:, :, 1] << 4).reshape(codes.high.shape)
    codes.low[:] = (lows[:, :, 0] | lows[:, :, 1] << 4).reshape(codes.low.shape)
    codes.residuals[:] = _missed(wide, scales, numbers)
    codes.coarse[:] = _missed(wide, scales, coarse)
    codes.scales[:] = scales  # last: until now the row was dead, or what it was


def _missed(wide: NDArray[np.float64], scales: F32, numbers: NDArray[np.floating]) -> F32:
    """Upper bounds on |row - scale * numbers|. The product is exact in float64; what the sum and the root may lose is
    far below the 2^-22 added, as is rounding to float32."""
    missed = wide - scales.astype(np.float64)[:, None] * numbers
    lengths = np.sqrt(np.einsum("ij,ij->i", missed, missed))
    bounds: F32 = (lengths * (1 + 2.0**-22) + 2.0**-100).astype(np.float32)
    return bounds


def unpack(plane: U8) -> U8:
    """(n, 2 W) half-bytes of a plane (n, W), in the order of the dimensions."""
    parts = plane.reshape(len(plane), -1, 1, 64)
    return np.concatenate([parts & 15, parts >> 4], axis=2).reshape(len(plane), -1)
