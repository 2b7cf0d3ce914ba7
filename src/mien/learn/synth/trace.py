"""Rays against triangles, by Embree through embreex; see docs/decisions/synthetic-faces.md for why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import UsageError
from mien.learn.synth.model import I32
from mien.types import F32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Where rays met the mesh; rows of `ray` that met nothing are not among them."""

    ray: I32  # (n,) index of the ray
    triangle: I32  # (n,) index into the triangles that were given
    weights: F32  # (n, 3) barycentric, of the triangle's corners
    far: F32  # (n,) multiples of the ray's direction


class Mesh:
    """Triangles that rays can be cast at; a camera stands at (0, 0, eye). Raises UsageError where embreex is not installed."""

    def __init__(self, vertices: F32, triangles: I32, eye: float = 0.0) -> None:
        scenes, meshes, device = _embree()
        self._eye = eye
        used = np.zeros(len(vertices), bool)
        used[triangles] = True  # Embree is handed only what it needs: copying is half the price of a mesh
        place = np.cumsum(used, dtype=np.int32) - 1
        self._scene = scenes.EmbreeScene(device, robust=True)
        self._mesh = meshes.TriangleMesh(self._scene, np.ascontiguousarray(vertices[used]), place[triangles])

    def first(self, rays: F32, origins: F32 | None = None) -> Hits:
        """The nearest hits of (n, 3) rays from (n, 3) origins, or from where the camera of `eye` is."""
        found = self._scene.run(self._from(rays) if origins is None else origins, rays, output=1)
        ray = np.flatnonzero(found["primID"] >= 0)
        u, v = found["u"][ray], found["v"][ray]
        weights = np.stack([1 - u - v, u, v], 1)
        return Hits(ray.astype(np.int32), found["primID"][ray], weights, found["tfar"][ray])

    def blocked(self, origins: F32, ray: F32) -> Mask:
        """(n,) whether anything lies in one direction (3,) from (n, 3) places."""
        return np.asarray(self._scene.run(origins, ray[None], query="OCCLUDED") != -1)

    def _from(self, rays: F32) -> F32:
        made = np.zeros_like(rays)
        made[:, 2] = self._eye
        return made


@cache
def _embree() -> tuple[Any, Any, Any]:
    try:
        from embreex import mesh_construction, rtcore, rtcore_scene  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise UsageError("The face engine needs the package embreex.", "pip install 'mien[learn]'") from error
    return rtcore_scene, mesh_construction, rtcore.EmbreeDevice()
