"""Five points to a chip: the square picture of a face, turned upright and scaled, that an embedder wants.

Coordinates are px of a picture in which 0 is the left (upper) edge of the first pixel and 0.5 its centre, so that
boxes, crops and enlargements need no half pixels: the coordinates of a picture twice as large are twice as large.
A similarity transform turns, scales and moves; it never shears a face.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import InputError, UsageError
from mien.types import F32, U8, Face, Frame

F64 = NDArray[np.float64]

_MAX_STEP = 2.0  # source px per chip px up to which a chip is read off directly; above, the picture is halved first
_SHARPEST = 1e-3  # source px per chip px: below, the points lie on top of each other
_LARGEST_SIDE = 32_000  # px that the warp can address


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Where the five points of `mien.types.Face.points` lie on a chip."""

    size: int  # px, the chip is square
    points: F64  # (5, 2)
    fit_in_picture: bool  # squared distances are made small in the picture (True) or on the chip (False)


TEMPLATES = {
    # Centres of the eyes, nose tip and mouth corners of dlib's mean face on its 150 px chip with padding 0.25 (dlib,
    # image_processing/render_face_detections.h and image_transforms/interpolation.h: get_face_chip_details), moved out
    # from the chip's centre by 1 / 0.95. Detectors' points lie further apart than dlib's: with the mean face as it is, our
    # chips showed faces 2 to 4 % smaller than dlib's own, which cost true matches (docs/concepts/accuracy.md).
    "dlib150": Template(
        150,
        np.array([[46.104, 45.104], [101.817, 45.104], [73.961, 76.644], [49.121, 104.498], [98.8, 104.498]]),
        fit_in_picture=True,
    ),
    # ArcFace (Deng et al., CVPR 2019), as published, which counts from pixel centres, hence + 0.5.
    "arcface112": Template(
        112,
        np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
        + 0.5,
        fit_in_picture=False,
    ),
}


def similarity(source: ArrayLike, target: ArrayLike) -> F64:
    """The (2, 3) transform without mirroring that takes (n, 2) source points closest to the target points.

    Least squares in the target, in closed form (Umeyama 1991). Raises InputError when the points are not finite or the
    source points all coincide."""
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if a.ndim != 2 or a.shape[1] != 2 or a.shape != b.shape:
        raise UsageError(f"A similarity needs two equal (n, 2) arrays of points, not {a.shape} and {b.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("The points of a face are not numbers.", "Detect the face again.")
    centre_a, centre_b = a.mean(0), b.mean(0)
    a, b = a - centre_a, b - centre_b
    spread = float((a * a).sum())
    if spread <= 1e-9 * len(a):
        raise InputError("The points of a face all lie in one place.", "Detect the face again.")
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, centre_b - turn @ centre_a])


def inverse(matrix: F64) -> F64:
    """The (2, 3) transform that undoes a (2, 3) transform."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])


def template(name: str) -> Template:
    """A template by name. Raises UsageError."""
    if name not in TEMPLATES:
        raise UsageError(f"There is no template {name!r}.", f"Known are {', '.join(sorted(TEMPLATES))}.")
    return TEMPLATES[name]


def chip_matrix(points: ArrayLike, name: str) -> F64:
    """The (2, 3) transform from picture px to chip px for a face's (5, 2) points and a template.

    Raises InputError when the points are not finite, lie in one place, or do not fit a face in any position."""
    wanted = template(name)
    points = np.asarray(points, np.float64)
    fit = similarity(wanted.points, points) if wanted.fit_in_picture else similarity(points, wanted.points)
    scale = math.hypot(fit[0, 0], fit[1, 0])
    step = scale if wanted.fit_in_picture else 1 / max(scale, 1e-300)
    if not _SHARPEST < step < 1 / _SHARPEST:
        raise InputError("The points of a face do not lie as on a face.", "Detect the face again.")
    return inverse(fit) if wanted.fit_in_picture else fit


def chip(pixels: U8, points: ArrayLike, name: str) -> U8:
    """The aligned uint8 (S, S, 3) chip; what lies outside of the picture is black.

    Where the face is more than twice as large as the chip, the picture is halved with a 5-tap Gaussian first, so that
    fine detail does not turn into noise. Raises InputError as `chip_matrix` does, and when no part of the chip lies
    inside the picture."""
    return warp(pixels, chip_matrix(points, name), template(name).size)


def warp(pixels: U8, matrix: F64, size: int) -> U8:
    """The uint8 (size, size, 3) picture that a (2, 3) similarity from picture px to chip px cuts out; see `chip`."""
    import cv2

    back = inverse(matrix)
    step = math.hypot(back[0, 0], back[1, 0])
    halvings = max(0, math.ceil(math.log2(step / _MAX_STEP)))
    region, (x, y) = _region(pixels, back, size, margin=2 ** (halvings + 2))
    move = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
    for _ in range(halvings):
        if min(region.shape[:2]) < 2:
            break
        region = np.asarray(cv2.pyrDown(region), np.uint8)
        # Pixel i of the half picture is centred on pixel 2 i.
        move = 0.5 * move + np.array([[0.0, 0.0, 0.25], [0.0, 0.0, 0.25]])
    chip_to_region = _after(move, back)
    # OpenCV counts from pixel centres.
    chip_to_region[:, 2] += 0.5 * chip_to_region[:, :2].sum(1) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(region, chip_to_region, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(cut, np.uint8)


def _after(second: F64, first: F64) -> F64:
    """The transform that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def _corners(back: F64, size: int) -> tuple[F64, F64]:
    """Lowest and highest x, y in the picture of a chip's corners."""
    square = np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]], np.float64)
    corners = back @ square
    return corners.min(1), corners.max(1)


