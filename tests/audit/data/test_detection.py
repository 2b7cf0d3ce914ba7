"""Detections against faces: matching, average precision, the report and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import average_precision_score

from mien.audit.data import Labelled
from mien.audit.data.boxes import Truth
from mien.audit.detection.audit import Detection, Looks
from mien.audit.detection.looking import Looked
from mien.audit.document import encode
from mien.audit.metrics import detection as metrics
from mien.cli.group import group
from mien.errors import EvidenceError
from mien.protocols import Audit
from mien.report import Bars, Lines, Picture
from mien.types import Frame

boxes = st.lists(st.tuples(*[st.integers(0, 12)] * 4), max_size=6)


def corners(rows: list[tuple[int, int, int, int]]) -> np.ndarray:
    return np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float64).reshape(-1, 4)


@given(boxes, boxes)
def test_overlap_against_counting_pixels(
    one: list[tuple[int, int, int, int]], other: list[tuple[int, int, int, int]]
) -> None:
    found = metrics.overlap(corners(one), corners(other))
    for i, a in enumerate(corners(one).astype(int)):
        for j, b in enumerate(corners(other).astype(int)):
            first, second = np.zeros((25, 25), bool), np.zeros((25, 25), bool)
            first[a[1] : a[3], a[0] : a[2]] = True
            second[b[1] : b[3], b[0] : b[2]] = True
            union = (first | second).sum()
            assert found[i, j] == pytest.approx((first & second).sum() / union if union else 0)


def test_a_face_is_found_once_and_by_the_surest() -> None:
    truth, judged = corners([(0, 0, 10, 10), (20, 0, 10, 10)]), np.array([True, True])
    seen = corners([(1, 0, 10, 10), (0, 0, 10, 10), (40, 0, 10, 10)])
    outcome, found = metrics.match(seen, np.array([0.9, 0.8, 0.7]), truth, judged)
    assert outcome.tolist() == [1, 0, 0]
    assert found.tolist() == [True, False]


def test_a_second_detection_takes_the_next_face_it_overlaps() -> None:
    truth = corners([(0, 0, 10, 10), (2, 0, 10, 10)])
    outcome, found = metrics.match(truth[:1].repeat(2, 0), np.array([0.9, 0.8]), truth, np.array([True, True]))
    assert outcome.tolist() == [1, 1]
    assert found.all()


def test_faces_that_are_not_judged_count_neither_way() -> None:
    truth, judged = corners([(0, 0, 10, 10), (20, 0, 10, 10)]), np.array([False, True])
    outcome, found = metrics.match(truth[[0, 0, 1]], np.array([0.9, 0.8, 0.7]), truth, judged)
    assert outcome.tolist() == [-1, -1, 1]
    assert found.tolist() == [False, True]


def test_the_least_overlap_is_inclusive() -> None:
    truth = corners([(0, 0, 10, 10)])
    assert metrics.match(corners([(0, 0, 10, 5)]), np.ones(1), truth, np.array([True]))[0].tolist() == [1]
    assert metrics.match(corners([(0, 0, 10, 4)]), np.ones(1), truth, np.array([True]))[0].tolist() == [0]


def test_average_precision_of_a_worked_example() -> None:
    """Right, false, right, false, right out of 4 faces: 1/4 * 1 + 1/4 * 2/3 + 1/4 * 3/5."""
    right = np.array([True, False, True, False, True])
    value = metrics.average_precision(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), right, 4)
    assert value == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


graded = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30)


@given(graded, st.integers(0, 5))
def test_average_precision_against_a_plain_loop(rows: list[tuple[int, bool]], missed: int) -> None:
    scores, right = np.array([score for score, _ in rows], float), np.array([hit for _, hit in rows])
    faces = int(right.sum()) + missed
    if not faces:
        with pytest.raises(EvidenceError):
            metrics.average_precision(scores, right, faces)
        return
    points = []
    for least in sorted(set(scores), reverse=True):
        taken = right[scores >= least]
        points.append((taken.sum() / faces, taken.mean()))
    wanted, before = 0.0, 0.0
    for index, (recall, _) in enumerate(points):
        wanted += (recall - before) * max(precision for _, precision in points[index:])
        before = recall
    assert metrics.average_precision(scores, right, faces) == pytest.approx(wanted)


@given(st.lists(st.booleans(), min_size=2, max_size=30))
def test_average_precision_is_never_below_the_one_without_falling(hits: list[bool]) -> None:
    """scikit-learn's does not make precision fall; where it falls by itself both are the same."""
    right = np.array(hits)
    if not right.any():
        return
    scores = np.linspace(1, 0, len(right))
    plain = average_precision_score(right, scores)
    ours = metrics.average_precision(scores, right, int(right.sum()))
    assert ours >= plain - 1e-12
    _, precision = metrics.precision_recall(scores, right, int(right.sum()))
    if all(later <= earlier for earlier, later in pairwise(precision)):
        assert ours == pytest.approx(plain)


