"""Whose face may stay: decided from the looks of one stretch of a track, and hidden in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.decide import Policy
from mien.errors import EvidenceError
from mien.types import F32, Clip, OperatingPoint

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.gallery import BaseGallery

LOOSE = 1e-2  # false-match rate of one look, at which somebody named is still hidden, and somebody known may still stay


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """People of a gallery may stay: every look names the same one, all together at the search's threshold."""

    engine: Engine
    people: BaseGallery
    point: OperatingPoint
    each: float  # what every single look must score; their mean must reach the point

    @classmethod
    def of(cls, engine: Engine, people: BaseGallery, policy: Policy) -> Known:
        """Raises SpaceMismatch, EvidenceError."""
        engine.same_space(people)
        point = engine.cosine_point(people, policy, people.templates)
        return cls(engine, people, point, min(point.threshold, _loose(engine.points, point.threshold)))

    def __call__(self, clip: Clip) -> bool:
        shots = [shot for shot in self.engine.shots(clip.faces) if shot.worth >= Policy().floor]
        if not shots or not len(self.people):
            return False
        found = [matches[0] for matches in self.people.search_many([shot.template for shot in shots], 1)]
        scores = [match.score for match in found]
        same = len({match.subject for match in found}) == 1
        return same and min(scores) >= self.each and float(np.mean(scores)) >= self.point.threshold


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """Everybody but the people named may stay: seen well, and no look is like one of those."""

    engine: Engine
    templates: F32  # (n, D) of the people named
    point: OperatingPoint

    @classmethod
    def of(cls, engine: Engine, people: BaseGallery, names: Sequence[str], policy: Policy) -> Others:
        """Raises UnknownSubject, SpaceMismatch, EvidenceError."""
        engine.same_space(people)
        held = [sample.template.vector for name in names for _, sample in people.samples(name)]
        wanted = policy if (policy.fmr, policy.threshold) != (None, None) else Policy(fmr=LOOSE)
        return cls(engine, np.stack(held), wanted.point(engine.points))

    def __call__(self, clip: Clip) -> bool:
        shots = self.engine.shots(clip.faces)
        likest = max(float((self.templates @ shot.template.vector).max()) for shot in shots)
        return likest < self.point.threshold and max(shot.worth for shot in shots) >= Policy().quality


def _loose(points: Sequence[OperatingPoint], otherwise: float) -> float:
    """The threshold of LOOSE; `otherwise` where there is no evidence and one was set by hand."""
    try:
        return Policy(fmr=LOOSE).point(points).threshold
    except EvidenceError:
        return otherwise
