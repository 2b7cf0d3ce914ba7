"""Photos of people to many presentations of them, each with chance of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import EvidenceError
from mien.learn.attacks.attack import BONA_FIDE, KINDS, Kind
from mien.learn.attacks.simulate import simulate
from mien.types import U8

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_APART = 1_000_003  # between the seeds of two pools


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """n simulated presentations."""

    pixels: U8  # (n, size, size, 3 or 1)
    kinds: NDArray[np.str_]  # (n,)
    species: NDArray[np.str_]  # (n,) "bona fide" or the kind of instrument
    subjects: NDArray[np.str_]  # (n,) whose photo it is

    def only(self, kept: NDArray[np.bool_]) -> Pool:
        """Those that are `kept` (n,)."""
        return Pool(self.pixels[kept], self.kinds[kept], self.species[kept], self.subjects[kept])

    def of(self, kinds: Sequence[Kind], subjects: Sequence[str]) -> Pool:
        """Presentations of these kinds by these people."""
        return self.only(np.isin(self.kinds, list(kinds)) & np.isin(self.subjects, list(subjects)))

    @property
    def live(self) -> NDArray[np.bool_]:
        """(n,) whether bona fide."""
        found: NDArray[np.bool_] = self.kinds == BONA_FIDE
        return found

    def __len__(self) -> int:
        return len(self.kinds)


def pool(
    photos: Sequence[tuple[str, Callable[[], U8]]],
    kinds: Sequence[Kind],
    size: int,
    seed: int,
    grey: bool = True,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Pool:
    """One presentation of each kind of each photo, (size, size) px. photos: whose it is, and what reads it.

    No two presentations share a seed, so that no camera tells which belong together. grey: luminance only; of grey photos
    any colour would give the medium away. Raises EvidenceError without a photo."""
    if not photos:
        raise EvidenceError("There is no photo to present.", "Give photos of people.")
    rows: list[tuple[U8, str, str, str]] = []
    for index, (subject, read) in enumerate(photos):
        told(index, len(photos))
        pixels = read()
        for kind in kinds:
            one = simulate(pixels, kind, seed * _APART + index * len(KINDS) + KINDS.index(kind), size=(size, size))
            rows.append((_grey(one.pixels) if grey else one.pixels, kind, one.species, subject))
    told(len(photos), len(photos))
    pictures, kept, species, subjects = zip(*rows, strict=True)
    return Pool(np.stack(pictures), np.array(kept), np.array(species), np.array(subjects))


def _grey(pixels: U8) -> U8:
    found: U8 = (pixels @ _LUMA + 0.5).astype(np.uint8)[..., None]
    return found
