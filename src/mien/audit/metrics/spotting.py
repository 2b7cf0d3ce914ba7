"""Intervals in videos against the true ones: F1 at an overlap, average precision.

A spotted interval is right when its intersection over union with a true one is at least 0.5, and each interval is used
once. True and false are counted over all videos and F1 is of those counts, not a mean over videos; micro- and
macro-expressions are counted apart and then added (CAS(ME)^2 and MEGC 2020 onwards: Li et al., FG 2020).

Times are seconds and lengths are differences; or frame numbers, both within the interval, so that 10..10 is one frame
long (`inclusive`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.people import numbered
from mien.audit.metrics.recognition import F64, I64, Bools

Names = NDArray[np.str_]
SLACK = 1e-9  # an overlap of exactly one half is right, also after rounding
THUMOS = (0.3, 0.4, 0.5, 0.6, 0.7)
ACTIVITYNET = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Intervals of any videos, true or predicted. All arrays (n,)."""

    video: Names
    onset: F64
    offset: F64
    kind: Names  # "micro", "macro"; "" where kinds are not told apart
    label: Names  # the emotion; "" where there is none
    score: F64  # of a prediction, higher is surer; NaN where there is none

    def __len__(self) -> int:
        return len(self.video)

    def where(self, chosen: Bools | I64) -> Intervals:
        """Some of them."""
        return Intervals(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @property
    def ends(self) -> F64:
        """(n, 2) onset, offset."""
        return np.stack([self.onset, self.offset], axis=1) if len(self) else np.zeros((0, 2))


def overlaps(truth: F64, predicted: F64, inclusive: bool = False) -> F64:
    """(n, m) intersection over union of intervals (n, 2) and (m, 2); 0 for one of no length or of negative length."""
    one = 1.0 if inclusive else 0.0
    starts = np.maximum(truth[:, None, 0], predicted[None, :, 0])
    ends = np.minimum(truth[:, None, 1], predicted[None, :, 1])
    both = np.maximum(ends - starts + one, 0)
    lengths = [np.maximum(ends[:, 1] - ends[:, 0] + one, 0) for ends in (truth, predicted)]
    union = lengths[0][:, None] + lengths[1][None, :] - both
    share: F64 = np.divide(both, union, out=np.zeros(both.shape), where=union > 0)
    return share


def matched(overlap: F64, iou: float = 0.5) -> I64:
    """(n,) which of m predictions each of n true intervals is given, or -1: as many pairs as can be made one to one."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    fits = overlap >= iou - SLACK
    if not fits.any():
        return np.full(len(overlap), -1, np.int64)
    return np.asarray(maximum_bipartite_matching(csr_array(fits), perm_type="column"), np.int64)


def spots(
    truth: Intervals,
    predicted: Intervals,
    videos: Names,
    iou: float = 0.5,
    inclusive: bool = False,
    labels: bool = False,
) -> F64:
    """(videos, 3) true, false and missed intervals per video. Only equal kinds match; with `labels` only equal labels
    too, which is detection, not spotting alone."""
    table = np.zeros((len(videos), 3))
    for video, ours, theirs in _together(truth, predicted, videos, labels):
        pairs = matched(overlaps(truth.ends[ours], predicted.ends[theirs], inclusive), iou)
        right = int((pairs >= 0).sum())
        table[video] += right, len(theirs) - right, len(ours) - right
    return table


def f1(spots: F64) -> F64:
    """(...) 2 TP / (2 TP + FP + FN) of counts (..., 3); NaN when there is nothing at all."""
    right, false, missed = spots[..., 0], spots[..., 1], spots[..., 2]
    return _ratio(2 * right, 2 * right + false + missed)


def precision(spots: F64) -> F64:
    """(...) share of the intervals spotted that are right."""
    return _ratio(spots[..., 0], spots[..., 0] + spots[..., 1])


def recall(spots: F64) -> F64:
    """(...) share of the true intervals that were spotted."""
    return _ratio(spots[..., 0], spots[..., 0] + spots[..., 2])


class RankedSpots:
    """Predictions sorted by score, each found right or wrong once: average precision for any weights of videos."""

    def __init__(
        self, truth: Intervals, predicted: Intervals, videos: Names, iou: float = 0.5, inclusive: bool = False
    ) -> None:
        """Only equal kinds match; labels are not looked at: choose one label's intervals first."""
        order = np.argsort(-predicted.score, kind="stable")
        predicted = predicted.where(order)
        self.right = np.zeros(len(predicted), bool)
        for _, ours, theirs in _together(truth, predicted, videos, False):
            overlap = overlaps(truth.ends[ours], predicted.ends[theirs], inclusive)
            for column in range(len(theirs)):  # the surest first takes the best that is left
                best = int(np.argmax(overlap[:, column])) if len(ours) else 0
                if len(ours) and overlap[best, column] >= iou - SLACK:
                    self.right[theirs[column]] = True
                    overlap[best] = 0
        self._video = np.searchsorted(videos, predicted.video)
        self._last = np.r_[np.diff(predicted.score) != 0, True] if len(predicted) else np.zeros(0, bool)
        self._true = np.bincount(np.searchsorted(videos, truth.video), minlength=len(videos)).astype(np.float64)

    def average_precision(self, weights: F64) -> F64:
        """(rounds,) area under precision over recall, each precision the best at that recall or beyond (PASCAL VOC
        2010 onwards, all points); equal scores enter together. weights: (rounds, videos). NaN without truth."""
        mass = weights[:, self._video]
        right = np.cumsum(mass * self.right, axis=1)[:, self._last]
        called = np.cumsum(mass, axis=1)[:, self._last]
        exact = np.divide(right, called, out=np.zeros(right.shape), where=called > 0)
        best = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
        return _ratio((best * np.diff(right, axis=1, prepend=0.0)).sum(1), weights @ self._true)


def _together(truth: Intervals, predicted: Intervals, videos: Names, labels: bool) -> Iterator[tuple[int, I64, I64]]:
    """For each video and kind (and label): its number among `videos`, rows of the truth, rows of the predictions."""

    def keys(one: Intervals) -> list[str]:
        parts = (one.video, one.kind, one.label) if labels else (one.video, one.kind)
        return ["\x1f".join(words) for words in zip(*parts, strict=True)]

    names, numbers = numbered(keys(truth) + keys(predicted))
    mine, theirs = numbers[: len(truth)], numbers[len(truth) :]
    for number, name in enumerate(names):
        video = int(np.searchsorted(videos, name.split("\x1f")[0]))
        yield video, np.flatnonzero(mine == number), np.flatnonzero(theirs == number)


def _ratio(above: F64, below: F64) -> F64:
    ratio: F64 = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)
    return ratio
