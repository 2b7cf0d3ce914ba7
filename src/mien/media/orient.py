"""Orientations: the eight ways a sensor can lie under a picture, numbered as in EXIF (tag 0x0112)."""

from __future__ import annotations

import numpy as np

from mien.types import U8

_FLIPS = {
    2: 1,
    3: -1,
    4: 0,
    6: 1,
    7: -1,
    8: 0,
}  # after the transposition of 5..8, in cv2's words: 1 sideways, 0 upside down
_MATRICES = {  # signs of (a, b, c, d) in x' = a x + c y, y' = b x + d y
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip


def upright(pixels: U8, orientation: int) -> U8:
    """(H, W, 3) as displayed, C-contiguous and writeable; numbers other than 2..8 turn nothing, as viewers do."""
    if orientation not in range(2, 9):
        return pixels if pixels.flags.c_contiguous and pixels.flags.writeable else np.array(pixels, order="C")
    import cv2  # nine times as fast as numpy at this

    turned = cv2.transpose(pixels) if orientation >= 5 else pixels
    turned = cv2.flip(turned, _FLIPS[orientation]) if orientation in _FLIPS else turned
    return np.asarray(turned, np.uint8)


def orientation_of(matrix: bytes) -> int:
    """The orientation that a display matrix of a movie (ISO/IEC 14496-12, 6.2.2: nine int32) asks for; 1 if it is none."""
    if len(matrix) < 36:
        return 1
    a, b, _, c, d, *_ = np.frombuffer(matrix[:36], "<i4").astype(np.float64)
    scale = max(abs(a), abs(b), abs(c), abs(d), 1.0)
    signs = [round(value / scale) for value in (a, b, c, d)]
    return _MATRICES.get((signs[0], signs[1], signs[2], signs[3]), 1)
