"""How much a picture of a face lets an embedder see: size, sharpness, contrast, highlights, noise, pose, framing.

Every component is the share of genuine comparisons that still match at a false-match rate of 1 in 1,000, compared with an
untouched picture. The curves below were measured: real photos were degraded step by step and compared with another,
untouched photo of the same person (``benchmarks/quality.py``). So 0.7 means: three in ten who would have been recognised
are not. The components of the pixels are read off the aligned chip, so they do not depend on how large the photo is.

The embedding's own length tells nothing here, because it hardly changes under any degradation.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.align import chip
from mien.protocols import Needs
from mien.types import F32, Clip, Face, Reading

F64 = NDArray[np.float64]
Curve = tuple[tuple[float, float], ...]  # (measured value, share still recognised), values rising

# The part of the 150 px chip that is face whatever the haircut.
_ROWS, _COLUMNS = slice(20, 136), slice(25, 125)

SIZE: Curve = ((3, 0), (8, 0.54), (10, 0.76), (12, 0.88), (15, 0.95), (20, 0.99), (25, 1))
SHARPNESS: Curve = (
    *((0.33, 0), (0.336, 0.05), (0.355, 0.2), (0.38, 0.43), (0.406, 0.58), (0.425, 0.74)),
    *((0.442, 0.82), (0.482, 0.93), (0.51, 0.96), (0.54, 0.99), (0.57, 1)),
)
CONTRAST: Curve = ((1.7, 0), (2, 0.04), (2.3, 0.11), (3.9, 0.66), (9.7, 0.95), (19, 1))
CLIPPED: Curve = ((0.05, 1), (0.17, 0.92), (0.58, 0.61), (0.86, 0.16), (0.93, 0.05), (0.97, 0))
NOISE: Curve = ((1, 1), (1.5, 0.98), (2.6, 0.86), (4.2, 0.43), (5, 0.11), (5.6, 0))
TURN: Curve = ((36, 1), (45, 0.82), (60, 0.5), (90, 0))
INSIDE: Curve = ((0.3, 0), (0.55, 0.39), (0.75, 0.73), (0.95, 1))
_GOOD = 0.9  # a component below this is named as a reason

# Eye centres, nose tip and mouth corners of a mean face, in parts of the eye distance: x to the picture's right, y down,
# z towards the camera (the neutral head of the ICT face model, MIT licence).
_HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.4661, 0.5906], [-0.3892, 1.0689, 0.1482], [0.3892, 1.0689, 0.1482]])
_LEVEL = np.radians(11.5)  # forward lean of that head in the median photo of a person who looks at the camera
_LEAN = np.array([[1, 0, 0], [0, np.cos(_LEVEL), np.sin(_LEVEL)], [0, -np.sin(_LEVEL), np.cos(_LEVEL)]])
_FIT = np.linalg.pinv((_HEAD - _HEAD.mean(0)) @ _LEAN.T)


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured on one face."""

    eyes: float  # px between the eye centres, in the source picture
    sharpness: float  # detail of 3..6 % of the eye distance over detail of 6..11 %, in the blurrier direction
    contrast: float  # standard deviation of luma on the chip, 0..255
    luma: float  # mean luma on the chip, 0..255
    clipped: float  # share of the chip at 250 or above
    noise: float  # pixel-to-pixel detail over detail of 3..6 % of the eye distance
    yaw: float  # degrees, positive towards the subject's left
    pitch: float  # degrees, positive upwards
    roll: float  # degrees in the picture, positive clockwise
    inside: float  # share of the face's area that lies within the picture
    detector: float  # the detector's score


class Quality:
    """Judges the best face of a clip. Scores: one per component, `detector`, and `overall`."""

    name = "quality"
    kind = "quality"
    needs = Needs()
    labels = ("overall", "size", "sharpness", "contrast", "highlights", "noise", "pose", "inside", "detector")

    def judge(self, clip: Clip) -> list[Reading]:
        """One reading of the clip's best face, with a reason in words for each component that is poor."""
        face = clip.best
        return [assess(face, span=clip.span if clip.fps > 0 else None)]


def assess(face: Face, span: tuple[float, float] | None = None) -> Reading:
    """The quality reading of one face."""
    measures = measure(face)
    parts = components(measures)
    scores = {"overall": overall(parts), **parts, "detector": measures.detector}
    return Reading("quality", scores, "quality", "share still recognised, 0..1", span, reasons(measures, parts))


def overall(parts: dict[str, float]) -> float:
    """One number from the components. Size shows in the sharpness too, so of these two the lower one counts."""
    resolution = min(parts["size"], parts["sharpness"])
    light = min(parts["contrast"], parts["highlights"], parts["noise"])
    return resolution * light * parts["pose"] * parts["inside"]


def components(measures: Measures) -> dict[str, float]:
    """Each component as a share still recognised, 0..1."""
    turn = max(abs(measures.yaw), abs(measures.pitch))
    read = (
        ("size", measures.eyes, SIZE),
        ("sharpness", measures.sharpness, SHARPNESS),
        ("contrast", measures.contrast, CONTRAST),
        ("highlights", measures.clipped, CLIPPED),
        ("noise", measures.noise, NOISE),
        ("pose", turn, TURN),
        ("inside", measures.inside, INSIDE),
    )
    return {name: _along(curve, value) for name, value, curve in read}


