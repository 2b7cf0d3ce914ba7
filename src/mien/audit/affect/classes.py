"""Classes of expression: recalls, F1, confusion, calibration, folds, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mien.audit.affect.calibrated import calibration
from mien.audit.affect.data import AffectData, Classes, Part, Settings, said
from mien.audit.metrics import affect
from mien.audit.metrics.people import measure, numbered
from mien.audit.metrics.recognition import F64, Bools
from mien.report import Bars, Chart, Grid, Problem, Row
from mien.types import Metric

FEW = 5  # people with a class: below this its interval says little


def judge_classes(data: AffectData, classes: Classes, settings: Settings) -> Part:
    """Everything about one class per row. Rows without truth are left out (they are among the data's problems)."""
    there = classes.truth >= 0
    names, person = data.people(there)
    truth, predicted = classes.truth[there], classes.predicted[there]
    if not len(truth):
        words = "No row has a class to judge by, so no class was judged."
        return Part(problems=(Problem("no_truth_at_all", words, (), len(there)),))
    table = affect.by_person(truth, predicted, len(classes.names), person, len(names))
    whole = table.sum(0)
    each = _each(table, classes.names, settings)
    metrics = _overall(table, settings, each) | each
    calibrated = calibration(data, classes, settings)
    by_fold, fold_words = _folds(data, classes, there)
    tables = {"Classes": _class_rows(table, classes.names, metrics)} | by_fold
    tables |= _groups(data, classes, there, settings)
    return Part(
        metrics=metrics | dict(calibrated.metrics),
        headline=_headline(metrics, len(truth), len(names), data.unit),
        findings=(*fold_words, *_findings(whole, classes.names), *calibrated.findings),
        problems=(*_problems(table, classes.names, data.unit), *calibrated.problems),
        tables=tables | dict(calibrated.tables),
        charts=(_confusion(whole, classes.names), *_bars(metrics, classes.names), *calibrated.charts),
        rows=_rows(data, classes),
        people=len(names),
        unit=data.unit,
    )


def _overall(table: F64, settings: Settings, each: Mapping[str, Metric] | None = None) -> dict[str, Metric]:
    """The means over classes, and accuracy.

    A class without a miss, or without a hit, has no spread in any draw of people; a mean takes over the doubt that the
    class has of itself (`each`), squares added (MOVER: Donner and Zou, Stat. Meth. Med. Res. 2012)."""

    def statistic(weights: F64) -> F64:
        pooled = np.tensordot(weights, table, 1)
        measures = (affect.uar, affect.war, affect.macro_f1, affect.weighted_f1)
        return np.stack([measure(pooled) for measure in measures], axis=1)

    n = int(table.sum())
    names = ("UAR", "WAR (accuracy)", "UF1 (macro F1)", "weighted F1")
    people = dict.fromkeys(names, len(table))
    found = measure(statistic, len(table), dict.fromkeys(names, n), settings.rounds, settings.seed, people)
    for mean, kind in (("UAR", "recall of "), ("UF1 (macro F1)", "F1 of ")):
        classes = [metric for name, metric in (each or {}).items() if name.startswith(kind)]
        if mean in found and classes:
            found[mean] = _doubted(found[mean], [one for one in classes if one.value in (0, 1)], len(classes))
    return found


def _doubted(mean: Metric, sure: Sequence[Metric], classes: int) -> Metric:
    """A mean over so many classes with the doubt of those that are 0 or 1."""
    below, above = mean.value - mean.low, mean.high - mean.value
    low = float(np.hypot(below, np.linalg.norm([one.value - one.low for one in sure]) / classes))
    high = float(np.hypot(above, np.linalg.norm([one.high - one.value for one in sure]) / classes))
    return Metric(mean.value, max(0.0, mean.value - low), min(1.0, mean.value + high), mean.n)


def _each(table: F64, names: Sequence[str], settings: Settings) -> dict[str, Metric]:
    """Recall and F1 of every class that has truth."""

    def statistic(weights: F64) -> F64:
        pooled = np.tensordot(weights, table, 1)
        return np.concatenate([affect.recalls(pooled), affect.f1s(pooled)], axis=1)

    support = table.sum((0, 2)).astype(int)
    n = {
        f"{what} of {name}": int(count) for what in ("recall", "F1") for name, count in zip(names, support, strict=True)
    }
    carriers = (table.sum(2) > 0).sum(0)
    people = {name: int(carriers[place % len(names)]) for place, name in enumerate(n)}
    found = measure(statistic, len(table), n, settings.rounds, settings.seed, people)
    return {name: metric for name, metric in found.items() if metric.n}


def _class_rows(table: F64, names: Sequence[str], metrics: dict[str, Metric]) -> tuple[Row, ...]:
    whole = table.sum(0)
    precision = affect.precisions(whole)
    return tuple(
        {
            "class": name,
            "true": int(whole[index].sum()),
            "predicted": int(whole[:, index].sum()),
            "people": int((table[:, index].sum(1) > 0).sum()),
            "recall": metrics.get(f"recall of {name}"),
            "precision": None if np.isnan(precision[index]) else float(precision[index]),
            "F1": metrics.get(f"F1 of {name}"),
        }
        for index, name in enumerate(names)
    )


def _folds(data: AffectData, classes: Classes, there: Bools) -> tuple[dict[str, tuple[Row, ...]], tuple[str, ...]]:
    """Mean and standard deviation over folds, as DFEW's five folds are reported, beside the pooled value."""
    if data.folds is None:
        return {}, ()
    folds, fold = numbered(data.folds[there])
    tables = affect.by_person(classes.truth[there], classes.predicted[there], len(classes.names), fold, len(folds))
    measures = {"UAR": affect.uar(tables), "WAR (accuracy)": affect.war(tables), "UF1": affect.macro_f1(tables)}
    rows = [
        {"fold": str(name), "samples": int(tables[index].sum())}
        | {what: float(values[index]) for what, values in measures.items()}
        for index, name in enumerate(folds)
    ]
    if len(folds) < 2:
        return {"Folds": tuple(rows)}, ("There is one fold: no spread over folds can be told.",)
    for what, summary in (("mean", np.mean), ("standard deviation", lambda v: np.std(v, ddof=1))):
        rows.append({"fold": what, "samples": None} | {name: float(summary(v)) for name, v in measures.items()})
    spread = ", ".join(
        f"{name} {values.mean():.3f} ± {values.std(ddof=1):.3f}" for name, values in list(measures.items())[:2]
    )
    words = (
        f"Mean ± standard deviation over {len(folds)} folds: {spread}. "
        "The metrics above are of all folds' predictions pooled; folds share training people, so ± is no interval."
    )
    return {"Folds": tuple(rows)}, (words,)


def _groups(data: AffectData, classes: Classes, there: Bools, settings: Settings) -> dict[str, tuple[Row, ...]]:
    """UAR and accuracy in each group of each column of groups."""
    found: dict[str, tuple[Row, ...]] = {}
    for column, values in data.groups.items():
        rows: list[Row] = []
        for group in np.unique(values[there]):
            chosen = there & (values == group)
            names, person = data.people(chosen)
            table = affect.by_person(
                classes.truth[chosen], classes.predicted[chosen], len(classes.names), person, len(names)
            )
            enough = len(names) >= FEW
            metrics = _overall(table, settings) if enough else {}
            rows.append(
                {
                    "group": str(group) or "(not given)",
                    "samples": int(chosen.sum()),
                    data.unit: len(names),
                    "classes": int((table.sum((0, 2)) > 0).sum()),
                    "UAR": metrics.get("UAR"),
                    "accuracy": metrics.get("WAR (accuracy)"),
                    "remark": "" if enough else f"not enough data: fewer than {FEW} {data.unit}",
                }
            )
        found[f"By {column}"] = tuple(rows)
    return found


def _headline(metrics: dict[str, Metric], n: int, people: int, unit: str) -> str:
    of = f"{n:,} samples of {people:,} {unit}" if unit != "rows" else f"{n:,} rows"
    return f"UAR {said(metrics.get('UAR'))} and UF1 {said(metrics.get('UF1 (macro F1)'))} on {of}."


def _findings(whole: F64, names: Sequence[str]) -> tuple[str, ...]:
    """How this compares with answering always the commonest class, and the worst class."""
    share = whole.sum(1) / whole.sum()
    best = int(share.argmax())
    with_truth = int((share > 0).sum())
    floor = (
        f"Always answering {names[best]} would have accuracy {share[best]:.3f} and UAR {1 / with_truth:.3f}; "
        f"compare with that before anything else."
    )
    recall = affect.recalls(whole)
    worst = int(np.nanargmin(recall))
    wrong = whole[worst].copy()
    wrong[worst] = 0
    if not wrong.any():
        return (floor,)
    taken = [*names, "no answer"][int(wrong.argmax())]
    return floor, f"The class missed most is {names[worst]} (recall {recall[worst]:.3f}), most often for {taken}."


def _problems(table: F64, names: Sequence[str], unit: str) -> tuple[Problem, ...]:
    whole = table.sum(0)
    without, never = affect.missing(whole, names)
    called = {name for name, count in zip(names, whole[:, :-1].sum(0), strict=True) if count}
    carriers = (table.sum(2) > 0).sum(0)
    few = [name for name, count in zip(names, carriers, strict=True) if 0 < count < FEW]
    return tuple(
        problem
        for problem in (
            Problem(
                "class_never_predicted",
                "Has truth and is never predicted: its recall and F1 are 0 and stay in UAR and UF1.",
                never,
            ),
            Problem(
                "class_predicted_without_truth",
                "Is predicted and has no truth: its F1 is 0 and stays in UF1; it has no recall, and UAR is without it.",
                tuple(name for name in without if name in called),
            ),
            Problem(
                "class_not_there",
                "Has neither truth nor predictions here: UAR and UF1 are means over the other classes, and are not "
                "comparable with means over all of them.",
                tuple(name for name in without if name not in called),
            ),
            Problem(
                "class_of_few",
                f"Comes from fewer than {FEW} {unit}: its interval, and what it adds to those of UAR and UF1, is not "
                "to be relied on.",
                tuple(few),
            ),
        )
        if problem.cases
    )


def _confusion(whole: F64, names: Sequence[str]) -> Grid:
    """Shares of each true class; a column for no answer where there is one."""
    columns = (*names, "no answer") if whole[:, -1].any() else tuple(names)
    number = whole.sum(1)
    values = tuple(
        tuple(float(value / number[index]) if number[index] else None for value in row[: len(columns)])
        for index, row in enumerate(whole)
    )
    labels = tuple(f"{name} ({int(count)})" for name, count in zip(names, number, strict=True))
    note = "Each row: of the samples that are truly so, the share that was called each name. The diagonal is recall."
    return Grid("Confusion", labels, columns, values, "truth (samples)", "predicted", note)


def _bars(metrics: dict[str, Metric], names: Sequence[str]) -> tuple[Chart, ...]:
    bars = {name: metrics[f"recall of {name}"] for name in names if f"recall of {name}" in metrics}
    note = "UAR is the mean of these. Intervals draw people."
    return (Bars("Recall of each class", "recall", bars, note=note),) if bars else ()


def _rows(data: AffectData, classes: Classes) -> tuple[Row, ...]:
    """Every case: what it is, what it was called, how surely."""
    names = (*classes.names, "")  # -1 is the last
    sure = None if classes.probabilities is None else classes.probabilities.max(1)
    return tuple(
        {
            "case": case,
            "subject": str(data.subjects[index]),
            "truth": names[classes.truth[index]],
            "predicted": names[classes.predicted[index]],
            "right": bool(classes.truth[index] == classes.predicted[index]) if classes.truth[index] >= 0 else None,
            "confidence": None if sure is None or np.isnan(sure[index]) else float(sure[index]),
        }
        for index, case in enumerate(data.cases)
    )
