"""Agreement of raters on a scale: CCC, ICC, Pearson's r, RMSE; of a prediction with the truth, or of any raters.

Everything is computed from `sums`, shaped (..., 1 + k + k * k) for k raters: how many cases, each rater's sum, and the
sums of products. Sums add up over people, so intervals that draw people cost one matrix product. Where a value is
undefined (nobody varies) it is NaN.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from mien.audit.metrics.recognition import F64, I64

Form = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]


def sums(ratings: F64, person: I64 | None = None, people: int = 1) -> F64:
    """(people, 1 + k + k * k) sums of ratings (n, k), one column per rater; person: (n,) numbers 0..people-1.

    All ratings are moved by their common mean first, which no measure here depends on: it keeps the digits."""
    ratings = np.asarray(ratings, np.float64)
    person = np.zeros(len(ratings), np.int64) if person is None else person
    moved = ratings - (ratings.mean() if ratings.size else 0.0)
    products = (moved[:, :, None] * moved[:, None, :]).reshape(len(moved), moved.shape[1] ** 2)  # also of no rows
    rows = np.concatenate([np.ones((len(moved), 1)), moved, products], axis=1)
    table = np.zeros((people, rows.shape[1]))
    np.add.at(table, person, rows)
    return table


def ccc(sums: F64) -> F64:
    """(...) concordance correlation coefficient of two raters: 2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2), with moments
    divided by n (Lin, Biometrics 45, 1989); the measure of valence and arousal in ABAW, there over all frames."""
    n, means, products = _moments(sums)
    spread = _spread(n, means, products)
    apart = (means[..., 0] - means[..., 1]) ** 2
    return _ratio(2 * spread[..., 0, 1], spread[..., 0, 0] + spread[..., 1, 1] + apart)


def pearson(sums: F64) -> F64:
    """(...) Pearson's correlation of two raters."""
    spread = _spread(*_moments(sums))
    return _ratio(spread[..., 0, 1], np.sqrt(spread[..., 0, 0] * spread[..., 1, 1]))


def rmse(sums: F64) -> F64:
    """(...) root of the mean squared difference of two raters."""
    _, _, products = _moments(sums)
    return np.sqrt(np.maximum(products[..., 0, 0] + products[..., 1, 1] - 2 * products[..., 0, 1], 0))


def icc(sums: F64, form: Form) -> F64:
    """(...) intraclass correlation in the forms of Shrout and Fleiss (Psychological Bulletin 86, 1979): which cases
    and raters are random (1, 2, 3), and whether one rater or the mean of all k counts. "3,1" is consistency of one
    rater, as in the literature on action units; "1,1" and "2,1" also punish a constant difference."""
    cases, raters, rest, n, k = _mean_squares(sums)
    within = _ratio(raters * (k - 1) + rest * (n - 1) * (k - 1), n * (k - 1))
    above = cases - (within if form[0] == "1" else rest)
    shared = raters - rest  # what raters differ by as a whole, over cases
    below = {
        "1,1": cases + (k - 1) * within,
        "2,1": cases + (k - 1) * rest + _ratio(k * shared, n),
        "3,1": cases + (k - 1) * rest,
        "1,k": cases,
        "2,k": cases + _ratio(shared, n),
        "3,k": cases,
    }[form]
    return _ratio(above, below)


def _mean_squares(sums: F64) -> tuple[F64, F64, F64, F64, int]:
    """Mean squares between cases, between raters, and of the rest; number of cases and of raters."""
    n, means, products = _moments(sums)
    k = means.shape[-1]
    grand = means.mean(-1)
    total = np.trace(products, axis1=-2, axis2=-1) * n - n * k * grand**2
    of_cases = products.sum((-1, -2)) * n / k - n * k * grand**2
    of_raters = n * ((means - grand[..., None]) ** 2).sum(-1)
    left = np.maximum(total - of_cases - of_raters, 0)
    return _ratio(of_cases, n - 1), of_raters / (k - 1), _ratio(left, (n - 1) * (k - 1)), n, k


def _moments(sums: F64) -> tuple[F64, F64, F64]:
    """Number (...), means (..., k), mean products (..., k, k)."""
    k = round((np.sqrt(4 * sums.shape[-1] - 3) - 1) / 2)
    n = sums[..., 0]
    means = _ratio(sums[..., 1 : 1 + k], n[..., None])
    return n, means, _ratio(sums[..., 1 + k :], n[..., None]).reshape(*sums.shape[:-1], k, k)


def _spread(n: F64, means: F64, products: F64) -> F64:
    """(..., k, k) covariances, divided by n; what is nothing but rounding is zero."""
    spread = products - means[..., :, None] * means[..., None, :]
    return np.where(np.abs(spread) < 1e-12 * np.maximum(np.abs(products), 1e-300), 0.0, spread)


def _ratio(above: F64, below: F64) -> F64:
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    ratio: F64 = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return ratio
