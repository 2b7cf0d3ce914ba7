"""How a person looks: skin as a texture, hair, eyes, clothes; all drawn from the person's seed, melanin and iris.

    looks_of(person, maps) -> Looks

Nothing here is measured on people. Skin runs along five colours from the lightest to the darkest (`_SKIN`, by eye); redness,
freckles, stubble, brows and lips lie over it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.learn.synth.maps import SIDE, Maps
from mien.learn.synth.state import Person
from mien.types import F32

_SKIN = ((243, 206, 188), (226, 178, 148), (192, 138, 104), (134, 88, 62), (78, 51, 40))  # sRGB at melanin 0, 1/4 .. 1
_HAIR = ((20, 16, 14), (44, 29, 21), (86, 57, 36), (160, 118, 70), (130, 62, 32), (150, 148, 146))  # black .. grey
_STYLES = (
    ("bald", 0.0),
    ("shaved", 0.12),
    ("short", 0.6),
    ("full", 1.3),
    ("high", 2.0),
)  # name, cm that hair stands off
_CLOTHES = ((38, 42, 58), (120, 122, 126), (190, 188, 182), (96, 40, 44), (44, 74, 60), (30, 30, 32), (70, 92, 130))
LEVELS = 4  # of the texture's pyramid


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Linear RGB throughout."""

    texture: tuple[F32, ...]  # pyramid of (s, s, 4): RGB and gloss of the face's skin, halved from level to level
    skin: F32  # (3,) where there is no texture: neck, ears' back
    hair: F32  # (3,)
    thickness: float  # cm that the hair stands off
    cover: float  # 0..1 how much of the scalp's skin the hair hides
    clothes: F32  # (3,)
    iris: F32  # (3,)
    sclera: F32  # (3,)
    teeth: F32  # (3,)
    fibres: F32  # (256,) of the iris, by angle; mean 1
    streaks: F32  # (256, 64) of the hair; mean 1


def linear(colour: tuple[int, int, int] | F32) -> F32:
    """sRGB 0..255 to linear 0..1."""
    value = np.asarray(colour, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(colour: F32) -> F32:
    """Linear 0..1 to sRGB 0..255, clipped; from a table, good to 0.04."""
    return _ENCODED[(np.sqrt(np.clip(colour, 0, 1)) * np.float32(len(_ENCODED) - 1) + np.float32(0.5)).astype(np.int32)]


def _table() -> F32:
    """Of sRGB 0..255 at squares of evenly spaced numbers, where it is nearly straight."""
    value = np.linspace(0, 1, 1 << 13) ** 2
    return (255 * np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)).astype(np.float32)


_ENCODED = _table()


def skin_colour(melanin: float) -> F32:
    """(3,) linear RGB."""
    known = np.stack([linear(one) for one in _SKIN])
    return np.array([np.interp(melanin * 4, range(5), known[:, axis]) for axis in range(3)], np.float32)


def looks_of(person: Person, maps: Maps) -> Looks:
    """The looks of a person; equal persons look equal."""
    rng = np.random.default_rng([person.seed, 1])
    skin = skin_colour(person.melanin) * rng.normal(1, 0.025, 3).astype(np.float32)
    hair = _hair_colour(person.melanin, rng)
    style = int(rng.choice(len(_STYLES), p=(0.08, 0.12, 0.3, 0.32, 0.18)))
    clothes = linear(_CLOTHES[rng.integers(len(_CLOTHES))]) * rng.uniform(0.6, 1.2)
    return Looks(
        texture=_pyramid(_texture(person, maps, skin, hair)),
        skin=skin,
        hair=hair,
        thickness=_STYLES[style][1] * float(rng.uniform(0.8, 1.2)),
        cover=(0.05, 0.7, 1.0, 1.0, 1.0)[style],
        clothes=np.asarray(clothes, np.float32),
        iris=np.asarray(person.iris, np.float32),
        sclera=linear((232, 226, 220)) * np.float32(rng.uniform(0.85, 1.0)),
        teeth=linear((236, 228, 206)) * np.float32(rng.uniform(0.85, 1.0)),
        fibres=_fibres(rng),
        streaks=_streaks(rng),
    )


def _hair_colour(melanin: float, rng: np.random.Generator) -> F32:
    light = max(0.0, 1 - 2.2 * melanin)
    shares = np.array([0.25 + melanin, 0.35, 0.3 * light + 0.05, 0.25 * light, 0.08 * light, 0.1])
    pick = rng.choice(len(_HAIR), p=shares / shares.sum())
    return np.asarray(linear(_HAIR[pick]) * rng.uniform(0.8, 1.2), np.float32)


