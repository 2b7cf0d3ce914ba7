"""Does quality predict errors? Genuine comparisons are set aside by quality, worst first, and FNMR is read off the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import F64, I64
from mien.audit.metrics.curves import Discard, discard_curve
from mien.audit.metrics.pairing import compared, genuine_pairs
from mien.audit.quality.looking import NAMES, Looked
from mien.judge.iso_quality import graded

OVERALL = "overall"  # of the quality judge


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What each quality is worth, at one threshold."""

    threshold: float
    missed: int  # genuine comparisons below it
    comparisons: int
    people: int
    curves: Mapping[str, Discard]  # overall first, then the components


def predicted(looked: Looked, threshold: float, rounds: int, seed: int) -> Predicted | None:
    """Error versus discard for `overall` and each component with values; None without a genuine comparison.

    The quality of a comparison is that of its worse picture. Pictures of the same quality are set aside in an order
    drawn by `seed`, not in that of their names. A picture without a face fails all its comparisons and goes first."""
    one, other, person = _pairs(looked)
    if not len(one):
        return None
    failed = looked.captures.failed
    missed = (compared(looked.captures.vectors, one, other) < threshold) | failed[one] | failed[other]
    mixed = np.random.default_rng(seed).permutation(len(one))
    curves = {}
    for name, quality in _qualities(looked).items():
        worse = np.minimum(quality[one], quality[other])
        curves[name] = discard_curve(missed[mixed], worse[mixed], person[mixed], rounds, seed)
    return Predicted(threshold, int(missed.sum()), len(one), int(person.max()) + 1, curves)


def _pairs(looked: Looked) -> tuple[I64, I64, I64]:
    """(m,) all pairs of pictures of one subject, and the number of the subject."""
    named = np.flatnonzero([bool(subject) for subject in looked.captures.subjects])
    owner = looked.captures.owner
    chosen = named[np.argsort(owner[named], kind="stable")]
    pairs = list(genuine_pairs(owner, chosen))
    one, other = (np.concatenate([pair[side] for pair in pairs]) if pairs else np.empty(0, np.int64) for side in (0, 1))
    return one, other, np.unique(owner[one], return_inverse=True)[1].reshape(-1).astype(np.int64)


def _qualities(looked: Looked) -> dict[str, F64]:
    """{name: (n,) how good}; -inf where there is no value."""
    found = {OVERALL: _or_worst(looked.captures.quality)}
    for column, name in enumerate(NAMES):
        natives = looked.natives[:, column]
        if np.isfinite(natives).any():
            found[name] = _or_worst(np.array([graded(name, float(value)) for value in natives]))
    return found


def _or_worst(values: NDArray[np.float64]) -> F64:
    worst: F64 = np.where(np.isfinite(values), values, -np.inf)
    return worst
