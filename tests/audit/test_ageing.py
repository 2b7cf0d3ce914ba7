"""The mixed model of ageing against brute force, against statsmodels, and against planted truth."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from mien.audit.longitudinal.simulated import Simulation
from mien.audit.metrics.ageing import Cells, Fit, _Model, cells, day_scores, fit
from mien.audit.metrics.ageing_draws import between, deviations, draw, ratios
from mien.audit.metrics.ageing_lines import trends
from mien.errors import EvidenceError

SMALL = Simulation(people=24, visits=6, captures=3, days=15, own_trends=0.02)
MIDDLE = Simulation(people=60, visits=12, captures=4, days=60)


def drawn(study: Simulation, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Person, day, years, score of a simulated study."""
    data = study.draw(seed)
    return data.owner, np.unique(data.day, return_inverse=True)[1], data.years, data.score


def of(study: Simulation, seed: int = 0) -> Cells:
    return cells(*drawn(study, seed))


@pytest.fixture(scope="module")
def middle() -> tuple[Cells, Fit]:
    data = of(MIDDLE)
    return data, fit(data)


def brute(study: Simulation, parts: dict[str, float]) -> tuple[float, np.ndarray, np.ndarray]:
    """Restricted likelihood, effects and day scores from the whole covariance matrix, written out."""
    person, day, years, score = drawn(study)
    model = _Model(cells(person, day, years, score))
    t, y = (years - model.centre) / model.span, (score - model.offset) / model.scale
    same, shared = person[:, None] == person, day[:, None] == day
    cov = same * (parts["people"] + parts["covariance"] * (t[:, None] + t) + parts["trends"] * np.outer(t, t))
    cov = cov + parts["shared"] * shared + parts["own"] * (same & shared) + parts["within"] * np.eye(len(y))
    inverse, fixed = np.linalg.inv(cov), np.stack([np.ones(len(y)), t], 1)
    information = fixed.T @ inverse @ fixed
    effects = np.linalg.solve(information, fixed.T @ inverse @ y)
    left = y - fixed @ effects
    likelihood = np.linalg.slogdet(cov)[1] + np.linalg.slogdet(information)[1] + left @ inverse @ left
    days = (day[:, None] == np.arange(day.max() + 1)).astype(float)
    return -likelihood / 2, effects, days.T @ inverse @ left


PARTS = {"people": 0.5, "trends": 0.1, "covariance": 0.05, "shared": 0.2, "own": 0.3, "within": 0.4}


def test_the_likelihood_is_that_of_the_whole_covariance_matrix() -> None:
    model = _Model(of(SMALL))
    other = {"people": 0.3, "trends": 0.02, "covariance": -0.03, "shared": 0.05, "own": 0.1, "within": 0.2}
    none = {**PARTS, "shared": 0.0, "trends": 0.0, "covariance": 0.0}
    constant = brute(SMALL, PARTS)[0] - model.solve(PARTS)["likelihood"]
    for parts in (other, none):
        likelihood, effects, _ = brute(SMALL, parts)
        assert likelihood - model.solve(parts)["likelihood"] == pytest.approx(constant, abs=1e-6)
        assert model.solve(parts)["effects"] == pytest.approx(effects, abs=1e-9)


def test_sparse_and_dense_days_give_the_same() -> None:
    few = replace(SMALL, people=20, visits=4, days=300)  # people see few of all days: kept sparse
    model = _Model(of(few))
    assert model._spread(np.ones(len(model.t)), np.ones((model.data.people, 2, 2))).__class__.__name__ == "csr_matrix"
    constant = brute(few, PARTS)[0] - model.solve(PARTS)["likelihood"]
    parts = {**PARTS, "shared": 0.7}
    assert brute(few, parts)[0] - model.solve(parts)["likelihood"] == pytest.approx(constant, abs=1e-6)


def test_day_scores_are_those_of_the_whole_covariance_matrix() -> None:
    data = of(SMALL)
    found = fit(data)
    model, parts = found.model
    pull, covariance = model.pull(parts)
    assert pull == pytest.approx(brute(SMALL, parts)[2], abs=1e-6)
    assert np.linalg.eigvalsh(covariance).min() > -1e-8  # a covariance
    assert covariance.sum(1) == pytest.approx(0, abs=1e-8)  # a level common to all days is no change
    assert day_scores(found)[0] == pytest.approx(pull / model.scale)


