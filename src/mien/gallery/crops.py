"""Kept crops as bytes and back: pixels as PNG (lossless), the geometry as JSON beside them."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass

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


def pack_face(face: Face) -> tuple[bytes, str]:
    """(PNG, JSON) of a face that was re-homed onto its margin crop. Raises InputError for anything larger or broken."""
    from PIL import Image

    pixels = face.frame.pixels
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise InputError(
            f"A crop's pixels are {pixels.dtype} of shape {pixels.shape}, not uint8 (H, W, 3).", "Give an RGB frame."
        )
    if max(pixels.shape) > LARGEST_SIDE:
        raise InputError(
            f"The picture of a face to keep is {face.frame.width} x {face.frame.height} px; {LARGEST_SIDE} is the most.",
            "Re-home the face onto its margin crop, so that nobody else in the photo is kept.",
        )
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
    try:
        text = json.dumps(asdict(geometry), allow_nan=False)
    except ValueError as error:
        raise InputError(
            "A face's box, points or score is not finite.", "Leave the crop out, or detect the face again."
        ) from error
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue(), text


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
