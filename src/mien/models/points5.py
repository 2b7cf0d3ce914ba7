"""Five points (or 68) by regression trees: dlib's shape predictor (Kazemi and Sullivan, CVPR 2014) in numpy."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.align import similarity
from mien.errors import ModelCorrupt
from mien.types import F32, U8

_DEPTH = 4  # splits from the root of a tree to a leaf


class FivePoints:
    """dlib's five points: outer and inner corner of the subject's left eye, of the right eye, and the base of the nose.

    These are not the points of `mien.types.Face.points`."""

    def __init__(self, path: Path) -> None:
        """Load what the recipe ``dlib_points5`` built, or ``dlib_points68``, which gives 68 points. Raises ModelCorrupt."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                self._mean: F32 = arrays["mean"]
                self._anchors: NDArray[np.int16] = arrays["anchors"]
                self._offsets: F32 = arrays["offsets"]
                self._left: NDArray[np.int16] = arrays["left"]
                self._right: NDArray[np.int16] = arrays["right"]
                self._limits: F32 = arrays["limits"]
                self._leaves: F32 = arrays["leaves"]
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
            raise ModelCorrupt(f"{path.name} is not the five-point predictor.", "Build the models again.") from error

    def predict(self, pixels: U8, box: ArrayLike) -> F32:
        """(5, 2) px, counted from pixel centres as dlib does, for a box x0 y0 x1 y1 whose last row and column count.

        `pixels` is uint8 (H, W, 3) or (H, W). Parts of pixels are kept; dlib itself rounds."""
        corner, side = np.split(np.asarray(box, np.float64), 2)
        side = side - corner
        shape = self._mean.copy()
        trees = np.arange(self._left.shape[1])
        for level in range(len(self._left)):
            seen = self._look(pixels, corner, side, self._probes(shape, level))
            left, right, limits = self._left[level], self._right[level], self._limits[level]
            node = np.zeros(len(trees), np.intp)
            for _ in range(_DEPTH):
                brighter = seen[left[trees, node]] - seen[right[trees, node]] > limits[trees, node]
                node = 2 * node + np.where(brighter, 1, 2)
            shape = shape + self._leaves[level][trees, node - left.shape[1]].sum(0, dtype=np.float32)
        return (corner + shape * side).astype(np.float32)

    def _probes(self, shape: F32, level: int) -> F32:
        """(800, 2) places to look at, in parts of the box: offsets from points, turned and scaled as the shape is."""
        turn = similarity(self._mean, shape)[:, :2].astype(np.float32)
        return np.asarray(self._offsets[level] @ turn.T + shape[self._anchors[level]], np.float32)

    @staticmethod
    def _look(pixels: U8, corner: NDArray[np.float64], side: NDArray[np.float64], probes: F32) -> F32:
        """Brightness at each place, 0 outside of the picture."""
        x, y = np.floor(corner + probes.astype(np.float64) * side + 0.5).astype(np.intp).T
        height, width = pixels.shape[:2]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        seen = np.zeros(len(x), np.float32)
        here = pixels[y[inside], x[inside]].astype(np.int32)
        seen[inside] = here if here.ndim == 1 else here.sum(-1) // 3
        return seen
