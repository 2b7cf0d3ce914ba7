"""Searches of a gallery against brute force, and at planted truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.audit.metrics import fnir, fpir
from mien.audit.metrics.searches import NOBODY, OpenSet, cmc, measure, samples, search
from mien.decide import relative
from mien.errors import EvidenceError
from mien.types import Match

FAILED = -np.inf


def scene(seed: int = 0, subjects: int = 12, strangers: int = 9) -> tuple[np.ndarray, ...]:
    """Simulated gallery vectors and owners, probe vectors, mates and people."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(subjects + strangers, 8))

    def photos(who: np.ndarray) -> np.ndarray:
        vectors = centres[who] + 0.7 * rng.normal(size=(len(who), 8))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    owner = np.repeat(np.arange(subjects), 2)
    who = np.repeat(np.arange(subjects + strangers), 2)
    return photos(owner), owner, photos(who), np.where(who < subjects, who, NOBODY), who


def brute(gallery: np.ndarray, owner: np.ndarray, probe: np.ndarray, chosen: np.ndarray) -> list[Match]:
    """A search, subject by subject."""
    found = [Match(str(s), float(max(gallery[owner == s] @ probe))) for s in chosen]
    return sorted(found, key=lambda match: -match.score)


@given(st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_searches_are_those_of_brute_force(seed: int) -> None:
    gallery, owner, probes, mates, who = scene(seed)
    (found,) = search((gallery, owner), (probes, mates, who), 12)
    cosine, stands_out = found.scored(), found.scored("relative")
    mated = strangers = 0
    for index, probe in enumerate(probes):
        matches = brute(gallery, owner, probe, np.arange(12))
        if mates[index] == NOBODY:
            assert cosine.strangers[strangers] == pytest.approx(matches[0].score, abs=1e-5)
            assert stands_out.strangers[strangers] == pytest.approx(relative(matches), abs=1e-5)
            strangers += 1
            continue
        rank = 1 + [match.subject for match in matches].index(str(mates[index]))
        assert found.rank[index] == rank
        assert found.mate[index] == pytest.approx(matches[rank - 1].score, abs=1e-5)
        assert cosine.mated[mated] == (pytest.approx(matches[0].score, abs=1e-5) if rank == 1 else FAILED)
        if rank == 1:
            assert stands_out.mated[mated] == pytest.approx(relative(matches), abs=1e-5)
        mated += 1


def test_smaller_galleries_are_searched_as_if_nobody_else_were_enrolled() -> None:
    gallery, owner, probes, mates, who = scene(3)
    chosen = samples(12, [5], 3, seed=1)
    _, *smaller = search((gallery, owner), (probes, mates, who), 12, chosen)
    for enrolled, found in zip(chosen, smaller, strict=True):
        assert found.subjects == 5
        for index, probe in enumerate(probes):
            mate = mates[index]
            others = [s for s in enrolled if s != mate]
            if mate != NOBODY and mate not in enrolled:
                others = [s for s in others if s != enrolled[-1]]  # whose place the mate takes
            best = brute(gallery, owner, probe, np.array(others))[0].score
            assert found.others[index, 0] == pytest.approx(best, abs=1e-5)


def test_failures_are_misses_and_never_false_alarms() -> None:
    gallery, owner, probes, mates, who = scene(5)
    probes[0], probes[-1] = 0, 0  # one with a mate, one of a stranger
    gallery[owner == 3] = 0  # somebody who could not be enrolled
    (found,) = search((gallery, owner), (probes, mates, who), 12)
    scores = found.scored()
    assert found.rank[0] == 13 and scores.mated[0] == FAILED
    assert (found.rank[mates == 3] == 13).all()
    assert scores.fnir(-2.0) >= 3 / len(scores.mated)
    assert scores.fpir(-2.0) == pytest.approx(1 - 1 / len(scores.strangers))


def test_rates_are_those_of_the_definitions() -> None:
    gallery, owner, probes, mates, who = scene(7)
    (found,) = search((gallery, owner), (probes, mates, who), 12)
    scores = found.scored()
    for threshold in (0.3, 0.6, 0.8):
        assert scores.fpir(threshold) == fpir(found.others[~found.mated, 0], threshold)
        assert scores.fnir(threshold) == fnir(found.mate[found.mated], found.rank[found.mated], threshold)
    assert cmc(found, [1, 2, 12]).tolist() == sorted(cmc(found, [1, 2, 12]))
    assert cmc(found, [12])[0] == 1.0


def test_ties_count_against_the_mate() -> None:
    same = np.ones((2, 4), np.float32) / 2
    (found,) = search((same, np.arange(2)), (same[:1], np.zeros(1, np.int64), np.zeros(1, np.int64)), 2)
    assert found.rank[0] == 2


@given(st.lists(st.integers(-3, 3).map(float), min_size=30, max_size=60), st.floats(0.1, 0.9))
def test_a_threshold_never_names_more_strangers_than_asked(scores: list[float], rate: float) -> None:
    strangers = np.array(scores)
    people = np.arange(len(strangers))
    searches = OpenSet(np.zeros(1), strangers, np.array([-1]), people)
    if len(strangers) * rate < 3:
        return
    threshold = searches.threshold(rate)
    assert searches.fpir(threshold) <= rate + 1e-9
    below = strangers[strangers < threshold]
    if len(below):
        assert searches.fpir(float(below.max())) > rate - 1e-9


def test_intervals_are_those_of_people_drawn() -> None:
    """Against a plain loop over resamples."""
    rng = np.random.default_rng(0)
    mated, strangers = rng.normal(2, 1, 60), rng.normal(0, 1, 80)
    whose = np.repeat(np.arange(30), 2), 30 + np.repeat(np.arange(40), 2)
    found = measure(OpenSet(mated, strangers, *whose), (0.1,), (1.0,), rounds=200)
    from mien.audit.metrics.curves import draws

    values = []
    for counts in draws(70, 200, 0):
        again = np.repeat(strangers, counts[whose[1]])
        often = np.repeat(mated, counts[whose[0]])
        threshold = np.nextafter(np.sort(again)[::-1][int(0.1 * len(again) + 1e-9)], np.inf)
        values.append((np.mean(often < threshold), np.mean(again >= 1.0), np.mean(often < 1.0)))
    low, high = np.quantile(np.array(values), [0.025, 0.975], axis=0)
    (at,) = found.at
    for metric, a, b in zip((found.fnir[0.1], at.fpir, at.fnir), low, high, strict=True):
        assert (metric.low, metric.high) == (pytest.approx(a), pytest.approx(b))


def test_too_few_strangers_support_nothing() -> None:
    few = OpenSet(np.ones(5), np.zeros(20), np.arange(5), 5 + np.repeat(np.arange(10), 2))
    with pytest.raises(EvidenceError, match="10 strangers cannot support naming 1 in 10"):
        few.threshold(0.1)
    assert "30" in measure(few, (0.1,), rounds=20).refused[0.1]
    with pytest.raises(EvidenceError, match="mate"):
        measure(OpenSet(np.empty(0), np.zeros(3), np.empty(0, int), np.arange(3)), (0.1,))
    with pytest.raises(EvidenceError, match="stranger"):
        measure(OpenSet(np.ones(3), np.empty(0), np.arange(3), np.empty(0, int)), (0.1,))


def test_a_relative_score_takes_six_subjects() -> None:
    gallery, owner, probes, mates, who = scene(1, subjects=5)
    (found,) = search((gallery, owner), (probes, mates, who), 5)
    with pytest.raises(EvidenceError, match="6 subjects"):
        found.scored("relative")
