"""Resampling people: intervals of any statistic whose samples come from people (or videos) that repeat.

Samples of one person are alike, so the independent unit is the person: each round draws as many people as there are,
with replacement, and a person drawn twice counts twice (cluster bootstrap: Davison and Hinkley, 1997, section 3.8).
Where a statistic depends on sums alone, keep one row of sums per person (`tally`) and a round costs one matrix product.

`Developed` is the other half of the same thought: a number that was chosen on some people may not be judged on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.curves import bounded
from mien.audit.metrics.recognition import F64, I64
from mien.errors import EvidenceError
from mien.types import Metric

Statistic = Callable[[F64], F64]  # (rounds, people) how often each person counts -> (rounds, values)
CELLS = 4_000_000  # of the matrix of draws that is held at a time


@dataclass(frozen=True, slots=True)
class Developed:
    """A value chosen on a development split, with the people it was chosen on; those cannot be judged by it."""

    value: float
    people: frozenset[str]

    def judge(self, people: Iterable[str]) -> float:
        """The value, for use on `people`. Raises EvidenceError when one of them took part in choosing it."""
        both = sorted(self.people & set(people))
        if both:
            raise EvidenceError(
                f"{len(both)} people are in the development split and in the data judged, such as {both[0]}.",
                "What was chosen on people flatters itself on them: split by people.",
            )
        return self.value


def numbered(names: Sequence[str] | NDArray[np.str_]) -> tuple[NDArray[np.str_], I64]:
    """The different names, sorted, and the number of each entry among them (n,)."""
    unique, numbers = np.unique(np.asarray(names, np.str_), return_inverse=True)
    return unique, numbers.reshape(-1).astype(np.int64)


def tally(values: F64, people: I64, count: int) -> F64:
    """(count, ...) sums of `values` (n, ...) for each of `count` people; people: (n,) whose each row is."""
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, people, values)
    return sums


def resample(statistic: Statistic, people: int, rounds: int = 1000, seed: int = 0) -> tuple[F64, F64]:
    """The statistic of everybody (values,), and of `rounds` draws of people (rounds, values)."""
    rng = np.random.default_rng(seed)
    size = max(1, min(rounds, CELLS // max(people, 1)))
    parts = []
    for first in range(0, rounds, size):
        drawn = rng.multinomial(people, np.full(people, 1 / people), size=min(size, rounds - first))
        parts.append(statistic(drawn.astype(np.float64)))
    return statistic(np.ones((1, people)))[0], np.concatenate(parts)


def measure(
    statistic: Statistic,
    people: int,
    n: Mapping[str, int],
    rounds: int = 1000,
    seed: int = 0,
    shares: Mapping[str, int] | None = None,
) -> dict[str, Metric]:
    """Named metrics with percentile intervals at 95 %. n: name -> count behind it, in the order of the values.

    A value that is not finite is left out: the caller says why. Rounds in which a value cannot be computed (no sample
    of a class drawn) are left out of its interval. shares: name -> people behind a share, whose interval has a width
    also where it is 0 or 1 in every draw (see `bounded`)."""
    values, drawn = resample(statistic, people, rounds, seed)
    found = {}
    for column, (name, count) in enumerate(n.items()):
        usable = drawn[np.isfinite(drawn[:, column]), column]
        if np.isfinite(values[column]) and len(usable):
            low, high = np.quantile(usable, [0.025, 0.975])
            value = float(values[column])
            # A biased statistic (ECE, the largest of something) may leave its own percentiles: the value stays inside.
            metric = Metric(value, min(float(low), value), max(float(high), value), count)
            found[name] = bounded(metric, shares[name]) if shares and name in shares else metric
    return found
