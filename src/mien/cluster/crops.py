"""The crop of a face as bytes and back: JPEG, since an album holds many, with its geometry beside it."""

from __future__ import annotations

import io
import json

import numpy as np

from mien.align import rehome
from mien.types import Face, Frame

SIDE = 256  # px, at most
_QUALITY = 92


def pack(face: Face) -> tuple[bytes, str]:
    """(JPEG, JSON) of a face. Raises InputError when its points do not lie as on a face."""
    from PIL import Image

    small = rehome(face, SIDE)
    buffer = io.BytesIO()
    Image.fromarray(small.frame.pixels).save(buffer, "JPEG", quality=_QUALITY)
    geometry = {
        "box": np.round(small.box.astype(float), 3).tolist(),
        "points": np.round(small.points.astype(float), 3).tolist(),
        "score": round(float(small.score), 6),
        "origin": [float(value) for value in small.origin],
    }
    return buffer.getvalue(), json.dumps(geometry)


def unpack(jpeg: bytes, text: str, source: str) -> Face:
    """The face on its crop."""
    from PIL import Image

    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        pixels = np.asarray(image.convert("RGB"))
    geometry = json.loads(text)
    x0, y0, scale = geometry["origin"]
    return Face(
        Frame(pixels, source),
        np.array(geometry["box"], np.float32),
        np.array(geometry["points"], np.float32),
        geometry["score"],
        origin=(x0, y0, scale),
    )
