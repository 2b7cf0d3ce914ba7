"""Where things are: the view of a camera onto a flat picture, and the light that reaches its sensor.

A bona fide presentation is the source photo seen through a view. An attack is the same photo seen through the same view,
but on a medium. Light is linear, 0..1, RGB, (h, w, 3); the sensor has `OVER` times the side of the delivered picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.learn.attacks.draws import Stream
from mien.types import F32, U8

OVER = 4  # px of the sensor per px of the delivered picture, in each direction
_STEPS = 4096  # of the tables between light and signal


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Which point of the source photo each px of the sensor looks at."""

    u: F32  # (h, w) share of the photo's width, 0 left .. 1 right
    v: F32  # (h, w) share of the photo's height, 0 top .. 1 bottom
    lens: float  # sd of the lens's blur, px of the sensor

    @property
    def step(self) -> float:
        """How far a px of the sensor reaches, as a share of the photo's width; mean over the view."""
        return float(np.mean(np.hypot(np.diff(self.u, axis=1), np.diff(self.v, axis=1))))

    def contrast(self, cycles: float) -> float:
        """What lens and photosites leave of a pattern of so many cycles per width of the photo, 0..1.

        Patterns too fine for the sensor are not removed by it: they are weakened and come back as moiré."""
        frequency = cycles * self.step  # cycles per px of the sensor
        lens = np.exp(-2 * (np.pi * self.lens * frequency) ** 2)
        return float(lens * abs(np.sinc(frequency)))


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """What a medium works on."""

    view: View
    light: F32  # (h, w, 3) of the photo where the sensor sees it
    u: F32  # (h, w) as in `view`, after the medium was bent
    v: F32
    aspect: float  # height of the photo over its width


def look(stream: Stream, height: int, width: int) -> View:
    """A view that always stays within the photo: nearer than it was taken, moved, turned and tilted a little."""
    import cv2

    half = 0.5 / stream.uniform("zoom", 1.12, 1.3)
    turn = np.deg2rad(stream.uniform("turn", -5, 5))
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = np.array([stream.uniform(f"move {axis}", -0.04, 0.04) for axis in "xy"])
    tilt = np.array([[stream.uniform(f"tilt {place}{axis}", -0.025, 0.025) for axis in "xy"] for place in range(4)])
    target = np.clip(0.5 + corners @ rotation.T + moved + tilt, 0, 1).astype(np.float32)
    sensor = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) * OVER
    matrix = cv2.getPerspectiveTransform(sensor, target)
    y, x = np.mgrid[: height * OVER, : width * OVER].astype(np.float32) + 0.5
    scale = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    u = (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / scale
    v = (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / scale
    lens = stream.uniform("lens", 0.2, 0.7)
    return View(u.astype(np.float32), v.astype(np.float32), lens)


def photo(source: U8, u: F32, v: F32) -> F32:
    """Linear light of the photo (H, W, 3) at the places (h, w), each a share of its width and height."""
    import cv2

    height, width = source.shape[:2]
    x, y = u * width - 0.5, v * height - 0.5
    seen = cv2.remap(source, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    found: F32 = _to_light()[seen]
    return found


def shrunk(source: U8, view: View) -> U8:
    """The photo with no more px than the sensor can tell apart, so that reading it off does not alias."""
    import cv2

    share = 1 / (view.step * source.shape[1])  # px of the sensor per px of the photo
    if share >= 0.8:
        return source
    size = (max(2, round(source.shape[1] * share)), max(2, round(source.shape[0] * share)))
    small: U8 = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
    return small


def signal(light: F32) -> F32:
    """Linear light 0..1 to the sRGB signal 0..1 (IEC 61966-2-1); what is outside is clipped."""
    return taken(light, _to_signal())


def taken(values: F32, table: F32) -> F32:
    """A function of 0..1 given as a table of `_STEPS` entries; faster than powers of every px."""
    found: F32 = table[(np.clip(values, 0, 1) * (_STEPS - 1) + 0.5).astype(np.intp)]
    return found


def table(values: NDArray[Any]) -> F32:
    """(_STEPS,) for `taken`, from a function of `steps()`."""
    return np.asarray(values, np.float32)


def steps() -> NDArray[np.float64]:
    """(_STEPS,) 0..1."""
    return np.linspace(0, 1, _STEPS)


@cache
def _to_light() -> F32:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


@cache
def _to_signal() -> F32:
    light = steps()
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def smooth(stream: Stream, height: int, width: int, cells: float) -> F32:
    """(height, width) of smooth noise, mean 0 and sd about 1, with about so many bumps across the width."""
    import cv2

    rows, columns = max(3, round(cells * height / width)) + 1, max(3, round(cells)) + 1
    coarse = stream.noise(rows, columns)
    grown: F32 = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return grown


def background(stream: Stream, height: int, width: int) -> F32:
    """(h, w, 3) of what is behind a medium that does not fill the view: soft shapes in a room."""
    level, warm = stream.spread("room", 0.08, 0.6), stream.uniform("room warm", -0.25, 0.25)
    tint = np.float32(level) * np.array([1 + warm, 1, 1 - warm], np.float32)
    shapes = 1 + 0.5 * smooth(stream, height, width, 4) + 0.1 * smooth(stream, height, width, 24)
    lit: F32 = np.clip(shapes[..., None] * tint, 0.01, 1)
    return lit


def covered(canvas: Canvas, sides: tuple[float, float, float, float]) -> F32:
    """(h, w) 0..1: how much of each px lies between the sides (left, top, right, bottom) of a rectangle of the photo."""
    left, top, right, bottom = sides
    step = max(canvas.view.step, 1e-6)
    across = np.minimum(canvas.u - left, right - canvas.u) / step
    down = np.minimum(canvas.v - top, bottom - canvas.v) / step * canvas.aspect
    inside: F32 = np.clip(np.minimum(across, down) + 0.5, 0, 1)
    return inside


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a medium sends to the sensor."""

    light: F32  # (h, w, 3)
    picture: F32  # (h, w) 0..1, how much of each px is the picture that the medium shows
    frame: F32  # (h, w) 0..1, how much is its frame: a bezel, a margin


def framed(canvas: Canvas, light: F32, frame: F32, stream: Stream) -> Seen:
    """A medium's picture, which now and then ends within the view: then its frame follows, and the room behind it.

    light, frame: (h, w, 3) of the picture and of the frame, wherever they are seen."""
    ends = stream.chance("edge seen", 0.3)
    sides = [stream.uniform(f"edge {side}", 0.1, 0.22) for side in ("left", "top", "right", "bottom")]
    wide = stream.uniform("frame width", 0.01, 0.1)
    room = background(stream, *canvas.u.shape)
    if not ends:
        whole = np.ones(canvas.u.shape, np.float32)
        return Seen(light, whole, 1 - whole)
    left, top, right, bottom = sides
    inside = covered(canvas, (left, top, 1 - right, 1 - bottom))
    medium = covered(canvas, (left - wide, top - wide, 1 - right + wide, 1 - bottom + wide))
    border = medium - inside
    seen = light * inside[..., None] + frame * border[..., None] + room * (1 - medium)[..., None]
    return Seen(seen, inside, border)


def cell_integral(position: F32, share: float, offset: float) -> F32:
    """Integral from 0 to each position of stripes one cell apart: 1 over `share` of each cell from `offset` on, 0 elsewhere.

    Differences of it are the exact coverage of a px, however wide the px is."""
    whole = np.floor(position - offset)
    part = position - offset - whole
    total: F32 = whole * share + np.minimum(part, share)
    return total
