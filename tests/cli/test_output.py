"""One voice for all verbs: tables, JSON and CSV on stdout, the rest on stderr, one way to end."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mien import wire
from mien.cli.group import Verbs, plain
from mien.cli.output import Column, Output, answers, shown
from mien.cli.words import clock, evidence
from mien.errors import GalleryCorrupt, MienError, NoFace
from mien.types import OperatingPoint

COLUMNS = (
    Column("name", lambda one: one["name"], width=6),
    Column("score", lambda one: one["score"]),
    Column("why not", lambda one: one["reasons"], only="csv"),
)


def speak(action: Any, *words: str) -> Result:
    """Run `action(out)` as the only verb of a command."""

    class Alone(Verbs):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return click.command("people")(answers(action))

    return CliRunner().invoke(Alone(name="mien"), ["people", *words])


def three(out: Output) -> int:
    with out.listing("rows", COLUMNS) as listing:
        for number in range(3):
            listing.add({"name": f"p{number}", "score": number / 3, "reasons": ["a, b", "c"]})
        listing.also(total=3)
    out.note("remark")
    out.failures([("x.jpg", NoFace("No face in x.jpg.", "Look."))])
    return 1


def test_json_is_one_object_and_nothing_else() -> None:
    result = speak(three, "--json")
    told = json.loads(result.stdout)
    assert [row["name"] for row in told["rows"]] == ["p0", "p1", "p2"]
    assert told["total"] == 3
    assert result.exit_code == 1
    assert "remark" in result.stderr
    assert "No face in x.jpg. Look." in result.stderr


def test_json_has_a_record_per_line() -> None:
    lines = speak(three, "--json").stdout.splitlines()
    assert [json.loads(line.strip().rstrip(","))["name"] for line in lines if '"name"' in line] == ["p0", "p1", "p2"]


def test_csv_parses() -> None:
    rows = list(csv.DictReader(io.StringIO(speak(three, "--csv").stdout)))
    assert rows[1] == {"name": "p1", "score": str(1 / 3), "why_not": "a, b; c"}
    assert len(rows) == 3


def test_table_is_aligned_and_leaves_out_what_is_for_csv() -> None:
    assert speak(three).stdout.splitlines() == ["NAME    SCORE", "p0      0.000", "p1      0.333", "p2      0.667"]


def test_quiet_keeps_failures() -> None:
    result = speak(three, "--quiet")
    assert "remark" not in result.stderr
    assert "x.jpg" in result.stderr


@pytest.mark.parametrize("form", ["--json", "--csv", "--table"])
def test_empty_listing_is_still_a_document(form: str) -> None:
    def nothing(out: Output) -> None:
        with out.listing("rows", COLUMNS):
            pass

    text = speak(nothing, form).stdout
    assert (json.loads(text) == {"rows": []}) if form == "--json" else len(text.splitlines()) == 1


def failing(error: BaseException, after: int) -> Any:
    def action(out: Output) -> None:
        with out.listing("rows", COLUMNS) as listing:
            for _ in range(after):
                listing.add({"name": "p", "score": 1.0, "reasons": []})
            raise error

    return action


def test_error_before_the_first_row_is_the_document() -> None:
    result = speak(failing(GalleryCorrupt("people.db is damaged.", "Restore it."), 0), "--json")
    assert json.loads(result.stdout) == {
        "type": "GalleryCorrupt",
        "title": "The file is damaged or no gallery",
        "status": 500,
        "detail": "people.db is damaged.",
        "remedy": "Restore it.",
    }
    assert result.stderr == "mien: people.db is damaged. Restore it.\n"
    assert result.exit_code == 74


def test_error_after_rows_closes_the_document() -> None:
    result = speak(failing(GalleryCorrupt("people.db is damaged."), 2), "--json")
    told = json.loads(result.stdout)
    assert len(told["rows"]) == 2
    assert told["error"]["type"] == "GalleryCorrupt"
    assert result.exit_code == 74
    assert result.stderr.count("people.db is damaged.") == 1


@pytest.mark.parametrize("form", ["--json", "--table"])
def test_ctrl_c_keeps_the_rows(form: str) -> None:
    result = speak(failing(KeyboardInterrupt(), 2), form)
    assert result.exit_code == 130
    assert "stopped" in result.stderr
    if form == "--json":
        told = json.loads(result.stdout)
        assert (len(told["rows"]), told["stopped"]) == (2, True)
    else:
        assert len(result.stdout.splitlines()) == 3


def test_error_without_json_leaves_stdout_empty() -> None:
    result = speak(failing(NoFace("No face in a.jpg."), 0))
    assert (result.stdout, result.exit_code) == ("", 65)


def test_unforeseen_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_DEBUG", raising=False)
    result = speak(failing(ZeroDivisionError("division by zero"), 0), "--json")
    assert result.exit_code == 70
    assert result.stderr.count("\n") == 1
    assert "MIEN_DEBUG=1" in result.stderr
    assert "Traceback" not in result.output
    assert json.loads(result.stdout)["type"] == "MienError"


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_DEBUG", "1")
    assert "ZeroDivisionError" in speak(failing(ZeroDivisionError("x"), 0)).stderr
    assert "Traceback" in speak(failing(NoFace("x."), 0)).stderr


def test_reader_that_went_away_is_no_error() -> None:
    result = speak(failing(BrokenPipeError(), 1), "--json")
    assert result.exit_code == 141
    assert "mien:" not in result.stderr


@pytest.mark.parametrize("words", [["--no-such"], ["--json", "--no-such"], ["too", "many"]])
def test_usage_error_is_64_not_an_abstain(words: list[str]) -> None:
    """click's own code for these would be 2, which means abstain here."""
    result = speak(three, *words)
    assert result.exit_code == 64
    assert "--help" in result.stderr
    assert ("UsageError" in result.stdout) == ("--json" in words)


