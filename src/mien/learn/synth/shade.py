"""Light on the surface: what colour each sample has. One key light with soft shadow, and light from all around.

Diffuse light wraps round edges more in red than in blue, as it does in skin; the highlight is Blinn's; how much light reaches
hollows is known of the model. A design for plausible pictures, not a simulation of skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.learn.synth import geometry
from mien.learn.synth.appearance import LEVELS, Looks, encoded
from mien.learn.synth.maps import SIDE, Maps
from mien.learn.synth.model import BACK, BAG, EYE_LEFT, EYE_RIGHT, FACE, GUMS, I32, SOCKET, TEETH, FaceModel
from mien.learn.synth.state import PARTS, Scene, State
from mien.learn.synth.surface import CLOTHES, HAIR, NORMAL, OPEN, Samples, length
from mien.types import F32, U8

# Colour change of the blood volume pulse as a camera sees it in R, G, B, here over green's: (0.33, 0.77, 0.53) of de Haan and
# van Leest, "Improved motion robustness of remote-PPG by using the blood volume pulse signature", Physiol. Meas. 35(9), 2014.
PULSE = np.array([0.33, 0.77, 0.53], np.float32) / np.float32(0.77)
_WRAP = np.array([0.28, 0.14, 0.10], np.float32)
_IRIS, _PUPIL = 0.47, 0.17  # radians from the eye's axis: an iris of 11.7 mm and a pupil of 4 mm on a ball of 25 mm
_PART = {FACE: "skin", BACK: "skin", SOCKET: "skin", GUMS: "mouth", BAG: "mouth", TEETH: "teeth",
         EYE_LEFT: "eye", EYE_RIGHT: "eye"}  # fmt: skip
_OF = np.array([PARTS.index(_PART[kind]) for kind in range(8)], np.uint8)
_MOUTH = np.array([0.16, 0.035, 0.035], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """A person under a light, ready to be shaded."""

    model: FaceModel
    maps: Maps
    looks: Looks
    state: State
    scene: Scene
    share: float  # px of the picture per texel of the face's texture


def parts(samples: Samples, lit: Lit) -> U8:
    """(n,) part of PARTS."""
    part = _OF[samples.material]
    part[(part == PARTS.index("skin")) & (_hair(samples, lit) > 0.5)] = PARTS.index("hair")
    part[samples.fields[:, CLOTHES] > 0.5] = PARTS.index("clothes")
    if lit.state.teeth <= 0:
        part[part == PARTS.index("teeth")] = PARTS.index("mouth")
    return part


def shade(samples: Samples, shadow: F32, lit: Lit) -> F32:
    """(n, 3) colour 0..255 as floats. `shadow` (n,) is 1 where the key light comes through."""
    scene, normals = lit.scene, samples.fields[:, NORMAL]
    light = key_direction(scene)
    albedo, gloss, power = _albedo(samples, lit)
    key = np.array([1 + 0.25 * scene.warmth, 1, 1 - 0.35 * scene.warmth], np.float32) * np.float32(scene.key)
    sky = np.array([1 + 0.06 * scene.warmth, 1, 1 - 0.08 * scene.warmth], np.float32) * np.float32(scene.ambient)
    facing = normals @ light
    direct = np.maximum(facing[:, None] / (1 + _WRAP) + _WRAP / (1 + _WRAP), 0)
    direct *= 0.6 * _WRAP + (1 - 0.6 * _WRAP) * shadow[:, None]
    around = samples.fields[:, OPEN] * (0.75 + 0.25 * normals[:, 1])
    half = light - samples.rays / length(samples.rays)
    half /= length(half)
    towards = np.clip(np.einsum("nc,nc->n", normals, half), 0, 1)
    shine = gloss * towards**power * shadow * (facing > 0)
    hollow = np.clip(around * 1.6, 0.15, 1)[:, None]
    direct *= key * hollow
    direct += sky * (1.15 * around[:, None])
    colour = encoded(albedo * direct + key * shine[:, None])
    beat = np.float32(scene.pulse_depth * lit.state.pulse)
    return colour * (1 - beat * PULSE * _skin_share(samples, lit)[:, None]) if beat else colour


def key_direction(scene: Scene) -> F32:
    """(3,) unit vector towards the key light."""
    return geometry.rotation(scene.light[0], scene.light[1], 0.0)[:, 2]


def _hair(samples: Samples, lit: Lit) -> F32:
    return np.clip(samples.fields[:, HAIR], 0, 1) * np.float32(lit.looks.cover)


def _skin_share(samples: Samples, lit: Lit) -> F32:
    bare = np.isin(samples.material, (FACE, BACK, SOCKET)).astype(np.float32)
    return bare * (1 - _hair(samples, lit)) * (1 - np.clip(samples.fields[:, CLOTHES], 0, 1))


def _albedo(samples: Samples, lit: Lit) -> tuple[F32, F32, F32]:
    """(n, 3) linear colour, (n,) strength and (n,) exponent of the highlight."""
    looks, material = lit.looks, samples.material
    albedo = np.tile(looks.skin, (len(material), 1))
    gloss, power = np.full(len(material), 0.04, np.float32), np.full(len(material), 14.0, np.float32)
    rows = np.flatnonzero(material == FACE).astype(np.int32)
    texel = _face(rows, samples, lit)
    albedo[rows], gloss[rows] = texel[:, :3], 0.10 * texel[:, 3]
    rows = np.flatnonzero((material == GUMS) | (material == BAG)).astype(np.int32)
    albedo[rows], gloss[rows], power[rows] = _MOUTH * 1.4, 0.1, 40
    rows = np.flatnonzero(material == TEETH).astype(np.int32)
    shown = np.float32(np.clip(lit.state.teeth, 0, 1))
    albedo[rows], gloss[rows], power[rows] = _MOUTH * 0.5 * (1 - shown) + looks.teeth * shown, 0.3 * shown, 50
    rows = np.flatnonzero((material == EYE_LEFT) | (material == EYE_RIGHT)).astype(np.int32)
    albedo[rows], gloss[rows], power[rows] = _eyes(rows, samples, lit), 1.2, 180
    _cover(samples, lit, albedo, gloss)
    return albedo, gloss, power


def _face(rows: I32, samples: Samples, lit: Lit) -> F32:
    """(n, 4) the skin's texture at samples of the face."""
    uv = np.einsum("nkc,nk->nc", lit.model.uv[samples.triangle[rows]], samples.weights[rows])
    level = int(np.clip(round(np.log2(max(1.0, 0.7 / max(lit.share, 1e-3)))), 0, LEVELS - 1))
    side = SIDE >> level
    x, y = uv[:, 0] * side - 0.5, (1 - uv[:, 1]) * side - 0.5
    return _lookup(lit.looks.texture[level], x, y)


