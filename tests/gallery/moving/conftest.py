"""What the tests of migration share."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mien.gallery import open_gallery


@pytest.fixture(scope="session")
def cast() -> SimpleNamespace:
    """Drawn people and the embedders `old` and `new` (see cast.py)."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("cast.py"))))


@pytest.fixture
def filled(cast: SimpleNamespace, tmp_path: Path) -> Callable[..., Path]:
    """Makes people.db with so many people, two shots each, in the old space."""

    def fill(count: int = 6, shots: int = 2) -> Path:
        path, embedder = tmp_path / "people.db", cast.old()
        with open_gallery(path) as gallery:
            for person in range(count):
                samples = [cast.sample(embedder, person, shot) for shot in range(shots)]
                gallery.enrol(f"p{person}", samples, {"n": person}, enrolled="2020-01-02T03:04:05+00:00")
        return path

    return fill
