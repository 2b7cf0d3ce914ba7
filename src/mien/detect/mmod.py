"""dlib's MMOD detector on ONNX Runtime: its boxes, with MTCNN's five points.

D. E. King, "Max-Margin Object Detection", arXiv:1502.00046, 2015, with the network of dlib's file
cnn_face_detection_model_v1. All levels of the picture's pyramid are laid out on one canvas as dlib lays them out,
because what lies beside a level and at which phase of the 8 px grid it lies change the score; so the boxes come out as
the same whole numbers as dlib's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.detect.boxes import suppress
from mien.detect.found import Found, Session, each, nothing
from mien.detect.mtcnn import Mtcnn
from mien.errors import UsageError
from mien.types import F32, U8, Face, Frame

MEAN = np.array([122.78199768066406, 117.0009994506836, 104.29799652099609], np.float32)  # R, G, B of the empty canvas
_GAP, _EDGE = 10, 11  # px between two levels and around all of them
_SMALLEST = 5  # px: lowest level
_CELL, _FIRST, _WINDOW = 8, 14, 80  # px: a cell of the map, the centre of its first window, side of a window
_OVERLAP = 0.3382761351109955  # of the box around both; stored with the weights
_AT_MOST = 1000  # windows that overlap is looked at among


@dataclass(frozen=True, slots=True)
class MmodOptions:
    """What may be chosen."""

    accept: float = 0.0  # confidence, dlib's unit: above it is a face. Face.score is confidence / (1 + confidence)

    def __post_init__(self) -> None:
        if not math.isfinite(self.accept) or self.accept < 0:
            raise UsageError("A confidence to accept faces from is 0 or more.")


class Mmod:
    """Detector with dlib's network; `pointer` gives its boxes their points. Safe to call from several threads."""

    def __init__(
        self,
        net: Session,
        pointer: Mtcnn,
        name: str = "dlib_mmod",
        threads: int = 1,
        options: MmodOptions | None = None,
    ) -> None:
        """Frames of one call are shared among `threads`."""
        self.name = name
        self.options = options or MmodOptions()
        self._net = net
        self._pointer = pointer
        self._threads = threads

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        """One list of faces per frame, largest face first; an empty list where there is none."""
        return each(self._find, frames, self._threads)

    def boxes(self, pixels: U8) -> tuple[NDArray[np.intp], F32]:
        """Boxes (n, 4) with inclusive corners and confidences (n,), strongest first, as dlib gives them."""
        places = layout(*pixels.shape[:2])
        canvas = _canvas(pixels, places)
        scores = self._net.run(["scores"], {"pixels": canvas[None]})[0][0]
        rows, columns = np.nonzero(scores > self.options.accept)
        order = np.argsort(-scores[rows, columns], kind="stable")[:_AT_MOST]
        rows, columns = rows[order], columns[order]
        centres = np.stack([columns, rows], axis=1) * _CELL + _FIRST
        boxes = [_box(int(x), int(y), places) for x, y in centres]
        whole = np.array(boxes, np.intp).reshape(-1, 4)
        extent = (whole + np.array([0, 0, 1, 1])).astype(np.float64)
        strengths = scores[rows, columns]
        kept = suppress(extent, strengths, _OVERLAP, "outer")
        return whole[kept], strengths[kept]

    def _find(self, pixels: U8) -> Found:
        boxes, strengths = self.boxes(pixels)
        if not len(boxes):
            return nothing()
        extent = (boxes + np.array([0, 0, 1, 1])).astype(np.float32)
        faces = self._pointer.refine(Frame(pixels), extent)
        points = np.stack([face.points for face in faces])
        return Found(extent, points, strengths / (1 + strengths))


def layout(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """x, y, width, height on the canvas of each level, largest first; each is 5/6 of the one before, rounded down.

    Levels go down the left side until half of their summed heights is used up and the rest fits beside them; then they
    go back up along the right edge."""
    sizes = [(height, width)]
    while True:
        high, wide = math.floor(5 / 6 * sizes[-1][0]), math.floor(5 / 6 * sizes[-1][1])
        if high * wide == 0 or high < _SMALLEST:
            break
        sizes.append((high, wide))
    total = sum(high + _GAP for high, _ in sizes) - 2 * _GAP
    bottom = previous = 0
    for high, wide in sizes:
        if wide <= width - previous - _GAP and (bottom - height) * 2 >= total - height:
            break
        bottom, previous = bottom + high + _GAP, wide
    return _down_and_up(sizes, bottom - _GAP)


def _down_and_up(sizes: Sequence[tuple[int, int]], bottom: int) -> list[tuple[int, int, int, int]]:
    places: list[tuple[int, int, int, int]] = []
    y, (first_high, first_wide) = _EDGE, sizes[0]
    rest = list(sizes)
    while rest and y < bottom + _EDGE:
        high, wide = rest.pop(0)
        places.append((_EDGE, y, wide, high))
        y += high + _GAP
    y -= _GAP
    for high, wide in rest:
        x = _EDGE + first_wide - wide
        if y - high < _EDGE + first_high and x < _EDGE + first_wide and y > _EDGE:
            break  # it would lie on the largest level: dlib stops here too
        places.append((x, y - high, wide, high))
        y -= high + _GAP
    return places


def _canvas(pixels: U8, places: Sequence[tuple[int, int, int, int]]) -> F32:
    """(H, W, 3) float32 with every level, each resized from the one before; mean colour elsewhere."""
    height = max(y + high for _, y, _, high in places) + _EDGE
    width = places[0][2] + 2 * _EDGE
    canvas = np.empty((max(height, _WINDOW), max(width, _WINDOW), 3), np.float32)  # the network wants a whole window
    canvas[:] = MEAN
    level = pixels.astype(np.float32)
    for x, y, wide, high in places:
        if (high, wide) != level.shape[:2]:
            level = _resized(level, high, wide)
        canvas[y : y + high, x : x + wide] = level
    return canvas


def _resized(level: F32, height: int, width: int) -> F32:
    """Bilinear with the corner pixels of both pictures on each other."""
    low, high, part = _steps(level.shape[0], height)
    rows = level[low] + (level[high] - level[low]) * part[:, None, None]
    low, high, part = _steps(level.shape[1], width)
    return np.asarray(rows[:, low] + (rows[:, high] - rows[:, low]) * part[:, None])


def _steps(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.intp], F32]:
    at = np.arange(new) * ((old - 1) / max(new - 1, 1))
    low = np.minimum(at.astype(np.intp), old - 1)
    return low, np.minimum(low + 1, old - 1), (at - low).astype(np.float32)


def _box(x: int, y: int, places: Sequence[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    """The window centred on x, y of the canvas, as inclusive corners in px of the picture."""
    index = min(range(len(places)), key=lambda place: _distance(x, y, places[place]))
    left, top = x - places[index][0], y - places[index][1]
    reach = (_WINDOW - 1) / 2
    corners = [left - reach, top - reach, left + reach, top + reach]
    for _ in range(index):
        corners = [corner * 1.2 + 0.3 for corner in corners]
    x0, y0, x1, y1 = (_rounded(corner) for corner in corners)
    return x0, y0, x1, y1


def _distance(x: int, y: int, place: tuple[int, int, int, int]) -> float:
    """From a point to the nearest pixel of a level; 0 inside."""
    left, top, wide, high = place
    return math.hypot(x - min(max(x, left), left + wide - 1), y - min(max(y, top), top + high - 1))


def _rounded(value: float) -> int:
    """Half away from zero, as C rounds."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))
