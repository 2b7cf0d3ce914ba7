"""The scan in numpy: what the compiled one is tested against, and what runs where that was not built.

Sums of products of whole numbers are exact in float32 up to 2^24, so the matrix product may do them in any order.
Everything after that is float32 arithmetic one operation at a time, in the order in which the compiled scan does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError
from mien.gallery.scan.codes import REACH, Codes, unpack
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


def split(probe: F32, width: int) -> Planes:
    """Raises InputError for a probe that is longer than REACH or not finite, or does not fit planes of `width`."""
    if probe.ndim != 1 or probe.dtype != np.float32 or not 2 * width - 128 < probe.size <= 2 * width:
        raise InputError("The probe does not fit the codes.", "Search with a template of the same embedder.")
    wide = np.zeros(2 * width)
    wide[: probe.size] = probe
    length = float(np.sqrt(np.add.accumulate(wide * wide)[-1]))
    if not length <= REACH:
        raise InputError(f"The probe has length {length:.6g}, not 1.", "Make templates with an embedder.")
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
) -> list[tuple[NDArray[np.int64], float]]:
    """See `mien.gallery.scan.candidates`. floor: -inf for none."""
    planes = [split(probe, blocks[0].high.shape[1]) for probe in probes]
    kind = np.float32 if blocks[0].high.shape[1] * 2 <= _EXACT else np.float64
    factors = np.stack([part for one in planes for part in (one.first, one.second)], axis=1).astype(kind)
    best = [np.empty(0, np.float32) for _ in planes]  # the m largest lower bounds so far
    found: list[list[tuple[NDArray[np.int64], F32]]] = [[] for _ in planes]
    offset = 0
    for codes in blocks:
        for start in range(0, len(codes), _CHUNK):
            part = codes[start : start + _CHUNK]
            usable = ~np.isnan(part.scales)
            if allowed is not None:
                usable &= allowed[offset + start : offset + start + len(part)] != 0
            rows = np.flatnonzero(usable)
            if len(rows):
                sums = (16 * (unpack(part.high[rows]).astype(kind) - 8) + unpack(part.low[rows])) @ factors
                for number, one in enumerate(planes):
                    least, most = _bounds(part, rows, one, sums[:, 2 * number : 2 * number + 2].astype(np.int64))
                    best[number] = _largest(np.concatenate([best[number], least]), m)
                    kept = most >= _threshold(best[number], m, np.float32(floor))
                    found[number].append((offset + start + rows[kept], most[kept]))
        offset += len(codes)
    results = []
    for lower, pairs in zip(best, found, strict=True):
        threshold = _threshold(lower, m, np.float32(floor))
        kept_rows = [rows[most >= threshold] for rows, most in pairs]
        results.append((np.concatenate([np.empty(0, np.int64), *kept_rows]), max(_threshold(lower, m, -np.inf), floor)))
    return results


def _bounds(part: Codes, rows: NDArray[np.intp], one: Planes, sums: NDArray[np.int64]) -> tuple[F32, F32]:
    """Lower bounds on the scores, and the smallest of three upper bounds: by half codes, by codes, by both planes."""
    scales, residuals, coarse = part.scales[rows], part.residuals[rows], part.coarse[rows]
    halves = 8 * ((2 * unpack(part.high[rows]).astype(np.float64) - 15) @ one.first).astype(np.int64)
    unit = scales * one.step
    by_halves = unit * halves.astype(np.float32) + (coarse * one.reach[0] + one.missed[0])
    by_codes = unit * sums[:, 0].astype(np.float32) + (residuals * one.reach[0] + one.missed[0])
    score = scales * (one.step * np.float32(2.0**-7)) * (128 * sums[:, 0] + sums[:, 1]).astype(np.float32)
    slack = residuals * one.reach[1] + one.missed[1]
    return score - slack, np.minimum(np.minimum(by_halves, by_codes), score + slack)


def _largest(values: F32, m: int) -> F32:
    return values if len(values) <= m else np.partition(values, len(values) - m)[len(values) - m :]


def _threshold(lower: F32, m: int, floor: float | np.float32) -> float:
    """The m-th largest lower bound, within what clipped scores can tell apart, or the floor where that is higher."""
    if len(lower) < m:
        return float(floor)
    bound = min(float(lower.min()), 1.0)
    return max(bound if bound > -1.0 else -np.inf, float(floor))
