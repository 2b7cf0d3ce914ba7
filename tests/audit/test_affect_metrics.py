"""Affect metrics against scikit-learn, hand-worked tables, published examples and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from mien.audit.metrics import affect, agreement, confidence, people, spotting
from mien.audit.metrics.spotting import Intervals
from mien.errors import EvidenceError

answers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.array(pairs).T
    return truth, predicted


# --- classes ------------------------------------------------------------------------------------------------------


@given(answers)
def test_classes_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = arrays(pairs)
    counts = affect.counts(truth, predicted, 4)
    present = np.unique(np.r_[truth, predicted])
    with_truth = np.unique(truth)
    assert (counts[:, :4] == oracle.confusion_matrix(truth, predicted, labels=range(4))).all()
    f1 = oracle.f1_score(truth, predicted, labels=present, average=None, zero_division=0.0)
    assert affect.f1s(counts)[present] == pytest.approx(f1)
    assert affect.macro_f1(counts) == pytest.approx(f1.mean())
    recall = oracle.recall_score(truth, predicted, labels=with_truth, average=None, zero_division=0.0)
    assert affect.recalls(counts)[with_truth] == pytest.approx(recall)
    assert affect.uar(counts) == pytest.approx(recall.mean())
    assert affect.war(counts) == pytest.approx(oracle.accuracy_score(truth, predicted))
    weighted = oracle.f1_score(truth, predicted, average="weighted", zero_division=0.0)
    assert affect.weighted_f1(counts) == pytest.approx(weighted)


def test_missing_classes_by_hand() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 2, 0, 2])  # 1 never predicted, 2 without truth, 3 neither
    counts = affect.counts(truth, predicted, 4)
    assert affect.f1s(counts)[:3].tolist() == [0.5, 0, 0]
    assert np.isnan(affect.f1s(counts)[3])
    assert affect.macro_f1(counts) == pytest.approx(0.5 / 3)
    assert affect.recalls(counts)[:2].tolist() == [0.5, 0]
    assert np.isnan(affect.recalls(counts)[2:]).all()
    assert affect.uar(counts) == 0.25
    assert affect.missing(counts, ["a", "b", "c", "d"]) == (("c", "d"), ("b",))


def test_no_answer_is_a_miss_and_stays_in_every_denominator() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, affect.NO_ANSWER, 1, 1])
    counts = affect.counts(truth, predicted, 2)
    assert affect.war(counts) == 0.75
    assert affect.recalls(counts).tolist() == [0.5, 1]
    assert affect.f1s(counts).tolist() == pytest.approx([2 / 3, 1])
    assert affect.precisions(counts).tolist() == [1, 1]


def test_uf1_is_pooled_and_not_a_mean_over_folds() -> None:
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    person = np.array([0, 0, 1, 1])
    table = affect.by_person(truth, predicted, 2, person, 2)
    assert affect.macro_f1(table.sum(0)) == pytest.approx((0.8 + 2 / 3) / 2)
    assert affect.macro_f1(table).mean() == pytest.approx((1 + 1 / 3) / 2)  # what it is not


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40), st.integers(0, 1000))
def test_auc_agrees_with_scikit_learn_also_weighted(cases: list[tuple[bool, int]], seed: int) -> None:
    present, scores = np.array([c[0] for c in cases]), np.array([float(c[1]) for c in cases])
    person = np.arange(len(cases)) % 3
    weights = np.random.default_rng(seed).integers(0, 3, (1, 3)).astype(float)
    each = weights[0][person]
    found = affect.Ranked(present, scores, person).auc(weights)[0]
    if not each[present].sum() or not each[~present].sum():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(oracle.roc_auc_score(present, scores, sample_weight=each))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=40))
def test_a_threshold_is_the_best_of_all(cases: list[tuple[bool, int]]) -> None:
    present, scores = np.array([c[0] for c in cases]), np.array([float(c[1]) for c in cases])
    if not present.any():
        with pytest.raises(EvidenceError, match="no case"):
            affect.threshold_for_f1(present, scores, ["a"])
        return
    chosen = affect.threshold_for_f1(present, scores, ["a"])
    f1 = {value: oracle.f1_score(present, scores >= value) for value in np.unique(scores)}
    assert f1[chosen.value] == pytest.approx(max(f1.values()))
    assert chosen.value == max(value for value, score in f1.items() if score > max(f1.values()) - 1e-12)


def test_what_was_chosen_on_people_does_not_judge_them() -> None:
    chosen = affect.threshold_for_f1(np.array([True, False]), np.array([0.9, 0.1]), ["ana", "ben"])
    assert chosen.judge(["cleo"]) == 0.9
    with pytest.raises(EvidenceError, match="such as ben"):
        chosen.judge(["cleo", "ben"])


# --- agreement ----------------------------------------------------------------------------------------------------

SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


@pytest.mark.parametrize(
    ("form", "published"),
    [("1,1", 0.17), ("2,1", 0.29), ("3,1", 0.71), ("1,k", 0.44), ("2,k", 0.62), ("3,k", 0.91)],
)
def test_icc_of_shrout_and_fleiss(form: agreement.Form, published: float) -> None:
    assert agreement.icc(agreement.sums(SHROUT_FLEISS), form)[0] == pytest.approx(published, abs=0.005)


def test_icc_forms_agree_with_an_analysis_of_variance() -> None:
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(30, 1)) + rng.normal(size=(1, 3)) + rng.normal(size=(30, 3))
    columns = {
        "y": ratings.reshape(-1),
        "case": np.repeat(np.arange(30), 3),
        "rater": np.tile(np.arange(3), 30),
    }
    frame = pd.DataFrame(columns)
    table = anova_lm(ols("y ~ C(case) + C(rater)", frame).fit())
    cases, raters, rest = table["mean_sq"]
    found = agreement.sums(ratings)
    assert agreement.icc(found, "3,1")[0] == pytest.approx((cases - rest) / (cases + 2 * rest))
    assert agreement.icc(found, "3,k")[0] == pytest.approx((cases - rest) / cases)
    two = (cases - rest) / (cases + 2 * rest + 3 * (raters - rest) / 30)
    assert agreement.icc(found, "2,1")[0] == pytest.approx(two)
    one = anova_lm(ols("y ~ C(case)", frame).fit())["mean_sq"]
    assert agreement.icc(found, "1,1")[0] == pytest.approx(
        (one.iloc[0] - one.iloc[1]) / (one.iloc[0] + 2 * one.iloc[1])
    )


series = st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=3, max_size=30)


@given(series, st.floats(-1000, 1000))
def test_ccc_pearson_rmse_agree_with_their_formulas(pairs: list[tuple[int, int]], shift: float) -> None:
    from scipy.stats import pearsonr

    x, y = np.array(pairs, float).T
    sums = agreement.sums(np.stack([x, y], axis=1) + shift)
    assert agreement.rmse(sums)[0] == pytest.approx(np.sqrt(((x - y) ** 2).mean()), abs=1e-6)
    below = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    if below == 0:
        assert np.isnan(agreement.ccc(sums)[0])
    else:
        assert agreement.ccc(sums)[0] == pytest.approx(2 * np.cov(x, y, bias=True)[0, 1] / below, abs=1e-7)
    if x.std() and y.std():
        assert agreement.pearson(sums)[0] == pytest.approx(pearsonr(x, y).statistic, abs=1e-7)
    else:
        assert np.isnan(agreement.pearson(sums)[0])


def test_ccc_of_a_shift_by_hand() -> None:
    x = np.array([0.0, 1, 2, 3])  # variance 1.25
    assert agreement.ccc(agreement.sums(np.stack([x, x], 1)))[0] == pytest.approx(1)
    assert agreement.ccc(agreement.sums(np.stack([x, x + 1], 1)))[0] == pytest.approx(2.5 / 3.5)
    assert agreement.pearson(agreement.sums(np.stack([x, x + 1], 1)))[0] == pytest.approx(1)
    assert agreement.ccc(agreement.sums(np.stack([x, -x], 1)))[0] == pytest.approx(-2.5 / (2.5 + 9))


def test_sums_add_up_over_people() -> None:
    ratings = np.random.default_rng(0).normal(5, 1, (40, 2))
    parts = agreement.sums(ratings, np.arange(40) % 4, 4)
    assert agreement.ccc(parts.sum(0)) == pytest.approx(agreement.ccc(agreement.sums(ratings))[0])
    assert agreement.ccc(parts[1]) == pytest.approx(agreement.ccc(agreement.sums(ratings[1::4]))[0])


# --- intervals ----------------------------------------------------------------------------------------------------


def intervals(*rows: tuple) -> Intervals:
    """Rows of video, onset, offset, kind, label, score."""
    padded = [(*row, *("", "", np.nan)[len(row) - 3 :]) for row in rows]
    columns = list(zip(*padded, strict=True)) if padded else [()] * 6
    text, numbers = (lambda c: np.array(c, np.str_)), (lambda c: np.array(c, np.float64))
    return Intervals(text(columns[0]), numbers(columns[1]), numbers(columns[2]), text(columns[3]), text(columns[4]),
                     numbers(columns[5]))  # fmt: skip


def test_overlap_by_hand() -> None:
    truth, predicted = np.array([[0.0, 10], [10, 10]]), np.array([[0.0, 5], [5, 15], [20, 30], [10, 10]])
    assert spotting.overlaps(truth, predicted)[0].tolist() == pytest.approx([0.5, 5 / 15, 0, 0])
    framed = spotting.overlaps(truth, predicted, inclusive=True)
    assert framed[0].tolist() == pytest.approx([6 / 11, 6 / 16, 0, 1 / 11])
    assert framed[1].tolist() == pytest.approx([0, 1 / 11, 0, 1])


def test_frames_overlap_as_sets() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = (np.sort(rng.integers(0, 20, 2)) for _ in range(2))
        ours, theirs = set(range(a[0], a[1] + 1)), set(range(b[0], b[1] + 1))
        found = spotting.overlaps(a[None].astype(float), b[None].astype(float), inclusive=True)[0, 0]
        assert found == pytest.approx(len(ours & theirs) / len(ours | theirs))


def test_an_overlap_of_one_half_is_right_also_after_rounding() -> None:
    pairs = spotting.matched(spotting.overlaps(np.array([[0.1, 0.4]]), np.array([[0.1, 0.25]])))
    assert pairs.tolist() == [0]


def test_each_interval_is_used_once() -> None:
    truth = intervals(("v", 0, 10))
    twice = intervals(("v", 0, 10), ("v", 1, 10))
    assert spotting.spots(truth, twice, np.array(["v"])).tolist() == [[1, 1, 0]]


def test_matching_finds_as_many_pairs_as_there_are() -> None:
    # The second prediction suits both; a greedy walk that gives it to the first leaves one truth without.
    truth = intervals(("v", 0, 10), ("v", 3, 13))
    predicted = intervals(("v", 2, 11), ("v", -3, 9))
    assert spotting.spots(truth, predicted, np.array(["v"])).tolist() == [[2, 0, 0]]


def test_kinds_are_counted_apart_and_videos_pooled() -> None:
    truth = intervals(("a", 0, 1, "micro"), ("a", 5, 9, "macro"), ("b", 0, 1, "micro"))
    predicted = intervals(("a", 0, 1, "macro"), ("a", 5, 9, "macro"), ("b", 0, 1, "micro"), ("b", 3, 4, "micro"))
    table = spotting.spots(truth, predicted, np.array(["a", "b"]))
    assert table.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert spotting.f1(table.sum(0)) == pytest.approx(4 / 7)
    assert spotting.f1(table).mean() == pytest.approx((0.5 + 2 / 3) / 2)  # what it is not
    assert np.isnan(spotting.f1(np.zeros(3)))


def test_detection_wants_the_label_too() -> None:
    truth = intervals(("a", 0, 1, "", "joy"), ("a", 3, 4, "", "fear"))
    predicted = intervals(("a", 0, 1, "", "joy"), ("a", 3, 4, "", "joy"))
    assert spotting.spots(truth, predicted, np.array(["a"])).tolist() == [[2, 0, 0]]
    assert spotting.spots(truth, predicted, np.array(["a"]), labels=True).tolist() == [[1, 1, 1]]


def test_average_precision_by_hand() -> None:
    truth = intervals(("a", 0, 10), ("a", 20, 30), ("b", 0, 10))
    predicted = intervals(
        ("a", 0, 10, "", "", 0.9), ("a", 50, 60, "", "", 0.8), ("b", 0, 10, "", "", 0.7), ("a", 1, 10, "", "", 0.6)
    )
    ranked = spotting.RankedSpots(truth, predicted, np.array(["a", "b"]))
    assert ranked.right.tolist() == [True, False, True, False]  # the last is a second one on a truth that is taken
    # recall 1/3 at precision 1, 2/3 at 2/3, never 1
    assert ranked.average_precision(np.ones((1, 2)))[0] == pytest.approx(1 / 3 + 2 / 9)
    assert ranked.average_precision(np.array([[0.0, 2.0]]))[0] == pytest.approx(1)  # b alone is perfect


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=20))
def test_average_precision_is_the_area_under_the_envelope(cases: list[tuple[bool, int]]) -> None:
    """Each prediction either is exactly one truth or none: then AP is that of a ranking, with the envelope."""
    truth = intervals(*[("v", 10 * i, 10 * i + 5) for i, (right, _) in enumerate(cases) if right] or [("v", -50, -40)])
    predicted = intervals(*[("v", 10 * i, 10 * i + 5, "", "", float(score)) for i, (_, score) in enumerate(cases)])
    found = spotting.RankedSpots(truth, predicted, np.array(["v"])).average_precision(np.ones((1, 1)))[0]
    right, scores = np.array([c[0] for c in cases]), np.array([c[1] for c in cases])
    if not right.any():
        assert found == 0
        return
    exact, recall, _ = oracle.precision_recall_curve(right, scores)
    envelope = np.maximum.accumulate(exact[:-1][np.argsort(recall[:-1])][::-1])[::-1]
    steps = np.diff(np.sort(recall[:-1]), prepend=0)
    assert found == pytest.approx((envelope * steps).sum())


# --- confidence ---------------------------------------------------------------------------------------------------


def test_ece_and_mce_by_hand() -> None:
    sure = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    right = np.array([True, True, True, False, True, False])
    bins = confidence.binned(sure, right, confidence.equal_width(10))
    assert confidence.ece(bins)[0] == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.1)
    assert confidence.mce(bins)[0] == pytest.approx(0.15)


def test_a_bin_holds_its_upper_edge() -> None:
    bins = confidence.binned(np.array([0.0, 0.5, 0.500001, 1.0]), np.ones(4, bool), confidence.equal_width(2))
    assert bins[0, :, 0].tolist() == [2, 2]


def test_equal_mass_bins_hold_as_many_each() -> None:
    sure = np.random.default_rng(0).beta(8, 2, 1000)
    bins = confidence.binned(sure, sure > 0, confidence.equal_mass(sure, 10))
    assert bins[0, :, 0].min() >= 99 and bins[0, :, 0].max() <= 101
    assert len(confidence.equal_mass(np.full(50, 0.7), 10)) >= 2  # all tied: still a bin


def test_a_calibrated_model_shows_the_error_of_chance_alone() -> None:
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.4, 1, 300)
    edges = confidence.equal_width()
    mean, most = confidence.ece_of_calibrated(sure, edges)
    values = [confidence.ece(confidence.binned(sure, rng.random(300) < sure, edges))[0] for _ in range(100)]
    assert 0.03 < mean < 0.09  # far from zero
    assert np.mean(np.array(values) > most) < 0.13


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)), min_size=1))
def test_proper_scores_agree_with_scikit_learn(rows: list[tuple[int, int, int, int]]) -> None:
    truth = np.array([row[0] for row in rows])
    raw = np.array([row[1:] for row in rows], float)
    probabilities = raw / raw.sum(1, keepdims=True)
    assert confidence.nll(probabilities, truth).mean() == pytest.approx(
        oracle.log_loss(truth, probabilities, labels=[0, 1, 2])
    )
    onehot = np.eye(3)[truth]
    assert confidence.brier(probabilities, truth).mean() == pytest.approx(((probabilities - onehot) ** 2).sum(1).mean())


def test_temperature_undoes_a_planted_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (6000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (honest.cumsum(1) > rng.random((6000, 1))).argmax(1)
    boastful = confidence.tempered(honest, 1 / 2.5)
    chosen = confidence.temperature(boastful, truth, ["dev"])
    assert chosen.value == pytest.approx(2.5, rel=0.06)
    assert (confidence.tempered(boastful, chosen.value).argmax(1) == boastful.argmax(1)).all()
    edges = confidence.equal_width()
    errors = [
        confidence.ece(confidence.binned(p.max(1), p.argmax(1) == truth, edges))[0]
        for p in (boastful, confidence.tempered(boastful, chosen.judge(["other"])))
    ]
    assert errors[0] > 0.1 and errors[1] < 0.03


# --- resampling ---------------------------------------------------------------------------------------------------


def test_intervals_draw_people_and_not_samples() -> None:
    """Every person is all right or all wrong: 10 people say no more with 100 samples each than with one."""
    right = np.repeat(np.arange(10) < 6, 100)
    person = np.repeat(np.arange(10), 100)

    def share(sums: np.ndarray) -> np.ndarray:
        return sums[..., 0] / sums[..., 1]

    def interval(unit: np.ndarray) -> float:
        sums = people.tally(np.stack([right, np.ones(1000)], axis=1), unit, int(unit.max()) + 1)
        found = people.measure(lambda w: share(w @ sums)[:, None], len(sums), {"share": 1000}, rounds=400)["share"]
        assert found.value == pytest.approx(0.6) and found.n == 1000
        return found.high - found.low

    assert interval(person) > 5 * interval(np.arange(1000))


def test_batches_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> np.ndarray:
        return people.resample(lambda w: w[:, :2], 7, rounds=20, seed=3)[1]

    whole = run()
    monkeypatch.setattr(people, "CELLS", 21)
    assert (run() == whole).all()


def test_a_value_that_cannot_be_computed_is_absent() -> None:
    found = people.measure(lambda w: np.stack([w[:, 0] * np.nan, w[:, 0]], 1), 3, {"nothing": 1, "one": 2}, rounds=20)
    assert list(found) == ["one"]
