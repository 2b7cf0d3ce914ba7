"""Bias of a data set with classes and groups, and of a classifier made from it: any number of both.

Tables of counts come in, ``(..., G)`` pictures per group, ``(..., G, C)`` per group and class, or ``(..., G, C, C)`` per
group, true class and predicted class; the leading shape comes back, so that many runs are done at once. A class that a
group has no pictures of says nothing about that group: it is left out of the comparison, not counted as an error.

Representational bias is how unevenly groups are represented; stereotypical bias is how much a group tells the class.
Data set metrics: Dominguez-Catena, Paternain and Galar, Metrics for dataset demographic bias, IEEE TPAMI 46(8), 2024.
Model metrics: the same, Biased heritage, 2025 (arXiv 2503.03446), after Putzel and Lee, 2022; overall disparity: the
same, AISafety workshop 2022. CEV and SDE: Blakeney et al., IEEE NAS 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.recognition import F64, I64

__all__ = [
    "MODEL",
    "REPRESENTATIONAL",
    "STEREOTYPICAL",
    "combined_error_variance",
    "confusion",
    "cramers_v",
    "demographic_parity",
    "effective_number",
    "equal_opportunity",
    "equalized_odds_by_class",
    "equalized_odds_by_term",
    "error",
    "imbalance",
    "mutual_information",
    "npmi",
    "nsd",
    "overall_disparity",
    "shannon_evenness",
    "symmetric_distance_error",
    "theil_u",
]


def confusion(group: I64, true: I64, predicted: I64, groups: int, classes: int) -> F64:
    """(G, C, C) how many pictures of a group and true class were taken for which class."""
    cell = (group * classes + true) * classes + predicted
    return np.bincount(cell, minlength=groups * classes**2).reshape(groups, classes, classes).astype(np.float64)


# --- representational bias of a data set: counts (..., G) -------------------------------------------------------------


def nsd(counts: F64) -> F64:
    """Normalised standard deviation of the groups' shares: std(p) G / sqrt(G - 1), 0 even, 1 where one group is all."""
    share = _shares(counts, -1)
    groups = counts.shape[-1]
    return np.asarray(share.std(axis=-1) * groups / np.sqrt(groups - 1), np.float64)


def shannon_evenness(counts: F64) -> F64:
    """Entropy of the groups' shares over its largest value, ln G: 1 even, 0 where one group is all."""
    return np.asarray(_entropy(_shares(counts, -1), (-1,)) / np.log(counts.shape[-1]), np.float64)


def effective_number(counts: F64) -> F64:
    """How many equally large groups would be as diverse: exp(entropy), from 1 to G."""
    return np.asarray(np.exp(_entropy(_shares(counts, -1), (-1,))), np.float64)


def imbalance(counts: F64) -> F64:
    """Largest group over smallest, 1 even; infinite where a group is empty."""
    with np.errstate(divide="ignore"):
        return np.asarray(counts.max(axis=-1) / counts.min(axis=-1), np.float64)


# --- stereotypical bias of a data set: counts (..., G, C) -------------------------------------------------------------


def mutual_information(counts: F64) -> F64:
    """Normalised mutual information of group and class: I / H(group, class), 0 where they are independent."""
    joint = _shares(counts, (-1, -2))
    return _over(_information(joint), _entropy(joint, (-1, -2)))


def theil_u(counts: F64) -> F64:
    """Theil's uncertainty coefficient: the share of the class's entropy that knowing the group removes, 0 to 1."""
    joint = _shares(counts, (-1, -2))
    return _over(_information(joint), _entropy(joint.sum(axis=-2), (-1,)))


def cramers_v(counts: F64) -> F64:
    """Cramer's V of group and class: sqrt(chi^2 / (n (min(G, C) - 1))), 0 independent, 1 one tells the other."""
    joint = _shares(counts, (-1, -2))
    expected = joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    squares = np.divide((joint - expected) ** 2, expected, out=np.zeros_like(joint), where=expected > 0)
    return np.asarray(np.sqrt(squares.sum(axis=(-1, -2)) / (min(counts.shape[-2:]) - 1)), np.float64)


def npmi(counts: F64) -> F64:
    """(..., G, C) normalised pointwise mutual information: ln(p / (p_group p_class)) / -ln p for each combination.

    0 as often as by chance, 1 only together, -1 never together; NaN for an empty group or class."""
    joint = _shares(counts, (-1, -2))
    expected = joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    some = (joint > 0) & (joint < 1)
    ratio = np.divide(joint, expected, out=np.ones_like(joint), where=some)
    weight = -np.log(np.where(some, joint, np.exp(-1.0)))
    never = np.where(expected > 0, -1.0, np.nan)
    return np.where(some, np.log(ratio) / weight, np.where(joint == 1, 1.0, never))


# --- bias of a model: confusion matrices (..., G, C, C) ---------------------------------------------------------------


def error(matrices: F64) -> F64:
    """Share of pictures taken for another class, all groups together."""
    right = np.trace(matrices, axis1=-2, axis2=-1).sum(axis=-1)
    return np.asarray(1 - right / matrices.sum(axis=(-1, -2, -3)), np.float64)


