"""What is found in a second look lies where it lies in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from mien.detect.found import Found
from mien.detect.retries import RETRIES, tone
from mien.types import U8


def with_spot(height: int, width: int, x: int, y: int) -> U8:
    """Mid grey with a white spot whose upper left pixel is x, y."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[y : y + 4, x : x + 2] = 255
    return pixels


@pytest.mark.parametrize("name", ["border", "turned"])
@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (641, 1000)])
def test_places_come_back(name: str, shape: tuple[int, int]) -> None:
    pixels = with_spot(*shape, 30, 50)
    for view in RETRIES[name](pixels):
        rows, columns = np.nonzero(view.pixels[:, :, 0] > 150)
        x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1], [(x0 + x1) / 2, (y0 + y1) / 2]], np.float32)
        seen = Found(np.array([[x0, y0, x1, y1]], np.float32), corners[None], np.ones(1, np.float32))
        back = view.restored(seen)
        reduced = 1000 / 400 if shape == (641, 1000) and name == "border" else 0.5
        assert back.boxes[0] == pytest.approx([30, 50, 32, 54], abs=reduced)
        assert back.points[0, 4] == pytest.approx([31, 52], abs=reduced)
        assert back.points[0].min(axis=0) == pytest.approx(back.boxes[0, :2], abs=0.02)


def test_every_quarter_turn_is_tried() -> None:
    pixels = with_spot(40, 60, 0, 0)
    corners = {
        tuple(bool(view.pixels[y, x, 0] > 200) for y in (0, -1) for x in (0, -1)) for view in RETRIES["turned"](pixels)
    }
    assert corners == {(False, True, False, False), (False, False, True, False), (False, False, False, True)}


def test_a_dark_picture_is_spread_and_a_bright_one_left_alone() -> None:
    chance = np.random.default_rng(0)
    full = chance.integers(0, 256, (80, 90, 3), dtype=np.uint8)
    assert list(tone(full)) == []
    assert list(tone(np.full((80, 90, 3), 9, np.uint8))) == [], "there is nothing to spread in one grey"
    (view,) = tone(full // 10)
    assert view.pixels.min() == 0 and view.pixels.max() == 255
    order = np.argsort((full // 10).ravel(), kind="stable")
    assert (np.diff(view.pixels.ravel()[order].astype(int)) >= 0).all()
