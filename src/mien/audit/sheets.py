"""Examples on one sheet: pictures side by side with what was found in them, as a PNG for a report."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np

from mien.types import F32, Frame

TILE = 200  # px, side of a picture on the sheet
ACROSS = 4


def sheet(pictures: Sequence[tuple[Frame, F32, str]]) -> bytes:
    """A PNG of (frame, boxes (k, 4) px, caption); empty bytes for no picture."""
    from PIL import Image, ImageDraw, ImageOps

    from mien.media.text import draw_text, fitted

    if not pictures:
        return b""
    across = min(ACROSS, len(pictures))
    down = -(-len(pictures) // across)
    whole = Image.new("RGB", (across * TILE, down * (TILE + 20)), "white")
    for number, (frame, boxes, caption) in enumerate(pictures):
        small = ImageOps.contain(Image.fromarray(frame.pixels), (TILE - 4, TILE - 4))
        scale = small.width / frame.width
        draw = ImageDraw.Draw(small)
        for x0, y0, x1, y1 in (np.asarray(boxes, np.float64).reshape(-1, 4) * scale).tolist():
            draw.rectangle((x0, y0, x1, y1), outline=(220, 38, 38), width=3)
        left, top = number % across * TILE, number // across * (TILE + 20)
        whole.paste(small, (left + (TILE - small.width) // 2, top + (TILE - small.height) // 2))
        draw_text(ImageDraw.Draw(whole), (left + 4, top + TILE + 12), fitted(caption, 12, TILE - 8), 12, (0, 0, 0))
    data = BytesIO()
    whole.quantize(255).save(data, "PNG", optimize=True)
    return data.getvalue()
