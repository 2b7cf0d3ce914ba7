"""How false alarms grow with the gallery, predicted from few people and measured on up to 5,000 others, on lfw_grey.

    python benchmarks/growth.py --data ../shared/data            # all, and keeps
    python benchmarks/growth.py --people 1000 --draws 4 --add    # a part, beside what is kept already

One photo of each person. People drawn from one half are the gallery that is known; everybody else says what comes true: each of
them searched among random parts of the others, exactly (`mien.audit.metrics.growth`). How thresholds are moved was chosen on
the other half of the people (the tables of `tried`), which is part of those judged by when a gallery of thousands is wanted.

- The FPIR that a threshold for 1 % comes out at, per way to set it, from today's size to ten times as many people.
- The FPIR predicted for today's threshold, and whether its interval holds what is measured.
- Is taking comparisons as independent too high or too low?
- Does a relative threshold, left as it is, hold while the gallery grows tenfold? What do mates lose?

Ratios are to what was aimed at: 1 is right, 2 names twice the strangers. Spreads are over draws of people.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import halves, photos, vectors
from numpy.typing import NDArray
from record import RESULTS, save

from mien.audit.impostors import impostors
from mien.audit.metrics.growth import Counted, Growth, Nearest, nearest
from mien.decide import NEIGHBOURS, SHARE, expected_fpir
from mien.embed import OnnxEmbedder

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
TIMES = (1, 2, 3, 5, 10)
RATE = 0.01
TAIL = 0.01  # share of the comparisons that a Pareto tail is fitted to
SPANS = (2, 4, 8, 16)


def searched(found: F32) -> Nearest:
    return nearest(found, np.arange(len(found)), most=len(found))


def pareto(found: F32, rate: float) -> float:
    """The cosine that a share `rate` of comparisons reaches, from a generalised Pareto tail of all of them."""
    from scipy.stats import genpareto

    scores = (found @ found.T)[np.triu_indices(len(found), 1)]
    count = max(50, int(TAIL * len(scores)))
    top = np.sort(np.partition(scores, -count - 1)[-count - 1 :].astype(np.float64))
    shape, _, scale = genpareto.fit(top[1:] - top[0], floc=0)
    return float(top[0] + genpareto.isf(min(1.0, rate * len(scores) / count), shape, 0, scale))


def counted_fmr(found: F32, rate: float) -> float:
    """The same, no tail modelled: the quantile, or beyond the last comparison the highest score."""
    scores = (found @ found.T)[np.triu_indices(len(found), 1)]
    rank = int(rate * len(scores))
    return float(np.nextafter(np.partition(scores, -rank - 1)[-rank - 1], np.float32(2)))


def rises(counted: Counted, size: int) -> dict[str, float]:
    """How fast thresholds rise per unit of log size, read off different parts and rates."""
    rates = np.geomspace(0.02, 0.2, 5)
    result = {}
    for span in SPANS:
        at = np.unique(np.geomspace(max(5, size / span), size, 6).astype(int))
        x = np.log(at) - np.log(at).mean()
        slopes = x @ np.stack([counted.thresholds(int(n), rates) for n in at]) / (x @ x)
        result[f"from 1/{span} of it, mean of rates"] = float(slopes.mean())
        result[f"from 1/{span} of it, strictest rate alone"] = float(slopes[0])
    return result


def tried(found: F32, draws: int, rng: np.random.Generator) -> dict[str, Any]:
    """On development people: which part of the sizes to read the rise from."""
    result: dict[str, Any] = {}
    for people, rate in ((100, 0.1), (250, 0.1), (250, 0.03)):
        rows: dict[str, dict[int, list[float]]] = {}
        for _ in range(draws):
            order = rng.permutation(len(found))
            known, others = searched(found[order[:people]]), Counted(searched(found[order[people:]]))
            counted = Counted(known)
            start = counted.strict(known.size, rate)
            for name, rise in {"left as it is": 0.0, **rises(counted, known.size)}.items():
                for times in (3, 10):
                    moved = start + rise * np.log(times * people / known.size)
                    share = others.named(min(times * people, len(found) - people - 1), np.array([moved]))[0] / rate
                    rows.setdefault(name, {}).setdefault(times, []).append(float(share))
        result[f"{people} people, FPIR {rate:g}"] = {
            name: {f"x {times}": spread(values) for times, values in row.items()} for name, row in rows.items()
        }
    return result


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, standard error of it, and the range that nine of ten draws are in."""
    held = np.array(values)
    low, high = np.quantile(held, [0.05, 0.95])
    error = held.std(ddof=1) / np.sqrt(len(held)) if len(held) > 1 else np.nan
    return {"mean": round(float(held.mean()), 3), "error": round(float(error), 3), "low": round(float(low), 3)} | {
        "high": round(float(high), 3),
        "draws": len(held),
    }


