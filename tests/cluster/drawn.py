"""Photos whose pixels say who is on them, and an engine that reads it: albums are tested without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from mien.errors import MienError
from mien.sighting import Shot
from mien.types import Face, Frame, OperatingPoint, Reading, Template

SPACE = "drawn"
Who = tuple[int, int, float]  # person, which of their looks, quality

# Two faces merge at .8, large groups at .6.
POINTS = tuple(OperatingPoint(t, rate, comparisons=10**7) for t, rate in ((0.6, 9e-4), (0.8, 3e-5)))


def vector(person: int, look: int) -> np.ndarray:
    """Looks of one person have cosines of about .87, people of about 0; person 100 + p is half-way from p to p + 1."""
    if person >= 100:
        mixed = vector(person - 100, 999) + vector(person - 99, 999)
        return np.asarray(mixed / np.linalg.norm(mixed), np.float32)
    middle = np.random.default_rng(person).normal(size=32)
    spread = np.random.default_rng((person, look)).normal(size=32)
    mixed = middle / np.linalg.norm(middle) + 0.38 * spread / np.linalg.norm(spread)
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def photo(path: Path, *faces: Who) -> Path:
    """A PNG with these faces on it."""
    pixels = np.zeros((96, 40 * max(1, len(faces)), 3), np.uint8)
    for index, (person, look, quality) in enumerate(faces):
        pixels[0, index] = person + 1, look, round(quality * 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


class Reader:
    """What an album wants of an engine."""

    points = POINTS
    embedder = SimpleNamespace(space=SPACE)

    def __init__(self, stop_after: int = 10**9) -> None:
        self.looked = 0
        self.stop_after = stop_after

    def faces(self, frame: Frame) -> list[Face]:
        self.looked += 1
        if self.looked > self.stop_after:
            raise KeyboardInterrupt
        found = []
        for index, (person, _, _) in enumerate(frame.pixels[0]):
            if person:
                x = 40.0 * index
                points = np.array([[x + 12, 20], [x + 28, 20], [x + 20, 30], [x + 14, 40], [x + 26, 40]], np.float32)
                box = np.array([x, 0, x + 40, 60], np.float32)
                found.append(Face(frame, box, points, 0.9, track=index))
        return found

    def shots(self, faces: Sequence[Face]) -> list[Shot]:
        made = []
        for face in faces:
            person, look, quality = (int(value) for value in face.frame.pixels[0, face.track])
            template = Template(vector(person - 1, look), SPACE, quality / 255)
            made.append(Shot(face, template, Reading("quality", {"overall": quality / 255}, "drawn")))
        return made

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for item in items:
            try:
                yield item, function(item)
            except MienError as error:
                yield item, error
