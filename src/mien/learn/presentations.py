"""Examples of live faces and attacks as tensors: those of a data set, or attacks simulated from its photos."""

from __future__ import annotations

import zlib
from functools import partial

import torch

from mien.errors import EvidenceError
from mien.learn.attacks import BONA_FIDE, Kind
from mien.learn.attacks.pool import Pool, pool
from mien.learn.data.example import Dataset, Split
from mien.learn.recipe import Arrays
from mien.learn.stills import stills

LIVE, ATTACK = LABELS = ("live", "attack")


def presentations(source: Dataset, split: Split, media: tuple[Kind, ...], size: int) -> Arrays:
    """The labelled presentations of a split; where nothing is labelled live or attack, photos become both, simulated.

    Grey, (n, size, size, 1). Raises EvidenceError for an empty split, or a class without an example."""
    chosen = source.of(split).examples
    if any(one.label in LABELS for one in chosen):
        return stills(source, split, LABELS, size)
    if not chosen:
        raise EvidenceError(
            f"The data ({source.layout}) have nothing in the split '{split}'.", "Give photos of people."
        )
    from mien.learn.data.pixels import read_still

    photos = [(one.subject or one.name, partial(read_still, one.media)) for one in chosen]
    seed = zlib.crc32(f"{source.layout} {split} {len(chosen)}".encode())
    return arrays(pool(photos, (BONA_FIDE, *media), size, seed))


def arrays(made: Pool) -> Arrays:
    """A pool as tensors; class 0 is live."""
    truth = torch.from_numpy((~made.live).astype("int64"))
    names = [f"{index} {species}" for index, species in enumerate(made.species.tolist())]
    return Arrays({"pixels": torch.from_numpy(made.pixels)}, truth, made.subjects.tolist(), names)
