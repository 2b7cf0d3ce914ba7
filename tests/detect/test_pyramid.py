"""A crop shows the pixels that lie under its box, at any scale."""

from __future__ import annotations

import numpy as np
import pytest

from mien.detect.pyramid import Pyramid
from mien.types import U8


def ramps(width: int, height: int) -> U8:
    """Red grows by 1/4 per px to the right, green downwards."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x / 4, y / 4, np.zeros_like(x)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("side", [20, 48, 100, 190, 400, 800])
def test_crops_are_where_the_box_is(side: int) -> None:
    pyramid = Pyramid(ramps(1001, 903))
    box = np.array([[60.5, 40.25, 60.5 + side, 40.25 + side]], np.float32)
    (crop,) = pyramid.crops(box, 24)
    centres = (np.arange(24) + 0.5) * side / 24 - 0.5  # in px counted from pixel centres
    assert np.abs(crop[12, :, 0] - (60.5 + centres) / 4).max() < 1.2
    assert np.abs(crop[:, 12, 1] - (40.25 + centres) / 4).max() < 1.2


def test_outside_of_the_picture_its_edge_goes_on_undistorted() -> None:
    (crop,) = Pyramid(ramps(400, 400)).crops(np.array([[-100, -100, 100, 100]], np.float32), 50)
    assert (crop[:24, :24, :2] <= 1).all()
    assert np.abs(crop[30, 26:, 0] - (np.arange(26, 50) * 4 - 100) / 4).max() < 1.5


def test_a_scaled_picture_shows_all_of_it() -> None:
    scaled = Pyramid(ramps(1000, 600)).scaled(0.1)
    assert scaled.shape == (60, 100, 3)
    assert np.abs(scaled[30, :, 0] - (np.arange(100) * 10 + 4.5) / 4).max() < 1.2


def test_octaves_halve_exactly_and_never_vanish() -> None:
    pyramid = Pyramid(ramps(37, 21))
    assert [pyramid.octave(index).shape[:2] for index in range(4)] == [(21, 37), (10, 18), (5, 9), (2, 4)]
    assert Pyramid(ramps(1, 1)).scaled(0.01).shape == (1, 1, 3)
    assert Pyramid(ramps(3000, 2)).crops(np.array([[0, 0, 3000, 3000]], np.float32), 24).shape == (1, 24, 24, 3)
