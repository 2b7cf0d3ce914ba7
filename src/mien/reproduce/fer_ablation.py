"""One method in several forms, each with several seeds, all judged on the same pictures: what each part is worth."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.audit.metrics import affect
from mien.learn.fit import Settings, fit
from mien.learn.predict import predict
from mien.learn.recipe import Arrays, Recipe
from mien.report import Row
from mien.types import Metric

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Measure = Callable[[F64], F64]  # (..., k, k + 1) counts to (...)
ROUNDS = 1000
MEASURES: Mapping[str, Measure] = {"UAR": affect.uar, "accuracy": affect.war, "macro F1": affect.macro_f1}


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One form trained with one seed."""

    arm: str
    seed: int
    recipe: Recipe
    net: nn.Module  # weights of the epoch that dev chose
    epoch: int  # 0-based
    dev: float  # score of that epoch
    pictures: int  # of the training split
    seconds: float  # of the processor, training and looking at dev

    def answers(self, judged: Arrays) -> F64:
        """(n, k) probabilities."""
        return predict(self.recipe, self.net, judged)


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One form: its recipe, and what it learns from."""

    name: str
    recipe: Recipe
    train: Arrays
    dev: Arrays


def train(arm: Arm, seed: int, passes: int) -> Run:
    """Train so that about `passes` pictures are seen, however many there are: all forms cost alike."""
    from dataclasses import replace

    epochs = max(2, round(passes / len(arm.train)))
    recipe = replace(arm.recipe, epochs=epochs)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = fit(recipe, {"train": arm.train, "dev": arm.dev}, Path(folder), Settings(seed=seed, device="cpu"))
    spent = time.process_time() - began
    return Run(arm.name, seed, recipe, found.net, found.best, found.score, len(arm.train), spent)


class Ablation:
    """Answers of all runs on the same pictures. Intervals are the wider of two: over pictures (bootstrap, runs averaged)
    and over seeds (Student's); both are few, and neither holds what the other does."""

    def __init__(self, truth: I64, labels: Sequence[str], given: Mapping[tuple[str, int], I64]) -> None:
        """truth: (n,); given: {(arm, seed): (n,) class answered}."""
        self.truth, self.labels, self.given = truth, tuple(labels), dict(given)
        self.seeds = tuple(sorted({seed for _, seed in given}))
        self.arms = tuple(dict.fromkeys(arm for arm, _ in given))
        random = np.random.default_rng(0)
        share = np.full(len(truth), 1 / len(truth))
        self._draws = random.multinomial(len(truth), share, ROUNDS).astype(np.float32)  # (rounds, n)

    def counts(self, arm: str, seed: int) -> F64:
        """(k, k + 1)."""
        return affect.counts(self.truth, self.given[arm, seed], len(self.labels))

    @cached_property
    def _drawn(self) -> Mapping[tuple[str, int], F64]:
        """(rounds, k, k + 1) counts of each run, the same pictures drawn for all."""
        k = len(self.labels)
        found = {}
        for key, given in self.given.items():
            cells = np.zeros((len(given), k * (k + 1)), np.float32)
            cells[np.arange(len(given)), self.truth * (k + 1) + given] = 1
            found[key] = (self._draws @ cells).reshape(ROUNDS, k, k + 1).astype(np.float64)
        return found

    def metric(self, arm: str, measure: Measure) -> Metric:
        """Mean over seeds."""
        return self._between([(1.0, arm)], measure)

    def gain(self, arm: str, base: str, measure: Measure) -> Metric:
        """Mean over seeds of the difference to another form, paired by seed and picture."""
        return self._between([(1.0, arm), (-1.0, base)], measure)

    def _between(self, sums: Sequence[tuple[float, str]], measure: Measure) -> Metric:
        each = [sum(f * float(measure(self.counts(arm, seed))) for f, arm in sums) for seed in self.seeds]
        drawn = np.mean(
            [np.sum([f * measure(self._drawn[arm, seed]) for f, arm in sums], axis=0) for seed in self.seeds], axis=0
        )
        return wider(each, drawn, len(self.truth), (0.0 if len(sums) == 1 else -1.0, 1.0))

    def recall(self, label: str) -> Measure:
        """The recall of one class."""
        number = self.labels.index(label)
        return lambda counts: affect.recalls(counts)[..., number]

    def rows(self, runs: Sequence[Run]) -> list[Row]:
        """One row per run."""
        return [
            {
                "form": one.arm, "seed": one.seed, "training pictures": one.pictures, "epochs": one.recipe.epochs,
                "epoch chosen on dev": one.epoch + 1, f"dev {one.recipe.select}": one.dev, "processor s": one.seconds,
                **{name: float(measure(self.counts(one.arm, one.seed))) for name, measure in MEASURES.items()},
            }
            for one in runs
        ]  # fmt: skip


def wider(each: Sequence[float], drawn: F64, n: int, within: tuple[float, float] = (-np.inf, np.inf)) -> Metric:
    """The mean over seeds with the wider of the two 95 % intervals, cut to what is possible.

    each: per seed; drawn: means of resampled pictures."""
    from scipy.stats import t

    mean, count = float(np.mean(each)), len(each)
    half = float(t.ppf(0.975, count - 1) * np.std(each, ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Metric(mean, max(within[0], min(mean - half, float(low))), min(within[1], max(mean + half, float(high))), n)


def one_thread() -> AbstractContextManager[Any]:
    """So that processor seconds are seconds of one core."""
    from mien.reproduce.spoof_training import one_thread as held

    return held()


def parameters(net: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(one.numel() for one in net.parameters())


def part(data: Arrays, rows: torch.Tensor) -> Arrays:
    """Some of the examples."""
    tensors = {name: values[rows] for name, values in data.tensors.items() if name != "truth"}
    listed = rows.tolist()
    names = [data.names[row] for row in listed] if data.names else ()
    return Arrays(tensors, data.tensors["truth"][rows], [data.subjects[row] for row in listed], names)
