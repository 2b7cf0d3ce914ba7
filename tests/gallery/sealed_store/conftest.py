"""What the tests of sealed galleries as a store share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.opening import open_sealed
from mien.gallery.sealed.profiles import profile
from mien.types import Sample, Template

DIMENSION = 64


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys.generate(profile("standard"))


@pytest.fixture(scope="session")
def other_keys() -> Keys:
    return Keys.generate(profile("standard"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sealed"


@pytest.fixture
def people(path: Path, keys: Keys) -> Path:
    """A gallery of five people, two templates each."""
    with open_sealed(path, keys) as gallery:
        for number in range(5):
            gallery.enrol(f"p{number}", made(number), {"number": number})
    return path


@pytest.fixture
def of() -> Callable[..., list[Sample]]:
    """The templates of one simulated person, by number."""
    return made


def made(number: int, count: int = 2) -> list[Sample]:
    rows = np.random.default_rng(number).normal(size=(count, DIMENSION))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [Sample(Template(row.astype(np.float32), "space"), source=f"{number} é.jpg") for row in rows]
