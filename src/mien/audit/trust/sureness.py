"""Does the model know when it is right: calibration, prediction sets, and what withholding answers gains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mien.audit.affect import Affect, AffectData, Classes
from mien.audit.affect.data import Part, Settings
from mien.audit.metrics import affect, conformal
from mien.audit.metrics.people import measure, numbered
from mien.audit.metrics.recognition import F64, Bools
from mien.audit.trust.data import TrustData
from mien.audit.trust.requirement import Requirement, State, at_least, at_most
from mien.report import Line, Lines, Report
from mien.types import Metric

SLACK = 0.02  # by which their coverage may miss what was promised
MISS = 0.1  # share of prediction sets that may lack the truth
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
KEPT = 0.5  # share of answers whose accuracy is stated


def as_affect(data: TrustData, probabilities: F64) -> AffectData:
    """Answers beside the truth, as `mien audit affect` judges them."""
    answers = np.where(data.seen, probabilities.argmax(1), affect.NO_ANSWER)
    chances = np.where(data.seen[:, None], probabilities, np.nan)
    named = data.subjects is not None
    return AffectData(
        data.people(),
        data.names,
        named,
        "people" if named else "rows",
        classes=Classes(data.judge.labels, data.truth, answers, chances),
        source=data.source,
    )


def accuracy(data: TrustData, probabilities: F64, settings: Settings) -> tuple[Report, list[Requirement]]:
    """What `mien audit affect` says of the answers, and whether they beat knowing nothing."""
    report = Affect(settings.rounds, settings.seed, settings.bins).run(as_affect(data, probabilities))
    commonest = float(np.bincount(data.truth).max() / len(data))
    classes = len(np.unique(data.truth))
    right = report.metrics.get("WAR (accuracy)")
    mean = report.metrics.get("UAR")
    return report, [
        Requirement(
            "accuracy",
            f"Right more often than the answer that is always the commonest class ({commonest:.3f})",
            at_least(right, commonest),
            "Share of all pictures; one without a face is a wrong answer.",
            right,
        ),
        Requirement(
            "accuracy",
            f"Mean recall of the classes above chance (1 / {classes} = {1 / classes:.3f})",
            at_least(mean, 1 / classes),
            f"{classes} classes have pictures. " + _weakest(report, data.judge.labels),
            mean,
        ),
    ]


def _weakest(report: Report, labels: tuple[str, ...]) -> str:
    recalls = {name: report.metrics[f"recall of {name}"] for name in labels if f"recall of {name}" in report.metrics}
    if not recalls:
        return ""
    worst = min(recalls, key=lambda name: recalls[name].value)
    return f"Lowest: {worst}, {recalls[worst].value:.3f} of {recalls[worst].n:,}."


def sureness(
    data: TrustData, probabilities: F64, ece: Metric | None, settings: Settings, limit: float
) -> tuple[Part, list[Requirement]]:
    """Calibration, prediction sets and abstention. `ece` is of all answers; the rest is chosen on a third of the people
    and judged on the others."""
    label = f"Expected calibration error at most {limit:g}"
    calibrated = Requirement("calibration", label, at_most(ece, limit), _leaning(data, probabilities), ece)
    development, other = _split(data, settings.seed)
    if development is None or other is None:
        words = "Fewer than 30 answers or 6 people: nothing can be chosen on some and judged on others."
        lacking = Requirement("uncertainty", _SETS, "not enough data", words)
        return Part(), [calibrated, lacking, replace(lacking, asks=_ABSTAIN)]
    first, second = probabilities[development], probabilities[other]
    tempered, told = _tempered(data, probabilities, development, other, settings)
    sets, of_sets = _sets(data.part(development), first, data.part(other), second, settings)
    kept, of_kept, chart = _abstaining(data.part(data.seen), probabilities[data.seen], settings)
    part = Part({**tempered, **sets, **kept}, findings=(told,), charts=(chart,))
    return part, [calibrated, of_sets, of_kept]


_SETS = f"Sets of classes that hold the truth in {1 - MISS:.0%} of cases, to within {SLACK:g}"
_ABSTAIN = f"The surer {KEPT:.0%} of answers are right more often than all answers"


def _leaning(data: TrustData, probabilities: F64) -> str:
    if not data.seen.any():
        return "No picture has an answer."
    sure = float(probabilities[data.seen].max(1).mean())
    right = float((probabilities[data.seen].argmax(1) == data.truth[data.seen]).mean())
    side = "surer than it is right" if sure > right else "less sure than it is right"
    return f"Mean confidence {sure:.3f}, share right {right:.3f}: on the whole {side}, by {abs(sure - right):.3f}."


def _split(data: TrustData, seed: int) -> tuple[Bools | None, Bools | None]:
    """(n,) the answers of a third of the people, and of the others; None where that is too few."""
    names, person = numbered(data.people())
    drawn = np.random.default_rng(seed).permutation(len(names)) < len(names) / 3
    chosen = drawn[person]
    development, other = chosen & data.seen, ~chosen & data.seen
    if len(names) < 6 or min(int(development.sum()), int(other.sum())) < 10:
        return None, None
    return development, other


def _tempered(
    data: TrustData, probabilities: F64, development: Bools, other: Bools, settings: Settings
) -> tuple[Mapping[str, Metric], str]:
    held = as_affect(data.part(other), probabilities[other])
    joined = replace(held, development=as_affect(data.part(development), probabilities[development]))
    report = Affect(settings.rounds, settings.seed, settings.bins).run(joined)
    after = {name: metric for name, metric in report.metrics.items() if name.endswith(", after temperature scaling")}
    told = next((words for words in report.findings if words.startswith("A temperature of")), "")
    return after, told


def _sets(
    development: TrustData, first: F64, other: TrustData, second: F64, settings: Settings
) -> tuple[Mapping[str, Metric], Requirement]:
    threshold = conformal.threshold(first, development.truth, MISS)
    inside = conformal.sets(second, threshold)
    found = _covered((development, first), (other, second), settings)
    covered, size = found["coverage of 90 % prediction sets"], found["classes in a 90 % prediction set"]
    state: State = "not enough data" if len(development) < 100 else at_least(_high(covered), 1 - MISS - SLACK)
    words = (
        f"A class belongs to the set from probability {threshold:.3f}, chosen on {len(development):,} answers. A set has "
        f"{size.value:.2f} of {second.shape[1]} classes; {float((inside.sum(1) == 1).mean()):.0%} of them have one. "
        "The interval counts that the probability was chosen on few."
    )
    return found, Requirement("uncertainty", _SETS, state, words, covered)


def _covered(chosen: tuple[TrustData, F64], judged: tuple[TrustData, F64], settings: Settings) -> dict[str, Metric]:
    """Coverage and size of the sets. Each round draws people anew on both sides: the choice is uncertain as well."""
    (development, first), (other, second) = chosen, judged
    rng = np.random.default_rng(settings.seed)
    names, owner = numbered(development.people())
    people, person = numbered(other.people())
    of_truth = second[np.arange(len(other)), other.truth]
    values = []
    for index in range(settings.rounds + 1):
        rows, weights = np.arange(len(owner)), np.ones(len(person))
        if index:
            drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))
            rows = np.repeat(rows, drawn[owner])
            weights = rng.multinomial(len(people), np.full(len(people), 1 / len(people)))[person].astype(np.float64)
        threshold = conformal.threshold(first[rows], development.truth[rows], MISS)
        inside = conformal.sets(second, threshold)
        hit = conformal.sets(of_truth, threshold)
        values.append([float(np.average(hit, weights=weights)), float(np.average(inside.sum(1), weights=weights))])
    table = np.array(values)
    low, high = np.quantile(table[1:], [0.025, 0.975], axis=0)
    titles = ("coverage of 90 % prediction sets", "classes in a 90 % prediction set")
    return {
        title: Metric(value, min(float(least), value), max(float(most), value), len(other))
        for title, value, least, most in zip(titles, map(float, table[0]), low, high, strict=True)
    }


def _high(metric: Metric) -> Metric:
    """For a rate that should be what was promised: only an interval below it speaks against it."""
    return replace(metric, low=metric.high)


def _abstaining(
    data: TrustData, probabilities: F64, settings: Settings
) -> tuple[Mapping[str, Metric], Requirement, Lines]:
    """Accuracy of the answers that are left when the least sure are withheld."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == data.truth
    names, person = numbered(data.people())

    def statistic(weights: F64) -> F64:
        kept = np.array([conformal.kept_accuracy(sure, right, COVERAGES, row[person]) for row in weights])
        return np.column_stack([kept, kept[:, COVERAGES.index(KEPT)] - kept[:, 0]])

    n = len(sure)
    counts = {f"{share:g}": max(1, round(share * n)) for share in COVERAGES}
    shares = {f"{share:g}": max(1, round(share * len(names))) for share in COVERAGES}
    found = measure(statistic, len(names), counts | {"gain": n}, settings.rounds, settings.seed, shares)
    curve = [found[f"{share:g}"] for share in COVERAGES]
    values, lows, highs = (tuple(float(getattr(m, end)) for m in curve) for end in ("value", "low", "high"))
    line = Line("answers kept", COVERAGES, values, lows, highs)
    note = (
        "The least sure answers are withheld first. A curve that does not rise to the left knows nothing of its errors."
    )
    chart = Lines(
        "Accuracy when the least sure answers are withheld", "share of answers kept", "accuracy", (line,), note=note
    )
    kept, gain = found[f"{KEPT:g}"], found["gain"]
    words = f"All answers: {curve[0].value:.3f} right; the surer {KEPT:.0%}: {kept.value:.3f}."
    state: State = (
        "met" if gain.low > 0 else "not met" if gain.high < 0 or gain.high == gain.low == 0 else "not enough data"
    )
    metrics = {f"accuracy of the surest {KEPT:.0%}": kept, "gain from withholding half": gain}
    return metrics, Requirement("uncertainty", _ABSTAIN, state, words, gain), chart
