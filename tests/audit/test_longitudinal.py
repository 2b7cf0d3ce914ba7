"""Dated scores and dated photos to a report: what is read, what is listed, what is refused, what is said."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.audit.captures import Captures
from mien.audit.data import Labelled
from mien.audit.data.picture import picture
from mien.audit.document import encode
from mien.audit.longitudinal import Dates, Longitudinal, Records, from_captures, read_dates, read_records
from mien.audit.longitudinal.dates import Days, named
from mien.audit.longitudinal.simulated import Simulation
from mien.errors import EvidenceError, InputError, MediaNotFound, UsageError
from mien.report import Report

STUDY = Simulation(people=40, visits=10, captures=3, days=50, joining=1.0)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A CSV file from text."""

    def put(*lines: str, head: str = "subject,date,score", name: str = "scores.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        return path

    return put


@pytest.fixture(scope="module")
def report() -> Report:
    return Longitudinal(threshold=0.55, rounds=200).run(STUDY.draw(0))


def kinds(data: Records | Report) -> dict[str, int]:
    return {problem.kind: problem.number for problem in data.problems}


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2024-03-31", "2024-03-31"),
        ("2024-03-31T23:30:00", "2024-03-31"),
        ("2024-03-31T23:30:00+02:00", "2024-03-31"),  # the day it was there
        ("2024-03-31 23:30:00Z", "2024-03-31"),
        ("2024:03:31 10:22:33", "2024-03-31"),  # as EXIF has it
        ("20240331", "2024-03-31"),
        ("20240331T1030", "2024-03-31"),
        ("2024/3/31", "2024-03-31"),
        ("31.3.2024", "2024-03-31"),
        ("31/03/2024", "2024-03-31"),
        ("1711886400", "2024-03-31"),
        ("2024-02-30", None),
        ("31.13.2024", None),
        ("yesterday", None),
        ("", None),
        ("nan", None),
    ],
)
def test_days_as_people_write_them(written: str, day: str | None) -> None:
    days = Days()
    days.look([written])
    read = days.read(written)
    assert (named(read, dated=True) if read is not None else None) == day


def test_a_zone_moves_times_to_its_own_day() -> None:
    assert named(Days("Europe/Berlin").read("2024-03-30T23:30:00Z") or 0, dated=True) == "2024-03-31"
    with pytest.raises(UsageError, match="no time zone"):
        Days("Atlantis/Capital")


def test_all_cells_decide_whether_days_come_first() -> None:
    american, european = Days(), Days()
    american.look(["03/04/2024", "03/31/2024"])
    european.look(["03/04/2024", "31/03/2024"])
    assert named(american.read("03/04/2024") or 0, dated=True) == "2024-03-04"
    assert named(european.read("03/04/2024") or 0, dated=True) == "2024-04-03"
    with pytest.raises(InputError, match="which is the month"):
        Days().look(["03/04/2024"])
    with pytest.raises(InputError, match="some the month"):
        Days().look(["31/03/2024", "03/31/2024"])


def test_plain_numbers_are_days(write: Write) -> None:
    data = read_records(write("a,0,.5", "a,365.25,.6", "b,10,.5", head="subject,day,score"))
    assert not data.dated
    assert data.years.max() == pytest.approx(365 / 365.25)
    assert named(17, dated=False) == "day 17"


def test_bad_rows_are_listed_and_never_silently_dropped(write: Write) -> None:
    path = write(
        "ann,2023-01-01,.9,2022-01-01",
        "ann,2023-02-01,-inf,2022-01-01",
        "ann,2022-01-01,.99,2022-01-01",  # of the reference's day
        "ann,2021-01-01,.9,2022-01-01",  # before the reference
        "ann,,.9,2022-01-01",
        "ann,31 March,.9,2022-01-01",
        "ann,2023-01-01,nan,2022-01-01",
        "ann,2023-01-01,high,2022-01-01",
        "ann,2023-01-01,1e200,2022-01-01",  # its square cannot be held
        ",2023-01-01,.9,2022-01-01",
        "ann,2199-01-01,.9,2022-01-01",
        "ann,2023-03-01,.9,",
        "ben,2023-01-01,.8,2022-01-01",
        "ben,2023-01-01,.8,2022-01-01",
        head="subject,date,score,reference_date",
    )
    data = read_records(path)
    assert kinds(data) == {
        "no_date": 2,
        "no_score": 3,
        "no_subject": 1,
        "no_reference_date": 1,
        "future": 1,
        "equal_rows": 1,
        "before_reference": 1,
        "same_day": 1,
        "failed_capture": 1,
        "one_day": 2,
    }
    assert len(data) == 5  # all that may count, the failure included
    assert np.isneginf(data.score).sum() == 1
    assert data.referenced
    assert "line 6: empty" in next(one for one in data.problems if one.kind == "no_date").cases


def test_the_same_row_twice_is_dropped_only_where_a_time_of_day_tells(write: Write) -> None:
    timed = read_records(write("a,2023-01-01 10:00,.9", "a,2023-01-01 10:00,.9", "a,2023-01-02 10:00,.9"))
    assert (len(timed), kinds(timed)["duplicate"]) == (2, 1)
    plain = read_records(write("a,2023-01-01,.9", "a,2023-01-01,.9", "a,2023-01-02,.9"))
    assert (len(plain), kinds(plain)["equal_rows"]) == (3, 1)