def overall_disparity(matrices: F64) -> F64:
    """OD: mean over classes of 1 / (G - 1) sum_g (1 - recall_g / highest recall); 0 where all groups do alike.

    A class of which no picture is recognised adds nothing."""
    recall = _recall(matrices)
    best = np.nan_to_num(recall).max(axis=-2, keepdims=True)
    short = np.where(best > 0, 1 - np.divide(recall, best, out=np.zeros_like(recall), where=best > 0), 0.0)
    known = np.isfinite(recall).sum(axis=-2)
    intraclass = np.nansum(short, axis=-2) / np.maximum(known - 1, 1)
    return _mean(intraclass, -1)


def equal_opportunity(matrices: F64) -> F64:
    """EqOpp: mean over classes of the highest recall of a group less the lowest."""
    return _mean(_gap(_recall(matrices)), -1)


def equalized_odds_by_term(matrices: F64) -> F64:
    """TTEqOdds: the same over all cells of the confusion matrix, each row a share of its true class."""
    return _mean(_gap(_rows(matrices), axis=-3), -1, -2)


def equalized_odds_by_class(matrices: F64) -> F64:
    """CEqOdds: the same over each class's recall and its share of all that was wrongly given to some class."""
    rows = np.nan_to_num(_rows(matrices))
    wrongly = rows.sum(axis=-2) - np.diagonal(rows, axis1=-2, axis2=-1)
    return (_mean(_gap(_recall(matrices)), -1) + _mean(_gap(_shares(wrongly, -1)), -1)) / 2


def demographic_parity(matrices: F64) -> F64:
    """DemPar: the same over how often each class is given, were every group to have all classes alike often."""
    return _mean(_gap(np.nan_to_num(_rows(matrices)).sum(axis=-2)), -1)


def combined_error_variance(matrices: F64) -> F64:
    """CEV, mean over groups: variance over classes of the relative changes of FPR and FNR of a group against all."""
    positive, negative = _changes(matrices)
    return _mean(positive.var(axis=-1) + negative.var(axis=-1), -1)


def symmetric_distance_error(matrices: F64) -> F64:
    """SDE, mean over groups: mean over classes of |change of FNR - change of FPR| of a group against all."""
    positive, negative = _changes(matrices)
    return _mean(np.abs(negative - positive), -1, -2)


Measure = Callable[[F64], F64]
REPRESENTATIONAL: Mapping[str, Measure] = {
    "NSD": nsd,
    "Shannon evenness": shannon_evenness,
    "effective number": effective_number,
}
STEREOTYPICAL: Mapping[str, Measure] = {"NMI": mutual_information, "Cramer's V": cramers_v, "Theil's U": theil_u}
MODEL: Mapping[str, Measure] = {
    "OD": overall_disparity,
    "EqOpp": equal_opportunity,
    "TTEqOdds": equalized_odds_by_term,
    "CEqOdds": equalized_odds_by_class,
    "DemPar": demographic_parity,
    "CEV": combined_error_variance,
    "SDE": symmetric_distance_error,
}


def _recall(matrices: F64) -> F64:
    """(..., G, C) NaN where a group has no picture of a class."""
    return np.diagonal(_rows(matrices), axis1=-2, axis2=-1)


def _rows(matrices: F64) -> F64:
    """(..., G, C, C) shares of each true class; NaN for a class that a group has no pictures of."""
    total = matrices.sum(axis=-1, keepdims=True)
    rows: F64 = np.divide(matrices, total, out=np.full(matrices.shape, np.nan), where=total > 0)
    return rows


def _mean(values: F64, *axes: int) -> F64:
    return np.asarray(values.mean(axis=axes), np.float64)


def _gap(values: F64, axis: int = -2) -> F64:
    """Highest less lowest over the groups, on `axis`; 0 where no group is known."""
    known = np.isfinite(values)
    gap = np.where(known, values, -np.inf).max(axis=axis) - np.where(known, values, np.inf).min(axis=axis)
    return np.where(known.any(axis=axis), gap, 0.0)


def _changes(matrices: F64) -> tuple[F64, F64]:
    """(..., G, C) of FPR and of FNR: of the group less that of all together, over that of all together."""

    def rates(cells: F64) -> tuple[F64, F64]:
        of_class, given, right = cells.sum(axis=-1), cells.sum(axis=-2), np.diagonal(cells, axis1=-2, axis2=-1)
        others = cells.sum(axis=(-1, -2))[..., None] - of_class
        return _over(given - right, others), _over(of_class - right, of_class)

    mine, everybody = rates(matrices), rates(matrices.sum(axis=-3, keepdims=True))
    changes = [_over(one - all_, all_) for one, all_ in zip(mine, everybody, strict=True)]
    return changes[0], changes[1]


def _information(joint: F64) -> F64:
    parts = _entropy(joint.sum(axis=-1), (-1,)) + _entropy(joint.sum(axis=-2), (-1,))
    return np.maximum(parts - _entropy(joint, (-1, -2)), 0.0)


def _entropy(share: F64, axis: tuple[int, ...]) -> F64:
    logs = np.log(np.where(share > 0, share, 1.0))
    return np.asarray(-(share * logs).sum(axis=axis), np.float64)


def _shares(counts: F64, axis: int | tuple[int, ...]) -> F64:
    total = np.asarray(counts, np.float64).sum(axis=axis, keepdims=True)
    shares: F64 = np.divide(counts, total, out=np.zeros(np.shape(counts)), where=total > 0)
    return shares


def _over(part: F64, whole: F64) -> F64:
    """0 where there is nothing to divide by."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    over: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    return over
