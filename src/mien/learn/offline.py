"""Offline augmentation: rare classes are topped up with changed copies, once, before training and after the split.

Before the split it would put copies of one picture on both sides, and the score would measure memory (how much is
measured by `mien reproduce emotion_cnn`). So it is refused for anything but the training split.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mien.errors import UsageError
from mien.learn.augment import Geometry, lit, moved
from mien.learn.data.example import Split
from mien.learn.recipe import Arrays


def topped_up(data: Arrays, split: Split, classes: int, seed: int = 0) -> Arrays:
    """The training split with every class that is rarer than the median class brought up to it.

    Raises UsageError for another split, or for data that are not split yet."""
    if split != "train":
        what = f"the {split} split" if split else "data that are not split yet"
        raise UsageError(
            f"Copies were asked for in {what}.",
            "Split first and top up the training split alone: copies of one picture must not be on two sides.",
        )
    return with_copies(data, classes, seed)[0]


def with_copies(data: Arrays, classes: int, seed: int = 0) -> tuple[Arrays, Tensor]:
    """The data with changed copies of the pictures of rare classes behind them, and (n,) of which picture each is.

    The median is over the classes that are there. Copies go round all pictures of their class; torch's generator is left
    as it was."""
    truth = data.tensors["truth"]
    counts = torch.bincount(truth[truth >= 0], minlength=classes)
    goal = int(np.median(counts[counts > 0].numpy()))
    random = np.random.default_rng([seed, 5])
    picked: list[int] = []
    for number in range(classes):
        rows = torch.nonzero(truth == number)[:, 0].numpy()
        missing = goal - len(rows)
        if len(rows) and missing > 0:
            rounds = [random.permutation(rows) for _ in range(-(-missing // len(rows)))]
            picked += np.concatenate(rounds)[:missing].tolist()
    origin = torch.cat([torch.arange(len(data)), torch.tensor(picked, dtype=torch.long)])
    pixels = data.tensors["pixels"]
    tensors = {name: values[origin] for name, values in data.tensors.items() if name not in ("pixels", "truth")}
    if picked:
        pixels = torch.cat([pixels, _varied(pixels[picked], seed)])
    subjects = [data.subjects[row] for row in origin.tolist()] if data.subjects else ()
    names = (
        [*data.names, *(f"{data.names[row]} copy {place}" for place, row in enumerate(picked))] if data.names else ()
    )
    return Arrays({**tensors, "pixels": pixels}, truth[origin], subjects, names), origin


def _varied(pixels: Tensor, seed: int) -> Tensor:
    """(n, h, w, c) uint8 turned, scaled, moved, mirrored and lit otherwise."""
    if pixels.shape[1] != pixels.shape[2]:
        raise UsageError("Copies are made of square pictures only.", "Resize them first.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        x = lit(moved(pixels.permute(0, 3, 1, 2).float(), pixels.shape[1], Geometry()))
    return x.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
