"""The relative score that identification prefers once a gallery is calibrated, on lfw_grey.

    python benchmarks/relative.py --data ../shared/data

One photo of half the people is enrolled, the others are strangers (see `identification.py`):

- Its two numbers (how many runners-up, which share of their mean) tried on development people.
- On the other people: fewer misses at the same FPIR, and are thresholds right that come from searching the enrolled
  among each other?
- How long does such a threshold stay right while the gallery grows or shrinks?

A probe or an enrolment without a face is a miss. Intervals draw people with replacement; differences are paired.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import halves, photos, shown, vectors
from identification import (
    Outcome,
    Searches,
    difference,
    draws,
    less_neighbours,
    level,
    metric_of,
    one_photo,
    outcome,
    raw,
)
from numpy.typing import NDArray
from record import save

from mien import models
from mien.audit.impostors import impostors
from mien.decide import NEIGHBOURS, SHARE, Policy
from mien.embed import OnnxEmbedder
from mien.types import Metric

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
SHARES, COUNTS = (0.3, 0.45, 0.6, 0.75, 0.9), (3, 5, 10)
RATES = (0.1, 0.03, 0.01)
TIMES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)


def relative_scores(found: F32, person: I64, development: NDArray[np.bool_], space: str) -> dict[str, Any]:
    """Its two numbers tried on development people, then the ones in use judged on the others."""
    trial = one_photo(found, person, development)
    base = outcome(raw, trial)
    tried = {
        f"{share} of {count}": shown(difference(outcome(less_neighbours(share, count), trial), base))
        for share in SHARES
        for count in COUNTS
    }
    trial = one_photo(found, person, ~development)
    base, used = outcome(raw, trial), outcome(less_neighbours(SHARE, NEIGHBOURS), trial)
    card = card_threshold(space, len(trial.gallery))
    return {
        "development: FNIR minus that of the cosine": tried,
        "in use": f"{SHARE} of {NEIGHBOURS}",
        "others: FNIR at FPIR 1 %": {"cosine": shown(level(base)), "in use": shown(level(used))},
        "others: FNIR of the one in use minus that of the cosine": shown(difference(used, base)),
        "others: with the threshold of the gallery itself": at_own_thresholds(trial, base, used, card),
        "others: with the card's threshold for the cosine": at(base, card),
        "FPIR over the FPIR aimed at, gallery grown or shrunk": {
            "development": resized(found, person, development),
            "others": resized(found, person, ~development),
        },
    }


def at_own_thresholds(trial: Searches, base: Outcome, used: Outcome, card: float) -> dict[str, Any]:
    """FPIR among strangers and FNIR, both scores at thresholds from searching the enrolled among each other."""
    held = trial.gallery[trial.gallery.any(1)]
    known = impostors(held, np.arange(len(held)))
    result = {}
    for rate in RATES:
        cosine, relative = quantile(known.best, rate), known.relative_threshold(rate)
        result[f"FPIR {rate:g}"] = {
            "cosine": at(base, cosine),
            "relative": at(used, relative),
            "FNIR, relative minus cosine": shown(fewer_missed(used, relative, base, cosine)),
        }
    result["FNIR at FPIR 0.01, relative minus cosine at the card's threshold"] = shown(
        fewer_missed(used, known.relative_threshold(0.01), base, card)
    )
    return result


def fewer_missed(rule: Outcome, threshold: float, base: Outcome, other: float) -> Metric:
    """FNIR of a rule minus that of another, each at its threshold, on the same people."""
    values = [rule.missed(threshold, w) - base.missed(other, w) for _, w in draws(base)]
    return metric_of(rule.missed(threshold) - base.missed(other), values, len(base.mate))


def at(one: Outcome, threshold: float) -> dict[str, Any]:
    """What comes of a threshold."""
    named = [float(np.average(one.best >= threshold, weights=s)) for s, _ in draws(one)]
    missed = [one.missed(threshold, m) for _, m in draws(one)]
    return {
        "threshold": round(threshold, 4),
        "FPIR": shown(metric_of(float((one.best >= threshold).mean()), named, len(one.best))),
        "FNIR": shown(metric_of(one.missed(threshold), missed, len(one.mate))),
    }


def card_threshold(space: str, templates: int) -> float:
    """The cosine that identification without calibrating decides at."""
    points = [point for point in models.card("dlib_resnet").operating_points if point.space == space]
    return Policy().point(points, templates).threshold


def quantile(best: F32, rate: float) -> float:
    """The score above which one more search comes with a probability of `rate` at most."""
    return float(np.nextafter(np.sort(best)[::-1][int(rate * (len(best) + 1) - 1 + 1e-9)], np.float32(2)))


def resized(found: F32, person: I64, chosen: NDArray[np.bool_], rounds: int = 40) -> dict[str, Any]:
    """Mean over draws of people: thresholds from n people, FPIR of 1,000 strangers in a gallery of so many times n."""
    first = np.unique(np.where(found.any(1) & chosen[person], person, -1), return_index=True)[1][1:]
    scores = found[first] @ found[first].T
    ratios: dict[str, dict[str, list[float]]] = {}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        people = rng.permutation(len(first))
        strangers = people[-1000:]
        for size, rate in ((100, 0.03), (300, 0.01), (800, 0.01)):
            inner = scores[np.ix_(people[:size], people[:size])]
            np.fill_diagonal(inner, -1)
            for name, score in (("cosine", _top), ("relative", _standing_out)):
                threshold = quantile(score(inner), rate)
                row = ratios.setdefault(f"{name}, FPIR {rate:g} of {size} people", {})
                for times in TIMES:
                    if size * times <= len(first) - 1000:
                        named = score(scores[np.ix_(strangers, people[: int(size * times)])]) >= threshold
                        row.setdefault(f"x {times:g}", []).append(float(named.mean()) / rate)
    return {name: {times: round(float(np.mean(v)), 2) for times, v in row.items()} for name, row in ratios.items()}


def _top(scores: F32) -> F32:
    return np.asarray(scores.max(1))


def _standing_out(scores: F32) -> F32:
    top = -np.sort(-np.partition(scores, -NEIGHBOURS - 1, axis=1)[:, -NEIGHBOURS - 1 :], axis=1)
    return np.asarray(top[:, 0] - SHARE * top[:, 1:].mean(1), np.float32)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"))
    options = parser.parse_args()
    pictures = photos(options.data, "lfw_grey")
    names, person = np.unique([photo.person for photo in pictures], return_inverse=True)
    development = halves(options.data, names)
    results = {}
    for name, mirrored in (("mirrored", True), ("plain", False)):
        embedder = OnnxEmbedder("dlib_resnet", mirrored=mirrored)
        found = vectors(pictures, options.cache, embedder, "lfw_grey")
        results[name] = relative_scores(found, person, development, embedder.space)
        print(name, results[name], flush=True)
    save("relative", results, sys.argv)


if __name__ == "__main__":
    main()
