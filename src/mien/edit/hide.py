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

from mien.edit.region import Region, region
from mien.errors import UsageError
from mien.types import F32, U8, Face, Frame

HOW = ("blur", "pixelate", "cover")
MOST_CELLS = 8  # with 12 faces begin to be found again, with 24 to be known (benchmarks/anonymise.py)
_FINE = 8  # samples along a cell that its mean is taken from
_SMOOTH = 12  # px that a cell is enlarged to before a blur is painted


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
        height, width = pixels.shape[:2]
        x0, y0, x1, y1 = where.bounds()
        left, top = max(0, int(np.floor(x0))), max(0, int(np.floor(y0)))
        right, bottom = min(width, int(np.ceil(x1))), min(height, int(np.ceil(y1)))
        if left >= right or top >= bottom:
            return  # no part of it is in the picture
        part = pixels[top:bottom, left:right]
        along, down = _axes(where, (left, top), (right - left, bottom - top))
        inside = along**2 + down**2 <= 1 if self.shape == "ellipse" else np.maximum(abs(along), abs(down)) <= 1
        if self.name == "cover":
            part[inside] = self.colour
            return
        grid = _means(pixels, where, self.cells)
        part[inside] = (_blocks if self.name == "pixelate" else _smooth)(grid, along, down)[inside]


def _axes(where: Region, corner: tuple[int, int], size: tuple[int, int]) -> tuple[F32, F32]:
    """(h, w) each: the face's own coordinates (see `Region.within`) of the centres of a rectangle's pixels."""
    dx = (np.arange(size[0], dtype=np.float32) + np.float32(corner[0] + 0.5 - where.x))[None]
    dy = (np.arange(size[1], dtype=np.float32) + np.float32(corner[1] + 0.5 - where.y))[:, None]
    cosine, sine = np.float32(where.cosine), np.float32(where.sine)
    along = (cosine * dx + sine * dy) / np.float32(where.half_width)
    down = (cosine * dy - sine * dx) / np.float32(where.half_height)
    return np.asarray(along, np.float32), np.asarray(down, np.float32)


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


def _blocks(grid: U8, along: F32, down: F32) -> U8:
    """Every pixel has the colour of its cell."""
    rows, columns = grid.shape[:2]
    x = np.clip((along + 1) * (columns / 2), 0, columns - 1).astype(np.intp)
    y = np.clip((down + 1) * (rows / 2), 0, rows - 1).astype(np.intp)
    return np.asarray(grid[y, x])


def _smooth(grid: U8, along: F32, down: F32) -> U8:
    """Colours flow from cell to cell."""
    import cv2

    rows, columns = grid.shape[:2]
    large = cv2.resize(grid, (columns * _SMOOTH, rows * _SMOOTH), interpolation=cv2.INTER_LINEAR)
    large = cv2.GaussianBlur(large, (0, 0), _SMOOTH / 2, borderType=cv2.BORDER_REPLICATE)
    x, y = (along + 1) * (large.shape[1] / 2) - 0.5, (down + 1) * (large.shape[0] / 2) - 0.5
    return np.asarray(cv2.remap(large, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
