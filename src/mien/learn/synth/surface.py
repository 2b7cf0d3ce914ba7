"""What the camera sees of a posed face: for each ray the place on the surface, exactly.

Only triangles that can be seen are handed to Embree: those that face the camera, lie within the picture, and, of eyes and mouth,
those that the lids' and lips' outlines leave room for. What is seen is not changed by that (tests/learn/synth).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mien.learn.synth.geometry import Camera
from mien.learn.synth.model import BACK, BAG, EYE_LEFT, EYE_RIGHT, FACE, GUMS, I32, SOCKET, TEETH, FaceModel
from mien.learn.synth.trace import Mesh
from mien.types import F32

_OPENINGS = {
    GUMS: (48, 60),
    TEETH: (48, 60),
    BAG: (48, 60),
    EYE_RIGHT: (36, 42),
    EYE_LEFT: (42, 48),
}  # landmarks round it


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Places on the surface, one per row."""

    ray: I32  # (n,) index of the ray that met it
    triangle: I32  # (n,) of the model
    weights: F32  # (n, 3) barycentric
    corners: I32  # (n, 3) vertices
    depth: F32  # (n,) cm along the camera's axis
    material: I32  # (n,)

    def of(self, values: F32) -> F32:
        """(n, k) or (n,) interpolated from vertex values (V, k) or (V,)."""
        at = values[self.corners]
        weights = self.weights if at.ndim == 2 else self.weights[..., None]
        return np.asarray((at * weights).sum(1), np.float32)


class Topology:
    """What follows from the model alone, kept between frames."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self._first, self._second, self._third = np.ascontiguousarray(model.triangles.T)
        self._rows = {kind: np.flatnonzero(model.material == kind) for kind in _OPENINGS}

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
        return np.asarray(sums / np.maximum(np.sqrt((sums * sums).sum(1, keepdims=True)), 1e-9), np.float32)

    def visible(self, posed: F32, faces: F32, camera: Camera) -> I32:
        """Triangles that some pixel may show."""
        u, v = camera.project(posed).T
        x, y, z = faces.T
        px, py, pz = posed[self._first].T
        kept = px * x + py * y + (pz - camera.distance) * z < 0
        i, j, k = self._first, self._second, self._third
        for axis in (u, v):
            a, b, c = axis[i], axis[j], axis[k]
            kept &= np.maximum(np.maximum(a, b), c) > -1.5
            kept &= np.minimum(np.minimum(a, b), c) < camera.size + 0.5
        marks = np.stack([u, v], 1)[self.model.landmarks]
        for kind, (first, last) in _OPENINGS.items():
            rows = self._rows[kind]
            low, high = marks[first:last].min(0), marks[first:last].max(0)
            margin = 2 + 0.35 * (high - low).max()
            for axis, least, most in ((u, low[0], high[0]), (v, low[1], high[1])):
                a = axis[self._first[rows]]
                kept[rows] &= (a > least - margin) & (a < most + margin)
        return np.flatnonzero(kept).astype(np.int32)

    def cast(self, mesh: Mesh, seen: I32, origins: F32, rays: F32) -> Samples:
        """Places that rays meet first."""
        hits = mesh.first(origins, rays)
        triangle = seen[hits.triangle]
        return Samples(
            hits.ray, triangle, hits.weights, self.model.triangles[triangle], hits.far, self.model.material[triangle]
        )


SKIN_LIKE = (FACE, BACK, SOCKET)
