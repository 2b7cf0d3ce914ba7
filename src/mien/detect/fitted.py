"""Pictures of any size for networks that want whole multiples of 32 px."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.detect.found import Found
from mien.detect.pyramid import Pyramid
from mien.errors import UsageError
from mien.types import U8

_MULTIPLE = 32  # px: these networks halve five times


@dataclass(frozen=True, slots=True)
class FittedOptions:
    """What may be chosen for these networks; each has defaults of its own."""

    accept: float  # score from which a face is a face
    overlap: float  # shared part of the union above which two boxes are one face
    longest: int = 640  # px: a picture with a longer side is reduced to it

    def __post_init__(self) -> None:
        if not 0 < self.accept <= 1 or not 0 <= self.overlap <= 1:
            raise UsageError("A score to accept faces from and an overlap lie between 0 and 1.")
        if self.longest < 32:
            raise UsageError(f"No face is found in {self.longest} px.", "Let the longest side be 32 px or more.")


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A picture reduced until it fits and set into the upper left corner of a black canvas."""

    canvas: U8  # (H, W, 3)
    unit: tuple[float, float]  # px of the picture per px of the canvas, along x and y

    def restored(self, found: Found) -> Found:
        """What was found on the canvas, in px of the picture."""
        return found.enlarged(*self.unit)


def fitted(pixels: U8, longest: int, size: tuple[int, int] | None = None) -> Fitted:
    """`longest`: px that no side may exceed. `size`: width and height of the canvas; None for the least that does."""
    height, width = pixels.shape[:2]
    room = (longest / width, longest / height, *((size[0] / width, size[1] / height) if size else ()))
    scale = min(1.0, *room)
    level = pixels if scale == 1 else Pyramid(pixels).scaled(scale)
    high, wide = level.shape[:2]
    right, below = (-wide % _MULTIPLE, -high % _MULTIPLE) if size is None else (size[0] - wide, size[1] - high)
    canvas = cv2.copyMakeBorder(level, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return Fitted(np.asarray(canvas), (width / wide, height / high))