def test_spelling_of_columns_and_marks_between_cells(write: Write) -> None:
    path = write("a;2023-01-01;0.9;x", "a;2023-02-01;0.8;y", head="Person;Timestamp;Similarity;Camera")
    data = read_records(path)
    assert data.devices == ("x", "y")
    assert data.years.max() == pytest.approx(31 / 365.25)
    assert not data.referenced


@pytest.mark.parametrize(
    ("lines", "head", "told"),
    [
        (["a,1"], "subject,score", "date"),
        ([], "subject,date,score", "no rows"),
        (["a,never,1"], "subject,date,score", "no row that can be used"),
        (["a,2199-01-01,1"], "subject,date,score", "future"),
        (["a,2023-01-01,1", "a,17,1"], "subject,date,score", "plain numbers"),
    ],
)
def test_unusable_files_are_one_sentence(lines: list[str], head: str, told: str, write: Write) -> None:
    with pytest.raises(InputError, match=told):
        read_records(write(*lines, head=head))


def test_an_absent_file_is_said_to_be() -> None:
    with pytest.raises(MediaNotFound):
        read_records("/nowhere/scores.csv")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["a,2023-01-01,.5", "a,2023-02-01,.6", "a,2023-03-01,.6"], "one person"),
        (["a,2023-01-01,.5", "b,2023-01-01,.6"], "one day"),
        (["a,2023-01-01,-inf", "b,2023-01-02,-inf"], "failed"),
        (["a,2023-01-01,.5", "b,2023-01-02,.6"], "same age"),  # since each one's first day
    ],
)
def test_data_that_say_nothing_about_time_are_refused(lines: list[str], told: str, write: Write) -> None:
    with pytest.raises(EvidenceError, match=told):
        Longitudinal().run(read_records(write(*lines)))


def test_a_report_holds_numbers_with_intervals_tables_and_charts(report: Report) -> None:
    assert set(report.metrics) >= {
        "sd_between_people",
        "sd_between_days",
        "sd_within_a_day",
        "trend_per_year",
        "trend_to_day",
        "share_of_days_in_variance",
        "people_with_a_trend",
        "fnmr",
    }
    for name, metric in report.metrics.items():
        assert metric.low <= metric.value <= metric.high, name
        assert math.isfinite(metric.low + metric.high), name
        assert metric.n > 0
    assert report.metrics["trend_per_year"].low <= STUDY.trend <= report.metrics["trend_per_year"].high
    titles = [chart.title for chart in report.charts]
    assert titles[:3] == ["Score by age of the reference", "What makes scores differ", "Days"]
    assert {"Trends of people", "FNMR by age of the reference"} <= set(report.tables)
    assert len(report.rows) == 400
    assert sum(row["scores"] for row in report.rows) == 1200
    encode(report)  # no NaN, or this raises


def test_the_order_of_rows_changes_nothing(report: Report, write: Write) -> None:
    data = STUDY.draw(0)
    lines = [
        f"{data.subjects[who]},{named(int(day), True)},{score!r},{named(int(day - round(years * 365.25)), True)}"
        for who, day, score, years in zip(data.owner, data.day, data.score.tolist(), data.years, strict=True)
    ]
    np.random.default_rng(0).shuffle(lines)
    again = Longitudinal(threshold=0.55, rounds=200).run(
        read_records(write(*lines, head="subject,date,score,reference_date"))
    )
    assert again.metrics == report.metrics
    assert again.headline == report.headline


def test_without_a_threshold_nothing_is_said_about_errors() -> None:
    told = Longitudinal(rounds=50).run(STUDY.draw(0))
    assert "fnmr" not in told.metrics
    assert any("No threshold" in finding for finding in told.findings)


def test_ageing_and_the_age_of_a_camera_are_told_apart_only_where_references_differ() -> None:
    def confounded(joining: float) -> bool:
        found = Longitudinal(rounds=20).run(replace(STUDY, joining=joining).draw(0)).findings
        return any("these data cannot tell" in finding for finding in found)

    assert confounded(0.0)
    assert not confounded(1.0)


def test_a_planted_shift_of_one_camera_is_laid_at_its_door() -> None:
    study = Simulation(people=60, visits=12, captures=4, days=60, joining=1.0, devices=2, step=-0.05)
    told = Longitudinal(rounds=50).run(study.draw(1))
    rows = {row["device"]: row for row in told.tables["Changes that all share"]}
    assert rows["camera 1"]["found"]
    assert not rows["camera 2"]["found"]
    assert rows["camera 1"]["size"] < 0
    assert any("camera 1 shifted at once" in finding for finding in told.findings)


def test_scores_of_the_same_day_are_told_to_flatter() -> None:
    data = STUDY.draw(0)
    same = np.arange(len(data)) % 10 == 0
    flattering = replace(data, same_day=same, score=np.where(same, data.score + 0.1, data.score))
    gain = Longitudinal(rounds=100).run(flattering).metrics["same_day_gain"]
    assert gain.value == pytest.approx(0.1, abs=0.02)
    assert gain.n == same.sum()


