"""Does quality predict errors? Genuine comparisons are set aside by quality, worst first, and FNMR is read off the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import F64, I64
from mien.audit.metrics.curves import Discard, bounded, discard_curve
from mien.audit.metrics.pairing import compared, genuine_pairs
from mien.audit.metrics.people import measure, tally
from mien.audit.quality.looking import NAMES, Looked
from mien.judge.iso_quality import graded
from mien.types import Metric

Bools = NDArray[np.bool_]

OVERALL = "overall"  # of the quality judge


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What each quality is worth, at one threshold."""

    threshold: float
    fnmr: Metric  # of all genuine comparisons; a picture without a face fails all of its own
    missed: int  # comparisons of two faces below the threshold
    comparisons: int  # of two faces
    people: int
    curves: Mapping[str, Discard]  # of comparisons of two faces: overall first, then the components


def predicted(looked: Looked, threshold: float, rounds: int, seed: int) -> Predicted | None:
    """Error versus discard for `overall` and each component with values; None without a comparison of two faces.

    The quality of a comparison is that of its worse picture. Pictures of the same quality are set aside in an order
    drawn by `seed`, not in that of their names. A picture without a face has no quality to be judged: its comparisons
    are errors in `fnmr` and not in the curves, where they would lend every quality the same credit."""
    one, other, person = _pairs(looked)
    failed = looked.captures.failed[one] | looked.captures.failed[other]
    if not len(one) or failed.all():
        return None
    missed = (compared(looked.captures.vectors, one, other) < threshold) | failed
    mixed = np.random.default_rng(seed).permutation(np.flatnonzero(~failed))
    people = np.unique(person[mixed], return_inverse=True)[1].reshape(-1).astype(np.int64)
    curves = {}
    for name, quality in _qualities(looked).items():
        worse = np.minimum(quality[one[mixed]], quality[other[mixed]])
        curves[name] = discard_curve(missed[mixed], worse, people, rounds, seed)
    fnmr = _fnmr(missed, person, rounds, seed)
    return Predicted(threshold, fnmr, int(missed[mixed].sum()), len(mixed), int(people.max()) + 1, curves)


def _fnmr(missed: Bools, person: I64, rounds: int, seed: int) -> Metric:
    count = int(person.max()) + 1
    sums = tally(np.stack([missed, np.ones(len(missed))], axis=1), person, count)

    def rate(drawn: F64) -> F64:
        wrong, made = (drawn @ sums).T
        share: F64 = (wrong / np.maximum(made, 1))[:, None]
        return share

    return bounded(measure(rate, count, {"fnmr": len(missed)}, rounds, seed)["fnmr"], count)


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
        if len(np.unique(natives[np.isfinite(natives)])) > 1:  # the same everywhere, it sets nothing aside
            found[name] = _or_worst(np.array([graded(name, float(value)) for value in natives]))
    return found


def _or_worst(values: NDArray[np.float64]) -> F64:
    worst: F64 = np.where(np.isfinite(values), values, -np.inf)
    return worst
