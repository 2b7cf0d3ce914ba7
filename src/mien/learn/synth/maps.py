"""What is true of the face model whoever wears it: where on the mesh lips, brows, lids, hair and clothes are.

    maps_of(model) -> Maps, computed once per engine

Regions are drawn in texture space from the 68 landmark vertices, or told from where vertices of the neutral face lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.learn.synth.model import BACK, EYE_LEFT, EYE_RIGHT, FACE, SOCKET, FaceModel
from mien.learn.synth.trace import Mesh
from mien.types import F32

SIDE = 512  # texels of the face's texture
OPEN = 0.55  # jawOpen at which the mouth's inside is looked at for what shades it
_RAYS = 48  # per vertex, for ambient occlusion
_REACH = 6.0  # cm within which something shades


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Textures are (SIDE, SIDE) over the face's uv (v downwards in the array); vertex arrays are (V,)."""

    place: F32  # (SIDE, SIDE, 3) where on the neutral face each texel is, cm
    lips: F32  # 0..1
    brows: F32  # (SIDE, SIDE) 0..1
    beard: F32
    cheeks: F32
    lids: F32  # darker skin about the eyes
    lashes: F32  # the lids' rims
    open: F32  # vertex: how much of the ambient light reaches it
    hair: F32  # vertex: over the scalp; below 0 bare, above 1 hair
    stand: F32  # vertex: 0..1 of its thickness that the hair stands off
    clothes: F32  # vertex: below 0 bare, above 1 clothes
    eye: F32  # (V, 3) unit direction from the eyeball's centre, eyes only


def maps_of(model: FaceModel) -> Maps:
    """All of them; about a second."""
    uv = _landmark_uv(model)
    place, above = _places(model), above_hairline(model.neutral)
    rim = _rim(model)
    return Maps(
        place=place,
        lips=_soft(_polygon(uv[48:60]) , 1.6),
        brows=_brows(uv),
        beard=_beard(place),
        cheeks=_blobs(place, ((4.6, -0.2, 8.5, 2.2), (0.0, 0.6, 12.8, 1.2))),
        lids=_blobs(place, ((3.2, 3.6, 9.2, 1.7),)),
        lashes=np.exp(-((_distance(place, rim) / 0.17) ** 2)).astype(np.float32),
        open=_openness(model),
        hair=np.clip(above, -2, 4) / 0.8,
        stand=np.sqrt(np.clip(above / 4.0, 0, 1)),
        clothes=_clothes(model.neutral),
        eye=_eyes(model),
    )  # fmt: skip


