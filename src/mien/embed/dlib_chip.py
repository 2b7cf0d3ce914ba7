"""dlib's own five points to dlib's own chip, to the rounding; for those who must agree with dlib pixel by pixel.

Ours (`mien.align.chip`) is faster and takes the points of any detector. Follows dlib's ``get_face_chip_details`` and
``extract_image_chips``: points and pixels are counted from pixel centres, a rectangle's last row and column count.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.align import similarity
from mien.types import U8

F64 = NDArray[np.float64]
SIZE = 150
_PADDING = 0.25
# The subject's left eye (outer, inner corner), right eye (outer, inner), base of the nose, in parts of a face's box.
_FACE = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
_DOWN = np.array([1.25, 0.75])  # px; dlib's choice, though its filter is centred on pixel 2 i + 2
_TAPS = np.array([1, 4, 6, 4, 1], np.float32)


def dlib_chip(pixels: U8, points: ArrayLike, face: F64 = _FACE) -> U8:
    """(150, 150, 3) chip of an uint8 RGB picture for dlib's five points (5, 2), black outside of the picture.

    face: where the points lie in parts of a face's box, for other (n, 2) points than the five.
    Raises InputError when the points are not finite or all lie in one place."""
    wanted = (_PADDING + face) / (2 * _PADDING + 1) * SIZE
    fit = similarity(wanted, points)
    centre = fit[:, :2] @ np.full(2, SIZE / 2) + fit[:, 2]
    scale = math.hypot(fit[0, 0], fit[1, 0])
    half = (SIZE * scale - 1) / 2
    halvings = _halvings(half)
    turn = fit[:, :2] / scale
    picture, corner = _crop(pixels, centre, half * np.abs(turn).sum(1), halvings)
    back = turn * (2 * half / (SIZE - 1))
    origin = centre - corner - back @ np.full(2, (SIZE - 1) / 2)
    for _ in range(halvings):
        picture, back, origin = _halved(picture), back / 2, origin / 2 - _DOWN
    return _bilinear(picture, back, origin)


def _halvings(half: float) -> int:
    """How often dlib halves the picture: until the face would be smaller than the chip."""
    count, side = 0, 2 * half
    while (side / 2 + 1) ** 2 > SIZE * SIZE:
        count, side = count + 1, side / 2
    return count


def _crop(pixels: U8, centre: F64, half: F64, halvings: int) -> tuple[U8, NDArray[np.int64]]:
    """The part of the picture that the turned chip needs, with room for the filter: 2, 6, 14, ... px.

    Its corner decides which pixels survive the halving, so it must be dlib's."""
    reach = half + 2 ** (halvings + 2) - 2
    low = np.floor(np.maximum(centre - reach, 0) + 0.5).astype(np.int64)
    high = np.floor(centre + reach + 0.5).astype(np.int64) + 1
    return pixels[low[1] : max(high[1], low[1]), low[0] : max(high[0], low[0])], low


def _halved(picture: U8) -> U8:
    """dlib's pyramid_down<2>: a 5-tap binomial filter from pixel 2 on, cut off (not rounded) to whole numbers."""
    import cv2

    height, width = (max(0, (side - 3) // 2) for side in picture.shape[:2])
    if not height or not width:
        return np.zeros((0, 0, 3), np.uint8)
    summed = cv2.sepFilter2D(picture, cv2.CV_32F, _TAPS, _TAPS)[2 : 2 * height + 2 : 2, 2 : 2 * width + 2 : 2]
    return np.asarray(np.floor(summed / 256), np.uint8)


def _bilinear(picture: U8, back: F64, origin: F64) -> U8:
    chip = np.zeros((SIZE * SIZE, 3), np.uint8)
    height, width = picture.shape[:2]
    rows, columns = np.divmod(np.arange(SIZE * SIZE), SIZE)
    x, y = (back[i, 0] * columns + back[i, 1] * rows + origin[i] for i in (0, 1))
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (left >= 0) & (top >= 0) & (left + 1 < width) & (top + 1 < height)
    left, top = left[inside], top[inside]
    right_part, low_part = (x[inside] - left)[:, None], (y[inside] - top)[:, None]
    flat, at = picture.reshape(-1, 3), top * width + left
    upper = (1 - right_part) * flat[at] + right_part * flat[at + 1]
    lower = (1 - right_part) * flat[at + width] + right_part * flat[at + width + 1]
    chip[inside] = ((1 - low_part) * upper + low_part * lower).astype(np.uint8)
    return chip.reshape(SIZE, SIZE, 3)
