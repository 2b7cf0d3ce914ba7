"""Faces marked on their picture: boxes, points and names that stay legible from a thumbnail to a poster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mien.media.text import Colour, draw_text, fitted, text_width
from mien.types import Face, Frame, Verdict

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

COLOURS: dict[Verdict, Colour] = {"accept": (22, 163, 74), "reject": (220, 38, 38), "abstain": (245, 158, 11)}
PLAIN: Colour = (37, 130, 235)  # of a face about which nothing was decided
Rectangle = tuple[float, float, float, float]


def draw_faces(
    frame: Frame,
    faces: Sequence[Face],
    labels: Sequence[str] = (),
    colours: Sequence[Verdict | Colour] = (),
) -> Frame:
    """A new frame with a box, the five points and a name for every face.

    labels, colours: one per face, or none at all; a colour is a verdict (green, red, amber) or RGB. Faces that were
    re-homed are drawn where they were in their source frame."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(frame.pixels)
    draw = ImageDraw.Draw(picture)
    side = (frame.width * frame.height) ** 0.5
    line = max(1, round(side / 300))
    placed: list[Rectangle] = []
    # Names come last, so that no box crosses a name.
    for face, colour in zip(faces, _colours(colours, len(faces)), strict=True):
        _mark(draw, face, colour, line)
    for face, label, colour in zip(faces, labels, _colours(colours, len(labels)), strict=bool(labels)):
        # Large enough to read, no larger than the face bears: a crowd's names would hide the crowd.
        broad = float(face.source_box[2] - face.source_box[0])
        size = int(np.clip(broad / 5, max(11, side / 60), max(12, side / 28)))
        text = fitted(label, size, max(24.0, min(frame.width - size, max(broad, 16 * size))))
        if text:
            placed.append(_name(draw, text, size, colour, _place(face, text, size, frame, placed)))
    return replace(frame, pixels=np.array(picture))


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever reads better on `colour` (relative luminance, WCAG 2.2)."""
    red, green, blue = ((value / 255) ** 2.2 for value in colour)
    return (0, 0, 0) if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.3 else (255, 255, 255)


def _colours(colours: Sequence[Verdict | Colour], count: int) -> list[Colour]:
    if not colours:
        return [PLAIN] * count
    return [COLOURS[colour] if isinstance(colour, str) else colour for colour in colours]


def _mark(draw: ImageDraw, face: Face, colour: Colour, line: int) -> None:
    x0, y0, x1, y1 = (float(value) for value in face.source_box)
    # A dark seam outside the line keeps it visible on a background of its own colour.
    seam = max(1, line // 3)
    draw.rectangle((x0 - seam, y0 - seam, x1 + seam, y1 + seam), outline=(0, 0, 0), width=seam)
    draw.rectangle((x0, y0, x1, y1), outline=colour, width=line)
    left, top, scale = face.origin
    radius = max(1.0, min(1.2 * line, (x1 - x0) / 40))
    for x, y in face.points / scale + (left, top):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=(255, 255, 255))


def _place(face: Face, text: str, size: int, frame: Frame, placed: Sequence[Rectangle]) -> Rectangle:
    """Above the box, else below it, else inside its top: the first that lies in the picture and on no other name."""
    width, height = text_width(text, size) + 0.6 * size, 1.45 * size
    x0, y0, _, y1 = (float(value) for value in face.source_box)
    left = min(max(0.0, x0), max(0.0, frame.width - width))
    tops = [y0 - height, y1, y0, y0 - 2 * height, y1 + height]
    inside = [top for top in tops if 0 <= top <= frame.height - height] or [max(0.0, min(y0, frame.height - height))]
    places = [(left, top, left + width, top + height) for top in inside]
    return next((place for place in places if not any(overlap(place, other) for other in placed)), places[0])


def overlap(one: Rectangle, other: Rectangle) -> bool:
    """Whether two rectangles share any area."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _name(draw: ImageDraw, text: str, size: int, colour: Colour, place: Rectangle) -> Rectangle:
    draw.rectangle(place, fill=colour)
    draw_text(draw, (place[0] + 0.3 * size, place[3] - 0.4 * size), text, size, ink_on(colour))
    return place