@given(graded, st.lists(st.integers(0, 3), min_size=30, max_size=30))
def test_weights_mean_repetition(rows: list[tuple[int, bool]], times: list[int]) -> None:
    scores, right = np.array([score for score, _ in rows], float), np.array([hit for _, hit in rows])
    count = np.array(times[: len(rows)])
    weighted = metrics.average_precision(scores, right, 100, count.astype(float))
    assert weighted == pytest.approx(metrics.average_precision(np.repeat(scores, count), np.repeat(right, count), 100))


def test_false_detections_per_picture_fall_with_the_score() -> None:
    false, recall, scores = metrics.false_per_picture(
        np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False]), faces=4, pictures=2
    )
    assert false.tolist() == [0, 0.5, 1]
    assert recall.tolist() == [0.25, 0.5, 0.5]
    assert scores.tolist() == [0.9, 0.8, 0.1]


def test_a_ratio_draws_pictures_and_not_faces() -> None:
    """Ten crowds of 100 faces, each found whole or not at all: ten independent trials, not a thousand."""
    faces = np.full(10, 100)
    hits = np.array([100] * 7 + [0] * 3)
    metric = metrics.ratio(hits, faces)
    assert (metric.value, metric.n) == (0.7, 1000)
    assert metric.high - metric.low > 0.4
    assert metrics.ratio(np.array([70] * 10), faces).high == pytest.approx(0.7)
    none = metrics.ratio(np.zeros(10, int), faces)
    assert (none.low, none.high) == (0.0, pytest.approx(0.2775, abs=1e-3))  # Wilson for 0 of 10
    with pytest.raises(EvidenceError):
        metrics.ratio(np.zeros(3, int), np.zeros(3, int))


@pytest.mark.slow
def test_the_interval_of_a_median_covers() -> None:
    rng = np.random.default_rng(0)
    hits = [
        abs(one.low) >= 0 and one.low <= 0 <= one.high
        for one in (metrics.middle(rng.normal(size=30)) for _ in range(2000))
    ]
    assert 0.94 <= np.mean(hits) <= 0.99


def test_the_interval_of_a_median_is_of_order_statistics() -> None:
    metric = metrics.middle(np.arange(1.0, 101.0))
    assert (metric.value, metric.low, metric.high, metric.n) == (50.5, 40, 61, 100)  # Conover's table for n = 100
    assert metrics.middle(np.array([3.0, 1.0])).low == 1
    with pytest.raises(EvidenceError):
        metrics.middle(np.empty(0))


# --- the report -----------------------------------------------------------------------------------------------------


def looked(name: str, *found: tuple[float, float, float, float, float], side: int = 100, failure: str = "") -> Looked:
    rows = np.array(found, np.float64).reshape(-1, 5)
    picture = Labelled(name, "", lambda: Frame(np.zeros((side, side, 3), np.uint8), name))
    return Looked(picture, side, side, rows[:, :4].astype(np.float32), rows[:, 4], failure)


