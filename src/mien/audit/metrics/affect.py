"""Classes of expression and action units against the truth: recalls, F1, AUC.

Everything is computed from `counts`, shaped (..., k, k + 1): rows are the true classes; columns are the classes
predicted, and in the last column no answer, or an answer that is none of the classes. So a face that was not found is
a miss of its class and stays in every denominator. Counts add up over people, folds and files, and MEGC 2019's UF1 and
UAR are of such pooled counts, not means over folds (See et al., "MEGC 2019 - The Second Facial Micro-Expressions Grand
Challenge", FG 2019).

Classes that are missing: one with truth that is never predicted has recall 0 and F1 0. One that is predicted without
truth has no recall, and F1 0. One with neither has neither (NaN), and no mean includes it. `missing` names them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.audit.metrics.people import Developed
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.errors import EvidenceError

NO_ANSWER = -1


def counts(truth: I64, predicted: I64, classes: int) -> F64:
    """(k, k + 1) how often class i was called j; truth: (n,) 0..k-1, predicted: (n,) 0..k-1 or NO_ANSWER."""
    table: F64 = by_person(truth, predicted, classes, np.zeros(len(truth), np.int64), 1)[0]
    return table


def by_person(truth: I64, predicted: I64, classes: int, person: I64, people: int) -> F64:
    """(people, k, k + 1) counts per person; person: (n,) numbers 0..people-1."""
    table = np.zeros((people, classes, classes + 1))
    np.add.at(table, (person, truth, np.where(predicted < 0, classes, predicted)), 1)
    return table


def recalls(counts: F64) -> F64:
    """(..., k) share of each class that was recognised: TP / (TP + FN); NaN without truth."""
    return _share(_right(counts), counts.sum(-1))


def precisions(counts: F64) -> F64:
    """(..., k) share of each answer that was right: TP / (TP + FP); NaN where it was never given."""
    return _share(_right(counts), counts[..., :-1].sum(-2))


def f1s(counts: F64) -> F64:
    """(..., k) F1 of each class: 2 TP / (2 TP + FP + FN); NaN with neither truth nor predictions."""
    return _share(2 * _right(counts), counts.sum(-1) + counts[..., :-1].sum(-2))


def uar(counts: F64) -> F64:
    """(...) unweighted average recall, or balanced accuracy: mean recall of the classes that have truth."""
    return _mean(recalls(counts))


def war(counts: F64) -> F64:
    """(...) weighted average recall, which is accuracy: the share of all samples that are right."""
    return _share(_right(counts).sum(-1), counts.sum((-1, -2)))


def macro_f1(counts: F64) -> F64:
    """(...) mean of the classes' F1: UF1 of MEGC 2019 when counts are pooled over folds, macro F1 of ABAW over frames.

    This is the mean of F1s, not the F1 of mean precision and mean recall, which is larger (Opitz and Burst, 2019)."""
    return _mean(f1s(counts))


def weighted_f1(counts: F64) -> F64:
    """(...) mean of the classes' F1, each weighted with its share of the truth (as in emotion in conversation)."""
    each = f1s(counts)
    share = counts.sum(-1)
    return _share((np.nan_to_num(each) * share).sum(-1), share.sum(-1))


def missing(counts: F64, classes: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes without truth, and those with truth that were never predicted; of counts (k, k + 1)."""
    truth, predicted = counts.sum(-1), counts[:, :-1].sum(0)
    without = tuple(name for name, number in zip(classes, truth, strict=True) if not number)
    never = tuple(name for name, a, b in zip(classes, truth, predicted, strict=True) if a and not b)
    return without, never


# --- one unit: present or not -------------------------------------------------------------------------------------


def unit_f1(counts: F64) -> F64:
    """(...) F1 of presence, from counts (..., 2, 3) of absent and present."""
    return f1s(counts)[..., 1]


class Ranked:
    """Scores of presence, sorted once: their AUC for any weights of people."""

    def __init__(self, present: Bools, scores: F64, person: I64) -> None:
        """present: (n,) the truth; scores: (n,) finite, growing with presence; person: (n,) numbers of the people."""
        order = np.argsort(scores, kind="stable")
        self._starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0]) if len(scores) else np.zeros(0, int)
        self._present, self._person = present[order], person[order]

    def auc(self, weights: F64) -> F64:
        """(rounds,) chance that a present case scores above an absent one, ties count half (Hanley and McNeil, 1982);
        weights: (rounds, people). NaN where one of both is not there."""
        return np.array([self._one(row) for row in weights])

    def _one(self, weights: F64) -> float:
        mass = weights[self._person]
        hits = np.add.reduceat(np.where(self._present, mass, 0.0), self._starts)
        misses = np.add.reduceat(np.where(self._present, 0.0, mass), self._starts)
        below = np.cumsum(misses) - misses
        total = hits.sum() * misses.sum()
        return float((hits * (below + misses / 2)).sum() / total) if total else np.nan


def threshold_for_f1(present: Bools, scores: F64, people: Sequence[str]) -> Developed:
    """The threshold (inclusive) with the best F1 of presence, chosen on a development split and bound to its people.

    Among equals the highest. Raises EvidenceError when nothing is present there."""
    scores, present = np.asarray(scores, np.float64), np.asarray(present, bool)
    if not present.any():
        raise EvidenceError("The development split has no case of the unit: no threshold can be chosen there.")
    values, start = np.unique(scores, return_index=False), np.sort(scores)
    hits = present.sum() - np.searchsorted(np.sort(scores[present]), values, side="left")
    called = len(scores) - np.searchsorted(start, values, side="left")
    f1 = 2 * hits / (called + present.sum())
    best = len(values) - 1 - int(np.argmax(f1[::-1]))
    return Developed(float(values[best]), frozenset(map(str, people)))


def _right(counts: F64) -> F64:
    right: F64 = np.diagonal(counts, axis1=-2, axis2=-1)
    return right


def _share(part: F64, whole: F64) -> F64:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    share: F64 = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return share


def _mean(each: F64) -> F64:
    """Mean over the last axis of what is there; NaN where nothing is."""
    there = np.isfinite(each)
    return _share(np.where(there, each, 0.0).sum(-1), there.sum(-1))
