"""Attacks that hide only part of a face: a print with holes for the live eyes, and a printed piece stuck onto a live face."""

from __future__ import annotations

import numpy as np

from mien.errors import InputError
from mien.learn.attacks import scene
from mien.learn.attacks.draws import Stream
from mien.learn.attacks.scene import Canvas
from mien.types import F32

HOLES = ("eyes", "eyes and mouth")
REGIONS = ("eyes", "nose and mouth", "subject's left half", "subject's right half")
# Where a face that fills its picture has its five points, as shares of width and height; used when none are given.
TYPICAL = np.array([[0.31, 0.42], [0.69, 0.42], [0.5, 0.62], [0.35, 0.78], [0.65, 0.78]], np.float32)


def shares(points: F32 | None, height: int, width: int) -> F32:
    """(5, 2) points of a photo in px as shares of its width and height; the typical ones when there are none.

    Raises InputError when they are not five points within the photo."""
    if points is None:
        return TYPICAL
    found = np.asarray(points, np.float32) * np.array([1 / width, 1 / height], np.float32)
    if found.shape != (5, 2) or not np.isfinite(found).all() or found.min() < 0 or found.max() > 1:
        raise InputError("The points of the face are not five places within the photo.", "Give those of its detection.")
    return found


def holes(canvas: Canvas, points: F32, stream: Stream) -> F32:
    """(h, w) 0..1: where the sheet was cut away. points: (5, 2) shares."""
    which = stream.choice("holes", HOLES)
    apart = float(np.linalg.norm(points[1] - points[0]))
    wide, tall = apart * stream.uniform("hole width", 0.25, 0.42), apart * stream.uniform("hole height", 0.12, 0.25)
    open_at = np.maximum(_ellipse(canvas, points[0], wide, tall), _ellipse(canvas, points[1], wide, tall))
    mouth = float(np.linalg.norm(points[4] - points[3])) * stream.uniform("mouth width", 0.6, 0.8)
    if which == "eyes and mouth":
        open_at = np.maximum(open_at, _ellipse(canvas, points[3:].mean(0), mouth, tall))
    return open_at


def piece(canvas: Canvas, points: F32, stream: Stream) -> F32:
    """(h, w) 0..1: where the piece covers the live face. points: (5, 2) shares."""
    region = stream.choice("region", REGIONS)
    grown = stream.uniform("grown", -0.02, 0.05)
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    apart = float(np.linalg.norm(points[1] - points[0]))
    middle = float(points[2, 0])
    if region == "eyes":
        sides = (
            points[0, 0] - 0.45 * apart,
            eyes[1] - 0.35 * apart,
            points[1, 0] + 0.45 * apart,
            eyes[1] + 0.3 * apart,
        )
    elif region == "nose and mouth":
        top = (eyes[1] + points[2, 1]) / 2
        sides = (points[3, 0] - 0.3 * apart, top, points[4, 0] + 0.3 * apart, mouth[1] + 0.35 * apart)
    elif region == "subject's left half":  # to the right in the picture
        sides = (middle, -1.0, 2.0, 2.0)
    else:
        sides = (-1.0, -1.0, middle, 2.0)
    left, top, right, bottom = (float(side) for side in sides)
    return scene.covered(canvas, (left - grown, top - grown, right + grown, bottom + grown))


def put(above: F32, below: F32, cover: F32, stream: Stream) -> F32:
    """The sheet (h, w, 3) over the live face, with the shadow that its edge throws. cover: (h, w) 0..1."""
    import cv2

    lift = stream.uniform("lift", 1.0, 6.0)  # px of the sensor, of the shadow's softness
    dark = stream.uniform("shadow", 0.1, 0.5)
    shadow = 1 - np.float32(dark) * cv2.GaussianBlur(cover, (0, 0), lift)
    seen: F32 = above * cover[..., None] + below * (shadow * (1 - cover))[..., None]
    return seen


def behind(canvas: Canvas, stream: Stream) -> tuple[F32, F32]:
    """Where a live face behind the sheet is seen, (h, w) u and v: moved a little against what is printed."""
    x, y = (stream.uniform(f"behind {axis}", -0.02, 0.02) for axis in "xy")
    return canvas.view.u + np.float32(x), canvas.view.v + np.float32(y)


def _ellipse(canvas: Canvas, centre: F32, wide: float, tall: float) -> F32:
    """(h, w) 0..1, antialiased: within half of `wide` and `tall` (shares of the width) of a centre."""
    x = (canvas.u - centre[0]) / (wide / 2)
    y = (canvas.v - centre[1]) * canvas.aspect / (tall / 2)
    edge = max(canvas.view.step / (min(wide, tall) / 2), 1e-6)
    inside: F32 = np.clip((1 - np.hypot(x, y)) / np.float32(edge) + 0.5, 0, 1)
    return inside
