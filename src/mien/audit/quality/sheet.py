"""The worst pictures on one sheet, each with its name and with what to do about it."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.audit.quality.looking import Looked
from mien.errors import MienError
from mien.judge import quality
from mien.report import Picture
from mien.types import U8, Face

SIDE = 220  # px of a picture on the sheet
ACROSS = 4
LINES = 9  # of words below a picture
_LINE = 13  # px
_WIDE = 38  # characters of a line
_NAME = 27  # and of a name


@dataclass(frozen=True, slots=True, eq=False)
class Poor:
    """One of the worst pictures."""

    name: str
    subject: str
    overall: float
    words: tuple[str, ...]
    crop: U8 | None  # (SIDE, SIDE, 3) the face and what is around it


def poorest(looked: Looked, count: int) -> tuple[Poor, ...]:
    """The pictures with a face whose `overall` is lowest, worst first; their faces are read again."""
    order = np.argsort(looked.captures.quality, kind="stable")
    there = [int(row) for row in order if np.isfinite(looked.captures.quality[row])][:count]
    return tuple(_poor(looked, row) for row in there)


def sheet(poor: Sequence[Poor]) -> Picture | None:
    """Their faces with names and words; None where there are none."""
    from PIL import Image, ImageDraw, ImageFont

    shown = [(one, one.crop) for one in poor if one.crop is not None]
    if not shown:
        return None
    across = min(ACROSS, len(shown))
    high = SIDE + (LINES + 2) * _LINE
    rows = -(-len(shown) // across)
    canvas = Image.new("RGB", (across * (SIDE + 10) + 10, rows * (high + 10) + 10), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for number, (one, crop) in enumerate(shown):
        corner = 10 + number % across * (SIDE + 10), 10 + number // across * (high + 10)
        canvas.paste(Image.fromarray(crop), corner)
        _written(draw, one, (corner[0], corner[1] + SIDE + 3), font)
    png = io.BytesIO()
    canvas.save(png, "PNG", optimize=True)
    note = "Lowest overall quality first. The table of the same name says all there is to do for each."
    return Picture("The worst pictures", png.getvalue(), note)


def _written(draw: Any, one: Poor, corner: tuple[int, int], font: Any) -> None:
    x, y = corner
    name = one.name if len(one.name) <= _NAME else "…" + one.name[1 - _NAME :]
    draw.text((x, y), f"{one.overall:.2f}  {name}", fill="black", font=font)
    lines = [line for words in one.words for line in textwrap.wrap(f"- {words}", _WIDE, subsequent_indent="  ")]
    lines = lines if len(lines) <= LINES else [*lines[: LINES - 1], "  …"]
    for number, line in enumerate(lines, 1):
        draw.text((x, y + number * _LINE), line, fill="#444444", font=font)


def _poor(looked: Looked, row: int) -> Poor:
    words, crop = looked.assessment(row).words, None
    try:
        face = looked.face(row)
        if face is not None:
            words, crop = (*quality.assess(face).reasons, *words), _crop(face)  # first what costs recognition
    except MienError:  # the file is gone since: its values are still known
        pass
    captures = looked.captures
    return Poor(captures.names[row], captures.subjects[row], float(captures.quality[row]), words, crop)


def _crop(face: Face) -> U8:
    """The face's box with 0.3 of its side around it, square; black outside of the picture."""
    import cv2

    x0, y0, x1, y1 = (float(value) for value in face.box)
    side = max(x1 - x0, y1 - y0, 2.0) * 1.6
    scale = SIDE / side
    move = np.array([[scale, 0, -((x0 + x1) / 2 - side / 2) * scale], [0, scale, -((y0 + y1) / 2 - side / 2) * scale]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(face.frame.pixels, move, (SIDE, SIDE), flags=flags), np.uint8)
