"""The audit of verification: simulated captures with planted truths, and real data behind marks."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.audit.captures import Captures, at_most
from mien.audit.data import PairList, Scores, pictures, read_pairs
from mien.audit.document import encode
from mien.audit.metrics import Comparisons
from mien.audit.recognition.trial import Paired, trial_of
from mien.audit.recognition.verification import Verification
from mien.errors import EvidenceError
from mien.report import Report
from mien.types import OperatingPoint

ROOT = Path(__file__).parents[2]


def captures(people: int = 80, photos: int = 3, seed: int = 0, failed: tuple[int, ...] = ()) -> Captures:
    """Simulated captures around a centre per person; the nearer to it, the higher their quality."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), photos)
    spread = rng.uniform(0.2, 1.0, len(owner))
    vectors = rng.normal(size=(people, 16))[owner] + spread[:, None] * rng.normal(size=(len(owner), 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    quality = 1 - spread
    why = ["" for _ in owner]
    for index in failed:
        vectors[index], quality[index], why[index] = 0, np.nan, "no face was found"
    names = tuple(f"{person:03}/{number}.jpg" for number, person in enumerate(owner))
    return Captures(names, tuple(f"{person:03}" for person in owner), vectors, quality, tuple(why), "space")


@pytest.fixture(scope="module")
def report() -> Report:
    points = (OperatingPoint(0.2, 1e-3, space="space"), OperatingPoint(0.9, 1e-3, space="other"))
    return Verification(points=points, rounds=100).run(captures(failed=(4, 100)))


def test_failures_come_first_and_the_equal_error_rate_last(report: Report) -> None:
    names = list(report.metrics)
    assert names[0] == "FTA" and names[-1] == "EER"
    assert report.metrics["FTA"].value == pytest.approx(2 / 240)
    assert {"TAR at FMR 0.01", "TAR at FMR 0.001"} <= set(names) and "TAR at FMR 0.0001" not in names
    for metric in report.metrics.values():
        assert metric.low <= metric.value <= metric.high


def test_what_the_people_cannot_support_is_refused_in_the_table(report: Report) -> None:
    rows = report.tables["Operating points"]
    assert [row["FMR"] for row in rows] == [1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
    assert rows[1]["TAR"] is not None and rows[2]["TAR"] is None
    assert "3,160 pairs of people cannot support" in rows[2]["refused"]
    assert any("Refused" in finding for finding in report.findings)


def test_the_card_is_judged_in_its_own_space_only(report: Report) -> None:
    (row,) = report.tables["The card's operating points, judged here"]
    assert row["threshold"] == 0.2 and row["verdict"] == "looser than promised"
    assert any("use a threshold of your own" in finding for finding in report.findings)


def test_transactions_nest_as_the_standard_has_them(report: Report) -> None:
    for row in report.tables["Rates of transactions"]:
        assert row["FNMR, comparisons made"] <= row["FRR"] <= row["GFRR"]
        assert row["FMR, comparisons made"] >= row["FAR"] >= row["GFAR"]
        assert row["GFRR"] == pytest.approx(
            row["FNMR, failures counted"], abs=5e-3
        )  # two ways to count the same failures


def test_quality_that_predicts_is_seen_to(report: Report) -> None:
    discard = next(chart for chart in report.charts if chart.title == "Error versus discard")
    own, oracle, blind = discard.lines
    assert own.y[10] < own.y[0] and oracle.y[10] <= own.y[10] + 1e-9 and set(blind.y) == {own.y[0]}
    assert any("quality predicts misses" in finding for finding in report.findings)


def test_a_report_becomes_json_and_has_a_row_per_capture(report: Report) -> None:
    record = encode(report)
    assert json.dumps(record, allow_nan=False)
    assert len(report.rows) == 240 and sum(row["failed"] for row in report.rows) == 2
    assert {chart.title for chart in report.charts} >= {
        "Detection error trade-off",
        "Scores",
        "Expected performance curve",
    }


def test_halves_share_nobody() -> None:
    trial = trial_of(captures(60))
    chosen = np.arange(60) % 2 == 0
    one, other = trial.among(chosen), trial.among(~chosen)
    assert (one.people, other.people) == (30, 30)
    assert one.genuine.total + other.genuine.total == trial.det.genuine.total
    assert one.impostor.total + other.impostor.total < trial.det.impostor.total


def test_an_honest_half_judges_the_other(report: Report) -> None:
    rows = report.tables["Thresholds of one half of the people, judged on the other"]
    assert rows and all(row["FMR low"] <= row["FMR"] <= row["FMR high"] for row in rows)


def test_pairs_are_compared_as_listed_and_labels_count() -> None:
    whole = captures(20, 2, failed=(0,))
    number = np.arange(40)
    first, second = np.r_[number[::2], number[:20]], np.r_[number[1::2], number[20:]]
    same = np.r_[np.ones(20, bool), np.zeros(20, bool)]
    pairs = PairList(first, second, same, np.r_[number[:20] % 10, number[:20] % 10], whole.owner)
    report = Verification(rates=(1e-1,), rounds=50).run(Paired(whole, pairs))
    assert report.metrics["accuracy over 10 folds"].n == 40
    assert report.metrics["FTA"].value == pytest.approx(1 / 40)
    assert len(report.rows) == 40 and report.rows[0]["score"] is None  # the failure
    flipped = replace(pairs, same=np.r_[~same[:1], same[1:]])  # said to be different, though one person's
    assert trial_of(Paired(whole, flipped)).det.genuine.total == 19
    assert trial_of(Paired(whole, flipped)).det.impostor.total == 21


def test_scores_of_a_file() -> None:
    rng = np.random.default_rng(0)
    people = np.arange(400)
    compared = Comparisons(
        np.r_[rng.normal(2, 1, 400), rng.normal(0, 1, 400)], np.r_[people, people], np.r_[people, people + 400]
    )
    nobody = np.full(800, -1)
    names = tuple(f"p{index}" for index in range(800))
    report = Verification(rounds=50).run(Scores(compared, names, nobody, nobody, ()))
    assert report.metrics["EER"].value == pytest.approx(0.16, abs=0.03)
    assert "FTA" not in report.metrics and "TAR at FMR 0.01" in report.metrics
    assert report.rows[400]["comparison"] == "p0 ~ p400"
    (alike,) = report.problems
    assert alike.kind == "alike" and alike.number == pytest.approx(400 * 0.023, abs=8)


def test_one_person_under_two_names_is_reported() -> None:
    whole = captures(30, 2)
    vectors = whole.vectors.copy()
    vectors[2] = vectors[0]  # the same picture, enrolled as somebody else
    twice = replace(whole, vectors=vectors, digests=tuple("a" if i in (0, 2) else str(i) for i in range(60)))
    points = (OperatingPoint(0.95, 1e-3, space="space"),)
    problems = {problem.kind: problem for problem in Verification(points=points, rounds=20).run(twice).problems}
    assert problems["duplicate_across"].cases == ("000/0.jpg = 001/2.jpg",)
    assert problems["two_names"].cases[0].startswith("000 / 001: ")


def test_one_person_with_most_pictures_is_remarked() -> None:
    whole = captures(30, 6)
    kept = np.flatnonzero((whole.owner == 0) | (np.arange(180) % 6 < 2))
    findings = Verification(rounds=20).run(whole.part(kept)).findings
    assert any("One person has" in finding for finding in findings)


def test_pictures_without_a_subject_and_lonely_people_are_listed() -> None:
    whole = captures(20, 2)
    renamed = replace(whole, subjects=("", *whole.subjects[1:]))
    problems = {problem.kind: problem for problem in Verification(rounds=20).run(renamed).problems}
    assert problems["no_subject"].cases == ("000/0.jpg",)
    assert problems["single_picture"].cases == ("000",)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(EvidenceError, match="no genuine comparison"):
        Verification().run(captures(10, 1))
    with pytest.raises(EvidenceError, match="no impostor comparison"):
        Verification().run(captures(1, 4))
    with pytest.raises(EvidenceError, match="No picture has a subject"):
        Verification().run(replace(captures(2, 2), subjects=("",) * 4))


def test_the_same_seed_gives_the_same_report(report: Report) -> None:
    again = Verification(points=(OperatingPoint(0.2, 1e-3, space="space"),), rounds=100).run(captures(failed=(4, 100)))
    assert dict(again.metrics) == dict(report.metrics)


def test_no_more_pictures_of_a_person_than_asked() -> None:
    subjects = ["a"] * 10 + ["b"] * 2
    kept = at_most(subjects, 3)
    assert len(kept) == 5 and (np.diff(kept) > 0).all()


@pytest.mark.slow
def test_the_official_pairs_of_lfw_agree_with_the_benchmark(data: Path, tmp_path: Path) -> None:
    """Through the product's own street, which crops and decodes a little differently than benchmarks/accuracy.py."""
    from mien.audit.captures.capturing import capture
    from mien.engine import Engine

    archive = data / "lfw_grey.zip"
    list_of = tmp_path / "pairs.txt"
    list_of.write_bytes(zipfile.ZipFile(archive).read("pairs.txt"))
    listed, _ = pictures(archive, pad=0.5)
    pairs = read_pairs(list_of, listed)
    used = np.union1d(pairs.first, pairs.second)
    found = capture(Engine(), [listed[index] for index in used])
    first, second = np.searchsorted(used, pairs.first), np.searchsorted(used, pairs.second)
    report = Verification().run(Paired(found, replace(pairs, first=first, second=second, owner=pairs.owner[used])))
    kept = json.loads((ROOT / "benchmarks/results/accuracy.json").read_text("utf8"))["results"]["lfw_grey"]["mirrored"]
    assert report.metrics["FTA"].value == pytest.approx(kept["failure to acquire"]["value"], abs=2e-5)
    assert report.metrics["accuracy over 10 folds"].value == pytest.approx(kept["10-fold accuracy"]["value"], abs=3e-3)
    for ours, theirs in (("EER", "EER"), ("TAR at FMR 0.01", "TAR at FMR 0.01")):
        assert report.metrics[ours].value == pytest.approx(kept[theirs]["value"], abs=4e-3)


def test_captures_that_all_failed_support_nothing_and_those_of_one_kind_do() -> None:
    whole = captures(40, 2)
    none = replace(whole, vectors=whole.vectors * 0, failures=("no face",) * 80, quality=whole.quality * np.nan)
    with pytest.raises(EvidenceError, match="No comparison could be made"):
        Verification(rounds=20).run(none)
    second = np.arange(80) % 2 == 1  # nobody is left with two pictures
    lost = replace(
        whole,
        vectors=np.where(second[:, None], np.float32(0), whole.vectors),
        failures=tuple("no face" if gone else "" for gone in second),
        quality=np.where(second, np.nan, whole.quality),
    )
    report = Verification(rounds=20).run(lost)
    assert report.metrics["TAR at FMR 0.01"].value == 0.0 and report.metrics["FTA"].value == 0.5
    assert json.dumps(encode(report), allow_nan=False)
