"""Faces hidden: blurred, in blocks, or covered with one colour.

Blur and blocks do not filter a face, which could be undone in part. They reduce it to a few colours, the means of a coarse
grid that lies along the face, and paint those. What is painted holds `cells` x about 1.1 `cells` colours and nothing else
of the face, whatever the picture's resolution; `cover` holds nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.edit.region import Region, region
from mien.errors import UsageError
from mien.types import U8, Face, Frame

HOW = ("blur", "pixelate", "cover")
MOST_CELLS = 8  # with 12 faces begin to be found again, with 24 to be known (benchmarks/anonymise.py)
_FINE = 8  # samples along a cell that its mean is taken from
_SMOOTH = 12  # px that a cell is enlarged to before a blur is painted
_EDGES = 128  # of the polygon that stands for an ellipse
_SHIFT = 4  # bits of a px that its corners are placed to
_FAR = 2.0**25  # px that a corner may be away, for 32 bits


@dataclass(frozen=True, slots=True)
class Hide:
    """An editor that hides faces. The same frame and faces give the same pixels."""

    name: str = "blur"  # of HOW; the mark says it
    cells: int = 6  # of the grid, across the whole head: two between the eyes; fewer hide more
    margin: float = 1.1  # size of what is hidden over that of the head
    shape: Literal["ellipse", "box"] = "ellipse"
    colour: tuple[int, int, int] = (118, 118, 118)  # RGB, of `cover`

    def __post_init__(self) -> None:
        if self.name not in HOW:
            raise UsageError(f"There is no editor {self.name!r}.", f"Choose among {', '.join(HOW)}.")
        if not 1 <= self.cells <= MOST_CELLS:
            raise UsageError(f"{self.cells} cells do not hide a face.", f"Give 1 to {MOST_CELLS}; fewer hide more.")
        if not 1 <= self.margin <= 3:
            raise UsageError(f"A margin of {self.margin:g} leaves part of a face.", "Give 1 to 3.")
        if self.shape not in ("ellipse", "box"):
            raise UsageError(f"There is no shape {self.shape!r}.", "Choose ellipse or box.")
        if len(self.colour) != 3 or not all(0 <= value <= 255 for value in self.colour):
            raise UsageError(f"{self.colour} is no colour.", "Give red, green and blue from 0 to 255.")

    def edit(self, frame: Frame, faces: Sequence[Face]) -> Frame:
        """A new frame with every one of the faces hidden.

        Faces that were re-homed are hidden where they lie in their source frame, which `frame` must be.
        Raises InputError for a face whose box is no box: it is not passed over."""
        regions = [region(face, self.margin) for face in faces]
        pixels = frame.pixels.copy()
        for each in regions:
            self._paint(pixels, each)
        return replace(frame, pixels=pixels)

    def _paint(self, pixels: U8, where: Region) -> None:
        import cv2

        height, width = pixels.shape[:2]
        x0, y0, x1, y1 = where.bounds()
        left, top = max(0, int(np.floor(x0))), max(0, int(np.floor(y0)))
        right, bottom = min(width, int(np.ceil(x1))), min(height, int(np.ceil(y1)))
        if left >= right or top >= bottom:
            return  # no part of it is in the picture
        rim = self._rim(where)
        if self.name == "cover":
            cv2.fillConvexPoly(pixels, rim, self.colour, cv2.LINE_8, _SHIFT)
            return
        part = pixels[top:bottom, left:right]
        grid = _means(pixels, where, self.cells)
        way = cv2.INTER_NEAREST if self.name == "pixelate" else cv2.INTER_LINEAR
        source = grid if self.name == "pixelate" else _smooth(grid)
        painted = cv2.warpAffine(
            source,
            _onto(where, (left, top), source),
            (right - left, bottom - top),
            flags=way | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, rim - np.array([left, top], np.int32) * (1 << _SHIFT), 1, cv2.LINE_8, _SHIFT)
        part[:] = cv2.copyTo(np.asarray(painted), mask, part.copy())

    def _rim(self, where: Region) -> NDArray[np.int32]:
        """(n, 2) corners of a polygon in 1/16 px, whose pixels are all that the region touches."""
        if self.shape == "ellipse":
            angle = np.linspace(0, 2 * np.pi, _EDGES, endpoint=False)
            # A polygon round the ellipse, not within it.
            rim = np.column_stack([np.cos(angle), np.sin(angle)]) / np.cos(np.pi / _EDGES)
        else:
            rim = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        along, down = rim[:, 0] * where.half_width, rim[:, 1] * where.half_height
        x = where.x + where.cosine * along - where.sine * down - 0.5
        y = where.y + where.sine * along + where.cosine * down - 0.5
        # A region many times as large as any picture fills it whatever its corners are.
        far = np.clip(np.column_stack([x, y]), -_FAR, _FAR)
        return np.asarray(np.round(far * (1 << _SHIFT)), np.int32)


def _onto(where: Region, corner: tuple[int, int], source: U8) -> NDArray[np.float64]:
    """(2, 3) from the px of a rectangle of the picture to those of what is painted, from edge to edge of the region."""
    x, y = corner[0] + 0.5 - where.x, corner[1] + 0.5 - where.y
    turn = np.array([[where.cosine, where.sine], [-where.sine, where.cosine]])
    turn /= np.array([[where.half_width], [where.half_height]])
    unit = np.array([source.shape[1] / 2, source.shape[0] / 2])
    return np.column_stack([turn * unit[:, None], (turn @ (x, y) + 1) * unit - 0.5])


def _means(pixels: U8, where: Region, cells: int) -> U8:
    """(rows, cells, 3) mean colours of the region; beyond the picture its edge goes on."""
    import cv2

    rows = max(1, round(cells * where.half_height / where.half_width))
    steps = [(np.arange(count * _FINE) + 0.5) * 2 / (count * _FINE) - 1 for count in (cells, rows)]
    along, down = np.meshgrid(steps[0] * where.half_width, steps[1] * where.half_height)
    # A sample of a large face stands for many px: they are averaged first.
    shrink = max(1, int(2 * max(where.half_width / (cells * _FINE), where.half_height / (rows * _FINE))))
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = where.bounds()
    left, top = (int(np.clip(np.floor(low), 0, size - 1)) for low, size in ((x0, width), (y0, height)))
    right, bottom = min(width, max(left + 1, int(np.ceil(x1)))), min(height, max(top + 1, int(np.ceil(y1))))
    part = pixels[top:bottom, left:right]
    size = max(1, part.shape[1] // shrink), max(1, part.shape[0] // shrink)
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA) if shrink > 1 else part
    x = (where.x + where.cosine * along - where.sine * down - left) * size[0] / part.shape[1] - 0.5
    y = (where.y + where.sine * along + where.cosine * down - top) * size[1] / part.shape[0] - 0.5
    fine = cv2.remap(
        small, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(fine, (cells, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _smooth(grid: U8) -> U8:
    """The same colours, flowing from cell to cell."""
    import cv2

    rows, columns = grid.shape[:2]
    large = cv2.resize(grid, (columns * _SMOOTH, rows * _SMOOTH), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(large, (0, 0), _SMOOTH / 2, borderType=cv2.BORDER_REPLICATE), np.uint8)
