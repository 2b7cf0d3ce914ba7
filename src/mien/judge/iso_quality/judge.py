"""The judge: a clip's best face to a reading with the components' scores, and reasons in words."""

from __future__ import annotations

from mien.errors import InputError
from mien.judge.iso_quality.components import AT_HAND
from mien.judge.iso_quality.measures import assess
from mien.protocols import Needs
from mien.types import Clip, Reading

UNIT = "score after ISO/IEC 29794-5, 0..100"


class IsoQuality:
    """Judges the best face of a clip. Scores: the components that are at hand; what is below is said in words.

    A component without a score is one of those that `mien.judge.iso_quality.COMPONENTS` calls not at hand, or one that
    a clip cannot tell, such as whether the picture shows one person only."""

    name = "iso_quality"
    kind = "iso_quality"
    needs = Needs()
    labels = AT_HAND

    def judge(self, clip: Clip) -> list[Reading]:
        """One reading of the clip's best face."""
        span = clip.span if clip.fps > 0 else None
        try:
            found = assess(clip.best)
        except InputError as error:
            return [Reading(self.kind, {}, self.name, UNIT, span, (error.message,))]
        scores = {name: float(value.score) for name, value in found.values.items()}
        return [Reading(self.kind, scores, self.name, UNIT, span, found.words)]
