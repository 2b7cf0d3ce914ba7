"""A face as pixels, with the truth behind them. Embree casts the rays; the shading is ours.

    Engine(load_face(path)).render(person, state, scene) -> Rendered

A render changes nothing in an engine but its caches, and equal arguments give equal results. Several frames at once: one
engine in each of several processes (threads would wait for one another). All of it is synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.learn.synth import geometry, shade
from mien.learn.synth.appearance import Looks, looks_of
from mien.learn.synth.geometry import Camera
from mien.learn.synth.maps import SIDE, maps_of
from mien.learn.synth.model import BACK, EYE_LEFT, EYE_RIGHT, FACE, GUMS, I32, FaceModel
from mien.learn.synth.spoil import spoil
from mien.learn.synth.state import PARTS, Person, Rendered, Scene, State
from mien.learn.synth.surface import NORMAL, REST, REST_NORMAL, Candidates, Mask, Samples, Topology, length
from mien.learn.synth.trace import Mesh
from mien.learn.synth.units import blendshapes
from mien.types import F32, U8

_PERSONS = 16  # that an engine remembers; about 12 MB each
_INNER = np.array([(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)], np.float32)  # of an edge's pixel
_INSIDE = 0.7  # of the key light reaches eyes and mouth, where shadows are not cast
_EDGED = np.array([0, 1, 2, 3, 3, 1, 1, 1], np.int8)  # parts of one number have no edge between them
_CREST = np.array([0.0, 4.0, -1.0], np.float32)  # cm; hair stands off away from here


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A person at rest."""

    rest: F32
    frame: geometry.Frame
    looks: Looks
    fields: F32  # (V, 18), see `surface`
    solid: Mesh  # the whole head, for shadows


@dataclass(frozen=True, slots=True, eq=False)
class _Shot:
    """One frame while it is made."""

    camera: Camera
    posed: F32
    fields: F32
    candidates: Candidates
    lit: shade.Lit
    turn: F32  # (3, 3) of the head
    solid: Mesh


