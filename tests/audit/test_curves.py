"""Comparisons reduced while they stream: against the plain definitions, scikit-learn, and the whole held in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import det_curve, roc_curve

from mien.audit.metrics import Comparisons, bootstrap, eer, fmr, fnmr, pairing, tar_at_fmr, threshold_at_fmr
from mien.audit.metrics.curves import bounded, discard_curve, draws, expected_performance, measure
from mien.audit.metrics.pairing import every, listed
from mien.audit.metrics.recognition import error_versus_discard
from mien.errors import EvidenceError, InputError
from mien.types import Metric

FAILED = -np.inf


def planted(people: int, photos: int, seed: int = 0, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Simulated unit vectors around a centre per person, and whose they are."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), photos)
    vectors = rng.normal(size=(people, 16))[owner] + spread * rng.normal(size=(len(owner), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), owner


def whole(vectors: np.ndarray, owner: np.ndarray) -> Comparisons:
    """Every pair, held in memory."""
    one, other = np.triu_indices(len(owner), 1)
    scores = pairing.compared(vectors, one, other).astype(np.float64)
    there = vectors.any(1)
    scores[~(there[one] & there[other])] = FAILED
    return Comparisons(scores, owner[one], owner[other])


@pytest.fixture
def little_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most comparisons go to the bulk, and through several tiles."""
    monkeypatch.setattr(pairing, "KEPT_LEAST", 400)
    monkeypatch.setattr(pairing, "_TILE", 50)
    monkeypatch.setattr(pairing, "_CHUNK", 300)


grid = st.integers(-4, 4).map(float)  # many ties
row = st.tuples(st.one_of(grid, st.just(FAILED)), st.integers(0, 5), st.integers(0, 5))


@given(st.lists(row, min_size=2, max_size=60), grid)
def test_a_list_reduced_has_the_rates_of_the_definitions(rows: list[tuple[float, int, int]], threshold: float) -> None:
    scores, first, second = (np.array(column) for column in zip(*rows, strict=True))
    pairs = Comparisons(scores.astype(np.float64), first, second)
    genuine, impostor, _ = pairs.split()
    det = listed(pairs)
    assert det.genuine.total == len(genuine) and det.impostor.total == len(impostor)
    if len(genuine):
        assert det.fnmr(threshold) == pytest.approx(fnmr(genuine, threshold))
    if len(impostor):
        assert det.fmr(threshold) == pytest.approx(fmr(impostor, threshold))
    if len(genuine) and len(impostor) and np.isfinite(genuine).any() and np.isfinite(impostor).any():
        assert det.eer() == pytest.approx(eer(genuine, impostor))


def test_every_pair_is_the_whole_matrix() -> None:
    vectors, owner = planted(30, 4)
    vectors[[3, 50]] = 0  # failures
    genuine, impostor, _ = whole(vectors, owner).split()
    det = every(vectors, owner)
    assert (det.genuine.total, det.impostor.total) == (len(genuine), len(impostor))
    assert det.genuine.made == np.isfinite(genuine).sum() and det.impostor.made == np.isfinite(impostor).sum()
    assert det.pairs == 30 * 29 // 2 and det.mated == 30
    for threshold in (0.0, 0.3, 0.5, 0.9):
        assert det.fmr(threshold) == pytest.approx(fmr(impostor, threshold), abs=1e-4)
        assert det.fnmr(threshold) == pytest.approx(fnmr(genuine, threshold), abs=1e-4)
    assert det.threshold(1e-2) == pytest.approx(threshold_at_fmr(impostor, 1e-2), abs=1e-6)
    assert det.eer() == pytest.approx(eer(genuine, impostor), abs=1e-4)


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_the_order_of_captures_changes_nothing(seed: int) -> None:
    vectors, owner = planted(12, 3)
    order = np.random.default_rng(seed).permutation(len(owner))
    one, other = every(vectors, owner), every(vectors[order], owner[order])
    assert one.eer() == pytest.approx(other.eer(), abs=1e-9)
    assert one.impostor.scores == pytest.approx(other.impostor.scores, abs=1e-6)


