"""Runs a protocol: trains on some people, predicts on others, pools the predictions.

    folds = leave_one_out(data.subjects)
    result = evaluate(SVC(class_weight="balanced"), data, folds)

Anything with fit and predict can be judged. What has several candidates (hyper-parameters: `OneOf`; epochs or
thresholds: an estimator with `stages`) is chosen inside the training people of each fold, on an inner split by people.
The chooser is never given the held-out rows, so the best candidate of the held-out person cannot be reported: that is
a maximum over noise, and the fewer samples a person has, the more of it (`benchmarks/loso_selection.py` measures it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.affect import NO_ANSWER, counts, macro_f1
from mien.audit.metrics.people import numbered
from mien.audit.metrics.recognition import F64, I64
from mien.errors import EvidenceError, InputError, UsageError
from mien.report import Problem

Names = NDArray[np.str_]
Score = Callable[[I64, I64], float]  # truth, predicted (n,) class numbers -> higher is better
Progress = Callable[[int, int], None]  # folds done, of how many
INNER = 3  # folds of the inner split
REASON = (
    "The best candidate of a held-out person is a maximum over noise: it would be reported as skill. "
    "Candidates are chosen on an inner split of the training people."
)


class Predictor(Protocol):
    """Something that was fitted."""

    def predict(self, features: Any) -> Any:
        """(n,) labels."""


class Estimator(Predictor, Protocol):
    """Something that can be fitted, such as any classifier of scikit-learn."""

    def fit(self, features: Any, labels: Any) -> Any:
        """Learn from features (n, ...) and labels (n,)."""


@runtime_checkable
class Staged(Protocol):
    """One training that yields several candidates, such as an epoch each, or a threshold each."""

    def stages(self, features: Any, labels: Any) -> Sequence[Predictor]:
        """Train once; the candidates, always as many and in the same order."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Named estimators of which one is to be chosen, such as one per hyper-parameter."""

    candidates: Mapping[str, Estimator]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What a protocol runs on."""

    features: NDArray[Any]  # (n, ...)
    labels: Names  # (n,)
    subjects: Names  # (n,)

    def __post_init__(self) -> None:
        if not len(self.features) == len(self.labels) == len(self.subjects):
            raise InputError(
                f"{len(self.features)} features, {len(self.labels)} labels and {len(self.subjects)} subjects differ.",
                "Give one of each per sample.",
            )
        if not len(self.labels):
            raise InputError("There are no samples.", "A protocol needs samples of at least two people.")
        values = np.asarray(self.features)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            bad = int((~np.isfinite(values).reshape(len(values), -1).all(1)).sum())
            raise InputError(f"{bad} samples have features that are no numbers.", "Leave them out, or fill them in.")


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One split: row numbers to learn from and to be judged on."""

    name: str
    train: I64
    test: I64


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Predictions pooled over folds: each sample at most once, by a model that had not seen its person. All (n,)."""

    truth: I64
    predicted: I64  # NO_ANSWER: a label that is none of the classes
    classes: tuple[str, ...]
    subjects: Names
    folds: Names
    chosen: Mapping[str, str]  # fold -> the candidate chosen inside its training people
    rows: I64  # which sample each is
    problems: tuple[Problem, ...] = field(default=())

    @property
    def counts(self) -> F64:
        """(k, k + 1) as `metrics.affect` takes them."""
        return counts(self.truth, self.predicted, len(self.classes))


# --- protocols ----------------------------------------------------------------------------------------------------


def leave_one_out(subjects: Names) -> tuple[Fold, ...]:
    """One fold per person (LOSO). Raises EvidenceError for fewer than two people."""
    names, number = numbered(subjects)
    _need(len(names), 2, "Leaving one person out")
    return tuple(_fold(str(name), number == index) for index, name in enumerate(names))


def by_people(subjects: Names, k: int, seed: int = 0) -> tuple[Fold, ...]:
    """`k` folds of about as many samples, no person in two. Raises EvidenceError for fewer than k people."""
    if k < 2:
        raise UsageError(f"{k} folds cannot train and judge.", "Ask for two or more.")
    names, number = numbered(subjects)
    _need(len(names), k, f"{k} folds by people")
    sizes = np.bincount(number)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    place, load = np.empty(len(names), np.int64), np.zeros(k)
    for person in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:  # the largest first, into the emptiest fold
        place[person] = int(np.argmin(load))
        load[place[person]] += sizes[person]
    return tuple(_fold(str(index + 1), place[number] == index) for index in range(k))


def fixed(subjects: Names, test: NDArray[np.bool_], name: str = "test") -> tuple[Fold, ...]:
    """One given split; test: (n,) the rows judged. Raises InputError when a person is on both sides."""
    test = np.asarray(test, bool)
    both = sorted(set(subjects[test]) & set(subjects[~test]))
    if both:
        raise InputError(
            f"{len(both)} people are in training and in test, such as {both[0]}.", "Split by people, not by samples."
        )
    if not test.any() or test.all():
        raise InputError("The split has nothing to learn from or nothing to judge.", "Give rows on both sides.")
    return (_fold(name, test),)


# --- running ------------------------------------------------------------------------------------------------------


def uf1(truth: I64, predicted: I64) -> float:
    """UF1 of class numbers, what candidates are chosen by unless told otherwise."""
    size = int(max(truth.max(), predicted.max())) + 1
    return float(macro_f1(counts(truth, predicted, size)))


def evaluate(
    estimator: Estimator | Staged | OneOf,
    data: Samples,
    folds: Sequence[Fold],
    choose_on: str = "inner",
    score: Score = uf1,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Fit and predict in every fold, and pool. Each fold starts from a copy of the estimator as given.

    choose_on: "inner" (the only honest way) or a mistake that is refused with its reason; score: what a candidate is
    chosen by, of the inner predictions pooled. Raises UsageError, InputError for folds that share people, and
    EvidenceError where a fold has too few people to choose on."""
    if choose_on != "inner":
        raise UsageError(f"Candidates are not chosen on {choose_on!r}. {REASON}", 'Leave choose_on at "inner".')
    _check(folds, data.subjects)
    classes, truth = numbered(data.labels)
    rows, answers, names, chosen = [], [], [], {}
    for done, fold in enumerate(folds):
        features, labels = data.features[fold.train], data.labels[fold.train]
        model, chosen[fold.name] = _trained(estimator, Samples(features, labels, data.subjects[fold.train]), score)
        answers.append(_numbers(model.predict(data.features[fold.test]), classes, len(fold.test)))
        rows.append(fold.test)
        names += [fold.name] * len(fold.test)
        progress(done + 1, len(folds))
    row = np.concatenate(rows)
    kept = {name: choice for name, choice in chosen.items() if choice}
    return Outcome(
        truth[row],
        np.concatenate(answers),
        tuple(map(str, classes)),
        data.subjects[row],
        np.asarray(names, np.str_),
        kept,
        row,
        tuple(_doubts(data, folds, truth)),
    )


