"""YuNet: a very small anchor-free detector with five points.

W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.detect.boxes import suppress
from mien.detect.fitted import FittedOptions, fitted
from mien.detect.found import Found, Session, each, nothing
from mien.types import F32, U8, Face, Frame

_STRIDES = (8, 16, 32)
_HEADS = ("cls", "obj", "bbox", "kps")
_AT_MOST = 1000  # candidates that overlap is looked at among


@dataclass(frozen=True, slots=True)
class YunetOptions(FittedOptions):
    """What may be chosen."""

    accept: float = 0.7  # OpenCV's 0.9 misses half of the leaning or blurred faces
    overlap: float = 0.3


class Yunet:
    """Detector with one network. Safe to call from several threads."""

    def __init__(
        self,
        net: Session,
        name: str = "yunet",
        threads: int = 1,
        options: YunetOptions | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Frames of one call are shared among `threads`; `size`: the only width and height that the file takes."""
        self.name = name
        self.options = options or YunetOptions()
        self._net = net
        self._threads = threads
        self._size = size

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        """One list of faces per frame, largest face first; an empty list where there is none."""
        return each(self._find, frames, self._threads)

    def _find(self, pixels: U8) -> Found:
        view = fitted(pixels, self.options.longest, self._size)
        bgr = view.canvas[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        names = [f"{head}_{stride}" for stride in _STRIDES for head in _HEADS]
        values = self._net.run(names, {"input": bgr})
        parts = [
            _decoded(values[4 * place : 4 * place + 4], stride, view.canvas.shape[1] // stride, self.options.accept)
            for place, stride in enumerate(_STRIDES)
        ]
        found = Found(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        if not len(found.scores):
            return nothing()
        found = found.where(np.argsort(-found.scores, kind="stable")[:_AT_MOST])
        return view.restored(found.where(suppress(found.boxes, found.scores, self.options.overlap)))


def _decoded(values: Sequence[F32], stride: int, columns: int, accept: float) -> tuple[F32, F32, F32]:
    """Boxes, points and scores of the cells of one stride that are sure enough; cells run along the rows."""
    cls, obj, shift, points = (value[0] for value in values)
    scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    cells = np.flatnonzero(scores >= accept)
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    centre, half = (corner + shift[cells, :2]) * stride, np.exp(shift[cells, 2:]) * (stride / 2)
    boxes = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    return boxes, (points[cells].reshape(-1, 5, 2) + corner[:, None]) * stride, scores[cells]
