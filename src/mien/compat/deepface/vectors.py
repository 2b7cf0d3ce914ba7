"""Faces to vectors, vectors to distances, and the thresholds that the evidence on a model's card gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien import embed
from mien.compat.deepface.arguments import check, embedder_card
from mien.compat.deepface.errors import DataTypeError, DimensionMismatchError, InvalidEmbeddingsShapeError
from mien.compat.deepface.faces import area, cut, find_faces
from mien.compat.deepface.pictures import read, several
from mien.decide import VERIFY_FMR, Policy
from mien.errors import EvidenceError
from mien.models import card
from mien.protocols import Embedder
from mien.types import Face, OperatingPoint

F64 = NDArray[np.float64]
Metric = str | Callable[[F64, F64], Any]


def represent(  # noqa: PLR0913 (their signature)
    img_path: Any,
    model_name: str = "Dlib",
    enforce_detection: bool = True,
    detector_backend: str = "mtcnn",
    align: bool = True,
    expand_percentage: int = 0,
    normalization: str = "base",
    anti_spoofing: bool = False,
    max_faces: int | None = None,
    l2_normalize: bool = False,
    minmax_normalize: bool = False,
    return_face: bool = False,
) -> list[Any]:
    """Faces of a picture, largest first, each {embedding, facial_area, face_confidence}; of several pictures, a list each.

    embedding: floats of unit length, also without `l2_normalize`. With `return_face` also face, as of extract_faces.
    Raises FaceNotDetected when there is none and enforce_detection is set; without it the list is empty."""
    check(
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        anti_spoofing=anti_spoofing,
        minmax_normalize=minmax_normalize,
    )
    name, pictures = embedder_card(model_name), several(img_path)
    frames = [read(picture) for picture in ([img_path] if pictures is None else pictures)]
    found = [find_faces(frame, detector_backend, enforce_detection, max_faces) for frame in frames]
    rows = iter(vectors(name, [face for faces in found for face in faces]))
    every = []
    for faces in found:
        every.append([_represented(face, next(rows), return_face) for face in faces])
    return every[0] if len(every) == 1 else every


def _represented(face: Face, vector: F64, with_face: bool) -> dict[str, Any]:
    made = {"embedding": vector.tolist(), "facial_area": area(face), "face_confidence": round(face.score, 2)}
    return made | {"face": cut(face, align=True, expand=0) / 255} if with_face else made


@cache
def embedder(name: str) -> Embedder:
    """The embedder of a card; loaded once."""
    return embed.load(name)


def vectors(name: str, faces: Sequence[Face]) -> F64:
    """(n, D) unit vectors of faces."""
    if not faces:
        return np.empty((0, card(name).dimension or 0))
    rows = np.stack([template.vector for template in embedder(name).embed(faces)]).astype(np.float64)
    # Of unit length in float64 as well, so that a face is at distance 0 from itself by every metric.
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def given_vector(values: Sequence[Any], name: str) -> F64:
    """An embedding that the caller brings, at unit length.

    Raises DataTypeError, DimensionMismatchError, InvalidEmbeddingsShapeError."""
    if not all(isinstance(value, int | float) for value in values):
        raise DataTypeError(
            "A list stands for an embedding and holds numbers only.", "Give a path or array for a picture."
        )
    dimension = card(name).dimension
    if dimension is not None and len(values) != dimension:
        raise DimensionMismatchError(
            f"An embedding of {name} has {dimension} numbers, not {len(values)}.",
            "Make it with represent and the same model.",
        )
    vector = np.asarray(values, np.float64)
    length = float(np.linalg.norm(vector))
    if not (math.isfinite(length) and length > 0):
        raise InvalidEmbeddingsShapeError("An embedding cannot be all zero, nor hold NaN.", "Make it with represent.")
    return vector / length


def distances(gallery: F64, probes: F64, metric: str) -> F64:
    """(len(probes), len(gallery)) distances of unit vectors, to 6 digits as DeepFace rounds them."""
    cosine = np.clip(probes @ gallery.T, -1.0, 1.0)
    return np.asarray(np.round(_of_cosine(cosine, metric), 6) + 0.0, np.float64)


def _of_cosine(cosine: ArrayLike, metric: str) -> F64:
    """A metric as a function of the cosine. All fall as the cosine grows, so that each gives the same verdicts."""
    values = np.asarray(cosine, np.float64)
    if metric == "cosine":
        return 1 - values
    if metric == "angular":
        return np.arccos(values) / math.pi
    return np.sqrt(2 - 2 * values)  # euclidean and euclidean_l2 are the same on unit vectors


def point(name: str, comparisons: int, *, search: bool) -> OperatingPoint:
    """What the card's evidence says about that many comparisons at once.

    A verification bears one false match in 1,000 pairs of pictures of different people, however many faces they show;
    a search one stranger named in 100. Where the evidence does not reach, the strictest threshold it supports.
    Raises EvidenceError when the card has no evidence."""
    points = [known for known in card(name).operating_points if known.space in ("", embedder(name).space)]
    if not search:
        try:
            return Policy(fpir=VERIFY_FMR).point(points, comparisons)
        except EvidenceError:
            return Policy().point(points, 10**9)  # out of reach as well: the strictest there is, or the error again
    return Policy().point(points, comparisons)


def limit(operating: OperatingPoint, metric: str) -> float:
    """The largest distance that is still accepted."""
    return float(_of_cosine(operating.threshold, metric))


def confidence(distance: float, threshold: float) -> float:
    """Where a distance lies: 51..100 from the threshold to 0, 49..0 from the threshold outwards. Not a probability."""
    if distance <= threshold:
        return round(100.0 - (49.0 * distance / threshold if threshold > 0 else 0.0), 2)
    return round(49.0 * max(0.0, threshold) / distance, 2) if math.isfinite(distance) else 0.0
