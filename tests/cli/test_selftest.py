"""The drawn face and what the default models make of it."""

from __future__ import annotations

import numpy as np
import pytest

from mien import Engine
from mien.cli import selftest
from mien.types import Template


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def test_reference_is_what_the_default_models_say(engine: Engine) -> None:
    vector = engine.template(selftest.drawn_face()).vector
    assert float(vector @ selftest.reference()) > 0.9999, (
        f"the default changed: REFERENCE = {selftest.packed(vector)!r}"
    )
    assert selftest.faults(engine) == []


def test_drawing_is_the_same_at_every_size() -> None:
    small, large = selftest.drawn_face(80).astype(int), selftest.drawn_face(160).astype(int)
    halved = large.reshape(80, 2, 80, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small).mean() < 1


class Off:
    """An engine whose answers are wrong in one way."""

    def __init__(self, engine: Engine, faces: int = 1, shift: float = 0.0, noise: float = 0.0) -> None:
        self.engine, self.faces, self.shift, self.noise = engine, faces, shift, noise

    def detect(self, source: np.ndarray) -> list[object]:
        found = list(self.engine.detect(source))
        for face in found:
            face.points[:] += self.shift
        return found * self.faces

    def template(self, source: np.ndarray) -> Template:
        vector = self.engine.template(source).vector
        off = vector + self.noise * np.roll(vector, 1)
        return Template((off / np.linalg.norm(off)).astype(np.float32), "x")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"faces": 0}, "finds 0 faces"),
        ({"shift": 9.0}, "misplaces the eyes"),
        ({"noise": 0.5}, "embedder's answer is off"),
    ],
)
def test_wrong_answers_are_told(engine: Engine, wrong: dict[str, float], words: str) -> None:
    assert any(words in fault for fault in selftest.faults(Off(engine, **wrong)))  # type: ignore[arg-type]
