"""Whether the probabilities of classes mean what they say."""

from __future__ import annotations

import numpy as np

from mien.audit.affect.data import AffectData, Classes, Part, Settings
from mien.audit.metrics import confidence
from mien.audit.metrics.people import measure, tally
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.report import Line, Lines, Problem
from mien.types import Metric


def calibration(data: AffectData, classes: Classes, settings: Settings) -> Part:
    """ECE, MCE, Brier, NLL and a reliability chart, of the rows that have probabilities and truth."""
    if classes.probabilities is None:
        return Part()
    there = (classes.truth >= 0) & np.isfinite(classes.probabilities).all(1)
    if not there.any():
        words = "No row has probabilities of its classes that sum to 1, so nothing is said about calibration."
        return Part(problems=(Problem("no_probabilities", words, (), len(there)),))
    names, person = data.people(there)
    truth, chances = classes.truth[there], classes.probabilities[there]
    metrics = _measured(chances, truth, person, len(names), settings)
    problems = []
    certain = int((chances[np.arange(len(truth)), truth] <= 0).sum())
    if certain:
        words = "Give the truth a probability of 0: counted in NLL as 2e-16, where it would be infinite."
        problems.append(Problem("certain_and_wrong", words, (), certain))
    sure, right = chances.max(1), chances.argmax(1) == truth
    findings = (_against_chance(sure, metrics, settings), _leaning(sure, right))
    chart = _reliability(sure, right, person, len(names), settings)
    tempered, told = _tempered(data, classes, there, person, settings)
    return Part(metrics | tempered, findings=(*findings, *told), problems=tuple(problems), charts=(chart,))


def _measured(chances: F64, truth: I64, person: I64, people: int, settings: Settings) -> dict[str, Metric]:
    sure, right, n = chances.max(1), chances.argmax(1) == truth, len(truth)
    wide = confidence.binned(sure, right, confidence.equal_width(settings.bins), person, people)
    full = confidence.binned(sure, right, confidence.equal_mass(sure, settings.bins), person, people)
    scores = np.stack([confidence.brier(chances, truth), confidence.nll(chances, truth), np.ones(n)], axis=1)
    summed = tally(scores, person, people)

    def statistic(weights: F64) -> F64:
        bins, masses, sums = np.tensordot(weights, wide, 1), np.tensordot(weights, full, 1), weights @ summed
        means = sums[:, :2] / sums[:, 2:]
        return np.column_stack([confidence.ece(bins), confidence.ece(masses), confidence.mce(bins), means])

    named = [f"ECE, {settings.bins} bins of equal width", f"ECE, {settings.bins} bins of equal mass", "MCE"]
    return measure(statistic, people, dict.fromkeys([*named, "Brier", "NLL"], n), settings.rounds, settings.seed)


def _against_chance(sure: F64, metrics: dict[str, Metric], settings: Settings) -> str:
    """ECE is above 0 by chance alone: by how much, and whether this one is more than that."""
    edges = confidence.equal_width(settings.bins)
    mean, most = confidence.ece_of_calibrated(sure, edges, seed=settings.seed)
    found = metrics[f"ECE, {settings.bins} bins of equal width"].value
    verdict = "more than chance" if found > most else "no more than chance can do"
    return (
        f"ECE is {found:.3f}; a perfectly calibrated model with these confidences would show {mean:.3f} by chance "
        f"(at most {most:.3f} in 19 cases of 20, samples taken as independent): {verdict}."
    )


def _leaning(sure: F64, right: Bools) -> str:
    gap = float(sure.mean() - right.mean())
    side = "surer than it is right" if gap > 0 else "less sure than it is right"
    return f"Mean confidence {sure.mean():.3f}, share right {right.mean():.3f}: on the whole {side}, by {abs(gap):.3f}."


def _reliability(sure: F64, right: Bools, person: I64, people: int, settings: Settings) -> Lines:
    """Share right against confidence, with intervals over people."""
    bins = confidence.binned(sure, right, confidence.equal_width(settings.bins), person, people)
    whole = bins.sum(0)
    used = np.flatnonzero(whole[:, 0])

    def statistic(weights: F64) -> F64:
        drawn = np.tensordot(weights, bins[:, used], 1)
        number = drawn[..., 0]
        share: F64 = np.divide(drawn[..., 2], number, out=np.full(number.shape, np.nan), where=number > 0)
        return share

    n = {str(place): int(whole[place, 0]) for place in used}
    found = measure(statistic, people, n, settings.rounds, settings.seed)
    x = tuple(float(whole[int(place), 1] / whole[int(place), 0]) for place in found)
    values = list(found.values())
    line = Line(
        "answers",
        x,
        tuple(m.value for m in values),
        tuple(m.low for m in values),
        tuple(m.high for m in values),
    )
    counts = ", ".join(f"{m.n:,}" for m in values)
    note = f"Below the diagonal: surer than right. Answers in the bins, from left to right: {counts}."
    diagonal = Line("calibrated", (0.0, 1.0), (0.0, 1.0))
    return Lines("Reliability", "mean confidence", "share right", (line, diagonal), note=note)


def _tempered(
    data: AffectData, classes: Classes, there: Bools, person: I64, settings: Settings
) -> tuple[dict[str, Metric], tuple[str, ...]]:
    """ECE and NLL once a temperature from the development split was applied."""
    other = data.development
    if other is None or other.classes is None or other.classes.probabilities is None or classes.probabilities is None:
        return {}, ()
    usable = (other.classes.truth >= 0) & np.isfinite(other.classes.probabilities).all(1)
    fitted = confidence.temperature(
        other.classes.probabilities[usable], other.classes.truth[usable], list(other.subjects[usable])
    )
    value = fitted.judge(data.subjects[there])
    chances = confidence.tempered(classes.probabilities[there], value)
    measured = _measured(chances, classes.truth[there], person, int(person.max()) + 1, settings)
    kept = {f"{name}, after temperature scaling": m for name, m in measured.items() if name.startswith(("ECE", "NLL"))}
    words = (
        f"A temperature of {value:.2f}, fitted on {int(usable.sum()):,} rows of {len(fitted.people)} people of the "
        "development split, leaves every answer as it is and changes how sure it is."
    )
    return kept, (words,)
