"""An audit of a data set as a job: pictures through the models one by one, then the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mien.audit import document
from mien.audit.captures.captures import Captures
from mien.audit.captures.capturing import capture, lost
from mien.audit.data import Labelled, pictures, read_labels
from mien.decide import Policy
from mien.errors import UsageError
from mien.report import Problem, Report
from mien.serve.jobs import datasets, timeline
from mien.serve.jobs.work import Work
from mien.types import OperatingPoint

_LOOKED = 0.9  # share of the progress that the pictures make; the rest is the measuring


@dataclass(slots=True)
class _Run:
    """One audit: the pictures, and what is wrong with them so far."""

    work: Work
    place: Path
    listed: tuple[Labelled, ...]
    problems: list[Problem] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        """Resamples."""
        return int(self.work.job.asked.get("rounds", 1000))

    @property
    def seed(self) -> int:
        """Of everything drawn."""
        return int(self.work.job.asked.get("seed", 0))

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """Those of the embedder's card."""
        return self.work.engine.points

    def told(self, done: int, total: int) -> None:
        """How many pictures were looked at."""
        self.work.step(_LOOKED * done / max(total, 1))

    def captures(self) -> Captures:
        """All pictures as templates; those that gave none stay in."""
        found = capture(self.work.engine, self.listed, progress=self.told)
        self.problems += lost(found)
        return found


def run(work: Work) -> Mapping[str, Any]:
    """Do the audit that was asked for; the report lies in the job's folder. Raises EvidenceError, InputError …"""
    asked = work.job.asked
    place = datasets.place(work.service.settings.datasets, asked["data"])
    folder = work.fresh(timeline.part(work.job))
    listed, problems = pictures(place, asked.get("pad", 0.0))
    one = _Run(work, place, listed, list(problems))
    report = _AUDITS[asked["audit"]](one)
    work.step(0.99)
    engine = work.engine
    models = {"detector": engine.detector.name, "embedder": engine.embedder.name, "space": engine.embedder.space}
    told = {"data": asked["data"], "pad": asked.get("pad", 0.0), "models": models}
    made = document.provenance(one.seed, one.rounds) | told | dict(report.made)
    whole = replace(report, made=made, problems=tuple(dict.fromkeys((*one.problems, *report.problems))))
    return written(whole, folder)


def written(report: Report, folder: Path) -> dict[str, Any]:
    """Write a report into a job's folder; what of it the job's result holds. Raises CannotWrite."""
    document.write(report, folder)
    whole = document.encode(report)
    problems = [{name: one[name] for name in ("kind", "words", "count")} for one in whole["problems"]]
    kept = {name: whole[name] for name in ("name", "headline", "metrics", "findings")}
    return kept | {"problems": problems, "report": "report"}


def _verification(one: _Run) -> Report:
    from mien.audit.recognition.verification import RATES, Verification

    return Verification(RATES, one.points, one.rounds, one.seed).run(one.captures())


def _identification(one: _Run) -> Report:
    from mien.audit.recognition.identification import RATES, Identification, of_captures

    data = of_captures(one.captures(), seed=one.seed, points=one.points)
    points = (Policy().point(one.points, len(data.owner)),) if one.points else ()
    return Identification(RATES, points, rounds=one.rounds, seed=one.seed).run(data)


def _quality(one: _Run) -> Report:
    from mien.audit.quality import Quality, look

    looked = look(one.work.engine, one.listed, progress=one.told)
    one.problems = [each for each in one.problems if each.kind != "no_subject"] + list(lost(looked.captures))
    # No sheet of the worst: a reader of the service sees figures, and no faces of a data set.
    return Quality(worst=0, rounds=one.rounds, seed=one.seed).run(looked)


def _detection(one: _Run) -> Report:
    from mien.audit.detection.audit import Detection, Looks
    from mien.audit.detection.looking import look

    looked = look(one.work.engine, one.listed, progress=one.told)
    one.problems = [each for each in one.problems if each.kind not in ("no_subject", "empty_person")]
    return Detection(one.rounds, one.seed).run(Looks(showing=looked))


def _fairness(one: _Run) -> Report:
    from mien.audit.fairness import Fairness, of_captures

    labels = one.place / datasets.LABELS
    if not labels.is_file():
        told = f"It has columns subject (or path) and one per group, such as sex; it is called {datasets.LABELS}."
        raise UsageError(f"The data set {one.place.name!r} names no groups.", told)
    found = one.captures()
    groups = read_labels(labels, found.names, found.subjects)
    one.problems += groups.problems
    compared = of_captures(one.work.engine.embedder.name, found, groups.columns, one.points)
    return Fairness(rounds=one.rounds, seed=one.seed).run([compared])


_AUDITS: Mapping[str, Callable[[_Run], Report]] = {
    "verification": _verification,
    "identification": _identification,
    "quality": _quality,
    "detection": _detection,
    "fairness": _fairness,
}
