"""What an affect audit judges, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.people import numbered
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.audit.metrics.spotting import Intervals
from mien.report import Chart, Problem, Row
from mien.types import Metric

Names = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """One class per row."""

    names: tuple[str, ...]
    truth: I64  # (n,) class number; -1: cannot be judged
    predicted: I64  # (n,) class number; NO_ANSWER: none, or none of the classes
    probabilities: F64 | None = None  # (n, k); a row of NaN where they are no probabilities


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One action unit. All (n,); NaN: no truth, no prediction."""

    truth: F64  # 0 or 1, or an intensity 0..5
    score: F64  # grows with presence
    called: F64 | None = None  # 0 or 1 where the system itself decided


@dataclass(frozen=True, slots=True, eq=False)
class Dimension:
    """Valence, arousal or another number. Both (n,); NaN: none."""

    truth: F64
    predicted: F64


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Intervals of videos."""

    truth: Intervals
    predicted: Intervals
    videos: Names  # (v,) sorted
    subjects: Names  # (v,) whose; the video itself where people are not named
    inclusive: bool = False  # times are frame numbers, both within the interval


@dataclass(frozen=True, slots=True, eq=False)
class AffectData:
    """Predictions beside their truth; any of the four kinds may be there. Per row: (n,)."""

    subjects: Names  # whose; the row itself where people are not named
    cases: tuple[str, ...]  # where each row comes from
    named: bool = True  # whether people (or at least videos) are named
    unit: str = "people"  # what intervals draw: people, videos or rows
    series: Names | None = None  # the video of each row
    folds: Names | None = None
    groups: Mapping[str, Names] = field(default_factory=dict)
    classes: Classes | None = None
    units: Mapping[str, Unit] = field(default_factory=dict)
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    spots: Spots | None = None
    development: AffectData | None = None  # other people, to choose thresholds and a temperature on
    problems: tuple[Problem, ...] = ()
    source: str = ""

    def people(self, rows: Bools | None = None) -> tuple[Names, I64]:
        """The people of some rows (default: all), and the number of each row's."""
        return numbered(self.subjects if rows is None else self.subjects[rows])


@dataclass(frozen=True, slots=True)
class Settings:
    """What an affect audit may be told."""

    rounds: int = 1000  # of the bootstrap
    seed: int = 0
    bins: int = 15  # of calibration errors
    threshold: float = 0.5  # at which a unit's probability means present, where nothing better is given
    present: float = 2.0  # intensity from which a unit is present (as DISFA is used)
    iou: float = 0.5  # overlap from which an interval is right


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one kind of prediction adds to the report."""

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    headline: str = ""
    findings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    charts: tuple[Chart, ...] = ()
    rows: tuple[Row, ...] = ()
    people: int = 0  # how many of `unit` stand behind it
    unit: str = "people"


def said(metric: Metric | None) -> str:
    """A value with its interval, as a sentence has it."""
    if metric is None:
        return "not known"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"