def test_the_report_on_all_three_kinds_of_evidence() -> None:
    without = [looked("n1"), looked("n2", (0, 0, 10, 10, 0.9), (20, 20, 30, 30, 0.8)), looked("n3"), looked("n4")]
    showing = [looked("f1", (0, 0, 50, 50, 0.99)), looked("f2", side=600), looked("f3", failure="f3 is cut short.")]
    box = np.float32([[0, 0, 10, 10], [40, 40, 70, 70], [80, 80, 83, 83]])
    marked = [
        (looked("m1", (0, 0, 10, 10, 0.9), (60, 0, 70, 10, 0.7)), Truth(box, np.array([True, True, False]))),
        (looked("m2"), Truth(np.empty((0, 4), np.float32), np.empty(0, bool))),
    ]
    audit = Detection(rounds=50)
    assert isinstance(audit, Audit)
    report = audit.run(Looks(without, showing, marked, {"no face": np.arange(10.0)}))
    values = {name: (metric.value, metric.n) for name, metric in report.metrics.items()}
    assert values == {
        "false detections per picture": (0.5, 4),
        "pictures with a false detection": (0.25, 4),
        "pictures without a detection": (0.5, 2),
        "pictures with several detections": (0.0, 2),
        "false detections per marked picture, IoU 0.5": (0.5, 2),
        "precision, IoU 0.5": (0.5, 2),
        "recall, IoU 0.5": (0.5, 2),
        "average precision, IoU 0.5": (0.5, 2),
        "ms per picture, no face": (4.5, 10),
    }
    assert [(one.kind, one.cases) for one in report.problems] == [("unreadable", ("f3: f3 is cut short.",))]
    assert report.headline.startswith("A face was seen in 25.0% of 4 pictures without one")
    assert "50.0% of 2 marked faces were found" in report.headline
    assert report.tables["False detections, the surest first"][0]["picture"] == "n2"
    assert report.tables["Pictures without a detection"] == ({"picture": "f2"},)
    assert len({frozenset(row) for row in report.rows}) == 1
    assert {row["picture"]: (row["right"], row["false"], row["missed"]) for row in report.rows}["m1"] == (1, 1, 1)
    recall = next(chart for chart in report.charts if isinstance(chart, Bars) and "Recall" in chart.title)
    assert {name: bar.value for name, bar in recall.bars.items()} == {"0 to 20 px": 1.0, "20 to 40 px": 0.0}
    assert {type(chart) for chart in report.charts} == {Lines, Bars, Picture}
    json.dumps(encode(report), allow_nan=False)
    again = audit.run(Looks(without, showing, marked, {"no face": np.arange(10.0)}))
    assert encode(again) == encode(report)


def test_nothing_found_anywhere_still_makes_a_report() -> None:
    truth = Truth(np.float32([[0, 0, 10, 10]]), np.array([True]))
    report = Detection(rounds=50).run(Looks([looked("n1")], [looked("f1")], [(looked("m1"), truth)]))
    assert report.metrics["recall, IoU 0.5"].value == 0
    assert report.metrics["average precision, IoU 0.5"].value == 0
    assert "precision, IoU 0.5" not in report.metrics  # of no detection there is none
    json.dumps(encode(report), allow_nan=False)


def test_marked_pictures_without_a_face_have_false_detections_only() -> None:
    truth = Truth(np.empty((0, 4), np.float32), np.empty(0, bool))
    report = Detection(rounds=50).run(Looks(marked=[(looked("m1", (0, 0, 9, 9, 0.9)), truth)] * 2))
    assert report.metrics["false detections per marked picture, IoU 0.5"].value == 1
    assert report.metrics["precision, IoU 0.5"].value == 0
    assert "recall, IoU 0.5" not in report.metrics
    json.dumps(encode(report), allow_nan=False)