def test_the_fit_is_that_of_statsmodels_without_shared_days() -> None:
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    person, day, years, score = drawn(replace(SMALL, shared_days=0.0), 3)
    model = _Model(cells(person, day, years, score))
    model.free[3] = False  # statsmodels nests, it does not cross
    ours = model.best()
    table = pd.DataFrame({"p": person, "d": day, "t": years - ours.centre, "s": score * 10})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own numerics
        wanted = {"groups": "p", "re_formula": "~t", "vc_formula": {"own": "0 + C(d)"}}
        theirs = MixedLM.from_formula("s ~ t", table, **wanted).fit(reml=True)
    assert ours.trend == pytest.approx(theirs.params["t"] / 10, rel=0.01)
    assert ours.trend_error == pytest.approx(theirs.bse["t"] / 10, rel=0.02)
    assert ours.variances["people"] == pytest.approx(theirs.cov_re.iloc[0, 0] / 100, rel=0.02)
    assert ours.variances["trends"] == pytest.approx(theirs.cov_re.iloc[1, 1] / 100, rel=0.05, abs=1e-6)
    assert ours.variances["own"] == pytest.approx(float(theirs.vcomp[0]) / 100, rel=0.02)
    assert ours.variances["within"] == pytest.approx(theirs.scale / 100, rel=0.01)


