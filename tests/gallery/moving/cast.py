"""Drawn people and small embedders for tests of migration: a template is a fixed random projection of the crop's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.types import Face, Frame, Sample, Template

SIDE = 12  # px of a crop


class Projection:
    """An embedder: pixels less their mean, times a random matrix."""

    def __init__(self, name: str, seed: int, size: int = 24) -> None:
        self.name = name
        self.space = f"{name} space"
        self.seen: list[str] = []  # sources of the faces that it was given
        self._matrix = np.random.default_rng(seed).normal(size=(SIDE * SIDE * 3, size))

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        self.seen += [face.frame.source for face in faces]
        return [Template(self.vector(face), self.space) for face in faces]

    def vector(self, face: Face) -> np.ndarray:
        # In integers as far as it goes and face by face, so that a crop gives the same bits in any batch.
        pixels = face.frame.pixels.astype(np.float64).ravel()
        row = (pixels - pixels.mean()) @ self._matrix
        return (row / np.linalg.norm(row)).astype(np.float32)


OLD, NEW = ("old", 1, 48), ("new", 2, 64)


def old() -> Projection:
    return Projection(*OLD)


def new() -> Projection:
    return Projection(*NEW)


def face(person: int, shot: int = 0, noise: float = 0.3, like: int | None = None) -> Face:
    """A crop of a person; `like` makes it one of somebody else under this person's number."""
    half = np.random.default_rng(like if like is not None else person).random((4, 2, 3))
    base = np.concatenate([half, half[:, ::-1]], 1).repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)  # symmetric, as faces are
    grain = np.random.default_rng((person, shot, 7)).random((SIDE, SIDE, 3))
    pixels = np.rint(255 * ((1 - noise) * base + noise * grain)).astype(np.uint8)
    points = np.array([[3, 4], [8, 4], [6, 6], [4, 9], [8, 9]], np.float32)
    return Face(Frame(pixels, f"{person}-{shot}.jpg"), np.array([0, 0, SIDE, SIDE], np.float32), points, 0.9)


def sample(embedder: Projection, person: int, shot: int = 0, *, crop: bool = True, like: int | None = None) -> Sample:
    seen = face(person, shot, like=like)
    template = Template(embedder.vector(seen), embedder.space, 0.5)
    return Sample(template, seen if crop else None, seen.frame.source)
