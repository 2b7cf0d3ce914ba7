"""Where a face ends: the upright ellipse, or box, round its five points that takes in hair line, ears and chin.

Sizes are in units of the distance between the eyes. From the middle of the eyes, an adult's hair line lies about 1.2 above,
the chin 1.8 below and the ears 1.5 beside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.align import similarity, template
from mien.errors import InputError
from mien.types import Face

F64 = NDArray[np.float64]

# The middle of the region lies below that of the eyes.
_DOWN, _HALF_WIDTH, _HALF_HEIGHT = 0.3, 1.6, 1.75
# Eyes to mouth: it tells the size of a head that is turned aside, as the eyes tell that of one that nods.
_MOUTH = 0.94
# How far the middle of a head lies behind its nose, and is seen wider for it, per unit of the nose's offset.
_ASIDE = 0.5
_MOST = 2.0  # times that a box larger than the points may widen the region
_ROUND_BOX = 0.75  # half axes per side of the box, where the points say nothing


@dataclass(frozen=True, slots=True)
class Region:
    """An ellipse, or the box round it, in px of the picture."""

    x: float
    y: float
    half_width: float
    half_height: float
    cosine: float = 1.0  # of the angle from the picture's x axis to the face's
    sine: float = 0.0

    def within(self, points: F64) -> F64:
        """(n, 2) points in the face's own axes: -1..1 from edge to edge, x to the subject's left, y down."""
        dx, dy = points[:, 0] - self.x, points[:, 1] - self.y
        along = (self.cosine * dx + self.sine * dy) / self.half_width
        down = (self.cosine * dy - self.sine * dx) / self.half_height
        return np.column_stack([along, down])

    def bounds(self) -> tuple[float, float, float, float]:
        """x0 y0 x1 y1 of the upright rectangle round the turned box."""
        across = abs(self.cosine) * self.half_width + abs(self.sine) * self.half_height
        down = abs(self.sine) * self.half_width + abs(self.cosine) * self.half_height
        return self.x - across, self.y - down, self.x + across, self.y + down


def region(face: Face, margin: float) -> Region:
    """The region of a face in its source frame, `margin` times as large as the head.

    Where the points do not lie as on a face, its box alone counts. Raises InputError when that is no box either."""
    x0, y0, x1, y1 = (float(value) for value in face.source_box)
    if not np.isfinite([x0, y0, x1, y1]).all() or x1 <= x0 or y1 <= y0:
        raise InputError("The box of a face is no box, so that it cannot be hidden.", "Detect the face again.")
    box = np.array([x0, y0, x1, y1])
    left, top, scale = face.origin
    points = face.points.astype(np.float64) / scale + (left, top)
    return _head(points, box, margin) or Region(
        (x0 + x1) / 2, (y0 + y1) / 2, _ROUND_BOX * (x1 - x0) * margin, _ROUND_BOX * (y1 - y0) * margin
    )


def _head(points: F64, box: F64, margin: float) -> Region | None:
    """By the points; None where they are no face's, or far from the box."""
    try:
        fit = similarity(template("dlib150").points, points)
    except InputError:
        return None
    cosine, sine = float(fit[0, 0]), float(fit[1, 0])
    turn = math.hypot(cosine, sine)
    if turn < 1e-6:
        return None
    cosine, sine = cosine / turn, sine / turn
    along, down = np.array([cosine, sine]), np.array([-sine, cosine])
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    unit = max(float(np.hypot(*(points[1] - points[0]))), _MOUTH * float(np.hypot(*(mouth - eyes))))
    if not 0.1 < unit / float(np.max(box[2:] - box[:2])) < 1.5:
        return None
    aside = float((points[2] - (eyes + mouth) / 2) @ along) / unit
    x, y = eyes + (_DOWN * down - _ASIDE * aside * along) * unit
    wide, high = (_HALF_WIDTH + _ASIDE * abs(aside)) * unit * margin, _HALF_HEIGHT * unit * margin
    found = Region(float(x), float(y), wide, high, cosine, sine)
    middles = (box[[0, 1]] + box[[2, 3]]) / 2
    sides = np.array([[box[0], middles[1]], [box[2], middles[1]], [middles[0], box[1]], [middles[0], box[3]]])
    wider = float(np.hypot(*found.within(sides).T).max())
    if wider > _MOST:
        return None
    grown = max(1.0, wider)
    return Region(found.x, found.y, wide * grown, high * grown, cosine, sine)
