"""How fast comparisons become a DET curve with intervals, and how much memory that takes.

    python benchmarks/metrics_speed.py
    python benchmarks/metrics_speed.py --sizes 1 4 16 82 --rounds 1000

Simulated templates of 128 numbers, two of each person, every pair compared: about a million comparisons, reduced to a DET
curve, TAR at four false-match rates and the EER, with intervals of a bootstrap over people. Held against
  - numpy without the reduction: all scores in an array, weights of a resample, and the rates from sorting (`bootstrap`);
  - scikit-learn's `roc_curve` on the same scores, with the same weights as sample_weight.
Both pay per resample, so they are timed on a few and scaled; a resample costs them the same each time. Medians of rounds
that take turns. Memory is the peak of a process of its own per size; it grows with the share of scores that is kept, until a
million are.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import save

from mien.audit.metrics import Comparisons
from mien.audit.metrics.curves import draws, measure
from mien.audit.metrics.pairing import every
from mien.types import F32

RATES = (1e-2, 1e-3, 1e-4, 1e-5)
DIMENSION, PHOTOS = 128, 2
FEW = 5  # resamples that the slower ways are timed on


def templates(comparisons: int) -> tuple[F32, Any]:
    """Simulated unit vectors, enough for so many comparisons, and whose they are."""
    count = PHOTOS * round((1 + (1 + 8 * comparisons) ** 0.5) / 2 / PHOTOS)
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(count // PHOTOS), PHOTOS)
    centres = rng.normal(size=(count // PHOTOS, DIMENSION)).astype(np.float32)
    vectors = centres[owner] + 0.9 * rng.normal(size=(count, DIMENSION)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), owner


def ours(vectors: F32, owner: Any, rounds: int) -> float:
    """Seconds for everything."""
    start = time.perf_counter()
    measure(every(vectors, owner), RATES, rounds=rounds)
    return time.perf_counter() - start


def in_numpy(vectors: F32, owner: Any, rounds: int) -> float:
    """Seconds with all scores in memory: sorted once, then weights, running sums and rates per resample."""
    start = time.perf_counter()
    pairs = scored(vectors, owner)
    genuine, impostor, _ = pairs.split()
    rising, falling = np.argsort(genuine), np.argsort(-impostor)
    pace = time.perf_counter()
    for drawn in draws(int(owner.max()) + 1, FEW, 0):
        weights = drawn[pairs.first].astype(np.float64) * np.where(pairs.same, 1, drawn[pairs.second])
        mine, theirs = weights[pairs.same][rising], weights[~pairs.same][falling]
        mass, lost = np.cumsum(theirs), np.cumsum(mine)
        places = np.searchsorted(mass, np.geomspace(1e-6, 0.9, 84) * mass[-1])
        missed = np.searchsorted(genuine[rising], impostor[falling][np.minimum(places, len(mass) - 1)])
        _ = lost[np.minimum(missed, len(lost) - 1)] / lost[-1]
    return pace - start + (time.perf_counter() - pace) * rounds / FEW


def in_scikit_learn(vectors: F32, owner: Any, rounds: int) -> float:
    """Seconds with `roc_curve` per resample."""
    from sklearn.metrics import roc_curve

    start = time.perf_counter()
    pairs = scored(vectors, owner)
    roc_curve(pairs.same, pairs.scores)
    pace = time.perf_counter()
    for drawn in draws(int(owner.max()) + 1, FEW, 0):
        weights = drawn[pairs.first].astype(np.float64) * np.where(pairs.same, 1, drawn[pairs.second])
        false, true, _ = roc_curve(pairs.same, pairs.scores, sample_weight=weights)
        np.interp(np.geomspace(1e-6, 0.9, 84), false, true)
    return pace - start + (time.perf_counter() - pace) * rounds / FEW


def once_in_scikit_learn(vectors: F32, owner: Any, rounds: int) -> float:
    """Seconds for one `roc_curve` and no interval at all, scores at hand."""
    from sklearn.metrics import roc_curve

    pairs = scored(vectors, owner)
    start = time.perf_counter()
    roc_curve(pairs.same, pairs.scores)
    return time.perf_counter() - start


def scored(vectors: F32, owner: Any) -> Comparisons:
    """Every pair's score, in one array."""
    one, other = np.triu_indices(len(owner), 1)
    scores = (vectors @ vectors.T)[one, other].astype(np.float64)
    return Comparisons(scores, owner[one], owner[other])


def peak(comparisons: int, rounds: int) -> dict[str, Any]:
    """Peak memory and seconds of a process that does nothing else."""
    words = [sys.executable, __file__, "--one", str(comparisons), "--rounds", str(rounds)]
    done = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return {
        "comparisons": int(done[0]),
        "seconds": float(done[1]),
        "peak MB": float(done[2]),
        "before MB": float(done[3]),
    }


def one(comparisons: int, rounds: int) -> None:
    """Print comparisons, seconds, peak MB, and MB before any comparison was made."""
    vectors, owner = templates(comparisons)
    before = high_water()
    seconds = ours(vectors, owner, rounds)
    most = high_water()
    print(len(owner) * (len(owner) - 1) // 2, f"{seconds:.2f} {most:.0f} {before:.0f}")


def high_water() -> float:
    """The most memory this process ever held, MB; getrusage would tell the parent's where that was more."""
    (line,) = (line for line in Path("/proc/self/status").read_text("utf8").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="resamples of people")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 4, 16, 82], help="millions of comparisons")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one, options.rounds)
        return
    vectors, owner = templates(1_000_000)
    ways: dict[str, Callable[[F32, Any, int], float]] = {
        "mien": ours,
        "numpy, all scores held": in_numpy,
        "scikit-learn": in_scikit_learn,
        "one roc_curve, no intervals": once_in_scikit_learn,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            times[name].append(way(vectors, owner, options.rounds))
    median = {name: statistics.median(taken) for name, taken in times.items()}
    results = {
        "resamples": options.rounds,
        "comparisons": len(owner) * (len(owner) - 1) // 2,
        "seconds": {name: round(value, 3) for name, value in median.items()},
        "times as long as mien": {name: round(value / median["mien"], 2) for name, value in median.items()},
        "memory": [peak(round(size * 1e6), options.rounds) for size in options.sizes],
    }
    print(results)
    save("metrics_speed", results, sys.argv)


if __name__ == "__main__":
    main()
