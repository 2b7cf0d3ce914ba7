"""What was read off faces, drawn: bars beside each face of a picture, and bands of a video over an axis of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import UsageError
from mien.media.draw import COLOURS, PLAIN, Rectangle, draw_faces, overlap
from mien.media.text import Colour, draw_text, fitted, text_width
from mien.media.timelines import AXIS, GRID, HEAD, INK, LANE, LANES, PAD, PALE_INK, PAPER, THUMB, WIDTH, axis, thumbnail
from mien.media.timelines import place as across
from mien.types import U8, Face, Frame

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

# Told apart by people with any kind of colour vision: after Okabe and Ito, Color universal design, 2008. In an order that
# gives the seven usual classes of expressions, sorted by name, colours that go with them.
PALETTE: tuple[Colour, ...] = (
    *((213, 94, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66)),
    *((86, 180, 233), (0, 114, 178), (230, 159, 0)),
)
_ROW, _BAND = 96, 60  # px of a video's row and of its band
_BARS = 7  # at most beside one face
_UNSURE = COLOURS["abstain"]  # beside faces; on bands it would pass for a label
_NOTHING: Colour = (161, 161, 170)


@dataclass(frozen=True, slots=True)
class Panel:
    """What is drawn about one face."""

    title: str
    bars: Mapping[str, float]  # label -> length 0..1, the most telling first
    sure: bool = True  # False: nothing could be read, and the bars, if any, are only what was seen


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """One person of a video."""

    label: str
    note: str
    spans: Sequence[tuple[float, float]]  # s from the start of the source
    shares: Sequence[Mapping[str, float]]  # one per span: label -> part of the height 0..1; empty: nothing was read
    thumbnail: U8 | None = None  # (h, w, 3) RGB of any size


def draw_panels(frame: Frame, faces: Sequence[Face], panels: Sequence[Panel]) -> Frame:
    """A new frame: every face with its title, and bars beside it where there is room. Faces without are amber."""
    from PIL import Image, ImageDraw

    colours = [PLAIN if panel.sure else _UNSURE for panel in panels]
    marked = draw_faces(frame, faces, [panel.title for panel in panels], colours)
    picture = Image.fromarray(marked.pixels)
    draw = ImageDraw.Draw(picture)
    taken = [_outline(face, frame) for face in faces]
    for face, panel, colour in zip(faces, panels, colours, strict=True):
        size = _type_size(face, frame)
        height = float(face.source_box[3] - face.source_box[1])
        count = min(len(panel.bars), _BARS, int(height / (1.3 * size)))
        if count < 2:
            continue  # a face so small shows its title only
        bars = dict(list(panel.bars.items())[:count])
        broad = max(text_width(label, size) for label in bars) + 6.2 * size
        spot = _free(face, (broad, (1.3 * count + 0.6) * size), size, frame, taken)
        if spot is not None:
            taken.append(spot)
            _bars(picture, draw, bars, spot, size, colour)
    return replace(marked, pixels=np.array(picture))


def bands(rows: Sequence[Band], labels: Sequence[str], duration: float, title: str = "") -> Frame:
    """A picture 1600 px wide: thumbnail, name and stacked shares per person over an axis of time, a colour per label.

    Where nothing could be read the band is hatched, where nobody was seen it is empty.
    duration: s of the whole source. Raises UsageError when it is not positive."""
    from PIL import Image, ImageDraw

    if not duration > 0 or not np.isfinite(duration):
        raise UsageError(f"A timeline of {duration} s cannot be drawn.", "Give the duration of the video in seconds.")
    colours = {label: PALETTE[number % len(PALETTE)] for number, label in enumerate(labels)}
    height = HEAD + _ROW * max(1, len(rows)) + AXIS
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    _legend(draw, title, colours)
    axis(draw, duration, height)
    if not rows:
        draw_text(draw, (PAD, HEAD + _ROW * 0.6), "Nobody was seen.", 24, PALE_INK)
    for number, row in enumerate(rows):
        _band(picture, draw, row, colours, duration, HEAD + number * _ROW)
    return Frame(np.array(picture), source=title)


def _outline(face: Face, frame: Frame) -> Rectangle:
    """The box and the name above it."""
    x0, y0, x1, y1 = (float(value) for value in face.source_box)
    return (x0, y0 - 1.6 * _type_size(face, frame), x1, y1)


def _type_size(face: Face, frame: Frame) -> int:
    """px of the letters: large enough to read, no larger than the face bears."""
    side = (frame.width * frame.height) ** 0.5
    broad = float(face.source_box[2] - face.source_box[0])
    return int(np.clip(broad / 8, max(10, side / 80), max(11, side / 40)))


def _free(
    face: Face, shape: tuple[float, float], size: int, frame: Frame, taken: Sequence[Rectangle]
) -> Rectangle | None:
    """A place of that width and height beside, under or above the face that hides no face and no other panel."""
    (width, height), gap = shape, 0.4 * size
    x0, y0, x1, y1 = (float(value) for value in face.source_box)
    middle = float(np.clip((x0 + x1 - width) / 2, 0, max(0.0, frame.width - width)))
    top = float(np.clip(y0, 0, max(0.0, frame.height - height)))
    corners = [(x1 + gap, top), (x0 - gap - width, top), (middle, y1 + gap), (middle, y0 - 2 * size - gap - height)]
    for left, upper in corners:
        spot = (left, upper, left + width, upper + height)
        inside = left >= 0 and upper >= 0 and spot[2] <= frame.width and spot[3] <= frame.height
        if inside and not any(overlap(spot, other) for other in taken):
            return spot
    return None


def _bars(
    picture: Image, draw: ImageDraw, bars: Mapping[str, float], spot: Rectangle, size: int, colour: Colour
) -> None:
    """White paper that the picture shines through, and a bar per label."""
    from PIL import Image

    x0, y0, x1, y1 = (round(value) for value in spot)
    under = picture.crop((x0, y0, x1, y1))
    picture.paste(Image.blend(under, Image.new("RGB", under.size, PAPER), 0.85), (x0, y0))
    words = max(text_width(label, size) for label in bars)
    left, room = spot[0] + 0.7 * size + words, 5.0 * size
    for number, (label, share) in enumerate(bars.items()):
        base = spot[1] + (1.3 * number + 1.25) * size
        draw_text(draw, (spot[0] + 0.3 * size, base), label, size, INK)
        draw.rectangle((left, base - 0.75 * size, left + room, base), fill=GRID)
        if share > 0:
            draw.rectangle((left, base - 0.75 * size, left + max(1.0, room * min(share, 1.0)), base), fill=colour)


def _legend(draw: ImageDraw, title: str, colours: Mapping[str, Colour]) -> None:
    """The title, and the labels with their colours from the right; long lists shrink until they fit."""
    entries: list[tuple[str, Colour | None]] = [*colours.items(), ("not read", None)]
    size = next(
        (size for size in (18, 15, 12) if sum(text_width(word, size) + 50 for word, _ in entries) < 0.75 * WIDTH), 10
    )
    x = float(WIDTH - PAD)
    for word, colour in reversed(entries):
        x -= text_width(word, size)
        draw_text(draw, (x, 46), word, size, PALE_INK)
        if colour is None:
            _hatched(draw, (x - 22, 33, x - 8, 47))
        else:
            draw.rounded_rectangle((x - 22, 33, x - 8, 47), 4, fill=colour)
        x -= 42
    draw_text(draw, (PAD, 48), fitted(title or "What was read when", 28, max(60.0, x - 2 * PAD)), 28, INK)


def _band(picture: Image, draw: ImageDraw, row: Band, colours: Mapping[str, Colour], duration: float, top: int) -> None:
    middle = top + _ROW // 2
    draw.line((PAD, top, WIDTH - PAD, top), fill=GRID, width=1)
    if row.thumbnail is not None:
        thumbnail(picture, row.thumbnail, (PAD, middle - THUMB // 2))
    left, room = PAD + THUMB + 18, LANES - PAD - THUMB - 42
    draw_text(draw, (left, middle - 4), fitted(row.label, 24, room), 24, INK)
    draw_text(draw, (left, middle + 24), fitted(row.note, 17, room), 17, PALE_INK)
    low, high = middle + _BAND // 2, middle - _BAND // 2
    draw.rectangle((LANES, high, WIDTH - PAD, low), fill=LANE)
    for (start, end), shares in zip(row.spans, row.shares, strict=True):
        x0, x1 = across(start, duration), across(end, duration)
        x1 = min(max(x1, x0 + 2), WIDTH - PAD)  # a glimpse is still seen
        if not shares:
            _hatched(draw, (x0, high, x1, low))
        y = float(low)
        for label in colours:
            part = _BAND * min(max(shares.get(label, 0.0), 0.0), 1.0)
            if part >= 0.5:
                draw.rectangle((x0, max(high, y - part), x1, y), fill=colours[label])
                y -= part


def _hatched(draw: ImageDraw, spot: Rectangle) -> None:
    """Grey stripes: seen and not read."""
    x0, y0, x1, y1 = spot
    for y in np.arange(y0, y1, 6.0):
        draw.rectangle((x0, y, x1, min(y + 2, y1)), fill=_NOTHING)
