"""Labels that are shared out: raters' votes to shares, smoothing, and a data set's labels as one matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mien.audit.metrics import F64
from mien.errors import UsageError
from mien.learn.data.example import Dataset, Example


def shares(votes: Mapping[str, float], least: float = 0.0) -> dict[str, float]:
    """{label: share of the votes}, sums to 1; {} where nobody voted. Labels with fewer than `least` votes are let go."""
    kept = {label: float(count) for label, count in votes.items() if count > 0 and count >= least}
    whole = sum(kept.values())
    return {label: count / whole for label, count in kept.items()} if whole else {}


def smoothed(labels: F64, strength: float) -> F64:
    """(n, K) with a share `strength` of each row spread over all classes. Raises UsageError for no share.

    Szegedy et al., Rethinking the inception architecture, CVPR 2016."""
    if not 0 <= strength < 1:
        raise UsageError(f"A smoothing of {strength} is no share from 0 to 1.", "Usual is 0.1.")
    spread: F64 = (1 - strength) * labels + strength / labels.shape[1]
    return spread


def matrix(dataset: Dataset, labels: Sequence[str], strength: float = 0.0) -> F64:
    """(n, K) the soft label of each example, or one for its label; rows sum to 1. NaN never: an example with neither is an
    error, and so is a share for a class that is not among `labels`. Raises UsageError."""
    made = np.zeros((len(dataset), len(labels)))
    places = {label: place for place, label in enumerate(labels)}
    for row, one in zip(made, dataset.examples, strict=True):
        for label, share in _of(one).items():
            if label not in places:
                raise UsageError(f"{one.name} is labelled {label}.", f"Expected are {', '.join(labels)}.")
            row[places[label]] = share
        if not row.any():
            raise UsageError(f"{one.name} has no label.", "Leave it out, or label it.")
    return smoothed(made / made.sum(1, keepdims=True), strength) if len(made) else made


def _of(one: Example) -> Mapping[str, float]:
    return one.soft or ({one.label: 1.0} if one.label else {})
