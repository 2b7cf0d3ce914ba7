"""Kept crops as bytes and back: pixels as PNG (lossless), the geometry as JSON beside them."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace

import numpy as np

from mien.errors import InputError
from mien.types import Face, Frame

LARGEST_SIDE = 1024  # px; a crop is 256, and a whole photo would keep other people's faces without their being asked


@dataclass(frozen=True, slots=True)
class _Geometry:
    box: list[float]
    points: list[list[float]]
    score: float
    track: int
    origin: list[float]
    source: str
    index: int
    time: float


def check_face(face: Face) -> None:
    """Raise InputError for a face that cannot be kept: not RGB, not re-homed onto a crop, or with broken geometry."""
    pixels = face.frame.pixels
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise InputError(
            f"A crop is {pixels.dtype} of shape {pixels.shape}, not uint8 (H, W, 3).", "Give an RGB frame."
        )
    if max(pixels.shape) > LARGEST_SIDE:
        raise InputError(
            f"The picture of a face is {face.frame.width} x {face.frame.height} px; {LARGEST_SIDE} is the most.",
            "Re-home the face onto its margin crop, so that nobody else in the photo is kept.",
        )
    numbers = (*np.ravel(face.box), *np.ravel(face.points), face.score, *face.origin, face.frame.time)
    if np.shape(face.box) != (4,) or np.shape(face.points) != (5, 2) or not np.isfinite(numbers).all():
        raise InputError("A face's box, points, score, origin or time is not finite.", "Detect the face again.")


def own_face(face: Face) -> Face:
    """The same face with arrays that nobody else writes to."""
    frame = replace(face.frame, pixels=face.frame.pixels.copy())
    return replace(face, frame=frame, box=face.box.copy(), points=face.points.copy())


def pack_face(face: Face) -> tuple[bytes, str]:
    """(PNG, JSON) of a face that passes `check_face`."""
    from PIL import Image

    geometry = _Geometry(
        box=np.asarray(face.box, np.float32).tolist(),
        points=np.asarray(face.points, np.float32).tolist(),
        score=float(face.score),
        track=int(face.track),
        origin=[float(value) for value in face.origin],
        source=face.frame.source,
        index=int(face.frame.index),
        time=float(face.frame.time),
    )
    buffer = io.BytesIO()
    Image.fromarray(face.frame.pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue(), json.dumps(asdict(geometry), allow_nan=False)


def unpack_face(png: bytes, text: str) -> Face:
    """The face that `pack_face` was given, pixel for pixel."""
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        pixels = np.asarray(image.convert("RGB"))
    geometry = _Geometry(**json.loads(text))
    x0, y0, scale = geometry.origin
    return Face(
        frame=Frame(pixels, geometry.source, geometry.index, geometry.time),
        box=np.array(geometry.box, np.float32),
        points=np.array(geometry.points, np.float32).reshape(-1, 2),
        score=geometry.score,
        track=geometry.track,
        origin=(x0, y0, scale),
    )
