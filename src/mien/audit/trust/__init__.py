"""One report on a model that reads faces: a list of requirements, each with its evidence and its state.

The list follows what the workshop on trustworthy facial affect analysis asks about (TrustFAA, FG 2025): fairness,
explanation, uncertainty, privacy and an ethical impact statement, beside accuracy, calibration and robustness. There is
no score over all: a model that is private does not become fair by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mien.audit.affect.data import Part, Settings, said
from mien.audit.trust.data import TrustData, read
from mien.audit.trust.explaining import explaining
from mien.audit.trust.groups import fairness
from mien.audit.trust.privacy import privacy
from mien.audit.trust.requirement import Requirement, at_most
from mien.audit.trust.robustness import DEGRADATIONS, STRENGTHS, Robustness, robustness
from mien.audit.trust.statement import READS_APPEARANCE, statement
from mien.audit.trust.sureness import accuracy, sureness
from mien.errors import EvidenceError
from mien.report import Problem, Report
from mien.types import Metric

__all__ = ["Requirement", "Trust", "TrustData", "assemble", "read"]

Progress = Callable[[str, int, int], None]  # what, done, of how many
STAGES = ("answers", "sureness", "groups", "robustness", "explanation", "privacy")


@dataclass(frozen=True)
class Trust:
    """`mien audit trust`."""

    name: ClassVar[str] = "trust"

    rounds: int = 1000  # of the bootstrap
    seed: int = 0
    tolerance: float = (
        0.05  # of calibration error, accuracy gap of groups, cost of mild degradations, importance off the face
    )
    spoilt: int = 1000  # pictures that are degraded, drawn
    faces: int = 6  # single faces shown in the report
    progress: Progress | None = None

    def run(self, data: TrustData) -> Report:
        """Measure everything that can be. Raises EvidenceError when no picture has an answer, ModelError."""
        report, requirements = self.assess(data)
        return assemble(report, requirements, data)

    def assess(self, data: TrustData) -> tuple[Report, list[Requirement]]:
        """What was measured, and the requirements, before they are put into one report."""
        if not data.seen.any():
            raise EvidenceError(
                f"No face was found in any of {len(data):,} pictures.",
                "If they are crops of faces already, say --crops.",
            )
        settings = Settings(self.rounds, self.seed)
        self._told(0)
        probabilities = np.zeros((len(data), len(data.judge.labels)))
        probabilities[data.seen] = data.judge.probabilities(data.crops[data.seen])
        base, requirements = accuracy(data, probabilities, settings)
        self._told(1)
        ece = base.metrics.get(f"ECE, {settings.bins} bins of equal width")
        steps: list[Callable[[], tuple[Part, list[Requirement]]]] = [
            lambda: sureness(data, probabilities, ece, settings, self.tolerance),
            lambda: fairness(data, probabilities, settings, self.tolerance),
            lambda: self._robust(data, settings),
            lambda: explaining(data, settings, self.faces, self.tolerance),
            lambda: privacy(data, probabilities, settings, self.faces),
        ]
        parts: list[Part] = []
        for stage, step in enumerate(steps, 2):
            part, found = step()
            parts.append(part)
            requirements += found
            self._told(stage)
        return _joined(base, parts, data), requirements + statement(data.judge.card)

    def _robust(self, data: TrustData, settings: Settings) -> tuple[Part, list[Requirement]]:
        rows = np.flatnonzero(data.seen)
        rows = np.sort(np.random.default_rng(settings.seed).permutation(rows)[: self.spoilt])
        part = data.part(rows)
        found = robustness(
            data.judge.probabilities, part.crops, part.truth, tuple(part.people()), settings.rounds, settings.seed
        )
        metrics = {
            f"drop of accuracy, {name}, {strength}": metric
            for (name, strength), metric in found.drops.items()
            if strength in STRENGTHS[:2]
        }
        made = Part(metrics, tables={"Robustness": found.rows}, charts=found.charts)
        return made, [_withstands(found, one.name, self.tolerance) for one in DEGRADATIONS]

    def _told(self, done: int) -> None:
        if self.progress is not None:
            self.progress("audit", done, len(STAGES))


def _withstands(found: Robustness, name: str, limit: float) -> Requirement:
    mildest = STRENGTHS[0]
    drop = found.drops.get((name, mildest))
    one = next(one for one in DEGRADATIONS if one.name == name)
    further = ", ".join(
        f"{strength} {found.drops[name, strength].value:.3f}"
        for strength in STRENGTHS[1:]
        if (name, strength) in found.drops
    )
    words = f"Mild is {one.amounts[0]:g} ({one.unit}). Accuracy lost at more: {further}."
    return Requirement(
        "robustness", f"Mild {name} costs at most {limit:g} of accuracy", at_most(drop, limit), words, drop
    )


def _joined(base: Report, parts: list[Part], data: TrustData) -> Report:
    """Everything that was measured, in one report."""
    metrics: dict[str, Metric] = dict(base.metrics)
    for part in parts:
        metrics |= part.metrics
    return Report(
        Trust.name,
        metrics,
        base.rows,
        _made(data),
        base.headline,
        (*base.findings, *(words for part in parts for words in part.findings if words)),
        (*data.problems, *base.problems, *(problem for part in parts for problem in part.problems)),
        {**base.tables, **{title: rows for part in parts for title, rows in part.tables.items()}},
        (*base.charts, *(chart for part in parts for chart in part.charts)),
    )


def _made(data: TrustData) -> dict[str, Any]:
    route = f"faces found by {data.detector}" if data.detector else "pictures taken as crops of faces"
    digest = data.judge.card.files[0].sha256 or ""
    return {"data": data.source, "models": {data.judge.kind: data.judge.name}, "sha256": digest, "pictures": route}


def assemble(report: Report, requirements: list[Requirement], data: TrustData) -> Report:
    """The report of `Trust.run`: the requirements first, what is not met told in words."""
    states = Counter(one.state for one in requirements)
    counted = ", ".join(f"{states[state]} {state}" for state in ("met", "not met", "not enough data", "not stated"))
    named = f"{data.judge.name}: of {len(requirements)} requirements {counted}."
    right = said(report.metrics.get("WAR (accuracy)"))
    headline = f"{named} Accuracy {right}, UAR {said(report.metrics.get('UAR'))} on {len(data):,} pictures."
    failed = tuple(
        f"Not met ({one.area}): {one.asks}. {one.evidence}" for one in requirements if one.state == "not met"
    )
    tables = {"Requirements": tuple(one.row() for one in requirements), **report.tables}
    doubts: tuple[Problem, ...] = report.problems
    return Report(
        report.name,
        report.metrics,
        report.rows,
        report.made,
        headline,
        (*failed, READS_APPEARANCE, *report.findings),
        doubts,
        tables,
        report.charts,
    )
