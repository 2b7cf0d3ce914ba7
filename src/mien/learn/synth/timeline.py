"""Time: how an action unit rises, stays and falls, and the intervals that follow from it.

        1            apex ______ release
                        /        \\
                       /          \\           half-cosines: speed is 0 at all four corners
        0    onset ___/            \\___ offset
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

MICRO = 0.5  # s; the longest interval that is called a micro-expression
Sides = tuple[float, float]  # subject's left, right


def ramp(share: float) -> float:
    """0 to 1 along half a cosine, for a share 0..1 of the way; flat outside."""
    return 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, share)))


def rise_and_fall(time: float, onset: float, apex: float, release: float, offset: float) -> float:
    """The curve above at a time in s. A ramp of no length is a step."""
    if time <= onset or time >= offset:
        return 1.0 if onset == apex == time < offset else 0.0
    if time < apex:
        return ramp((time - onset) / (apex - onset))
    return 1.0 if time <= release else ramp((offset - time) / (offset - release))


@dataclass(frozen=True, slots=True)
class Move:
    """One action unit, once."""

    unit: str
    onset: float  # s
    apex: float  # s; here it has risen
    release: float  # s; here it begins to fall
    offset: float  # s
    left: float  # strength at the apex on the subject's left, 0..1
    right: float

    def at(self, time: float) -> Sides:
        """Strength (left, right) at a time in s."""
        level = rise_and_fall(time, self.onset, self.apex, self.release, self.offset)
        return level * self.left, level * self.right


@dataclass(frozen=True, slots=True)
class Interval:
    """From the first motion of an expression to its last; s from the start of the clip."""

    onset: float
    apex: float
    offset: float
    label: str
    units: tuple[str, ...]  # "AU12", or "AU12L", "AU12R" where one side alone moves
    kind: str  # "micro" | "macro"

    def frames(self, fps: float, count: int) -> tuple[int, int, int]:
        """0-based frames (onset, apex, offset) within a clip of `count` frames."""
        first, top, last = (min(count - 1, max(0, round(one * fps))) for one in (self.onset, self.apex, self.offset))
        return first, top, last


def kind_of(onset: float, offset: float) -> str:
    """Micro up to `MICRO` s, macro beyond."""
    return "micro" if offset - onset <= MICRO + 1e-9 else "macro"


def strongest(parts: Iterable[Mapping[str, Sides]]) -> dict[str, Sides]:
    """Where several act on a unit at once, the stronger one shows, on each side."""
    shown: dict[str, Sides] = {}
    for part in parts:
        for unit, (left, right) in part.items():
            before = shown.get(unit, (0.0, 0.0))
            shown[unit] = max(before[0], left), max(before[1], right)
    return shown


def shown_at(moves: Iterable[Move], time: float) -> dict[str, Sides]:
    """Strengths of all units that move."""
    return strongest({move.unit: move.at(time)} for move in moves)


def shift(moves: Iterable[Move], seconds: float) -> tuple[Move, ...]:
    """The same later."""
    return tuple(
        replace(
            move,
            onset=move.onset + seconds,
            apex=move.apex + seconds,
            release=move.release + seconds,
            offset=move.offset + seconds,
        )
        for move in moves
    )
