"""Scores of the few rows that a scan leaves, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.gallery.scan.codes import REACH
from mien.types import F32

_CHUNK = 1024  # rows widened at a time


def rescore(vectors: F32, rows: NDArray[np.int64], probe: F32) -> tuple[NDArray[np.float64], float]:
    """Inner products of `vectors[rows]` with `probe` (D,), and how far each may be from the exact one.

    vectors (n, D) may be a map of a file: only these rows are read. Two rows whose scores differ by more than twice the
    bound are in the right order; where they do not, `math.fsum` of the products settles it.
    """
    wide = probe.astype(np.float64)
    scores = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        np.matmul(vectors[part].astype(np.float64), wide, out=scores[start : start + _CHUNK])
    # Products of two float32 are exact in float64; a sum of D of them, in any order, is off by at most D 2^-53 times the
    # sum of their absolute values (Higham, 2002, section 4.2), which is at most the product of the two lengths.
    return scores, float(len(probe) * 2.0**-53 * 1.01 * REACH**2)
