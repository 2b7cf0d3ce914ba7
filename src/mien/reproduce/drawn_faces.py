"""Faces drawn with a few ellipses and strokes, moved by the same programs that move the rendered ones.

A stand-in for the face engine where its face model is absent or time is short: about 0.3 ms a picture. It has what tests of a
mechanism need (people who differ, action units that come and go, light, noise) and nothing of what makes real faces hard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from mien.learn.synth.state import Person, Rendered, Scene, State
from mien.types import F32, U8

CANVAS = 96  # px of the drawing, before it is made smaller


@dataclass(frozen=True, slots=True)
class DrawnFaces:
    """Makes drawers; see `learn.synth.produce.Maker`."""

    digest: str = "drawn faces 1"

    def __call__(self) -> Drawer:
        """A drawer. It holds nothing."""
        return Drawer()


class Drawer:
    """Draws a person in a state; truth that only a rendered face has is empty."""

    def render(self, person: Person, state: State, scene: Scene) -> Rendered:
        """A picture of the scene's size."""
        canvas = np.full((CANVAS, CANVAS, 3), scene.background, np.float32)
        look = np.random.default_rng(person.seed).normal(0, 1, 8)
        _draw(canvas, look, _skin(person, scene), _Pose.of(state, scene), state)
        small = cv2.resize(canvas, (scene.size, scene.size), interpolation=cv2.INTER_AREA)
        small += np.random.default_rng(scene.seed).normal(0, max(scene.noise, 3.0), small.shape)
        empty: F32 = np.zeros((68, 2), np.float32)
        plain: U8 = np.zeros((scene.size, scene.size), np.uint8)
        pixels = np.clip(small, 0, 255).astype(np.uint8)
        depth: F32 = np.full(plain.shape, np.inf, np.float32)
        box: F32 = np.array([0, 0, scene.size, scene.size], np.float32)
        return Rendered(pixels, empty[:5], empty, box, plain, depth)


@dataclass(frozen=True, slots=True)
class _Pose:
    """Where features are, px of the canvas."""

    x: float
    y: float
    turn: float  # by which features move within the outline
    nod: float

    @classmethod
    def of(cls, state: State, scene: Scene) -> _Pose:
        yaw, pitch, _ = state.pose
        middle, unit = CANVAS / 2, CANVAS / scene.size
        return cls(middle + scene.centre[0] * unit, middle + scene.centre[1] * unit, 30 * yaw, -30 * pitch)


def _skin(person: Person, scene: Scene) -> tuple[float, ...]:
    light = (0.45 + 0.55 * scene.key) * (235 - 150 * person.melanin)
    return light, 0.8 * light, 0.68 * light


def _draw(canvas: np.ndarray, look: np.ndarray, skin: tuple[float, ...], pose: _Pose, state: State) -> None:
    units = {name: sum(sides) / 2 for name, sides in state.units.items()}
    wide = 33 + 2 * look[0]
    _oval(canvas, (pose.x, pose.y), (wide, 42 + 2 * look[1]), skin)
    dark = tuple(0.35 * one for one in skin)
    x, y = pose.x + pose.turn, pose.y + pose.nod
    _eyes(canvas, (x, y - 8 + look[2]), 14 + look[3], units, (dark, max(state.blink)))
    _brows(canvas, (x, y - 17 + look[2]), (14 + look[3], 2 + max(0, round(look[4]))), units, dark)
    wrinkle = _of(units, "AU09", "AU10")
    tip = y + 8 + look[5] - 3 * wrinkle
    _stroke(canvas, [(x - 4 - 2 * wrinkle, tip - 1), (x, tip + 1), (x + 4 + 2 * wrinkle, tip - 1)], dark, 1)
    _mouth(canvas, (x, y + 20 + look[6]), 12 + look[7], units, dark)


def _of(units: Mapping[str, float], *names: str) -> float:
    return max(units.get(name, 0.0) for name in names)


def _eyes(
    canvas: np.ndarray, at: tuple[float, float], apart: float, units: Mapping[str, float],
    how: tuple[tuple[float, ...], float],
) -> None:  # fmt: skip
    dark, blink = how
    height = (3 + 2 * _of(units, "AU05") - 1.5 * _of(units, "AU06", "AU07")) * (1 - 0.9 * blink)
    for side in (-1, 1):
        _oval(canvas, (at[0] + side * apart, at[1]), (6, max(0.5, height)), (230, 230, 230))
        _oval(canvas, (at[0] + side * apart, at[1]), (2.5, max(0.5, min(2.5, height))), dark)


def _brows(
    canvas: np.ndarray, at: tuple[float, float], size: tuple[float, int], units: Mapping[str, float],
    dark: tuple[float, ...],
) -> None:  # fmt: skip
    inner = -5 * _of(units, "AU01") + 5 * _of(units, "AU04")
    outer = -5 * _of(units, "AU02") + 1 * _of(units, "AU04")
    for side in (-1, 1):
        near = (at[0] + side * (size[0] - 7 - _of(units, "AU04")), at[1] + inner)
        _stroke(canvas, [near, (at[0] + side * (size[0] + 7), at[1] + outer)], dark, size[1])


def _mouth(
    canvas: np.ndarray, at: tuple[float, float], wide: float, units: Mapping[str, float], dark: tuple[float, ...]
) -> None:
    wide += 4 * _of(units, "AU12", "AU20") - 3 * _of(units, "AU24", "AU26")
    corner = -6 * _of(units, "AU12") + 5 * _of(units, "AU15")
    upper, lower = 4 * _of(units, "AU10", "AU09"), 3 * _of(units, "AU25") + 8 * _of(units, "AU26")
    lift = 3 * _of(units, "AU17")
    left, right = (at[0] - wide, at[1] + corner), (at[0] + wide, at[1] + corner)
    if upper + lower > 0.5:
        lips = [left, (at[0], at[1] - upper), right, (at[0], at[1] + max(lower, 1) - lift)]
        cv2.fillPoly(canvas, [_fixed(lips)], (60.0, 20.0, 20.0), cv2.LINE_8, 4)
    _stroke(canvas, [left, (at[0], at[1] - upper - lift), right], dark, 2)


def _fixed(points: list[tuple[float, float]]) -> np.ndarray:
    return np.round(np.array(points) * 16).astype(np.int32).reshape(-1, 1, 2)


def _stroke(canvas: np.ndarray, points: list[tuple[float, float]], colour: tuple[float, ...], thick: int) -> None:
    cv2.polylines(canvas, [_fixed(points)], False, colour, thick, cv2.LINE_8, 4)


def _oval(canvas: np.ndarray, at: tuple[float, float], size: tuple[float, float], colour: tuple[float, ...]) -> None:
    centre, axes = (tuple(round(one * 16) for one in pair) for pair in (at, size))
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_8, 4)
