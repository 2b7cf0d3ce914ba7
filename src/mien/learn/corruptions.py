"""Pictures spoilt in known ways and strengths, to ask a model what a shift costs (after Hendrycks and Dietterich 2019).

Every corruption takes (n, h, w) floats of 0..255 and a severity 1 to 3, and draws from the generator it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Corruption = Callable[[F32, int, np.random.Generator], F32]


def noise(x: F32, severity: int, random: np.random.Generator) -> F32:
    """Gaussian sensor noise."""
    return x + random.normal(0, (12, 24, 40)[severity - 1], x.shape).astype(np.float32)


def impulse(x: F32, severity: int, random: np.random.Generator) -> F32:
    """Dead and stuck pixels."""
    hit = random.random(x.shape) < (0.03, 0.08, 0.15)[severity - 1]
    return np.where(hit, random.choice(np.array([0.0, 255.0], np.float32), x.shape), x)


def speckle(x: F32, severity: int, random: np.random.Generator) -> F32:
    """Noise that grows with the light."""
    grain = 1 + random.normal(0, (0.12, 0.25, 0.4)[severity - 1], x.shape)
    return (x * grain).astype(np.float32)


def blur(x: F32, severity: int, random: np.random.Generator) -> F32:
    """Out of focus."""
    import cv2

    sd = (1.0, 1.7, 2.5)[severity - 1]
    return np.stack([cv2.GaussianBlur(one, (0, 0), sd) for one in x]).astype(np.float32)


def motion(x: F32, severity: int, random: np.random.Generator) -> F32:
    """Moved while the shutter was open, each picture in its own direction."""
    import cv2

    length = (5, 9, 13)[severity - 1]
    found = []
    for one in x:
        angle = random.uniform(0, 180)
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1
        turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), angle, 1)
        kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
        found.append(cv2.filter2D(one, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))
    return np.stack(found).astype(np.float32)


def contrast(x: F32, severity: int, random: np.random.Generator) -> F32:
    """Washed out, and a little noise so that nothing is merely scaled."""
    middle = x.mean((1, 2), keepdims=True)
    flat = (x - middle) * (0.35, 0.2, 0.1)[severity - 1] + middle
    return np.asarray(flat + random.normal(0, 3, x.shape), np.float32)


def shade(x: F32, severity: int, random: np.random.Generator) -> F32:
    """One side of the face in the dark."""
    depth = (0.5, 0.7, 0.85)[severity - 1]
    ramp = 1 - depth / (1 + np.exp(-(np.linspace(-1, 1, x.shape[2]) * 6)))
    side = random.random(len(x)) < 0.5
    return (x * np.where(side[:, None, None], ramp, ramp[::-1])).astype(np.float32)


def pixels(x: F32, severity: int, random: np.random.Generator) -> F32:
    """Taken from afar and enlarged."""
    import cv2

    size = (24, 16, 12)[severity - 1]
    small = [cv2.resize(one, (size, size), interpolation=cv2.INTER_AREA) for one in x]
    return np.stack([cv2.resize(one, x.shape[:0:-1], interpolation=cv2.INTER_LINEAR) for one in small]).astype(
        np.float32
    )


def cover(x: F32, severity: int, random: np.random.Generator) -> F32:
    """A grey block over a part of the face."""
    side = int(x.shape[1] * (0.25, 0.35, 0.45)[severity - 1])
    found = x.copy()
    for one in found:
        top, left = random.integers(0, x.shape[1] - side, 2)
        one[top : top + side, left : left + side] = 110
    return found


CORRUPTIONS: Mapping[str, Corruption] = {
    one.__name__: one for one in (noise, impulse, speckle, blur, motion, contrast, shade, pixels, cover)
}


def corrupted(x: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """(n, h, w) uint8 pictures with one corruption, clipped as a camera clips. Severity 1 to 3."""
    import zlib

    random = np.random.default_rng([seed, severity, zlib.crc32(name.encode())])
    found = CORRUPTIONS[name](x.astype(np.float32), severity, random)
    return np.clip(np.rint(found), 0, 255).astype(np.uint8)
