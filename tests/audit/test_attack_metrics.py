"""Error rates of attacks against brute force, against what is known, and under properties; intervals against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.audit.metrics import attacks as a
from mien.audit.metrics import eer
from mien.errors import EvidenceError
from mien.types import Metric

grid = st.integers(-4, 4).map(float)  # many ties
scores = arrays(np.float64, st.integers(2, 30), elements=grid)
SILENT = -np.inf


def presentations(bona_fide: object, *attacks: object, subject: object = None) -> a.Presentations:
    """From the scores of bona fide presentations and of each species."""
    groups = [np.asarray(group, np.float64) for group in (bona_fide, *attacks)]
    species = np.concatenate([np.full(len(group), number - 1) for number, group in enumerate(groups)])
    names = tuple("abcdefgh"[: len(attacks)])
    people = None if subject is None else np.asarray(subject, np.int64)
    return a.Presentations(np.concatenate(groups), species.astype(np.int64), names, people)


def test_rates_are_inclusive_and_keep_the_unanswered() -> None:
    assert a.apcer(np.array([0.1, 0.5, 0.9, SILENT]), 0.5) == 0.5
    assert a.bpcer(np.array([0.1, 0.5, 0.9, SILENT]), 0.5) == 0.5
    assert a.bpcer(np.array([SILENT]), -1e300) == 1.0  # refused whatever the threshold
    assert a.apcer(np.array([SILENT]), -1e300) == 0.0
    assert a.nonresponse(np.array([0.1, SILENT, SILENT, 0.3])) == 0.5
    with pytest.raises(EvidenceError):
        a.nonresponse(np.array([]))


@given(scores, scores, scores, grid)
def test_no_species_is_worse_than_the_maximum_and_pooling_hides_it(
    bona_fide: np.ndarray, one: np.ndarray, other: np.ndarray, threshold: float
) -> None:
    found = presentations(bona_fide, one, other)
    worst, number = a.max_apcer(found, threshold, (0, 1))
    assert worst == max(np.mean(one >= threshold), np.mean(other >= threshold))
    assert a.apcer(found.of(number), threshold) == worst
    assert a.apcer(found.pooled, threshold) <= worst + 1e-12


@given(scores, scores)
def test_auc_against_brute_force(bona_fide: np.ndarray, attack: np.ndarray) -> None:
    wins = [(b > x) + 0.5 * (b == x) for b in bona_fide for x in attack]
    assert a.auc(bona_fide, attack) == pytest.approx(np.mean(wins))


@given(scores, scores, st.integers(0, 2**32 - 1))
def test_weights_of_the_auc_mean_repetition(bona_fide: np.ndarray, attack: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mine, theirs = rng.integers(0, 3, len(bona_fide)), rng.integers(0, 3, len(attack))
    mine[0] = theirs[0] = 2
    weighted = a.auc(bona_fide, attack, (mine.astype(float), theirs.astype(float)))
    assert weighted == pytest.approx(a.auc(np.repeat(bona_fide, mine), np.repeat(attack, theirs)))


def test_auc_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    bona_fide, attack = rng.normal(1, 1, 300).round(1), rng.normal(0, 1, 500).round(1)
    labels = np.r_[np.ones(300), np.zeros(500)]
    assert a.auc(bona_fide, attack) == pytest.approx(roc_auc_score(labels, np.r_[bona_fide, attack]))


@given(scores, scores)
def test_the_threshold_of_equal_errors_has_the_equal_error_rate(bona_fide: np.ndarray, attack: np.ndarray) -> None:
    threshold = a.threshold_at_eer(bona_fide, attack)
    mean = (a.apcer(attack, threshold) + a.bpcer(bona_fide, threshold)) / 2
    assert mean == pytest.approx(eer(bona_fide, attack))


def test_of_normal_scores_everything_is_known() -> None:
    rng = np.random.default_rng(1)
    bona_fide, attack = rng.normal(2, 1, 200_000), rng.normal(0, 1, 200_000)
    found = presentations(bona_fide, attack)
    threshold = a.threshold_at_apcer(found, 0.05)
    assert threshold == pytest.approx(1.645, abs=0.02)
    assert a.bpcer(bona_fide, threshold) == pytest.approx(0.361, abs=0.005)  # Phi(1.645 - 2): BPCER20
    assert a.threshold_at_eer(bona_fide, attack) == pytest.approx(1, abs=0.02)
    assert a.auc(bona_fide, attack) == pytest.approx(0.9214, abs=0.002)  # Phi(2 / sqrt 2)


def test_a_threshold_holds_every_species_and_takes_three_over_the_rate() -> None:
    rng = np.random.default_rng(2)
    found = presentations(rng.normal(3, 1, 50), rng.normal(0, 1, 300), rng.normal(1, 1, 300), np.full(20, 9.0))
    threshold = a.threshold_at_apcer(found, 0.01)
    assert max(a.apcer(found.of(number), threshold) for number in (0, 1)) <= 0.01
    assert a.apcer(found.of(2), threshold) == 1  # too few to have a say, and named by the audit
    assert a.can_set(found, 0.01) and not a.can_set(found, 0.001)
    with pytest.raises(EvidenceError, match=r"300 presentations .* cannot support an APCER of 1 in 1,000.*3,000"):
        a.threshold_at_apcer(found, 0.001)


def test_without_a_species_of_size_there_is_no_maximum() -> None:
    found = presentations(np.ones(40), np.zeros(5))
    assert found.enough() == ()
    with pytest.raises(EvidenceError, match="No attack species has 30"):
        a.max_apcer(found, 0.5, found.enough())
    with pytest.raises(EvidenceError):
        a.max_share(found, found.scores >= 0.5, found.enough())


def test_riapar_adds_what_is_let_through_and_what_is_refused() -> None:
    found = a.riapar(Metric(0.2, 0.1, 0.3, 100), Metric(0.05, 0.02, 0.09, 50))
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.12, 0.39))
    assert found.value == pytest.approx(1 + 0.2 - (1 - 0.05))


def test_a_share_of_independent_trials_has_wilsons_interval() -> None:
    found = presentations(np.ones(50), np.r_[np.ones(3), np.zeros(57)])
    got = a.share(found, found.scores >= 0.5, found.attacks)
    assert got == Metric(0.05, pytest.approx(0.0171, abs=1e-4), pytest.approx(0.1370, abs=1e-4), 60)


def test_no_error_at_all_is_bounded_by_the_number_of_people() -> None:
    people = np.r_[np.arange(50), np.repeat(np.arange(20), 30)]
    found = presentations(np.ones(50), np.zeros(600), subject=people)
    got = a.share(found, found.scores >= 0.5, found.attacks, rounds=50)
    assert (got.value, got.low) == (0, 0)
    assert got.high == pytest.approx(0.161, abs=1e-3)  # Wilson's for 0 of 20 people, not of 600 presentations


def test_intervals_know_that_presentations_share_people() -> None:
    """A person's attacks all work or all fail: 30 people with 20 presentations each are 30 trials."""
    covered, rng = 0, np.random.default_rng(3)
    for _ in range(60):
        fooled = np.repeat(rng.random(30) < 0.3, 20)
        found = presentations(
            np.ones(30), fooled.astype(float), subject=np.r_[np.arange(30), np.repeat(np.arange(30), 20)]
        )
        got = a.share(found, found.scores >= 0.5, found.attacks, rounds=200)
        covered += got.low <= 0.3 <= got.high
    assert covered >= 52  # taking 600 presentations as independent covers about 20


