"""An engine without models: faces are where pictures say, templates follow from pixels. For what does not depend on models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from mien.audit.data import Labelled
from mien.engine import Engine
from mien.protocols import Needs
from mien.types import Clip, Face, Frame, Reading, Template

POINTS = np.float32([[4, 4], [8, 4], [6, 6], [4, 8], [8, 8]])


class Pixels:
    """Detector, embedder and judge. The first pixel of a picture tells how many faces it shows, the second their quality."""

    name = "pixels"
    space = "stub"
    kind = "quality"
    needs = Needs()

    def __init__(self, seen: Callable[[str], object] = lambda name: None) -> None:
        self.seen = seen

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        found = []
        for frame in frames:
            self.seen(frame.source)
            faces = range(int(frame.pixels[0, 0, 0]))
            found.append([Face(frame, np.float32([2, 2, 10 - n, 10 - n]), POINTS, 0.99 - n / 10) for n in faces])
        return found

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        templates = []
        for face in faces:
            seed = int.from_bytes(hashlib.sha256(face.frame.pixels.tobytes()).digest()[:8], "little")
            vector = np.random.default_rng(seed).normal(size=8)
            templates.append(Template((vector / np.linalg.norm(vector)).astype(np.float32), self.space))
        return templates

    def judge(self, clip: Clip) -> list[Reading]:
        return [Reading(self.kind, {"overall": clip.best.frame.pixels[0, 1, 0] / 100}, self.name)]


def stub_engine(seen: Callable[[str], object] = lambda name: None) -> Engine:
    engine, pixels = Engine(threads=2), Pixels(seen)
    engine.detector, engine.embedder, engine.judges = pixels, pixels, (pixels,)
    return engine


def drawn(name: str, subject: str = "", faces: int = 1, quality: int = 90, shade: int = 0) -> Labelled:
    """A picture that shows `faces` faces of a quality in percent; `shade` makes it another picture."""
    pixels = np.full((12, 12, 3), shade, np.uint8)
    pixels[0, 0], pixels[0, 1] = faces, quality
    return Labelled(name, subject, lambda: Frame(pixels, name))
