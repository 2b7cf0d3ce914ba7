"""A face in the standard's frame: 616 px square, the five points on fixed places; its luminance and its face region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.align import inverse, similarity
from mien.errors import InputError
from mien.judge.quality import posed
from mien.types import F32, U8, Face

F64 = NDArray[np.float64]
Box = tuple[int, int, int, int]  # x0 y0 x1 y1, ends excluded

SIDE = 616  # px
# Where the standard puts eyes, nose tip and mouth corners, counted from pixel centres.
PLACES = np.array([[251, 272], [364, 272], [308, 336], [262, 402], [355, 402]], np.float64)
MARGIN = 2  # px around what the frame shows, for the interpolation
LARGEST = 32_000  # px that OpenCV's warp can address

# The outline of a mean head: half of the jaw from the ear to the chin and half of the brow, in eye distances from the
# middle between the eyes, x to the side, y down, z to the camera (the neutral ICT face model, MIT licence). It stands
# for the hull of the 98 landmarks, which also runs along jaw and brows.
_JAW = [
    *([1.131, -0.036, -0.855], [1.117, 0.3, -0.813], [1.065, 0.599, -0.72], [1.007, 0.89, -0.622]),
    *([0.879, 1.217, -0.475], [0.661, 1.482, -0.288], [0.468, 1.59, -0.069], [0.236, 1.643, 0.161]),
]
_BROW = [
    *([0.893, -0.27, -0.201], [0.757, -0.389, -0.036], [0.582, -0.432, 0.093]),
    *([0.371, -0.422, 0.193], [0.18, -0.379, 0.231]),
]
_HALF = np.array(_JAW + _BROW)
_CHIN = np.array([[0, 1.69, 0.186]])
_OUTLINE = np.concatenate([_HALF, _HALF * [-1, 1, 1], _CHIN])  # the chin comes last

# What a channel's value adds to the luminance, of linear light (sRGB, ITU-R BT.709 weights): one power per value of a
# channel instead of three per pixel.
_LINEAR = np.array(
    [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in np.arange(256) / 255]
)
TABLE: F64 = np.array([0.2126, 0.7152, 0.0722])[:, None] * _LINEAR  # (3, 256) of R, G, B


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """The part of the standard's frame that is looked at: the face region and the cheeks."""

    pixels: U8  # (h, w, 3)
    luminance: U8  # (h, w) 0..255
    region: NDArray[np.bool_]  # (h, w) the face
    cheeks: tuple[Box, Box]  # in px of the part
    coloured: bool  # whether any pixel of the whole frame is not grey
    chin: F64  # (2,) in px of the picture


def align(face: Face) -> Aligned:
    """Put a face into the frame. Raises InputError when its points do not lie as on a face."""
    import cv2

    matrix = _matrix(face.points)
    around = outline(face.points)
    hull = cv2.convexHull(np.rint(_moved(around, matrix)).astype(np.int32))
    cheeks = _cheeks(_moved(face.points, matrix))
    corners = np.concatenate([hull[:, 0], np.array(cheeks).reshape(-1, 2)])
    x0, y0 = (max(0, int(low)) for low in corners.min(0))
    x1, y1 = (min(SIDE, int(high) + 1) for high in corners.max(0))
    if x0 >= x1 or y0 >= y1:
        raise InputError("The points of a face do not lie as on a face.", "Detect the face again.")
    pixels = _warped(face.frame.pixels, matrix, (x0, y0, x1, y1))
    region = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillConvexPoly(region, hull - (x0, y0), 1)
    return Aligned(
        pixels=pixels,
        luminance=luminance(pixels),
        region=region.astype(bool),
        cheeks=(_within(cheeks[0], (x0, y0, x1, y1)), _within(cheeks[1], (x0, y0, x1, y1))),
        coloured=any_colour(pixels) or _coloured(face.frame.pixels, matrix),
        chin=around[-1],
    )