def _texture(person: Person, maps: Maps, skin: F32, hair: F32) -> F32:
    """(SIDE, SIDE, 4)."""
    rng = np.random.default_rng([person.seed, 2])
    edge = np.clip((maps.place[..., 2] - 1.0) / 3.0, 0, 1)  # nothing varies where the face's mesh meets the neck's
    blotch = edge * (0.05 * _noise(rng, 8) + 0.04 * _noise(rng, 24) + 0.05 * _noise(rng, 160) + 0.03 * _noise(rng, 512))
    made = skin * (1 + blotch[..., None] * np.array([0.6, 1.0, 1.1], np.float32))
    red = np.array([1.06, 0.74, 0.74], np.float32) ** (1.2 - 0.7 * person.melanin)
    blush = np.float32(rng.uniform(0.2, 0.8)) * np.clip(maps.cheeks * (1 + 0.3 * _noise(rng, 40)), 0, 1)
    made = _mixed(made, made * red, blush)
    made = _mixed(made, made * np.array([0.78, 0.68, 0.68], np.float32), np.float32(rng.uniform(0.2, 0.8)) * maps.lids)
    if rng.random() < max(0.0, 0.35 - 0.6 * person.melanin):
        spots = np.clip(_noise(rng, 110) - 1.3, 0, 1) * np.clip(maps.cheeks * 1.6, 0, 1)
        made = _mixed(made, made * np.array([0.72, 0.55, 0.45], np.float32), spots)
    made = _mixed(made, np.broadcast_to(np.minimum(hair, skin * 0.5) * 0.8 + 0.01, made.shape), _stubble(maps, rng))
    lip = skin * np.array([0.92, 0.52, 0.55], np.float32) * rng.uniform(0.75, 1.05) + np.array([0.03, 0, 0.005])
    made = _mixed(made, (lip * (1 + 0.08 * _noise(rng, 128))[..., None]).astype(np.float32), 0.85 * maps.lips)
    brow = np.clip(maps.brows * rng.uniform(0.55, 1.05) * (1 + 0.3 * _noise(rng, 380, 90)), 0, 0.92)
    made = _mixed(made, np.broadcast_to(np.minimum(hair, skin * 0.4) * 0.6, made.shape), brow)
    made = _mixed(
        made, np.broadcast_to(np.float32(0.008), made.shape), np.float32(rng.uniform(0.7, 0.95)) * maps.lashes
    )
    gloss = 0.5 + 0.35 * maps.cheeks + 0.6 * maps.lips + 0.1 * _noise(rng, 60) - 0.3 * maps.brows
    return np.concatenate([np.clip(made, 0.002, 1), np.clip(gloss, 0, 2)[..., None]], 2).astype(np.float32)


def _stubble(maps: Maps, rng: np.random.Generator) -> F32:
    """Nothing for most; for some a shade, for a few a beard."""
    amount = float(rng.choice([0.0, rng.uniform(0.05, 0.25), rng.uniform(0.6, 0.95)], p=(0.6, 0.25, 0.15)))
    bare = 1 - np.clip(1.3 * maps.lips, 0, 1)
    return np.asarray(np.clip(amount * maps.beard * bare * (1 + 0.2 * _noise(rng, 380, 120)), 0, 0.9), np.float32)


def _mixed(below: F32, above: F32, share: F32) -> F32:
    return np.asarray(below + (above - below) * share[..., None].astype(np.float32), np.float32)


def _noise(rng: np.random.Generator, cells: int, rows: int = 0) -> F32:
    """(SIDE, SIDE) smooth, of mean 0 and standard deviation about 1; `cells` bumps across and `rows` (or as many) down."""
    grid = rng.normal(size=(rows or cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) * 1.25, np.float32)


def _pyramid(texture: F32) -> tuple[F32, ...]:
    levels = [texture]
    while len(levels) < LEVELS:
        levels.append(np.asarray(cv2.pyrDown(levels[-1]), np.float32))
    return tuple(np.ascontiguousarray(level) for level in levels)


def _fibres(rng: np.random.Generator) -> F32:
    waves = rng.normal(size=256)
    smooth = np.real(np.fft.ifft(np.fft.fft(waves) * np.exp(-((np.fft.fftfreq(256) * 256 / 40) ** 2))))
    return np.asarray(1 + 0.25 * smooth / smooth.std(), np.float32)


def _streaks(rng: np.random.Generator) -> F32:
    """Long along the second axis."""
    grid = rng.normal(size=(128, 6)).astype(np.float32)
    made = cv2.resize(grid, (64, 256), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(1 + 0.35 * made, 0.25, 2), np.float32)
