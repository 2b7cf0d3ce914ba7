"""What the camera sees of a posed face: for each ray the place on the surface, exactly.

Handing triangles to Embree is the dearest step, so it gets only those that some ray may meet: those that face the camera, hold
a ray within their box, and, of eyes and mouth, those that the lids' and lips' outlines leave room for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.learn.synth.geometry import Camera
from mien.learn.synth.maps import Maps
from mien.learn.synth.model import BAG, EYE_LEFT, EYE_RIGHT, GUMS, I32, SOCKET, TEETH, FaceModel
from mien.learn.synth.trace import Mesh
from mien.types import F32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
else:
    Mask = np.ndarray

# Landmarks round the opening through which each of these is seen.
_OPENINGS = {GUMS: (60, 68), TEETH: (60, 68), BAG: (60, 68), EYE_RIGHT: (36, 42), EYE_LEFT: (42, 48)}
# Columns of what is interpolated at every sample; the rest is asked for with `Samples.of`.
NORMAL, OPEN, HAIR, CLOTHES = slice(0, 3), 3, 4, 5
_SLACK = 0.01  # px
_BEHIND = 0.8  # cm behind lids or lips: there skin hides neither eye nor teeth


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Places on the surface, one per row."""

    ray: I32  # (n,) index of the ray that met it
    rays: F32  # (n, 3) that ray
    triangle: I32  # (n,) of the model
    weights: F32  # (n, 3) barycentric
    depth: F32  # (n,) cm along the camera's axis
    material: I32  # (n,)
    corners: I32  # (n, 3) vertices
    fields: F32  # (n, 6) interpolated from the vertices, see NORMAL .. CLOTHES

    def of(self, values: F32, rows: I32) -> F32:
        """(k, c) vertex values (V, c) at some of the samples."""
        return _interpolated(values, self.corners[rows], self.weights[rows])

    def where(self, kept: Mask) -> Samples:
        """Some of them."""
        return Samples(*(getattr(self, one.name)[kept] for one in fields(self)))


