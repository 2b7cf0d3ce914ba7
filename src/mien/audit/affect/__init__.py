"""Predictions of affect to a report: classes, action units, intervals, valence and arousal against the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mien.audit.affect.classes import judge_classes
from mien.audit.affect.data import AffectData, Classes, Dimension, Part, Settings, Spots, Unit
from mien.audit.affect.dimensions import judge_dimensions
from mien.audit.affect.intervals import judge_intervals
from mien.audit.affect.tables import read_intervals, read_predictions
from mien.audit.affect.units import judge_units
from mien.audit.evaluator import Outcome
from mien.errors import EvidenceError
from mien.report import Problem, Report, Row
from mien.types import Metric

__all__ = [
    "Affect",
    "AffectData",
    "Classes",
    "Dimension",
    "Settings",
    "Spots",
    "Unit",
    "from_outcome",
    "read_intervals",
    "read_predictions",
]

FEW = 10  # people from which a percentile interval is more than a hint


@dataclass(frozen=True)
class Affect(Settings):
    """`mien audit affect`: every kind of prediction that the data hold, each with intervals that draw people."""

    name: ClassVar[str] = "affect"

    def run(self, data: AffectData) -> Report:
        """Raises EvidenceError when nothing in the data can be measured, or what was developed on is judged."""
        parts = []
        if data.classes is not None:
            parts.append(judge_classes(data, data.classes, self))
        if data.units:
            parts.append(judge_units(data, self))
        if data.dimensions:
            parts.append(judge_dimensions(data, self))
        if data.spots is not None:
            parts.append(judge_intervals(data.spots, self))
        if not any(part.metrics for part in parts):
            words = " ".join(f"{', '.join(p.cases[:3])} {p.words}".strip() for part in parts for p in part.problems)
            raise EvidenceError(f"Nothing in {data.source or 'the data'} can be measured. {words}".strip())
        return self._report(data, parts)

    def _report(self, data: AffectData, parts: list[Part]) -> Report:
        metrics = {name: metric for part in parts for name, metric in part.metrics.items()}
        tables = {title: rows for part in parts for title, rows in part.tables.items()}
        headline = " ".join(part.headline for part in parts if part.headline)
        people = max(part.people for part in parts)
        unit = parts[0].unit
        doubts = _doubts(data, people, unit)
        if people == 1:
            tables = {"Values without intervals": _bare(metrics)} | {
                name: _values(rows) for name, rows in tables.items()
            }
            headline = "One person only: the values are of this person and no interval can be stated for others."
            metrics = {}
        rows: list[tuple[Row, ...]] = [part.rows for part in parts if part.rows]
        return Report(
            name=self.name,
            metrics=metrics,
            rows=rows[0] if rows else (),
            made=self._made(data),
            headline=headline,
            findings=tuple(words for part in parts for words in part.findings),
            problems=(*doubts, *data.problems, *(p for part in parts for p in part.problems)),
            tables=tables,
            charts=tuple(chart for part in parts if people > 1 for chart in part.charts),
        )

    def _made(self, data: AffectData) -> dict[str, Any]:
        chosen: dict[str, Any] = {
            "bins": self.bins,
            "threshold": self.threshold,
            "present": self.present,
            "iou": self.iou,
        }
        made: dict[str, Any] = {"data": data.source} if data.source else {}
        if data.development is not None:
            made["development"] = data.development.source
        if data.spots is not None:
            chosen["times"] = "frames" if data.spots.inclusive else "seconds"
        return made | {"settings": chosen}


def from_outcome(outcome: Outcome, source: str = "") -> AffectData:
    """What a protocol came to, as data to judge: `Affect().run(from_outcome(evaluate(…)))`."""
    return AffectData(
        subjects=outcome.subjects,
        cases=tuple(f"sample {row}" for row in outcome.rows),
        folds=None if (outcome.folds == outcome.subjects).all() else outcome.folds,
        classes=Classes(outcome.classes, outcome.truth, outcome.predicted),
        problems=outcome.problems,
        source=source,
    )


def _doubts(data: AffectData, people: int, unit: str) -> tuple[Problem, ...]:
    """What the intervals rest on, where that is not enough people."""
    found = []
    if unit != "people":
        words = (
            f"People are not named (column subject): intervals draw {unit} as if they were independent, and are too "
            "narrow if people repeat."
        )
        found.append(Problem("no_subjects", words, (), people))
    if people == 1:
        words = "All data are of one: nothing follows for others, so no metric is stated with an interval."
        found.append(Problem("one_person", words, (), 1))
    elif people < FEW:
        words = f"So few {unit} make intervals a hint: with fewer than {FEW} they tend to be too narrow."
        found.append(Problem("few_people", words, (), people))
    return tuple(found)


def _values(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Cells without their intervals."""
    return tuple({key: v.value if isinstance(v, Metric) else v for key, v in row.items()} for row in rows)


def _bare(metrics: dict[str, Metric]) -> tuple[Row, ...]:
    return tuple({"metric": name, "value": metric.value, "n": metric.n} for name, metric in metrics.items())
