"""Native values of the components that five points and the detector allow, each with its score and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.judge.iso_quality import words
from mien.judge.iso_quality.components import AT_HAND, COMPONENTS
from mien.judge.iso_quality.frame import Aligned, align
from mien.judge.iso_quality.mapping import FAILED, score
from mien.judge.quality import pose
from mien.types import Face

F64 = NDArray[np.float64]

DARK = slice(0, 26)  # luminance values that count as black
LIGHT = slice(247, 256)  # and as white
NO_FRAME = "the whole picture is not at hand: only a crop of it was kept"
NO_NEIGHBOURS = "a clip shows one person: who stands beside is not known here"


@dataclass(frozen=True, slots=True)
class Value:
    """One component of one face."""

    native: float
    score: int  # 0..100, 100 best
    verdict: str  # ok, below, cannot tell
    words: str = ""  # what to do about it; "" unless it is below what is wanted


@dataclass(frozen=True, slots=True)
class Assessment:
    """All 28 components of one face: each has a value, or a reason why it has none."""

    values: Mapping[str, Value]
    missing: Mapping[str, str] = field(default_factory=dict)  # component -> why
    given: frozenset[str] = frozenset()  # components whose native value was measured elsewhere

    @property
    def words(self) -> tuple[str, ...]:
        """What is below what is wanted, in words for the person who takes the picture; the worst score first."""
        below = sorted((value for value in self.values.values() if value.words), key=lambda value: value.score)
        return tuple(value.words for value in below)

    @property
    def table(self) -> tuple[dict[str, Any], ...]:
        """A row for each of the 28 components, in the standard's order."""
        return tuple(_row(name, self) for name in COMPONENTS)


def assess(face: Face, faces: Sequence[Face] | None = None, given: Mapping[str, float] | None = None) -> Assessment:
    """The components of one face.

    faces: all faces of the picture; without them it cannot be told whether it shows one person only.
    given: native values measured elsewhere, such as by the standard's reference software; they go before ours.
    Raises InputError when the face's points do not lie as on a face, UsageError for a component that is none."""
    natives, missing = measure(face, faces)
    return told(natives, missing, given)


def told(
    natives: Mapping[str, float], missing: Mapping[str, str] | None = None, given: Mapping[str, float] | None = None
) -> Assessment:
    """Native values with their scores and words; `missing` says why one of those at hand has none."""
    merged = {**natives, **(given or {})}
    values = {name: _value(name, native) for name, native in merged.items()}
    reasons = _ABSENT | dict(missing or {})
    return Assessment(
        {name: values[name] for name in COMPONENTS if name in values},
        {name: reasons.get(name, "it could not be measured") for name in COMPONENTS if name not in values},
        frozenset(given or ()),
    )


def failed(reason: str) -> Assessment:
    """The assessment of a picture in which no face could be measured."""
    return told({}, dict.fromkeys(AT_HAND, reason))


_ABSENT = {name: component.how for name, component in COMPONENTS.items() if component.basis == "not at hand"}


def measure(face: Face, faces: Sequence[Face] | None = None) -> tuple[dict[str, float], dict[str, str]]:
    """Native values of what is at hand, and why the others of these are not. Raises InputError, see `assess`."""
    aligned = align(face)
    yaw, pitch, roll = pose(face.points)
    natives = {"head_yaw": yaw, "head_pitch": pitch, "head_roll": roll} | light(aligned)
    natives |= _uniformity(aligned) | _geometry(face, yaw, aligned.chin)
    if faces is not None:
        natives["single_face"] = unicity(faces)
    whole = face.origin == (0.0, 0.0, 1.0)
    reasons = {
        name: NO_NEIGHBOURS if name == "single_face" else "the cheeks lie outside of the picture" if whole else NO_FRAME
        for name in AT_HAND
        if name not in natives
    }
    return natives, reasons


def light(aligned: Aligned) -> dict[str, float]:
    """What the histogram of the face region's luminance tells."""
    counts = np.bincount(aligned.luminance[aligned.region], minlength=256)
    total = int(counts.sum())
    if total == 0:
        return {}
    shares: F64 = counts / total
    levels = np.arange(256) / 255
    mean = float(shares @ levels)
    present = shares[shares > 0]
    return {
        "luminance_mean": mean,
        "luminance_variance": float(shares @ (levels - mean) ** 2),
        "under_exposure": float(shares[DARK].sum()),
        "over_exposure": float(shares[LIGHT].sum()),
        "dynamic_range": abs(float(present @ np.log2(present))),
    }


