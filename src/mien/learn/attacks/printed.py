"""Paper: inks on a sheet that is bent, and shines. Halftone press, inkjet, or a continuous-tone photo printer.

Inks multiply (each lets part of the light through to the paper and back), which is Neugebauer's model with the primaries
of a product and Demichel's shares. Screens are clustered dots at the usual angles; inkjets scatter droplets. A screen too
fine for the camera is weakened by lens and photosites and comes back as moiré, as it does in life.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from mien.learn.attacks import scene
from mien.learn.attacks.draws import Stream
from mien.learn.attacks.scene import Canvas, Seen, View
from mien.types import F32

PROCESSES = ("halftone", "inkjet", "photo")
ANGLES = {"cyan": 15.0, "magenta": 75.0, "yellow": 0.0, "black": 45.0}  # degrees, of the screens
INKS = {  # what a solid layer lets through of red, green, blue
    "cyan": (0.08, 0.45, 0.72),
    "magenta": (0.72, 0.10, 0.32),
    "yellow": (0.92, 0.80, 0.12),
    "black": (0.05, 0.05, 0.05),
}


def bend(view: View, stream: Stream) -> tuple[F32, F32, F32]:
    """Where the px of the view meet a bent sheet, (h, w) u and v, and how much light the bend turns to the camera, (h, w)."""
    depth, waves = stream.uniform("bend", 0.0, 0.02), stream.uniform("bend waves", 0.4, 1.6)
    axis, phase = stream.uniform("bend axis", 0.0, np.pi), stream.uniform("bend phase", 0.0, 2 * np.pi)
    if not stream.chance("bent", 0.7):
        depth = 0.0
    cosine, sine = np.float32(np.cos(axis)), np.float32(np.sin(axis))
    angle = 2 * np.pi * waves * (cosine * (view.u - 0.5) + sine * (view.v - 0.5)) + phase
    push = np.float32(depth) * np.sin(angle, dtype=np.float32)
    shade = 1 + np.float32(depth * waves * 8) * np.cos(angle, dtype=np.float32)
    return view.u + push * cosine, view.v + push * sine, shade.astype(np.float32)


def render(canvas: Canvas, shade: F32, stream: Stream) -> Seen:
    """The sheet with the photo (`canvas.light`) on it. shade: (h, w) from `bend`."""
    process = stream.choice("process", PROCESSES)
    inches = stream.spread("inches", 1.0, 10.0)  # width of the printed photo: a badge .. a poster
    amounts = _amounts(canvas.light, process, stream)
    if process == "halftone":
        amounts = _screened(canvas, amounts, inches, stream)
    elif process == "inkjet":
        amounts = _scattered(canvas, amounts, inches, stream)
    bare = _paper(canvas, stream)
    sheet = bare
    for ink, through in INKS.items():
        kept = 1 - np.asarray(through, np.float32)
        sheet = sheet * (1 - amounts[ink][..., None] * kept)
    shine = _gloss(canvas, process, stream)[..., None]
    return scene.framed(canvas, sheet * shade[..., None] + shine, bare * shade[..., None] + shine, stream)


def _amounts(light: F32, process: str, stream: Stream) -> dict[str, F32]:
    """(h, w) 0..1 of each ink: what reflects the light asked for, with grey replaced by black and the dots' gain."""
    wanted = 1 - np.clip(light, 0, 1)
    replaced = stream.uniform("grey replaced", 0.3, 0.9)
    black = replaced * wanted.min(-1)
    colours = (wanted - black[..., None]) / np.maximum(1 - black[..., None], 1e-3)
    gain = stream.uniform("dot gain", 0.0, 0.05 if process == "photo" else 0.15)  # of a half-covered area
    profile = stream.uniform("profile", 1.2, 1.7)  # how much the driver lightens, since impure inks darken
    thin = stream.uniform("ink", 0.8, 1.0)  # a tired cartridge
    stack = {name: colours[..., place] for place, name in enumerate(("cyan", "magenta", "yellow"))} | {"black": black}
    aimed = {name: np.power(np.clip(amount, 0, 1), np.float32(profile)) for name, amount in stack.items()}
    return {name: thin * (amount + 4 * gain * amount * (1 - amount)) for name, amount in aimed.items()}


