"""Whether networks have learnt enough for a comparison to mean anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mien.reproduce.claim import Check
from mien.types import Metric

LEAST = 2.0  # times chance: what the network without the method must be surely above


def able(control: Metric, classes: int) -> bool:
    """Whether the whole interval of the control's accuracy is above twice chance."""
    return control.low > LEAST / classes


def if_learnt(checks: Sequence[Check], control: Metric, classes: int, control_is: str) -> tuple[Check, ...]:
    """The checks; as untested, with their figures, where the network without the method has hardly learnt: what a method
    gives and takes cannot be seen there, in neither direction."""
    if able(control, classes):
        return tuple(checks)
    why = (
        f"not tested: {control_is} is right in {control.value:.3f} ({control.low:.3f} to {control.high:.3f}), not surely above "
        f"twice chance ({LEAST / classes:.3f})"
    )
    return tuple(one if one.holds is None else replace(one, words=f"{one.words}; {why}", holds=None) for one in checks)
