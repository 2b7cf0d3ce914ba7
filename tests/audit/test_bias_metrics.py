"""Bias of data sets and models against sums written out, scikit-learn, and closed cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.audit.metrics import bias

tables = arrays(np.float64, (3, 4), elements=st.integers(1, 50).map(float))


def test_even_and_one_sided_groups() -> None:
    even, one = np.full(4, 25.0), np.array([100.0, 0.0, 0.0, 0.0])
    assert [float(bias.nsd(counts)) for counts in (even, one)] == pytest.approx([0, 1])
    assert [float(bias.shannon_evenness(counts)) for counts in (even, one)] == pytest.approx([1, 0])
    assert [float(bias.effective_number(counts)) for counts in (even, one)] == pytest.approx([4, 1])
    assert float(bias.imbalance(np.array([30.0, 10.0]))) == 3 and np.isinf(bias.imbalance(one))
    assert float(bias.nsd(np.array([0.8, 0.2]))) == pytest.approx(0.6)  # |2f - 1| of two groups


def test_independent_and_telling_groups() -> None:
    independent = np.outer([0.3, 0.7], [10.0, 20.0, 30.0])
    telling = np.diag([5.0, 5.0])
    for function in bias.STEREOTYPICAL.values():
        assert float(function(independent)) == pytest.approx(0, abs=1e-6)
        assert float(function(telling)) == pytest.approx(1)
    assert np.allclose(bias.npmi(independent), 0)
    assert bias.npmi(telling).tolist() == [[1, -1], [-1, 1]]
    assert np.isnan(bias.npmi(np.array([[1.0, 1.0], [0.0, 0.0]]))[1]).all()


@settings(deadline=None)  # the first example imports
@given(tables)
def test_information_against_scikit_learn(counts: np.ndarray) -> None:
    from sklearn.metrics import mutual_info_score

    joint = counts / counts.sum()
    mutual = mutual_info_score(None, None, contingency=counts)
    assert float(bias.mutual_information(counts)) == pytest.approx(mutual / -(joint * np.log(joint)).sum(), abs=1e-9)
    of_class = joint.sum(axis=0)
    assert float(bias.theil_u(counts)) == pytest.approx(mutual / -(of_class * np.log(of_class)).sum(), abs=1e-9)


@settings(deadline=None)
@given(tables)
def test_cramers_v_against_scipy(counts: np.ndarray) -> None:
    from scipy.stats.contingency import association

    assert float(bias.cramers_v(counts)) == pytest.approx(association(counts.astype(int), method="cramer"), abs=1e-9)


def written_out(matrices: np.ndarray) -> dict[str, float]:
    """The model metrics of (G, C, C), term by term."""
    groups, classes = matrices.shape[:2]
    rows = matrices / matrices.sum(axis=2, keepdims=True)
    recall = [[rows[group, one, one] for one in range(classes)] for group in range(groups)]
    column = [list(values) for values in zip(*recall, strict=True)]
    disparity = [sum(1 - value / max(values) for value in values) / (groups - 1) for values in column]
    opportunity = [max(values) - min(values) for values in column]
    terms = [
        max(rows[:, true, given]) - min(rows[:, true, given]) for true in range(classes) for given in range(classes)
    ]
    wrongly = np.array([row.sum(axis=0) - np.diag(row) for row in rows])
    wrongly /= wrongly.sum(axis=1, keepdims=True)
    discovery = [max(wrongly[:, one]) - min(wrongly[:, one]) for one in range(classes)]
    shown = [max(given) - min(given) for given in rows.sum(axis=1).T]
    return {
        "OD": float(np.mean(disparity)),
        "EqOpp": float(np.mean(opportunity)),
        "TTEqOdds": float(np.mean(terms)),
        "CEqOdds": float(np.mean(opportunity + discovery)),
        "DemPar": float(np.mean(shown)),
    }


@given(arrays(np.float64, (3, 4, 4), elements=st.integers(1, 30).map(float)))
def test_model_metrics_against_their_terms(matrices: np.ndarray) -> None:
    for name, value in written_out(matrices).items():
        assert float(bias.MODEL[name](matrices)) == pytest.approx(value, abs=1e-9), name


@given(arrays(np.float64, (4, 4), elements=st.integers(1, 30).map(float)), st.integers(2, 5))
def test_groups_that_are_treated_alike(matrix: np.ndarray, times: int) -> None:
    alike = np.stack([matrix, matrix * times])
    for name, function in bias.MODEL.items():
        assert float(function(alike)) == pytest.approx(0, abs=1e-9), name


def test_error_variance_and_distance_written_out() -> None:
    matrices = np.array([[[8.0, 2.0], [1.0, 9.0]], [[5.0, 5.0], [4.0, 6.0]]])
    everybody = matrices.sum(axis=0)

    def rates(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wrong = np.array([cells[1, 0], cells[0, 1]])
        return wrong / cells.sum(axis=1)[::-1], wrong[::-1] / cells.sum(axis=1)

    spread, distance = [], []
    for cells in matrices:
        positive, negative = ((one - all_) / all_ for one, all_ in zip(rates(cells), rates(everybody), strict=True))
        spread.append(positive.var() + negative.var())
        distance.append(np.abs(negative - positive).mean())
    assert float(bias.combined_error_variance(matrices)) == pytest.approx(np.mean(spread))
    assert float(bias.symmetric_distance_error(matrices)) == pytest.approx(np.mean(distance))


def test_a_class_that_a_group_lacks_is_left_out() -> None:
    full = np.array([[[9.0, 1.0], [2.0, 8.0]], [[9.0, 1.0], [0.0, 0.0]]])
    assert float(bias.equal_opportunity(full)) == 0  # the only class both have is recognised alike
    assert float(bias.overall_disparity(full)) == 0
    nobody = np.zeros((2, 2, 2))
    nobody[:, 0] = [[3.0, 1.0], [4.0, 0.0]]
    assert float(bias.equal_opportunity(nobody)) == pytest.approx(0.125)
    unseen = np.array([[[0.0, 5.0], [0.0, 5.0]], [[0.0, 5.0], [0.0, 5.0]]])
    assert float(bias.overall_disparity(unseen)) == 0


def test_confusion_counts_by_group() -> None:
    group, true, given = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([0, 0, 1, 0])
    counted = bias.confusion(group, true, given, 2, 2)
    assert counted.tolist() == [[[1, 0], [1, 0]], [[0, 0], [1, 1]]]
    assert float(bias.error(counted)) == 0.5
