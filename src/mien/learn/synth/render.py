"""A face as pixels, with the truth behind them. Embree casts the rays; the shading is ours.

    Engine(load_face(path)).render(person, state, scene) -> Rendered

A render changes nothing in an engine but its caches, and equal arguments give equal results. Several frames at once: one engine in
each of several processes (the model is read in a second; threads would wait for one another). Everything made is synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.learn.synth import geometry, shade
from mien.learn.synth.appearance import Looks, looks_of
from mien.learn.synth.geometry import Camera
from mien.learn.synth.maps import SIDE, maps_of
from mien.learn.synth.model import FACE, I32, FaceModel
from mien.learn.synth.spoil import spoil
from mien.learn.synth.state import PARTS, Person, Rendered, Scene, State
from mien.learn.synth.surface import Samples, Topology
from mien.learn.synth.trace import Mesh
from mien.learn.synth.units import blendshapes
from mien.types import F32, U8

_PERSONS = 48  # that an engine remembers; about 6 MB each
_INNER = np.array([(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)], np.float32)  # of an edge's pixel
_CREST = np.array([0.0, 4.0, -1.0], np.float32)  # cm; hair stands off away from here


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A person at rest."""

    rest: F32
    frame: geometry.Frame
    looks: Looks


@dataclass(frozen=True, slots=True, eq=False)
class _Shot:
    """One frame while it is made."""

    posed: F32
    normals: F32
    camera: Camera
    mesh: Mesh
    seen: I32
    lit: shade.Lit


class Engine:
    """Renders one face model."""

    def __init__(self, model: FaceModel) -> None:
        self._model, self._maps, self._topology = model, maps_of(model), Topology(model)
        corners = np.unique(model.triangles[model.material == FACE])
        x, y, z = model.neutral[corners].T
        self._hairline: I32 = corners[(np.abs(x) < 3.5) & (np.abs(y - 9.5) < 0.6) & (z > 5)].astype(np.int32)
        self._people: dict[tuple[object, ...], _Known] = {}

    def render(self, person: Person, state: State, scene: Scene) -> Rendered:
        """One frame. Raises InputError for action units, weather or occluders that the engine does not have."""
        shot = self._shot(person, state, scene)
        camera, frame = shot.camera, self._known(person).frame
        landmarks = camera.project(shot.posed[self._model.landmarks])
        points, box = geometry.truth(landmarks, camera.project(shot.posed[frame.hairline]))
        colour, mask, depth = self._picture(shot)
        clean = Rendered(np.empty(0, np.uint8), points, landmarks, box, mask, depth)
        return spoil(colour, clean, scene)

    def _known(self, person: Person) -> _Known:
        key = (person.seed, person.shape.tobytes(), person.melanin, person.iris)
        if key not in self._people:
            if len(self._people) >= _PERSONS:
                del self._people[next(iter(self._people))]
            looks = looks_of(person, self._maps)
            rest = self._model.rest(person.shape)
            frame = geometry.frame_of(self._model, rest, self._hairline)
            away = rest - _CREST
            away /= np.linalg.norm(away, axis=1, keepdims=True)
            rest = rest + away * (looks.thickness * np.sqrt(self._maps.hair))[:, None]
            self._people[key] = _Known(rest.astype(np.float32), frame, looks)
        return self._people[key]

    def _shot(self, person: Person, state: State, scene: Scene) -> _Shot:
        known, model, topology = self._known(person), self._model, self._topology
        vertices = model.express(known.rest, blendshapes(state))
        geometry.turn_eyes(model, vertices, state.gaze)
        posed = (vertices - known.frame.pivot) @ geometry.rotation(*state.pose).T
        camera = geometry.camera(scene, known.frame.height, known.frame.front)
        faces = topology.faces(posed)
        seen = topology.visible(posed, faces, camera)
        lit = shade.Lit(model, self._maps, known.looks, state, scene, scene.fill * scene.size / (0.6 * SIDE))
        return _Shot(posed, topology.normals(faces), camera, Mesh(posed, model.triangles[seen]), seen, lit)

    def _picture(self, shot: _Shot) -> tuple[F32, U8, F32]:
        """(H, W, 3) colour as floats, (H, W) parts and (H, W) depth; edges are looked at four times."""
        size = shot.camera.size
        rows, columns = np.mgrid[:size, :size].astype(np.float32)
        pixels = np.stack([columns.ravel(), rows.ravel()], 1)
        rays = shot.camera.rays(pixels)
        found = self._cast(shot, rays)
        mask, depth = np.zeros(size * size, np.uint8), np.full(size * size, np.inf, np.float32)
        mask[found.ray], depth[found.ray] = shade.parts(found, shot.lit), found.depth
        shadow = self._shadow(shot, found, mask.reshape(size, size))
        colour = np.tile(np.array(shot.lit.scene.background, np.float32), (size * size, 1))
        edges = np.flatnonzero(_edges(mask.reshape(size, size), depth.reshape(size, size)))
        colour[found.ray] = self._colours(shot, found, shadow[found.ray], rays)
        inner = shot.camera.rays((pixels[edges][:, None] + _INNER).reshape(-1, 2))
        closer = self._cast(shot, inner)
        four = np.tile(np.array(shot.lit.scene.background, np.float32), (len(inner), 1))
        four[closer.ray] = self._colours(shot, closer, shadow[edges[closer.ray // 4]], inner)
        colour[edges] = four.reshape(-1, 4, 3).mean(1)
        return colour.reshape(size, size, 3), mask.reshape(size, size), depth.reshape(size, size)

    def _cast(self, shot: _Shot, rays: F32) -> Samples:
        origins = np.zeros_like(rays)
        origins[:, 2] = shot.camera.distance
        return self._topology.cast(shot.mesh, shot.seen, origins, rays)

    def _colours(self, shot: _Shot, samples: Samples, shadow: F32, rays: F32) -> F32:
        normals = samples.of(shot.normals)
        normals /= np.maximum(np.sqrt((normals * normals).sum(1, keepdims=True)), 1e-9)
        return shade.shade(samples, normals, shadow, rays[samples.ray], shot.lit)

    def _shadow(self, shot: _Shot, found: Samples, mask: U8) -> F32:
        """(H * W,) share of the key light that comes through, softened within the head."""
        import cv2

        light = shade.key_direction(shot.lit.scene)
        at, normals = found.of(shot.posed), found.of(shot.normals)
        facing = np.flatnonzero(normals @ light > 0)
        origins = (at + 0.15 * normals)[facing]
        blocked = shot.mesh.blocked(origins, np.tile(light, (len(origins), 1)).astype(np.float32))
        open_ = np.zeros(mask.size, np.float32)
        open_[found.ray[facing]] = ~blocked
        there = (mask > PARTS.index("background")).astype(np.float32)
        wide = max(3, shot.camera.size // 40 | 1)
        sums, counts = (cv2.blur(one, (wide, wide)) for one in (open_.reshape(mask.shape), there))
        return np.asarray(sums / np.maximum(counts, 1e-6), np.float32).reshape(-1)


def _edges(mask: U8, depth: F32) -> np.ndarray:
    """(H, W) pixels beside which the part changes or the depth leaps by more than 4 mm."""
    made = np.zeros(mask.shape, bool)
    far = np.minimum(depth, 1e6)
    for axis in (0, 1):
        leap = (np.diff(mask, axis=axis) != 0) | (np.abs(np.diff(far, axis=axis)) > 0.4)
        if axis == 0:
            made[1:] |= leap
            made[:-1] |= leap
        else:
            made[:, 1:] |= leap
            made[:, :-1] |= leap
    return made
