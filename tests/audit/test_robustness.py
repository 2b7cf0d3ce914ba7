"""Degradations, occlusion maps and prediction sets: what they do is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.audit.metrics import conformal
from mien.audit.trust import explanation
from mien.audit.trust.robustness import DEGRADATIONS, STRENGTHS, Degradation, robustness

CROPS = np.repeat(np.random.default_rng(0).integers(40, 216, (6, 32, 32, 1), np.uint8), 3, axis=3)


@pytest.mark.parametrize("one", DEGRADATIONS, ids=lambda one: one.name)
def test_more_is_worse_grey_stays_grey_and_a_seed_is_a_seed(one: Degradation) -> None:
    before = CROPS.copy()
    spoilt = [one.apply(CROPS, strength, seed=3) for strength in STRENGTHS]
    change = [float(np.abs(crops.astype(float) - CROPS).mean()) for crops in spoilt]
    assert change == sorted(change) and change[0] > 0
    for crops in spoilt:
        assert crops.shape == CROPS.shape and crops.dtype == np.uint8
        assert (crops.max(3) - crops.min(3)).max() <= 1
    assert np.array_equal(spoilt[1], one.apply(CROPS, "medium", seed=3))
    assert np.array_equal(before, CROPS)
    assert one.apply(CROPS[:0], "mild").shape == (0, 32, 32, 3)


def bright(crops: np.ndarray) -> np.ndarray:
    """Surer of the second class the brighter the crop."""
    share = np.clip(crops.mean((1, 2, 3)) / 255, 0.01, 0.99)
    return np.stack([1 - share, share], axis=1)


def test_the_drop_is_that_of_the_same_pictures() -> None:
    crops = np.full((40, 16, 16, 3), 60, np.uint8)
    crops[20:] = 180
    truth = np.repeat([0, 1], 20)
    found = robustness(bright, crops, truth, tuple(map(str, range(40))), rounds=50)
    assert found.drops["noise", "mild"].value == 0
    dark = found.drops["dark", "mild"]  # 180 * 0.6 = 108: all bright ones are taken for dark ones
    assert (dark.value, dark.n) == (0.5, 40) and 0.3 < dark.low < 0.5 < dark.high < 0.7
    rows = {(row["degradation"], row["strength"]): row for row in found.rows}
    assert rows["dark", "mild"]["accuracy"].value == 0.5 and rows["dark", "mild"]["amount"] == 0.6
    assert len(found.rows) == 32 and len(found.charts) == 2


# --- maps ---------------------------------------------------------------------------------------------------------


def corner(crops: np.ndarray) -> np.ndarray:
    """Looks at the upper left corner alone."""
    share = np.clip(crops[:, :6, :6].mean((1, 2, 3)) / 255, 0.01, 0.99)
    return np.stack([1 - share, share], axis=1)


def middle(crops: np.ndarray) -> np.ndarray:
    """Looks at the middle alone."""
    share = np.clip(crops[:, 12:20, 12:20].mean((1, 2, 3)) / 255, 0.01, 0.99)
    return np.stack([1 - share, share], axis=1)


def lit(where: tuple[slice, slice]) -> np.ndarray:
    crops = np.full((5, 32, 32, 3), 50, np.uint8)
    crops[:, where[0], where[1]] = 250
    return crops


def test_a_map_points_at_what_decides() -> None:
    in_corner = explanation.importance(corner, lit((slice(0, 6), slice(0, 6))))
    assert (in_corner.answers == 1).all()
    assert np.unravel_index(in_corner.values[0].argmax(), (32, 32)) < (8, 8)
    parts, chance = explanation.outside(in_corner)
    assert chance == pytest.approx(1 - np.pi / 4, abs=0.02) and (parts[:, 0] > 2 * chance * parts[:, 1]).all()
    assert explanation.peaks_outside(in_corner) == 1.0
    assert explanation.peaks_outside(explanation.importance(middle, lit((slice(12, 20), slice(12, 20))))) == 0.0
    in_middle, _ = explanation.outside(explanation.importance(middle, lit((slice(12, 20), slice(12, 20)))))
    assert (in_middle[:, 0] < chance / 4 * in_middle[:, 1]).all()


def test_deleting_what_decides_costs_more_than_deleting_elsewhere() -> None:
    maps = explanation.importance(middle, np.repeat(lit((slice(12, 20), slice(12, 20))), 10, axis=0))
    important, random = explanation.deletion(middle, maps)
    assert important.mean() > random.mean() + 0.05


def test_a_model_that_looks_nowhere_has_no_share_and_no_likeness() -> None:
    maps = explanation.importance(lambda crops: np.tile([0.3, 0.7], (len(crops), 1)), CROPS)
    assert (maps.values == 0).all()
    assert (explanation.outside(maps)[0] == 0).all()
    assert (explanation.likeness(maps, maps) == 0).all()


def test_likeness_is_of_ranks() -> None:
    maps = explanation.importance(bright, CROPS)
    assert explanation.likeness(maps, maps) == pytest.approx(np.ones(6))
    turned = explanation.Maps(maps.crops, maps.answers, maps.sure, -(maps.values**3))
    assert explanation.likeness(maps, turned) == pytest.approx(-np.ones(6))


# --- sets ---------------------------------------------------------------------------------------------------------


def test_the_threshold_of_sets_by_hand() -> None:
    """Of 9 cases and a miss of 0.2 the ceil(10 * 0.8) = 8th smallest 1 - p counts."""
    given = np.arange(1, 10) / 10
    chances = np.stack([given, 1 - given], axis=1)
    assert conformal.threshold(chances, np.zeros(9, np.int64), 0.2) == pytest.approx(0.2)
    assert conformal.threshold(chances, np.zeros(9, np.int64), 0.05) == 0.0, "9 cases cannot promise 95 %"
    assert conformal.sets(np.array([[0.2, 0.8], [0.1, 0.9]]), 0.2).tolist() == [[True, True], [False, True]]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), miss=st.sampled_from([0.1, 0.2, 0.4]))
def test_sets_hold_the_truth_as_often_as_promised(seed: int, miss: float) -> None:
    """On average over calibration sets of 60 cases; any model will do, a bad one too."""
    rng = np.random.default_rng(seed)
    covered = []
    for _ in range(150):
        chances = rng.dirichlet(np.ones(4), size=90)
        truth = rng.integers(4, size=90)
        bound = conformal.threshold(chances[:60], truth[:60], miss)
        covered.append(conformal.sets(chances[60:], bound)[np.arange(30), truth[60:]].mean())
    assert 1 - miss - 0.03 < np.mean(covered) < 1 - miss + 1 / 61 + 0.03


def test_accuracy_of_what_is_kept() -> None:
    sure, right = np.array([0.9, 0.2, 0.8, 0.4]), np.array([True, False, True, False])
    assert conformal.kept_accuracy(sure, right, (1.0, 0.75, 0.5)) == pytest.approx([0.5, 2 / 3, 1])
    twice = conformal.kept_accuracy(np.repeat(sure, [1, 0, 2, 3]), np.repeat(right, [1, 0, 2, 3]), (1.0, 0.5))
    assert conformal.kept_accuracy(sure, right, (1.0, 0.5), np.array([1.0, 0, 2, 3])) == pytest.approx(twice)
