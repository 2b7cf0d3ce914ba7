"""What spoils a finished picture, always in this order:

occluder, weather, blur (of the optics), noise (of the sensor), rounding to 8 bits, JPEG

An occluder is a flat thing in front of the face, drawn where the landmarks are; mask and depth know of it. Weather and noise
are drawn from the scene's seed.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.errors import InputError
from mien.learn.synth.state import PARTS, Rendered, Scene
from mien.types import F32, U8

OCCLUDERS = ("", "mask", "sunglasses", "hand", "left", "right")
WEATHER = ("", "rain", "fog", "snow")
_BEFORE = 1.0  # cm that an occluder is before the nearest part of the face behind it


def spoil(colour: F32, clean: Rendered, scene: Scene) -> Rendered:
    """`colour` (H, W, 3) 0..255 as floats is the clean picture; `clean.pixels` is not read. Raises InputError."""
    if scene.occluder not in OCCLUDERS or scene.weather not in WEATHER:
        raise InputError(
            f"The face engine knows no occluder '{scene.occluder}' or no weather '{scene.weather}'.",
            f"Occluders: {', '.join(OCCLUDERS[1:])}; weather: {', '.join(WEATHER[1:])}.",
        )
    rng = np.random.default_rng([scene.seed, 3])
    mask, depth = clean.mask, clean.depth
    if scene.occluder:
        colour, mask, depth = _occlude(colour, clean, scene)
    if scene.weather:
        colour = _weather(colour, depth, scene, rng)
    if scene.blur > 0:
        colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), scene.blur), np.float32)
    if scene.noise > 0:
        colour = colour + rng.normal(0, scene.noise, colour.shape).astype(np.float32)
    pixels = np.clip(np.rint(colour), 0, 255).astype(np.uint8)
    if scene.jpeg > 0:
        pixels = _jpeg(pixels, scene.jpeg)
    return Rendered(pixels, clean.points, clean.landmarks, clean.box, mask, depth)


def _jpeg(pixels: U8, quality: int) -> U8:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def _occlude(colour: F32, clean: Rendered, scene: Scene) -> tuple[F32, U8, F32]:
    cover = np.zeros(clean.mask.shape, np.uint8)
    for outline in _outlines(clean.landmarks, clean.box, scene.occluder):
        cv2.fillPoly(cover, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    share = cover.astype(np.float32)[..., None] / 255
    paint = {"mask": (150, 190, 205), "sunglasses": (18, 18, 22), "hand": (178, 128, 100)}.get(
        scene.occluder, (24, 24, 26)
    )
    shading = 1.0 + 0.06 * np.sin(np.arange(len(cover)) / max(2.0, len(cover) / 40))[:, None, None]
    lit = np.asarray(paint, np.float32) * min(1.1, scene.ambient + 0.8 * scene.key) * shading
    hidden = cover > 127
    near = clean.depth[hidden].min() if hidden.any() else np.inf
    mask = np.where(hidden, np.uint8(PARTS.index("occluder")), clean.mask)
    depth = np.where(hidden, np.float32(near - _BEFORE), clean.depth).astype(np.float32)
    return (colour * (1 - share) + lit * share).astype(np.float32), mask, depth


def _outlines(marks: F32, box: F32, kind: str) -> list[F32]:
    """Polygons in px."""
    if kind == "mask":
        return [np.concatenate([marks[1:16], marks[28:29]])]
    if kind == "sunglasses":
        return [_glass(marks[36:42], marks), _glass(marks[42:48], marks), _bar(marks[39], marks[42], 0.12)]
    if kind == "hand":
        return _fingers(marks)
    middle = np.concatenate([(marks[19:20] + marks[24:25]) / 2 * 1.6 - 0.6 * marks[8:9], marks[27:28], marks[8:9]])
    middle[2] += (marks[8] - marks[27]) * 0.2
    away = (marks[45] - marks[36]) * (1.6 if kind == "left" else -1.6)
    return [np.concatenate([middle, (middle + away)[::-1]])]


def _glass(eye: F32, marks: F32) -> F32:
    across = marks[45] - marks[36]
    wide, down = across * 0.27, np.array([-across[1], across[0]], np.float32) * 0.19
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.6, np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.6
    return np.asarray(eye.mean(0) + ring[0][:, None] * wide + ring[1][:, None] * down, np.float32)


def _bar(first: F32, last: F32, width: float) -> F32:
    along = last - first
    side = np.array([-along[1], along[0]], np.float32) * width
    return np.stack([first - side, last - side, last + side, first + side])


def _fingers(marks: F32) -> list[F32]:
    """Four fingers over the mouth from the subject's right."""
    across = marks[45] - marks[36]
    down = np.array([-across[1], across[0]], np.float32)
    start = marks[48] - across * 0.9 - down * 0.12
    return [
        _rounded(
            start + down * 0.17 * i, start + down * 0.17 * i + across * (1.35 + 0.1 * np.sin(i + 1.0)), 0.085 * across
        )
        for i in range(4)
    ]


def _rounded(first: F32, last: F32, radius: F32) -> F32:
    size = float(np.hypot(*radius))
    heading = float(np.arctan2(*(last - first)[::-1]))
    turn = np.concatenate(
        [heading + np.linspace(-np.pi / 2, np.pi / 2, 9), heading + np.linspace(np.pi / 2, 1.5 * np.pi, 9)]
    )
    centres = np.concatenate([np.tile(last, (9, 1)), np.tile(first, (9, 1))])
    return np.asarray(centres + size * np.stack([np.cos(turn), np.sin(turn)], 1), np.float32)


def _weather(colour: F32, depth: F32, scene: Scene, rng: np.random.Generator) -> F32:
    strength = float(np.clip(scene.weather_strength, 0, 1))
    if scene.weather == "fog":
        veil = np.where(np.isfinite(depth), 0.65, 1.0).astype(np.float32)[..., None] * strength
        return np.asarray(colour * (1 - veil) + 205 * veil, np.float32)
    size = len(colour)
    count = int(strength * (60 if scene.weather == "rain" else 90) * max(1.0, size / 128) ** 1.2)
    layer = np.zeros((size, size), np.float32)
    for x, y, near in zip(*rng.uniform(0, size, (2, count)), rng.uniform(0.4, 1, count), strict=True):
        if scene.weather == "rain":
            length = near * size * 0.09
            end = (int((x + 0.18 * length) * 16), int((y + length) * 16))
            cv2.line(layer, (int(x * 16), int(y * 16)), end, 0.55 * near, 1, cv2.LINE_AA, 4)
        else:
            cv2.circle(layer, (int(x * 16), int(y * 16)), int(16 * near * size * 0.009 + 4), near, -1, cv2.LINE_AA, 4)
    if scene.weather == "snow":
        layer = cv2.GaussianBlur(layer, (0, 0), 0.6 * size / 128)
    veil = np.clip(layer, 0, 1)[..., None]
    dull = colour * (1 - 0.25 * strength) + 150 * 0.25 * strength
    return np.asarray(dull * (1 - veil) + (215 if scene.weather == "rain" else 250) * veil, np.float32)