def test_the_fit_is_that_of_statsmodels_with_shared_days() -> None:
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    study = replace(SMALL, people=12, visits=5, captures=2, days=8, own_trends=0.0, shared_days=0.03)
    person, day, years, score = drawn(study, 1)
    model = _Model(cells(person, day, years, score))
    model.free[1] = model.free[2] = False
    ours = model.best()
    table = pd.DataFrame({"p": person, "d": day, "t": years - ours.centre, "s": score * 10, "one": 1})
    parts = {"u": "0 + C(p)", "c": "0 + C(d)", "v": "0 + C(p):C(d)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = MixedLM.from_formula("s ~ t", table, groups="one", re_formula="0", vc_formula=parts).fit(reml=True)
    found = dict(zip(theirs.model.exog_vc.names, theirs.vcomp / 100, strict=True))
    assert ours.variances["people"] == pytest.approx(found["u"], rel=0.03)
    assert ours.variances["shared"] == pytest.approx(found["c"], rel=0.03)
    assert ours.variances["own"] == pytest.approx(found["v"], rel=0.03)
    assert ours.trend == pytest.approx(theirs.params["t"] / 10, rel=0.02)
    assert ours.trend_error == pytest.approx(theirs.bse["t"] / 10, rel=0.03)


def test_the_order_of_scores_is_nothing(middle: tuple[Cells, Fit]) -> None:
    rows = drawn(MIDDLE)
    order = np.random.default_rng(0).permutation(len(rows[0]))
    again = fit(cells(*(row[order] for row in rows)))
    assert again.trend == pytest.approx(middle[1].trend, rel=1e-4)
    assert again.variances["own"] == pytest.approx(middle[1].variances["own"], rel=1e-4)


def test_units_come_out_as_they_went_in(middle: tuple[Cells, Fit]) -> None:
    """Scores tenfold and moved, years as before: sds tenfold, nothing else."""
    person, day, years, score = drawn(MIDDLE)
    scaled = fit(cells(person, day, years, 10 * score - 3))
    assert scaled.trend == pytest.approx(10 * middle[1].trend, rel=1e-3)
    assert scaled.level == pytest.approx(10 * middle[1].level - 3, rel=1e-4)
    for name, value in middle[1].variances.items():
        assert scaled.variances[name] == pytest.approx(100 * value, rel=0.01, abs=1e-6)


@pytest.mark.parametrize("slope", [-0.05, 0.05])
def test_a_monotone_drift_has_its_sign(slope: float) -> None:
    data = of(replace(MIDDLE, trend=slope), 1)
    found = fit(data)
    assert np.sign(found.trend) == np.sign(slope)
    assert found.trend == pytest.approx(slope, abs=4 * found.trend_error)
    own = trends(data)
    assert own.distinct.mean() > 0.5
    assert (np.sign(own.slope[own.distinct]) == np.sign(slope)).all()


def test_nobody_is_said_to_age_where_nobody_does() -> None:
    """False discoveries: over 20 simulated studies without any trend, one person of 1,200 may be named by chance."""
    still = replace(MIDDLE, trend=0.0, own_trends=0.0, shared_days=0.0)
    named = [int(trends(of(still, seed)).distinct.sum()) for seed in range(20)]
    assert sum(number > 0 for number in named) <= 4  # one in twenty expected


def test_devices_have_levels_of_their_own() -> None:
    data = replace(MIDDLE, devices=2).draw(2)
    keys = np.unique(np.stack([data.day, data.device]), axis=1, return_inverse=True)[1].reshape(-1)
    plain = fit(cells(data.owner, keys, data.years, data.score, data.device))
    lifted = fit(cells(data.owner, keys, data.years, data.score + 0.2 * (data.device == 1), data.device))
    assert lifted.devices[1] - plain.devices[1] == pytest.approx(0.2, abs=1e-3)
    assert lifted.trend == pytest.approx(plain.trend, abs=1e-4)
    assert lifted.variances["shared"] == pytest.approx(plain.variances["shared"], rel=0.05)


def test_planted_truth_is_within_its_intervals(middle: tuple[Cells, Fit]) -> None:
    data, found = middle
    sampled = draw(data, found, 400)
    counts = dict.fromkeys(("people", "trends", "shared", "own", "within"), 1)
    told = deviations(found, sampled, counts)
    truth = {"people": 0.06, "trends": 0.004, "shared": 0.01, "own": 0.03, "within": 0.015}
    for name, value in truth.items():
        assert told[name].low <= value <= told[name].high, name
    trend = between(found.trend, sampled.trend, 1)
    assert trend.low <= -0.004 <= trend.high
    compared = ratios(found, sampled, 2.5, 1)
    assert compared.trend_to_day is not None
    assert compared.trend_to_day.low <= 0.004 * 2.5 / np.hypot(0.01, 0.03) <= compared.trend_to_day.high
    assert compared.trend_to_day.high < 1 < compared.least  # days dominate


def test_ageing_that_dominates_is_seen_to() -> None:
    data = of(replace(MIDDLE, trend=-0.06, own_days=0.01, shared_days=0.003), 4)
    found = fit(data)
    compared = ratios(found, draw(data, found, 200), 2.5, 1)
    assert compared.day_to_trend is not None
    assert compared.trend_to_day is not None
    assert compared.day_to_trend.high < 1 < compared.trend_to_day.low
    assert compared.day_share.high < 0.5


def test_a_trend_that_may_be_none_leaves_the_ratio_open() -> None:
    data = of(replace(MIDDLE, trend=0.0), 5)
    found = fit(data)
    compared = ratios(found, draw(data, found, 200), 2.5, 1)
    assert compared.day_to_trend is None
    assert compared.trend_to_day is not None
    assert compared.trend_to_day.low == 0
    assert np.isfinite(compared.least)


def test_what_cannot_be_told_apart_is_not_guessed() -> None:
    single = fit(of(replace(MIDDLE, captures=1)))
    assert single.variances["own"] == 0  # in `within`
    assert single.variances["within"] == pytest.approx(0.03**2 + 0.015**2, rel=0.15)
    person, _, years, score = drawn(MIDDLE)
    alone = np.unique(np.stack([person, years]), axis=1, return_inverse=True)[1].reshape(-1)
    assert fit(cells(person, alone, years, score)).variances["shared"] == 0


@pytest.mark.parametrize(
    ("person", "day", "years", "told"),
    [
        ([0, 0, 0, 0], [0, 1, 2, 3], [0, 1, 2, 3], "One person"),
        ([0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], "same age"),
        ([0, 0, 1, 2], [0, 1, 0, 0], [0, 1, 0, 0], "cannot show a trend"),
    ],
)
def test_data_that_say_nothing_are_refused(person: list[int], day: list[int], years: list[int], told: str) -> None:
    with pytest.raises(EvidenceError, match=told):
        fit(cells(np.array(person), np.array(day), np.array(years, float), np.array([0.1, 0.2, 0.3, 0.4])))


def test_equal_scores_are_refused() -> None:
    person, day, years, score = drawn(SMALL)
    with pytest.raises(EvidenceError, match="equal"):
        fit(cells(person, day, years, np.full(len(score), 0.5)))


def test_the_same_seed_gives_the_same_draws(middle: tuple[Cells, Fit]) -> None:
    one, same, other = (draw(*middle, 50, seed) for seed in (0, 0, 1))
    assert (one.trend == same.trend).all()
    assert (one.trend != other.trend).any()


@pytest.mark.slow
@pytest.mark.parametrize("truth", [{}, {"trend": -0.06, "own_days": 0.01}])
def test_intervals_cover(truth: dict[str, float]) -> None:
    """95 % intervals of trend, day and ratio hold the truth in at least 90 of 100 simulated studies."""
    study = replace(MIDDLE, **truth)
    day, hits, runs = np.hypot(study.own_days, study.shared_days), np.zeros(3), 100
    for seed in range(runs):
        data = of(study, seed)
        found = fit(data)
        sampled = draw(data, found, 300, seed)
        trend = between(found.trend, sampled.trend, 1)
        spread = deviations(found, sampled, {"day": 1})["day"]
        ratio = ratios(found, sampled, 2.5, 1).trend_to_day
        assert ratio is not None
        pairs = ((trend, study.trend), (spread, day), (ratio, abs(study.trend) * 2.5 / day))
        hits += [metric.low <= value <= metric.high for metric, value in pairs]
    assert (hits >= 0.90 * runs).all(), hits


def test_what_all_share_on_a_day_is_in_the_doubt_about_the_trend() -> None:
    """Resampling people alone would miss most of it."""
    data = of(replace(MIDDLE, shared_days=0.03), 1)
    found = fit(data)
    assert found.trend_error_of_days > 0.7 * found.trend_error
    assert np.std(draw(data, found, 1000).trend) == pytest.approx(found.trend_error, rel=0.15)


def test_what_is_expected_of_people_follows_their_own_trends() -> None:
    data = of(replace(MIDDLE, own_trends=0.1), 1)
    found = fit(data)
    left = data.mean - found.expected(data) - found.day_effect[data.day]
    assert np.std(left) == pytest.approx(0.03, rel=0.2)  # a person's own day, and little else
    assert np.corrcoef(found.person_trend, trends(data).slope)[0, 1] > 0.95
