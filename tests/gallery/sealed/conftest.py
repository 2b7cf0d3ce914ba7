"""Keys and vectors for the tests of the sealed gallery's scheme."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from mien.gallery.sealed import draws


def unit_rows(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def unit() -> Callable[..., np.ndarray]:
    """(count, dimension, seed) -> unit vectors, float32."""
    return unit_rows


@pytest.fixture
def known_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random numbers from a known seed: the one seam there is."""
    asked = [0]

    def entropy(count: int) -> bytes:
        asked[0] += 1
        return hashlib.shake_256(f"known answer {asked[0]}".encode()).digest(count)

    monkeypatch.setattr(draws, "_entropy", entropy)
