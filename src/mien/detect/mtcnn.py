"""MTCNN on ONNX Runtime: the default detector, with five points and with second looks on a miss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mien.detect.boxes import sides, squares
from mien.detect.cascade import Cascade
from mien.detect.found import Found, Session, each, nothing
from mien.detect.pyramid import Pyramid
from mien.detect.retries import RETRIES, View
from mien.errors import UsageError
from mien.types import F32, U8, Face, Frame

_WINDOW = 12  # px: what the smallest face is reduced to
_LARGE = 12_000_000  # px to which a picture is reduced before it is copied for a second look


@dataclass(frozen=True, slots=True)
class MtcnnOptions:
    """What may be chosen. The values were measured: ``docs/decisions/default-detector.md``."""

    minimum: float = 40.0  # px: width of the smallest face looked for
    accept: float = 0.95  # score from which a face is a face
    accept_retry: float = 0.9  # the same on a second look, which is made only where the first found nothing
    retries: Sequence[str] = field(default=tuple(RETRIES))  # in this order; () for none
    most: int = 1_000_000  # px of the first reduced picture; a larger picture gets a larger minimum instead

    def __post_init__(self) -> None:
        if not 12 <= self.minimum < np.inf:
            raise UsageError(f"The smallest face cannot be {self.minimum:g} px.", "Ask for 12 px or more.")
        if not (0 < self.accept <= 1 and 0 < self.accept_retry <= 1):
            raise UsageError("A score to accept faces from lies between 0 and 1.")
        if self.most < 10_000:
            raise UsageError(f"A search over {self.most} px is too coarse.", "Allow 10000 px or more.")
        unknown = [name for name in self.retries if name not in RETRIES]
        if unknown:
            raise UsageError(f"There is no retry {unknown[0]!r}.", f"Choose among {', '.join(RETRIES)}.")


class Mtcnn:
    """Detector with the three networks of one card. Safe to call from several threads."""

    def __init__(
        self, nets: Mapping[str, Session], name: str = "mtcnn", threads: int = 1, options: MtcnnOptions | None = None
    ) -> None:
        """`nets`: sessions of the roles pnet, rnet and onet. Frames of one call are shared among `threads`."""
        self.name = name
        self.options = options or MtcnnOptions()
        self._nets = nets
        self._cascade = Cascade(nets)
        self._threads = threads

    def one_look(self) -> Mtcnn:
        """The same detector without second looks, as a tracker wants it: in a video the next frame is one."""
        return Mtcnn(self._nets, self.name, self._threads, replace(self.options, retries=()))

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        """One list of faces per frame, largest face first; an empty list where there is none."""
        return each(self._find, frames, self._threads)

    def refine(self, frame: Frame, boxes: F32) -> list[Face]:
        """One face per rough box (n, 4), in order: R-Net centres it, O-Net gives box, points and score.

        Nothing is dropped: whoever asks decides from which score on there is a face."""
        rough = squares(np.asarray(boxes, np.float32).reshape(-1, 4))
        if not len(rough):
            return []
        # Only the neighbourhood of the boxes is reduced, not the whole frame.
        reach = sides(rough).max() / 2
        x0, y0 = np.clip(np.floor(rough[:, :2].min(axis=0) - reach), 0, (frame.width - 1, frame.height - 1)).astype(int)
        x1, y1 = np.maximum(np.ceil(rough[:, 2:].max(axis=0) + reach).astype(int), (x0 + 1, y0 + 1))
        part, corner = Pyramid(frame.pixels[y0:y1, x0:x1]), np.array([x0, y0], np.float32)
        found = self._cascade.inspect(part, self._cascade.centred(part, rough - np.tile(corner, 2)))
        return Found(found.boxes + np.tile(corner, 2), found.points + corner, found.scores).faces(frame)

    def _find(self, pixels: U8) -> Found:
        found = self._search(pixels, self.options.accept)
        return found if len(found.scores) else self._again(pixels)

    def _search(self, pixels: U8, accept: float) -> Found:
        height, width = pixels.shape[:2]
        scale = min(_WINDOW / self.options.minimum, (self.options.most / max(1, height * width)) ** 0.5)
        return self._cascade.search(Pyramid(pixels), scale, accept)

    def _again(self, pixels: U8) -> Found:
        """The first second look that is as sure as a first one must be; otherwise the surest that is sure enough."""
        height, width = pixels.shape[:2]
        scale = min(1.0, (_LARGE / max(1, height * width)) ** 0.5)
        small = pixels if scale == 1 else Pyramid(pixels).scaled(scale)
        best = nothing()
        for view in self._views(small):
            found = self._search(view.pixels, self.options.accept_retry)
            if found.surest > best.surest:
                best = view.restored(found)
            if best.surest >= self.options.accept:
                break
        return best.enlarged(width / small.shape[1], height / small.shape[0])

    def _views(self, pixels: U8) -> Iterator[View]:
        for name in self.options.retries:
            yield from RETRIES[name](pixels)
