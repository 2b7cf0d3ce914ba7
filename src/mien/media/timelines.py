"""A video at a glance: who was seen when, one row per person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import UsageError
from mien.media.draw import COLOURS
from mien.media.text import Colour, draw_text, fitted, text_width
from mien.types import U8, Frame, Verdict

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

PAPER: Colour = (255, 255, 255)
INK: Colour = (24, 24, 27)
PALE_INK: Colour = (113, 113, 122)
GRID: Colour = (228, 228, 231)
LANE: Colour = (244, 244, 245)
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)  # s
WIDTH, _ROW, PAD, THUMB, LANES, HEAD, AXIS = 1600, 96, 28, 76, 440, 76, 56  # px


@dataclass(frozen=True, slots=True, eq=False)
class TimelineRow:
    """One person of a timeline."""

    label: str
    spans: Sequence[tuple[float, float]]  # s from the start of the source
    verdict: Verdict = "abstain"
    thumbnail: U8 | None = None  # (h, w, 3) RGB of any size: the best shot
    note: str = ""  # a second, smaller line; left empty it says for how long the person was seen


def timeline(rows: Sequence[TimelineRow], duration: float, title: str = "") -> Frame:
    """A picture 1600 px wide: thumbnail, name and bars per person over an axis of time, in the colour of the verdict.

    duration: s of the whole source. Raises UsageError when it is not positive."""
    from PIL import Image, ImageDraw

    if not duration > 0 or not np.isfinite(duration):
        raise UsageError(f"A timeline of {duration} s cannot be drawn.", "Give the duration of the video in seconds.")
    height = HEAD + _ROW * max(1, len(rows)) + AXIS
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    _header(draw, title or "Who was seen when")
    axis(draw, duration, height)
    if not rows:
        draw_text(draw, (PAD, HEAD + _ROW * 0.6), "Nobody was seen.", 24, PALE_INK)
    for number, row in enumerate(rows):
        _row(picture, draw, row, duration, HEAD + number * _ROW)
    return Frame(np.array(picture), source=title)


def _header(draw: ImageDraw, title: str) -> None:
    legend: list[tuple[str, Verdict]] = [
        ("recognised", "accept"),
        ("somebody else", "reject"),
        ("cannot tell", "abstain"),
    ]
    x = float(WIDTH - PAD)
    for words, verdict in reversed(legend):
        x -= text_width(words, 18)
        draw_text(draw, (x, 46), words, 18, PALE_INK)
        draw.rounded_rectangle((x - 26, 32, x - 10, 48), 4, fill=COLOURS[verdict])
        x -= 56
    draw_text(draw, (PAD, 48), fitted(title, 28, x - 2 * PAD), 28, INK)


def axis(draw: ImageDraw, duration: float, height: int) -> None:
    """Grid lines and their times, at most a dozen, at round steps."""
    step = next((step for step in _STEPS if duration / step <= 12), duration / 10)
    bottom = height - AXIS
    for number in range(int(duration / step + 1e-9) + 1):
        x = place(number * step, duration)
        draw.line((x, HEAD, x, bottom + 8), fill=GRID, width=2)
        words = clock(number * step, step)
        left = min(x - text_width(words, 18) / 2, WIDTH - PAD / 2 - text_width(words, 18))
        draw_text(draw, (left, bottom + 32), words, 18, PALE_INK)


def _row(picture: Image, draw: ImageDraw, row: TimelineRow, duration: float, top: int) -> None:
    middle = top + _ROW // 2
    draw.line((PAD, top, WIDTH - PAD, top), fill=GRID, width=1)
    if row.thumbnail is not None:
        thumbnail(picture, row.thumbnail, (PAD, middle - THUMB // 2))
    else:
        draw.rounded_rectangle((PAD, middle - THUMB // 2, PAD + THUMB, middle + THUMB // 2), 12, fill=LANE)
    left, room = PAD + THUMB + 18, LANES - PAD - THUMB - 42
    seconds = sum(max(0.0, end - start) for start, end in row.spans)
    times = "once" if len(row.spans) == 1 else f"{len(row.spans)} times"
    note = row.note or (f"{times}, {seconds:.1f} s in all" if row.spans else "not seen")
    draw_text(draw, (left, middle - 4), fitted(row.label, 24, room), 24, INK)
    draw_text(draw, (left, middle + 24), fitted(note, 17, room), 17, PALE_INK)
    draw.rounded_rectangle((LANES, middle - 16, WIDTH - PAD, middle + 16), 8, fill=LANE)
    for start, end in row.spans:
        x0, x1 = place(start, duration), place(end, duration)
        # A glimpse is still seen: no bar is narrower than 6 px.
        x0, x1 = (x0, x1) if x1 - x0 >= 6 else (min(x0, WIDTH - PAD - 6), min(x0, WIDTH - PAD - 6) + 6)
        draw.rounded_rectangle((x0, middle - 16, x1, middle + 16), min(8, (x1 - x0) / 2), fill=COLOURS[row.verdict])


def thumbnail(picture: Image, pixels: U8, corner: tuple[int, int]) -> None:
    """The middle square of a shot, with round corners."""
    from PIL import Image, ImageDraw, ImageOps

    shot = ImageOps.fit(Image.fromarray(pixels), (THUMB, THUMB), Image.Resampling.LANCZOS)
    corners = Image.new("L", (4 * THUMB, 4 * THUMB), 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, 4 * THUMB - 1, 4 * THUMB - 1), 48, fill=255)
    picture.paste(shot, corner, corners.resize((THUMB, THUMB), Image.Resampling.LANCZOS))


def place(seconds: float, duration: float) -> float:
    """px from the left at which a time lies."""
    return LANES + (WIDTH - PAD - LANES) * min(max(seconds / duration, 0.0), 1.0)


def clock(seconds: float, step: float = 1.0) -> str:
    """0:07, 12:30, 1:02:03; with tenths where steps are shorter than a second."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f".{rest % 10}" if step < 1 else ""
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{start}:{rest // 10:02d}{tail}"