def _lookup(texture: F32, x: F32, y: F32) -> F32:
    """(n, channels) bilinear, at texels (x, y)."""
    count, wide = len(x), 256  # OpenCV takes no side of 32,768 or more
    at = np.zeros((2, -(-count // wide) * wide), np.float32)
    at[0, :count], at[1, :count] = x, y
    across, down = at.reshape(2, -1, wide)
    if not count:
        return np.zeros((0, *texture.shape[2:]), np.float32).reshape(0, texture.shape[2] if texture.ndim == 3 else 1)
    found = cv2.remap(texture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(across.size, -1)[:count], np.float32)


def _eyes(rows: I32, samples: Samples, lit: Lit) -> F32:
    """(n, 3) sclera, iris with fibres and a dark rim, pupil."""
    at = samples.of(lit.maps.eye, rows)
    off = np.arctan2(np.hypot(at[:, 0], at[:, 1]), at[:, 2])
    turn = ((np.arctan2(at[:, 1], at[:, 0]) / (2 * np.pi) + 0.5) * 255).astype(int)
    looks = lit.looks
    rim = np.clip((off - 0.8 * _IRIS) / (0.2 * _IRIS), 0, 1)
    iris = looks.iris * (looks.fibres[turn] * (1 - 0.65 * rim))[:, None]
    soft = 0.04
    inside = np.clip((_IRIS - off) / soft + 0.5, 0, 1)[:, None]
    pupil = np.clip((_PUPIL - off) / soft + 0.5, 0, 1)[:, None]
    red = 1 - np.clip(off - 0.75, 0, 1)[:, None] * np.array([0.15, 0.55, 0.55], np.float32)
    made = looks.sclera * red * (1 - inside) + iris * inside
    return np.asarray(made * (1 - pupil) + 0.004 * pupil, np.float32)


def _cover(samples: Samples, lit: Lit, albedo: F32, gloss: F32) -> None:
    """Hair and clothes over what is there."""
    bare = np.isin(samples.material, (FACE, BACK))
    hair = _hair(samples, lit) * bare
    rows = np.flatnonzero(hair > 0).astype(np.int32)
    x, y, z = samples.of(lit.model.neutral, rows).T
    turn = (np.arctan2(x, z + 1.5) / (2 * np.pi) + 0.5) * 255
    along = np.clip((y + 8) / 24, 0, 1) * 63
    streak = _lookup(lit.looks.streaks, along, turn)
    share = hair[rows][:, None]
    albedo[rows] = albedo[rows] * (1 - share) + lit.looks.hair * streak * share
    gloss[rows] *= 1 - 0.5 * hair[rows]
    worn = np.clip(samples.fields[:, CLOTHES, None], 0, 1)
    albedo += (lit.looks.clothes - albedo) * worn
    gloss *= 1 - worn[:, 0]
