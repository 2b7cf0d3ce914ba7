"""What a simulated presentation is, and how it is kept: never without the word "simulated".

pixels -> View -> Canvas -> medium -> camera -> Attack
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from mien.errors import CannotWrite, MediaNotFound, UsageError
from mien.types import U8, Frame

Kind = Literal["bona fide", "print", "replay", "cut", "partial"]
Value = float | int | str | bool
KINDS: tuple[Kind, ...] = get_args(Kind)
BONA_FIDE: Kind = "bona fide"
PARTS = ("live or background", "picture", "frame")  # values of `Attack.mask`; frame: bezel, margin of the paper
MARK = "simulated"  # the first word of the description that is written into every file


@dataclass(frozen=True, slots=True, eq=False)
class Attack:
    """A simulated presentation (bona fide ones too: they pass the same simulated camera) and the truth behind it."""

    pixels: U8  # (H, W, 3) RGB, as the camera delivers them
    kind: Kind
    parameters: Mapping[str, Value] = field(default_factory=dict)  # every draw by its name, such as "camera.jpeg"
    mask: U8 = field(default_factory=lambda: np.zeros((0, 0), np.uint8))  # (H, W) what is seen there, see PARTS

    @property
    def species(self) -> str:
        """The kind of instrument, as error rates are counted: "print, halftone", "replay, phone", …; or "bona fide"."""
        what = {"print": "printed.process", "replay": "replay.device", "cut": "cut.holes", "partial": "partial.region"}
        return f"{self.kind}, {self.parameters[what[self.kind]]}" if self.kind in what else self.kind

    @property
    def frame(self) -> Frame:
        """As a frame whose source says what it is."""
        return Frame(self.pixels, source=f"{MARK} {self.species}")

    @property
    def truth(self) -> str:
        """All of it but the pixels, as JSON."""
        told = {"provenance": MARK, "kind": self.kind, "species": self.species, "parameters": dict(self.parameters)}
        return json.dumps(told, indent=1, sort_keys=True)


def write(attack: Attack, path: Path) -> tuple[Path, Path, Path]:
    """Write NAME.png with its provenance in it, NAME.mask.png and NAME.json with every parameter; hand back their paths.

    PNG, since another compression on top of the camera's would be seen by whoever learns from it. Raises UsageError for
    another suffix, MediaNotFound when there is no such folder, CannotWrite when the disk refuses."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    if path.suffix.lower() != ".png":
        raise UsageError(f"A simulated presentation cannot be written as {path.name}.", "Give it the suffix .png.")
    if not path.parent.is_dir():
        raise MediaNotFound(f"There is no folder {path.parent}.", "Make it first.")
    told = PngInfo()
    told.add_text("Description", f"{MARK}: {attack.species}; made by a program, no recording of a presentation")
    told.add_itxt("Parameters", attack.truth)
    mask, truth = path.with_suffix(".mask.png"), path.with_suffix(".json")
    try:
        Image.fromarray(attack.pixels).save(path, pnginfo=told)
        Image.fromarray(attack.mask).save(mask, pnginfo=told)
        truth.write_text(attack.truth + "\n", encoding="utf8")
    except OSError as error:
        raise CannotWrite(
            f"{path.name} cannot be written: {error.strerror or error}.", "Check the space and the permissions there."
        ) from error
    return path, mask, truth
