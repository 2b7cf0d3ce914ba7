"""Second looks at a picture in which no face was found, each a small function: pixels to views.

A retry costs as much as a detection, so it is made only on a miss, and says at once when it cannot help. In order:

- ``tone``: dark or flat pictures, spread to the full range of grey.
- ``border``: a face that fills the picture; the edge colours go on for a third of the side all round.
- ``turned``: a face lying on its side or standing on its head; the picture turned by 90, 270 and 180 degrees.
  A head that leans by 45 degrees is found one way or the other; looking at that angle too found nothing more but false
  faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.detect.found import Found
from mien.detect.pyramid import Pyramid
from mien.types import U8

_FULL = 170  # grey levels between the 1st and the 99th percentile above which a spread changes too little
_SAMPLES = 256  # pixels per side that the percentiles are taken from
_BORDER = 1 / 3  # of the longer side
_FILLED = 400  # px: longer side to which a picture is reduced before a border is put round it


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture made from another, and the way back."""

    pixels: U8  # (H, W, 3)
    back: NDArray[np.float64]  # (2, 3) takes px x, y, 1 of the view to px of the picture

    def restored(self, found: Found) -> Found:
        """What was found in the view, in px of the picture; boxes stay upright around their centre."""
        rotation, shift = self.back[:, :2], self.back[:, 2]
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        centre = (found.boxes[:, :2] + sides / 2) @ rotation.T + shift
        lying = abs(rotation[0, 1]) > abs(rotation[0, 0])
        half = (sides[:, ::-1] if lying else sides) / 2
        half = half * np.hypot(*rotation[:, 0])
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        return Found(boxes.astype(np.float32), (found.points @ rotation.T + shift).astype(np.float32), found.scores)


Retry = Callable[[U8], Iterator[View]]


def tone(pixels: U8) -> Iterator[View]:
    """Grey levels between the 1st and 99th percentile spread over 0..255; nothing where they fill it already."""
    rows, columns = (max(1, side // _SAMPLES) for side in pixels.shape[:2])
    low, high = np.percentile(pixels[::rows, ::columns], (1, 99))
    if 2 <= high - low < _FULL:
        table = np.clip(np.rint((np.arange(256) - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
        yield View(np.asarray(cv2.LUT(pixels, table)), np.eye(2, 3))


def border(pixels: U8) -> Iterator[View]:
    """The edge colours continued all round; the picture is reduced first, as a face that fills it stays large enough."""
    scale = min(1.0, _FILLED / max(pixels.shape[:2]))
    small = pixels if scale == 1 else Pyramid(pixels).scaled(scale)
    width = round(max(small.shape[:2]) * _BORDER)
    wider = cv2.copyMakeBorder(small, width, width, width, width, cv2.BORDER_REPLICATE)
    x, y = pixels.shape[1] / small.shape[1], pixels.shape[0] / small.shape[0]
    yield View(np.asarray(wider), np.array([[x, 0, -width * x], [0, y, -width * y]]))


def turned(pixels: U8) -> Iterator[View]:
    """Turned by 90, 270 and 180 degrees."""
    height, width = pixels.shape[:2]
    ways = (
        (1, [[0, -1, width], [1, 0, 0]]),
        (3, [[0, 1, 0], [-1, 0, height]]),
        (2, [[-1, 0, width], [0, -1, height]]),
    )
    for quarters, back in ways:
        yield View(np.ascontiguousarray(np.rot90(pixels, quarters)), np.array(back, np.float64))


RETRIES: dict[str, Retry] = {"tone": tone, "border": border, "turned": turned}
