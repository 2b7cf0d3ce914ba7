"""A report's files say the same, hold everything, and survive hostile names and full disks."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mien.audit import document
from mien.audit.plots import picture
from mien.errors import CannotWrite, UsageError
from mien.report import Bars, Grid, Line, Lines, Mark, Picture, Problem, Report
from mien.types import Metric

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xfc\xcf\xc0P\x0f\x00\x04\x85\x01\x80\x84\xa9\x8c!\x00\x00\x00\x00IEND\xaeB`\x82"
)
RATE = Metric(3.21e-7, 0.0, 1e-6, 30_000_000)
REPORT = Report(
    name="verification",
    metrics={"FMR": RATE, "TAR at FMR 1e-3": Metric(0.913, 0.855, 0.958, 590)},
    rows=({"picture": "Zoë <b>.jpg", "score": 0.25}, {"picture": "b.jpg", "score": None, "reason": "no face"}),
    made={"data": "lfw/", "commit": "0" * 40, "date": "2026-11-25", "models": {"embedder": "dlib_resnet"}},
    headline="91.3 % of <true> pairs match.",
    findings=("A rate was refused.",),
    problems=(
        Problem("absent_file", "named and not there", ("a & b.jpg", "c.jpg")),
        Problem("nan_score", "no number", (), 7),
    ),
    tables={"Operating points": ({"threshold": 0.91, "fmr": RATE},)},
    charts=(
        Lines(
            "DET",
            "FMR",
            "FNMR",
            (Line("cosine", (0.0, 1e-4, 0.1, 1.0), (1.0, 0.3, 0.01, 0.0), (0.9, 0.2, 0.0, 0.0), (1.0, 0.4, 0.1, 0.0)),),
            "probit",
            "probit",
            (Mark("x", 1e-3, "card"),),
            "lower is better",
        ),
        Lines("scores", "time", "score", (Line("$x$", (0.1, 0.2), (1e-3, 0.0), style="points"),), "linear", "log"),
        Bars("per group", "FMR", {"a": RATE, "$b": Metric(0.1, 0.05, 0.2, 10)}, "log", (Mark("x", 0.01, "all"),)),
        Bars("per group", "FNMR", {"a": Metric(0.0, 0.0, 0.1, 3)}),
        Grid("confusion", ("happy", "sad"), ("happy", "sad"), ((0.9, 0.1), (None, 0.8))),
        Picture("map", PNG, "where it looks"),
    ),
)


def read_json(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "report.json").read_text(encoding="utf8"))
    return found


def test_json_holds_every_number_and_every_chart(tmp_path: Path) -> None:
    document.write(REPORT, tmp_path)
    held = read_json(tmp_path)
    assert held["metrics"]["FMR"] == {"value": 3.21e-7, "low": 0.0, "high": 1e-6, "n": 30_000_000}  # type: ignore[index]
    assert [chart["kind"] for chart in held["charts"]] == ["lines", "lines", "bars", "bars", "grid", "picture"]  # type: ignore[attr-defined,index,call-overload]
    assert held["charts"][0]["lines"][0]["y"] == [1.0, 0.3, 0.01, 0.0]  # type: ignore[index]
    assert held["problems"][1] == {"kind": "nan_score", "words": "no number", "count": 7, "cases": []}  # type: ignore[index]
    assert len(held["rows"]) == 2  # type: ignore[arg-type]


def test_csv_holds_every_row_and_every_case(tmp_path: Path) -> None:
    document.write(REPORT, tmp_path)
    with (tmp_path / "rows.csv").open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"picture": "Zoë <b>.jpg", "score": "0.25", "reason": ""}
    assert rows[1]["reason"] == "no face"
    with (tmp_path / "problems.csv").open(encoding="utf8", newline="") as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["a & b.jpg", "c.jpg", "7 cases"]
    assert (tmp_path / "tables" / "operating_points.csv").is_file()


def test_page_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    document.write(REPORT, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf8")
    assert page.count("<svg") == 5
    assert page.count("<img") == 1
    assert "Zoë" not in page  # rows are in the CSV
    for words in ("91.3 % of &lt;true&gt; pairs match.", "absent file", "a &amp; b.jpg", "0.913", "3.2e-07"):
        assert words in page
    assert "<script" not in page
    fetched = re.findall(r"(?:src|href)=\"(?!data:|#)([^\"]*)\"|url\((?!#)([^)]*)\)|@import", page)
    assert not fetched


def test_pictures_are_well_formed_and_always_the_same(tmp_path: Path) -> None:
    document.write(REPORT, tmp_path)
    first = (tmp_path / "report.html").read_text(encoding="utf8")
    for svg in re.findall(r"<svg.*?</svg>", first, re.DOTALL):
        ElementTree.fromstring(svg)
    document.write(REPORT, tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf8") == first


def test_letters_that_the_plotting_font_lacks_stay_text_and_warn_nobody() -> None:
    drawn = picture(Bars("per class", "recall", {"\u5f20\u4f1f": Metric(0.5, 0.4, 0.6, 10), "\U0001f600": RATE}))
    assert "\u5f20\u4f1f" in drawn


def test_names_of_any_length_leave_room_for_the_chart() -> None:
    """Without shortening matplotlib warns that its axes collapsed to nothing, and warnings are errors here."""
    long = "x" * 300 + "\n\u202e tail"
    for chart in (
        Bars("per class", "recall", {long: RATE}),
        Grid("confusion", (long, "b"), (long, "b"), ((0.9, 0.1), (0.004, 0.0))),
        Lines("scores", "x", "y", (Line(long, (0.0, 1.0), (0.0, 1.0)), Line("b", (0.0, 1.0), (1.0, 0.0)))),
    ):
        drawn = picture(chart)
        assert "x" * 50 not in drawn and "\u202e" not in drawn
        assert " tail" in drawn
    assert ">0.004<" in picture(Grid("g", ("a",), ("b",), ((0.004,),)))


def test_names_are_no_formulas_and_do_not_push_numbers_off_the_page(tmp_path: Path) -> None:
    names = ("=cmd()", "+1", "@x", "-a", "-0.5", "plain")
    report = Report("affect", {"x" * 300: RATE}, tuple({"case": name, "score": -0.5} for name in names))
    document.write(report, tmp_path)
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text(encoding="utf8").splitlines()))
    assert [row["case"] for row in rows] == ["'=cmd()", "'+1", "'@x", "'-a", "-0.5", "plain"]
    assert {row["score"] for row in rows} == {"-0.5"}
    assert 'class="long">xxx' in (tmp_path / "report.html").read_text(encoding="utf8")


def test_ids_of_pictures_do_not_meet(tmp_path: Path) -> None:
    """Else the clip path of one chart would cut another."""
    document.write(REPORT, tmp_path)
    svgs = re.findall(r"<svg.*?</svg>", (tmp_path / "report.html").read_text(encoding="utf8"), re.DOTALL)
    clips = [set(re.findall(r'<clipPath id="([^"]+)"', svg)) for svg in svgs]
    assert sum(map(len, clips)) == len(set().union(*clips)) > 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no result"):
        document.encode(replace(REPORT, metrics={"FMR": Metric(value, 0, 1, 3)}))


def test_a_clean_report_leaves_no_old_problems(tmp_path: Path) -> None:
    document.write(REPORT, tmp_path)
    document.write(replace(REPORT, problems=(), rows=()), tmp_path)
    assert (tmp_path / "problems.csv").read_text(encoding="utf8") == "\n"
    assert "None were found." in (tmp_path / "report.html").read_text(encoding="utf8")
    assert not list(tmp_path.rglob(".*"))


def test_long_tables_are_cut_on_the_page_only(tmp_path: Path) -> None:
    rows = tuple({"group": f"g{number}"} for number in range(document.SHOWN + 5))
    document.write(replace(REPORT, tables={"Groups": rows}), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf8")
    assert "5 more rows" in page
    assert f"g{document.SHOWN}<" not in page
    assert f"g{document.SHOWN + 4}" in (tmp_path / "tables" / "groups.csv").read_text(encoding="utf8")


def test_prepare_makes_the_folder_and_tells_what_cannot_be(tmp_path: Path) -> None:
    assert document.prepare(tmp_path / "a" / "b").is_dir()
    assert not list((tmp_path / "a" / "b").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="file"):
        document.prepare(tmp_path / "file")
    with pytest.raises(UsageError):
        document.prepare("")


def test_results_name_data_command_and_count() -> None:
    found = document.results(REPORT)
    assert [one.metric for one in found] == ["FMR", "TAR at FMR 1e-3"]
    assert found[1].data == "lfw"  # the folder it lies in is nobody's business
    named = replace(REPORT, made={**REPORT.made, "data": "/home/me/x.csv", "called": "gate 3"})
    assert {one.data for one in document.results(named)} == {"gate 3"}
    assert found[1].n == 590
    assert found[1].source == "mien audit verification, commit 000000000000, 2026-11-25"
