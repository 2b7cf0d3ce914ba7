"""Morphing Attack Potential and match rates of morphs: the published figures, brute force, properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.audit.attacks.morph_scores import MorphScores, read_morphs
from mien.audit.metrics import morphing
from mien.audit.metrics.morphing import Morphs, over_morphs
from mien.errors import EvidenceError

PUBLISHED = "golden/morphing_attack_potential_scores.zip"


def morphs(scores: np.ndarray, thresholds: float = 0.5) -> Morphs:
    """scores: (morphs, people, systems, attempts)."""
    count, people, systems, _ = scores.shape
    return Morphs(
        scores.reshape(count * people, *scores.shape[2:]).astype(np.float64),
        np.repeat(np.arange(count), people),
        tuple(f"M{number}" for number in range(count)),
        tuple(f"S{number}" for number in range(systems)),
        np.full(systems, thresholds),
    )


tables = arrays(
    np.float64, st.tuples(*(st.integers(1, n) for n in (5, 3, 3, 4))), elements=st.sampled_from([0.0, 0.5, 1])
)


@given(tables)
def test_potential_against_brute_force(scores: np.ndarray) -> None:
    count, people, systems, attempts = scores.shape
    found = morphs(scores)
    cases = morphing.potential(morphing.matches(found), found.attempts)
    assert cases.shape == (count, attempts, systems)
    for m in range(count):
        for r in range(1, attempts + 1):
            fooled = [
                s for s in range(systems)
                if all(sum(x >= 0.5 for x in scores[m, p, s]) >= r for p in range(people))
            ]  # fmt: skip
            for c in range(1, systems + 1):
                assert cases[m, r - 1, c - 1] == (len(fooled) >= c)


@given(tables)
def test_rates_of_one_recogniser_against_brute_force(scores: np.ndarray) -> None:
    count, people, systems, attempts = scores.shape
    found = morphs(scores)
    least = morphing.matches(found)
    hits, trials = morphing.fully_mated(found)
    product = morphing.product_of_shares(found)
    for s in range(systems):
        best = [min(max(scores[m, p, s]) for p in range(people)) for m in range(count)]
        assert morphing.mmpmr(least)[s] == pytest.approx(np.mean([x >= 0.5 for x in best]))  # MinMax
        paired = [all(scores[m, p, s, t] >= 0.5 for p in range(people)) for m in range(count) for t in range(attempts)]
        assert hits[:, s].sum() / trials[:, s].sum() == pytest.approx(np.mean(paired))
        shares = [np.prod([np.mean(scores[m, p, s] >= 0.5) for p in range(people)]) for m in range(count)]
        assert product[:, s] == pytest.approx(shares)
        # one attempt of each person is less than the best of all of them
        assert product[:, s].mean() <= morphing.mmpmr(least)[s] + 1e-12
        assert np.mean(paired) <= morphing.mmpmr(least)[s] + 1e-12


@given(tables)
def test_potential_falls_along_attempts_and_recognisers(scores: np.ndarray) -> None:
    found = morphs(scores)
    share = morphing.potential(morphing.matches(found), found.attempts).mean(axis=0)
    assert np.all(np.diff(share, axis=0) <= 0)
    assert np.all(np.diff(share, axis=1) <= 0)
    assert share[0, 0] >= morphing.mmpmr(morphing.matches(found)).max() - 1e-12


def test_a_failed_attempt_counts_and_one_not_made_does_not() -> None:
    scores = np.array([[[[1.0, -np.inf]], [[1.0, 1.0]]], [[[1.0, np.nan]], [[1.0, 1.0]]]])
    found = morphs(scores)
    assert found.attempts == 1
    assert morphing.matches(found)[:, 0].tolist() == [1, 1]
    assert morphing.product_of_shares(found)[:, 0].tolist() == [0.5, 1.0]
    hits, trials = morphing.fully_mated(found)
    assert (hits[:, 0].tolist(), trials[:, 0].tolist()) == ([1, 1], [2, 1])


def test_relative_rate_above_one_means_morphs_match_more_often_than_people() -> None:
    assert morphing.rmmr(0.98, 0.05) == pytest.approx(1.03)
    assert morphing.rmmr(0.3, 0.05) == pytest.approx(1 + 0.3 - (1 - 0.05))


def test_the_interval_is_one_of_morphs_not_of_attempts() -> None:
    """Ten attempts on a morph that all succeed or all fail are one trial."""
    rng, covered, widths = np.random.default_rng(0), 0, []
    for seed in range(60):
        hits = np.repeat(rng.random(50) < 0.4, 10).reshape(50, 10).sum(axis=1, keepdims=True).astype(float)
        (got,) = over_morphs(hits, np.full_like(hits, 10), rounds=200, seed=seed)
        covered += got.low <= 0.4 <= got.high
        widths.append(got.high - got.low)
    assert covered >= 51
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.sqrt(0.24 / 50), rel=0.12)  # 500 trials: a third of that


def test_a_cell_without_a_morph_is_bounded() -> None:
    none, every = over_morphs(np.c_[np.zeros(100), np.ones(100)], rounds=20)
    assert (none.value, none.low, none.high) == (0, 0, pytest.approx(0.037, abs=1e-3))
    assert (every.low, every.high) == (pytest.approx(0.963, abs=1e-3), 1)
    with pytest.raises(EvidenceError):
        over_morphs(np.empty((0, 1)))


@pytest.fixture(scope="module")
def published(data: Path) -> MorphScores:
    path = data / PUBLISHED
    if not path.is_file():
        pytest.skip(f"{PUBLISHED} is absent")
    return read_morphs(path)


def shares(one: Morphs) -> np.ndarray:
    return morphing.potential(morphing.matches(one), one.attempts).mean(axis=0)


def test_the_published_potential_to_the_digit(published: MorphScores) -> None:
    digital = published.sets["D"]
    assert (len(digital.names), digital.attempts, len(published.sets["PS"].names)) == (2045, 10, 3703)
    assert not published.problems
    percent = np.round(100 * shares(digital), 1)
    assert percent[0].tolist() == [40.5, 17.6, 6.8, 1.4]
    assert percent[9].tolist() == [8.5, 2.2, 0.0, 0.0]


def test_the_match_rates_of_the_published_scores(published: MorphScores) -> None:
    for name, wanted in (("D", [0.302, 0.122, 0.090, 0.150]), ("PS", [0.295, 0.099, 0.090, 0.140])):
        one = published.sets[name]
        assert one.systems == ("ArcFace", "VGG-Face", "Facenet", "Dlib")
        assert np.round(morphing.mmpmr(morphing.matches(one)), 3).tolist() == wanted


def test_the_order_of_morphs_changes_nothing(published: MorphScores) -> None:
    one = published.sets["D"]
    order = np.random.default_rng(0).permutation(len(one.morph))
    mixed = Morphs(one.scores[order], one.morph[order], one.names, one.systems, one.thresholds)
    assert np.array_equal(shares(mixed), shares(one))
