"""How false alarms grow with a gallery: against scores whose law is known, and against galleries drawn one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from mien import Policy, calibrate, open_gallery
from mien.audit.growth import Held, sizes, usual
from mien.audit.metrics.growth import LEAST, REACH, Counted, Growth, Nearest, nearest
from mien.audit.recognition.identification_growth import beside, charts, predicted
from mien.decide import supports
from mien.errors import EvidenceError, UsageError
from mien.types import Sample, Template

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def simulated(people: int, noise: Callable[[np.random.Generator], np.ndarray], spread: float, seed: int) -> Nearest:
    """Scores a_i + a_j + noise: people differ by a normal `spread` in how much they look like anybody."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, spread, people)
    drawn = np.triu(noise(rng), 1)
    scores = (common[:, None] + common + drawn + drawn.T).astype(np.float32)
    np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1)[:, :64]
    return Nearest(np.take_along_axis(scores, order, 1), order.astype(np.int32), np.arange(people), people)


def true_fpir(size: int, threshold: float, spread: float, above: Callable[[np.ndarray], np.ndarray]) -> float:
    """Of the law of `simulated`, strangers' looks integrated out: comparisons are independent only given the stranger."""
    chance = above(threshold - spread * NODES)
    return float(WEIGHTS @ (1 - (1 - chance) ** size))


