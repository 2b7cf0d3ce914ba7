"""Action units: F1 and AUC of presence, ICC(3,1) of intensity, each unit apart and their mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mien.audit.affect.data import AffectData, Part, Settings, Unit, said
from mien.audit.metrics import affect, agreement
from mien.audit.metrics.people import measure
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.report import Bars, Chart, Problem, Row
from mien.types import Metric

KINDS = ("F1", "AUC", "ICC(3,1)")
Column = Callable[[F64], F64]  # weights (rounds, people) -> (rounds,)


@dataclass(frozen=True, slots=True)
class Judged:
    """One unit made ready: a statistic per kind, and what there is to say about it."""

    columns: dict[str, Column]
    n: int  # frames with a truth
    compared: int  # of those, with a prediction
    present: int
    decided: str  # how presence was decided
    problems: tuple[tuple[str, str], ...]  # kind, words


def judge_units(data: AffectData, settings: Settings) -> Part:
    """Each unit, and the mean over units; a unit that cannot be measured in one way is named and left out of that mean."""
    names, person = data.people()
    units = {name: _ready(name, unit, data, (person, len(names)), settings) for name, unit in data.units.items()}
    columns = {f"{name} {kind}": column for name, unit in units.items() for kind, column in unit.columns.items()}
    if not columns:
        return Part(problems=_problems(units))
    means = {
        f"mean {kind} of units": [index for index, name in enumerate(columns) if name.endswith(f" {kind}")]
        for kind in KINDS
    }
    means = {name: places for name, places in means.items() if len(places) > 1}

    def statistic(weights: F64) -> F64:
        each = np.stack([column(weights) for column in columns.values()], axis=1)
        over = [each[:, places].mean(1) for places in means.values()]
        return np.column_stack([*over, each])

    total = len(data.subjects)
    n = dict.fromkeys(means, total) | {name: _number(name, units) for name in columns}
    shares = {name: len(names) for name in n if "ICC" not in name}  # F1 and AUC end at 0 and 1
    metrics = measure(statistic, len(names), n, settings.rounds, settings.seed, shares)
    decided = sorted({unit.decided for unit in units.values() if unit.decided})
    return Part(
        metrics=metrics,
        headline=_headline(metrics, units, total, len(names), data.unit),
        findings=tuple(f"Presence of a unit was decided {words}." for words in decided),
        problems=_problems(units),
        tables={"Units": _rows(units, metrics)},
        charts=_charts(units, metrics),
        people=len(names),
        unit=data.unit,
    )


def _ready(name: str, unit: Unit, data: AffectData, people: tuple[I64, int], settings: Settings) -> Judged:
    there = np.isfinite(unit.truth)
    truth, score, person = unit.truth[there], unit.score[there], people[0][there]
    answered = np.isfinite(score)
    problems: list[tuple[str, str]] = []
    columns: dict[str, Column] = {}
    graded = bool(len(truth)) and not np.isin(truth, (0, 1)).all()
    present = truth >= (settings.present if graded else 0.5)
    if not len(truth) or not answered.any():
        problems.append(("unit_without_data", "Has no frame with a truth and none with a prediction to judge."))
        return Judged(columns, len(truth), 0, int(present.sum()), "", tuple(problems))
    called, decided = _called(name, unit, there, data, settings)
    if present.all() or not present.any():
        problems.append(("unit_always_alike", "Is present in all frames or in none, so it has no F1 and no AUC."))
    else:
        if called is None:
            words = "Has scores that are no probabilities and no threshold: F1 wants a development split."
            problems.append(("unit_without_threshold", words))
        else:
            columns["F1"] = _f1(present, called, person, people[1])
        lowest = np.where(answered, score, np.min(score[answered]) - 1)  # a frame without an answer looks absent
        columns["AUC"] = affect.Ranked(present, lowest, person).auc
    if graded and unit.called is None and score[answered].max() <= 1 < truth.max():
        problems.append(("unit_on_two_scales", "Has a truth beyond 1 and predictions up to 1: no agreement is stated."))
    elif graded:
        columns["ICC(3,1)"] = _icc(np.stack([truth, score], axis=1)[answered], person[answered], people[1])
    known = decided if called is not None else ""
    return Judged(columns, len(truth), int(answered.sum()), int(present.sum()), known, tuple(problems))


def _number(column: str, units: dict[str, Judged]) -> int:
    """How many frames are behind "AU01 F1": only ICC is without those that have no answer."""
    name, kind = column.rsplit(" ", 1)
    return units[name].compared if kind == "ICC(3,1)" else units[name].n


def _called(name: str, unit: Unit, there: Bools, data: AffectData, settings: Settings) -> tuple[F64 | None, str]:
    """(n,) 1 present, 0 absent, -1 no answer; and how that was decided. None: it cannot be."""
    score = unit.score[there]
    answered = np.isfinite(score)
    values = score[answered]
    at, how = None, ""
    other = data.development.units.get(name) if data.development is not None else None
    if other is not None and data.development is not None:
        usable = np.isfinite(other.truth) & np.isfinite(other.score)
        graded = not np.isin(other.truth[usable], (0, 1)).all()
        seen = other.truth[usable] >= (settings.present if graded else 0.5)
        if seen.any():
            people = list(data.development.subjects[usable])
            chosen = affect.threshold_for_f1(seen, other.score[usable], people)
            at, how = chosen.judge(data.subjects[there]), "at the threshold with the best F1 on the development split"
    if at is None and unit.called is not None:
        own = unit.called[there]
        return np.where(answered & np.isfinite(own), own, -1), "by the system itself"
    if at is None and np.isin(values, (0, 1)).all():
        at, how = 0.5, "by the system itself"
    elif at is None and values.min() >= 0 and values.max() <= 1:
        at, how = settings.threshold, f"at {settings.threshold:g}, fixed beforehand"
    elif at is None and not np.isin(unit.truth[there], (0, 1)).all():
        at, how = settings.present, f"at an intensity of {settings.present:g}, as in the truth"
    if at is None:
        return None, ""
    return np.where(answered, np.where(answered, score, 0) >= at, -1), how


def _f1(present: Bools, called: F64, person: I64, people: int) -> Column:
    table = affect.by_person(present.astype(np.int64), called.astype(np.int64), 2, person, people)
    return lambda weights: affect.unit_f1(np.tensordot(weights, table, 1))


def _icc(pairs: F64, person: I64, people: int) -> Column:
    table = agreement.sums(pairs, person, people)
    return lambda weights: agreement.icc(weights @ table, "3,1")


def _headline(metrics: dict[str, Metric], units: dict[str, Judged], total: int, people: int, unit: str) -> str:
    told = []
    for kind in KINDS:
        names = [name for name, one in units.items() if f"{name} {kind}" in metrics]
        if names:
            whole = metrics.get(f"mean {kind} of units") or metrics[f"{names[0]} {kind}"]
            told.append(f"{kind} {said(whole)} over {len(names)} unit{'s' if len(names) > 1 else ''}")
    of = f"{total:,} frames of {people:,} {unit}" if unit != "rows" else f"{total:,} frames"
    return f"Action units: {', '.join(told)}, on {of}." if told else ""


def _rows(units: dict[str, Judged], metrics: dict[str, Metric]) -> tuple[Row, ...]:
    return tuple(
        {"unit": name, "frames": one.n, "present": one.present}
        | {kind: metrics.get(f"{name} {kind}") for kind in KINDS}
        | {"decided": one.decided, "remark": " ".join(words for _, words in one.problems)}
        for name, one in units.items()
    )


def _charts(units: dict[str, Judged], metrics: dict[str, Metric]) -> tuple[Chart, ...]:
    charts = []
    for kind in KINDS:
        bars = {name: metrics[f"{name} {kind}"] for name in units if f"{name} {kind}" in metrics}
        if bars:
            charts.append(Bars(f"{kind} of each unit", kind, bars))
    return tuple(charts)


def _problems(units: dict[str, Judged]) -> tuple[Problem, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for name, one in units.items():
        for problem in one.problems:
            found.setdefault(problem, []).append(name)
    return tuple(Problem(kind, words, tuple(names)) for (kind, words), names in found.items())
