"""Measures of how far groups differ: published forms, brute force, and what chance makes of equal groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.audit.metrics import differentials as measure

rates = arrays(np.float64, st.integers(2, 6), elements=st.floats(1e-4, 0.5))
ALIKE = np.full(4, 0.01), np.full(4, 0.03)
UNLIKE = np.array([0.002, 0.004, 0.010, 0.024]), np.array([0.055, 0.035, 0.020, 0.010])


def test_the_canonical_pair_of_systems() -> None:
    assert float(measure.max_to_min(UNLIKE[0])) == pytest.approx(12)
    assert float(measure.max_to_min(UNLIKE[1])) == pytest.approx(5.5)
    assert round(float(measure.garbe(*UNLIKE)), 2) == 0.51
    assert float(measure.fdr(*UNLIKE)) == pytest.approx(0.9665)
    assert float(measure.inequity_rate(*UNLIKE)) == pytest.approx(np.sqrt(12 * 5.5))
    assert [float(measure.garbe(*ALIKE)), float(measure.fdr(*ALIKE)), float(measure.inequity_rate(*ALIKE))] == [0, 1, 1]


@given(rates)
def test_gini_against_its_sum(values: np.ndarray) -> None:
    count = len(values)
    brute = sum(abs(one - other) for one in values for other in values) / (2 * count**2 * values.mean())
    assert float(measure.gini(values)) == pytest.approx(brute * count / (count - 1))
    assert 0 <= float(measure.gini(values)) <= 1 + 1e-9


@given(rates, st.floats(0.1, 10))
def test_ratios_do_not_depend_on_the_level(values: np.ndarray, factor: float) -> None:
    for function in (measure.max_to_min, measure.max_to_geometric_mean, measure.gini):
        assert float(function(values * factor)) == pytest.approx(float(function(values)), rel=1e-6, abs=1e-9)
    assert float(measure.max_to_min(values)) >= float(measure.max_to_geometric_mean(values)) - 1e-12 >= 1 - 1e-9


def test_fdr_cannot_see_ratios_at_low_rates() -> None:
    low = np.array([1e-6, 1e-4])  # a hundredfold
    assert float(measure.fdr(low, np.zeros(2))) > 0.9999


def test_many_at_once() -> None:
    table = np.stack([UNLIKE[0], ALIKE[0]])
    assert measure.max_to_min(table).tolist() == pytest.approx([12, 1])
    assert measure.gini(table).shape == (2,)


def test_what_has_no_value_is_nan() -> None:
    nothing = np.zeros(3)
    assert np.isnan(measure.max_to_min(nothing)) and np.isnan(measure.gini(nothing))
    assert np.isnan(measure.max_to_geometric_mean(np.array([0.0, 0.1])))
    assert np.isnan(measure.gini(np.array([0.3])))


def test_an_interval_may_reach_equality_and_holds_the_value() -> None:
    ratio = measure.spanned(1.2, np.exp(np.random.default_rng(0).normal(0.3, 0.1, 500)), 1.0, 9, log=True)
    assert ratio.low == 1.0 and ratio.high > 1.4 and ratio.value == 1.2
    falling = measure.spanned(0.98, np.random.default_rng(0).normal(0.97, 0.01, 500), 1.0, 9)
    assert falling.low < 0.96 and falling.high == pytest.approx(1.0)


def dealt(rng: np.random.Generator, true: np.ndarray, rounds: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Independent trials of groups, observed and with labels dealt anew."""
    group = np.repeat(np.arange(len(true)), 400)
    wrong = (rng.random(len(group)) < true[group]).astype(float)
    errors = [np.bincount(group if not row else rng.permutation(group), wrong) for row in range(1 + rounds)]
    return np.stack(errors), np.full((1 + rounds, len(true)), 400.0)


def test_equal_groups_are_found_to_differ_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(1)
    found = [measure.by_chance(*dealt(rng, np.full(8, 0.05), 99)) for _ in range(60)]
    alarms = sum(one is not None and one.p.value <= 0.05 for one in found)
    assert alarms <= 8  # 3 expected of 60; eight groups judged one by one would give some 20
    ratios = [one.ratio[0] for one in found if one is not None]
    assert np.mean(ratios) > 1.8  # what eight equal groups show by chance


def test_the_group_that_differs_is_named() -> None:
    chance = measure.by_chance(*dealt(np.random.default_rng(2), np.array([0.05, 0.05, 0.05, 0.15])))
    assert chance is not None and chance.p.value < 0.01
    assert chance.groups[3] < 0.01 and int(np.argmax(chance.relative)) == 3
    assert chance.relative[3] == pytest.approx(0.15 / 0.075, abs=0.6) and (chance.relative[:3] < 1).all()
    assert 0 < chance.p.value <= 1 and chance.p.low <= chance.p.value <= chance.p.high


def test_without_errors_there_is_no_test() -> None:
    assert measure.by_chance(np.zeros((10, 3)), np.ones((10, 3))) is None
    assert measure.by_chance(np.ones((10, 2)), np.zeros((10, 2))) is None


def test_holm_against_a_worked_example() -> None:
    assert measure.holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert measure.holm(np.zeros(0)).tolist() == []


def test_cells_do_not_know_which_group_comes_first() -> None:
    table = measure.cells(4)
    assert (table == table.T).all() and np.diagonal(table).tolist() == [0, 1, 2, 3]
    assert sorted(np.unique(table)) == list(range(10))
