"""A face drawn by formula, and what the default models must make of it: a check that needs no picture and no network.

Nobody's face: ellipses with soft edges. It is a face to the detector all the same, so it shows that the networks
compute here what they computed where the reference was taken.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from mien.types import F32, U8

if TYPE_CHECKING:
    from mien.engine import Engine

SIDE = 160  # px
EYES = np.array([[0.40, 0.46], [0.60, 0.46]])  # subject's right and left, as shares of the side
NEAR = 0.04  # share of the side by which a found eye may be off
ALIKE = 0.999  # least cosine to the reference; other processors differ by far less
# The drawn face's template by the default models, as int8 of 127 times the vector over its largest value.
REFERENCE = (
    "0SEZ3tYg090ixj8GuQcALtTj5NkJHhf5uYXa4wsO8QTLDBMj7vQ9A8ACB1Y/ByXnFaQ3LxwZHtoCM+IRKQH051hH"
    "y7gn0+gYxsWkF39JvfHkDy8W5vr7Elvo31IQAgch4fDXABr3Bj65Udz7DgjT8j+4MUYDMjQbBgvA3Br0Cgs="
)

_Ellipse = tuple[float, float, float, float, float, tuple[int, int, int]]  # centre x, y; radius x, y; opacity; colour
_SKULL: tuple[_Ellipse, ...] = (
    (0.50, 0.44, 0.31, 0.38, 1.0, (60, 45, 35)),  # hair
    (0.50, 0.98, 0.16, 0.25, 1.0, (180, 130, 105)),  # neck
    (0.50, 0.52, 0.25, 0.34, 1.0, (205, 155, 130)),  # head
    (0.44, 0.44, 0.16, 0.22, 0.25, (240, 205, 185)),  # light from one side
)
_FEATURES: tuple[_Ellipse, ...] = (
    (0.515, 0.56, 0.025, 0.09, 0.35, (235, 190, 165)),  # bridge of the nose
    (0.50, 0.63, 0.05, 0.02, 0.6, (130, 85, 75)),  # its base
    (0.50, 0.715, 0.09, 0.024, 1.0, (165, 75, 75)),  # lips
    (0.50, 0.715, 0.085, 0.005, 1.0, (90, 40, 40)),  # between them
)
_EYE: tuple[_Ellipse, ...] = (
    (0.0, 0.455, 0.075, 0.045, 0.5, (120, 80, 70)),  # socket
    (0.0, 0.46, 0.05, 0.022, 1.0, (240, 235, 230)),  # white
    (0.0, 0.46, 0.021, 0.022, 1.0, (45, 30, 25)),  # iris
    (0.0, 0.405, 0.07, 0.016, 1.0, (60, 40, 30)),  # brow
)


def drawn_face(side: int = SIDE) -> U8:
    """(side, side, 3) RGB."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    picture = np.full((side, side, 3), (120.0, 135.0, 150.0))
    eyes = [(centre, *rest) for centre in EYES[:, 0] for _, *rest in _EYE]
    for centre_x, centre_y, radius_x, radius_y, opacity, colour in (*_SKULL, *eyes, *_FEATURES):
        distance = ((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2
        cover = opacity / (1 + np.exp(np.minimum(12 * (distance - 1), 60)))
        picture += cover[..., None] * (np.array(colour) - picture)
    pixels: U8 = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return pixels


def faults(engine: Engine) -> list[str]:
    """What the engine gets wrong on the drawn face, in words; nothing when all is well."""
    faces = list(engine.detect(drawn_face()))
    if len(faces) != 1:
        return [f"the detector finds {len(faces)} faces in the drawn one"]
    found = []
    if np.abs(faces[0].points[:2] / SIDE - EYES).max() > NEAR:
        found.append("the detector misplaces the eyes")
    alike = float(engine.template(drawn_face()).vector @ reference())
    if alike < ALIKE:
        found.append(f"the embedder's answer is off: {alike:.4f} alike with the reference, {ALIKE} wanted")
    return found


def reference() -> F32:
    """(D,) the template that the default models must give, unit length."""
    vector = np.frombuffer(base64.b64decode(REFERENCE), np.int8).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def packed(vector: F32) -> str:
    """A template as REFERENCE keeps it."""
    return base64.b64encode(np.rint(vector * (127 / np.abs(vector).max())).astype(np.int8).tobytes()).decode()
