"""What detectors hold in common: faces as arrays while they are worked on, and one way over many frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.detect.boxes import largest_first
from mien.types import F32, U8, Face, Frame


class Session(Protocol):
    """What is asked of an ONNX Runtime session."""

    def run(self, outputs: list[str] | None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs of these names, in their order."""


class Value(Protocol):
    """What is asked of the description of a session's input or output."""

    name: str


class NamedSession(Session, Protocol):
    """A session that is asked for the names of its values, because they differ between files."""

    def get_inputs(self) -> Sequence[Value]:
        """The inputs, in order."""

    def get_outputs(self) -> Sequence[Value]:
        """The outputs, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """n faces in the px of one picture, no order promised."""

    boxes: F32  # (n, 4)
    points: F32  # (n, 5, 2)
    scores: F32  # (n,)

    @property
    def surest(self) -> float:
        """The highest score; 0 where nothing was found."""
        return float(self.scores.max(initial=0))

    def where(self, index: NDArray[Any]) -> Found:
        """Those that `index` (positions or a mask) picks."""
        return Found(self.boxes[index], self.points[index], self.scores[index])

    def enlarged(self, x: float, y: float) -> Found:
        """The same in a picture that is x times as wide and y times as high."""
        unit = np.array([x, y], np.float32)
        return Found(self.boxes * np.tile(unit, 2), self.points * unit, self.scores)

    def faces(self, frame: Frame) -> list[Face]:
        """The same as faces of `frame`, in the same order."""
        rows = zip(self.boxes, self.points, self.scores, strict=True)
        return [Face(frame, box, points, float(min(max(score, 0.0), 1.0))) for box, points, score in rows]


def nothing() -> Found:
    """No face."""
    return Found(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))


def each(search: Callable[[U8], Found], frames: Sequence[Frame], threads: int) -> list[list[Face]]:
    """The faces of every frame, largest first; frames are shared among `threads`."""

    def one(frame: Frame) -> list[Face]:
        found = search(frame.pixels)
        return found.where(largest_first(found.boxes)).faces(frame)

    if threads == 1 or len(frames) < 2:
        return [one(frame) for frame in frames]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, frames))
