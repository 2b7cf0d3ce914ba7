"""A display: its px in stripes or in diamonds, black that is not black, colours, a refresh that shows, glass, a bezel.

The px of the display are counted per width of the photo, those of the sensor likewise. Where the two do not fit, the grid
comes back as moiré at |display - k sensor| cycles per width; nothing here draws moiré, it follows from the sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.learn.attacks import scene
from mien.learn.attacks.camera import compressed
from mien.learn.attacks.draws import Stream
from mien.learn.attacks.scene import Canvas, Seen
from mien.types import F32, U8


@dataclass(frozen=True, slots=True)
class Device:
    """What devices of a kind have in common: ranges to draw from."""

    pixels: tuple[float, float]  # of the display per width of the photo
    black: tuple[float, float]  # light of a black px, as a share of a white one
    blue: tuple[float, float]  # how much blue is raised and red lowered
    layout: str  # "stripes" red, green, blue side by side; "diamonds" with half as many red and blue ones


DEVICES = {
    "phone": Device((120, 700), (0.0, 0.01), (0.0, 0.15), "diamonds"),
    "tablet": Device((120, 700), (0.002, 0.02), (0.0, 0.15), "stripes"),
    "monitor": Device((80, 450), (0.004, 0.04), (-0.05, 0.25), "stripes"),
}


def prepare(source: U8, stream: Stream) -> U8:
    """The photo as it is on the device: a video that was compressed before."""
    quality = stream.whole("codec quality", 25, 92)
    return compressed(source, quality)


def render(canvas: Canvas, stream: Stream) -> Seen:
    """The display with the photo (`canvas.light`) on it."""
    device = DEVICES[stream.choice("device", tuple(DEVICES))]
    lit = _shown(canvas.light, device, stream)
    lit = lit * _grid(canvas, device, stream) * _refresh(canvas, stream)[..., None]
    mirrored = _glass(canvas, stream)
    bezel = np.float32(stream.spread("bezel light", 0.004, 0.06)) * np.ones(3, np.float32)
    return scene.framed(canvas, lit + mirrored, bezel + 0.5 * mirrored, stream)


def _shown(light: F32, device: Device, stream: Stream) -> F32:
    """Signal to light by the display's own curve, black and colours; dimmer and paler from the side."""
    gamma, black = stream.uniform("gamma", 1.8, 2.7), stream.uniform("black", *device.black)
    blue = stream.uniform("blue", *device.blue)
    pale = stream.uniform("pale", 0.0, 0.3)  # primaries less pure than sRGB's
    value = scene.steps()
    curve = scene.table(black + (1 - black) * value**gamma)
    shown = scene.taken(scene.signal(light), curve)
    mean = shown.mean(-1, keepdims=True)
    shown = shown + np.float32(pale) * (mean - shown)
    tint = np.array([1 - blue, 1 - blue / 3, 1 + blue / 2], np.float32)
    tinted: F32 = shown * tint
    return tinted


def _grid(canvas: Canvas, device: Device, stream: Stream) -> F32:
    """(h, w, 3), mean about 1: which colours of the display's px each px of the sensor sees."""
    pixels = stream.spread("pixels", *device.pixels)
    lit = stream.uniform("aperture", 0.55, 0.9)  # share of a px's height that shines
    pitch = max(1e-6, pixels * canvas.view.step)  # px of the display per px of the sensor
    x = canvas.u * np.float32(pixels)
    y = canvas.v * np.float32(pixels * canvas.aspect)
    left = canvas.view.contrast(pixels)
    rows = _seen(y, pitch, lit, 0.0)
    weak = np.float32(
        left / max(abs(np.sinc(pixels * canvas.view.step)), 0.05)
    )  # the lens alone: `_seen` has the photosites
    weak = min(weak, np.float32(1))
    channels = []
    for place, offset in enumerate((0.0, 1 / 3, 2 / 3)):
        if device.layout == "diamonds" and place != 1:
            twice = np.float32(0.5)
            half = _seen(x * twice + np.float32(0.25 * place), pitch / 2, 0.5, 0.0)
            grid = (half + _seen((x + y) * twice, pitch / 2, 0.5, 0.25)) * twice
        else:
            grid = _seen(x, pitch, 1 / 3 * 0.9, offset)
        channels.append(1 + weak * (grid * rows - 1))
    found: F32 = np.stack(channels, -1).astype(np.float32)
    return np.clip(found, 0, None)


def _seen(position: F32, pitch: float, share: float, offset: float) -> F32:
    """(h, w), mean 1: stripes that take `share` of each cell, as photosites `pitch` cells wide see them."""
    half = np.float32(pitch / 2)
    upper = scene.cell_integral(position + half, share, offset)
    seen: F32 = (upper - scene.cell_integral(position - half, share, offset)) / np.float32(pitch * share)
    return seen


def _refresh(canvas: Canvas, stream: Stream) -> F32:
    """(h, w) bands of a backlight that flickers while the shutter rolls down the sensor."""
    seen = stream.chance("bands seen", 0.4)
    depth, bands = stream.uniform("bands depth", 0.02, 0.25), stream.uniform("bands", 1.0, 8.0)
    phase, duty = stream.uniform("bands phase", 0.0, 2 * np.pi), stream.uniform("bands duty", 1.0, 4.0)
    rows = np.linspace(0, 1, len(canvas.u), dtype=np.float32)
    wave = ((1 + np.cos(2 * np.pi * bands * rows + phase)) / 2) ** duty
    line = 1 - (depth if seen else 0.0) * wave
    found: F32 = np.repeat(line[:, None], canvas.u.shape[1], axis=1).astype(np.float32)
    return found


def _glass(canvas: Canvas, stream: Stream) -> F32:
    """(h, w, 3) what the glass mirrors: the room, and perhaps a window or a lamp."""
    height, width = canvas.u.shape
    veil = stream.spread("reflection", 0.003, 0.08)
    room = np.clip(1 + 0.6 * scene.smooth(stream, height, width, 3), 0, 3) * np.float32(veil)
    bright = stream.uniform("window", 0.02, 0.35) if stream.chance("window seen", 0.35) else 0.0
    x, y = stream.uniform("window x", 0.1, 0.9), stream.uniform("window y", 0.1, 0.9)
    wide, tall = stream.uniform("window width", 0.06, 0.25), stream.uniform("window height", 0.08, 0.35)
    soft = stream.uniform("window soft", 0.01, 0.05)
    inside = [
        1 / (1 + np.exp(-np.clip((extent / 2 - np.abs(where - middle)) / soft, -30, 30)))
        for where, middle, extent in ((canvas.u, x, wide), (canvas.v, y, tall))
    ]
    warm = stream.uniform("light warm", -0.15, 0.2)
    tint = np.array([1 + warm, 1, 1 - warm], np.float32)
    mirrored: F32 = (room + np.float32(bright) * inside[0] * inside[1])[..., None].astype(np.float32) * tint
    return mirrored
