"""Pictures of any size for networks that want whole multiples of 32 px."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.detect.found import Found
from mien.detect.pyramid import Pyramid
from mien.types import U8

_MULTIPLE = 32  # px: these networks halve five times


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
