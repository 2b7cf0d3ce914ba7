"""A gallery keeps the operating points measured on its own people."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mien.errors import GalleryCorrupt, GalleryReadOnly
from mien.gallery import EmbeddedGallery
from mien.types import OperatingPoint


def test_operating_points_survive_closing_and_are_sealed(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    point = OperatingPoint(0.91, fmr=1e-2, comparisons=4_950, subjects=100, data="here", space="s")
    with EmbeddedGallery(path) as gallery:
        gallery.keep_points([point])
    with EmbeddedGallery(path, read_only=True) as gallery:
        assert gallery.points == (point,)
        with pytest.raises(GalleryReadOnly):
            gallery.keep_points([])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE head SET points = replace(points, '0.91', '0.11')")
    with pytest.raises(GalleryCorrupt):
        EmbeddedGallery(path)
