"""What an audit hands back: numbers with intervals, the rows behind them, charts as data, and what was wrong with the data.

Charts are numbers, not pictures: the JSON beside a report holds what its plots show, and plots can be drawn again from it.
How a report becomes JSON, CSV and HTML is `mien.audit.document`; this module holds only the nouns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mien.types import Metric

Row = Mapping[str, Any]
Axis = Literal[
    "linear", "log", "probit"
]  # probit: the normal deviate, on which DET curves of normal scores are straight


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the data that the reader must know: unusable, missing, doubtful. Counted, listed, never dropped."""

    kind: str  # stable name, such as "absent_file"
    words: str  # one sentence: what it is and what became of it
    cases: tuple[str, ...]  # every case, by name; empty where a count is all there is
    count: int = 0  # how many; 0: as many as cases

    @property
    def number(self) -> int:
        """How many cases."""
        return self.count or len(self.cases)


@dataclass(frozen=True, slots=True)
class Line:
    """One curve, with a 95 % band where `low` and `high` are given."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    style: Literal["line", "steps", "points"] = "line"


@dataclass(frozen=True, slots=True)
class Mark:
    """A straight line across a chart, such as an operating point."""

    axis: Literal["x", "y"]
    at: float
    name: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Curves over one pair of axes."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_axis: Axis = "linear"
    y_axis: Axis = "linear"
    marks: tuple[Mark, ...] = ()
    note: str = ""  # what the reader should see in it; also read out to those who cannot


@dataclass(frozen=True, slots=True)
class Bars:
    """Named values with intervals, such as an error rate per group."""

    title: str
    label: str  # of the value axis
    bars: Mapping[str, Metric]
    axis: Literal["linear", "log"] = "linear"
    marks: tuple[Mark, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A value for each pair of names: a confusion matrix, rates of one group against another."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]  # None: no data
    row_label: str = ""
    column_label: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG: a saliency map, examples. JSON holds its digest only."""

    title: str
    png: bytes
    note: str = ""


Chart = Lines | Bars | Grid | Picture


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit hands back."""

    name: str
    metrics: Mapping[str, Metric]
    rows: tuple[Row, ...] = ()  # the cases behind the metrics; all of one shape
    made: Mapping[str, Any] = field(default_factory=dict)  # commit, models, data, seed, machine
    headline: str = ""  # one sentence: the number that matters, its interval and the count behind it
    findings: tuple[str, ...] = ()  # what it means and what to do, in sentences
    problems: tuple[Problem, ...] = ()
    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)  # title -> rows of one shape
    charts: tuple[Chart, ...] = ()
