"""The audit of identification: simulated galleries and probes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.audit.captures import Captures
from mien.audit.document import encode
from mien.audit.recognition.identification import Enrolled, Identification, of_captures, of_gallery, sweep
from mien.errors import EvidenceError, SpaceMismatch, UsageError
from mien.gallery import MemoryGallery
from mien.types import OperatingPoint, Sample, Template


def captures(people: int = 240, photos: int = 3, seed: int = 0, spread: float = 0.5) -> Captures:
    """Simulated captures around a centre per person."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), photos)
    vectors = rng.normal(size=(people, 16))[owner] + spread * rng.normal(size=(len(owner), 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    names = tuple(f"{person:03}/{number}.jpg" for number, person in enumerate(owner))
    subjects = tuple(f"{person:03}" for person in owner)
    return Captures(names, subjects, vectors, np.ones(len(owner)), ("",) * len(owner), "space")


def failing(whole: Captures, *rows: int) -> Captures:
    """Some of them without a template."""
    vectors = whole.vectors.copy()
    vectors[list(rows)] = 0
    why = tuple("no face" if index in rows else "" for index in range(len(whole)))
    return replace(whole, vectors=vectors, failures=why)


def test_half_of_the_people_are_enrolled_and_nobody_is_both() -> None:
    data = of_captures(captures(), enrol=1, strangers=0.5)
    assert len(data.subjects) == 120 == len(data.owner)
    mated = [subject for subject in data.probes.subjects if subject in data.subjects]
    assert len(mated) == 240 and len(data.probes) == 240 + 360
    assert not {name for name in data.probes.names if name in _enrolled_names(data)}


def _enrolled_names(data: Enrolled) -> set[str]:
    return {f"{subject}/{3 * int(subject)}.jpg" for subject in data.subjects}


def test_the_report() -> None:
    data = of_captures(failing(captures(), 4, 400), 1, 0.5)
    report = Identification(points=(OperatingPoint(0.2, fpir=0.01),), draws=3, rounds=100).run(data)
    assert list(report.metrics)[:2] == ["FTE", "FTA"]
    assert {"FNIR at FPIR 0.1", "FNIR at FPIR 0.03", "FNIR at FPIR 0.1, relative score", "rank-1, closed set"} <= set(
        report.metrics
    )
    assert "FNIR at FPIR 0.01" not in report.metrics  # 120 strangers
    for metric in report.metrics.values():
        assert metric.low <= metric.value <= metric.high
    assert "120 enrolled people" in report.headline
    assert json.dumps(encode(report), allow_nan=False)
    assert len(report.rows) == len(data.probes)
    (row,) = report.tables["The policy's thresholds"]
    assert row["FPIR"] > 0.5 and any("calibrate the gallery" in finding for finding in report.findings)


def test_misses_grow_with_the_gallery_at_one_rate_and_false_alarms_at_one_threshold() -> None:
    report = Identification(points=(OperatingPoint(0.8),), rounds=20).run(of_captures(captures(spread=0.7), 1, 0.5))
    rows = [row for row in report.tables["Galleries of other sizes"] if row["score"] == "cosine"]
    assert [row["N"] for row in rows] == [*sweep(120), 120] == [7, 15, 30, 60, 120]
    missed, named = ([row[key] for row in rows] for key in ("FNIR at FPIR 0.1", "FPIR, fixed"))
    assert missed[-1] > missed[0] and named == sorted(named) and named[-1] > named[0]
    assert rows[0]["FNIR at FPIR 0.1, least"] <= missed[0] <= rows[0]["FNIR at FPIR 0.1, most"]


def test_failures_are_misses() -> None:
    whole = captures(100, 2, spread=0.01)
    data = of_captures(whole, 1, 0.5)
    lost = [whole.names.index(name) for name in data.probes.names if name.split("/")[0] in data.subjects][:5]
    report = Identification(rates=(0.1,), rounds=50).run(of_captures(failing(whole, *lost), 1, 0.5))
    assert report.metrics["FNIR at FPIR 0.1"].value == pytest.approx(5 / 50)
    assert report.metrics["rank-1, closed set"].value == pytest.approx(45 / 50)
    assert sum(bool(row["failure"]) for row in report.rows) == 5


def test_a_failed_enrolment_is_listed_and_missed() -> None:
    whole = captures(100, 2, spread=0.01)
    first = int(of_captures(whole, 1, 0.5).subjects[0]) * 2
    report = Identification(rates=(0.1,), rounds=50).run(of_captures(failing(whole, first), 1, 0.5))
    assert report.metrics["FNIR at FPIR 0.1"].value == pytest.approx(1 / 50)
    assert "failed_enrolment" in {problem.kind for problem in report.problems}
    assert report.metrics["FTE"].value == pytest.approx(1 / 50)


def test_people_without_a_probe_fill_the_gallery() -> None:
    whole = captures(100, 2)
    kept = whole.part(np.flatnonzero((np.arange(200) % 2 == 0) | (whole.owner % 2 == 0)))
    problem = of_captures(kept, 1, 0.5).problems[0]
    assert problem.kind == "no_probe" and len(problem.cases) == len([s for s in problem.cases if int(s) % 2])


def test_a_gallery_and_probes() -> None:
    whole = captures(60, 2)
    people = MemoryGallery()
    for index in range(0, 60, 2):  # the first 30 people
        people.enrol(whole.subjects[index], [Sample(Template(whole.vectors[index], "space"))])
    probes = whole.part(np.arange(120) % 2 == 1)
    data = of_gallery(people, probes)
    report = Identification(rates=(0.1,), rounds=50).run(data)
    assert report.made["N"] == 30 and "FTE" not in report.metrics  # a gallery does not know whom it refused
    assert sum(row["enrolled"] for row in report.rows) == 30
    for row, probe in list(zip(report.rows, probes.vectors, strict=True))[:30]:
        best = people.search(Template(probe, "space"), 1)[0]
        assert max(row["mate's score"], row["best other"]) == pytest.approx(best.score, abs=1e-6)
        assert (row["rank"] == 1) == (best.subject == row["subject"])
    with pytest.raises(SpaceMismatch):
        of_gallery(people, replace(probes, space="other"))
    with pytest.raises(EvidenceError, match="Nobody is enrolled"):
        of_gallery(MemoryGallery(), probes)


def test_probes_without_a_subject_are_listed() -> None:
    data = of_captures(captures(), 1, 0.5)
    nameless = replace(data, probes=replace(data.probes, subjects=("", *data.probes.subjects[1:])))
    (problem,) = (one for one in Identification(rounds=20).run(nameless).problems if one.kind == "no_subject")
    assert problem.number == 1


def test_what_cannot_be_split_is_said() -> None:
    with pytest.raises(EvidenceError, match="3 subjects"):
        of_captures(captures(3))
    with pytest.raises(UsageError):
        of_captures(captures(), enrol=0)
    with pytest.raises(EvidenceError, match="mate"):
        Identification().run(of_captures(captures(40, 1)))