def _trained(estimator: Estimator | Staged | OneOf, train: Samples, score: Score) -> tuple[Predictor, str]:
    """A model fitted on the training people alone, and the name of the candidate it is. No test row comes in here."""
    if isinstance(estimator, OneOf):
        name = _best(_tried(estimator, train), score)
        return _fitted(estimator.candidates[name], train), name
    if isinstance(estimator, Staged):
        name = _best(_tried(estimator, train), score)
        return deepcopy(estimator).stages(train.features, train.labels)[int(name)], name
    return _fitted(estimator, train), ""


Tried = Mapping[str, tuple[I64, I64]]  # candidate -> truth, predicted, pooled over the inner folds


def _tried(estimator: Staged | OneOf, train: Samples) -> Tried:
    """Every candidate on an inner split of the training people."""
    classes, truth = numbered(train.labels)
    people = len(np.unique(train.subjects))
    if people < 2:
        raise EvidenceError(
            "A fold trains on one person: no candidate can be chosen there on other people.",
            "Use more people, or fix the candidate beforehand.",
        )
    pooled: dict[str, list[tuple[I64, I64]]] = {}
    for fold in by_people(train.subjects, min(INNER, people)):
        features, labels = train.features[fold.train], train.labels[fold.train]
        inner = Samples(features, labels, train.subjects[fold.train])
        models = (
            {name: _fitted(one, inner) for name, one in estimator.candidates.items()}
            if isinstance(estimator, OneOf)
            else {str(index): one for index, one in enumerate(deepcopy(estimator).stages(features, labels))}
        )
        for name, model in models.items():
            answers = _numbers(model.predict(train.features[fold.test]), classes, len(fold.test))
            pooled.setdefault(name, []).append((truth[fold.test], answers))
    return {
        name: (np.concatenate([t for t, _ in parts]), np.concatenate([p for _, p in parts]))
        for name, parts in pooled.items()
    }


