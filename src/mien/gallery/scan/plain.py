"""The scan in numpy: what the compiled one is tested against, and what runs where that was not built.

Sums of products of whole numbers are exact in float32 up to 2^24, so the matrix product may do them in any order.
Everything after that is float32 arithmetic one operation at a time, in the order in which the compiled scan does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError
from mien.gallery.scan.codes import GROUP, REACH, Codes, too_long, unpack
from mien.types import F32, U8

_CHUNK = 4096  # rows unpacked at a time
_EXACT = 1040  # dimensions up to which 127 * 127 * D stays below 2^24


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A probe as whole numbers: q ~ step * a, and better q ~ step / 128 * (128 a + b)."""

    first: NDArray[np.int64]  # (2 W,) a, within -127..127, zero where padded
    second: NDArray[np.int64]  # (2 W,) b, within -64..64
    step: np.float32
    reach: F32  # (2,) upper bounds on the lengths of the two approximations
    missed: F32  # (2,) what they may miss of a score, with all rounding of the bounds


def check_width(dimension: int, width: int) -> None:
    """Raise InputError for probes that do not fit planes of `width` bytes."""
    if not 2 * width - GROUP < dimension <= 2 * width:
        raise InputError(
            f"A probe of {dimension} dimensions does not fit the codes.", "Use the same embedder for both."
        )


def split(probe: F32, width: int) -> Planes:
    """Raises InputError for a probe that is longer than REACH or not finite, or does not fit planes of `width`."""
    check_width(probe.size, width)
    wide = np.zeros(2 * width)
    wide[: probe.size] = probe
    length = float(np.sqrt(np.add.accumulate(wide * wide)[-1]))
    if not length <= REACH:
        raise too_long("The probe", length)
    peak = np.abs(probe).max()
    tiny = bool(peak < 2.0**-100)
    step = np.float32(0) if tiny else peak / np.float32(127)
    times = np.float32(0) if tiny else np.float32(127) / peak
    scaled = wide.astype(np.float32) * times
    first = np.rint(scaled)
    second = np.rint((scaled - first) * np.float32(128))
    a, b = first.astype(np.int64), second.astype(np.int64)
    reach, missed = np.empty((2, 2), np.float32)
    for place, (numbers, unit) in enumerate([(a, float(step)), (128 * a + b, float(step) / 128)]):
        errors = wide - unit * numbers
        lost = float(np.sqrt(np.add.accumulate(errors * errors)[-1]))
        reach[place] = np.sqrt(float(np.sum(numbers * numbers))) * unit * (1 + 2.0**-19)
        missed[place] = lost * REACH * (1 + 2.0**-20) + 2.0**-19
    return Planes(a, b, step, reach, missed)


def scan(
    blocks: Sequence[Codes], probes: F32, m: int, floor: float, allowed: U8 | None
) -> list[tuple[NDArray[np.int64], float, F32]]:
    """See `mien.gallery.scan.candidates`. floor: -inf for none."""
    planes = [split(probe, blocks[0].high.shape[1]) for probe in probes]
    rounded = float(np.float32(floor))  # bounds are compared in float32
    lower = [np.empty(0, np.float32) for _ in planes]  # the m largest lower bounds so far
    found: list[list[tuple[NDArray[np.int64], F32]]] = [[] for _ in planes]
    for part, rows, base in _parts(blocks, allowed):
        for number, (least, most) in enumerate(_bounds(part, rows, planes)):
            lower[number] = _largest(np.concatenate([lower[number], least]), m)
            kept = most >= _threshold(lower[number], m, rounded)
            found[number].append((base + rows[kept], most[kept]))
    results = []
    for bounds, pairs in zip(lower, found, strict=True):
        threshold = _threshold(bounds, m, rounded)
        rows = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in pairs)])
        tops = np.concatenate([np.empty(0, np.float32), *(most for _, most in pairs)])
        left = tops >= threshold
        # Where the floor decides, it is handed back as it came.
        results.append((rows[left], threshold if threshold > rounded else floor, tops[left]))
    return results


def _parts(blocks: Sequence[Codes], allowed: U8 | None) -> Iterator[tuple[Codes, NDArray[np.int64], int]]:
    """A few thousand rows at a time: (codes, which of them count, number of the first of them)."""
    offset = 0
    for codes in blocks:
        for start in range(0, len(codes), _CHUNK):
            part = codes[start : start + _CHUNK]
            usable = ~np.isnan(part.scales)
            if allowed is not None:
                usable &= allowed[offset + start : offset + start + len(part)] != 0
            rows = np.flatnonzero(usable)
            if len(rows):
                yield part, rows, offset + start
        offset += len(codes)


def _bounds(part: Codes, rows: NDArray[np.int64], planes: Sequence[Planes]) -> Iterator[tuple[F32, F32]]:
    """For every probe (n,) lower bounds on the scores, and the least of three upper bounds: by half codes and the first
    plane of the probe, by codes and the first plane, by codes and both planes."""
    scales, residuals, coarse = part.scales[rows], part.residuals[rows], part.coarse[rows]
    upper, lower = unpack(part.high[rows]), unpack(part.low[rows])
    kind: Any = np.float32 if upper.shape[1] <= _EXACT else np.float64
    first = np.stack([one.first for one in planes], axis=1).astype(kind)
    second = np.stack([one.second for one in planes], axis=1).astype(kind)
    numbers = (16 * upper.astype(kind) + lower.astype(kind)) - 128
    halves = (8 * ((2 * upper.astype(kind) - 15) @ first)).T  # a multiple of a whole number below 2^24: still exact
    codes = (numbers @ first).T.astype(np.int64)
    fine = 128 * codes + (numbers @ second).T.astype(np.int64)
    for number, one in enumerate(planes):
        unit = scales * one.step
        by_halves = unit * halves[number].astype(np.float32) + (coarse * one.reach[0] + one.missed[0])
        by_codes = unit * codes[number].astype(np.float32) + (residuals * one.reach[0] + one.missed[0])
        score = scales * (one.step * np.float32(2.0**-7)) * fine[number].astype(np.float32)
        slack = residuals * one.reach[1] + one.missed[1]
        yield score - slack, np.minimum(np.minimum(by_halves, by_codes), score + slack)


def _largest(values: F32, m: int) -> F32:
    return values if len(values) <= m else np.partition(values, len(values) - m)[len(values) - m :]


def _threshold(lower: F32, m: int, floor: float) -> float:
    """The m-th largest lower bound, within what clipped scores can tell apart, or the floor where that is higher."""
    if len(lower) < m:
        return floor
    bound = min(float(lower.min()), 1.0)
    return max(bound if bound > -1.0 else -np.inf, floor)
