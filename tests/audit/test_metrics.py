"""The metrics core against brute force, against properties, and against planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.audit.metrics import (
    Comparisons,
    bootstrap,
    eer,
    error_versus_discard,
    expected_fpir,
    fmr,
    fnir,
    fnmr,
    fpir,
    tar_at_fmr,
    ten_fold,
    threshold_at_fmr,
    wilson,
)
from mien.errors import EvidenceError

grid = st.integers(-5, 5).map(float)  # many ties
scores = arrays(np.float64, st.integers(1, 40), elements=grid)
long_scores = arrays(np.float64, st.integers(30, 120), elements=grid)
FAILED = -np.inf


@given(scores, grid)
def test_rates_are_inclusive_shares(sample: np.ndarray, threshold: float) -> None:
    assert fmr(sample, threshold) == pytest.approx(sum(score >= threshold for score in sample) / len(sample))
    assert fnmr(sample, threshold) == pytest.approx(1 - fmr(sample, threshold))


@given(long_scores, st.floats(0.1, 0.9))
def test_the_threshold_is_the_smallest_that_holds_the_rate(impostor: np.ndarray, rate: float) -> None:
    threshold = threshold_at_fmr(impostor, rate)
    assert fmr(impostor, threshold) <= rate + 1e-9
    below = impostor[impostor < threshold]
    if len(below):
        assert fmr(impostor, below.max()) > rate - 1e-9


@given(long_scores, st.floats(0.1, 0.9), st.integers(0, 2**32 - 1))
def test_weights_mean_repetition(impostor: np.ndarray, rate: float, seed: int) -> None:
    times = np.random.default_rng(seed).integers(0, 4, len(impostor))
    times[0] = 3
    repeated = np.repeat(impostor, times)
    if len(repeated) * rate < 3:
        return
    assert threshold_at_fmr(impostor, rate, times.astype(float)) == threshold_at_fmr(repeated, rate)
    assert fmr(impostor, 1.0, times.astype(float)) == pytest.approx(fmr(repeated, 1.0))


def test_too_few_comparisons_support_nothing() -> None:
    with pytest.raises(EvidenceError, match=r"2,999 impostor comparisons cannot support .* 1 in 1,000.* 3,000"):
        threshold_at_fmr(np.zeros(2_999), 1e-3)
    threshold_at_fmr(np.zeros(3_000), 1e-3)


@given(long_scores, long_scores)
def test_eer_against_brute_force(genuine: np.ndarray, impostor: np.ndarray) -> None:
    candidates = sorted(set(genuine) | set(impostor))
    gaps = [abs(fmr(impostor, t) - fnmr(genuine, t)) for t in candidates]
    nearest = candidates[min(range(len(gaps)), key=lambda index: (round(gaps[index], 12), index))]
    assert eer(genuine, impostor) == pytest.approx((fmr(impostor, nearest) + fnmr(genuine, nearest)) / 2)


def test_eer_of_two_normal_distributions_is_known() -> None:
    rng = np.random.default_rng(0)
    assert eer(rng.normal(2, 1, 200_000), rng.normal(0, 1, 200_000)) == pytest.approx(0.1587, abs=0.002)


def test_a_failure_is_a_miss_and_never_a_false_match() -> None:
    genuine, impostor = np.array([0.9, 0.9, 0.9, FAILED]), np.array([0.1] * 299 + [FAILED])
    assert fnmr(genuine, 0.5) == 0.25
    assert fnmr(genuine, -1e9) == 0.25
    assert fmr(impostor, -1e9) == pytest.approx(299 / 300)
    assert tar_at_fmr(genuine, impostor, 0.01) == 0.75


def test_identification_rates() -> None:
    assert fpir(np.array([0.1, 0.5, 0.6, FAILED]), 0.5) == 0.5
    mate, rank = np.array([0.9, 0.9, 0.4, FAILED]), np.array([1, 2, 1, 1])
    assert fnir(mate, rank, 0.5) == 0.75
    assert fnir(mate, rank, 0.5, within=2) == 0.5
    assert expected_fpir(0.5, 2) == pytest.approx(0.75)


def test_wilson_against_published_values() -> None:
    none = wilson(0, 10)
    assert (none.value, none.low, none.n) == (0.0, 0.0, 10)
    assert none.high == pytest.approx(0.2775, abs=1e-4)  # Newcombe 1998, method 3
    some = wilson(81, 263)
    assert (some.low, some.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    with pytest.raises(EvidenceError):
        wilson(0, 0)


def people_with_moods(rng: np.random.Generator, count: int, spread: float) -> Comparisons:
    """Genuine pairs whose scores share a person's own level, six pairs a person."""
    person = np.repeat(np.arange(count), 6)
    level = rng.normal(0, spread, count)
    return Comparisons(level[person] + rng.normal(0, 0.1, len(person)), person, person)


