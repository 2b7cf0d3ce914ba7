"""What spoils a picture: order, strength, and truth that knows of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.learn.synth.spoil import OCCLUDERS, spoil
from mien.learn.synth.state import PARTS, Rendered, Scene

SIZE = 96
OCCLUDED = PARTS.index("occluder")
# A face as iBUG's points have it, rough: eyes at 40 and 56, mouth at 66.
JAW = [(28 + 40 * i / 16, 40 + 40 * np.sin(np.pi * i / 16)) for i in range(17)]
BROWS = [(32 + 3 * i, 32) for i in range(5)] + [(52 + 3 * i, 32) for i in range(5)]
NOSE = [(48, 40 + 4 * i) for i in range(4)] + [(44 + 2 * i, 56) for i in range(5)]
EYES = [(x + dx, 40 + dy) for x in (40, 56) for dx, dy in ((-4, 0), (-2, -2), (2, -2), (4, 0), (2, 2), (-2, 2))]
MOUTH = [(48 + 8 * np.cos(a), 66 + 3 * np.sin(a)) for a in np.linspace(np.pi, 3 * np.pi, 20, endpoint=False)]
MARKS = np.array(JAW + BROWS + NOSE + EYES + MOUTH, np.float32)


def flat(grey: float = 120.0) -> tuple[np.ndarray, Rendered]:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    face = (rows - 50) ** 2 + (columns - 48) ** 2 < 34**2
    depth = np.where(face, 60.0, np.inf).astype(np.float32)
    clean = Rendered(
        np.empty(0, np.uint8), MARKS[:5], MARKS, np.array([20, 10, 76, 90], np.float32), face.astype(np.uint8), depth
    )
    return np.full((SIZE, SIZE, 3), grey, np.float32), clean


def done(scene: Scene, grey: float = 120.0) -> Rendered:
    return spoil(*flat(grey), scene)


PLAIN = Scene(size=SIZE)


def test_nothing_is_done_unasked() -> None:
    shot = done(PLAIN, 120.4)
    assert (shot.pixels == 120).all()


def test_noise_has_its_standard_deviation_and_seed() -> None:
    shot = done(replace(PLAIN, noise=6.0))
    assert shot.pixels.astype(float).std() == pytest.approx(6.0, rel=0.05)
    assert shot.pixels.mean() == pytest.approx(120, abs=0.3)
    assert (shot.pixels == done(replace(PLAIN, noise=6.0)).pixels).all()
    assert (shot.pixels != done(replace(PLAIN, noise=6.0, seed=2)).pixels).mean() > 0.8


def test_blur_comes_before_noise() -> None:
    sharp, soft = done(replace(PLAIN, noise=6.0)), done(replace(PLAIN, noise=6.0, blur=3.0))
    assert soft.pixels.astype(float).std() == pytest.approx(sharp.pixels.astype(float).std(), rel=0.02)


def test_jpeg_comes_last() -> None:
    clean, worse, worst = (
        done(replace(PLAIN, noise=6.0, jpeg=quality)).pixels.astype(float) for quality in (0, 60, 10)
    )
    assert 0 < np.abs(worse - clean).mean() < np.abs(worst - clean).mean()


@pytest.mark.parametrize("kind", [name for name in OCCLUDERS if name])
def test_mask_and_depth_know_of_an_occluder(kind: str) -> None:
    shot = done(replace(PLAIN, occluder=kind))
    there = shot.mask == OCCLUDED
    assert there.sum() > 100
    assert shot.depth[there].max() < 60.0, "it is before the face"
    untouched = ~there & (np.abs(shot.pixels.astype(int) - 120).max(2) == 0)
    assert untouched.sum() > 0.9 * (~there).sum() - 300
    assert (shot.landmarks == MARKS).all(), "the truth of the face stays"


def test_occluders_cover_what_they_are_called_for() -> None:
    def covered(kind: str, x: float, y: float) -> bool:
        return bool(done(replace(PLAIN, occluder=kind)).mask[round(y), round(x)] == OCCLUDED)

    assert covered("mask", 48, 66) and not covered("mask", 40, 36)
    assert covered("sunglasses", 40, 40) and covered("sunglasses", 56, 40) and not covered("sunglasses", 48, 66)
    assert covered("hand", 48, 66)
    assert covered("left", 60, 50) and not covered("left", 36, 50), "the subject's left is on the right of the picture"
    assert covered("right", 36, 50) and not covered("right", 60, 50)


def test_fog_takes_contrast_and_most_from_what_is_far() -> None:
    shot = done(replace(PLAIN, weather="fog", weather_strength=0.6), 20.0)
    near, far = shot.pixels[50, 48].mean(), shot.pixels[2, 2].mean()
    assert 20 < near < far < 206


@pytest.mark.parametrize("kind", ["rain", "snow"])
def test_more_weather_hides_more(kind: str) -> None:
    def change(strength: float) -> float:
        shot = done(replace(PLAIN, weather=kind, weather_strength=strength), 60.0)
        return float(np.abs(shot.pixels.astype(int) - 60).mean())

    assert change(0.0) == 0.0
    assert 0 < change(0.2) < change(1.0)
