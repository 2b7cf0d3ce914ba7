"""Where everything is: the posed head, the camera, and the truth that follows from them.

Pixels: the centre of the top left pixel is (0, 0), x to the right, y down. Camera frame: x right (the subject's left), y up, z
towards the camera, cm, origin at the head's pivot; the camera stands on the z axis and looks down it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mien.learn.synth.model import I32, FaceModel
from mien.learn.synth.state import Scene
from mien.types import F32

_PIVOT = 3.0  # cm: the head turns about an axis this far in front of the ears' line
POINTS = ((36, 42), (42, 48), (30, 31), (48, 49), (54, 55))  # landmarks whose mean is each of the five points


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole that keeps the size of a person's face constant whatever the focal length."""

    size: int
    focal: float  # px
    distance: float  # cm from the pivot
    centre: tuple[float, float]  # px where the pivot falls

    def project(self, points: F32) -> F32:
        """(n, 3) cm -> (n, 2) px."""
        scale = self.focal / (self.distance - points[:, 2])
        u = self.centre[0] + points[:, 0] * scale
        v = self.centre[1] - points[:, 1] * scale
        return np.stack([u, v], 1).astype(np.float32)

    def rays(self, pixels: F32) -> F32:
        """(n, 2) px -> (n, 3) directions whose z is -1, so that the way along them is the depth in cm."""
        x = (pixels[:, 0] - self.centre[0]) / self.focal
        y = (self.centre[1] - pixels[:, 1]) / self.focal
        return np.stack([x, y, np.full(len(x), -1.0)], 1).astype(np.float32)


def camera(scene: Scene, height: float, front: float) -> Camera:
    """The camera of a scene for a face `height` cm high whose front is `front` cm before the pivot."""
    focal = scene.focal * scene.size
    middle = (scene.size - 1) / 2
    return Camera(
        size=scene.size,
        focal=focal,
        distance=scene.focal * height / scene.fill + front,
        centre=(middle + scene.centre[0], middle + scene.centre[1]),
    )


def rotation(yaw: float, pitch: float, roll: float) -> F32:
    """(3, 3) of a head: first rolled, then pitched, then turned; see `State.pose` for the signs."""
    (sy, cy), (sp, cp), (sr, cr) = ((math.sin(a), math.cos(a)) for a in (yaw, pitch, roll))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return np.asarray(turn @ nod @ tilt, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What of a person's face at rest the camera and the truth are measured from."""

    pivot: F32  # (3,) cm
    height: float  # cm from chin to hairline
    front: float  # cm of the face's front before the pivot
    hairline: I32  # vertices at the top of the forehead


def frame_of(model: FaceModel, rest: F32, hairline: I32) -> Frame:
    """Measured on the face at rest, so that an opened mouth does not move the camera."""
    chin, top = rest[model.landmarks[8]], rest[hairline].mean(0)
    pivot = np.array([0.0, (chin[1] + top[1]) / 2, _PIVOT], np.float32)
    front = float(rest[model.landmarks[27:36], 2].mean()) - _PIVOT
    return Frame(pivot, float(top[1] - chin[1]), front, hairline)


def turn_eyes(vertices: F32, eyes: tuple[I32, I32], gaze: tuple[float, float]) -> None:
    """Turn both eyeballs (vertices of the left, of the right) in place, each about its own centre."""
    turn = rotation(gaze[0], gaze[1], 0.0)
    for own in eyes:
        points = vertices[own]
        centre = (points.min(0) + points.max(0)) / 2
        vertices[own] = (points - centre) @ turn.T + centre


def truth(landmarks: F32, hairline: F32) -> tuple[F32, F32]:
    """(5, 2) points and (4,) box of (68, 2) landmarks and projected hairline vertices, px."""
    points = np.stack([landmarks[first:last].mean(0) for first, last in POINTS])
    every = np.concatenate([landmarks, hairline])
    return points.astype(np.float32), np.concatenate([every.min(0), every.max(0)]).astype(np.float32)
