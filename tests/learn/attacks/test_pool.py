"""Many presentations: whose they are, and that each has chance of its own."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import EvidenceError
from mien.learn.attacks import BONA_FIDE
from mien.learn.attacks.pool import pool
from mien.types import U8


def photo(level: int) -> U8:
    return np.full((40, 40, 3), level, np.uint8)


def test_every_photo_is_presented_in_every_kind() -> None:
    photos = [(name, lambda level=level: photo(level)) for name, level in (("ada", 60), ("bo", 190))]
    made = pool(photos, (BONA_FIDE, "print", "replay"), 32, 4)
    assert made.pixels.shape == (6, 32, 32, 1) and len(made) == 6
    assert made.subjects.tolist() == ["ada"] * 3 + ["bo"] * 3 and made.live.tolist() == [True, False, False] * 2
    assert [name.split(", ")[0] for name in made.species] == made.kinds.tolist()
    again = pool(photos, (BONA_FIDE, "print", "replay"), 32, 4)
    assert (again.pixels == made.pixels).all() and (pool(photos, (BONA_FIDE,), 32, 5).pixels != made.pixels[::3]).any()
    only = made.of((BONA_FIDE, "replay"), ["bo"])
    assert only.kinds.tolist() == [BONA_FIDE, "replay"] and set(only.subjects.tolist()) == {"bo"}
    assert pool(photos, ("print",), 32, 4, grey=False).pixels.shape == (2, 32, 32, 3)


def test_no_two_presentations_share_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.learn.attacks import pool as module

    seeds: list[int] = []
    real = module.simulate
    monkeypatch.setattr(
        module, "simulate", lambda pixels, kind, seed, size: seeds.append(seed) or real(pixels, kind, seed, size=size)
    )
    for seed in (1, 2):
        pool([("a", lambda: photo(9)), ("b", lambda: photo(9))], (BONA_FIDE, "print", "cut"), 16, seed)
    assert len(set(seeds)) == len(seeds) == 12


def test_nobody_is_refused() -> None:
    with pytest.raises(EvidenceError, match="no photo"):
        pool([], (BONA_FIDE,), 32, 0)