def above_hairline(points: F32) -> F32:
    """(n,) cm by which places (n, 3) of the neutral head lie above the hairline, which sinks from the forehead to the neck."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    front = 10.4 - 0.05 * np.clip(x - 2.0, 0, None) ** 2.3
    behind = np.interp(z, [-6, -3, -1.5, 0.5], [-4.5, -2.5, 1.0, 2.5])
    share = np.clip((z - 1.2) / 3.0, 0, 1)
    ear = np.clip((x - 7.3) / 0.3, 0, 1) * np.clip((5.0 - y) / 0.7, 0, 1) * (z < 2.0) * (z > -3.8)
    return np.asarray(y - (behind * (1 - share) + front * share) - 9 * ear, np.float32)


def _clothes(points: F32) -> F32:
    """Above 1 below a round collar, below 0 over it."""
    collar = -13.8 + 0.33 * np.abs(points[:, 0])
    return np.asarray((collar - points[:, 1]) / 0.25, np.float32)


def _landmark_uv(model: FaceModel) -> F32:
    """(68, 2) texels."""
    own = model.material == FACE
    corners, uv = model.triangles[own].reshape(-1), model.uv[own].reshape(-1, 2)
    where = [np.flatnonzero(corners == vertex)[0] for vertex in model.landmarks]
    return _texels(uv[where])


def _texels(uv: F32) -> F32:
    return (np.stack([uv[:, 0], 1 - uv[:, 1]], 1) * SIDE - 0.5).astype(np.float32)


def _places(model: FaceModel) -> F32:
    """Rays cast straight down on the unfolded mesh tell which triangle each texel belongs to."""
    own = np.flatnonzero(model.material == FACE)
    flat = np.concatenate([model.uv[own].reshape(-1, 2), np.zeros((3 * len(own), 1), np.float32)], 1)
    mesh = Mesh(flat.astype(np.float32), np.arange(3 * len(own), dtype=np.int32).reshape(-1, 3))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    down = [(columns.ravel() + 0.5) / SIDE, 1 - (rows.ravel() + 0.5) / SIDE, np.ones(SIDE * SIDE)]
    origins = np.stack(down, 1).astype(np.float32)
    hits = mesh.first(np.tile(np.array([0, 0, -1], np.float32), (len(origins), 1)), origins)
    made = np.full((SIDE * SIDE, 3), -99, np.float32)
    corners = model.neutral[model.triangles[own[hits.triangle]]]
    made[hits.ray] = np.einsum("nk,nkc->nc", hits.weights, corners)
    return made.reshape(SIDE, SIDE, 3)


def _polygon(points: F32) -> F32:
    made = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(made, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(made / np.float32(255), np.float32)


def _soft(mask: F32, sd: float) -> F32:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sd), np.float32)


def _brows(uv: F32) -> F32:
    """Bands about the brow landmarks, thick at the nose and thin at the temples."""
    made = np.zeros((SIDE, SIDE), np.float32)
    for row in (uv[17:22][::-1], uv[22:27]):
        width = np.interp(np.arange(5), [0, 1, 2, 4], [6.5, 7.5, 6.5, 2.5])
        line = np.stack([np.interp(np.linspace(0, 4, 30), np.arange(5), row[:, axis]) for axis in (0, 1)], 1)
        thick = np.interp(np.linspace(0, 4, 30), np.arange(5), width)
        for (x, y), radius in zip(line, thick, strict=True):
            cv2.circle(made, (round(float(x)), round(float(y) + 4)), round(float(radius)), 1.0, -1, cv2.LINE_AA)
    return _soft(made, 2.4)


def _beard(place: F32) -> F32:
    x, y, z = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    top = np.interp(x, [0, 2.2, 3.2, 5.0, 6.2, 7.5], [-1.2, -1.5, -3.4, -3.0, -0.5, 2.5]).astype(
        np.float32
    )  # of the hair
    jaw = _step(top - y, 1.6) * _step(y + 8.6, 1.6) * _step(z - 0.8, 1.5)
    return np.asarray(_soft(jaw, 3.0), np.float32)


def _step(value: F32, width: float) -> F32:
    return np.asarray(np.clip(value / width + 0.5, 0, 1), np.float32)


def _blobs(place: F32, blobs: tuple[tuple[float, float, float, float], ...]) -> F32:
    """Soft balls (x, y, z, radius) and their mirror images."""
    made = np.zeros(place.shape[:2], np.float32)
    for x, y, z, radius in blobs:
        for side in {x, -x}:
            far = ((place - np.array([side, y, z], np.float32)) ** 2).sum(2)
            made = np.maximum(made, np.exp(-far / radius**2))
    return made


def _rim(model: FaceModel) -> F32:
    """(n, 3) the edge of the upper lids: where the face's mesh meets the sockets, above the corners of the eyes."""
    lids = np.intersect1d(model.triangles[model.material == FACE], model.triangles[model.material == SOCKET])
    points = model.neutral[lids]
    return np.asarray(points[points[:, 1] > 3.25 + 0.06 * (np.abs(points[:, 0]) - 3)])


def _distance(place: F32, points: F32) -> F32:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(points).query(place.reshape(-1, 3))[0].reshape(place.shape[:2]), np.float32)


def _openness(model: FaceModel) -> F32:
    """Share of rays that leave each vertex without meeting anything near; the mouth is looked at when it is open."""
    rest = model.neutral
    wide = model.express(rest, {"jawOpen": OPEN})
    inside = np.unique(model.triangles[~np.isin(model.material, (FACE, BACK, EYE_LEFT, EYE_RIGHT, SOCKET))])
    seen = np.setdiff1d(inside, model.triangles[model.material == FACE])
    made = _shares(model, rest, np.arange(len(rest)))
    made[seen] = 0.4 + 0.6 * _shares(model, wide, seen)  # lit through the lips, which the rays near them underrate
    return made


def _shares(model: FaceModel, vertices: F32, which: np.ndarray) -> F32:
    normals = vertex_normals(model, vertices)[which]
    rng = np.random.default_rng(1)
    sphere = rng.normal(size=(_RAYS, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    rays = normals[:, None] * 1.02 + sphere[None]  # cosine-weighted about each normal
    rays *= _REACH / np.linalg.norm(rays, axis=2, keepdims=True)
    origins = np.repeat(vertices[which] + 0.03 * normals, _RAYS, 0).astype(np.float32)
    hits = Mesh(vertices, model.triangles).first(rays.reshape(-1, 3).astype(np.float32), origins)
    light = np.ones(len(origins), np.float32)
    light[hits.ray] = np.clip(hits.far, 0, 1) ** 0.5  # what is far shades little
    return np.asarray(light.reshape(-1, _RAYS).mean(1), np.float32)


def vertex_normals(model: FaceModel, vertices: F32) -> F32:
    """(V, 3) unit normals, means of the faces' weighted by area."""
    corners = vertices[model.triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(sums, model.triangles[:, corner], faces)
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9), np.float32)


def _eyes(model: FaceModel) -> F32:
    made = np.zeros_like(model.neutral)
    for kind in (EYE_LEFT, EYE_RIGHT):
        own = np.unique(model.triangles[model.material == kind])
        points = model.neutral[own]
        away = points - (points.min(0) + points.max(0)) / 2
        made[own] = away / np.linalg.norm(away, axis=1, keepdims=True)
    return made
