"""The search over codes, by the compiled kernel or by numpy."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, UsageError
from mien.gallery.scan import plain
from mien.gallery.scan.codes import Codes, native, too_long
from mien.types import F32, U8


class Candidates(NamedTuple):
    """What a scan leaves of the rows."""

    rows: NDArray[np.int64]  # (c,) every row that may reach the threshold
    threshold: float
    tops: F32 | None = None  # (c,) scores that the rows do not exceed; None: not known


KERNELS: tuple[str, ...] = (*(native.names() if native else ()), "numpy")  # that run here, the best first


def kernel() -> str:
    """The kernel in use. Raises UsageError where MIEN_SCAN names one that does not run here."""
    name = os.environ.get("MIEN_SCAN") or KERNELS[0]
    if name not in KERNELS:
        raise UsageError(
            f"There is no scan {name!r} here.", f"Set MIEN_SCAN to one of {', '.join(KERNELS)}, or not at all."
        )
    return name


def candidates(
    codes: Codes | Sequence[Codes], probe: F32, m: int, floor: float | None = None, allowed: U8 | None = None
) -> Candidates:
    """Row numbers, ascending, of every row whose score may reach the threshold, the threshold, and what they may score.

    codes: one block or several of the same dimension; rows are numbered through. probe (D,), at most REACH long.
    The threshold is the m-th largest lower bound among living, allowed rows, or the floor where that is higher; with
    fewer than m such rows the floor alone, -inf for None. allowed (n,): 0 leaves a row out.
    Raises InputError for a probe or mask that does not fit, UsageError for m < 1.
    """
    if probe.ndim != 1:
        raise InputError("A probe is one row of float32.", "Search for several with `candidates_many`.")
    return candidates_many(codes, probe[None], m, floor, allowed)[0]


def candidates_many(
    codes: Codes | Sequence[Codes], probes: F32, m: int, floor: float | None = None, allowed: U8 | None = None
) -> list[Candidates]:
    """`candidates` of each of `probes` (q, D), faster than one by one."""
    blocks = [codes] if isinstance(codes, Codes) else list(codes)
    if m < 1:
        raise UsageError(f"{m} rows were asked for.", "Ask for at least one.")
    if probes.ndim != 2 or probes.dtype != np.float32:
        raise InputError("Probes are rows of float32.", "Give an array (q, D) of float32.")
    if len(blocks) > 1 and len({block.high.shape[1] for block in blocks}) > 1:
        raise InputError("The blocks of codes differ in their dimension.", "Search them one by one.")
    total = sum([len(block.scales) for block in blocks])
    if allowed is not None and (allowed.shape != (total,) or allowed.dtype != np.uint8):
        raise InputError(f"The mask does not fit {total} rows.", "Give one uint8 a row.")
    lowest = -math.inf if floor is None or floor <= -1.0 else float(floor)
    if math.isnan(lowest):
        raise UsageError("The floor is not a number.", "Give a score between -1 and 1, or none.")
    if not total or not len(probes):
        return [Candidates(np.empty(0, np.int64), lowest, np.empty(0, np.float32)) for _ in probes]
    name = kernel()
    if name == "numpy" or native is None:
        return [Candidates(*each) for each in plain.scan(blocks, probes, m, lowest, allowed)]
    if allowed is not None:
        allowed = np.ascontiguousarray(allowed)
    width = blocks[0].high.shape[1]
    plain.check_width(probes.shape[1], width)
    parts = tuple(block.parts for block in blocks)
    try:
        found = native.scan(name, parts, np.ascontiguousarray(probes), probes.shape[1], width, m, lowest, allowed)
    except OverflowError as error:
        raise too_long("The probe", error.args[0]) from None
    # Bounds are compared in float32; where the floor decides, it is handed back as it came.
    rounded = float(np.float32(lowest))
    return [
        Candidates(np.frombuffer(rows, np.int64), bound if bound > rounded else lowest, np.frombuffer(tops, np.float32))
        for rows, bound, tops in found
    ]