def test_pictures_that_cannot_be_read_support_nothing() -> None:
    with pytest.raises(EvidenceError, match="No picture could be looked at"):
        Detection().run(Looks([looked("n1", failure="cut short")]))


def test_a_picture_that_is_gone_meanwhile_is_no_tile() -> None:
    one = looked("n1", (0, 0, 10, 10, 0.9))

    def gone() -> Frame:
        raise EvidenceError("gone")

    report = Detection(rounds=50).run(Looks([replace(one, picture=Labelled("n1", "", gone))]))
    assert not [chart for chart in report.charts if isinstance(chart, Picture)]


# --- the command ----------------------------------------------------------------------------------------------------


def saved(path: Path, faces: int, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((12, 12, 3), shade, np.uint8)
    pixels[0, 0] = faces
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubs: ModuleType) -> Path:
    monkeypatch.setattr("mien.cli.options.make_engine", lambda **_: stubs.stub_engine())
    for number in range(4):
        saved(tmp_path / "empty" / f"{number}.png", int(number == 0), number)
        saved(tmp_path / "faces" / "Ann" / f"{number}.png", int(number > 0), 10 + number)
    text = "path,x0,y0,x1,y1\n" + "".join(f"Ann/{number}.png,2,2,10,10\n" for number in range(4)) + "gone.png,1,1,2,2\n"
    (tmp_path / "boxes.csv").write_text(text)
    return tmp_path


def command(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(group, ["audit", "detection", *words])
    return result.exit_code, result.output


def test_the_command_writes_a_report_and_forgets_what_it_kept(folder: Path) -> None:
    where = {name: str(folder / name) for name in ("empty", "faces", "boxes.csv", "report")}
    words = (
        "--data",
        where["empty"],
        "--faces",
        where["faces"],
        "--boxes",
        where["boxes.csv"],
        "--boxed",
        where["faces"],
    )
    code, output = command(*words, "-o", where["report"], "--rounds", "50", "-q")
    assert code == 0, output
    record = json.loads((folder / "report" / "report.json").read_text())
    assert record["metrics"]["pictures with a false detection"]["value"] == 0.25
    assert record["metrics"]["pictures without a detection"]["value"] == 0.25
    assert record["metrics"]["recall, IoU 0.5"]["value"] == 0.75
    folders = record["tables"]["False detections by folder"]
    assert [(one["folder"], one["pictures"], one["with a false detection"]) for one in folders] == [(".", 4, 1)]
    assert record["made"]["models"] == {"detector": "pixels"}
    assert [one["kind"] for one in record["problems"]] == ["absent_file"]
    assert not list((folder / "report").glob("*.db*"))


def test_the_report_is_written_and_the_store_gone_also_where_nobody_reads_the_output(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("mien.cli.output.Output.line", gone)
    command("--data", str(folder / "empty"), "-o", str(folder / "report"), "--rounds", "50")
    assert (folder / "report" / "report.json").is_file()
    assert not list((folder / "report").glob("*.db*"))


def test_a_run_that_ends_early_leaves_what_it_did(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.audit.detection.looking.speeds", stopped)
    command("--data", str(folder / "empty"), "-o", str(folder / "report"))
    assert [path.name for path in (folder / "report").iterdir()] == ["unfinished-detections.db"]


def test_the_command_wants_something_to_look_at(folder: Path) -> None:
    assert command()[0] == 64
    assert command("--boxed", str(folder / "faces"))[0] == 64
    assert command("--data", str(folder / "absent"))[0] == 66


def test_the_default_detector_on_real_pictures(data: Path) -> None:
    code, output = command("--faces", str(data / "faces" / "known_people" / "gallery"), "--json", "--rounds", "50")
    assert code == 0, output
    record = json.loads(output[: output.rindex("}") + 1])
    missed = next(one for one in record["metrics"] if one["metric"] == "pictures without a detection")
    assert (missed["value"], missed["n"]) == (0, 9)
