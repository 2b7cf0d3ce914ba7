"""Scores of the few rows that a scan leaves: correctly rounded, so equal rows tie wherever they stand."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mien.gallery.scan.codes import native
from mien.types import F32

_exact = None if native is None else native.exact


def exact(vectors: F32, probe: F32) -> NDArray[np.float64]:
    """(n,) inner products of `vectors` (n, D) with `probe` (D,), rows and probe no longer than REACH, rounded once."""
    if _exact is None or not len(vectors):
        scores = np.full(len(vectors), np.nan)
    else:
        scores = np.empty(len(vectors))
        if not _exact(np.ascontiguousarray(vectors), np.ascontiguousarray(probe), scores):
            return scores
    for row in np.flatnonzero(np.isnan(scores)).tolist():
        # A product of two float32 is exact in float64 and `fsum` rounds once, at the end.
        scores[row] = math.fsum((vectors[row].astype(np.float64) * probe).tolist())
    return scores
