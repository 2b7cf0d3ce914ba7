"""One picture at any scale: halved step by step once, so that no later resize has to read the full resolution again."""

from __future__ import annotations

import cv2
import numpy as np

from mien.detect.boxes import sides
from mien.types import F32, U8


class Pyramid:
    """Octaves of a picture (H, W, 3), made when first asked for. The given pixels are never written to."""

    def __init__(self, pixels: U8) -> None:
        self._octaves = [pixels]

    @property
    def width(self) -> int:
        """Width of the picture in px."""
        return int(self._octaves[0].shape[1])

    @property
    def height(self) -> int:
        """Height of the picture in px."""
        return int(self._octaves[0].shape[0])

    def octave(self, index: int) -> U8:
        """The picture reduced by exactly 2 ** index, or by less where it would get narrower than 2 px."""
        while len(self._octaves) <= index:
            last = self._octaves[-1]
            height, width = last.shape[0] // 2, last.shape[1] // 2
            # An odd last row or column is left out: the scale stays exactly 2 and the fast 2x2 mean applies.
            even = last[: height * 2, : width * 2]
            self._octaves.append(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
        return self._octaves[index]

    def _index_for(self, reduction: float) -> int:
        """Deepest octave that still has at least the resolution asked for."""
        deepest = max(0, int(np.log2(max(1, min(self.width, self.height)))) - 1)
        return min(max(0, int(np.log2(max(reduction, 1.0)))), deepest)

    def scaled(self, scale: float) -> U8:
        """The whole picture reduced to `scale` <= 1, sides rounded, at least 1 px."""
        index = self._index_for(1 / scale)
        size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        return np.asarray(cv2.resize(self.octave(index), size, interpolation=cv2.INTER_LINEAR))

    def crops(self, boxes: F32, side: int) -> U8:
        """(n, side, side, 3): what lies under each box. Outside of the picture its edge colours go on."""
        out = np.empty((len(boxes), side, side, 3), np.uint8)
        steps = sides(boxes) / side
        for target, box, step in zip(out, boxes, steps, strict=True):
            index = self._index_for(float(step.min()))
            unit = 2.0**index
            # Pixel i of the crop has its centre at (i + 1/2) steps from the box's edge.
            (sx, sy), (x, y) = step / unit, (box[:2] + step / 2) / unit - 0.5
            matrix = np.array([[sx, 0, x], [0, sy, y]])
            cv2.warpAffine(
                self.octave(index),
                matrix,
                (side, side),
                dst=target,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return out