@pytest.mark.usefixtures("little_kept")
def test_what_streams_past_is_exact_near_the_errors_and_bounded_in_the_bulk() -> None:
    vectors, owner = planted(60, 6, spread=0.9)
    genuine, impostor, _ = whole(vectors, owner).split()
    det = every(vectors, owner)
    assert det.impostor.kept < 800 < det.impostor.total and det.genuine.kept < det.genuine.total
    strict = float(np.sort(impostor)[-200])
    assert det.fmr(strict) == pytest.approx(fmr(impostor, strict), abs=1e-9)  # among those kept
    assert det.fnmr(float(np.sort(genuine)[200])) == pytest.approx(200 / len(genuine), abs=1e-9)
    assert det.threshold(3e-3) == pytest.approx(threshold_at_fmr(impostor, 3e-3), abs=1e-6)
    for threshold in np.quantile(impostor, np.linspace(0.05, 0.95, 19)):
        true = fmr(impostor, threshold)
        assert true - 1e-9 <= det.fmr(threshold) <= 1.05 * true + 5e-4  # never flattering, a bin's mass at most
        missed = fnmr(genuine, threshold)
        assert missed - 1e-9 <= det.fnmr(threshold) <= 1.05 * missed + 2e-2
    for rate in (0.02, 0.1, 0.4):
        assert fmr(impostor, det.threshold(rate)) <= rate + 1e-9
        assert fmr(impostor, det.threshold(rate)) >= 0.93 * rate


@pytest.mark.usefixtures("little_kept")
def test_a_long_list_is_reduced_like_a_short_one() -> None:
    vectors, owner = planted(40, 5, spread=0.8)
    pairs = whole(vectors, owner)
    shifted = Comparisons(1000 * pairs.scores, pairs.first, pairs.second)  # any scale
    _, impostor, _ = shifted.split()
    det = listed(shifted)
    assert det.impostor.kept < det.impostor.total
    assert det.threshold(1e-2) == pytest.approx(threshold_at_fmr(impostor, 1e-2))
    middle = float(np.median(impostor))
    assert fmr(impostor, middle) - 1e-9 <= det.fmr(middle) <= fmr(impostor, middle) + 0.02


@given(st.lists(st.integers(-3, 3).map(float), min_size=30, max_size=80), st.floats(0.1, 0.9))
def test_a_threshold_never_lets_more_through_than_asked(scores: list[float], rate: float) -> None:
    impostor = np.array(scores)
    people = np.arange(len(impostor))
    pairs = Comparisons(np.r_[impostor, 1.0], np.r_[people, 0], np.r_[people + len(people), 0])
    det = listed(pairs)
    if det.pairs * rate < 3:
        return
    threshold = det.threshold(rate)
    assert threshold == threshold_at_fmr(impostor, rate)
    assert det.fmr(threshold) <= rate + 1e-9


def test_scikit_learn_draws_the_same_curve() -> None:
    vectors, owner = planted(40, 3, spread=0.9)
    pairs = whole(vectors, owner)
    det = every(vectors, owner)
    false, true, thresholds = roc_curve(pairs.same, pairs.scores, drop_intermediate=False)
    for place in range(1, len(thresholds), 97):
        assert det.fmr(float(thresholds[place])) == pytest.approx(false[place], abs=1e-3)
        assert det.fnmr(float(thresholds[place])) == pytest.approx(1 - true[place], abs=1e-2)
    passed, missed, at = det_curve(pairs.same, pairs.scores)
    place = len(at) // 2
    assert listed(pairs).fmr(float(at[place])) == pytest.approx(passed[place])
    assert listed(pairs).fnmr(float(at[place])) == pytest.approx(missed[place])


def test_intervals_are_those_of_the_plain_bootstrap() -> None:
    pairs = whole(*planted(30, 4, spread=0.8))
    plain = {
        "tar": bootstrap(lambda w: tar_at_fmr(*_cut(pairs, w)[:2], 1e-2, _cut(pairs, w)[2]), pairs, 200),
        "eer": bootstrap(lambda w: eer(*_cut(pairs, w)), pairs, 200),
        "fmr": bootstrap(lambda w: fmr(pairs.scores[~pairs.same], 0.5, w[~pairs.same]), pairs, 200),
        "fnmr": bootstrap(lambda w: fnmr(pairs.scores[pairs.same], 0.5, w[pairs.same]), pairs, 200),
    }
    found = measure(listed(pairs), (1e-2,), (0.5,), 200)
    ours = {"tar": found.tar[1e-2], "eer": found.eer, "fmr": found.at[0].fmr, "fnmr": found.at[0].fnmr}
    for name, metric in ours.items():
        assert (metric.value, metric.low, metric.high) == pytest.approx(
            (plain[name].value, plain[name].low, plain[name].high), abs=1e-9
        ), name


