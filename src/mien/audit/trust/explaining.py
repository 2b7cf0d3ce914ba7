"""Maps of where the model looks, whether they may be believed, and whether it looks at the face."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mien.audit.affect.data import Part, Settings
from mien.audit.metrics.people import measure, numbered, tally
from mien.audit.metrics.recognition import F64, I64
from mien.audit.trust import explanation
from mien.audit.trust.data import TrustData
from mien.audit.trust.explanation import Maps
from mien.audit.trust.requirement import Requirement, State, at_most
from mien.errors import EvidenceError
from mien.report import Chart, Picture, Row
from mien.types import Metric

MOST = 200  # faces that are explained
FEWEST = 20  # maps without which an answer is not judged by itself: intervals over fewer faces are too narrow
_SURELY = 0.99  # share of draws in which a mean map is highest outside of the face
_SEVERAL = 2.8  # standard errors: that several answers are looked at is allowed for
ALIKE = 0.5  # rank correlation from which two maps show the same
_FAITHFUL = "Deleting what the maps call important costs the answer more than deleting as much elsewhere"
_SANE = f"Maps change when the model forgets what it learned (rank correlation at most {ALIKE:g}, whatever its sign)"
_FACE = (
    "What decides lies on the face: outside of the crop's ellipse hardly more importance than by chance, and no peak"
)


def explaining(data: TrustData, settings: Settings, faces: int, limit: float) -> tuple[Part, list[Requirement]]:
    """Occlusion maps of some faces, drawn by the seed, and the three tests of them."""
    rows = np.flatnonzero(data.seen)
    rows = np.random.default_rng(settings.seed).permutation(rows)[:MOST]
    if len(rows) < FEWEST:
        words = f"Only {len(rows)} faces can be explained; {FEWEST} are needed."
        return Part(), [
            Requirement("explanation", asks, "not enough data", words) for asks in (_FAITHFUL, _SANE, _FACE)
        ]
    part = data.part(rows)
    maps = explanation.importance(data.judge.probabilities, part.crops)
    _, person = numbered(part.people())
    faithful, of_faithful = _faithful(data, maps, person, settings)
    sane, of_sane = _sane(data, maps, person, settings)
    found, table, of_face = _on_the_face(data, maps, person, settings, limit)
    metrics = {name: metric for one in (faithful, sane, found) for name, metric in one.items()}
    tables = {"Importance outside of the face": table} if table else {}
    return Part(metrics, charts=_pictures(data, maps, faces), tables=tables), [of_faithful, of_sane, of_face]


def _faithful(data: TrustData, maps: Maps, person: I64, settings: Settings) -> tuple[dict[str, Metric], Requirement]:
    important, random = explanation.deletion(data.judge.probabilities, maps, settings.seed)
    names = ["fall, important fifth deleted", "fall, random fifth deleted", "difference of the falls"]
    found = _means(np.stack([important, random, important - random], axis=1), person, names, settings)
    more = found[names[2]]
    state: State = "met" if more.low > 0 else "not met" if more.high <= 0 else "not enough data"
    words = (
        f"Of {len(important)} faces, the answer's probability falls by {found[names[0]].value:.3f} when the most important "
        f"fifth of the crop becomes noise, and by {found[names[1]].value:.3f} when the same shape does elsewhere."
    )
    return found, Requirement("explanation", _FAITHFUL, state, words, more)


def _sane(data: TrustData, maps: Maps, person: I64, settings: Settings) -> tuple[dict[str, Metric], Requirement]:
    try:
        other = explanation.shuffled(data.judge, settings.seed)
    except EvidenceError as error:
        return {}, Requirement("explanation", _SANE, "not enough data", error.message)
    unlearned = explanation.importance(other.probabilities, maps.crops, maps.answers)
    name = "likeness of maps to an unlearned model's"
    found = _means(np.abs(explanation.likeness(maps, unlearned))[:, None], person, [name], settings)
    words = "The same graph with the values of each weight array in random order, the same classes explained."
    return found, Requirement("explanation", _SANE, at_most(found.get(name), ALIKE), words, found.get(name))


def _on_the_face(
    data: TrustData, maps: Maps, person: I64, settings: Settings, limit: float
) -> tuple[dict[str, Metric], tuple[Row, ...], Requirement]:
    """`limit` is how much more than by chance may lie outside: with many faces any trifle is beyond chance."""
    parts, chance = explanation.outside(maps)
    name = "importance outside of the face"
    whole = _ratio(parts, person, name, settings)
    if not whole:
        words = "Covering parts of the face does not change the answers, so nothing can be told from it."
        return {}, (), Requirement("explanation", _FACE, "not enough data", words)
    rows: list[dict[str, Any]] = []
    worse = []
    for number, label in enumerate(data.judge.labels):
        chosen = maps.answers == number
        if chosen.sum() < FEWEST or not (metric := _ratio(parts[chosen], person[chosen], label, settings).get(label)):
            continue
        of_class = Maps(maps.crops[chosen], maps.answers[chosen], maps.sure[chosen], maps.values[chosen])
        peak = explanation.peaks_outside(of_class, seed=settings.seed)
        shown = {"share outside": metric, "by chance": chance, "highest outside, share of draws": peak}
        rows.append({"answer": label, **shown})
        error = (metric.high - metric.low) / 3.92
        if metric.value - _SEVERAL * error > chance + limit or peak >= _SURELY:
            worse.append(f"{label} ({metric.value:.2f} outside{', highest there' if peak >= _SURELY else ''})")
    state = "not met" if worse else at_most(whole[name], chance + limit)
    told = f"; too much for the answer {', '.join(worse)}" if worse else ""
    words = f"{whole[name].value:.3f} of the importance is outside, where chance puts {chance:.3f}{told}."
    return whole, tuple(rows), Requirement("explanation", _FACE, state, words, whole[name])


def _ratio(parts: F64, person: I64, name: str, settings: Settings) -> dict[str, Metric]:
    """The first column of (n, 2) over the second, each added up, with an interval over people."""
    _, owner = np.unique(person, return_inverse=True)
    summed = tally(parts, owner.astype(np.int64), int(owner.max()) + 1)

    def statistic(weights: F64) -> F64:
        sums = weights @ summed
        whole = np.maximum(sums[:, 1:], 1e-12)
        return np.asarray(np.where(sums[:, 1:] > 1e-9, sums[:, :1] / whole, np.nan))

    return measure(statistic, len(summed), {name: len(parts)}, settings.rounds, settings.seed)


def _means(values: F64, person: I64, names: list[str], settings: Settings) -> dict[str, Metric]:
    """Means of the columns of (n, k), with intervals over people."""
    _, owner = np.unique(person, return_inverse=True)
    summed = tally(np.column_stack([values, np.ones(len(values))]), owner.astype(np.int64), int(owner.max()) + 1)

    def statistic(weights: F64) -> F64:
        sums = weights @ summed
        return np.asarray(sums[:, :-1] / sums[:, -1:])

    return measure(statistic, len(summed), dict.fromkeys(names, len(values)), settings.rounds, settings.seed)


def _pictures(data: TrustData, maps: Maps, faces: int) -> tuple[Chart, ...]:
    """The mean map of each answer that is common enough, and single faces."""
    charts: list[Chart] = []
    for number, label in enumerate(data.judge.labels):
        chosen = maps.answers == number
        if chosen.sum() >= FEWEST:
            png = explanation.mean_picture(maps.crops[chosen], maps.values[chosen])
            note = "Left the mean crop, right the mean map. Red: covering it costs the answer; blue: it helps it."
            charts.append(Picture(f"Where it looks for {label} (mean of {int(chosen.sum())})", png, note))
    if faces:
        first = replace(maps, crops=maps.crops[:faces], answers=maps.answers[:faces], values=maps.values[:faces])
        named = ", ".join(
            f"{data.judge.labels[answer]} ({sure:.2f})" for answer, sure in zip(first.answers, maps.sure, strict=False)
        )
        note = f"From above, what the model answered and how sure it is: {named}."
        charts.append(Picture("Single faces and where the model looks", explanation.picture(first, faces), note))
    return tuple(charts)
