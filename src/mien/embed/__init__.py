"""Faces to templates."""

from __future__ import annotations

from mien.embed.onnx import OnnxEmbedder, space
from mien.protocols import Embedder

__all__ = ["OnnxEmbedder", "load", "space"]


def load(name: str, threads: int = 1) -> Embedder:
    """The embedder of a card, by name.

    Raises UnknownModel, UsageError for a card of another task, LicenceNotAccepted, ModelUnavailable, ModelCorrupt."""
    return OnnxEmbedder(name, threads)