def luminance(pixels: U8) -> U8:
    """(h, w) relative luminance 0..255 of (h, w, 3) RGB."""
    light: F64 = TABLE[0].take(pixels[..., 0])
    light += TABLE[1].take(pixels[..., 1])
    light += TABLE[2].take(pixels[..., 2])
    light *= 255
    light += 0.5
    return light.astype(np.uint8)  # cuts off, as floor does


def outline(points: F32) -> F64:
    """(n, 2) the outline of a face with these five points, in px of its picture; the chin comes last."""
    return posed(points, _OUTLINE)


def _matrix(points: F32) -> F64:
    """(2, 3) from picture px to frame px, both counted from pixel centres: robust, as the reference software fits it."""
    import cv2

    centred = points.astype(np.float64) - 0.5
    whole = similarity(centred, PLACES)  # refuses points that are no face's
    found, _ = cv2.estimateAffinePartial2D(centred, PLACES, method=cv2.LMEDS)
    matrix: F64 = whole if found is None else np.asarray(found, np.float64)
    if not (np.isfinite(matrix).all() and abs(np.linalg.det(matrix[:, :2])) > 1e-9):
        raise InputError("The points of a face do not lie as on a face.", "Detect the face again.")
    return matrix


def _moved(points: NDArray[np.floating], matrix: F64) -> F64:
    """Picture px counted from the corner to frame px counted from pixel centres."""
    moved: F64 = (points - 0.5) @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _warped(pixels: U8, matrix: F64, part: Box) -> U8:
    """A part of the frame; black outside of the picture."""
    import cv2

    x0, y0, x1, y1 = part
    shifted = matrix.copy()
    shifted[:, 2] -= x0, y0
    back = inverse(shifted)
    square = np.array([[0, 0], [x1 - x0, 0], [0, y1 - y0], [x1 - x0, y1 - y0]], np.float64)
    corners = square @ back[:, :2].T + back[:, 2]
    height, width = pixels.shape[:2]
    left, top = (max(0, int(np.floor(low)) - MARGIN) for low in corners.min(0))
    right, bottom = (
        min(end, int(np.ceil(high)) + MARGIN) for end, high in zip((width, height), corners.max(0), strict=True)
    )
    if left >= right or top >= bottom:
        raise InputError("A face lies outside of its picture.", "Detect the face again.")
    if max(right - left, bottom - top) > LARGEST:
        raise InputError("A face is larger than 32,000 px.", "Make the picture smaller.")
    shifted[:, 2] += shifted[:, :2] @ (left, top)
    return np.asarray(cv2.warpAffine(pixels[top:bottom, left:right], shifted, (x1 - x0, y1 - y0)), np.uint8)


def any_colour(pixels: U8) -> bool:
    """Whether any pixel is not grey."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return bool((red != green).any() or (green != blue).any())


def _coloured(pixels: U8, matrix: F64) -> bool:
    """Whether the frame shows colour beside the face: only then is the whole frame made, which is slow."""
    return any_colour(pixels) and any_colour(_warped(pixels, matrix, (0, 0, SIDE, SIDE)))


def _cheeks(points: F64) -> tuple[Box, Box]:
    """Squares below the eyes, half-way to the mouth, 0.3 eye distances wide, from the eyes inwards."""
    eyes = np.rint(points[:2]).astype(int)
    distance = float(np.hypot(*(eyes[1] - eyes[0])))
    side = int(0.3 * distance)
    down = int(np.hypot(*(points[3:].mean(0) - eyes.mean(0))) / 2)
    (x_right, y_right), (x_left, y_left) = eyes + np.array([0, down])
    return (
        (x_right, y_right, x_right + side, y_right + side),
        (x_left - side, y_left, x_left, y_left + side),
    )


def _within(box: Box, part: Box) -> Box:
    """A box of the frame, in px of a part of it and cut off at its edges."""
    x0, y0, x1, y1 = part
    across, down = (min(max(box[i], x0), x1) - x0 for i in (0, 2)), (min(max(box[i], y0), y1) - y0 for i in (1, 3))
    (a, c), (b, d) = across, down
    return int(a), int(b), int(c), int(d)
