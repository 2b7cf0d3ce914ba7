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
from mien.learn.synth.model import EYE_LEFT, EYE_RIGHT, FACE, GUMS, I32, FaceModel
from mien.learn.synth.spoil import spoil
from mien.learn.synth.state import Person, Rendered, Scene, State
from mien.learn.synth.surface import NORMAL, Candidates, Mask, Samples, Topology, length
from mien.learn.synth.trace import Mesh
from mien.learn.synth.units import blendshapes
from mien.types import F32, U8

_PERSONS = 16  # that an engine remembers; about 12 MB each
_CENTRE = np.zeros((1, 2), np.float32)
_INNER = np.array(
    [(0, 0), (-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)], np.float32
)  # of an edge's pixel
_INSIDE = 0.7  # of the key light reaches eyes and mouth, where shadows are not cast
_CREST = np.array([0.0, 4.0, -1.0], np.float32)  # cm; hair stands off away from here


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A person at rest."""

    rest: F32
    frame: geometry.Frame
    looks: Looks
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
    known: _Known


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
            solid = Mesh(rest, self.model.triangles[self.model.material < GUMS])
            self._people[key] = _Known(rest, frame, looks, solid)
        return self._people[key]

    def _shot(self, person: Person, state: State, scene: Scene) -> _Shot:
        known, model, topology = self._known(person), self.model, self._topology
        vertices = model.express(known.rest, blendshapes(state))
        geometry.turn_eyes(vertices, self._eyes, state.gaze)
        turn = geometry.rotation(*state.pose)
        posed = np.asarray((vertices - known.frame.pivot) @ turn.T, np.float32)
        camera = geometry.camera(scene, known.frame.height, known.frame.front)
        faces = topology.faces(posed)
        fields = topology.fields(faces, self._maps)
        lit = shade.Lit(model, self._maps, known.looks, state, scene, scene.fill * scene.size / (0.6 * SIDE))
        return _Shot(camera, posed, fields, topology.facing(posed, faces, camera), lit, turn, known)

    def _picture(self, shot: _Shot) -> tuple[F32, U8, F32]:
        """(H, W, 3) colour as floats, (H, W) parts and (H, W) depth.

        First the skin is looked for at every pixel's centre; then, at its edges and where eyes and mouth are open,
        everything, at the centre (which tells part and depth) and at four places about it (whose mean is the colour)."""
        size, scene = shot.camera.size, shot.lit.scene
        skin, pixel = self._cast(shot, shot.candidates.window(size), _CENTRE)
        depth = np.full((size, size), np.inf, np.float32)
        depth.reshape(-1)[pixel] = skin.depth
        open_ = shot.candidates.open(depth)
        edge = _edges(depth, open_) | open_
        shadow = _shadow(shot, skin, pixel)
        mask, colour = np.zeros((size, size), np.uint8), np.empty((size * size, 3), np.float32)
        colour[:] = scene.background
        plain = ~edge.reshape(-1)[pixel]
        skin, pixel = skin.where(plain), pixel[plain]
        mask.reshape(-1)[pixel] = shade.parts(skin, shot.lit)
        colour[pixel] = shade.shade(skin, shadow[pixel], shot.lit)
        closer, pixel = self._cast(shot, edge, _INNER)
        centre = closer.ray % len(_INNER) == 0
        depth[edge] = np.inf
        depth.reshape(-1)[pixel[centre]] = closer.depth[centre]
        mask.reshape(-1)[pixel[centre]] = shade.parts(closer.where(centre), shot.lit)
        outer, pixel = closer.where(~centre), pixel[~centre]
        four = np.empty((len(_INNER) - 1, size * size, 3), np.float32)
        four[:] = scene.background
        through = np.where(outer.material < GUMS, shadow[pixel], np.float32(_INSIDE))
        four[outer.ray % len(_INNER) - 1, pixel] = shade.shade(outer, through, shot.lit)
        edges = np.flatnonzero(edge)
        colour[edges] = four[:, edges].mean(0)
        return colour.reshape(size, size, 3), mask, depth

    def _cast(self, shot: _Shot, wanted: Mask, offsets: F32) -> tuple[Samples, I32]:
        """What is seen at offsets (k, 2) px from the centres of the wanted pixels, and (n,) at which pixel it is seen.

        One offset: of the skin alone."""
        pixels = np.flatnonzero(wanted).astype(np.int32)
        centres = np.stack([pixels % len(wanted), pixels // len(wanted)], 1).astype(np.float32)
        rays = shot.camera.rays((centres[:, None] + offsets).reshape(-1, 2))
        seen = shot.candidates.meeting(wanted, float(offsets.max()), skin=len(offsets) == 1)
        mesh = Mesh(shot.posed, self.model.triangles[seen], shot.camera.distance)
        found = self._topology.cast(mesh, seen, shot.fields, rays)
        return found, pixels[found.ray // len(offsets)]


def _shadow(shot: _Shot, skin: Samples, pixel: I32) -> F32:
    """(H * W,) share of the key light that comes through to the skin, softened.

    It is looked for on the face at rest, whose mesh is made once: an expression takes its shadows along."""
    light, size = shade.key_direction(shot.lit.scene), shot.camera.size
    normals = skin.fields[:, NORMAL]
    facing = np.flatnonzero(normals @ light > 0).astype(np.int32)
    above = skin.of(shot.known.rest, facing) + 0.15 * (normals[facing] @ shot.turn)
    blocked = shot.known.solid.blocked(above, light @ shot.turn)
    through, there = np.zeros((2, size * size), np.float32)
    there[pixel] = 1
    through[pixel[facing]] = ~blocked
    wide = max(3, size // 40 | 1)
    sums, counts = (cv2.blur(one.reshape(size, size), (wide, wide)) for one in (through, there))
    return np.asarray(sums / np.maximum(counts, 1e-6), np.float32).reshape(-1)


def _edges(depth: F32, open_: Mask) -> Mask:
    """(H, W) pixels at an edge: of the head, of lips and lids, or where the depth leaps by more than a centimetre."""
    made = np.zeros(depth.shape, bool)
    kind, far = np.isfinite(depth) + 2 * open_, np.minimum(depth, 1e6)
    for axis in (0, 1):
        leap = (np.diff(kind, axis=axis) != 0) | (np.abs(np.diff(far, axis=axis)) > 1.0)
        before, after = (slice(None, -1), slice(1, None))
        made[(after, slice(None)) if axis == 0 else (slice(None), after)] |= leap
        made[(before, slice(None)) if axis == 0 else (slice(None), before)] |= leap
    return made
