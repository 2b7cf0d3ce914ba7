"""Two pictures to one answer in DeepFace's shape."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from mien.compat.deepface.arguments import check, embedder_card, metric_name
from mien.compat.deepface.faces import area, find_faces
from mien.compat.deepface.pictures import read
from mien.compat.deepface.vectors import F64, Metric, confidence, distances, given_vector, limit, point, vectors
from mien.types import OperatingPoint

_NO_AREA = dict.fromkeys(("x", "y", "w", "h", "left_eye", "right_eye"))


def verify(  # noqa: PLR0913 (their signature)
    img1_path: Any,
    img2_path: Any,
    model_name: str = "Dlib",
    detector_backend: str = "mtcnn",
    distance_metric: Metric = "cosine",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: int = 0,
    normalization: str = "base",
    silent: bool = False,
    threshold: float | None = None,
    anti_spoofing: bool = False,
) -> dict[str, Any]:
    """Whether a person is in both pictures; a picture may also be an embedding (a list of floats).

    Returns DeepFace's keys and `evidence`: what stands behind the threshold. With several faces the closest pair
    counts, and the threshold is stricter in proportion to the number of pairs. Without a face (enforce_detection
    False) nothing is compared: not verified, distance infinite. `silent` changes nothing: nothing is ever printed.
    Raises FaceNotDetected, ImgNotFound, DataTypeError, DimensionMismatchError, UnimplementedError, EvidenceError."""
    begun = time.perf_counter()
    check(align=align, expand_percentage=expand_percentage, normalization=normalization, anti_spoofing=anti_spoofing)
    name, metric = embedder_card(model_name), metric_name(distance_metric, threshold)
    sides = [_side(picture, name, detector_backend, enforce_detection) for picture in (img1_path, img2_path)]
    (first, areas1), (second, areas2) = sides
    pairs = len(first) * len(second)
    found = point(name, max(1, pairs), search=False) if threshold is None else None
    accepted = limit(found, metric) if found is not None else float(threshold or 0.0)
    table = _pairwise(first, second, distance_metric)
    best = np.unravel_index(int(np.argmin(table)), table.shape) if pairs else None
    distance = float(table[best]) if best is not None else math.inf
    return {
        "verified": distance <= accepted,
        "distance": distance,
        "threshold": accepted,
        "confidence": confidence(distance, accepted),
        "model": model_name,
        "detector_backend": detector_backend,
        "similarity_metric": distance_metric,
        "facial_areas": {
            "img1": areas1[best[0]] if best is not None else _NO_AREA.copy(),
            "img2": areas2[best[1]] if best is not None else _NO_AREA.copy(),
        },
        "time": round(time.perf_counter() - begun, 2),
        "evidence": _evidence(found, len(first), len(second)),
    }


def _side(picture: Any, name: str, backend: str, enforce: bool) -> tuple[F64, list[dict[str, Any]]]:
    """Vectors (n, D) and areas of what was given as one picture."""
    if isinstance(picture, list):
        return given_vector(picture, name)[None], [_NO_AREA.copy()]
    faces = find_faces(read(picture), backend, enforce)
    return vectors(name, faces), [area(face) for face in faces]


def _pairwise(first: F64, second: F64, metric: Metric) -> F64:
    """(len(first), len(second)) distances."""
    if isinstance(metric, str):
        return distances(second, first, metric)
    return np.array([[float(metric(one, other)) for other in second] for one in first]).reshape(len(first), len(second))


def _evidence(found: OperatingPoint | None, faces1: int, faces2: int) -> dict[str, Any]:
    """What stands behind the threshold: no evidence for one that was set by hand."""
    pairs = faces1 * faces2
    seen = {
        "faces": [faces1, faces2],
        "pairs": pairs,
        "fmr": None,
        "low": None,
        "high": None,
        "comparisons": 0,
        "data": "",
    }
    if found is None or found.fmr is None:
        return seen
    return seen | {
        "fmr": found.fmr,  # of one comparison; of the answer at most `pairs` times as much
        "low": found.low,
        "high": found.high,
        "comparisons": found.comparisons,
        "data": found.data,
    }
