"""SCRFD: anchor-based detector with five points, as InsightFace exports it.

J. Guo, J. Deng, A. Lattas, S. Zafeiriou, "Sample and Computation Redistribution for Efficient Face Detection",
ICLR 2022. The files have nine outputs: scores, distances to the four edges, and points, each for strides 8, 16 and 32,
with two anchors per cell; edges and points are in strides from the cell's corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.detect.boxes import suppress
from mien.detect.fitted import FittedOptions, fitted
from mien.detect.found import Found, NamedSession, each, nothing
from mien.errors import ModelCorrupt
from mien.types import F32, U8, Face, Frame

_STRIDES = (8, 16, 32)
_ANCHORS = 2  # per cell
_AT_MOST = 1000  # candidates that overlap is looked at among


@dataclass(frozen=True, slots=True)
class ScrfdOptions(FittedOptions):
    """What may be chosen; the defaults are InsightFace's."""

    accept: float = 0.5
    overlap: float = 0.4


class Scrfd:
    """Detector with one network. Safe to call from several threads."""

    def __init__(
        self, net: NamedSession, name: str = "scrfd", threads: int = 1, options: ScrfdOptions | None = None
    ) -> None:
        """Frames of one call are shared among `threads`. Raises ModelCorrupt when the file has other outputs."""
        self.name = name
        self.options = options or ScrfdOptions()
        self._net = net
        self._threads = threads
        self._input = net.get_inputs()[0].name
        self._outputs = [output.name for output in net.get_outputs()]
        if len(self._outputs) != 3 * len(_STRIDES):
            raise ModelCorrupt(
                f"{name} has {len(self._outputs)} outputs, but SCRFD with five points has nine.",
                "Use a file whose name ends in _kps.",
            )

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        """One list of faces per frame, largest face first; an empty list where there is none."""
        return each(self._find, frames, self._threads)

    def _find(self, pixels: U8) -> Found:
        view = fitted(pixels, self.options.longest)
        rgb = ((view.canvas.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        values = [value.reshape(-1, value.shape[-1]) for value in self._net.run(self._outputs, {self._input: rgb})]
        parts = [
            _decoded(values[place :: len(_STRIDES)], stride, view.canvas.shape[1] // stride, self.options.accept)
            for place, stride in enumerate(_STRIDES)
        ]
        found = Found(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        if not len(found.scores):
            return nothing()
        found = found.where(np.argsort(-found.scores, kind="stable")[:_AT_MOST])
        return view.restored(found.where(suppress(found.boxes, found.scores, self.options.overlap)))


def _decoded(values: Sequence[F32], stride: int, columns: int, accept: float) -> tuple[F32, F32, F32]:
    """Boxes, points and scores of the anchors of one stride that are sure enough; cells run along the rows."""
    scores, edges, points = values
    sure = np.flatnonzero(scores[:, 0] >= accept)
    cells = sure // _ANCHORS
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32) * stride
    edges = edges[sure] * stride
    boxes = np.concatenate([corner - edges[:, :2], corner + edges[:, 2:]], axis=1)
    return boxes, corner[:, None] + points[sure].reshape(-1, 5, 2) * stride, scores[sure, 0]
