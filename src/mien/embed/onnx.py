"""Any embedder that is an ONNX graph and a card: dlib's ResNet, the ArcFace family, one's own.

The card says which chip the graph wants and how pixels go in; a graph whose input is uint8 takes raw RGB chips with
channels last and does the rest itself, as those that mien builds do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mien import align, models
from mien.errors import ModelCorrupt, UsageError
from mien.models import Card
from mien.types import F32, U8, Face, Template

_BATCH = 32  # faces per run: more gain nothing and hold memory
_REMEDY = "Run `mien models verify`; a graph of your own must fit its card."


class OnnxEmbedder:
    """Faces to unit vectors.

    May be called from several threads. With `threads` above 1, many faces are shared out over as many threads, each
    with its own chips and runs, which scales better than threads inside one run. `mirrored` adds the vector of the
    mirrored chip to each, or does not, in place of what the card says: twice the time, a space of its own."""

    def __init__(self, card: Card | str, threads: int = 1, mirrored: bool | None = None) -> None:
        """Load the graph of an embedder's card. Raises ModelError in its kinds, UsageError for a card of another task."""
        card = models.card(card) if isinstance(card, str) else card
        if card.input is None or card.input.template == "none" or card.task != "embedder":
            raise UsageError(f"The card {card.name} is not one of an embedder that takes aligned faces.")
        if threads < 1:
            raise UsageError(f"An embedder cannot run on {threads} threads.", "Ask for one or more.")
        self.name = card.name
        self.space = space(card, mirrored)
        self._card = card
        self._input = card.input
        self._mirrored = card.input.mirrored if mirrored is None else mirrored
        self._threads = threads
        (path,) = models.ready(card).values()
        self._session = models.session(path)
        (entry,) = self._session.get_inputs()
        self._entry: str = entry.name
        self._takes_bytes = entry.type == "tensor(uint8)"
        self._batch = entry.shape[0] if isinstance(entry.shape[0], int) else _BATCH

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        """One unit-length template per face, in order. Raises InputError for a face whose points fit no face."""
        step = max(1, min(self._batch, -(-len(faces) // self._threads)))
        groups = [faces[start : start + step] for start in range(0, len(faces), step)]
        if self._threads > 1 and len(groups) > 1:
            with ThreadPoolExecutor(self._threads, thread_name_prefix="embed") as pool:
                parts = list(pool.map(self._group, groups))
        else:
            parts = [self._group(group) for group in groups]
        return [Template(vector, self.space) for part in parts for vector in part]

    def vectors(self, chips: U8) -> F32:
        """(n, S, S, 3) aligned uint8 RGB chips to (n, D) vectors as the graph gives them, not of unit length."""
        steps = range(0, len(chips), self._batch)
        parts = [self._run(chips[start : start + self._batch]) for start in steps]
        return np.concatenate(parts) if parts else np.empty((0, self._card.dimension or 0), np.float32)

    def _group(self, faces: Sequence[Face]) -> F32:
        """(n, D) unit vectors."""
        template = self._input.template
        chips = np.stack([align.chip(face.frame.pixels, face.points, template) for face in faces])
        if not self._mirrored:
            return self._unit(self.vectors(chips))
        both = self._unit(self.vectors(np.concatenate([chips, chips[:, :, ::-1]])))  # one run is faster than two
        return self._unit(both[: len(chips)] + both[len(chips) :])

    def _run(self, chips: U8) -> F32:
        found = np.asarray(self._session.run(None, {self._entry: self._pixels(chips)})[0], np.float32)
        vectors = found.reshape(len(chips), -1)
        if self._card.dimension not in (None, vectors.shape[1]):
            told = f"{self.name} gave {vectors.shape[1]} numbers per face and its card says {self._card.dimension}."
            raise ModelCorrupt(told, _REMEDY)
        return vectors

    def _pixels(self, chips: U8) -> NDArray[np.generic]:
        """Chips as the graph wants them."""
        if self._takes_bytes:
            return np.ascontiguousarray(chips)
        if self._input.colour == "bgr":
            chips = chips[..., ::-1]
        mean, std = (np.asarray(values, np.float32) for values in (self._input.mean, self._input.std))
        pixels = (chips.astype(np.float32) - mean) / std
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if self._input.layout == "NCHW" else pixels)

    def _unit(self, vectors: F32) -> F32:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise ModelCorrupt(f"{self.name} gave no direction for a face.", _REMEDY)
        return np.asarray(vectors / lengths, np.float32)


def space(card: Card, mirrored: bool | None = None) -> str:
    """Name of the space that a card's vectors lie in: 16 hex digits over weights, template, preprocessing and variant.

    Raises UsageError for a card without input, ModelUnavailable for one without digests."""
    if card.input is None:
        raise UsageError(f"The card {card.name} does not say what its graph wants to see.")
    entry = card.input
    template = align.template(entry.template)
    lines = [
        models.digest(card),
        f"{entry.template} {template.size} {template.points.round(3).tolist()}",
        f"{entry.colour} {entry.mean} {entry.std}",
        "mirrored" if (entry.mirrored if mirrored is None else mirrored) else "plain",
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
