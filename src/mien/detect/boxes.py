"""Box arithmetic that every detector shares; all boxes are (n, 4) x0 y0 x1 y1 in px."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.types import F32

Measure = Literal["union", "smaller", "outer"]


def sides(boxes: F32) -> F32:
    """(n, 2) widths and heights in px."""
    return boxes[:, 2:] - boxes[:, :2]


def squares(boxes: F32) -> F32:
    """The same centres, both sides as long as the longer one."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = sides(boxes).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def moved(boxes: F32, offsets: F32) -> F32:
    """Boxes with each edge moved by `offsets` (n, 4), which are fractions of the box's width or height."""
    return boxes + offsets * np.tile(sides(boxes), 2)


def overlaps(a: F32, b: F32, measure: Measure = "union") -> F32:
    """(len(a), len(b)) shared area over the area of the union, of the smaller box, or of the box around both.

    The box around both is what dlib divides by where it says intersection over union."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    area_a, area_b = sides(a).prod(axis=1)[:, None], sides(b).prod(axis=1)[None]
    if measure == "union":
        whole = area_a + area_b - shared
    elif measure == "smaller":
        whole = np.minimum(area_a, area_b)
    else:
        whole = (np.maximum(a[:, None, 2:], b[None, :, 2:]) - np.minimum(a[:, None, :2], b[None, :, :2])).prod(axis=2)
    return np.asarray(shared / np.maximum(whole, 1e-9), dtype=a.dtype)


def suppress(boxes: F32, scores: F32, limit: float, measure: Measure = "union") -> NDArray[np.intp]:
    """Indices of the boxes that no stronger kept box overlaps by more than `limit`, strongest first, ties by index."""
    order = np.argsort(-scores, kind="stable")
    ordered = boxes[order]
    clash = overlaps(ordered, ordered, measure) > limit
    alive = np.ones(len(order), bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~clash[index, index + 1 :]
    return order[alive]


def largest_first(boxes: F32) -> NDArray[np.intp]:
    """Indices by falling area, ties by index."""
    return np.argsort(-sides(boxes).prod(axis=1), kind="stable")