def normal(spread: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: stats.norm.sf(x / np.sqrt(1 + spread**2))


def heavy(spread: float, degrees: int = 4) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: (WEIGHTS * stats.t.sf(x[:, None] - spread * NODES, degrees)).sum(1)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def crowd(people: int, photos: int = 1, seed: int = 0) -> Held:
    """People who differ in how common their looks are, with several photos each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 1, 32)) + rng.uniform(0.5, 2.0, (people, 1, 1))
    vectors = unit(centres + 0.4 * rng.normal(size=(people, photos, 32))).reshape(-1, 32)
    return Held(vectors, np.repeat(np.arange(people), photos), "planted", "a crowd")


def test_shares_are_those_of_every_gallery_that_could_be_drawn() -> None:
    held = crowd(9, photos=2)
    counted, scores = Counted(nearest(held.vectors, held.owner)), held.vectors @ held.vectors.T
    for size, threshold in itertools.product((1, 3, 8), (0.2, 0.45, 0.6)):
        named = []
        for row, person in enumerate(held.owner):
            others = [other for other in range(9) if other != person]
            best = [max(scores[row, held.owner == other]) for other in others]
            named += [max(drawn) >= threshold for drawn in itertools.combinations(best, size)]
        assert counted.named(size, np.array([threshold]))[0] == pytest.approx(np.mean(named), abs=1e-9)


@pytest.mark.parametrize("spread", [0.3, 0.6])
def test_intervals_hold_the_truth_of_normal_scores(spread: float) -> None:
    """Over 15 galleries of 200: at their size, at three and at ten times as many, 95 % intervals hold it in 13 at least,
    and thresholds for 5 % come out between 3 % and 7 % on average."""
    sizes = (200, 600, 2000)
    at = [brentq(lambda x, n=n: true_fpir(n, x, spread, normal(spread)) - 0.05, 0, 20) for n in sizes]
    inside, shares = np.zeros(3), np.zeros(3)
    for seed in range(15):
        growth = Growth(simulated(200, lambda rng: rng.normal(size=(200, 200)), spread, seed), rounds=25)
        for index, size in enumerate(sizes):
            found = growth.fpir(size, at[index])
            inside[index] += found.low <= 0.05 <= found.high
            shares[index] += true_fpir(size, growth.threshold(size, 0.05), spread, normal(spread)) / 15
    assert (inside >= 13).all(), inside
    assert (shares >= 0.03).all() and (shares <= 0.07).all(), shares


def test_a_heavy_tail_is_counted_right_and_foreseen_too_low() -> None:
    """The law taken for the tail is exponential: where single scores far out are common it errs, by 2 at ten times."""
    shares = np.zeros(2)
    for seed in range(12):
        growth = Growth(simulated(300, lambda rng: rng.standard_t(4, (300, 300)), 0.3, seed), rounds=2)
        shares += [true_fpir(n, growth.threshold(n, 0.05), 0.3, heavy(0.3)) / 0.05 / 12 for n in (300, 3000)]
    assert 0.8 <= shares[0] <= 1.25
    assert 1.4 <= shares[1] <= 2.9


def test_independence_is_too_high_where_people_differ() -> None:
    spread = 0.8
    at = brentq(lambda x: true_fpir(3000, x, spread, normal(spread)) - 0.1, 0, 20)
    alone = WEIGHTS @ normal(spread)(at - spread * NODES)
    assert 1 - (1 - alone) ** 3000 > 0.13


GROWN = Growth(nearest(crowd(150).vectors, crowd(150).owner), rounds=10)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500), st.floats(0.2, 0.9), st.floats(0.2, 0.9))
def test_more_people_and_lower_thresholds_never_name_fewer(one: int, other: int, low: float, high: float) -> None:
    (one, other), (low, high) = sorted((one, other)), sorted((low, high))
    assert GROWN.fpir(one, high).value <= GROWN.fpir(other, high).value + 1e-12
    assert GROWN.fpir(one, high).value <= GROWN.fpir(one, low).value + 1e-12
    assert GROWN.threshold(one, 0.1) <= GROWN.threshold(other, 0.1) + 1e-6
    found = GROWN.fpir(one, low)
    assert found.low <= found.value <= found.high


def test_a_large_gallery_is_searched_by_some_of_its_people() -> None:
    held = crowd(400)
    some = nearest(held.vectors, held.owner, most=150)
    assert (len(np.unique(some.owner)), some.people, some.size) == (150, 400, 399)
    every, part = (Growth(one, rounds=2) for one in (nearest(held.vectors, held.owner), some))
    assert part.threshold(400, 0.1) == pytest.approx(every.threshold(400, 0.1), abs=0.04)


def test_beyond_the_evidence_nothing_is_said() -> None:
    with pytest.raises(EvidenceError, match="beyond the evidence of 150"):
        GROWN.fpir(int(150 * REACH) + 1, 0.5)
    with pytest.raises(EvidenceError, match="at least 300"):
        GROWN.threshold(150, 0.01)
    with pytest.raises(EvidenceError, match=f"at least {LEAST}"):
        Growth(nearest(crowd(LEAST - 1).vectors, crowd(LEAST - 1).owner))
    with pytest.raises(UsageError):
        GROWN.fpir(0, 0.5)


def test_sizes_tell_thresholds_mates_and_refusals() -> None:
    found = sizes(crowd(300, photos=2), (100, 300, 3000, 3001), (0.01, 0.001))
    assert [(row.size, row.predicted, row.point.fpir) for row in found.rows] == [
        (100, False, 0.01), (300, False, 0.01), (3000, True, 0.01)]  # fmt: skip
    assert [(size, rate) for size, rate, _ in found.refused] == [(3001, 0.01), (None, 0.001)]
    small, now, large = found.rows
    assert small.point.threshold < now.point.threshold < large.point.threshold
    assert large.unchanged is not None and large.unchanged.value > 3 * large.fpir.value
    assert small.missed is not None and large.missed is not None and small.missed.value <= large.missed.value
    assert large.point.subjects == 3000 and large.point.comparisons == 300
    assert any("predicted from 300 people" in line and "of mates missed" in line for line in found.words)
    assert found.chart is not None and found.chart.lines[0].y == tuple(sorted(found.chart.lines[0].y))


def test_the_policy_takes_the_threshold_of_the_size_or_the_next_larger() -> None:
    points = sizes(crowd(300), rates=(0.1, 0.01)).points
    assert sorted({point.subjects for point in points}) == list(usual(300))
    for people, serves in ((1, 150), (150, 150), (151, 300), (301, 450), (3000, 3000)):
        point = Policy().sized(points, people)
        assert point is not None and (point.subjects, point.fpir) == (serves, 0.01)
    assert Policy().sized(points, 3001) is None, "nothing measured on a smaller gallery decides in a larger one"
    assert Policy(fpir=0.05).sized(points, 300) == Policy().sized(points, 300), "the next stricter rate"
    assert Policy(fpir=0.005).sized(points, 300) is None
    assert Policy(fmr=1e-3).sized(points, 300) is None and Policy(threshold=0.5).sized(points, 300) is None
    assert all(supports(point.fpir or 0, point.comparisons) for point in points)


def test_a_warning_when_no_threshold_fits_and_only_then() -> None:
    held = crowd(301)
    with open_gallery() as people:
        for number, vector in enumerate(held.vectors[:300]):
            people.enrol(f"p{number}", [Sample(Template(vector, "planted"))])
        found = calibrate(people, data="people.db", sizes=())
        people.keep_points(found.points)
        again = calibrate(people, data="people.db")
        kept = people.points
    assert {item.point.threshold for item in again.kept} <= {point.threshold for point in kept}
    assert any(item.point.score == "relative" for item in again.kept)
    for size in (1, 300, 3000):
        assert Policy().growth_warning(kept, (), size, size, "people.db") is None
    said = Policy().growth_warning(kept, (), 3001, 3001, "people.db")
    assert said is not None and "hold for 1 to 3,000 people, and 3,001 are enrolled" in said
    assert said.endswith("mien calibrate people.db --keep")
    assert Policy(fmr=1e-3).growth_warning(kept, (), 3001, 3001, "people.db") is None
    assert Policy().growth_warning((), (), 3001, 3001, "people.db") is None, "no evidence at all is another matter"


def test_enrolled_people_foresee_what_strangers_do() -> None:
    held, strangers = crowd(400), crowd(2400, seed=5).vectors[400:]
    threshold = Growth(nearest(held.vectors, held.owner), rounds=2).threshold(400, 0.05)
    rows = predicted((held.vectors, held.owner), threshold)
    assert [row["how"] for row in rows] == ["counted"] * 4 + ["predicted"] * 3
    (here,) = (row for row in rows if row["N"] == 400)
    share = float(((strangers @ held.vectors.T).max(1) >= threshold).mean())
    assert here["low"] - 0.01 <= share <= here["high"] + 0.01
    swept = [{"N": 200, "score": "cosine", "FPIR, fixed": 0.03, "FPIR, fixed, least": 0.02, "FPIR, fixed, most": 0.04}]
    assert [row["FPIR of strangers"] for row in beside(rows, swept)] == [None, None, 0.03, None, None, None, None]
    (chart,) = charts(rows, swept, 400)
    assert [line.name for line in chart.lines] == ["from the enrolled alone", "strangers' searches"]
    assert predicted((held.vectors[:90], held.owner[:90]), threshold) == ()
