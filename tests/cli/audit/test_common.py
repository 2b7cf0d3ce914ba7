"""What every audit of the command line does with its report."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mien.audit import listing
from mien.audit.listing import AUDITS
from mien.cli.audit.common import Run, audit_verb
from mien.cli.group import group
from mien.errors import CannotWrite, EvidenceError, UsageError
from mien.models import card as card_of
from mien.models.catalogue import BUILT_IN
from mien.report import Problem, Report
from mien.types import Metric


@audit_verb("longitudinal")
@click.option("--empty", is_flag=True, help="Nothing to measure.")
@click.option("--share", type=float, default=0.0, help="Any number.")
def command(run: Run, empty: bool, share: float) -> Report:
    """A stand-in."""
    if empty:
        raise EvidenceError("There is nothing to measure.", "Give more.")
    run.made["data"] = "scores.csv"
    metrics = {"drift per year": Metric(-3e-7, -1e-3, 1e-3, 400), "rounds": Metric(run.rounds, run.seed, run.rounds, 1)}
    problems = (Problem("no_date", "left out", ("a.jpg", "b.jpg", "c.jpg", "d.jpg")),)
    return Report("longitudinal", metrics, ({"row": 1},), {}, "No drift.", ("Nothing to do.",), problems)


def test_table_opens_with_the_headline_and_remarks_go_to_stderr() -> None:
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 0
    assert done.stdout.startswith("No drift.\n")
    assert "-0.001 to 0.001" in done.stdout
    assert "Nothing to do." in done.stderr
    assert "4 x no_date: left out (a.jpg, b.jpg, c.jpg, …)" in done.stderr


def test_json_is_one_object_with_small_numbers_whole() -> None:
    done = CliRunner().invoke(command, ["--json", "--seed", "7", "--rounds", "50"])
    held = json.loads(done.stdout)
    assert held["metrics"][0] == {"metric": "drift per year", "value": -3e-7, "low": -1e-3, "high": 1e-3, "n": 400}
    assert held["metrics"][1]["value"] == 50
    assert held["made"]["seed"] == 7
    assert held["made"]["data"] == "scores.csv"
    assert {"commit", "machine", "date", "mien"} <= set(held["made"])
    assert held["problems"][0]["count"] == 4
    assert held["report"] is None


def test_csv_has_a_row_per_metric() -> None:
    done = CliRunner().invoke(command, ["--csv"])
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["metric"] for row in rows] == ["drift per year", "rounds"]
    assert rows[0]["low"] == "-0.001"


def test_report_is_written_and_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["-o", str(tmp_path / "r")])
    assert str(tmp_path / "r" / "report.html") in done.stderr
    assert json.loads((tmp_path / "r" / "report.json").read_text())["made"]["rounds"] == 1000


def test_folder_that_cannot_be_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(command, ["-o", str(tmp_path / "file"), "--empty"])
    assert type(done.exception).__name__ == "CannotWrite"


def test_card_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "yunet.toml"
    path.write_text((BUILT_IN / "yunet.toml").read_text(encoding="utf8"), encoding="utf8")
    done = CliRunner().invoke(command, ["--card", str(path), "--called", "gate 3"])
    assert done.exit_code == 0, done.output
    kept = [one for one in card_of(path).results if one.source.startswith("mien audit longitudinal, ")]
    assert [(one.metric, one.data, one.n) for one in kept] == [
        ("drift per year", "gate 3", 400),
        ("rounds", "gate 3", 1),
    ]


def test_a_card_that_is_not_there_is_told_before_the_work() -> None:
    done = CliRunner().invoke(command, ["--card", "no_such", "--empty"])
    assert type(done.exception).__name__ == "UnknownModel"


def test_a_card_that_cannot_be_written_costs_no_result_and_json_stays_one_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> Path:
        raise CannotWrite("The card cannot be written: disk full.", "Make room.")

    monkeypatch.setattr("mien.models.results.keep", full)
    done = CliRunner().invoke(command, ["--card", "yunet", "--json"])
    held = json.loads(done.stdout)
    assert len(held["metrics"]) == 2
    assert held["error"]["type"] == "CannotWrite"
    assert done.exit_code == CannotWrite.exit_code
    assert "disk full" in done.stderr


def test_a_number_that_is_none_is_refused_before_the_work() -> None:
    done = CliRunner().invoke(command, ["--share", "nan"])
    assert isinstance(done.exception, UsageError)
    assert "--share is nan" in str(done.exception)


def test_missing_packages_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "find_spec", lambda name: None if name == "jinja2" else name)
    done = CliRunner().invoke(command, [])
    assert "jinja2" in str(done.exception)
    assert 'pip install "mien[audit]"' in str(done.exception)


def test_alone_it_lists_the_audits() -> None:
    done = CliRunner().invoke(group, ["audit", "--json"])
    assert [one["name"] for one in json.loads(done.stdout)["audits"]] == list(AUDITS)


@pytest.mark.parametrize("name", AUDITS)
def test_every_audit_has_its_file_and_its_help(name: str) -> None:
    done = CliRunner().invoke(group, ["audit", name, "--help"])
    assert done.exit_code == 0, done.output
    shown = " ".join(done.stdout.split())
    assert AUDITS[name] in shown
    for option in ("--out", "--card", "--rounds", "--seed", "--json"):
        assert option in shown


@pytest.mark.parametrize("name", AUDITS)
def test_every_audit_is_documented(name: str) -> None:
    root = Path(__file__).parents[3]
    guides = "".join(path.read_text(encoding="utf8") for path in (root / "docs" / "guides").glob("*.md"))
    assert f"mien audit {name}" in guides
