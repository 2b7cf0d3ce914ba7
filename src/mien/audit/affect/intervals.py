"""Intervals spotted in videos: F1 at an overlap, micro- and macro-expressions apart and pooled, average precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.audit.affect.data import Part, Settings, Spots, said
from mien.audit.metrics import spotting
from mien.audit.metrics.people import measure, numbered
from mien.audit.metrics.recognition import F64, I64
from mien.audit.metrics.spotting import Intervals
from mien.report import Bars, Chart, Problem, Row
from mien.types import Metric

UNKNOWN = "of no known kind"  # matches nothing, and is counted in the pooled values
MEASURES = {"F1": spotting.f1, "precision": spotting.precision, "recall": spotting.recall}


def judge_intervals(spots: Spots, settings: Settings) -> Part:
    """Counts over all videos; intervals draw people where they are named, else videos."""
    people, person = numbered(spots.subjects)
    unit = "videos" if (spots.subjects == spots.videos).all() else "people"
    tables = {_title(kind, spots): _table(spots, kind, False, settings) for kind in _kinds(spots)}
    whole = np.sum(list(tables.values()), axis=0)
    if len(tables) > 1:
        tables["pooled"] = whole
    labelled = bool((spots.truth.label != "").any() and (spots.predicted.label != "").any())
    if labelled:
        tables["with the right label"] = np.sum([_table(spots, kind, True, settings) for kind in _kinds(spots)], axis=0)
    metrics: dict[str, Metric] = {}
    for name, table in tables.items():
        if name != UNKNOWN:
            metrics |= _measured(name, table, (person, len(people)), settings)
    ranked, problems = _ranked(spots, (person, len(people)), settings)
    pooled = metrics.get(f"{'pooled' if 'pooled' in tables else next(iter(tables))} F1")
    at = f"overlap {settings.iou:g}"
    return Part(
        metrics=metrics | ranked,
        headline=f"Interval F1 {said(pooled)} at {at}: {int(whole[:, 0].sum())} of {len(spots.truth)} found with "
        f"{int(whole[:, 1].sum())} false ones, in {len(spots.videos):,} videos"
        + (f" of {len(people):,} people." if unit == "people" else "."),
        problems=(*_unmeasured(tables, metrics), *problems),
        tables={"Counts": _counts(tables), "Videos": _videos(spots, whole)},
        charts=_charts(metrics, list(tables)),
        rows=_rows(spots, settings),
        people=len(people),
        unit=unit,
    )


def _kinds(spots: Spots) -> list[str]:
    return sorted(set(spots.truth.kind) | set(spots.predicted.kind)) or [""]


def _of_kind(intervals: Intervals, kind: str) -> Intervals:
    return intervals.where(intervals.kind == kind)


def _table(spots: Spots, kind: str, labels: bool, settings: Settings) -> F64:
    truth, predicted = _of_kind(spots.truth, kind), _of_kind(spots.predicted, kind)
    return spotting.spots(truth, predicted, spots.videos, settings.iou, spots.inclusive, labels)


def _title(kind: str, spots: Spots) -> str:
    """The name of a kind; of none: "interval" where no kinds are told apart."""
    return kind or (UNKNOWN if (spots.truth.kind != "").any() else "interval")


def _measured(name: str, table: F64, people: tuple[I64, int], settings: Settings) -> dict[str, Metric]:
    person, count = people
    summed = np.zeros((count, 3))
    np.add.at(summed, person, table)

    def statistic(weights: F64) -> F64:
        drawn = weights @ summed
        return np.stack([measure(drawn) for measure in MEASURES.values()], axis=1)

    right, false, missed = table.sum(0).astype(int)
    n = {"F1": right + false + missed, "precision": right + false, "recall": right + missed}
    named = {f"{name} {kind}": int(n[kind]) for kind in MEASURES}
    shares = dict.fromkeys(named, int((summed.sum(1) > 0).sum()))
    return measure(statistic, count, named, settings.rounds, settings.seed, shares)


def _ranked(spots: Spots, people: tuple[I64, int], settings: Settings) -> tuple[dict[str, Metric], tuple[Problem, ...]]:
    """Average precision of each class (label, else kind), its mean, and the mean over overlaps."""
    if not len(spots.predicted) or not np.isfinite(spots.predicted.score).any():
        words = "The predicted intervals have no score, so there is no average precision."
        return {}, (Problem("no_scores", words, (), len(spots.predicted)),) if len(spots.predicted) else ()
    score = spots.predicted.score
    low = np.where(np.isfinite(score), score, score[np.isfinite(score)].min() - 1)
    predicted = replace(spots.predicted, score=low)
    field = "label" if (spots.truth.label != "").any() and (predicted.label != "").any() else "kind"
    names = [str(name) for name in np.unique(getattr(spots.truth, field))]
    overlaps = sorted({settings.iou, *spotting.ACTIVITYNET})
    ranked = [
        [
            spotting.RankedSpots(
                spots.truth.where(getattr(spots.truth, field) == name),
                predicted.where(getattr(predicted, field) == name),
                spots.videos,
                at,
                spots.inclusive,
            )
            for name in names
        ]
        for at in overlaps
    ]
    person, count = people

    def statistic(weights: F64) -> F64:
        video = weights[:, person]
        each = np.stack([[one.average_precision(video) for one in row] for row in ranked])  # (overlaps, names, rounds)
        there = np.isfinite(each).sum(1)
        means = np.divide(np.nansum(each, 1), there, out=np.full(there.shape, np.nan), where=there > 0)
        over = means[[overlaps.index(at) for at in spotting.ACTIVITYNET]].mean(0)
        here = overlaps.index(settings.iou)
        return np.column_stack([means[here], over, each[here].T])

    n = len(spots.truth)
    named = {f"mAP at {settings.iou:g}": n, "mAP at 0.5:0.05:0.95": n}
    named |= {f"AP of {name or 'intervals'}": int((getattr(spots.truth, field) == name).sum()) for name in names}
    shares = dict.fromkeys(named, len(np.unique(person)))
    return measure(statistic, count, named, settings.rounds, settings.seed, shares), ()


def _unmeasured(tables: dict[str, F64], metrics: dict[str, Metric]) -> tuple[Problem, ...]:
    absent = tuple(name for name in tables if f"{name} F1" not in metrics and name != UNKNOWN)
    words = "Has neither a true nor a predicted interval: nothing to measure."
    return (Problem("nothing_there", words, absent),) if absent else ()


def _counts(tables: dict[str, F64]) -> tuple[Row, ...]:
    rows = []
    for name, table in tables.items():
        right, false, missed = (int(value) for value in table.sum(0))
        rows.append({"kind": name, "found": right, "false": false, "missed": missed})
    return tuple(rows)


def _videos(spots: Spots, whole: F64) -> tuple[Row, ...]:
    return tuple(
        {
            "video": str(video),
            "subject": str(spots.subjects[index]),
            "found": int(whole[index, 0]),
            "false": int(whole[index, 1]),
            "missed": int(whole[index, 2]),
        }
        for index, video in enumerate(spots.videos)
    )


def _rows(spots: Spots, settings: Settings) -> tuple[Row, ...]:
    """Every true interval with what it was matched to, then every prediction that is false."""
    rows: list[Row] = []
    for kind in _kinds(spots):
        truth, predicted = _of_kind(spots.truth, kind), _of_kind(spots.predicted, kind)
        for video in spots.videos:
            ours, theirs = truth.where(truth.video == video), predicted.where(predicted.video == video)
            pairs = spotting.matched(spotting.overlaps(ours.ends, theirs.ends, spots.inclusive), settings.iou)
            used = set(pairs[pairs >= 0])
            rows += [_row(ours, i, "found" if pairs[i] >= 0 else "missed") for i in range(len(ours))]
            rows += [_row(theirs, i, "false") for i in range(len(theirs)) if i not in used]
    return tuple(rows)


def _row(one: Intervals, index: int, outcome: str) -> Row:
    return {
        "video": str(one.video[index]),
        "onset": float(one.onset[index]),
        "offset": float(one.offset[index]),
        "kind": str(one.kind[index]),
        "label": str(one.label[index]),
        "outcome": outcome,
    }


def _charts(metrics: dict[str, Metric], names: list[str]) -> tuple[Chart, ...]:
    bars = {name: metrics[f"{name} F1"] for name in names if f"{name} F1" in metrics}
    return (Bars("F1 of intervals", "F1", bars, note="Counts are pooled over videos."),) if bars else ()
