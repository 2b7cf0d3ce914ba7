"""Made-up data that any recipe can be run on in seconds. Proves that code runs, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.learn.data.example import Dataset, Example, Media, Split
from mien.types import Frame

SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def pictures(folder: Path, labels: Sequence[str], each: int = 8, size: int = 48, seed: int = 0) -> Dataset:
    """`each` grey PNGs per class and split under `folder`: a bright spot whose place tells the class."""
    from mien.media import write_image

    random = np.random.default_rng(seed)
    examples = []
    for split in SPLITS:
        for number, label in enumerate(labels):
            home = folder / split / label
            home.mkdir(parents=True, exist_ok=True)
            for index in range(each):
                path = home / f"{index}.png"
                write_image(Frame(_spot(number, len(labels), size, random)), path)
                name = f"{split}/{label}/{index}.png"
                subject = f"{split}{index}"
                examples.append(Example(name, Media(path), split, label, subject=subject))
    return Dataset("toy", tuple(examples), tuple(labels))


def _spot(
    number: int, classes: int, size: int, random: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    angle = 2 * np.pi * number / classes
    y, x = np.mgrid[:size, :size]
    centre = size / 2 + size / 3.5 * np.array([np.sin(angle), np.cos(angle)]) + random.normal(0, 1, 2)
    spot = 180 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * (size / 10) ** 2))
    grey = np.clip(40 + spot + random.normal(0, 12, (size, size)), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