def test_the_bootstrap_knows_that_comparisons_share_people() -> None:
    covered, widths = 0, []
    for seed in range(60):
        sample = people_with_moods(np.random.default_rng(seed), 60, 1.0)
        metric = bootstrap(lambda w, s=sample: float(np.average(s.scores, weights=w)), sample, rounds=200, seed=seed)
        covered += metric.low <= 0.0 <= metric.high
        widths.append(metric.high - metric.low)
    assert covered >= 51  # a naive interval, 2.4 times narrower, covers about 35
    assert np.mean(widths) == pytest.approx(2 * 1.96 / np.sqrt(60), rel=0.12)


def test_the_bootstrap_counts_both_people_of_an_impostor_pair() -> None:
    first, second = np.triu_indices(12, 1)
    pairs = Comparisons((first == 0).astype(float), first, second)  # one person matches everybody
    metric = bootstrap(lambda w: fmr(pairs.scores, 0.5, w), pairs, rounds=400)
    assert metric.value == pytest.approx(11 / 66)
    assert metric.low == 0.0 and metric.high > 0.3  # without that person there is no false match at all
    assert metric.n == 66 and pairs.people == 12


def test_the_bootstrap_repeats_itself() -> None:
    sample = people_with_moods(np.random.default_rng(3), 30, 1.0)
    runs = [bootstrap(lambda w: fnmr(sample.scores, 0.0, w), sample, rounds=50, seed=7) for _ in range(2)]
    assert runs[0] == runs[1]


def test_split_hands_out_genuine_and_impostor_with_their_weights() -> None:
    pairs = Comparisons(np.array([0.9, 0.1, 0.8]), np.array([0, 0, 1]), np.array([0, 1, 1]))
    genuine, impostor, (mine, theirs) = pairs.split(np.array([1.0, 2.0, 3.0]))
    assert genuine.tolist() == [0.9, 0.8] and impostor.tolist() == [0.1]
    assert mine.tolist() == [1.0, 3.0] and theirs.tolist() == [2.0]


def test_ten_fold_chooses_each_threshold_on_the_other_folds() -> None:
    scores = np.array([0.2, 0.8] * 9 + [0.7, 0.9])  # the last fold alone would like a threshold of 0.9
    same = np.array([False, True] * 10)
    result = ten_fold(scores, same, np.repeat(np.arange(10), 2))
    assert result.folds == (*[1.0] * 9, 1.0)
    assert result.thresholds[-1] == 0.8 and result.thresholds[0] == 0.8
    shifted = ten_fold(np.array([0.2, 0.8] * 9 + [0.85, 0.9]), same, np.repeat(np.arange(10), 2))
    assert shifted.folds[-1] == 0.5 and shifted.accuracy == pytest.approx(0.95)
    assert shifted.error == pytest.approx(0.05)


def test_refusing_earns_no_point() -> None:
    same = np.array([False, True] * 10)
    scores = np.where(same, 0.9, 0.1)
    scores[0], scores[3] = FAILED, FAILED
    assert ten_fold(scores, same, np.repeat(np.arange(10), 2)).accuracy == pytest.approx(0.9)


@given(arrays(np.float64, 50, elements=st.floats(0, 1)))
def test_discarding_by_a_perfect_quality_never_raises_the_error(genuine: np.ndarray) -> None:
    curve = [error_versus_discard(genuine, genuine, 0.5, share) for share in (0, 0.1, 0.2, 0.5)]
    assert curve == sorted(curve, reverse=True)
    assert curve[0] == fnmr(genuine, 0.5)


def test_no_comparisons_no_rate() -> None:
    with pytest.raises(EvidenceError):
        fmr(np.zeros(0), 0.5)