def reasons(measures: Measures, parts: dict[str, float]) -> tuple[str, ...]:
    """What is poor, in words, with the value wanted; the worst first."""
    small = parts["size"] < _GOOD
    sideways = abs(measures.yaw) >= abs(measures.pitch)
    turned = f"{abs(measures.yaw if sideways else measures.pitch):.0f}°"
    turned += " to the side" if sideways else " up" if measures.pitch > 0 else " down"
    words = {
        "size": f"too small: {measures.eyes:.0f} px between the eyes, {_wanted(SIZE):.0f} wanted",
        "sharpness": f"blurred: sharpness {measures.sharpness:.2f}, {_wanted(SHARPNESS):.2f} wanted",
        "contrast": _contrast_in_words(measures),
        "highlights": f"overexposed: {measures.clipped:.0%} of the face is white, at most {_wanted(CLIPPED):.0%} wanted",
        "noise": f"noisy: {measures.noise:.1f}, at most {_wanted(NOISE):.1f} wanted",
        "pose": f"turned away: {turned}, at most {_wanted(TURN):.0f}° wanted",
        "inside": f"cut off: {measures.inside:.0%} of the face is in the picture, {_wanted(INSIDE):.0%} wanted",
    }
    poor = [name for name in words if parts[name] < _GOOD and not (name == "sharpness" and small)]
    return tuple(words[name] for name in sorted(poor, key=lambda name: parts[name]))


def measure(face: Face) -> Measures:
    """Measure one face. Raises InputError when its points do not lie as on a face."""
    import cv2

    luma = cv2.cvtColor(chip(face.frame.pixels, face.points, "dlib150"), cv2.COLOR_RGB2GRAY)[_ROWS, _COLUMNS]
    middle, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(luma))
    fine = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
    sharpness, detail = _sharpness(fine)
    residue = cv2.meanStdDev(cv2.subtract(luma, cv2.blur(luma, (3, 3)), dtype=cv2.CV_32F))[1][0, 0]
    yaw, pitch, roll = pose(face.points)
    return Measures(
        eyes=face.eye_distance,
        sharpness=sharpness,
        contrast=deviation,
        luma=middle,
        clipped=float(np.count_nonzero(luma >= 250)) / luma.size,
        noise=float(residue) / max(detail, 1e-3),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        inside=_inside(face),
        detector=face.score,
    )


def pose(points: F32) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees from five points (5, 2), by fitting a mean head under scaled orthography.

    Good to about ten degrees: people's noses differ. Yaw is positive towards the subject's left, pitch upwards."""
    turn = _turn(points)
    roll = np.arctan2(-turn[0, 1], turn[1, 1])
    right = np.cos(roll) * turn[0, 2] + np.sin(roll) * turn[1, 2]
    down = np.cos(roll) * turn[1, 2] - np.sin(roll) * turn[0, 2]
    yaw = np.arcsin(np.clip(right, -1, 1))
    pitch = -np.arcsin(np.clip(down / max(np.cos(yaw), 1e-6), -1, 1))
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def posed(points: F32, spots: F64) -> F64:
    """(n, 2) where `spots` of the mean head lie in the picture, given a face's five points (5, 2).

    spots: (n, 3) in eye distances from the middle between the eyes: x to the picture's right, y down, z to the camera."""
    onto = _LEAN.T @ _turn(points).T
    flat = (_HEAD - _HEAD.mean(0)) @ onto
    middle = np.mean(points, axis=0, dtype=np.float64)
    scale = float(((points - middle) * flat).sum() / (flat * flat).sum())
    lying: F64 = middle + scale * ((spots - _HEAD.mean(0)) @ onto)
    return lying


def _turn(points: F32) -> F64:
    """(2, 3) the picture of the head's axes."""
    centred = np.asarray(points, np.float64) - np.mean(points, axis=0, dtype=np.float64)
    rows, _, columns = np.linalg.svd((_FIT @ centred).T, full_matrices=False)
    turn: F64 = rows @ columns
    return turn


def _sharpness(fine: F32) -> tuple[float, float]:
    """Sharpness of a half-size chip (h, w) and the strength of its fine detail; see `Measures`.

    Either direction on its own, because a moving camera blurs only one of them."""
    import cv2

    none = np.ones((1, 1), np.float32)
    ratios, details = [], []
    for along_rows in (True, False):
        steps = []
        for kernel in _KERNELS:
            pair = (kernel, none) if along_rows else (none, kernel)
            steps.append(cv2.sepFilter2D(fine, cv2.CV_32F, *pair))
        detail, coarse = (float(np.std(a - b)) for a, b in pairwise(steps))
        ratios.append(detail / max(coarse, 1e-3))
        details.append(detail)
    return min(ratios), float(np.mean(details))


def _gaussian(sigma: float) -> F32:
    """(n, 1) kernel out to three standard deviations."""
    reach = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel: F32 = (weights / weights.sum()).astype(np.float32)[:, None]
    return kernel


_KERNELS = tuple(_gaussian(sigma) for sigma in (0.75, 1.5, 3.0))


def _inside(face: Face) -> float:
    """Share of the face box's area that lies within the frame the face was cut from."""
    x0, y0, x1, y1 = (float(value) for value in face.box)
    area = (x1 - x0) * (y1 - y0)
    width = min(x1, face.frame.width) - max(x0, 0)
    height = min(y1, face.frame.height) - max(y0, 0)
    return max(0.0, width) * max(0.0, height) / area if area > 0 else 0.0


def _contrast_in_words(measures: Measures) -> str:
    light = "too dark" if measures.luma < 60 else "washed out" if measures.luma > 190 else "flat"
    return f"{light}: contrast {measures.contrast:.1f}, {_wanted(CONTRAST):.0f} wanted"


def _along(curve: Curve, value: float) -> float:
    return float(np.interp(value, [point[0] for point in curve], [point[1] for point in curve]))


def _wanted(curve: Curve) -> float:
    """The value at which a component is good enough not to be named."""
    rising = curve if curve[0][1] < curve[-1][1] else curve[::-1]
    return float(np.interp(_GOOD, [point[1] for point in rising], [point[0] for point in rising]))