def coverage_of_the_maximum(rates: list[float], each: int, trials: int) -> tuple[float, float]:
    """How often the interval, and the plain percentile bootstrap, hold the true maximum."""
    rng, ours, plain = np.random.default_rng(4), 0, 0
    for _ in range(trials):
        groups = [(rng.random(each) < rate).astype(float) for rate in rates]
        found = presentations(np.ones(1), *groups)
        species = tuple(range(len(rates)))
        got = a.max_share(found, found.scores >= 0.5, species, rounds=150)
        assert got.value == a.max_apcer(found, 0.5, species)[0]
        ours += got.low <= max(rates) <= got.high
        draws = rng.binomial(each, [group.mean() for group in groups], size=(150, len(rates))).max(axis=1) / each
        low, high = np.quantile(draws, [0.025, 0.975])
        plain += low <= max(rates) <= high
    return ours / trials, plain / trials


def test_the_interval_of_a_maximum_respects_that_it_is_one() -> None:
    ours, plain = coverage_of_the_maximum([0.1] * 6, 60, 60)
    assert ours >= 0.92
    assert plain <= 0.5  # the distribution of a maximum of equals lies above it
    assert coverage_of_the_maximum([0.3, 0.05], 100, 40)[0] >= 0.9


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_no_rate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = presentations(rng.integers(0, 9, 40), rng.integers(0, 9, 60), rng.integers(0, 9, 50))
    order = rng.permutation(150)
    mixed = a.Presentations(found.scores[order], found.species[order], found.names)
    assert a.max_apcer(mixed, 4, (0, 1)) == a.max_apcer(found, 4, (0, 1))
    assert a.auc(mixed.bona_fide, mixed.pooled) == pytest.approx(a.auc(found.bona_fide, found.pooled))
    assert a.threshold_at_apcer(mixed, 0.1) == a.threshold_at_apcer(found, 0.1)