def _region(pixels: U8, back: F64, size: int, margin: int) -> tuple[U8, tuple[int, int]]:
    """The part of the picture that a chip needs, and its upper left corner."""
    low, high = _corners(back, size)
    height, width = pixels.shape[:2]
    x0, y0 = (max(0, math.floor(value) - margin) for value in low)
    x1, y1 = min(width, math.ceil(high[0]) + margin), min(height, math.ceil(high[1]) + margin)
    if high[0] <= 0 or high[1] <= 0 or low[0] >= width or low[1] >= height:
        raise InputError("A face lies outside of its picture.", "Detect the face again.")
    if max(x1 - x0, y1 - y0) > _LARGEST_SIDE:
        raise InputError("A face is larger than 32,000 px.", "Make the picture smaller.")
    return pixels[y0:y1, x0:x1], (x0, y0)


def rehome(face: Face, size: int = 256) -> Face:
    """The same face on a small square frame of its own, at most `size` px a side, black where the picture ends.

    The crop holds the box and the chips of all templates, and is never enlarged. `origin` tells where it lies in the
    source. Raises InputError when the points do not lie as on a face."""
    import cv2

    pixels, (x0, y0), side = _square(face)
    scale = min(1.0, size / side)
    if scale < 1:
        pixels = np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    corner = np.array([x0, y0], np.float64)
    old_x, old_y, old_scale = face.origin
    return replace(
        face,
        frame=Frame(pixels, face.frame.source, face.frame.index, face.frame.time),
        box=_moved(face.box.reshape(2, 2), corner, scale).reshape(4),
        points=_moved(face.points, corner, scale),
        origin=(old_x + x0 / old_scale, old_y + y0 / old_scale, old_scale * scale),
    )


def surroundings(face: Face, boxes: float, size: int = 256) -> Face:
    """The same face on a square crop `boxes` times its box, at most `size` px a side; at the edge of the picture the square is
    moved inside, and it is no larger than the picture's shorter side. Nothing is made up."""
    import cv2

    low, high = face.box[:2].astype(np.float64), face.box[2:].astype(np.float64)
    whole = np.array([face.frame.width, face.frame.height])
    side = min(float((high - low).max()) * boxes, *whole.tolist())
    corner = np.clip((low + high - side) / 2, 0, whole - side).astype(int)
    side = math.ceil(side)
    pixels = face.frame.pixels[corner[1] : corner[1] + side, corner[0] : corner[0] + side]
    scale = min(1.0, size / side)
    if scale < 1:
        pixels = np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    old_x, old_y, old_scale = face.origin
    return replace(
        face,
        frame=Frame(np.ascontiguousarray(pixels), face.frame.source, face.frame.index, face.frame.time),
        box=_moved(face.box.reshape(2, 2), corner, scale).reshape(4),
        points=_moved(face.points, corner, scale),
        origin=(old_x + corner[0] / old_scale, old_y + corner[1] / old_scale, old_scale * scale),
    )


def _moved(points: NDArray[Any], corner: F64, scale: float) -> F32:
    return ((points.astype(np.float64) - corner) * scale).astype(np.float32)


def _square(face: Face) -> tuple[U8, tuple[int, int], int]:
    """The square part of the frame that holds the box and all chips, its upper left corner, and its side in px."""
    lows, highs = [face.box[:2].astype(np.float64)], [face.box[2:].astype(np.float64)]
    for name, wanted in TEMPLATES.items():
        low, high = _corners(inverse(chip_matrix(face.points, name)), wanted.size)
        lows.append(low)
        highs.append(high)
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    if not np.isfinite(high - low).all():
        raise InputError("The box of a face is not made of numbers.", "Detect the face again.")
    side = math.ceil(float((high - low).max())) + 8
    x0, y0 = (math.floor(value) for value in (low + high - side) / 2)
    if side > _LARGEST_SIDE:
        raise InputError("A face is larger than 32,000 px.", "Make the picture smaller.")
    square = np.zeros((side, side, 3), np.uint8)
    height, width = face.frame.height, face.frame.width
    left, top, right, bottom = max(0, x0), max(0, y0), min(width, x0 + side), min(height, y0 + side)
    if right <= left or bottom <= top:
        raise InputError("A face lies outside of its picture.", "Detect the face again.")
    square[top - y0 : bottom - y0, left - x0 : right - x0] = face.frame.pixels[top:bottom, left:right]
    return square, (x0, y0), side
