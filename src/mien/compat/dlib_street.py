"""dlib's way from a box to an encoding, on mien's parts; numbers agree with dlib's where they can.

    box -> five points (dlib's predictor) -> chip (dlib's) -> 128 numbers (dlib's network)

Boxes are (top, right, bottom, left) in whole px; right and bottom count as inside, as in dlib's rectangle.
"""

from __future__ import annotations

import operator
from functools import cache
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import detect, models
from mien.compat import points68
from mien.detect.mmod import Mmod
from mien.embed.dlib_chip import SIZE, dlib_chip
from mien.embed.onnx import OnnxEmbedder
from mien.errors import InputError, UsageError
from mien.models.points5 import FivePoints
from mien.protocols import Detector
from mien.types import F32, U8, Face, Frame

Css = tuple[int, int, int, int]

_HOG_REACH = 60.0  # px: faces that dlib's HOG detector still finds without enlarging (19 of 20)
_SMALLEST = 12.0  # px: MTCNN's own limit
# From five points to the square that dlib's HOG detector would put around the face: side over the root of the summed
# squared distances to the points' mean, and centre relative to that mean in sides. Medians over 190 faces.
_SIDE, _CENTRE = 1.68, (-0.02, -0.02)
_JITTER_SEED = 20170212
_TURN, _SHIFT, _LARGEST, _SMALLEST_ZOOM = 3.0, 0.02, 150 / 144, 146 / 144  # degrees, share of the side, enlargement


class BadArgument(UsageError, TypeError):
    """An argument of the wrong kind; a TypeError, as dlib raises."""


class BadPicture(InputError, RuntimeError):
    """An array that is no picture; a RuntimeError, as dlib raises."""


def picture(img: Any) -> U8:
    """(H, W, 3) of an 8-bit RGB or grey array. Raises BadArgument, BadPicture."""
    if not isinstance(img, np.ndarray):
        raise BadArgument(f"A picture is a NumPy array, not {type(img).__name__}.", "Read files with load_image_file.")
    if img.dtype != np.uint8 or not (img.ndim == 2 or (img.ndim == 3 and img.shape[2] == 3)):
        raise BadPicture(
            f"Unsupported image type, must be 8bit gray or RGB image, not {img.dtype} of shape {img.shape}.",
            "Read files with load_image_file.",
        )
    return np.ascontiguousarray(np.repeat(img[..., None], 3, axis=2) if img.ndim == 2 else img)


def whole(value: Any, name: str) -> int:
    """An integer. Raises BadArgument."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise BadArgument(f"{name} is a whole number, not {value!r}.") from error


def box(css: Any) -> Css:
    """A box of four integers. Raises BadArgument; IndexError when there are fewer."""
    top, right, bottom, left = (whole(css[index], "A side of a box") for index in range(4))
    return top, right, bottom, left


def default_boxes(pixels: U8, times: int) -> list[Css]:
    """What mien's default detector finds, as the squares that dlib's predictor was trained on, largest first."""
    if 0 in pixels.shape:
        return []
    least = max(_SMALLEST, _HOG_REACH / 2**times)
    return [_hog_like(face) for face in _upright_detector(least).detect([Frame(pixels)])[0]]


@cache
def _upright_detector(least: float) -> Detector:
    # The predictor knows upright faces only: no second look at a turned picture.
    return detect.load("mtcnn", minimum=least, retries=("tone", "border"))


def _hog_like(face: Face) -> Css:
    points = face.points.astype(np.float64)
    mean = points.mean(0)
    side = _SIDE * float(np.sqrt(((points - mean) ** 2).sum()))
    x, y = mean + np.array(_CENTRE) * side
    left, top, right, bottom = (round(float(edge)) for edge in (x - side / 2, y - side / 2, x + side / 2, y + side / 2))
    return top, right, bottom, left


def mmod_boxes(pixels: U8, times: int) -> list[Css]:
    """What dlib's network finds in the picture enlarged `times` times, as dlib rounds it, strongest first."""
    if 0 in pixels.shape:
        raise BadPicture("The picture is empty.", "Read it again.")
    for _ in range(times):
        pixels = _doubled(pixels)
    corners = _mmod().boxes(pixels)[0].astype(np.float64)
    for _ in range(times):
        corners = corners / 2 - _HALF_SHIFT
    whole_px = np.floor(corners + 0.5).astype(int)
    return [(int(y0), int(x1), int(y1), int(x0)) for x0, y0, x1, y1 in whole_px]