def test_a_resample_without_attacks_costs_nothing() -> None:
    people = np.r_[np.zeros(40), np.ones(40)].astype(int)  # whoever is drawn twice leaves one kind out
    found = presentations(np.ones(40), np.zeros(40), subject=people)
    equal, area = a.curve(found, rounds=30)
    assert (equal.value, equal.low, area.value, area.high) == (0, 0, 1, 1)
    assert equal.high == 1 - area.low == pytest.approx(0.793, abs=1e-3)  # one person of each kind: nothing is known


@given(scores, scores)
def test_the_walk_along_sorted_scores_gives_what_the_definitions_do(bona_fide: np.ndarray, attack: np.ndarray) -> None:
    """Each resample of `curve` against `eer` and `auc` with the same weights."""
    found = presentations(bona_fide, attack)
    split = len(bona_fide)
    pairs = [
        (eer(bona_fide, attack, (w[:split], w[split:])), a.auc(bona_fide, attack, (w[:split], w[split:])))
        for w in a.resamples(found, 5, seed=1)
    ]
    equal, area = a.curve(found, 5, seed=1)
    low, high = np.quantile(pairs, [0.025, 0.975], axis=0)
    low, high = np.minimum(low, [equal.value, area.value]), np.maximum(high, [equal.value, area.value])
    assert [equal.low, equal.high, area.low, area.high] == pytest.approx([low[0], high[0], low[1], high[1]])
    assert (equal.value, area.value) == (eer(bona_fide, attack), a.auc(bona_fide, attack))


def test_a_value_lies_in_its_own_interval() -> None:
    """Of a few resamples all may lie to one side of it."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = presentations(rng.integers(0, 3, 6).astype(float), rng.integers(0, 3, 6).astype(float))
        for metric in (*a.curve(found, 4, seed), a.hter(found, found.scores >= 1, 4, seed)):
            assert metric.low <= metric.value <= metric.high


def test_the_half_total_error_rate() -> None:
    found = presentations(np.r_[np.ones(90), np.zeros(10)], np.r_[np.ones(30), np.zeros(70)], np.zeros(100))
    got = a.hter(found, found.scores >= 0.5)
    assert got.value == pytest.approx((0.10 + 0.15) / 2)
    spread = 1.96 * np.sqrt(0.1 * 0.9 / 100 + 0.15 * 0.85 / 200) / 2
    assert got.high - got.low == pytest.approx(2 * spread, rel=0.12)
    people = a.hter(
        presentations(np.ones(50), np.zeros(50), subject=np.r_[np.arange(50), np.arange(50)]),
        np.r_[np.ones(50), np.zeros(50)] > 0,
    )
    assert people == Metric(0, 0, pytest.approx(0.0714, abs=1e-3), 100)  # none of 50
