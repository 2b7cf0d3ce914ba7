"""What every audit must keep, whatever it measures: intervals that can be right, the same again, no order, no nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien import judge
from mien.audit.affect import Affect, read_predictions
from mien.audit.attacks import Attack, Morph, Unlinkability
from mien.audit.attacks.morph import MorphData
from mien.audit.attacks.morph_scores import read_morphs
from mien.audit.attacks.scores import read_attacks
from mien.audit.attacks.unlinkability import read_links
from mien.audit.captures import Captures
from mien.audit.data import Labelled
from mien.audit.data.boxes import Truth
from mien.audit.data.scores import read_scores
from mien.audit.detection.audit import Detection, Looks
from mien.audit.detection.looking import Looked as Seen
from mien.audit.document import encode, prepare, results, write
from mien.audit.fairness import Fairness
from mien.audit.fairness import read_scores as read_groups
from mien.audit.longitudinal import Longitudinal, read_records
from mien.audit.quality import Looked, Quality
from mien.audit.quality.looking import NAMES
from mien.audit.recognition.identification import Identification, of_captures
from mien.audit.recognition.verification import Verification
from mien.audit.trust import Trust, TrustData
from mien.cli.audit import AUDITS
from mien.errors import MienError
from mien.protocols import Audit
from mien.report import Report
from mien.types import Frame, OperatingPoint

ROUNDS = 40
DIFFERENCES = ("drop of accuracy", "gain", "difference")  # of paired answers: 0 is no rate
DRAWN = ("fall, random fifth deleted", "difference of the falls")  # which fifths is drawn, picture after picture
Rows = Sequence[Any]
Order = Callable[[Rows], Rows]


def as_is(rows: Rows) -> Rows:
    return rows


def turned(rows: Rows) -> Rows:
    return rows[::-1]


def empty(rows: Rows) -> Rows:
    return rows[:0]


@dataclass(frozen=True)
class Bench:
    """Where simulated data are written, in which order, and the classifier for those who need one."""

    folder: Path
    classifier: Callable[..., Path]
    order: Order = as_is

    def table(self, header: str, rows: Rows, name: str = "data.csv") -> Path:
        path = self.folder / name
        path.write_text("\n".join([header, *self.order(rows)]) + "\n", encoding="utf8")
        return path


def pairs() -> list[str]:
    """Simulated scores of 40 people of two sites; some genuine ones fail."""
    rng = np.random.default_rng(1)
    sites = "north", "south"
    return [
        f"p{one},p{other},{rng.normal(0.8 * (one == other), 0.25):.4f},{sites[one % 2]},{sites[other % 2]}"
        for one in range(40)
        for other in range(one + 1)
        for _ in range(2 if one == other else 1)
    ]


PAIRS = "probe_subject,reference_subject,score,probe_site,reference_site"


def affect(bench: Bench) -> Any:
    rng = np.random.default_rng(2)
    rows = [
        f"p{row % 15},{rng.choice(['joy', 'fear'])},{rng.choice(['joy', 'fear'])},{rng.integers(2)},{rng.random():.3f},"
        f"{rng.normal():.3f},{rng.normal():.3f}"
        for row in range(150)
    ]
    return read_predictions(
        bench.table("subject,truth,predicted,AU01_truth,AU01,valence_truth,valence", rows), None, ("joy", "fear")
    )


def attack(bench: Bench) -> Any:
    rng = np.random.default_rng(3)
    rows = [
        f"p{person},{kind},{'dev' if person < 40 else 'eval'},{rng.normal(mean, 0.2):.4f}"
        for person in range(90)
        for kind, mean in (("", 0.8), ("print", 0.3), ("mask", 0.5))
    ]
    return read_attacks(bench.table("subject,species,split,score", rows))


def morph(bench: Bench) -> Any:
    rng = np.random.default_rng(4)
    rows = [
        f"m{one},p{one + side},{system},{rng.random():.4f},{attempt}"
        for one in range(30)
        for side in (0, 1)
        for system in ("one", "two")
        for attempt in range(2)
    ]
    limits = bench.folder / "limits.csv"
    limits.write_text("system,threshold\none,0.4\ntwo,0.6\n")
    return MorphData(read_morphs(bench.table("morph,subject,system,score,attempt", rows), limits))


def unlinkability(bench: Bench) -> Any:
    rng = np.random.default_rng(5)
    rows = [f"p{row % 20},p{row % 20},1,{rng.normal(0.7):.4f}" for row in range(80)]
    rows += [f"p{row % 20},p{(row + 1 + row // 20) % 20},0,{rng.normal():.4f}" for row in range(120)]
    return read_links(bench.table("subject,other,mated,score", rows))


def longitudinal(bench: Bench) -> Any:
    rng = np.random.default_rng(6)
    rows = [
        f"p{person},{2020 + month // 12}-{month % 12 + 1:02d}-{1 + person:02d},{rng.normal(0.8 - 0.003 * month, 0.04):.4f}"
        for person in range(12)
        for month in range(0, 30, 3)
        for _ in range(2)
    ]
    return read_records(bench.table("subject,date,score", rows))


def captured(bench: Bench, people: int, photos: int) -> Captures:
    """Simulated captures; one in 20 failed."""
    rng = np.random.default_rng(7)
    whole = np.arange(people * photos)
    centres = rng.normal(size=(people, 32))[whole // photos]
    vectors = centres + 0.5 * rng.normal(size=centres.shape)
    failed = whole % 20 == 7
    vectors = np.where(failed[:, None], 0, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    quality = np.where(failed, np.nan, rng.random(len(whole)))
    chosen = np.array(bench.order(whole), np.int64)
    return Captures(
        tuple(f"p{row // photos:02}/{row:03}.jpg" for row in chosen),
        tuple(f"p{row // photos:02}" for row in chosen),
        vectors[chosen],
        quality[chosen],
        tuple("no face" if failed[row] else "" for row in chosen),
        "space",
        faces=tuple(int(not failed[row]) for row in chosen),
    )


def quality(bench: Bench) -> Any:
    captures = captured(bench, 25, 4)
    natives = np.full((len(captures), len(NAMES)), np.nan)
    bright = {name: index / 100 for index, name in enumerate(sorted(captures.names))}
    natives[:, NAMES.index("luminance_mean")] = [bright[name] for name in captures.names]
    natives[captures.failed] = np.nan
    listed = tuple(Labelled(name, name[:3], lambda: Frame(np.zeros((60, 60, 3), np.uint8))) for name in captures.names)
    point = OperatingPoint(0.5, 1e-3, comparisons=1_000_000, subjects=2000)
    return Looked(listed, captures, natives, np.full((len(captures), 14), np.nan), (point,))


def detection(bench: Bench) -> Any:
    def seen(name: str, faces: int) -> Seen:
        boxes = np.array([[5 + 9 * k, 5, 13 + 9 * k, 15] for k in range(faces)], np.float32).reshape(-1, 4)
        picture = Labelled(name, "", lambda: Frame(np.zeros((40, 40, 3), np.uint8)))
        return Seen(picture, 40, 40, boxes, 0.5 + np.arange(faces) / 10)

    without = [seen(f"n{row:02}.jpg", row % 7 == 0) for row in range(40)]
    showing = [seen(f"f{row:02}.jpg", row % 5 > 0) for row in range(40)]
    truth = Truth(np.float32([[5, 5, 13, 15], [30, 30, 38, 38]]), np.array([True, True]))
    marked = [(seen(f"m{row:02}.jpg", row % 3), truth) for row in range(20)]
    return Looks(bench.order(without), bench.order(showing), bench.order(marked))


def trust(bench: Bench) -> Any:
    rng = np.random.default_rng(8)
    whole = np.arange(60)
    truth = rng.integers(3, size=len(whole))
    crops = rng.integers(60, 120, (len(whole), 16, 16, 3)).astype(np.uint8)
    crops[whole, :, :, truth] += rng.integers(0, 90, len(whole)).astype(np.uint8)[:, None, None]
    chosen = np.array(bench.order(whole), np.int64)
    names = tuple(f"{row:02}.png" for row in chosen)
    people = np.array([f"p{row % 20:02}" for row in chosen], np.str_)
    one: Any = judge.load(str(bench.classifier()))
    return TrustData(one, names, crops[chosen], truth[chosen], np.ones(len(chosen), bool), people)


@dataclass(frozen=True)
class Case:
    """An audit, and simulated data for it."""

    audit: Audit[Any]
    data: Callable[[Bench], Any]


CASES = {
    "verification": Case(Verification(rounds=ROUNDS), lambda bench: read_scores(bench.table(PAIRS, pairs()))),
    "identification": Case(Identification(rounds=ROUNDS, draws=2), lambda bench: of_captures(captured(bench, 60, 3))),
    "detection": Case(Detection(rounds=ROUNDS), detection),
    "quality": Case(Quality(rounds=ROUNDS), quality),
    "fairness": Case(
        Fairness(fmr=0.1, least=5, rounds=ROUNDS), lambda bench: [read_groups(bench.table(PAIRS, pairs()))]
    ),
    "longitudinal": Case(Longitudinal(threshold=0.7, rounds=ROUNDS), longitudinal),
    "attack": Case(Attack(rounds=ROUNDS), attack),
    "morph": Case(Morph(rounds=ROUNDS), morph),
    "unlinkability": Case(Unlinkability(rounds=ROUNDS), unlinkability),
    "affect": Case(Affect(rounds=ROUNDS), affect),
    "trust": Case(Trust(rounds=ROUNDS, spoilt=20, faces=0), trust),
}


@pytest.fixture
def bench(tmp_path: Path, tiny_classifier: Callable[..., Path]) -> Bench:
    return Bench(tmp_path, tiny_classifier)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def report_of(case: Case, bench: Bench) -> Report:
    report: Report = case.audit.run(case.data(bench))
    return report


def timeless(report: Report) -> dict[str, Any]:
    """Without how long things took."""
    whole = encode(report)
    whole["tables"] = {title: rows for title, rows in whole["tables"].items() if title != "Speed"}
    return whole


def test_every_audit_of_the_command_line_is_under_contract() -> None:
    assert list(CASES) == list(AUDITS)


def test_it_is_an_audit_of_its_name(case: Case, bench: Bench) -> None:
    assert isinstance(case.audit, Audit)
    assert case.audit.name in AUDITS
    report = report_of(case, bench)
    assert report.name == case.audit.name
    assert report.headline.endswith(".") and "\n" not in report.headline


def test_every_number_lies_in_its_interval_and_rests_on_something(case: Case, bench: Bench) -> None:
    report = report_of(case, bench)
    assert report.metrics
    for name, metric in report.metrics.items():
        assert all(map(math.isfinite, (metric.value, metric.low, metric.high))), name
        assert metric.low <= metric.value <= metric.high, name
        assert metric.n > 0 and isinstance(metric.n, int), name
        if metric.value in (0, 1) and not name.startswith(DIFFERENCES):  # none, or all, of so many leaves a doubt
            assert metric.low < metric.high, name


def test_the_same_data_and_seed_give_the_same_report(case: Case, bench: Bench) -> None:
    assert timeless(report_of(case, bench)) == timeless(report_of(case, bench))


def test_it_becomes_files_and_results_and_comes_back(case: Case, bench: Bench) -> None:
    report = report_of(case, bench)
    written = write(report, prepare(bench.folder / "report"))
    assert json.loads(written.json.read_text(encoding="utf8")) == encode(report)
    assert len(results(report)) == len(report.metrics)


def test_the_order_of_rows_is_no_evidence(case: Case, bench: Bench) -> None:
    if case.audit.name == "identification":
        pytest.skip("which of a person's pictures is enrolled goes by name, who is a stranger is drawn: tested there")
    one, other = report_of(case, bench), report_of(case, replace(bench, order=turned))
    assert set(one.metrics) == set(other.metrics)
    for name, metric in one.metrics.items():
        if name in DRAWN:
            continue
        assert other.metrics[name].value == pytest.approx(metric.value, rel=1e-6, abs=1e-9), name
        assert other.metrics[name].n == metric.n, name


def test_no_data_is_an_error_with_a_remedy(case: Case, bench: Bench) -> None:
    with pytest.raises(MienError) as caught:
        report_of(case, replace(bench, order=empty))
    assert caught.value.remedy, str(caught.value)
