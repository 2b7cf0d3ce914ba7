"""A drawing of a face instead of the face model: fast, and known in closed form. Workers import it, so it is a module."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.learn.synth.state import Person, Rendered, Scene, State


class Stub:
    """A disc whose brightness is the pulse and whose lower half is as bright as AU12 on each side."""

    def render(self, person: Person, state: State, scene: Scene) -> Rendered:
        size = scene.size
        rows, columns = np.mgrid[:size, :size] / size - 0.5
        face = rows**2 + columns**2 < 0.16
        left, right = state.units.get("AU12", (0.0, 0.0))
        colour = (170 - 60 * person.melanin) * (1 - scene.pulse_depth * state.pulse)
        smile = np.where(columns > 0, left, right) * (rows > 0.1) * 40
        grey = np.where(face, colour + smile, scene.background[0])
        noise = np.random.default_rng(scene.seed).normal(0, 1 + scene.noise, (size, size, 3))
        pixels = np.clip(np.rint(grey[..., None] + noise), 0, 255).astype(np.uint8)
        points = np.array([[-0.15, -0.1], [0.15, -0.1], [0, 0], [-0.1, 0.2], [0.1, 0.2]], np.float32)
        return Rendered(
            pixels=pixels,
            points=(points + 0.5) * np.float32(size),
            landmarks=np.full((68, 2), size / 2, np.float32),
            box=np.array([0.1, 0.1, 0.9, 0.9], np.float32) * np.float32(size),
            mask=face.astype(np.uint8),
            depth=np.where(face, 60.0, np.inf).astype(np.float32),
        )


@dataclass(frozen=True, slots=True)
class StubMaker:
    """Makes the drawing."""

    digest: str = "stub"

    def __call__(self) -> Stub:
        return Stub()
