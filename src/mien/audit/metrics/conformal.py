"""Answers that know their limits: conformal prediction sets, and accuracy once the least sure answers are withheld."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.audit.metrics.recognition import F64, I64, Bools
from mien.errors import EvidenceError


def threshold(probabilities: F64, truth: I64, miss: float) -> float:
    """The probability from which a class belongs to the set, so that the truth is outside in a share `miss` of cases.

    From n cases that the model was not trained on: 1 - the ceil((n + 1)(1 - miss))-th smallest of 1 - p(truth), which
    holds for any model and exchangeable cases (split conformal prediction: Vovk et al., 2005; with this score: Sadinle,
    Lei and Wasserman, JASA 2019). 0, so every class, where n is too small. Raises EvidenceError for no cases."""
    if len(truth) == 0:
        raise EvidenceError("Prediction sets need cases to be calibrated on.")
    scores = np.sort(1 - probabilities[np.arange(len(truth)), truth])
    rank = int(np.ceil((len(truth) + 1) * (1 - miss)))
    return 1 - float(scores[rank - 1]) if rank <= len(scores) else 0.0


def sets(probabilities: F64, threshold: float) -> Bools:
    """Whether each class belongs to each case's set, shaped as `probabilities`; a set may be empty."""
    inside: Bools = probabilities >= threshold - 1e-12
    return inside


def kept_accuracy(sure: F64, right: Bools, coverages: Sequence[float], weights: F64 | None = None) -> F64:
    """(coverages,) share right among the surest part of n answers (Geifman and El-Yaniv, NeurIPS 2017); ties in order.

    weights: (n,) how often each answer counts, as in a resample. Raises EvidenceError for no answers."""
    weights = np.ones(len(sure)) if weights is None else weights
    if not weights.sum() > 0:
        raise EvidenceError("An accuracy needs at least one answer.")
    order = np.argsort(-sure, kind="stable")
    mass = np.cumsum(weights[order])
    hits = np.cumsum((weights * right)[order])
    last = np.minimum(np.searchsorted(mass, np.asarray(coverages) * mass[-1] - 1e-9), len(mass) - 1)
    return np.asarray(hits[last] / mass[last])