_HALF_SHIFT = np.array([1.25, 0.75, 1.25, 0.75])  # x, y that dlib's pyramid_down<2> takes off a halved point


@cache
def _mmod() -> Mmod:
    return cast(Mmod, detect.load("dlib_mmod"))


def _doubled(pixels: U8) -> U8:
    """dlib's pyramid_up: 2 H + 1 by 2 W + 2 px, corner pixels on each other, cut off to whole numbers."""
    height, width = pixels.shape[:2]
    rows, columns = _steps(height, 2 * height + 1), _steps(width, 2 * width + 2)
    at = np.meshgrid(columns, rows)
    made = cv2.remap(pixels.astype(np.float32), at[0], at[1], cv2.INTER_LINEAR)
    return np.asarray(np.floor(made + 1e-3), np.uint8)  # 1e-3: what should be whole is whole


def _steps(old: int, new: int) -> F32:
    return np.linspace(0, old - 1, new, dtype=np.float32)


def points(img: U8, css: Css, card: str = "dlib_points5") -> NDArray[np.intp]:
    """(n, 2) whole px in dlib's order; five: image-right eye outer, inner; image-left eye outer, inner; base of the nose.

    Raises LicenceNotAccepted where the card's terms want a yes."""
    top, right, bottom, left = css
    found = _predictor(card).predict(picture(img), (left, top, right, bottom))
    return np.asarray(np.floor(found + 0.5), np.intp)


@cache
def _predictor(card: str) -> FivePoints:
    (path,) = models.ready(models.card(card)).values()
    return FivePoints(path)


def chip(img: U8, points: NDArray[Any]) -> U8:
    """(150, 150, 3) for the five points or the 68. Raises BadArgument for a grey picture, as the original does."""
    if img.ndim != 3:
        raise BadArgument(
            "An encoding wants an RGB picture, not a grey one.", 'Read it with load_image_file(file, "RGB").'
        )
    if len(points) == 68:
        return dlib_chip(picture(img), points[list(points68.STEADY)], points68.MEAN)
    return dlib_chip(picture(img), points)


def encodings(chips: list[U8], jitters: int) -> list[NDArray[np.float64]]:
    """(128,) each, as the network gives them; from two `jitters` on, the mean over jittered chips."""
    if not chips:
        return []
    if jitters < 2:
        return list(_raw(np.stack(chips)).astype(np.float64))
    return [_raw(jittered(one, jitters)).astype(np.float64).mean(0) for one in chips]


def _raw(chips: U8) -> F32:
    """(n, 128) as the network gives them."""
    return _network().vectors(chips)


@cache
def _network() -> OnnxEmbedder:
    return OnnxEmbedder("dlib_resnet")


def jittered(one: U8, count: int) -> U8:
    """(count, 150, 150, 3): turned by up to 3 degrees, moved by up to 2 %, enlarged by 1 to 4 %, every other one mirrored.

    dlib draws from the same ranges, with a generator that goes on from call to call; here the draw is always the same."""
    draw = np.random.default_rng(_JITTER_SEED)
    made = np.empty((count, SIZE, SIZE, 3), np.uint8)
    centre = ((SIZE - 1) / 2, (SIZE - 1) / 2)
    for index in range(count):
        zoom = draw.uniform(_SMALLEST_ZOOM, _LARGEST)
        matrix = cv2.getRotationMatrix2D(centre, draw.uniform(-_TURN, _TURN), zoom)
        matrix[:, 2] += draw.uniform(-_SHIFT, _SHIFT, 2) * SIZE
        cv2.warpAffine(one, matrix, (SIZE, SIZE), dst=made[index], flags=cv2.INTER_LINEAR)
        if index % 2:
            made[index] = made[index][:, ::-1]
    return made
