"""The cascade of MTCNN: three networks that look ever closer at ever fewer windows.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23(10), 2016. P-Net slides a 12 px window at stride 2 over a pyramid of the
picture, R-Net looks at what is left at 24 px, O-Net at 48 px and gives the five points. What is ours: the pyramid is
built by octaves, a window must be the best among its neighbours before it counts, and what lies outside of the picture
continues its edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.detect.boxes import moved, squares, suppress
from mien.detect.found import Found, Session, nothing
from mien.detect.pyramid import Pyramid
from mien.types import F32, U8

_WINDOW, _STRIDE = 12, 2  # px of P-Net
_STEP = 0.709  # between two levels of the pyramid: half the area
_PROPOSE, _KEEP = 0.6, 0.7  # scores at which P-Net and R-Net hand on (the paper's reference code)
_SAME_LEVEL, _SAME_FACE = 0.5, 0.7  # overlaps at which two windows are the same
_MAX_WINDOWS = 400  # handed on per level: bounds the cost of a picture full of texture
_STRIP = 20_000  # px: how much of a level is looked at in one run
_BATCH = 64  # windows per run: bounds memory
_NEIGHBOURS = np.ones((3, 3), np.uint8)


class Cascade:
    """P-Net, R-Net and O-Net on one pyramid. Keeps no state between pictures and may be called from several threads."""

    def __init__(self, nets: Mapping[str, Session]) -> None:
        self._pnet, self._rnet, self._onet = nets["pnet"], nets["rnet"], nets["onet"]

    def search(self, pyramid: Pyramid, scale: float, accept: float) -> Found:
        """Faces with a score of at least `accept`; the smallest is 12 px wide in the picture reduced to `scale`."""
        levels = []
        while min(pyramid.width, pyramid.height) * scale >= _WINDOW:
            levels.append(self._propose(pyramid, scale))
            scale *= _STEP
        if not levels:
            return nothing()
        boxes, scores, shifts = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        kept = suppress(boxes, scores, _SAME_FACE)
        return self.look(pyramid, self._narrow(pyramid, squares(moved(boxes[kept], shifts[kept]))), accept)

    def look(self, pyramid: Pyramid, boxes: F32, accept: float) -> Found:
        """O-Net's faces with a score of at least `accept` among square boxes (n, 4), the same face only once."""
        found = self.inspect(pyramid, boxes)
        found = found.where(found.scores >= accept)
        return found.where(suppress(found.boxes, found.scores, _SAME_FACE, "smaller"))

    def centred(self, pyramid: Pyramid, boxes: F32) -> F32:
        """Rough square boxes (n, 4) of faces, n > 0, corrected by R-Net, in order."""
        return squares(moved(boxes, self._run(self._rnet, pyramid, boxes, 24)[0]))

    def inspect(self, pyramid: Pyramid, boxes: F32) -> Found:
        """O-Net's opinion on every square box (n, 4), in order."""
        if not len(boxes):
            return nothing()
        shifts, scores, points = self._run(self._onet, pyramid, boxes, 48)
        sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
        return Found(moved(boxes, shifts), boxes[:, None, :2] + points * sides, scores)

    def _propose(self, pyramid: Pyramid, scale: float) -> tuple[F32, F32, F32]:
        """Boxes (n, 4), scores (n,) and shifts (n, 4) of the best windows at one scale."""
        level = pyramid.scaled(scale)
        shifts, score = self._slide(level)
        peaks = (score >= _PROPOSE) & (score >= cv2.dilate(score, _NEIGHBOURS))
        rows, columns = np.nonzero(peaks)
        best = np.argsort(-score[rows, columns], kind="stable")[:_MAX_WINDOWS]
        rows, columns = rows[best], columns[best]
        corner = np.stack([columns, rows], axis=1) * _STRIDE
        unit = np.array([pyramid.width / level.shape[1], pyramid.height / level.shape[0]])
        boxes = np.concatenate([corner * unit, (corner + _WINDOW) * unit], axis=1).astype(np.float32)
        kept = suppress(boxes, score[rows, columns], _SAME_LEVEL)
        rows, columns = rows[kept], columns[kept]
        return boxes[kept], score[rows, columns], shifts[:, rows, columns].T

    def _slide(self, level: U8) -> tuple[F32, F32]:
        """P-Net's shifts (4, h, w) and scores (h, w) over one level, strip by strip: the numbers of one run over all of
        it, in a fifth less time and in bounded memory, because a strip's activations stay in the processor's cache."""
        height, width = level.shape[:2]
        step = max(_STRIP // width // _STRIDE, 8) * _STRIDE
        shared = _WINDOW - _STRIDE  # px that a strip needs of the next one
        strips = [level[None, top : top + step + shared] for top in range(0, height - shared - 1, step)]
        parts = [self._pnet.run(["shift", "score"], {"pixels": strip}) for strip in strips]
        shifts, scores = zip(*parts, strict=True)
        return np.concatenate(shifts, axis=2)[0], np.concatenate(scores, axis=1)[0]

    def _narrow(self, pyramid: Pyramid, boxes: F32) -> F32:
        """The square boxes (n, 4) that R-Net leaves, corrected by it."""
        if not len(boxes):
            return boxes
        shifts, scores = self._run(self._rnet, pyramid, boxes, 24)
        alive = scores >= _KEEP
        boxes, scores, shifts = boxes[alive], scores[alive], shifts[alive]
        kept = suppress(boxes, scores, _SAME_FACE)
        return squares(moved(boxes[kept], shifts[kept]))

    @staticmethod
    def _run(net: Session, pyramid: Pyramid, boxes: F32, side: int) -> list[NDArray[Any]]:
        names = ["shift", "score"] if side == 24 else ["shift", "score", "points"]
        parts = [
            net.run(names, {"pixels": pyramid.crops(boxes[start : start + _BATCH], side)})
            for start in range(0, len(boxes), _BATCH)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]
