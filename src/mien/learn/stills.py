"""Pictures of a data set as one tensor: read once, kept as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from mien.errors import EvidenceError, MienError
from mien.learn.data.example import Dataset, Example, Split
from mien.learn.data.words import emotion
from mien.learn.recipe import Arrays
from mien.report import Problem
from mien.types import U8

_UNREADABLE = 0.02  # share of pictures that may be missing before the data set is refused


def stills(source: Dataset, split: Split, labels: Sequence[str], size: int, grey: bool = True) -> Arrays:
    """The labelled pictures of a split: `pixels` (n, size, size, 1 or 3) uint8. Those that cannot be read are left
    out and listed among `problems`.

    Raises EvidenceError for an empty split, for a class without an example, and where more than 2 % cannot be read."""
    places = {emotion(label): place for place, label in enumerate(labels)}  # "happy" and "happiness" are one class
    chosen = [one for one in source.of(split).examples if emotion(str(one.label)) in places]
    if not chosen:
        raise EvidenceError(
            f"The data ({source.layout}) have no labelled picture in the split '{split}'.",
            f"It needs some of each of {', '.join(labels)}.",
        )
    met = {emotion(str(one.label)) for one in chosen}
    missing = sorted(label for label in labels if emotion(label) not in met)
    if missing and split == "train":
        raise EvidenceError(
            f"The training split of {source.layout} has no picture of {', '.join(missing)}.",
            "Add some, or choose a recipe with fewer classes.",
        )
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda one: _read(one, size, grey), chosen))
    good = [index for index, pixels in enumerate(read) if pixels is not None]
    if len(good) < (1 - _UNREADABLE) * len(chosen):
        bad = next(one.name for one, pixels in zip(chosen, read, strict=True) if pixels is None)
        raise EvidenceError(
            f"{len(chosen) - len(good):,} of {len(chosen):,} pictures cannot be read, {bad} among them.",
            "Copy the data anew: so many are no accident.",
        )
    kept = [chosen[index] for index in good]
    pixels = torch.from_numpy(np.stack([found for found in read if found is not None]))
    truth = torch.tensor([places[emotion(str(one.label))] for one in kept])
    subjects = [one.subject or one.name for one in kept]
    return Arrays({"pixels": pixels}, truth, subjects, [one.name for one in kept], _problems(chosen, read, split))


def _problems(chosen: Sequence[Example], read: Sequence[U8 | None], split: Split) -> list[Problem]:
    bad = tuple(one.name for one, pixels in zip(chosen, read, strict=True) if pixels is None)
    words = f"A picture of the {split} split that cannot be read; it was left out."
    return [Problem(f"unreadable_{split}", words, bad)] if bad else []


def _read(example: Example, size: int, grey: bool) -> U8 | None:
    """(size, size, 1 or 3); None where it cannot be read."""
    from mien.learn.data.pixels import read_still

    try:
        pixels = read_still(example.media)
    except MienError:
        return None
    if pixels.shape[:2] != (size, size):
        import cv2

        how = cv2.INTER_AREA if min(pixels.shape[:2]) > size else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, (size, size), interpolation=how).astype(np.uint8)
    if not grey:
        return np.asarray(pixels, np.uint8)
    return np.asarray(pixels @ np.array([0.299, 0.587, 0.114]) + 0.5, np.uint8)[..., None]
