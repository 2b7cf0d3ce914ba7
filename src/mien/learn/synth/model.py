"""The morphable face: ICT-FaceKit's light model as one npz file, checked when it is loaded.

    load_face(path) -> FaceModel
    FaceModel.shape(identity (100,), {blendshape: 0..1}) -> (V, 3) vertices, cm

Source: Li et al., "Learning formation of physically-based face attributes", CVPR 2020; code and data under the MIT licence.
Axes: x to the subject's left, y up, z forward.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.errors import InputError
from mien.types import F32

I32 = npt.NDArray[np.int32]
KEPT = ("M_Face", "M_BackHead", "M_GumsTongue", "M_Teeth", "M_ScleraLeft", "M_ScleraRight")  # others are clear shells
FACE, BACK, GUMS, TEETH, EYE_LEFT, EYE_RIGHT = range(6)
BAG, SOCKET = 6, 7  # of the back of the head: the mouth's lining, and what lies behind the eyeballs
_KEYS = ("neutral", "quads", "quad_uvs", "uv", "quad_material", "material_names", "identity_deltas",
         "expression_deltas", "expression_names", "idx_to_landmark_verts")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class FaceModel:
    """Arrays of the model; triangles are ordered by material."""

    neutral: F32  # (V, 3) cm
    triangles: I32  # (T, 3) vertices, counter-clockwise seen from outside
    uv: F32  # (T, 3, 2) texture coordinates of the corners within the material's own tile, 0..1
    material: I32  # (T,) FACE .. SOCKET
    identity: F32  # (100, V, 3)
    expressions: Mapping[str, F32]  # blendshape -> (V, 3) cm at weight 1
    landmarks: I32  # (68,) vertices, in the order of iBUG's 68 points

    def shape(self, identity: F32, weights: Mapping[str, float]) -> F32:
        """(V, 3) vertices, cm. Blendshapes add up. Raises InputError for a wrong length or an unknown name."""
        return self.express(self.rest(identity), weights)

    def rest(self, identity: F32) -> F32:
        """(V, 3) a person's face at rest."""
        if identity.shape != (len(self.identity),):
            raise InputError(
                f"An identity has {len(self.identity)} coefficients; this one has shape {identity.shape}.",
                "Draw it with mien.learn.synth.people.draw_person.",
            )
        flat = self.identity.reshape(len(self.identity), -1)
        return (self.neutral + (identity.astype(np.float32) @ flat).reshape(-1, 3)).astype(np.float32)

    def express(self, rest: F32, weights: Mapping[str, float]) -> F32:
        """(V, 3) a face at rest, moved by blendshapes."""
        made = rest.copy()
        for name, weight in weights.items():
            if name not in self.expressions:
                raise InputError(
                    f"The face model has no blendshape '{name}'.", f"It has {', '.join(sorted(self.expressions))}."
                )
            if weight:
                made += np.float32(weight) * self.expressions[name]
        return made


def load_face(path: Path) -> FaceModel:
    """Read the npz file. Raises InputError when it is none or is another model."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in _KEYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path.name} is no face model: {error}.", "Give ict_face_model_light.npz of the model registry."
        ) from error
    return _made(arrays)


def _made(arrays: Mapping[str, np.ndarray]) -> FaceModel:
    names = [str(name) for name in arrays["material_names"]]
    quads, corners, kinds = arrays["quads"], arrays["quad_uvs"], arrays["quad_material"]
    triangles, uv, material = [], [], []
    for number, name in enumerate(KEPT):
        own = kinds == names.index(name)
        quad, corner = quads[own], corners[own]
        for pick in ((0, 1, 2), (0, 2, 3)):
            whole = (quad[:, pick] >= 0).all(1)  # a triangle among quads ends with -1
            triangles.append(quad[whole][:, pick])
            uv.append(arrays["uv"][corner[whole][:, pick]] % 1.0)
            material.append(np.full(int(whole.sum()), number))
    deltas = arrays["expression_deltas"].astype(np.float32)
    neutral, corners3 = arrays["neutral"].astype(np.float32), np.concatenate(triangles).astype(np.int32)
    return FaceModel(
        neutral=neutral,
        triangles=corners3,
        uv=np.concatenate(uv).astype(np.float32),
        material=_lined(np.concatenate(material), neutral[corners3]),
        identity=arrays["identity_deltas"].astype(np.float32),
        expressions=dict(zip(map(str, arrays["expression_names"]), deltas, strict=True)),
        landmarks=arrays["idx_to_landmark_verts"].astype(np.int32),
    )


def _lined(material: I32, corners: F32) -> I32:
    """Materials with the linings told apart from the scalp and neck; they are pieces of their own in the mesh."""
    x, y, z = np.moveaxis(np.abs(corners) * (1, 0, 0) + corners * (0, 1, 1), 2, 0)
    bag = ((x < 3.6) & (y > -5.9) & (y < -0.4) & (z > 0.7)).all(1)
    socket = ((x > 1.5) & (x < 4.6) & (y > 2.0) & (y < 5.1) & (z > 6.4)).all(1)
    made = np.where((material == BACK) & bag, BAG, material)
    return np.where((material == BACK) & socket, SOCKET, made).astype(np.int32)
