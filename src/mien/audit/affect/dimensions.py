"""Valence, arousal and other numbers: CCC, RMSE, Pearson's r, of all frames pooled and per series."""

from __future__ import annotations

import numpy as np

from mien.audit.affect.data import AffectData, Dimension, Part, Settings, said
from mien.audit.metrics import agreement
from mien.audit.metrics.people import measure, numbered
from mien.audit.metrics.recognition import F64, Bools
from mien.report import Bars, Chart, Problem, Row
from mien.types import Metric

MEASURES = {"CCC": agreement.ccc, "Pearson": agreement.pearson, "RMSE": agreement.rmse}


def judge_dimensions(data: AffectData, settings: Settings) -> Part:
    """Each dimension; frames without a prediction cannot be compared, and their share is told."""
    metrics: dict[str, Metric] = {}
    problems: list[Problem] = []
    tables: dict[str, tuple[Row, ...]] = {}
    findings: list[str] = []
    people = 0
    for name, dimension in data.dimensions.items():
        part = _one(name, dimension, data, settings)
        metrics |= dict(part.metrics)
        problems += part.problems
        tables |= dict(part.tables)
        findings += part.findings
        people = max(people, part.people)
    metrics |= _affect(data, settings)
    told = [f"{name} CCC {said(metrics[f'{name} CCC'])}" for name in data.dimensions if f"{name} CCC" in metrics]
    n = max((metrics[f"{name} CCC"].n for name in data.dimensions if f"{name} CCC" in metrics), default=0)
    of = f"{n:,} frames of {people:,} {data.unit}" if data.unit != "rows" else f"{n:,} frames"
    return Part(
        metrics=metrics,
        headline=f"{told[0][:1].upper()}{', '.join(told)[1:]}, on {of}." if told else "",
        findings=tuple(findings),
        problems=tuple(problems),
        tables=tables,
        charts=_charts(metrics, tuple(data.dimensions)),
        people=people,
        unit=data.unit,
    )


def _one(name: str, dimension: Dimension, data: AffectData, settings: Settings) -> Part:
    there = np.isfinite(dimension.truth)
    both = there & np.isfinite(dimension.predicted)
    findings, problems = [], []
    if there.any() and not both[there].all():
        share = 1 - both.sum() / there.sum()
        findings.append(f"{name.capitalize()}: {share:.1%} of the frames with a truth have no prediction, left out.")
    if not both.any():
        words = "Has no frame with both a truth and a prediction."
        return Part(problems=(Problem("dimension_without_data", words, (name,)),))
    pairs, table = _sums(dimension, data)

    def statistic(weights: F64) -> F64:
        drawn = weights @ table
        return np.stack([measure(drawn) for measure in MEASURES.values()], axis=1)

    n = {f"{name} {kind}": int(both.sum()) for kind in MEASURES}
    metrics = measure(statistic, len(table), n, settings.rounds, settings.seed)
    if f"{name} CCC" not in metrics or f"{name} Pearson" not in metrics:
        words = "Has a truth or predictions that never change: no correlation can be computed."
        problems.append(Problem("dimension_always_alike", words, (name,)))
    series = _series(name, pairs, both, data, settings)
    return Part(
        metrics=metrics | dict(series.metrics),
        findings=tuple(findings),
        problems=(*problems, *series.problems),
        tables=series.tables,
        people=int((table[:, 0] > 0).sum()),
    )


def _sums(dimension: Dimension, data: AffectData) -> tuple[F64, F64]:
    """(m, 2) truth and prediction where both are there, and their sums of each person (people, 7)."""
    both = np.isfinite(dimension.truth) & np.isfinite(dimension.predicted)
    names, person = data.people()
    pairs = np.stack([dimension.truth[both], dimension.predicted[both]], axis=1)
    return pairs, agreement.sums(pairs, person[both], len(names))


def _affect(data: AffectData, settings: Settings) -> dict[str, Metric]:
    """The mean of the CCC of valence and of arousal, by which ABAW ranks."""
    if not {"valence", "arousal"} <= set(data.dimensions):
        return {}
    tables = [_sums(data.dimensions[name], data) for name in ("valence", "arousal")]
    if not all(len(pairs) for pairs, _ in tables):
        return {}

    def statistic(weights: F64) -> F64:
        each: F64 = np.stack([agreement.ccc(weights @ table) for _, table in tables])
        mean: F64 = each.mean(0)[:, None]
        return mean

    n = {"mean CCC of valence and arousal": min(len(pairs) for pairs, _ in tables)}
    return measure(statistic, len(tables[0][1]), n, settings.rounds, settings.seed)


def _series(name: str, pairs: F64, both: Bools, data: AffectData, settings: Settings) -> Part:
    """Each video by itself, and the mean over videos: what pooling hides when videos differ in level."""
    if data.series is None:
        return Part()
    videos, video = numbered(data.series[both])
    table = agreement.sums(pairs, video, len(videos))
    each = {kind: measure(table) for kind, measure in MEASURES.items()}
    rows = tuple(
        {"series": str(one), "frames": int(table[index, 0])}
        | {kind: float(v[index]) if np.isfinite(v[index]) else None for kind, v in each.items()}
        for index, one in enumerate(videos)
    )
    usable = np.isfinite(each["CCC"])
    problems = []
    if not usable.all():
        words = f"Has no CCC of {name}: neither truth nor prediction changes. Left out of the mean over series."
        problems.append(Problem("series_always_alike", words, tuple(map(str, videos[~usable]))))
    metrics: dict[str, Metric] = {}
    if usable.sum() > 1:
        owner = data.subjects[both][np.unique(video, return_index=True)[1]][usable]
        people, person = numbered(owner)
        sums = np.zeros((len(people), 2))
        np.add.at(sums, person, np.stack([each["CCC"][usable], np.ones(int(usable.sum()))], axis=1))

        def mean(weights: F64) -> F64:
            drawn = weights @ sums
            return drawn[:, :1] / drawn[:, 1:]

        n = {f"{name} CCC, mean over series": int(usable.sum())}
        metrics = measure(mean, len(people), n, settings.rounds, settings.seed)
    return Part(metrics, problems=tuple(problems), tables={f"Series: {name}": rows})


def _charts(metrics: dict[str, Metric], names: tuple[str, ...]) -> tuple[Chart, ...]:
    bars = {name: metrics[f"{name} CCC"] for name in names if f"{name} CCC" in metrics}
    note = "1: equal in level, spread and course. Pearson's r alone would not see a wrong level or spread."
    return (Bars("Concordance (CCC) of all frames pooled", "CCC", bars, note=note),) if bars else ()
