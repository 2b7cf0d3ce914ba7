"""A component's native value to its score, 0 to 100, 100 best: the mapping of ISO/IEC 29794-5:2025.

Formulas and constants are those of the standard's reference software (OFIQ 1.0.3, MIT licence, ``data/ofiq_config.jaxn``
and ``OFIQlib/modules/measures``); they agree with every score it publishes for its conformance pictures
(``tests/judge/test_iso_mapping.py``). The mapping needs no picture: native values measured elsewhere can be mapped too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from mien.errors import UsageError

FAILED = -1  # the score of a component that could not be assessed, as the reference software writes it

Curve = Callable[[float], float]


def score(component: str, native: float) -> int:
    """The score of a component's native value; FAILED where that is NaN. Raises UsageError for no component."""
    mark = graded(component, native)
    return FAILED if math.isnan(mark) else min(100, max(0, math.floor(mark + 0.5)))


def graded(component: str, native: float) -> float:
    """The score before it is rounded and cut off at 0 and 100: orders pictures that have the same score.

    NaN stays NaN. Raises UsageError for no component."""
    curve = _CURVES.get(component)
    if curve is None:
        raise UsageError(f"There is no component {component!r}.", f"Choose among {', '.join(_CURVES)}.")
    return native if math.isnan(native) else curve(native)


def _sigmoid(x: float, middle: float, width: float) -> float:
    z = (middle - x) / width
    return 0.0 if z > 700 else 1 / (1 + math.exp(z))  # exp has an end


def _rising(middle: float, width: float) -> Curve:
    return lambda x: 100 * _sigmoid(x, middle, width)


def _falling(middle: float, width: float, height: float = 100) -> Curve:
    return lambda x: height * (1 - _sigmoid(x, middle, width))


def _share_free(x: float) -> float:
    """Of a share that should be zero."""
    return 100 * (1 - x)


def _upright(degrees: float) -> float:
    return 100 * max(0.0, math.cos(math.radians(degrees))) ** 2


def _luminance_mean(x: float) -> float:
    return 100 * _sigmoid(x, 0.2, 0.05) * (1 - _sigmoid(x, 0.8, 0.05))


def _luminance_variance(x: float) -> float:
    return 100 * math.sin(math.pi * 60 * x / (60 * x + 1))


def _uncovered(x: float) -> float:
    """Of the share of the upper picture that is head covering: 100 at none, 0 from 0.95 on, a sigmoid between."""
    least, most = 0.0, 0.95
    if x <= least or x >= most:
        return 100.0 if x <= least else 0.0
    here, start, end = (_sigmoid(value, 0.02, 0.1) for value in (x, least, most))
    return 100 * (end - here) / (end - start)


_CURVES: Mapping[str, Curve] = {
    "unified_quality": _rising(23, 2.6),
    "background_uniformity": _falling(10, 100, 190),
    "illumination_uniformity": lambda x: 100 * x**0.3,
    "luminance_mean": _luminance_mean,
    "luminance_variance": _luminance_variance,
    "under_exposure": lambda x: 120 * (0.832 - _sigmoid(x, 0.92, 0.05)),
    "over_exposure": lambda x: 1 / (x + 0.01),
    "dynamic_range": lambda x: 12.5 * x,
    "sharpness": lambda x: -14 + 115 * _sigmoid(x, -20, 15),
    "compression": lambda x: -0.0278 + 103 * _sigmoid(x, 0.3308, 0.092),
    "natural_colour": _falling(0, 10, 200),
    "single_face": _share_free,
    "eyes_open": _rising(0.02, 0.01),
    "mouth_closed": _falling(0.2, 0.06),
    "eyes_visible": _share_free,
    "mouth_occlusion": _share_free,
    "face_occlusion": _share_free,
    "inter_eye_distance": _rising(70, 20),
    "head_size": lambda x: 200 * (1 - _sigmoid(abs(x - 0.45), 0, 0.05)),
    "leftward_crop": _rising(0.9, 0.1),
    "rightward_crop": _rising(0.9, 0.1),
    "margin_above": _rising(1.4, 0.1),
    "margin_below": _rising(1.8, 0.1),
    "head_yaw": _upright,
    "head_pitch": _upright,
    "head_roll": _upright,
    "expression_neutrality": _rising(-5000, 5000),
    "no_head_coverings": _uncovered,
}
