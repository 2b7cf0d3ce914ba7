"""Is it a person before the camera, or a picture of one: two MiniFASNet networks on crops with their surroundings.

After Silent-Face-Anti-Spoofing (Minivision, 2020): one network sees the face 2.7 boxes wide, the other 4, and their
probabilities are averaged. Where the picture ends the crop is made smaller and moved inside, as there; where less than
`LEAST` boxes are to be seen, or the face is too small, there is no answer.

Of a clip up to `LOOKS` faces are looked at, evenly spread, and the reading is their mean; how many of them look like an attack
is among the reasons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien import models
from mien.protocols import Needs
from mien.types import F32, U8, Clip, Face, Reading

NEAR, FAR = 2.7, 4.0  # widths of the crops in boxes
SIDE = 80  # px of a crop
LEAST = 1.5  # boxes that must be seen
SMALLEST = 18.0  # px between the eyes: below, a live face of the reference's samples loses .05 of its score and more
LOOKS = 8  # faces of a clip

# The networks were trained on the boxes of another detector. Relative to the default's they are (medians over 92 photos of
# LFW, and within .03 of that over 56 others): moved by so much of the width and height, and so much wider and less high.
_MOVED, _SCALED = (0.007, 0.077), (1.14, 0.87)


class Liveness:
    """Clips to {"live", "attack"}. May be called from several threads. Raises ModelError in its kinds."""

    name = "minifasnet"
    kind = "liveness"
    labels = ("live", "attack")
    needs = Needs(around=FAR)

    def __init__(self, threads: int = 1) -> None:
        (path,) = models.ready(models.card(self.name)).values()
        self._session = models.session(path, threads)

    def judge(self, clip: Clip) -> list[Reading]:
        """One reading; without scores where no face shows enough."""
        span = clip.span if clip.fps > 0 else None
        seen = [face.around or face for face in clip.faces]
        good = [face for face in seen if not lacking(face)]
        if not good:
            best = clip.best.around or clip.best
            return [Reading(self.kind, {}, self.name, span=span, reasons=(lacking(best) or lacking(seen[0]),))]
        looks = [good[at] for at in np.linspace(0, len(good) - 1, min(LOOKS, len(good))).astype(int)]
        live = self.probabilities([(face.frame.pixels, usual_box(face)) for face in looks])[:, 1]
        value, attacks = float(live.mean()), int((live < 0.5).sum())
        reasons = (f"{attacks} of {len(live)} frames look like a picture of a face",) if attacks else ()
        return [Reading(self.kind, {"live": value, "attack": 1 - value}, self.name, span=span, reasons=reasons)]

    def probabilities(self, faces: Sequence[tuple[U8, F32]]) -> F32:
        """(n, 3) print, live, replay of pictures (H, W, 3) RGB and boxes x0 y0 x1 y1 in px, such as `usual_box` gives."""
        near, far = (np.stack([crop(pixels, box, wide) for pixels, box in faces]) for wide in (NEAR, FAR))
        return np.asarray(self._session.run(None, {"near": near, "far": far})[0], np.float32)


def usual_box(face: Face) -> F32:
    """The box of a face as the networks know boxes, from that of the default detector."""
    (x0, y0), (x1, y1) = face.box[:2].astype(float), face.box[2:].astype(float)
    width, height = x1 - x0, y1 - y0
    middle = np.array([(x0 + x1) / 2 + _MOVED[0] * width, (y0 + y1) / 2 + _MOVED[1] * height])
    half = np.array([width * _SCALED[0], height * _SCALED[1]]) / 2
    return np.concatenate([middle - half, middle + half]).astype(np.float32)


def lacking(face: Face) -> str:
    """Why nothing can be said about a face; empty where something can."""
    if face.eye_distance < SMALLEST:
        return (
            f"the face is too small for liveness ({face.eye_distance:.0f} px between the eyes, {SMALLEST:.0f} wanted)"
        )
    _, _, seen = region(face.frame.pixels, usual_box(face), FAR)
    if seen < LEAST:
        return "the face fills the picture: liveness is read off what surrounds it too"
    return ""


def crop(pixels: U8, box: F32, wide: float) -> U8:
    """(80, 80, 3) the part of the picture around a box that is `wide` boxes wide, less where the picture ends."""
    import cv2

    (left, top), (right, bottom), _ = region(pixels, box, wide)
    return np.asarray(cv2.resize(pixels[top : bottom + 1, left : right + 1], (SIDE, SIDE)), np.uint8)


def region(pixels: U8, box: F32, wide: float) -> tuple[tuple[int, int], tuple[int, int], float]:
    """First and last column and row of a crop, and how many boxes wide it has become."""
    last = np.array([pixels.shape[1] - 1, pixels.shape[0] - 1], np.float64)
    low, high = box[:2].astype(np.float64), box[2:].astype(np.float64)
    size = np.maximum(high - low, 1.0)
    wide = float(min((last / size).min(), wide))
    start = (low + high - size * wide) / 2
    start = np.clip(start, 0, np.maximum(last - size * wide, 0))  # moved inside, not cut
    first, end = start.astype(int), np.minimum(start + size * wide, last).astype(int)
    return (int(first[0]), int(first[1])), (int(end[0]), int(end[1])), wide