def test_one_capture_a_day_gives_no_ratio() -> None:
    told = Longitudinal(rounds=50).run(replace(STUDY, captures=1).draw(0))
    assert "trend_to_day" not in told.metrics
    assert "sd_between_days" not in told.metrics
    assert told.metrics["sd_of_days_and_noise"].value == pytest.approx(0.0335, rel=0.2)
    assert any("Two captures a day would do" in finding for finding in told.findings)


@pytest.mark.parametrize("wrong", [{"fnmr_limit": 0.0}, {"false_alarm": 1.0}, {"threshold": math.nan}])
def test_rates_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Longitudinal(**wrong).run(STUDY.draw(0))


def photo(name: str, taken: str = "", subject: str = "ann") -> Labelled:
    """A picture with an EXIF date."""
    image, bytes_ = Image.new("RGB", (8, 8)), io.BytesIO()
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[36867] = taken
    image.save(bytes_, "JPEG", exif=exif)
    return picture(name, subject, bytes_.getvalue)


def test_dates_come_from_the_list_then_from_the_picture(write: Write) -> None:
    shown = [
        photo("a/1.jpg", "2020:05:01 10:00:00"),
        photo("a/2.jpg", "2021:05:01 10:00:00"),
        photo("a/3.jpg"),
        photo("a/4.jpg", "2009:09:09 20:27:09.60:04:00"),  # as one real camera wrote it
        photo("a/5.jpg", "0000:00:00 00:00:00"),
    ]
    path = write("a/1.jpg,2022-01-01", "a/9.jpg,2022-01-01", "a/2.jpg,soon", head="path,date", name="dates.csv")
    dates = read_dates(shown, path)
    assert {name: named(day, True) for name, (day, _) in dates.when.items()} == {
        "a/1.jpg": "2022-01-01",
        "a/2.jpg": "2021-05-01",
        "a/4.jpg": "2009-09-09",
    }
    found = {problem.kind: problem.cases for problem in dates.problems}
    assert found["absent_file"] == ("a/9.jpg",)
    assert found["no_date"] == ("a/3.jpg", "a/5.jpg")
    assert [case.split(":")[0] for case in found["exif_date"]] == ["a/2.jpg", "a/4.jpg"]
    assert "unread_date" in found
    with pytest.raises(InputError, match="No picture has a date"):
        read_dates([photo("a/3.jpg")])


def test_the_first_dated_picture_is_the_reference() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 0], [0.8, 0.6], [0, 1], [1, 0]], np.float32)
    names = ("a2", "a1", "a0", "a3", "a4", "b1")
    failures = ("", "", "no face was found", "", "", "")
    captures = Captures(names, ("a", "a", "a", "a", "a", "b"), vectors, np.ones(6), failures)
    dates = Dates({"a0": (0, ""), "a1": (10, ""), "a2": (375, ""), "a3": (10, ""), "a4": (100, ""), "b1": (0, "")})
    data = from_captures(captures, dates)
    found = {problem.kind: problem.cases for problem in data.problems}
    assert found["lost_reference"] == ("a: a0",)
    assert found["one_picture"] == ("b",)
    assert kinds(data)["same_day"] == 1  # a3
    assert data.score.tolist() == pytest.approx([0.96, 0.8, 0.6])  # a3, a4, a2 against a1
    assert data.years.tolist() == pytest.approx([0, 90 / 365.25, 365 / 365.25])
    with pytest.raises(InputError, match="two dated pictures"):
        from_captures(captures, Dates({"b1": (0, "")}))


def test_a_change_of_camera_does_not_pass_for_ageing() -> None:
    """A step of 0.05 planted half way makes the plain trend eight times what it is; with the step in the model it is not."""
    study = Simulation(people=60, visits=12, captures=4, days=60, joining=1.0, step=-0.05)
    told = Longitudinal(rounds=200).run(study.draw(1)).metrics
    assert told["trend_per_year_changes_left_in"].high < study.trend  # the truth is outside
    assert told["trend_per_year"].low <= study.trend <= told["trend_per_year"].high
    assert told["people_with_a_trend"].value < 0.1
    assert told["sd_of_shared_days"].low <= study.shared_days <= told["sd_of_shared_days"].high


def test_days_that_may_not_differ_give_no_ratio_to_them() -> None:
    """A standard deviation of nothing is no divisor. (38 of 40 such studies show it, as 95 % intervals promise.)"""
    still = replace(STUDY, own_days=0.0, shared_days=0.0)
    told = Longitudinal(rounds=100).run(still.draw(0))
    assert "trend_to_day" not in told.metrics
    assert all(abs(metric.high) < 100 for metric in told.metrics.values())
    assert any("whether days differ at all" in finding for finding in told.findings)
    ageing = Longitudinal(rounds=100).run(replace(still, trend=-0.1).draw(0))
    assert ageing.metrics["day_to_trend"].low == 0
    assert ageing.metrics["day_to_trend"].high < 1
    assert "the trend is more" in ageing.headline
