"""A requirement with its evidence and its state, by a rule that the report states. Nothing is weighed into a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.report import Row
from mien.types import Metric

State = Literal["met", "not met", "not enough data", "not stated"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of the list."""

    area: str  # accuracy, calibration, …
    asks: str  # what is wanted, with its limit
    state: State
    evidence: str  # in words
    measured: Metric | None = None

    def row(self) -> Row:
        """As a row of the report's table."""
        return {
            "area": self.area,
            "requirement": self.asks,
            "state": self.state,
            "measured": self.measured,
            "evidence": self.evidence,
        }


def at_most(metric: Metric | None, limit: float) -> State:
    """Met when the whole interval is within the limit, not met when the whole interval is beyond, else undecided."""
    if metric is None:
        return "not enough data"
    return "met" if metric.high <= limit else "not met" if metric.low > limit else "not enough data"


def at_least(metric: Metric | None, limit: float) -> State:
    """The same for what should be large."""
    if metric is None:
        return "not enough data"
    return "met" if metric.low >= limit else "not met" if metric.high < limit else "not enough data"
