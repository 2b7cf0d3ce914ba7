"""When to take new references: planted truth, and what is not said."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from mien.audit.longitudinal.simulated import Simulation
from mien.audit.metrics.ageing import fit
from mien.audit.metrics.ageing_draws import draw
from mien.audit.metrics.renewal import Forecast, Renewal, by_age, forecast, renewal

AGEING = Simulation(people=150, visits=12, captures=3, days=80, trend=-0.06, own_trends=0.01, shared_days=0.003)
AGES = np.linspace(0.2, 2.5, 20)
THRESHOLD = 0.55


def foreseen(study: Simulation, seed: int = 0, rounds: int = 300) -> tuple[Forecast, int]:
    records = study.draw(seed)
    data = records.cells()[0]
    found = fit(data)
    scores = (records.owner, records.years, records.score)
    return forecast(scores, found, draw(data, found, rounds, seed), THRESHOLD, AGES), len(records)


def truth(study: Simulation, years: float) -> float:
    """FNMR of the simulated people at that age, from the normal parts it was drawn from."""
    parts = (study.between_people, study.own_trends * years, study.shared_days, study.own_days, study.within)
    return NormalDist(study.level + study.trend * years, float(np.linalg.norm(parts))).cdf(THRESHOLD)


@pytest.fixture(scope="module")
def several() -> list[tuple[Forecast, int]]:
    return [foreseen(AGEING, seed, 150) for seed in range(6)]


def test_rates_are_foreseen_and_their_intervals_hold_the_truth(several: list[tuple[Forecast, int]]) -> None:
    true = np.array([truth(AGEING, age) for age in AGES])
    assert np.mean([seen.rate for seen, _ in several], axis=0) == pytest.approx(true, abs=0.05)
    held = np.mean([(seen.low <= true) & (true <= seen.high) for seen, _ in several])
    assert held > 0.6  # 0.93 over 200 seeds; the 20 ages of a seed stand and fall together
    assert all((np.diff(seen.rate) > 0).all() for seen, _ in several)


def test_the_day_of_renewal_is_near_the_true_one(several: list[tuple[Forecast, int]]) -> None:
    true = next(age for age in np.linspace(0, 3, 3001) if truth(AGEING, age) > 0.10)
    found = [renewal(seen, 0.10, n) for seen, n in several]
    metrics = [one.after for one in found if one.after is not None]
    assert len(metrics) == 6
    assert np.mean([one.value for one in metrics]) == pytest.approx(true, abs=0.1)
    assert sum(one.low <= true <= one.high for one in metrics) >= 4  # 0.94 over 200 seeds
    assert all(one.beyond < 0.025 for one in found)


def test_nothing_is_said_beyond_the_data() -> None:
    seen, n = foreseen(replace(AGEING, trend=0.0))
    assert renewal(seen, 0.5, n) == Renewal(None, False, 1.0)
    doubtful = renewal(seen, float(seen.rate[-1]) - 1e-9, n)
    assert doubtful.after is None or doubtful.after.high <= AGES[-1]


def test_a_limit_passed_from_the_start_is_no_matter_of_age() -> None:
    seen, n = foreseen(AGEING)
    assert renewal(seen, 0.001, n).already


def test_the_first_crossing_is_interpolated() -> None:
    years, rate = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.02, 0.06])
    flat = Forecast(years, rate, rate, rate, rate[None])
    found = renewal(flat, 0.04, 10).after
    assert found is not None
    assert found.value == pytest.approx(1.5)


def test_failed_captures_miss_at_every_age() -> None:
    records = AGEING.draw(0)
    data = records.cells()[0]
    found = fit(data)
    score = np.where(np.arange(len(records)) % 10 == 0, -np.inf, 10.0)
    seen = forecast((records.owner, records.years, score), found, draw(data, found, 50), THRESHOLD, AGES)
    assert seen.rate == pytest.approx(0.1, abs=1e-3)


def test_observed_rates_are_counted_by_age_and_few_people_are_not_judged() -> None:
    person = np.arange(12)
    years = np.where(person < 8, 0.5, 1.5)
    score = np.where(person % 2 == 0, 0.1, 0.9)
    weights = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), 200).astype(float)
    young, old = by_age((person, years, score), 0.5, np.array([0.0, 1.0, 2.0]), weights)
    assert young[0] is not None
    assert young[0].value == 0.5
    assert young[0].low < 0.5 < young[0].high
    assert old == (None, 4)
    none = by_age((person, years, np.ones(12)), 0.5, np.array([0.0, 2.0]), weights)[0][0]
    assert none is not None
    assert none.value == 0
    assert none.high == pytest.approx(1 - 0.05 ** (1 / 12))


def test_people_who_age_apart_are_moved_along_their_own_trends() -> None:
    study = replace(AGEING, trend=0.0, own_trends=0.06)
    late = np.mean([foreseen(study, seed, 30)[0].rate[-1] for seed in range(3)])
    assert late == pytest.approx(truth(study, AGES[-1]), abs=0.05)  # 0.18; a common trend alone would foresee 0.1 less