def judged(found: F32, half: NDArray[np.bool_], people: int, draws: int) -> dict[str, Any]:
    """Known people of one half, everybody else measured."""
    ratios: dict[str, dict[str, list[float]]] = {}
    predicted: dict[str, dict[str, list[float]]] = {}
    rng = np.random.default_rng(people)
    for draw in range(draws):
        known = rng.permutation(np.flatnonzero(half))[:people]
        rest = np.setdiff1d(np.arange(len(found)), known)
        others = Counted(searched(found[rest]))
        growth = Growth(searched(found[known]), seed=draw)
        now = growth.threshold(growth.size, RATE)
        fmr = impostors(found[known], np.arange(people)).rate(now, rounds=2).value
        for times in TIMES:
            size = min(people * times, len(rest) - 1)
            column = f"x {times}" if size == people * times else f"x {size / people:.1f}"
            ways = {
                "left as it is": now,
                "moved along log size (in use)": growth.threshold(size, RATE),
                "independent, counted FMR": counted_fmr(found[known], 1 - (1 - RATE) ** (1 / size)),
                "independent, Pareto tail": pareto(found[known], 1 - (1 - RATE) ** (1 / size)),
            }
            for name, threshold in ways.items():
                true = float(others.named(size, np.array([threshold]))[0])
                ratios.setdefault(name, {}).setdefault(column, []).append(true / RATE)
            true, metric = float(others.named(size, np.array([now]))[0]), growth.fpir(size, now)
            row = predicted.setdefault(column, {})
            for name, value in (
                ("measured", true),
                ("predicted", metric.value),
                ("independent", expected_fpir(fmr, size)),
                ("inside its interval", float(metric.low <= true <= metric.high)),
                ("interval, high over low", metric.high / max(metric.low, 1 / people / 3)),
            ):
                row.setdefault(name, []).append(value)
    return {
        "FPIR over the 1 % aimed at": {
            name: {column: spread(values) for column, values in row.items()} for name, row in ratios.items()
        },
        "FPIR at today's threshold for 1 %": {
            column: {name: spread(values) for name, values in row.items()} for column, row in predicted.items()
        },
    }


def relative_of(scores: F32) -> F64:
    top = -np.sort(-np.partition(scores, -NEIGHBOURS - 1, axis=1)[:, -NEIGHBOURS - 1 :], axis=1)
    return np.asarray(top[:, 0] - SHARE * top[:, 1:].mean(1), np.float64)


def relative(found: F32, second: F32, people: int, draws: int) -> dict[str, Any]:
    """A relative threshold for 1 % left as it is, and the cosine's moved: strangers named, mates missed.

    second: (n, D) another photo of each person, zeros where there is none."""
    rows: dict[str, dict[str, list[float]]] = {}
    rng = np.random.default_rng(people)
    for _ in range(draws):
        order = rng.permutation(len(found))
        known = impostors(found[order[:people]], np.arange(people))
        growth = Growth(searched(found[order[:people]]), rounds=2)
        held = known.relative_threshold(RATE)
        for times in TIMES:
            size = people * times
            if size > len(found) - 500:
                continue
            gallery, strangers = found[order[:size]], found[order[size:]]
            mates = order[:size][second[order[:size]].any(1)]
            where = np.flatnonzero(second[order[:size]].any(1))
            scores = second[mates] @ gallery.T
            first = scores.argmax(1) == where
            cosine, stands = scores.max(1), relative_of(scores)
            moved = growth.threshold(size, RATE)
            other = strangers @ gallery.T
            for name, value in (
                ("relative, left as it is: FPIR over 1 %", float((relative_of(other) >= held).mean()) / RATE),
                ("cosine, moved: FPIR over 1 %", float((other.max(1) >= moved).mean()) / RATE),
                ("relative, left as it is: mates missed", float((~first | (stands < held)).mean())),
                ("cosine, moved: mates missed", float((~first | (cosine < moved)).mean())),
            ):
                rows.setdefault(name, {}).setdefault(f"x {times}", []).append(value)
    return {name: {column: spread(values) for column, values in row.items()} for name, row in rows.items()}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--people", type=int, nargs="+", default=[300, 500, 1000])
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument(
        "--add", action="store_true", help="keep what was measured before, and measure the people named"
    )
    options = parser.parse_args()
    pictures = photos(options.data, "lfw_grey")
    names, person = np.unique([photo.person for photo in pictures], return_inverse=True)
    found = vectors(pictures, options.cache, OnnxEmbedder("dlib_resnet"), "lfw_grey")
    seen = np.flatnonzero(found.any(1))
    people, first = np.unique(person[seen], return_index=True)
    second = np.zeros((len(people), found.shape[1]), np.float32)
    follows = np.minimum(first + 1, len(seen) - 1)
    has = (person[seen[follows]] == people) & (follows > first)
    second[has] = found[seen[follows[has]]]
    chosen, development = found[seen[first]], halves(options.data, names)[people]
    results: dict[str, Any] = {"people": len(people)}
    if options.add:
        results = json.loads((RESULTS / "growth.json").read_text("utf8"))["results"]
    else:
        results["tried, on development people"] = tried(chosen[development], options.draws, np.random.default_rng(0))
    for count in options.people:
        results[f"from {count} people"] = judged(chosen, ~development, count, options.draws)
        results[f"from {count} people, relative"] = relative(chosen, second, count, options.draws)
        print(count, results[f"from {count} people"], results[f"from {count} people, relative"], flush=True)
        save("growth", results, sys.argv)


if __name__ == "__main__":
    main()
