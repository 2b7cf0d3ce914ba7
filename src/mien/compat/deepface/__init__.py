"""DeepFace's names to mien's answers: `verify, find, represent, extract_faces` of DeepFace 0.0.103.

    from mien.compat import deepface as DeepFace

What is the same, and what differs on purpose, stands in ``docs/guides/from-deepface.md``.
"""

from __future__ import annotations

from mien.compat.deepface.errors import (
    DataTypeError,
    DimensionMismatchError,
    DuplicateEntryError,
    EmptyDatasource,
    FaceNotDetected,
    ImgNotFound,
    InvalidEmbeddingsShapeError,
    PathNotFound,
    SpoofDetected,
    UnimplementedError,
)
from mien.compat.deepface.faces import extract_faces
from mien.compat.deepface.folder import find
from mien.compat.deepface.pairs import verify
from mien.compat.deepface.vectors import represent

__all__ = [
    "DataTypeError",
    "DimensionMismatchError",
    "DuplicateEntryError",
    "EmptyDatasource",
    "FaceNotDetected",
    "ImgNotFound",
    "InvalidEmbeddingsShapeError",
    "PathNotFound",
    "SpoofDetected",
    "UnimplementedError",
    "extract_faces",
    "find",
    "represent",
    "verify",
]
