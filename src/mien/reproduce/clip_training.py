"""Networks on clips in memory, and figures over the people that they are judged on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mien.audit.metrics.confidence import binned, ece
from mien.audit.metrics.people import measure, numbered, tally
from mien.learn.fit import Settings, fit
from mien.learn.recipe import Arrays, Recipe
from mien.types import Metric

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BINS = 10  # of calibration errors


def trained(recipe: Recipe, train: Arrays, dev: Arrays, seed: int) -> nn.Module:
    """The network of the best dev epoch."""
    how = Settings(seed=seed, device="cpu", precision="32")  # such narrow layers are no faster in bf16
    with tempfile.TemporaryDirectory() as folder:
        return fit(recipe, {"train": train, "dev": dev}, Path(folder), how).net


def mean(values: F64, subjects: Sequence[str] | NDArray[np.str_]) -> Metric:
    """The mean of (runs, n) values over runs and clips, with an interval over people: one person's clips are alike, and
    runs share people."""
    _, person = numbered(subjects)
    people = int(person.max()) + 1
    each = np.atleast_2d(values).mean(0)
    sums = tally(np.stack([each, np.ones(len(each))], 1), person, people)
    return _one(lambda weights: _ratio(weights @ sums), people, np.size(values))


def calibration(
    chances: F64, shares: F64, subjects: Sequence[str] | NDArray[np.str_], other: F64 | None = None
) -> Metric:
    """ECE of (runs, n, k) probabilities against the shares (n, k) of people who would give the answer; less that of
    `other` probabilities where they are given."""
    _, person = numbered(subjects)
    people = int(person.max()) + 1
    tables = [_bins(one, shares, person, people) for one in ([chances] if other is None else [chances, other])]

    def statistic(weights: F64) -> F64:
        values = [ece(np.tensordot(weights, table, 1)) for table in tables]
        return np.asarray(values[0] - (values[1] if len(values) > 1 else 0.0))[:, None]

    return _one(statistic, people, chances.shape[0] * chances.shape[1])


def above(scores: F64, first: NDArray[np.bool_], second: NDArray[np.bool_], subjects: Sequence[str]) -> Metric:
    """AUROC: how often a row of `first` scores above one of `second`, ties half, both of the same run. All (runs, n)."""
    _, person = numbered(subjects)
    people = int(person.max()) + 1
    wins, pairs = np.zeros((people, people)), np.zeros((people, people))
    for score_, one, other in zip(scores, first, second, strict=True):
        won = (score_[one][:, None] > score_[other]) + 0.5 * (score_[one][:, None] == score_[other])
        places = np.ix_(person[one], person[other])
        np.add.at(wins, places, won)
        np.add.at(pairs, places, 1.0)

    def statistic(weights: F64) -> F64:
        found = [np.einsum("ra,ab,rb->r", weights, table, weights) for table in (wins, pairs)]
        return np.asarray(np.divide(found[0], found[1], out=np.full(len(weights), np.nan), where=found[1] > 0))[:, None]

    return _one(statistic, people, int(first.sum() + second.sum()))


def _bins(chances: F64, shares: F64, person: I64, people: int) -> F64:
    edges = np.linspace(0, 1, BINS + 1)
    total = np.zeros((people, BINS, 3))
    for one in chances:
        given = one.argmax(1)
        total += binned(one.max(1), shares[np.arange(len(given)), given], edges, person, people)
    return total


def _ratio(sums: F64) -> F64:
    return np.asarray(np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0))[:, None]


def _one(statistic: Callable[[F64], F64], people: int, count: int) -> Metric:
    (found,) = measure(statistic, people, {"value": int(count)}, 1000, 0).values()
    return found
