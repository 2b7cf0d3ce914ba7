"""A face as pixels, with the truth behind them. The rays are cast by Embree; the shading is ours.

    Engine(load_face(path)).render(person, state, scene) -> Rendered

An engine holds no state that a render changes but caches; one process should have one engine. Everything it makes is synthetic.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mien.learn.synth import geometry
from mien.learn.synth.geometry import Camera
from mien.learn.synth.model import BACK, EYE_LEFT, EYE_RIGHT, FACE, GUMS, I32, TEETH, FaceModel
from mien.learn.synth.state import PARTS, Person, Rendered, Scene, State
from mien.learn.synth.units import blendshapes
from mien.types import F32

_PART = {FACE: "skin", BACK: "skin", GUMS: "mouth", TEETH: "teeth", EYE_LEFT: "eye", EYE_RIGHT: "eye"}


class Engine:
    """Renders one face model."""

    def __init__(self, model: FaceModel) -> None:
        self._model = model
        self._part = np.array([PARTS.index(_PART[kind]) for kind in range(6)], np.uint8)[model.material]
        rows = np.flatnonzero(model.material == FACE)
        corners = model.triangles[rows].reshape(-1)
        high = model.neutral[corners]
        near = (np.abs(high[:, 0]) < 3.5) & (np.abs(high[:, 1] - 9.5) < 0.6) & (high[:, 2] > 5)
        self._hairline: I32 = np.unique(corners[near]).astype(np.int32)
        self._known = lru_cache(maxsize=64)(self._rest)

    def render(self, person: Person, state: State, scene: Scene) -> Rendered:
        """One frame. Raises InputError for what the face model does not have."""
        rest, frame = self._known(person.shape.tobytes())
        vertices = self._model.express(rest, blendshapes(state))
        geometry.turn_eyes(self._model, vertices, state.gaze)
        posed = (vertices - frame.pivot) @ geometry.rotation(*state.pose).T
        camera = geometry.camera(scene, frame.height, frame.front)
        landmarks = camera.project(posed[self._model.landmarks])
        points, box = geometry.truth(landmarks, camera.project(posed[frame.hairline]))
        pixels, mask, depth = self._picture(person, scene, posed, camera)
        return Rendered(pixels, points, landmarks, box, mask, depth)

    def _rest(self, identity: bytes) -> tuple[F32, geometry.Frame]:
        rest = self._model.rest(np.frombuffer(identity, np.float32))
        return rest, geometry.frame_of(self._model, rest, self._hairline)

    def _picture(self, person: Person, scene: Scene, posed: F32, camera: Camera) -> tuple[np.ndarray, np.ndarray, F32]:
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        eye = np.array([0, 0, camera.distance], np.float32)
        corners = posed[self._model.triangles]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        seen = np.flatnonzero(((corners[:, 0] - eye) * normal).sum(1) < 0)
        world = rtcore_scene.EmbreeScene(robust=True)
        TriangleMesh(world, posed, self._model.triangles[seen])
        rows, columns = np.mgrid[: scene.size, : scene.size].astype(np.float32)
        rays = camera.rays(np.stack([columns.ravel(), rows.ravel()], 1))
        hit = world.run(np.broadcast_to(eye, rays.shape).copy(), rays, output=1)
        there = hit["primID"] >= 0
        tri = seen[hit["primID"][there]]
        mask = np.zeros(len(rays), np.uint8)
        mask[there] = self._part[tri]
        depth = np.where(there, hit["tfar"], np.inf).astype(np.float32)
        unit = normal[tri] / np.linalg.norm(normal[tri], axis=1, keepdims=True)
        light = geometry.rotation(scene.light[0], scene.light[1], 0)[:, 2]
        lit = scene.ambient + scene.key * np.clip(unit @ light, 0, None)
        base = np.array([[0, 0, 0], [0.75, 0.55, 0.45], [0.9, 0.9, 0.9], [0.9, 0.9, 0.85], [0.4, 0.15, 0.15]])[
            mask[there]
        ]
        colour = np.tile(np.array(scene.background, np.float32), (len(rays), 1))
        colour[there] = 255 * np.clip(base * (1 - 0.6 * person.melanin) * lit[:, None], 0, 1) ** (1 / 2.2)
        shape = (scene.size, scene.size)
        return colour.reshape(*shape, 3).astype(np.uint8), mask.reshape(shape), depth.reshape(shape)
