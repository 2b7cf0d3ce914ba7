"""What the camera sees of a posed face: for each ray the place on the surface, exactly.

Handing triangles to Embree is the dearest step, so it gets only those that some ray may meet: those that face the camera, hold
a ray within their box, and, of eyes and mouth, those that the lids' and lips' outlines leave room for.
"""

from __future__ import annotations

from dataclasses import dataclass
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
# Columns of what is interpolated at each sample.
NORMAL, REST, REST_NORMAL, NEUTRAL, EYE = (slice(3 * i, 3 * i + 3) for i in range(5))
OPEN, HAIR, CLOTHES = 15, 16, 17
_SLACK = 0.01  # px


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Places on the surface, one per row."""

    ray: I32  # (n,) index of the ray that met it
    triangle: I32  # (n,) of the model
    weights: F32  # (n, 3) barycentric
    depth: F32  # (n,) cm along the camera's axis
    material: I32  # (n,)
    fields: F32  # (n, 18) interpolated from the vertices, see NORMAL .. CLOTHES


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
        ax, ay, az = x[j] - x[i], y[j] - y[i], z[j] - z[i]
        bx, by, bz = x[k] - x[i], y[k] - y[i], z[k] - z[i]
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
        self.openings(kept, np.stack([u, v], 1)[self.model.landmarks], (u, v))
        seen = np.flatnonzero(kept).astype(np.int32)
        i, j, k = self._first[seen], self._second[seen], self._third[seen]
        spans = []
        for axis in (u, v):
            a, b, c = axis[i], axis[j], axis[k]
            spans += [np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)]
        return Candidates(seen, *spans)

    def openings(self, kept: Mask, marks: F32, places: tuple[F32, F32]) -> None:
        """Drop from (T,) `kept` what lies behind skin: parts of eyes and mouth far from their opening's landmarks."""
        for kind, (first, last) in _OPENINGS.items():
            rows = self._rows[kind]
            low, high = marks[first:last].min(0), marks[first:last].max(0)
            margin = 2 + 0.06 * (high - low).max() + 0.2 * (high - low).min()
            for axis, least, most in zip(places, low, high, strict=True):
                a = axis[self._first[rows]]
                kept[rows] &= (a > least - margin) & (a < most + margin)

    def rest_fields(self, rest: F32, maps: Maps) -> F32:
        """(V, 18) what samples of a person interpolate; the normals of each frame are still to be filled in."""
        normals = self.normals(self.faces(rest))
        own = (normals, rest, normals, self.model.neutral, maps.eye, maps.open, maps.hair, maps.clothes)
        return np.column_stack(own).astype(np.float32)

    def cast(self, mesh: Mesh, seen: I32, fields: F32, rays: F32) -> Samples:
        """Places that rays from the camera (n, 3) meet first on the triangles `seen`, of which the mesh is made."""
        hits = mesh.first(rays)
        triangle = seen[hits.triangle]
        corners, weights = self.model.triangles[triangle], hits.weights
        found = fields[corners[:, 0]] * weights[:, :1]
        found += fields[corners[:, 1]] * weights[:, 1:2]
        found += fields[corners[:, 2]] * weights[:, 2:]
        found[:, NORMAL] /= length(found[:, NORMAL])
        return Samples(hits.ray, triangle, weights, hits.far, self.model.material[triangle], found)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Triangles with the boxes (px) that they fall into."""

    triangle: I32
    left: F32
    right: F32
    top: F32
    bottom: F32

    def meeting(self, wanted: Mask, reach: float) -> I32:
        """Those whose box, grown by `reach` px, holds the centre of a wanted pixel; `wanted` is (H, W)."""
        size = len(wanted)
        sums = np.zeros((size + 1, size + 1), np.int32)
        sums[1:, 1:] = wanted.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
        grown = reach + _SLACK
        x0, y0 = (np.clip(np.ceil(low - grown), 0, size).astype(np.int32) for low in (self.left, self.top))
        x1, y1 = (np.clip(np.floor(high + grown) + 1, 0, size).astype(np.int32) for high in (self.right, self.bottom))
        inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
        found: I32 = self.triangle[(inside > 0) & (x1 > x0) & (y1 > y0)]
        return found


def length(vectors: F32) -> F32:
    """(n, 1) of (n, 3), never 0."""
    x, y, z = vectors.T
    return np.asarray(np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)[:, None], np.float32)
