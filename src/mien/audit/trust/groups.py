"""Does the model serve all groups alike: as far as somebody says who is in which."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.audit.affect.data import Part, Settings
from mien.audit.metrics import bias
from mien.audit.metrics.people import numbered, resample
from mien.audit.metrics.recognition import F64, I64
from mien.audit.trust.data import TrustData, Words
from mien.audit.trust.requirement import Requirement, State
from mien.report import Bars, Chart, Row
from mien.types import Metric

FEWEST = 30  # pictures, and people where they are named: a smaller group is not judged
CHANCE = 0.05  # how often groups dealt at random may differ as much
MEASURES = ("OD", "EqOpp", "DemPar")


def fairness(data: TrustData, probabilities: F64, settings: Settings, limit: float) -> tuple[Part, list[Requirement]]:
    """Accuracy and bias over each column of groups."""
    if not data.groups:
        words = "Nobody says who belongs to which group: give a CSV with --labels (path, and a column per grouping)."
        return Part(), [Requirement("fairness", _asks("groups", limit), "not stated", words)]
    parts = [_column(data, probabilities, title, words, settings, limit) for title, words in data.groups.items()]
    return Part(
        {name: metric for part, _ in parts for name, metric in part.metrics.items()},
        tables={title: rows for part, _ in parts for title, rows in part.tables.items()},
        charts=tuple(chart for part, _ in parts for chart in part.charts),
    ), [one for _, one in parts]


def _asks(title: str, limit: float) -> str:
    return f"Accuracy of the best and the worst of the {title} differs by at most {limit:g}"


def _column(
    data: TrustData, probabilities: F64, title: str, words: Words, settings: Settings, limit: float
) -> tuple[Part, Requirement]:
    answers = np.where(data.seen, probabilities.argmax(1), len(data.judge.labels)).astype(np.int64)
    names, person = numbered(data.people())
    sizes = {str(name): _size(words == name, person, data) for name in np.unique(words) if name}
    large = [name for name, size in sizes.items() if size >= FEWEST]
    rows: list[Row] = []
    if len(large) < 2:
        rows = [{"group": name, "people or pictures": size, "accuracy": None} for name, size in sizes.items()]
        told = f"Fewer than two groups have {FEWEST} people or pictures: {_listed(sizes)}."
        return Part(tables={f"By {title}": tuple(rows)}), Requirement(
            "fairness", _asks(title, limit), "not enough data", told
        )
    kept = np.isin(words, large)
    group = np.searchsorted(np.array(sorted(large)), words[kept]).astype(np.int64)
    counted = _Counted(data.truth[kept], answers[kept], group, person[kept], sorted(large), len(data.judge.labels))
    metrics, accuracy = counted.measured(len(names), settings)
    gap = metrics["accuracy gap"]
    p = counted.by_chance(settings)
    state: State = "not enough data"
    if gap.high <= limit:
        state = "met"
    elif gap.value > limit and p < CHANCE / len(data.groups):
        state = "not met"
    worst, best = (end(accuracy, key=lambda name: accuracy[name].value) for end in (min, max))
    told = (
        f"Lowest {worst} ({accuracy[worst].value:.3f}), highest {best} ({accuracy[best].value:.3f}). Groups dealt at random "
        f"differ as much in {p:.1%} of cases. Left out as too small: "
        f"{_listed({name: size for name, size in sizes.items() if name not in large}) or 'none'}."
    )
    rows = [{"group": name, "people or pictures": size, "accuracy": accuracy.get(name)} for name, size in sizes.items()]
    chart: Chart = Bars(f"Accuracy by {title}", "accuracy", accuracy)
    named = {f"{name}, {title}": metric for name, metric in metrics.items()}
    return Part(named, tables={f"By {title}": tuple(rows)}, charts=(chart,)), Requirement(
        "fairness", _asks(title, limit), state, told, gap
    )


class _Counted:
    """Answers of those whose group is known and large enough."""

    def __init__(self, truth: I64, answers: I64, group: I64, person: I64, groups: list[str], classes: int) -> None:
        self._groups, self._classes = groups, classes + 1  # no face: an answer that is none of the classes
        self._names, self._person = numbered(person.astype(np.str_))
        shape = (len(self._names), len(groups), self._classes, self._classes)
        self._of_person = np.zeros(shape)
        np.add.at(self._of_person, (self._person, group, truth, answers), 1)
        self._cells, self._group, self._right = (truth, answers), group, truth == answers

    def measured(self, people: int, settings: Settings) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """The gap and the bias of the model; the accuracy of each group."""
        flat = self._of_person.reshape(len(self._names), -1)

        def statistic(weights: F64) -> F64:
            tables = (weights @ flat).reshape(len(weights), *self._of_person.shape[1:])
            accuracy = _accuracy(tables)
            gap = accuracy.max(1) - accuracy.min(1)
            each = [_biased(name, tables) for name in MEASURES]
            return np.column_stack([gap, *each, accuracy])

        values, drawn = resample(statistic, len(self._names), settings.rounds, settings.seed)
        n = len(self._right)
        counts = [n] * (1 + len(MEASURES)) + [int((self._group == number).sum()) for number in range(len(self._groups))]
        found = []
        for column, count in enumerate(counts):
            low, high = np.nanquantile(drawn[:, column], [0.025, 0.975])
            value = float(values[column])
            found.append(Metric(value, min(float(low), value), max(float(high), value), count))
        named = dict(zip(["accuracy gap", *MEASURES], found, strict=False))
        return named, dict(zip(self._groups, found[1 + len(MEASURES) :], strict=True))

    def by_chance(self, settings: Settings) -> float:
        """How often groups dealt anew to people differ in accuracy as much as these do."""
        rng = np.random.default_rng(settings.seed)
        sums = np.zeros((len(self._names), len(self._groups), 2))
        np.add.at(sums, (self._person, self._group), np.column_stack([self._right, np.ones(len(self._right))]))
        seen = _gap(sums.sum(0))
        rounds = max(200, settings.rounds)
        whole, mine = sums.sum(1), sums[..., 1].argmax(1)  # a person's group is the one of most pictures
        as_much = 0
        for _ in range(rounds):
            dealt = rng.permutation(mine)
            table = np.stack([np.bincount(dealt, whole[:, end], len(self._groups)) for end in (0, 1)], axis=1)
            as_much += bool(_gap(table) >= seen - 1e-12)
        return (as_much + 1) / (rounds + 1)


def _accuracy(tables: F64) -> F64:
    right, whole = np.trace(tables, axis1=-2, axis2=-1), tables.sum((-1, -2))
    return np.asarray(np.divide(right, whole, out=np.full(right.shape, np.nan), where=whole > 0))


def _biased(name: str, tables: F64) -> F64:
    """A measure of bias (rounds,). Nobody is truly of the class "no face", so the mean over classes does not count it."""
    classes = tables.shape[-1]
    return np.asarray(bias.MODEL[name](tables) * classes / (classes - 1))


def _gap(table: NDArray[Any]) -> float:
    share = table[:, 0] / np.maximum(table[:, 1], 1e-12)
    return float(share.max() - share.min())


def _size(rows: Words, person: I64, data: TrustData) -> int:
    """People in a group where they are named, else pictures."""
    return len(np.unique(person[rows])) if data.subjects is not None else int(rows.sum())


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes.items())