class Topology:
    """What follows from the model alone, kept between frames."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self._first, self._second, self._third = np.ascontiguousarray(model.triangles.T)
        self._rows = {kind: np.flatnonzero(model.material == kind) for kind in _OPENINGS}
        socket = np.flatnonzero(model.material == SOCKET)
        left = model.neutral[self._first[socket], 0] > 0
        for kind, side in ((EYE_LEFT, left), (EYE_RIGHT, ~left)):
            self._rows[kind] = np.concatenate([self._rows[kind], socket[side]])

    @cached_property
    def _gather(self) -> Any:
        """(V, T) sparse sum over the triangles about each vertex."""
        from scipy.sparse import csr_matrix

        count = len(self.model.triangles)
        columns = np.tile(np.arange(count), 3)
        ones = np.ones(3 * count, np.float32)
        return csr_matrix((ones, (self.model.triangles.T.reshape(-1), columns)), (len(self.model.neutral), count))

    def faces(self, vertices: F32) -> F32:
        """(T, 3) normals, not of unit length."""
        x, y, z = np.ascontiguousarray(vertices.T)
        i, j, k = self._first, self._second, self._third
        xi, yi, zi = x.take(i), y.take(i), z.take(i)
        ax, ay, az = x.take(j) - xi, y.take(j) - yi, z.take(j) - zi
        bx, by, bz = x.take(k) - xi, y.take(k) - yi, z.take(k) - zi
        return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)

    def normals(self, faces: F32) -> F32:
        """(V, 3) unit normals of vertices: means of the faces', weighted by area."""
        sums = self._gather @ faces
        return np.asarray(sums / length(sums), np.float32)

    def facing(self, posed: F32, faces: F32, camera: Camera) -> Candidates:
        """Triangles that look at the camera within the picture, and where they fall."""
        u, v = camera.project(posed).T
        x, y, z = faces.T
        px, py, pz = posed[self._first].T
        kept = px * x + py * y + (pz - camera.distance) * z < 0
        marks, depth = np.stack([u, v], 1)[self.model.landmarks], camera.distance - posed[self.model.landmarks, 2]
        self.openings(kept, marks, (u, v))
        doors = [(marks[first:last], float(depth[first:last].mean())) for first, last in sorted({*_OPENINGS.values()})]
        seen = np.flatnonzero(kept).astype(np.int32)
        i, j, k = self._first[seen], self._second[seen], self._third[seen]
        spans = []
        for axis in (u, v):
            a, b, c = axis.take(i), axis.take(j), axis.take(k)
            spans += [np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)]
        return Candidates(seen, self.model.material[seen] < GUMS, tuple(doors), *spans)

    def openings(self, kept: Mask, marks: F32, places: tuple[F32, F32]) -> None:
        """Drop from (T,) `kept` what lies behind skin: parts of eyes and mouth far from their opening's landmarks."""
        for kind, (first, last) in _OPENINGS.items():
            rows = self._rows[kind]
            low, high = _grown(marks[first:last])
            for axis, least, most in zip(places, low, high, strict=True):
                a = axis[self._first[rows]]
                kept[rows] &= (a > least) & (a < most)

    def fields(self, faces: F32, maps: Maps) -> F32:
        """(V, 6) what samples interpolate."""
        made = np.empty((len(self.model.neutral), 6), np.float32)
        made[:, NORMAL], made[:, OPEN], made[:, HAIR], made[:, CLOTHES] = (
            self.normals(faces), maps.open, maps.hair, maps.clothes,
        )  # fmt: skip
        return made

    def cast(self, mesh: Mesh, seen: I32, values: F32, rays: F32) -> Samples:
        """Places that rays from the camera (n, 3) meet first on the triangles `seen`, of which the mesh is made."""
        hits = mesh.first(rays)
        triangle = seen[hits.triangle]
        corners = self.model.triangles[triangle]
        found = _interpolated(values, corners, hits.weights)
        found[:, NORMAL] /= length(found[:, NORMAL])
        material = self.model.material[triangle]
        return Samples(hits.ray, rays[hits.ray], triangle, hits.weights, hits.far, material, corners, found)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Triangles with the boxes (px) that they fall into."""

    triangle: I32
    skin: Mask  # those of the face's and the head's own surface
    doors: tuple[tuple[F32, float], ...]  # landmarks round each eye and the mouth, px, and their mean depth, cm
    left: F32
    right: F32
    top: F32
    bottom: F32

    def window(self, size: int) -> Mask:
        """(size, size) pixels of the box that holds all of them."""
        made = np.zeros((size, size), bool)
        if len(self.triangle):
            x0, y0 = (max(0, int(low.min())) for low in (self.left, self.top))
            x1, y1 = (max(0, int(high.max()) + 2) for high in (self.right, self.bottom))
            made[y0:y1, x0:x1] = True
        return made

    def open(self, depth: F32) -> Mask:
        """(H, W) pixels of eyes and mouth through which more than skin may be seen, given the skin's depth."""
        made = np.zeros(depth.shape, bool)
        for marks, near in self.doors:
            (x0, y0), (x1, y1) = (np.clip(np.rint(one), 0, len(depth)).astype(int) for one in _grown(marks))
            made[y0 : y1 + 1, x0 : x1 + 1] |= depth[y0 : y1 + 1, x0 : x1 + 1] > near + _BEHIND
        return made

    def meeting(self, wanted: Mask, reach: float, skin: bool = False) -> I32:
        """Those whose box, grown by `reach` px, holds the centre of a wanted pixel (H, W); of the skin alone if so told."""
        size = len(wanted)
        sums = np.zeros((size + 1, size + 1), np.int32)
        sums[1:, 1:] = wanted.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
        grown = reach + _SLACK
        x0, y0 = (np.clip(np.ceil(low - grown), 0, size).astype(np.int32) for low in (self.left, self.top))
        x1, y1 = (np.clip(np.floor(high + grown) + 1, 0, size).astype(np.int32) for high in (self.right, self.bottom))
        inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
        kept = (inside > 0) & (x1 > x0) & (y1 > y0)
        found: I32 = self.triangle[kept & self.skin if skin else kept]
        return found


def _interpolated(values: F32, corners: I32, weights: F32) -> F32:
    found = values.take(corners[:, 0], 0) * weights[:, :1]
    found += values.take(corners[:, 1], 0) * weights[:, 1:2]
    found += values.take(corners[:, 2], 0) * weights[:, 2:]
    return np.asarray(found, np.float32)


def _grown(marks: F32) -> tuple[F32, F32]:
    """Least and greatest x, y of the box about an opening, with what its landmarks may miss."""
    low, high = marks.min(0), marks.max(0)
    margin = 2 + 0.06 * (high - low).max() + 0.2 * (high - low).min()
    return low - margin, high + margin


def length(vectors: F32) -> F32:
    """(n, 1) of (n, 3), never 0."""
    x, y, z = vectors.T
    return np.asarray(np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)[:, None], np.float32)
