"""CPU time of several ways to do a thing, in turns, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from mien.audit.metrics import F64
from mien.types import Metric

Work = Callable[[], object]
RESAMPLES = 1000


def one_thread() -> AbstractContextManager[Any]:
    """Linear algebra on one thread: threads that wait for each other would be counted as work."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1, "blas")
    return limits


def in_turns(works: Mapping[str, Work], rounds: int, warm: int = 1) -> dict[str, F64]:
    """(rounds,) ms of CPU time of each, all threads of this process together.

    works: by "way" or "way: step". Steps of a way follow one another in the order given; the ways are shuffled in every round,
    so that none always finds the caches as the same other one left them."""
    ways: dict[str, list[str]] = {}
    for name in works:
        ways.setdefault(name.split(":")[0], []).append(name)
    shuffled = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + warm):
        for name in [name for way in shuffled.permutation(list(ways)).tolist() for name in ways[way]]:
            start = time.process_time()
            works[name]()
            if number >= warm:
                times[name].append(1e3 * (time.process_time() - start))
    return {name: np.array(values) for name, values in times.items()}


def median(times: F64) -> Metric:
    """Median with the percentile interval of a bootstrap over rounds."""
    return _interval(times, np.ones(1))


def ratio(times: F64, other: F64) -> Metric:
    """Ratio of the medians of two works of one run, (rounds,) each; the bootstrap draws rounds, so pairs stay together."""
    return _interval(times, other)


def total(times: Mapping[str, F64], names: Sequence[str]) -> F64:
    """(rounds,) sum of several works, round by round."""
    whole: F64 = np.sum([times[name] for name in names], axis=0)
    return whole


def _interval(times: F64, other: F64) -> Metric:
    paired = np.broadcast_to(other, times.shape)
    drawn = np.random.default_rng(0).integers(len(times), size=(RESAMPLES, len(times)))
    sampled = np.median(times[drawn], axis=1) / np.median(paired[drawn], axis=1)
    low, high = np.quantile(sampled, [0.025, 0.975])
    value = statistics.median(times.tolist()) / statistics.median(paired.tolist())
    return Metric(value, float(min(low, value)), float(max(high, value)), len(times))
