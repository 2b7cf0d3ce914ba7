"""Detections against the faces that are there: matching, recall, precision, average precision, false detections a picture.

A detection is right when its box overlaps a face by an intersection over union of 0.5 or more; the surest come first, and
a face can be found once (PASCAL VOC: Everingham et al., IJCV 2010; WIDER FACE: Yang et al., CVPR 2016). Faces that the
truth marks as not to be judged are neither missed nor wrongly found. Pictures are what a bootstrap draws: faces of one
picture share its light and its crowd.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.recognition import F64, I64, Bools, wilson
from mien.errors import EvidenceError
from mien.types import Metric

Outcome = NDArray[np.int8]  # of a detection: 1 right, 0 false, -1 not judged


def overlap(one: NDArray[np.floating], other: NDArray[np.floating]) -> F64:
    """(n, m) intersection over union of boxes (n, 4) and (m, 4), each x0 y0 x1 y1; 0 for a box without area."""
    a, b = np.asarray(one, np.float64).reshape(-1, 1, 4), np.asarray(other, np.float64).reshape(1, -1, 4)
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    shared = sides.prod(-1)
    union = (
        np.clip(a[..., 2:] - a[..., :2], 0, None).prod(-1) + np.clip(b[..., 2:] - b[..., :2], 0, None).prod(-1) - shared
    )
    share: F64 = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def match(
    boxes: NDArray[np.floating], scores: F64, truth: NDArray[np.floating], judged: Bools, least: float = 0.5
) -> tuple[Outcome, Bools]:
    """One picture's detections (k, 4) with scores (k,) against its faces (t, 4): (k,) outcomes, (t,) whether each was found.

    judged: (t,) False for faces that count neither way. Each detection, the surest first, takes the free face that it
    overlaps most; a face not judged may be taken any number of times."""
    outcome, found = np.zeros(len(scores), np.int8), np.zeros(len(truth), bool)
    if not len(truth):
        return outcome, found
    overlaps = overlap(boxes, truth)
    for index in np.argsort(-scores, kind="stable"):
        free = np.where(judged & ~found, overlaps[index], -1.0)
        best = int(np.argmax(free))
        if free[best] >= least:
            outcome[index], found[best] = 1, True
        elif (overlaps[index][~judged] >= least).any():
            outcome[index] = -1
    return outcome, found


def average_precision(scores: F64, right: Bools, faces: float, weights: F64 | None = None) -> float:
    """Area under precision against recall, precision made to fall (PASCAL VOC from 2010 on; all points).

    scores, right: (k,) of all judged detections; faces: how many there are; weights: (k,) of each detection's picture.
    Detections of one score come together. Raises EvidenceError without a face."""
    if faces <= 0:
        raise EvidenceError("Average precision needs at least one face.")
    recall, precision = precision_recall(scores, right, faces, weights)
    if not len(recall):
        return 0.0
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * falling).sum())


def precision_recall(scores: F64, right: Bools, faces: float, weights: F64 | None = None) -> tuple[F64, F64]:
    """(j,) recall and precision at each different score, falling."""
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(scores) else np.empty(0, np.int64)
    hits = np.cumsum(weights[order] * right[order])[last]
    taken = np.cumsum(weights[order])[last]
    return hits / faces, np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)


def false_per_picture(scores: F64, right: Bools, faces: int, pictures: int) -> tuple[F64, F64, F64]:
    """(j,) false detections a picture, recall, and the score from which on that is so, scores falling (as in FDDB)."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(scores) else np.empty(0, np.int64)
    wrong, hits = np.cumsum(~right[order])[last], np.cumsum(right[order])[last]
    return wrong / pictures, hits / max(1, faces), scores[order][last]


def ratio(counts: I64, trials: I64, rounds: int = 1000, seed: int = 0) -> Metric:
    """sum(counts) / sum(trials) over pictures (p,), with the percentile interval of a bootstrap over pictures.

    Where none or all of the trials count, the far end is that of Wilson for as many trials as there are pictures with any:
    drawing pictures anew would show no doubt at all. `counts` may exceed `trials` (false detections a picture).
    Raises EvidenceError without a trial."""
    total = int(trials.sum())
    if total == 0:
        raise EvidenceError("A rate needs at least one trial.")
    value = float(counts.sum()) / total
    if value in (0.0, 1.0) and (counts == value * trials).all():
        independent = int((trials > 0).sum())
        bounds = wilson(round(value * independent), independent)
        return Metric(value, bounds.low, bounds.high, total)
    draws = draw(len(trials), rounds, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = (draws @ counts) / (draws @ trials)
    low, high = np.nanquantile(rates, [0.025, 0.975])
    return Metric(value, float(low), float(high), total)


def draw(pictures: int, rounds: int, seed: int) -> I64:
    """(rounds, pictures) how often each picture is drawn, with replacement."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(pictures, np.full(pictures, 1 / pictures), size=rounds).astype(np.int64)


def middle(values: F64) -> Metric:
    """The median with the 95 % interval of order statistics, which assumes no distribution (Conover, 1999).

    Fewer than 6 values have none: the ends are the smallest and the largest."""
    ordered, count = np.sort(values), len(values)
    if not count:
        raise EvidenceError("A median needs at least one value.")
    half = 1.96 * np.sqrt(count) / 2
    low, high = int(np.floor(count / 2 - half)), int(np.ceil(count / 2 + half))
    return Metric(
        float(np.median(values)), float(ordered[max(0, low - 1)]), float(ordered[min(count - 1, high)]), count
    )