def _cut(pairs: Comparisons, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    return pairs.split(weights)


def test_a_resample_is_a_repetition() -> None:
    """Masses of drawn people are those of the data with people repeated."""
    pairs = whole(*planted(8, 3, spread=0.8))
    det = listed(pairs)
    drawn = draws(8, 5, 3)
    for counts, mass in zip(drawn, det.impostor.masses(drawn), strict=True):
        times = counts[pairs.first].astype(int) * counts[pairs.second]
        repeated = np.repeat(pairs.scores[~pairs.same], times[~pairs.same])
        for threshold in (0.1, 0.4):
            assert mass[det.impostor.index(np.array([threshold]))[0]] == (repeated >= threshold).sum()
        assert det.impostor.weigh(counts) == len(repeated)


def test_intervals_of_the_bulk_are_wide_enough_and_no_wider_than_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against the true spread over simulated data sets: 1.4 times too wide without, 1.8 times with products of draws."""
    threshold, widths, rates = 0.22, {"bulk": [], "kept": []}, []
    for seed in range(40):
        vectors, owner = planted(60, 2, seed, 0.9)
        rates.append(every(vectors, owner).fmr(threshold))
        for name, keep in (("bulk", 50), ("kept", 2**18)) if seed < 6 else ():
            monkeypatch.setattr(pairing, "KEPT_LEAST", keep)
            found = measure(every(vectors, owner), (), (threshold,), 300).at[0].fmr
            widths[name].append(found.high - found.low)
    true = 3.92 * np.std(rates)
    assert true < np.mean(widths["bulk"]) < np.mean(widths["kept"]) < 2.3 * true


def test_rates_rest_on_pairs_of_people_not_of_photos() -> None:
    det = every(*planted(12, 30))
    assert det.impostor.total > 50_000 and det.pairs == 66
    with pytest.raises(EvidenceError, match="66 pairs of people"):
        det.threshold(1e-2)
    found = measure(det, (1e-1, 1e-2), rounds=20)
    assert list(found.tar) == [1e-1] and "rule of three" in found.refused[1e-2]


def test_failures_miss_at_every_threshold_and_never_match() -> None:
    vectors, owner = planted(10, 4, spread=0.1)
    vectors[0] = 0
    det = every(vectors, owner)
    assert det.fnmr(-1.0) == pytest.approx(3 / 60) == pytest.approx(det.genuine.failed.sum() / det.genuine.total)
    assert det.fmr(-1.0) == pytest.approx(det.impostor.made / det.impostor.total)
    assert det.fmr(-1.0) < 1


def test_what_is_missing_is_said() -> None:
    singles = every(*planted(6, 1))
    with pytest.raises(EvidenceError, match="no genuine comparison"):
        measure(singles, (1e-2,), rounds=20)
    alone = every(*planted(1, 5))
    assert alone.impostor.total == 0
    with pytest.raises(EvidenceError, match="no impostor comparison"):
        measure(alone, (1e-2,), rounds=20)
    with pytest.raises(InputError, match="1 of 2 scores"):
        listed(Comparisons(np.array([np.nan, 0.5]), np.array([0, 1]), np.array([0, 2])))


def test_an_interval_without_errors_ends_at_the_rule_of_three() -> None:
    assert bounded(Metric(0.0, 0.0, 0.0, 500), 30) == Metric(0.0, 0.0, 0.1, 500)
    assert bounded(Metric(1.0, 1.0, 1.0, 500), 30) == Metric(1.0, 0.9, 1.0, 500)
    assert bounded(Metric(0.4, 0.5, 0.6, 500), 30) == Metric(0.4, 0.4, 0.6, 500)  # a value lies in its interval
    apart = measure(listed(whole(*planted(30, 3, spread=0.01))), (0.1,), rounds=20)
    assert (apart.tar[0.1].value, apart.tar[0.1].low) == (1, pytest.approx(0.9))
    assert (apart.eer.value, apart.eer.high) == (0, pytest.approx(0.1))


def test_the_expected_performance_is_judged_on_others() -> None:
    """Development people whose scores sit 0.3 higher make thresholds too strict for the others."""
    one, other = whole(*planted(20, 4, 1, 0.8)), whole(*planted(20, 4, 2, 0.8))
    lifted = Comparisons(one.scores + 0.3, one.first, one.second)
    fair, unfair = (expected_performance(listed(part), listed(other)) for part in (one, lifted))
    middle = len(fair.alpha) // 2
    assert fair.hter[middle] == pytest.approx(listed(other).eer(), abs=0.03)
    assert unfair.hter[middle] > fair.hter[middle] + 0.05
    assert unfair.threshold[middle] == pytest.approx(fair.threshold[middle] + 0.3, abs=1e-9)


def test_discarding_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    genuine, quality, person = rng.normal(size=400), rng.normal(size=400), np.repeat(np.arange(40), 10)
    found = discard_curve(genuine < 0.0, quality, person, 50)
    for share, value in zip(found.share, found.fnmr, strict=True):
        assert value == pytest.approx(error_versus_discard(genuine, quality, 0.0, float(share)), abs=1 / 280)
    assert found.area.low <= found.area.value <= found.area.high
    oracle = discard_curve(genuine < 0.0, genuine, person, 50)
    assert found.gain.low < 0 < found.gain.high and oracle.gain.low > 0  # a quality that tells nothing, one that knows
    assert oracle.area.value < found.area.value and (np.diff(oracle.fnmr) <= 1e-12).all()
