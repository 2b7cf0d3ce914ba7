"""Pictures to faces in DeepFace's shape."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import detect
from mien.compat.deepface.arguments import SKIP, check, detector_card
from mien.compat.deepface.errors import FaceNotDetected, UnimplementedError
from mien.compat.deepface.pictures import read, several
from mien.detect.mtcnn import Mtcnn
from mien.protocols import Detector
from mien.types import U8, Face, Frame

_SKIP_LEAST = 0.5  # score below which a picture that is said to be one face is not taken for one
_POINT_NAMES = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")  # in the order of Face.points
_COLOURS = ("rgb", "bgr", "gray")


def extract_faces(  # noqa: PLR0913 (their signature)
    img_path: Any,
    detector_backend: str = "mtcnn",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: int = 0,
    grayscale: bool = False,
    color_face: str = "rgb",
    normalize_face: bool = True,
    anti_spoofing: bool = False,
    max_faces: int | None = None,
) -> list[Any]:
    """Faces of a picture, largest first, each {face, facial_area, confidence}; of a list of pictures, a list each.

    face: (h, w, 3) or, for "gray", (h, w); float64 0..1, or uint8 without normalize_face; eyes level with align.
    Raises FaceNotDetected when there is none and enforce_detection is set; without it the list is empty."""
    check(anti_spoofing=anti_spoofing)
    colour = "gray" if grayscale else color_face
    if colour not in _COLOURS:
        raise UnimplementedError(f"There is no color_face {color_face!r}.", f"Choose among {', '.join(_COLOURS)}.")
    pictures = several(img_path)
    every = [
        [
            {
                "face": _finished(cut(face, align, expand_percentage), colour, normalize_face),
                "facial_area": area(face, expand_percentage),
                "confidence": round(face.score, 2),
            }
            for face in find_faces(read(picture), detector_backend, enforce_detection, max_faces)
        ]
        for picture in ([img_path] if pictures is None else pictures)
    ]
    return every[0] if pictures is None else every


def find_faces(frame: Frame, backend: str, enforce: bool, most: int | None = None) -> list[Face]:
    """The faces of one picture, largest first, at most `most`. Raises FaceNotDetected where `enforce`."""
    card = detector_card(backend)
    faces = _whole(frame) if card == SKIP else detector(card).detect([frame])[0]
    if not faces and enforce:
        raise FaceNotDetected(
            f"No face was found in {frame.source}.",
            "Give a picture that shows one, or set enforce_detection to False to go on without.",
        )
    return faces if most is None else faces[:most]


@cache
def detector(card: str) -> Detector:
    """The detector of a card; loaded once."""
    return detect.load(card)


def _whole(frame: Frame) -> list[Face]:
    """The one face that the whole picture is said to be; nobody where the detector's last stage sees none."""
    box = np.array([[0, 0, frame.width, frame.height]], np.float32)
    faces = cast(Mtcnn, detector("mtcnn")).refine(frame, box)
    return [face for face in faces if face.score >= _SKIP_LEAST]


def area(face: Face, expand: int = 0) -> dict[str, Any]:
    """{x, y, w, h} in whole px inside the picture, and the five points; left and right are the subject's."""
    x0, y0, x1, y1 = _box(face, expand)
    frame = face.frame
    left, top = max(0, int(x0)), max(0, int(y0))
    shape = {"x": left, "y": top, "w": min(frame.width, int(x1)) - left, "h": min(frame.height, int(y1)) - top}
    points = dict(zip(_POINT_NAMES, (_point(point, frame) for point in face.points), strict=True))
    return shape | {name: points[name] for name in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")}


def _point(point: NDArray[Any], frame: Frame) -> tuple[int, int] | None:
    """Whole px, or None outside of the picture."""
    x, y = int(point[0]), int(point[1])
    return (x, y) if 0 <= x < frame.width and 0 <= y < frame.height else None


def _box(face: Face, expand: int) -> tuple[float, float, float, float]:
    """The box made larger by `expand` per cent of its sides; less than 0 counts as 0."""
    x0, y0, x1, y1 = (float(value) for value in face.box)
    more = max(0, expand) / 200
    dx, dy = (x1 - x0) * more, (y1 - y0) * more
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


def cut(face: Face, align: bool, expand: int) -> U8:
    """The box (h, w, 3) cut out of the picture, turned about its centre until the eyes are level where `align`."""
    x0, y0, x1, y1 = _box(face, expand)
    if not align:
        shape = area(face, expand)
        rows, columns = slice(shape["y"], shape["y"] + shape["h"]), slice(shape["x"], shape["x"] + shape["w"])
        return face.frame.pixels[rows, columns].copy()
    dx, dy = face.points[1] - face.points[0]
    width, height = max(1, round(x1 - x0)), max(1, round(y1 - y0))
    matrix = cv2.getRotationMatrix2D(((x0 + x1) / 2, (y0 + y1) / 2), math.degrees(math.atan2(dy, dx)), 1.0)
    matrix[:, 2] += (width - x0 - x1) / 2, (height - y0 - y1) / 2
    return np.asarray(cv2.warpAffine(face.frame.pixels, matrix, (width, height)), np.uint8)


def _finished(pixels: U8, colour: str, normalize: bool) -> NDArray[Any]:
    if colour == "gray":
        made: NDArray[Any] = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    else:
        made = pixels if colour == "rgb" else np.ascontiguousarray(pixels[..., ::-1])
    return made / 255 if normalize else made
