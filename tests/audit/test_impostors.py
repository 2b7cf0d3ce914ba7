"""All comparisons of strangers, without the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.audit import impostors as room
from mien.audit.impostors import impostors
from mien.decide import relative
from mien.errors import EvidenceError
from mien.types import Match, Metric


def planted(people: int, photos: int, seed: int = 0, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around a centre per person."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), photos)
    vectors = rng.normal(size=(people, 16))[owner] + spread * rng.normal(size=(len(owner), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), owner


def every_score(vectors: np.ndarray, owner: np.ndarray) -> np.ndarray:
    one, other = np.triu_indices(len(owner), 1)
    strangers = owner[one] != owner[other]
    return np.sort((vectors @ vectors.T)[one[strangers], other[strangers]])[::-1]


@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_counts_and_highest_scores_are_those_of_the_whole_matrix(people: int, photos: int, seed: int) -> None:
    vectors, owner = planted(people, photos, seed)
    found, whole = impostors(vectors, owner), every_score(vectors, owner)
    assert found.comparisons == len(whole)
    assert found.pairs == people * (people - 1) // 2
    assert found.scores == pytest.approx(whole[: len(found.scores)], abs=1e-5)
    assert (found.first != found.second).all()


def test_blocks_and_shrinking_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, owner = planted(150, 3)
    at_once = impostors(vectors, owner)
    monkeypatch.setattr(room, "_BLOCK", 7)
    in_blocks = impostors(vectors, owner)
    assert len(at_once.scores) == int(0.03 * at_once.comparisons) > 1000
    assert in_blocks.scores == pytest.approx(at_once.scores, abs=1e-6)
    assert in_blocks.best == pytest.approx(at_once.best, abs=1e-6)


def test_the_threshold_holds_the_rate_and_no_lower_one_does() -> None:
    vectors, owner = planted(120, 2)
    found, whole = impostors(vectors, owner), every_score(vectors, owner)
    threshold = found.threshold(1e-2)
    assert (whole >= threshold).mean() <= 1e-2
    assert (whole >= np.nextafter(np.float32(threshold), np.float32(-1))).mean() > 1e-2
    assert found.rate(threshold).value == pytest.approx((whole >= threshold).mean(), abs=2e-5)


def test_many_photos_of_few_people_support_little() -> None:
    found = impostors(*planted(12, 30))
    assert found.comparisons > 50_000
    with pytest.raises(EvidenceError, match="66 pairs of people"):
        found.threshold(1e-2)


def test_too_loose_a_rate_is_refused() -> None:
    with pytest.raises(EvidenceError, match="too loose"):
        impostors(*planted(150, 2)).threshold(0.2)


def test_one_person_has_no_strangers() -> None:
    with pytest.raises(EvidenceError, match="two people"):
        impostors(*planted(1, 5))


def test_a_rate_beyond_what_is_kept_is_a_lower_bound() -> None:
    found = impostors(*planted(150, 2))
    rate = found.rate(-1.0)
    assert rate.low == rate.value == pytest.approx(0.03, rel=1e-3) and rate.high == 1.0


def test_no_false_match_is_no_proof_of_none() -> None:
    found = impostors(*planted(12, 30))
    assert found.rate(1.0) == Metric(0.0, 0.0, pytest.approx(3 / 66), found.comparisons)


def test_the_interval_covers_the_rate_among_all_people() -> None:
    covered = 0
    for seed in range(40):
        found = impostors(*planted(60, 2, seed))
        rate = found.rate(0.6, rounds=100)
        covered += rate.low <= TRUE_RATE <= rate.high
    assert covered >= 33


TRUE_RATE = float(np.mean([(every_score(*planted(60, 2, seed)) >= 0.6).mean() for seed in range(100, 300)]))


def test_searches_by_strangers_against_brute_force() -> None:
    vectors, owner = planted(40, 3)
    found = impostors(vectors, owner)
    scores = vectors @ vectors.T
    best = [scores[i][owner != owner[i]].max() for i in range(len(owner))]
    assert found.best == pytest.approx(best, abs=1e-6)
    rate = found.search_rate(0.6)
    assert rate.value == pytest.approx(np.mean(np.array(best) >= 0.6))
    assert rate.low <= rate.value <= rate.high and rate.n == 40


def test_relative_scores_are_those_of_a_search_among_all_others() -> None:
    vectors, owner = planted(20, 3)
    turn = np.random.default_rng(1).permutation(len(owner))  # templates of a person need not stand together
    vectors, owner = vectors[turn], owner[turn]
    found = impostors(vectors, owner)
    assert found.relative is not None
    for index in range(len(owner)):
        scores = vectors @ vectors[index]
        others = sorted((max(scores[owner == p]) for p in range(20) if p != owner[index]), reverse=True)
        matches = [Match(str(rank), float(score)) for rank, score in enumerate(others)]
        assert found.relative[index] == pytest.approx(relative(matches), abs=1e-6)


def test_a_relative_threshold_leaves_room_for_one_more_stranger() -> None:
    """(named + 1) of 101 people may be 1 in 10: 9 are named, and a hair lower it would be 10."""
    found = impostors(*planted(100, 1))
    threshold = found.relative_threshold(0.1)
    assert found.relative_rate(threshold).value == pytest.approx(0.09)
    assert found.relative_rate(float(np.nextafter(np.float32(threshold), np.float32(-1)))).value == pytest.approx(0.10)


def test_people_with_many_photos_do_not_set_the_relative_threshold() -> None:
    vectors, owner = planted(60, 1)
    again = np.concatenate([vectors, np.repeat(vectors[:1], 50, axis=0)]), np.concatenate([owner, np.zeros(50, int)])
    assert impostors(*again).relative_threshold(0.1) == pytest.approx(impostors(vectors, owner).relative_threshold(0.1))


def test_rare_strangers_take_many_people() -> None:
    with pytest.raises(EvidenceError, match="at least 300"):
        impostors(*planted(299, 1)).relative_threshold(0.01)
    assert impostors(*planted(300, 1)).relative_threshold(0.01)
    assert impostors(*planted(10, 1)).relative_threshold(0.9999), "however loose"


def test_no_stranger_named_or_all_of_them_is_no_certainty() -> None:
    found = impostors(*planted(30, 2))
    assert found.search_rate(2.0) == found.relative_rate(2.0) == Metric(0.0, 0.0, pytest.approx(0.1), 30)
    assert found.search_rate(-2.0) == found.relative_rate(-2.0) == Metric(1.0, pytest.approx(0.9), 1.0, 30)
    assert impostors(*planted(2, 2)).search_rate(2.0).high == 1.0


def test_people_with_many_photos_do_not_drown_the_others_in_the_search_rate() -> None:
    vectors = np.eye(16, dtype=np.float32)[[0, 0, 0, 0, 0, 1, 1, 2]]
    owner = np.array([0, 0, 0, 0, 0, 1, 2, 3])  # two people share a vector; one of four people has five templates
    assert impostors(vectors, owner).search_rate(0.9).value == pytest.approx(0.5)
