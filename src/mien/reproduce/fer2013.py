"""FER2013 as arrays, in the order of its names and with its own words for the classes, as the cards of models have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError
from mien.learn.data.example import Split as Part
from mien.learn.data.layouts import fer2013
from mien.learn.data.pixels import read_still
from mien.learn.data.words import emotion
from mien.types import U8

Split = Literal["train", "public_test", "private_test"]
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
_PARTS: dict[Split, Part] = {"train": "train", "public_test": "dev", "private_test": "test"}


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """n labelled pictures of one split."""

    pixels: U8  # (n, 48, 48) grey
    labels: NDArray[np.int64]  # (n,) number of the class in `CLASSES`
    names: tuple[str, ...]  # (n,) SPLIT/CLASS/ID.jpg

    def __len__(self) -> int:
        return len(self.names)


def read(path: Path, split: Split, at_most: int | None = None, seed: int = 0) -> Pictures:
    """One split, in the order of the names; `at_most` draws as many pictures at random, the classes as they come.

    Raises MediaNotFound, UnreadableMedia, and InputError for what is not in an official layout."""
    chosen = sorted(fer2013.read(path).of(_PARTS[split]).examples, key=lambda one: one.name)
    if not chosen:
        raise InputError(f"{path} holds no pictures of {split}.", f"Expected is {fer2013.EXPECTED}.")
    if at_most is not None and at_most < len(chosen):
        drawn = np.random.default_rng(seed).permutation(len(chosen))[:at_most]
        chosen = [chosen[index] for index in np.sort(drawn)]
    pixels = np.empty((len(chosen), 48, 48), np.uint8)
    for index, one in enumerate(chosen):
        found = read_still(one.media)
        if found.shape[:2] != (48, 48):
            raise InputError(f"{one.name} in {path} has {found.shape[1]} x {found.shape[0]} px, not 48 x 48.")
        pixels[index] = found[..., 0]  # grey: all channels are alike
    house = [emotion(name) for name in CLASSES]
    labels = np.array([house.index(str(one.label)) for one in chosen], np.int64)
    return Pictures(pixels, labels, tuple(one.name for one in chosen))