def _screened(canvas: Canvas, amounts: dict[str, F32], inches: float, stream: Stream) -> dict[str, F32]:
    """Clustered dots: a threshold that repeats `lines` times per inch along each screen's angle."""
    lines = float(stream.choice("lines per inch", ("65", "85", "100", "133", "150")))
    offset = stream.uniform("screen offset", 0.0, 1.0)
    cycles = lines * inches
    left = canvas.view.contrast(cycles)
    if left < 0.003:
        return amounts
    found = {}
    for ink, amount in amounts.items():
        angle = np.deg2rad(ANGLES[ink])
        x, y = canvas.u * np.float32(cycles), canvas.v * np.float32(canvas.aspect * cycles)
        along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y + np.float32(offset)
        across = np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x
        height = np.cos(2 * np.pi * along, dtype=np.float32) + np.cos(2 * np.pi * across, dtype=np.float32)
        edge = max(0.03, 1.2 * cycles * canvas.view.step)  # of the dot, as a share of the threshold's range
        dots = np.clip((amount - scene.taken((height + 2) / 4, _ranks())) / np.float32(min(edge, 0.6)) + 0.5, 0, 1)
        found[ink] = amount + np.float32(left) * (dots - amount)
    return found


@cache
def _ranks() -> F32:
    """The share of a screen's cell that lies below each height of its dot function, so that dots cover what they should."""
    side = (np.arange(512) + 0.5) / 512 * 2 * np.pi
    heights = np.sort(((np.cos(side)[:, None] + np.cos(side)[None, :] + 2) / 4).ravel())
    return scene.table(np.searchsorted(heights, scene.steps()) / heights.size)


def _scattered(canvas: Canvas, amounts: dict[str, F32], inches: float, stream: Stream) -> dict[str, F32]:
    """Droplets: each cell of a fine grid has one or none, by a threshold without low frequencies; and a head that bands."""
    droplets = stream.spread("droplets per inch", 90.0, 360.0)
    banding, bands = stream.uniform("banding", 0.0, 0.06), stream.spread("bands per inch", 2.0, 12.0)
    cycles = droplets * inches
    left = canvas.view.contrast(cycles / 2)  # of a checkerboard, the coarsest pattern that means grey
    tile = _scatter(stream)
    column = np.floor(canvas.u * np.float32(cycles)).astype(np.intp)
    row = np.floor(canvas.v * np.float32(canvas.aspect * cycles)).astype(np.intp)
    wave = np.sin(2 * np.pi * bands * inches * canvas.aspect * canvas.v, dtype=np.float32)
    found = {}
    for place, (ink, amount) in enumerate(amounts.items()):
        aimed = np.clip(amount * (1 + np.float32(banding) * wave), 0, 1)
        if left >= 0.003:
            threshold = tile[(row + 17 * place) % len(tile), (column + 29 * place) % len(tile)]
            aimed = aimed + np.float32(left) * ((aimed > threshold) - aimed)
        found[ink] = aimed
    return found


def _scatter(stream: Stream, side: int = 128) -> F32:
    """(side, side) thresholds 0..1, equally many of each: noise without its low frequencies, ranked."""
    white = stream.noise(side, side)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    blue = np.fft.ifft2(np.fft.fft2(white) * np.minimum(1, (frequency / 0.35) ** 2)).real
    ranks = np.empty(side * side, np.float32)
    ranks[np.argsort(blue.ravel())] = (np.arange(side * side) + 0.5) / (side * side)
    return ranks.reshape(side, side)


def _paper(canvas: Canvas, stream: Stream) -> F32:
    """(h, w, 3) reflectance of the bare sheet: its tint, and fibres."""
    white, warm = stream.uniform("paper white", 0.75, 0.92), stream.uniform("paper warm", -0.03, 0.08)
    rough = stream.spread("paper rough", 0.003, 0.04)
    height, width = canvas.u.shape
    fibres = 0.7 * scene.smooth(stream, height, width, width / 6) + 0.5 * scene.smooth(
        stream, height, width, width / 24
    )
    tint = np.array([white, white * (1 - warm / 3), white * (1 - warm)], np.float32)
    sheet: F32 = (1 + np.float32(rough) * fibres)[..., None] * tint
    return sheet


def _gloss(canvas: Canvas, process: str, stream: Stream) -> F32:
    """(h, w) light that a shiny sheet mirrors: a veil, and a bright streak."""
    veil = stream.uniform("veil", 0.0, 0.03)
    streak = stream.uniform("streak", 0.0, 0.5) if stream.chance("glossy", 0.7 if process == "photo" else 0.25) else 0.0
    angle, place = stream.uniform("streak angle", 0, np.pi), stream.uniform("streak place", -0.4, 0.4)
    breadth = stream.uniform("streak breadth", 0.03, 0.15)
    distance = np.cos(angle) * (canvas.u - 0.5) + np.sin(angle) * (canvas.v - 0.5) - place
    shine: F32 = (veil + streak * np.exp(-0.5 * (distance / breadth) ** 2)).astype(np.float32)
    return shine