def test_unknown_verb_is_guessed() -> None:
    result = CliRunner().invoke(Verbs(name="mien"), ["enroll"])
    assert result.exit_code == 64
    assert "mien enrol" in result.stderr


def test_no_control_characters_reach_the_terminal() -> None:
    assert plain("a\x1b[2Jb\tc\u202e") == "a\\x1b[2Jb\\tc\\u202e"
    result = speak(failing(MienError("evil\x1b]0;title\x07name"), 0))
    assert "\x1b" not in result.stderr


def test_cells_for_people() -> None:
    assert [shown(cell) for cell in (None, "", True, 0.12345, 0.0, 0.00012, ["a", 0.5], [], 7)] == [
        "–", "–", "yes", "0.123", "0.000", "0.00012", "a; 0.500", "–", "7",
    ]  # fmt: skip


def test_evidence_in_words() -> None:
    point = wire.encode(OperatingPoint(0.9, 1e-3, 8e-4, 1.2e-3, 120_000, 400, "lfw"))
    assert evidence(point) == (
        "false-match rate 0.001 (95 % interval 0.0008 to 0.0012), from 120,000 comparisons of different people "
        "among 400, measured on lfw"
    )
    relative = OperatingPoint(0.4, None, 0.0, 0.0156, 640, 320, "people.db", fpir=0.01, score="relative")
    assert evidence(wire.encode(relative)) == (
        "share of strangers named 0.01 (95 % interval 0 to 0.016), from searching each of 320 people among the others, "
        "measured on people.db"
    )
    assert "by hand" in evidence(wire.encode(OperatingPoint(0.5)))


def test_clock() -> None:
    assert [clock(value) for value in (0, 59.94, 59.96, 61.5, 3600)] == [
        "0:00.0",
        "0:59.9",
        "1:00.0",
        "1:01.5",
        "60:00.0",
    ]
