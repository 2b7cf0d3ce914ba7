"""D_sys against its integral, its bias measured, its floor and interval against planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from mien.audit.metrics import linkability as li
from mien.errors import EvidenceError, UsageError


def truth(shift: float, omega: float = 1.0) -> float:
    """D_sys of two normal densities `shift` standard deviations apart, by integration."""

    def inside(x: float) -> float:
        mated, nonmated = omega * norm.pdf(x, shift), norm.pdf(x)
        return float(max(0.0, (mated - nonmated) / (mated + nonmated)) * norm.pdf(x, shift))

    return float(quad(inside, -9, 9 + shift, limit=400)[0])


def test_the_known_cases() -> None:
    rng = np.random.default_rng(0)
    nonmated = rng.normal(size=200_000)
    assert li.d_sys(rng.normal(size=200_000), nonmated) == pytest.approx(0.004, abs=5e-4)
    assert li.d_sys(rng.normal(0.5, 1, 200_000), nonmated) == pytest.approx(0.13, abs=5e-3)
    assert li.d_sys(rng.normal(20, 1, 200_000), nonmated) == 1


@pytest.mark.parametrize(("shift", "omega"), [(0.5, 1), (1, 1), (2, 1), (1, 0.2), (1, 4)])
def test_against_the_integral(shift: float, omega: float) -> None:
    rng = np.random.default_rng(1)
    found = li.d_sys(rng.normal(shift, 1, 100_000), rng.normal(size=100_000), omega)
    assert found == pytest.approx(truth(shift, omega), abs=0.006)


def test_the_local_measure_is_the_papers() -> None:
    found = li.Link(np.arange(5.0), np.array([0.5, 0.2, 0.3, 0.0]), np.array([0.0, 0.4, 0.1, 0.5]))
    ratio = 3.0  # of the third bin
    assert found.local == pytest.approx([1, 0, 2 * ratio / (1 + ratio) - 1, 0])
    assert found.system == pytest.approx(0.5 * 1 + 0.3 * 0.5)
    weighed = li.Link(found.edges, found.mated, found.nonmated, omega=0.25)
    assert weighed.local == pytest.approx([1, 0, 0, 0])  # a quarter of the ratio is below 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, -1.0]), st.floats(0.5, 20), st.integers(-5, 5))
def test_order_direction_and_scale_of_scores_do_not_matter(seed: int, sign: float, scale: float, move: int) -> None:
    rng = np.random.default_rng(seed)
    mated, nonmated = rng.integers(0, 40, 80) + 0.25, rng.integers(0, 30, 90) + 0.25
    wanted = li.d_sys(mated, nonmated, bins=8)
    assert li.d_sys(rng.permutation(mated), rng.permutation(nonmated), bins=8) == wanted
    assert 0 <= wanted <= 1
    turned = li.d_sys(sign * scale * mated + move, sign * scale * nonmated + move, bins=8)
    edges = np.linspace(min(mated.min(), nonmated.min()), max(mated.max(), nonmated.max()), 9)
    if not np.isclose(np.r_[mated, nonmated][:, None], edges[1:-1]).any():  # no score on the border of two bins
        assert turned == pytest.approx(wanted)


def test_bias_of_few_scores_is_small_where_there_is_linkability_and_known_where_there_is_none() -> None:
    """So the floor is printed beside D_sys and not subtracted from it."""
    rng = np.random.default_rng(2)

    def mean(shift: float, count: int, bins: int | None = None) -> float:
        return float(
            np.mean([li.d_sys(rng.normal(shift, 1, count), rng.normal(0, 1, count), 1, bins) for _ in range(40)])
        )

    assert mean(0, 100) == pytest.approx(0.09, abs=0.02)
    assert mean(0, 1000) == pytest.approx(0.038, abs=0.006)
    assert mean(0, 1000, 100) == pytest.approx(0.093, abs=0.008)  # the reference's number of bins
    assert mean(0.5, 1000) - truth(0.5) == pytest.approx(0.008, abs=0.006)
    assert abs(mean(1, 1000) - truth(1)) < 0.012
    floor = li.shuffled(rng.normal(0, 1, 1000), rng.normal(0, 1, 1000), rounds=100)
    assert floor.mean() == pytest.approx(0.038, abs=0.006)


def holds(shift: float, count: int, trials: int) -> float:
    """How often the interval of the audit holds the truth."""
    wanted, held = truth(shift), 0
    for seed in range(trials):
        rng = np.random.default_rng(1000 + seed)
        mated, nonmated = rng.normal(shift, 1, count), rng.normal(0, 1, count)
        values = li.replicates(
            mated, nonmated, 1.0, li.edges_of(mated, nonmated), li.draws_of_scores((count, count), 150, seed)
        )
        floor = float(np.quantile(li.shuffled(mated, nonmated, rounds=60), 0.975))
        got = li.with_interval(li.d_sys(mated, nonmated), values, floor, (count, count))
        assert got.low <= got.value <= got.high
        held += got.low <= wanted <= got.high
    return held / trials


def test_the_interval_holds_the_truth() -> None:
    assert holds(0, 500, 40) >= 0.9
    assert holds(0.5, 1000, 40) >= 0.8
    assert holds(2, 500, 40) >= 0.85


def test_the_interval_is_moved_back_by_what_resampling_adds() -> None:
    resampled = np.linspace(0.5, 0.6, 101)  # their mean lies 0.05 above the value
    got = li.with_interval(0.5, resampled, 0.1, (100, 100))
    assert (got.low, got.high) == (pytest.approx(0.4525), pytest.approx(0.5475))
    assert li.with_interval(0.5, resampled, 0.5, (100, 100)).low == 0  # shuffled labels reach it


def test_disjoint_scores_are_bounded_by_the_rule_of_three() -> None:
    mated, nonmated = np.full(100, 9.0), np.zeros(200)
    values = li.replicates(mated, nonmated, 1.0, li.edges_of(mated, nonmated), li.draws_of_scores((100, 200), 20, 0))
    got = li.with_interval(li.d_sys(mated, nonmated), values, 0.1, (100, 200))
    assert (got.value, got.high, got.n) == (1, 1, 300)
    assert got.low == pytest.approx(0.963, abs=1e-3)


def test_people_make_the_interval_wider_than_comparisons_do() -> None:
    rng = np.random.default_rng(5)
    person = np.repeat(np.arange(40), 25)
    mated = rng.normal(0, 1, 40)[person] + rng.normal(1, 0.1, 1000)
    one, other = rng.integers(0, 40, 3000), rng.integers(0, 40, 3000)
    nonmated = rng.normal(0, 1, 3000)
    single = li.replicates(
        mated, nonmated, 1.0, li.edges_of(mated, nonmated, 20), li.draws_of_scores((1000, 3000), 100, 0)
    )
    people = li.replicates(
        mated, nonmated, 1.0, li.edges_of(mated, nonmated, 20), li.draws_of_people(person, (one, other), 100, 0)
    )
    assert np.std(people) > 2 * np.std(single)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(EvidenceError, match="0 and 3"):
        li.d_sys(np.array([]), np.ones(3))
    for omega in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="omega"):
            li.d_sys(np.ones(3), np.zeros(3), omega)
    for scores in (np.ones(3), np.array([0.0, 5e-324, 1e-323])):
        with pytest.raises(EvidenceError, match="equal"):  # and not 0.000 (0.000 to 0.000), as if that were known
            li.d_sys(scores, scores)


def test_a_code_for_a_failure_among_the_scores_does_not_hide_linkability() -> None:
    rng = np.random.default_rng(4)
    mated, nonmated = rng.normal(1, 1, 300), rng.normal(0, 1, 3000)
    wanted = li.d_sys(mated, nonmated)
    for code in (-999.0, 1e9):
        spoilt = np.append(nonmated, code)
        assert li.d_sys(mated, spoilt) == pytest.approx(wanted, abs=0.02)
        assert li.far(spoilt, li.edges_of(mated, spoilt)) >= 1
    assert li.d_sys(mated, np.append(nonmated, -999.0), bins=20) < 0.01  # as the reference, where bins are given
