"""Faces of which one side is hidden, or lit from one side: how well they are read, and how far the two readings lie apart.

Readings are compared by their logits, centred over the classes, as these are the logarithms of what a network deploys.
A network that is surer has larger logits, so the distance is told as a share of their own spread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mien.learn.recipe import Arrays
from mien.reproduce.fer_ablation import F64, ROUNDS, Run, wider
from mien.types import Metric

OCCLUDED, LIT = "accuracy, one half hidden", "accuracy, light from one side"
OCCLUDED_APART, LIT_APART = "logits apart, other half hidden", "logits apart, light from the other side"
FLIPS = "another class when the other half is hidden"
NAMES = (OCCLUDED, OCCLUDED_APART, FLIPS, LIT, LIT_APART)
DARK = 0.25  # brightness of the far side


def hidden(data: Arrays, left: bool) -> Arrays:
    """The pictures with their left or right half (as seen) set to each picture's mean."""
    pixels = data.tensors["pixels"].clone()
    half = pixels.shape[2] // 2
    mean = pixels.double().mean((1, 2, 3), keepdim=True).round().to(torch.uint8)
    if left:
        pixels[:, :, :half] = mean
    else:
        pixels[:, :, half:] = mean
    return _with(data, pixels)


def lit(data: Arrays, left: bool) -> Arrays:
    """The pictures with brightness falling from 1 to a quarter away from the left or right side."""
    pixels = data.tensors["pixels"]
    ramp = torch.linspace(1.0, DARK, pixels.shape[2])
    ramp = ramp if left else ramp.flip(0)
    return _with(data, (pixels.float() * ramp[None, None, :, None]).round().to(torch.uint8))


def _with(data: Arrays, pixels: torch.Tensor) -> Arrays:
    return Arrays({"pixels": pixels}, data.tensors["truth"], data.subjects, data.names)


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Per run: probabilities of the untouched pictures, and for each measure its value per picture."""

    plain: Mapping[tuple[str, int], F64]  # (n, k)
    values: Mapping[tuple[str, int], Mapping[str, F64]]  # measure -> (n,)

    def metric(self, arm: str, name: str) -> Metric:
        """Mean over pictures and seeds; the wider of both intervals."""
        held = [values[name] for (which, _), values in self.values.items() if which == arm]
        return _mean(held, (0.0, np.inf if name in (OCCLUDED_APART, LIT_APART) else 1.0))

    def gain(self, arm: str, base: str, name: str) -> Metric:
        """The difference to another form, paired by seed and picture."""
        seeds = sorted({seed for _, seed in self.values})
        return _mean([self.values[arm, seed][name] - self.values[base, seed][name] for seed in seeds])


def _mean(values: Sequence[F64], within: tuple[float, float] = (-np.inf, np.inf)) -> Metric:
    pictures = np.mean(values, axis=0)
    drawn = np.random.default_rng(0).integers(0, len(pictures), (ROUNDS, len(pictures)))
    return wider([float(one.mean()) for one in values], pictures[drawn].mean(1), len(pictures), within)


def measured(runs: Sequence[Run], judged: Arrays) -> Sides:
    """Every run on untouched, half-hidden and side-lit pictures."""
    both = [[change(judged, left) for left in (True, False)] for change in (hidden, lit)]
    truth = judged.tensors["truth"].numpy()
    plain, values = {}, {}
    for one in runs:
        key = (one.arm, one.seed)
        plain[key] = one.answers(judged)
        values[key] = _values(truth, plain[key], *([one.answers(data) for data in pair] for pair in both))
    return Sides(plain, values)


def _values(
    truth: np.ndarray[tuple[int, ...], np.dtype[np.int64]], plain: F64, hidden: list[F64], lit: list[F64]
) -> dict[str, F64]:
    spread = float(_logits(plain).std())

    def right(pair: list[F64]) -> F64:
        found: F64 = np.mean([one.argmax(1) == truth for one in pair], axis=0)
        return found

    def apart(pair: list[F64]) -> F64:
        found: F64 = np.abs(_logits(pair[0]) - _logits(pair[1])).mean(1) / spread
        return found

    flips = (hidden[0].argmax(1) != hidden[1].argmax(1)).astype(np.float64)
    return {
        OCCLUDED: right(hidden),
        OCCLUDED_APART: apart(hidden),
        FLIPS: flips,
        LIT: right(lit),
        LIT_APART: apart(lit),
    }


def _logits(probabilities: F64) -> F64:
    """(n, k) logits with mean 0."""
    logs = np.log(np.maximum(probabilities, 1e-12))
    centred: F64 = logs - logs.mean(1, keepdims=True)
    return centred
