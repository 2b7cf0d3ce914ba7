"""Cosines to the vendor's scale of 0 to 100, by what is known of how often strangers look that alike.

    similarity   false-match rate of comparisons at or above it
    0            one in two: the cosine of an average pair of strangers, and all below
    60           1 in 100
    80           1 in 1,000: what the protocol asks for when a request names no threshold
    90           1 in 10,000: what mien itself decides at
    99           1 in 100,000, the strictest rate that the default embedder has evidence for
    100          the same template

Between these the logarithm of the rate is interpolated, and between two measured thresholds the cosine. The thresholds are
those that were calibrated on the gallery where there are some, else those of the embedder's card. The cosine of an average
pair of strangers is not on a card: it is where the line through the measured thresholds, over the normal deviates of their
rates, meets the deviate 0. The vendor's numbers come from another model: equal numbers do not mean equal error rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mien.errors import EvidenceError
from mien.types import OperatingPoint

# (common logarithm of the false-match rate, similarity), rates falling
_RATES = ((math.log10(0.5), 0.0), (-2.0, 60.0), (-3.0, 80.0), (-4.0, 90.0), (-5.0, 99.0))
_TOP = 99.9  # what ever rarer matches come near to; only the same template has 100
_STEP = 1e-4  # by which cosines of two anchors differ at least


@dataclass(frozen=True, slots=True)
class Scale:
    """Both ways between cosine and similarity; `anchors` are (cosine, similarity), both rising strictly."""

    anchors: tuple[tuple[float, float], ...]

    def of(self, cosine: float) -> float:
        """The similarity of a cosine, 0..100. It never falls while the cosine grows."""
        return _along(self.anchors, cosine)

    def back(self, similarity: float) -> float:
        """The least cosine with at least this similarity; -1 for 0."""
        if similarity <= self.anchors[0][1]:
            return -1.0
        return _along([(to, cosine) for cosine, to in self.anchors], similarity)


def rated(fmr: float) -> float:
    """The similarity that stands for a false-match rate."""
    place, (least, top) = math.log10(fmr), _RATES[-1]
    if place < least:
        return _TOP - (_TOP - top) * 10 ** (place - least)
    return _along(_RATES[::-1], place)


def scale(own: Sequence[OperatingPoint], card: Sequence[OperatingPoint]) -> Scale:
    """The scale by the gallery's `own` operating points, or by its embedder's. Raises EvidenceError where neither has two."""
    for points in (own, card):
        known = _falling(points)
        if len(known) >= 2:
            return Scale(_anchors(known))
    raise EvidenceError(
        "No two false-match rates are known for this embedder, so no similarity can be told.",
        "Calibrate the gallery (`mien calibrate`), or choose an embedder whose card has operating points.",
    )


def _falling(points: Sequence[OperatingPoint]) -> list[tuple[float, float]]:
    """(rate, threshold) of what is known about cosines, rates falling while thresholds grow."""
    known: list[tuple[float, float]] = []
    of_cosines = [(one.fmr, one.threshold) for one in points if one.score == "cosine" and one.fmr is not None]
    for rate, threshold in sorted(of_cosines, key=lambda one: (-one[0], one[1])):
        if not 0 < rate < 0.5 or threshold > 1 - _STEP:
            continue
        before, least = (rated(known[-1][0]), known[-1][1]) if known else (0.0, -1.0)
        if rated(rate) > before + 1e-6 and threshold >= least + _STEP:
            known.append((rate, threshold))
    return known


def _anchors(known: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    deviates = [NormalDist().inv_cdf(1 - rate) for rate, _ in known]
    slope, middle = np.polyfit(deviates, [threshold for _, threshold in known], 1)
    zero = min(float(middle), known[0][1] - _STEP) if slope > 0 else known[0][1] - _STEP
    return ((max(-1.0, zero), 0.0), *((threshold, rated(rate)) for rate, threshold in known), (1.0, 100.0))


def _along(line: Sequence[tuple[float, float]], place: float) -> float:
    """The height of a broken line at a place; level beyond its ends."""
    return float(np.interp(place, [x for x, _ in line], [y for _, y in line]))