def unicity(faces: Sequence[Face]) -> float:
    """Area of the second largest box over that of the largest; 0 where there is no second."""
    areas = sorted((float(np.prod(np.maximum(face.box[2:] - face.box[:2], 0))) for face in faces), reverse=True)
    return areas[1] / areas[0] if len(areas) > 1 and areas[0] > 0 else 0.0


def _uniformity(aligned: Aligned) -> dict[str, float]:
    """What the two cheeks tell: how alike their light is, and the colour of the skin."""
    masked = np.where(aligned.region, aligned.luminance, 0)
    shares, skin = [], []
    for x0, y0, x1, y1 in aligned.cheeks:
        patch = masked[y0:y1, x0:x1]
        if patch.size == 0:
            return {}
        shares.append(np.bincount(patch.ravel(), minlength=256) / patch.size)
        skin.append((aligned.pixels[y0:y1, x0:x1] * aligned.region[y0:y1, x0:x1, None]).reshape(-1, 3))
    return {
        "illumination_uniformity": float(np.minimum(*shares).sum()),
        "natural_colour": _unnatural(np.concatenate(skin).mean(0) / 255) if aligned.coloured else 0.0,
    }


def _unnatural(rgb: F64) -> float:
    """How far a mean colour (3,) 0..1 lies from natural skin, a* 5..25 and b* 5..35 in CIELAB under D50."""
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    x, y, z = (_D50 @ linear) / _WHITE
    a, b = 500 * (_cube(x) - _cube(y)), 200 * (_cube(y) - _cube(z))
    if a < 0 or b < 0:
        return 100.0
    return float(np.hypot(max(0.0, 5 - a, a - 25), max(0.0, 5 - b, b - 35)))


_D50 = np.array([[0.43605, 0.38508, 0.14309], [0.22249, 0.71689, 0.06062], [0.01393, 0.09710, 0.71419]])
_WHITE = np.array([0.964221, 1, 0.825211])


def _cube(value: float) -> float:
    return float(np.cbrt(value)) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116


def _geometry(face: Face, yaw: float, chin: F64) -> dict[str, float]:
    """How large the face is and where it lies in its picture; of a crop only how large."""
    eyes = face.eye_distance
    cosine = float(np.cos(np.radians(yaw)))
    natives = {"inter_eye_distance": eyes / cosine} if cosine > 1e-6 else {}
    if face.origin != (0.0, 0.0, 1.0) or eyes <= 0:
        return natives
    right, left = sorted(float(x) for x in face.points[:2, 0])
    middle = face.points[:2].mean(0, dtype=np.float64)
    to_chin = float(np.hypot(*(chin - middle)))
    # The reference software measures from each edge to the eye further away, as its published results show: with the
    # nearer one they would belong to pictures of 28 different widths, with the further one all are 3024 px wide.
    natives |= {"leftward_crop": left / eyes, "rightward_crop": (face.frame.width - right) / eyes}
    if to_chin > 0:
        natives["head_size"] = to_chin / face.frame.height
        natives["margin_above"] = float(middle[1]) / to_chin
        natives["margin_below"] = (face.frame.height - float(middle[1])) / to_chin
    return natives


def _value(name: str, native: float) -> Value:
    mark = score(name, native)
    component = COMPONENTS[name]
    if mark == FAILED:
        return Value(native, mark, "cannot tell")
    # A value given from elsewhere for a component without a line of ours is told by half of the scale.
    verdict = component.verdict(native) if component.wanted else "ok" if mark >= 50 else "below"
    return Value(native, mark, verdict, words.about(name, native) if verdict == "below" else "")


def _row(name: str, assessment: Assessment) -> dict[str, Any]:
    component, value = COMPONENTS[name], assessment.values.get(name)
    return {
        "component": component.title,
        "name": name,
        "basis": "given" if name in assessment.given else component.basis,
        "native": None if value is None else value.native,
        "unit": component.unit,
        "score": None if value is None else value.score,
        "verdict": None if value is None else value.verdict,
        "words": assessment.missing.get(name, "") if value is None else value.words,
    }
