"""Light to the picture that a camera delivers. Bona fide presentations and attacks pass it alike.

Whatever only one of the two kinds had been through (a compression, a blur, a resampling) would be learnt instead of the
medium: so everything is here, and drawn from a stream that the kind does not touch.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np

from mien.learn.attacks.draws import Stream
from mien.learn.attacks.scene import OVER, View, steps, table, taken
from mien.types import F32, U8

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709, of linear light


def capture(light: F32, view: View, stream: Stream) -> U8:
    """(h, w, 3) linear light on the sensor to (h / OVER, w / OVER, 3) RGB: lens, sensor, colours, tone, sharpening, JPEG."""
    light = _lens(light, view, stream)
    raw = _sensor(_exposed(light, stream), stream)
    colours = _balanced(_developed(raw), stream)
    signal = _toned(colours, stream)
    return _delivered(signal, stream)


def _lens(light: F32, view: View, stream: Stream) -> F32:
    """Blur of the lens and of the focus, movement of the hand, stray light, and edges darker than the middle."""
    import cv2

    focus = stream.uniform("defocus", 0.0, 1.6)
    blurred = cv2.GaussianBlur(light, (0, 0), max(0.2, float(np.hypot(view.lens, focus))))
    length = stream.uniform("shake", 0.0, 5.0)
    angle = stream.uniform("shake angle", 0.0, np.pi)
    if length >= 1:
        blurred = cv2.filter2D(blurred, -1, _line(length, angle), borderType=cv2.BORDER_REPLICATE)
    height, width = light.shape[:2]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    slope = stream.uniform("shade", 0.0, 0.25)
    towards = stream.uniform("shade angle", 0.0, 2 * np.pi)
    flare = stream.spread("flare", 0.002, 0.06)  # light that strays within the lens, and greys the blacks
    blurred = blurred + np.float32(flare) * blurred.mean((0, 1))
    edges = 1 - stream.uniform("vignette", 0.0, 0.2) * (x * x + y * y) / 2
    shade = edges * (1 + slope * (np.cos(towards) * x + np.sin(towards) * y))
    found: F32 = blurred * shade[..., None].astype(np.float32)
    return found


def _line(length: float, angle: float) -> F32:
    """A line of this length as a kernel."""
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for place in np.linspace(-length / 2, length / 2, 4 * half + 1):
        row, column = round(half + place * np.sin(angle)), round(half + place * np.cos(angle))
        kernel[row, column] += 1
    line: F32 = kernel / kernel.sum()
    return line


def _exposed(light: F32, stream: Stream) -> F32:
    """Automatic exposure: mean luminance at a level that the metering chose."""
    level = stream.spread("exposure", 0.14, 0.30)
    mean = max(1e-4, float(np.mean(light @ _LUMA)))
    exposed: F32 = light * np.float32(level / mean)
    return exposed


def _sensor(light: F32, stream: Stream) -> F32:
    """(h, w) through a Bayer filter (red, green / green, blue), with shot noise and reading noise."""
    raw = np.empty(light.shape[:2], np.float32)
    raw[0::2, 0::2] = light[0::2, 0::2, 0]
    raw[0::2, 1::2], raw[1::2, 0::2] = light[0::2, 1::2, 1], light[1::2, 0::2, 1]
    raw[1::2, 1::2] = light[1::2, 1::2, 2]
    raw = np.clip(raw, 0, 1)
    shot, read = stream.spread("shot noise", 0.005, 0.05), stream.spread("read noise", 0.001, 0.01)
    height, width = light.shape[:2]
    noisy = raw + np.sqrt(shot**2 * raw + read**2) * stream.noise(height, width)
    found: F32 = np.clip(noisy, 0, 1)
    return found


def _developed(raw: F32) -> F32:
    """(h, w, 3) from the mosaic by interpolation."""
    import cv2

    bits = (raw * 65535 + 0.5).astype(np.uint16)
    found: F32 = cv2.cvtColor(bits, cv2.COLOR_BayerRGGB2RGB).astype(np.float32) / 65535
    return found


def _balanced(light: F32, stream: Stream) -> F32:
    """White balance: towards a grey mean, as far as the camera dares, and a little beside."""
    trust = stream.uniform("balance", 0.5, 1.0)
    means = np.maximum(light.mean((0, 1)), 1e-4)
    gains = (means[1] / means) ** trust
    warmth, tint = stream.uniform("warmth", -0.06, 0.06), stream.uniform("tint", -0.03, 0.03)
    gains = gains * np.array([1 + warmth, 1 + tint, 1 - warmth])
    found: F32 = light * gains.astype(np.float32)
    return found


def _toned(light: F32, stream: Stream) -> F32:
    """Down to the delivered size, then the tone curve: sRGB with more or less contrast around the middle."""
    import cv2

    height, width = light.shape[:2]
    small = cv2.resize(light, (width // OVER, height // OVER), interpolation=cv2.INTER_AREA)
    value = steps()
    curve = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    contrast = stream.uniform("contrast", -0.3, 0.5)
    curve = curve + contrast * curve * (1 - curve) * (2 * curve - 1)
    return taken(small, table(curve))


def _delivered(signal: F32, stream: Stream) -> U8:
    """Sharpened and compressed."""
    import cv2

    amount = stream.uniform("sharpening", 0.0, 0.8)
    sharp = signal + amount * (signal - cv2.GaussianBlur(signal, (0, 0), 1.0))
    return compressed((np.clip(sharp, 0, 1) * 255 + 0.5).astype(np.uint8), stream.whole("jpeg", 60, 96))


def compressed(pixels: U8, quality: int) -> U8:
    """What is left of (h, w, 3) RGB after JPEG at this quality."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
