"""Planted changes that all people share: found, dated, and not found where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.audit.longitudinal.simulated import Simulation
from mien.audit.metrics.ageing import fit
from mien.audit.metrics.drift import Change, Days, Odd, change, days, odd

STUDY = Simulation(people=60, visits=12, captures=4, days=60)


def series(study: Simulation, seed: int = 0) -> Days:
    data, _, date, device = study.draw(seed).cells()
    return days(data, fit(data), date, device)[0]


def looked(study: Simulation, seed: int) -> tuple[Days, Change, Odd]:
    one = series(study, seed)
    found = change(one, 299, seed)
    assert found is not None
    return one, found, odd(one)


def test_a_step_is_found_and_dated() -> None:
    one, found, _ = looked(replace(STUDY, step=-0.04), 1)
    true = int(one.date[round(0.6 * len(one.date))])
    assert found.p < 0.02
    assert found.kind == "step"
    assert found.low <= true <= found.high
    assert abs(found.date - true) < 120
    assert found.size == pytest.approx(-0.04, abs=3 * found.error)


def test_a_ramp_is_found() -> None:
    one, found, _ = looked(replace(STUDY, ramp=-0.08, since=0.5), 2)
    assert found.p < 0.05
    assert found.size < 0
    assert found.low <= int(one.date[30]) <= found.high


def test_an_odd_day_is_found_and_named() -> None:
    one, _, strange = looked(replace(STUDY, odd=-0.08), 3)
    assert strange.days[0] == 30
    assert strange.z[30] < -strange.limit
    assert one.people[30] > 0


def test_two_odd_days_do_not_hide_each_other() -> None:
    one = series(STUDY, 4)
    pull = one.pull.copy()
    pull[[10, 11]] += 9 * np.sqrt(np.diag(one.covariance))[[10, 11]]
    assert set(odd(replace(one, pull=pull)).days) >= {10, 11}


def test_people_who_age_are_no_change() -> None:
    """A strong common trend is in the model, not in the days."""
    ps = [looked(replace(STUDY, trend=-0.08, own_trends=0.02), seed)[1].p for seed in range(6)]
    assert sum(p <= 0.05 for p in ps) <= 1


def test_few_days_are_not_searched() -> None:
    one = series(replace(STUDY, days=14, visits=8), 0)
    short = Days(*(getattr(one, name)[:8] for name in Days.__slots__[:-1]), one.covariance[:8, :8])
    assert change(short) is None


@pytest.mark.slow
def test_false_alarms_and_detections_are_as_stated() -> None:
    """Of 100 studies each: at most 10 false alarms of either kind at a rate of 5 %; a step of 4 sds of days found in 90."""
    runs = 100
    quiet = [looked(STUDY, seed) for seed in range(runs)]
    assert sum(found.p <= 0.05 for _, found, _ in quiet) <= 10
    assert sum(bool(strange.days) for _, _, strange in quiet) <= 12
    loud = [looked(replace(STUDY, step=-0.04), seed)[1] for seed in range(runs)]
    assert sum(found.p <= 0.05 for found in loud) >= 90


def test_days_without_a_change_are_standard() -> None:
    z = np.concatenate([series(STUDY, seed).standard for seed in range(4)])
    assert z.std() == pytest.approx(1, abs=0.15)
    assert z.mean() == pytest.approx(0, abs=0.15)