class Engine:
    """Renders one face model."""

    def __init__(self, model: FaceModel) -> None:
        self.model, self._maps, self._topology = model, maps_of(model), Topology(model)
        corners = np.unique(model.triangles[model.material == FACE])
        x, y, z = model.neutral[corners].T
        self._hairline: I32 = corners[(np.abs(x) < 3.5) & (np.abs(y - 9.5) < 0.6) & (z > 5)].astype(np.int32)
        left, right = (np.unique(model.triangles[model.material == kind]) for kind in (EYE_LEFT, EYE_RIGHT))
        self._eyes = left.astype(np.int32), right.astype(np.int32)
        self._people: dict[tuple[object, ...], _Known] = {}

    def render(self, person: Person, state: State, scene: Scene) -> Rendered:
        """One frame. Raises InputError for action units, weather or occluders that the engine does not have."""
        shot = self._shot(person, state, scene)
        camera, frame = shot.camera, self._known(person).frame
        landmarks = camera.project(shot.posed[self.model.landmarks])
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
            bald = self.model.rest(person.shape)
            frame = geometry.frame_of(self.model, bald, self._hairline)
            away = (bald - _CREST) / length(bald - _CREST)
            rest = np.asarray(bald + away * (looks.thickness * self._maps.stand)[:, None], np.float32)
            fields = self._topology.rest_fields(rest, self._maps)
            solid = Mesh(rest, self.model.triangles[self.model.material < GUMS])
            self._people[key] = _Known(rest, frame, looks, fields, solid)
        return self._people[key]

    def _shot(self, person: Person, state: State, scene: Scene) -> _Shot:
        known, model, topology = self._known(person), self.model, self._topology
        vertices = model.express(known.rest, blendshapes(state))
        geometry.turn_eyes(vertices, self._eyes, state.gaze)
        turn = geometry.rotation(*state.pose)
        posed = np.asarray((vertices - known.frame.pivot) @ turn.T, np.float32)
        camera = geometry.camera(scene, known.frame.height, known.frame.front)
        faces = topology.faces(posed)
        fields = known.fields.copy()
        fields[:, NORMAL] = topology.normals(faces)
        lit = shade.Lit(model, self._maps, known.looks, state, scene, scene.fill * scene.size / (0.6 * SIDE))
        return _Shot(camera, posed, fields, topology.facing(posed, faces, camera), lit, turn, known.solid)

    def _picture(self, shot: _Shot) -> tuple[F32, U8, F32]:
        """(H, W, 3) colour as floats, (H, W) parts and (H, W) depth; edges are looked at four times."""
        size = shot.camera.size
        rows, columns = np.mgrid[:size, :size].astype(np.float32)
        pixels = np.stack([columns.ravel(), rows.ravel()], 1)
        rays = shot.camera.rays(pixels)
        found = self._cast(shot, np.ones((size, size), bool), 0.0, rays)
        mask, depth = np.zeros(size * size, np.uint8), np.full(size * size, np.inf, np.float32)
        mask[found.ray], depth[found.ray] = shade.parts(found, shot.lit), found.depth
        shadow = _shadow(shot, found, mask.reshape(size, size))
        colour = np.tile(np.array(shot.lit.scene.background, np.float32), (size * size, 1))
        colour[found.ray] = shade.shade(found, shadow[found.ray], rays[found.ray], shot.lit)
        edge = _edges(mask.reshape(size, size), depth.reshape(size, size))
        edges = np.flatnonzero(edge)
        inner = shot.camera.rays((pixels[edges][:, None] + _INNER).reshape(-1, 2))
        closer = self._cast(shot, edge, float(_INNER.max()), inner)
        four = np.tile(np.array(shot.lit.scene.background, np.float32), (len(inner), 1))
        four[closer.ray] = shade.shade(closer, shadow[edges[closer.ray // 4]], inner[closer.ray], shot.lit)
        colour[edges] = four.reshape(-1, 4, 3).mean(1)
        return colour.reshape(size, size, 3), mask.reshape(size, size), depth.reshape(size, size)

    def _cast(self, shot: _Shot, wanted: Mask, reach: float, rays: F32) -> Samples:
        seen = shot.candidates.meeting(wanted, reach)
        mesh = Mesh(shot.posed, self.model.triangles[seen], shot.camera.distance)
        return self._topology.cast(mesh, seen, shot.fields, rays)


def _shadow(shot: _Shot, found: Samples, mask: U8) -> F32:
    """(H * W,) share of the key light that comes through, softened within the head.

    It is looked for on the face at rest, whose mesh is made once: an expression takes its shadows along."""
    light = shade.key_direction(shot.lit.scene) @ shot.turn
    solid = np.flatnonzero(np.isin(found.material, (FACE, BACK)) & (found.fields[:, REST_NORMAL] @ light > 0))
    fields = found.fields[solid]
    through = np.where(np.isin(found.material, (FACE, BACK)), 0.0, _INSIDE).astype(np.float32)
    through[solid] = ~shot.solid.blocked(fields[:, REST] + 0.15 * fields[:, REST_NORMAL], light)
    open_, there = np.zeros(mask.shape, np.float32), (mask > PARTS.index("background")).astype(np.float32)
    open_.reshape(-1)[found.ray] = through
    wide = max(3, shot.camera.size // 40 | 1)
    sums, counts = (cv2.blur(one, (wide, wide)) for one in (open_, there))
    return np.asarray(sums / np.maximum(counts, 1e-6), np.float32).reshape(-1)


def _edges(mask: U8, depth: F32) -> Mask:
    """(H, W) pixels at an edge: of the head, of lips and lids, or where the depth leaps by more than 6 mm."""
    made = np.zeros(mask.shape, bool)
    kind, far = _EDGED[mask], np.minimum(depth, 1e6)
    for axis in (0, 1):
        leap = (np.diff(kind, axis=axis) != 0) | (np.abs(np.diff(far, axis=axis)) > 0.6)
        before, after = (slice(None, -1), slice(1, None))
        made[(after, slice(None)) if axis == 0 else (slice(None), after)] |= leap
        made[(before, slice(None)) if axis == 0 else (slice(None), before)] |= leap
    return made
