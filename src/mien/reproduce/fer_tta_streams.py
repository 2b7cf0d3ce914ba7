"""Streams of frames under shift, and what a network answers to them while it adapts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.audit.metrics import affect
from mien.audit.metrics.people import measure
from mien.learn.adapt import Adaptation, Adapted
from mien.learn.corruptions import corrupted
from mien.learn.data.example import Dataset
from mien.learn.fit import Settings, fit
from mien.learn.nets.small import standardised
from mien.learn.recipes.expression_fer import ExpressionFer
from mien.types import Metric

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Order = Literal["ordered", "shuffled"]

SIDE, WINDOW, LENGTH = 32, 16, 32  # px the network sees, frames adapted to at once, frames of a video


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """v videos of LENGTH frames. ordered: one class each, as in a video; shuffled: drawn from all."""

    pixels: U8  # (v * LENGTH, 48, 48) grey
    truth: I64  # (v * LENGTH,)

    @property
    def video(self) -> I64:
        """(n,) number of each frame's video."""
        return np.arange(len(self.truth)) // LENGTH


def recipe(smoke: bool) -> ExpressionFer:
    """A small network, so that many streams can be run."""
    return ExpressionFer(width=8, size=SIDE, early=(0.0, SIDE), epochs=2 if smoke else 10, ema=0.99, rate=0.1)


def trained(source: Dataset, folder: Path, seed: int, smoke: bool) -> nn.Module:
    """The network of one seed, its epoch chosen on the dev split."""
    made = recipe(smoke)
    parts = {"train": made.data(source, "train"), "dev": made.data(source, "dev")}
    return fit(made, parts, folder, Settings(seed=seed, device="cpu")).net


def streams(pixels: U8, truth: I64, videos: int, seed: int) -> Mapping[Order, Stream]:
    """The same frames in both orders: `videos` per class, each frame at most once while there are enough."""
    random = np.random.default_rng(seed)
    rows: list[NDArray[np.int64]] = []
    for label in np.unique(truth):
        pool = np.flatnonzero(truth == label)
        wanted = videos * LENGTH
        again = len(pool) < wanted  # the rarest class has few pictures
        rows.extend(random.choice(pool, wanted, replace=again).reshape(videos, LENGTH))
    order = [rows[index] for index in random.permutation(len(rows))]
    ordered = np.concatenate(order)
    mixed = random.permutation(ordered)
    return {
        "ordered": Stream(pixels[ordered], truth[ordered]),
        "shuffled": Stream(pixels[mixed], truth[mixed]),
    }


def answers(net: nn.Module, how: Adaptation, stream: Stream) -> tuple[I64, float, int]:
    """(n,) answers while adapting, milliseconds per frame, and how many weights could move."""
    adapted = Adapted(net, how)
    x = torch.from_numpy(stream.pixels)[:, None].float()
    x = standardised(torch.nn.functional.interpolate(x, SIDE, mode="area"))
    found = []
    began = time.process_time()
    for start in range(0, len(x), WINDOW):
        if start % LENGTH == 0:
            adapted.video()
        found.append(adapted.window(x[start : start + WINDOW]).argmax(1).numpy())
    each = 1e3 * (time.process_time() - began) / len(x)
    return np.concatenate(found), each, adapted.touched


def spoilt(stream: Stream, name: str, severity: int, seed: int) -> Stream:
    """The stream under a corruption; "clean" leaves it as it is."""
    if name == "clean":
        return stream
    return Stream(corrupted(stream.pixels, name, severity, seed), stream.truth)


def tables(found: Sequence[I64], streams: Sequence[Stream], classes: int) -> F64:
    """(videos, k, k + 1) counts, summed over runs of the same videos."""
    video = [stream.video for stream in streams]
    count = int(video[0].max()) + 1
    each = [affect.by_person(s.truth, f, classes, v, count) for f, s, v in zip(found, streams, video, strict=True)]
    total: F64 = np.sum(each, axis=0)
    return total


def f1(table: F64, seed: int = 0) -> Metric:
    """Macro F1 with an interval over videos."""
    return _measured(lambda weights: affect.macro_f1(np.tensordot(weights, table, 1))[:, None], table, seed)


def gain(table: F64, base: F64, seed: int = 0) -> Metric:
    """Macro F1 of one less that of the other on the same videos, with an interval over videos."""

    def statistic(weights: F64) -> F64:
        one, other = (affect.macro_f1(np.tensordot(weights, held, 1)) for held in (table, base))
        return np.asarray(one - other)[:, None]

    return _measured(statistic, table, seed)


def harm(table: F64, base: F64) -> tuple[Metric, float]:
    """The share of videos with fewer right answers than without adapting, and the worst loss of accuracy in one."""
    change = np.array([affect.war(one) - affect.war(other) for one, other in zip(table, base, strict=True)])
    share = _measured(lambda weights: (weights @ (change < 0)[:, None]) / weights.sum(1, keepdims=True), table, 0)
    return share, float(change.min())


def _measured(statistic: Callable[[F64], F64], table: F64, seed: int) -> Metric:
    (found,) = measure(statistic, len(table), {"value": int(table.sum())}, 1000, seed).values()
    return found
