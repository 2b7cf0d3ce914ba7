"""The face model of the registry, as something that worker processes can make a renderer of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien import models
from mien.errors import ModelUnavailable
from mien.learn.synth.produce import Renderer

MODEL = "ict_face_light"


@dataclass(frozen=True, slots=True)
class FaceMaker:
    """Loads a face model and makes a renderer. Travels as a path."""

    path: Path
    digest: str  # SHA-256 of the file

    def __call__(self) -> Renderer:
        """A renderer of this face model. Raises InputError when the file is none."""
        from mien.learn.synth.model import load_face
        from mien.learn.synth.render import Engine

        return Engine(load_face(self.path))


def face_maker() -> FaceMaker:
    """The registry's face model. Raises ModelUnavailable with how to get it, ModelCorrupt."""
    card = models.card(MODEL)
    try:
        (path,) = models.ready(card).values()
    except ModelUnavailable as error:
        pull = f"Run: mien models pull {MODEL}. Or: " if any(file.sources for file in card.files) else ""
        check = f"Then: mien models verify {MODEL}"
        raise ModelUnavailable(error.message, f"{pull}{error.remedy} {check}") from error
    return FaceMaker(path, models.digest(card))
