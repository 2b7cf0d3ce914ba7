"""Clips of a data set as one tensor: read once, kept as grey bytes. Also toy clips, for runs without data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mien.errors import EvidenceError, MienError
from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.sampling import segments
from mien.learn.data.soft import matrix
from mien.learn.recipe import Arrays
from mien.learn.toy import SPLITS
from mien.types import U8

_UNREADABLE = 0.02  # share of clips that may be missing before the data set is refused
_LUMA = np.array([0.299, 0.587, 0.114])


def moving(source: Dataset, split: Split, labels: Sequence[str], frames: int, size: int) -> Arrays:
    """The labelled clips of a split: `pixels` (n, frames, size, size, 1) uint8 and `soft` (n, labels) float32.

    Frames are spread evenly over a clip. A clip whose label or share lies outside of `labels` is no example. `truth` is
    the label, or where there are only shares the largest. Raises EvidenceError for an empty split, for a class that the
    training split lacks, and where more than 2 % cannot be read."""
    chosen = [one for one in source.of(split).examples if _fits(one, labels)]
    if not chosen:
        raise EvidenceError(
            f"The data ({source.layout}) have no labelled clip in the split '{split}'.",
            f"It needs some of each of {', '.join(labels)}.",
        )
    read = [_read(one, frames, size) for one in chosen]
    kept = [(one, pixels) for one, pixels in zip(chosen, read, strict=True) if pixels is not None]
    if len(kept) < (1 - _UNREADABLE) * len(chosen):
        bad = next(one.name for one, pixels in zip(chosen, read, strict=True) if pixels is None)
        raise EvidenceError(
            f"{len(chosen) - len(kept):,} of {len(chosen):,} clips cannot be read, {bad} among them.",
            "Copy the data anew: so many are no accident.",
        )
    examples = tuple(one for one, _ in kept)
    soft = matrix(Dataset(source.layout, examples), labels)
    pairs = zip(examples, soft, strict=True)
    truth = np.array([labels.index(one.label) if one.label else int(row.argmax()) for one, row in pairs])
    absent = [label for number, label in enumerate(labels) if number not in truth]
    if absent and split == "train":
        raise EvidenceError(
            f"The training split of {source.layout} has no clip of {', '.join(absent)}.",
            "Add some, or name fewer classes.",
        )
    return arrays(
        np.stack([pixels for _, pixels in kept]),
        soft,
        truth,
        [one.subject or one.name for one in examples],
        [one.name for one in examples],
    )


def arrays(
    pixels: U8, soft: np.ndarray, truth: np.ndarray, subjects: Sequence[str], names: Sequence[str] = ()
) -> Arrays:
    """Clips in memory as a recipe takes them: pixels (n, t, h, w, 1 or 3), soft (n, k) rows that sum to 1, truth (n,)."""
    held = {
        "pixels": torch.from_numpy(pixels if pixels.shape[-1] == 1 else grey(pixels)),
        "soft": torch.from_numpy(np.asarray(soft, np.float32)),
    }
    return Arrays(held, torch.from_numpy(np.asarray(truth, np.int64)), subjects, names)


def grey(pixels: U8) -> U8:
    """(..., 3) RGB to (..., 1)."""
    return np.asarray(pixels @ _LUMA + 0.5, np.uint8)[..., None]


def _fits(one: Example, labels: Sequence[str]) -> bool:
    return (one.label in labels or (not one.label and bool(one.soft))) and all(name in labels for name in one.soft)


def _read(example: Example, frames: int, size: int) -> U8 | None:
    """(frames, size, size, 1); None where it cannot be read."""
    from mien.learn.data.pixels import count_frames, read_frames

    try:
        count = count_frames(example.media)
        found = read_frames(example.media, segments(count, frames).tolist())
    except MienError:
        return None
    if found.shape[1:3] != (size, size):
        import cv2

        how = cv2.INTER_AREA if min(found.shape[1:3]) > size else cv2.INTER_LINEAR
        found = np.stack([cv2.resize(one, (size, size), interpolation=how) for one in found]).astype(np.uint8)
    return grey(found)


def toy(folder: Path, labels: Sequence[str], each: int = 4, frames: int = 6, size: int = 32) -> Dataset:
    """`each` folders of PNGs per class and split: a spot that grows and fades, whose place tells the class; a third of its
    light, and of the label, is the next class's."""
    from mien.media import write_image
    from mien.types import Frame

    random = np.random.default_rng(0)
    examples = []
    for split in SPLITS:
        for number, label in enumerate(labels):
            other = (number + 1) % len(labels)
            for index in range(each):
                name = f"{split}/{label}/{index}"
                home = folder / name
                home.mkdir(parents=True, exist_ok=True)
                for at in range(frames):
                    light = np.sin(np.pi * (at + 0.5) / frames) * np.array([2, 1]) / 3
                    pixels = _spots((number, other), light, len(labels), size, random)
                    write_image(Frame(pixels), home / f"{at:03}.png")
                soft = {label: 2 / 3, labels[other]: 1 / 3}
                examples.append(Example(name, Media(home, "frames"), split, label, soft, subject=f"{split}{index}"))
    return Dataset("toy", tuple(examples), tuple(labels))


def _spots(places: Sequence[int], light: np.ndarray, classes: int, size: int, random: np.random.Generator) -> U8:
    y, x = np.mgrid[:size, :size]
    grey = 40 + random.normal(0, 8, (size, size))
    for place, strength in zip(places, light, strict=True):
        angle = 2 * np.pi * place / classes
        row, column = size / 2 + size / 3.5 * np.array([np.sin(angle), np.cos(angle)])
        grey += 200 * strength * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * (size / 10) ** 2))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