def _best(tried: Tried, score: Score) -> str:
    """The candidate with the highest score; among equals the first."""
    if not tried:
        raise UsageError("There is no candidate to choose from.", "Give at least one.")
    scores = {name: score(truth, predicted) for name, (truth, predicted) in tried.items()}
    return max(scores, key=lambda name: scores[name])


def _fitted(estimator: Estimator, train: Samples) -> Estimator:
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise UsageError(
            f"{type(estimator).__name__} has no fit and predict.", "Give an estimator as scikit-learn has."
        )
    model = deepcopy(estimator)
    model.fit(train.features, train.labels)
    return model


def _numbers(labels: Any, classes: Names, wanted: int) -> I64:
    """Labels predicted as class numbers; NO_ANSWER for a label that is none of the classes."""
    answers = np.asarray(labels)
    if answers.shape != (wanted,):
        raise InputError(f"The estimator gave labels of shape {answers.shape} for {wanted} samples.")
    known = {str(name): index for index, name in enumerate(classes)}
    return np.array([known.get(str(label), NO_ANSWER) for label in answers], np.int64)


def _check(folds: Sequence[Fold], subjects: Names) -> None:
    """No person on both sides of a fold, no sample judged twice."""
    if not folds:
        raise UsageError("There are no folds.", "Use leave_one_out, by_people or fixed.")
    for fold in folds:
        both = sorted(set(subjects[fold.train]) & set(subjects[fold.test]))
        if both:
            raise InputError(
                f"Fold {fold.name} trains on {len(both)} of the people it judges, such as {both[0]}.",
                "Split by people, not by samples.",
            )
    judged = np.concatenate([fold.test for fold in folds])
    if len(np.unique(judged)) < len(judged):
        raise InputError("Some samples are judged in two folds.", "Judge each sample once, so that it counts once.")


def _doubts(data: Samples, folds: Sequence[Fold], truth: I64) -> list[Problem]:
    """What a reader must know: samples that are also somebody else's, folds that never saw a class."""
    seen: dict[bytes, tuple[str, int]] = {}
    twice = []
    for index, row in enumerate(np.ascontiguousarray(data.features)):
        owner, first = seen.setdefault(row.tobytes(), (str(data.subjects[index]), index))
        if owner != str(data.subjects[index]):
            twice.append(f"samples {first} of {owner} and {index} of {data.subjects[index]}")
    unseen = [
        f"fold {fold.name}" for fold in folds if set(np.unique(truth[fold.test])) - set(np.unique(truth[fold.train]))
    ]
    found = []
    if twice:
        words = "The same features under two names: a person may be in training and in test under another name."
        found.append(Problem("same_sample_of_two_people", words, tuple(twice)))
    if unseen:
        words = "A class that is judged was not among the training people of the fold, so it cannot be recognised."
        found.append(Problem("class_not_in_training", words, tuple(unseen)))
    return found


def _fold(name: str, test: NDArray[np.bool_]) -> Fold:
    return Fold(name, np.flatnonzero(~test), np.flatnonzero(test))


def _need(people: int, least: int, what: str) -> None:
    if people < least:
        raise EvidenceError(f"{what} takes {least} people, and here are {people}.", "Name more subjects.")
