"""The protocol runner: people never on both sides, candidates never chosen on the held-out person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.audit.evaluator import OneOf, Samples, by_people, evaluate, fixed, leave_one_out
from mien.audit.metrics.affect import counts, macro_f1, uar
from mien.errors import EvidenceError, InputError, UsageError


class Nearest:
    """The class with the nearest mean."""

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        self.classes = np.unique(labels)
        self.means = np.stack([features[labels == name].mean(0) for name in self.classes])

    def predict(self, features: np.ndarray) -> np.ndarray:
        return self.classes[((features[:, None] - self.means) ** 2).sum(2).argmin(1)]


class Constant:
    """Always one label; remembers which rows it was shown."""

    def __init__(self, label: str, seen: list | None = None) -> None:
        self.label, self.seen = label, [] if seen is None else seen

    def __deepcopy__(self, memo: dict) -> Constant:
        return Constant(self.label, self.seen)

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        self.seen.append(("fit", frozenset(features[:, 0].astype(int))))

    def predict(self, features: np.ndarray) -> np.ndarray:
        self.seen.append(("predict", frozenset(features[:, 0].astype(int))))
        return np.full(len(features), self.label)


@dataclass
class Guess:
    """Random answers that depend on the features alone: no signal."""

    seed: int
    classes: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        direction = np.random.default_rng(self.seed).normal(size=(features.shape[1], len(self.classes)))
        return self.classes[(features @ direction).argmax(1)]


@dataclass
class Guesses:
    """Many stages without any skill."""

    stages_: int = 40

    def stages(self, features: np.ndarray, labels: np.ndarray) -> Sequence[Guess]:
        return [Guess(seed, np.unique(labels)) for seed in range(self.stages_)]


def separable(people: int = 6, each: int = 9, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    labels = np.tile(np.array(["negative", "positive", "surprise"]), people * each // 3)
    centres = {"negative": (0, 0), "positive": (6, 0), "surprise": (0, 6)}
    features = rng.normal(0, 0.5, (people * each, 2)) + np.array([centres[name] for name in labels])
    return Samples(features, labels, np.repeat([f"p{i}" for i in range(people)], each))


def noise(people: int = 12, each: int = 9) -> Samples:
    labels = np.tile(np.array(["a", "b", "c"]), people * each // 3)
    features = np.random.default_rng(5).normal(size=(len(labels), 6))
    return Samples(features, labels, np.repeat([f"p{i:02}" for i in range(people)], each))


def best_of_each_person(data: Samples, stages: Sequence[Guess]) -> np.ndarray:
    """What the evaluator refuses: per person the stage that is best on that person."""
    answers = np.stack([stage.predict(data.features) for stage in stages])
    right = answers == data.labels
    chosen = np.empty(len(data.labels), data.labels.dtype)
    for person in np.unique(data.subjects):
        rows = data.subjects == person
        chosen[rows] = answers[right[:, rows].mean(1).argmax(), rows]
    return chosen


def test_leaving_one_person_out_pools_every_sample_once() -> None:
    data = separable()
    result = evaluate(Nearest(), data, leave_one_out(data.subjects))
    assert sorted(result.rows) == list(range(len(data.labels)))
    assert (result.folds == result.subjects).all()
    assert macro_f1(result.counts) == 1
    assert result.classes == ("negative", "positive", "surprise")
    assert not result.chosen


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(2, 5), st.integers(0, 9))
def test_folds_by_people_never_share_one_and_cover_all(people: list[int], k: int, seed: int) -> None:
    subjects = np.array([f"p{number}" for number in people])
    if len(set(people)) < k:
        with pytest.raises(EvidenceError, match="takes"):
            by_people(subjects, k, seed)
        return
    folds = by_people(subjects, k, seed)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(people)))
    for fold in folds:
        assert len(fold.test)
        assert not set(subjects[fold.train]) & set(subjects[fold.test])


def test_any_classifier_of_scikit_learn_will_do() -> None:
    from sklearn.linear_model import LogisticRegression

    data = separable()
    result = evaluate(LogisticRegression(), data, by_people(data.subjects, 3))
    assert uar(result.counts) == 1


def test_the_chooser_never_sees_the_held_out_rows() -> None:
    seen: list = []
    features = np.arange(24, dtype=float)[:, None]
    data = Samples(features, np.tile(["a", "a", "b"], 8), np.repeat(["p", "q", "r", "s"], 6))
    fold = fixed(data.subjects, data.subjects == "s")
    result = evaluate(OneOf({"b": Constant("b", seen), "a": Constant("a", seen)}), data, fold)
    assert result.chosen == {"test": "a"}
    held = set(range(18, 24))
    touched = [event for event in seen if event[1] & held]
    assert touched == [("predict", frozenset(held))]  # once, at the very end, by the one that was chosen
    assert seen[-1] == touched[0]


def test_choosing_on_the_held_out_person_is_refused_with_the_reason() -> None:
    data = noise()
    with pytest.raises(UsageError, match="maximum over noise"):
        evaluate(Guesses(), data, leave_one_out(data.subjects), choose_on="test")


def test_without_signal_the_honest_value_is_chance_and_the_oracle_is_not() -> None:
    data = noise()
    honest = evaluate(Guesses(), data, leave_one_out(data.subjects))
    oracle = best_of_each_person(data, Guesses().stages(data.features, data.labels))
    classes, truth = np.unique(data.labels, return_inverse=True)
    inflated = uar(counts(truth, np.searchsorted(classes, oracle), 3))
    assert abs(uar(honest.counts) - 1 / 3) < 0.12  # 108 samples: two standard errors are .09
    assert inflated > 0.55  # out of nothing
    assert len(honest.chosen) == 12


def test_a_choice_that_is_real_is_made() -> None:
    class Scrambled(Nearest):
        def predict(self, features: np.ndarray) -> np.ndarray:
            return np.roll(super().predict(features), 1)

    data = separable()
    result = evaluate(OneOf({"scrambled": Scrambled(), "right": Nearest()}), data, leave_one_out(data.subjects))
    assert set(result.chosen.values()) == {"right"}
    assert uar(result.counts) == 1


def test_every_fold_starts_afresh() -> None:
    class Hoarder(Nearest):
        rows = 0

        def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
            self.rows += len(features)
            assert self.rows == len(features)
            super().fit(features, labels)

    data = separable()
    evaluate(Hoarder(), data, leave_one_out(data.subjects))


def test_one_person_cannot_be_left_out() -> None:
    data = separable(people=1)
    with pytest.raises(EvidenceError, match="takes 2 people, and here are 1"):
        leave_one_out(data.subjects)


def test_a_split_that_shares_a_person_is_refused() -> None:
    data = separable()
    half = np.arange(len(data.labels)) % 2 == 0
    with pytest.raises(InputError, match="in training and in test, such as p0"):
        fixed(data.subjects, half)
    from mien.audit.evaluator import Fold

    leaky = Fold("x", np.arange(10), np.arange(5, 20))
    with pytest.raises(InputError, match="trains on"):
        evaluate(Nearest(), data, [leaky])


def test_a_sample_judged_twice_is_refused() -> None:
    data = separable()
    fold = leave_one_out(data.subjects)[0]
    with pytest.raises(InputError, match="two folds"):
        evaluate(Nearest(), data, [fold, fold])


def test_a_fold_that_trains_on_one_person_cannot_choose() -> None:
    data = noise(people=2)
    with pytest.raises(EvidenceError, match="trains on one person"):
        evaluate(Guesses(), data, leave_one_out(data.subjects))


def test_the_same_sample_under_two_names_is_told() -> None:
    data = separable()
    features = data.features.copy()
    features[10] = features[0]
    result = evaluate(Nearest(), Samples(features, data.labels, data.subjects), leave_one_out(data.subjects))
    (problem,) = result.problems
    assert problem.kind == "same_sample_of_two_people"
    assert problem.cases == ("samples 0 of p0 and 10 of p1",)


def test_a_class_only_one_person_shows_is_told() -> None:
    data = separable()
    labels = data.labels.astype("<U9").copy()
    labels[0] = "fear"
    result = evaluate(Nearest(), Samples(data.features, labels, data.subjects), leave_one_out(data.subjects))
    assert [(p.kind, p.cases) for p in result.problems] == [("class_not_in_training", ("fold p0",))]
    assert uar(result.counts) < 0.8


@pytest.mark.parametrize(
    ("features", "labels", "subjects", "words"),
    [
        (np.zeros((2, 1)), np.array(["a"]), np.array(["p", "q"]), "differ"),
        (np.zeros((0, 1)), np.array([], str), np.array([], str), "no samples"),
        (np.array([[np.nan], [1.0]]), np.array(["a", "b"]), np.array(["p", "q"]), "1 samples"),
    ],
)
def test_bad_samples_are_refused(features: np.ndarray, labels: np.ndarray, subjects: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Samples(features, labels, subjects)


def test_what_cannot_fit_is_refused() -> None:
    data = separable()
    with pytest.raises(UsageError, match="has no fit and predict"):
        evaluate(object(), data, leave_one_out(data.subjects))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no folds"):
        evaluate(Nearest(), data, [])
    with pytest.raises(UsageError, match="no candidate"):
        evaluate(OneOf({}), data, leave_one_out(data.subjects))


@pytest.mark.slow
def test_an_svm_on_the_composite_of_megc_2019(data: Path) -> None:
    """The dossier's golden values, for all and for each dataset (their official flow, 68 people left out in turn)."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    held = np.load(data / "golden" / "megc2019_flow.npz")
    samples = Samples(
        held["flow"].reshape(len(held["flow"]), -1) / 255.0, held["label_names"][held["label"]], held["subject"]
    )
    folds = leave_one_out(samples.subjects)
    assert len(folds) == 68
    result = evaluate(make_pipeline(StandardScaler(), SVC(C=1, class_weight="balanced")), samples, folds)
    dataset = held["dataset"][result.rows]
    golden = {"": (0.718, 0.719), "smic": (0.666, 0.663), "casme2": (0.862, 0.866), "samm": (0.585, 0.596)}
    for name, (f1, recall) in golden.items():
        chosen = (dataset == name) | (name == "")
        found = counts(result.truth[chosen], result.predicted[chosen], 3)
        assert macro_f1(found) == pytest.approx(f1, abs=0.0005), name
        assert uar(found) == pytest.approx(recall, abs=0.0005), name
