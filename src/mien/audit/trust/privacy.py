"""What the model's answers give away, and what this report holds of the people in the data."""

from __future__ import annotations

import numpy as np

from mien.audit.affect.data import Part, Settings
from mien.audit.metrics.people import numbered, tally
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.audit.trust.data import TrustData
from mien.audit.trust.requirement import Requirement, State
from mien.report import Row
from mien.types import Metric

MOST = 4_000  # answers compared with each other
FEWEST = 10  # people with two pictures
CHANCE = 0.05
_ASKS = "Who somebody is cannot be read from the answers"


def privacy(data: TrustData, probabilities: F64, settings: Settings, faces: int) -> tuple[Part, list[Requirement]]:
    """Whether the nearest answer is of the same person more often than by chance, and what is kept."""
    shown = f"{faces} faces as pictures, and mean faces" if faces else "no faces as pictures"
    kept = Requirement(
        "privacy",
        "What is kept and sent is known",
        "met",
        f"Runs on this machine; nothing is sent. The model hands on {len(data.judge.labels)} probabilities a face, no "
        f"template. The report holds the pictures' names and answers, and {shown}.",
    )
    if data.subjects is None:
        words = "Nobody says whose pictures these are: give a CSV with path and subject (--labels)."
        return Part(), [kept, Requirement("privacy", _ASKS, "not stated", words)]
    rows = np.flatnonzero(data.seen)
    rows = np.sort(np.random.default_rng(settings.seed).permutation(rows)[:MOST])
    names, person = numbered(data.subjects[rows])
    several = np.bincount(person, minlength=len(names))[person] > 1
    people = len(np.unique(person[several]))
    if people < FEWEST:
        told = f"Only {people} people have two pictures with an answer; {FEWEST} are needed."
        return Part(), [kept, Requirement("privacy", _ASKS, "not enough data", told)]
    rate, expected, p = _named(probabilities[rows], person, data.truth[rows], several, settings)
    state: State = "not met" if p < CHANCE and rate.value > expected else "met"
    told = (
        f"The most similar answer is of the same person in {rate.value:.1%} of cases; with people dealt anew within each "
        f"class in {expected:.1%} (as often or more in {p:.1%} of {max(200, settings.rounds // 5)} deals). That the answer "
        "tells the class is its purpose and is not counted."
    )
    table: tuple[Row, ...] = (
        {"identified by the answer alone": rate, "by chance": expected, "p": p, "people": people},
    )
    return Part({"identified by the answer alone": rate}, tables={"Privacy": table}), [
        kept,
        Requirement("privacy", _ASKS, state, told, rate),
    ]


def _named(
    probabilities: F64, person: I64, truth: I64, several: Bools, settings: Settings
) -> tuple[Metric, float, float]:
    """Share of answers whose nearest other answer is the same person's; the share expected; how often chance does as much."""
    nearest = _nearest(probabilities)
    hits = person[nearest] == person
    rng = np.random.default_rng(settings.seed)
    rate = float(hits[several].mean())
    drawn = []
    for _ in range(max(200, settings.rounds // 5)):
        dealt = person.copy()
        for number in np.unique(truth):
            of_class = np.flatnonzero(truth == number)
            dealt[of_class] = person[rng.permutation(of_class)]
        drawn.append(float((dealt[nearest] == dealt)[several].mean()))
    summed = tally(np.column_stack([hits, np.ones(len(hits))])[several], person[several], int(person.max()) + 1)
    summed = summed[summed[:, 1] > 0]
    weights = rng.multinomial(len(summed), np.full(len(summed), 1 / len(summed)), size=settings.rounds)
    sums = weights @ summed
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    metric = Metric(rate, min(float(low), rate), max(float(high), rate), int(several.sum()))
    return metric, float(np.mean(drawn)), (sum(value >= rate for value in drawn) + 1) / (len(drawn) + 1)


def _nearest(values: F64) -> I64:
    """(n,) the nearest other row, in blocks."""
    squares = (values**2).sum(1)
    found = np.empty(len(values), np.int64)
    for start in range(0, len(values), 500):
        block = values[start : start + 500]
        apart = squares[None, :] - 2 * block @ values.T
        apart[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        found[start : start + 500] = apart.argmin(1)
    return found
