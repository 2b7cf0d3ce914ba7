"""`mien reproduce`: one object as JSON, a table and one sentence for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mien.cli.group import group
from mien.report import Report
from mien.reproduce import CLAIMS
from mien.reproduce.claim import Check, Context, Reproduction
from mien.types import Metric

ROOT = Path(__file__).parents[2]
RATIO = Metric(3.2, 1.9, 11.7, 400)
CHECKS = (Check("days differ by more than the trend", True, RATIO), Check("on the paper's data", None))


def made(context: Context, checks: tuple[Check, ...] = CHECKS) -> Reproduction:
    context.progress("simulating", 1, 2)
    return Reproduction(
        "longitudinal",
        "Scores fluctuate more between days than over the period (a paper).",
        checks,
        {"ratio": RATIO},
        {"ratio of the other hypothesis": Metric(0.07, 0.06, 0.08, 400)},
        Report("longitudinal", {"ratio": RATIO}, ({"subject": "a"},), headline="Ratio 3.2."),
        {"data": "simulated", "models": [], "seeds": list(context.seeds)},
    )


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.reproduce.run", lambda name, context: made(context))


def invoke(*words: str) -> Result:
    return CliRunner().invoke(group, ["reproduce", *words])


@pytest.mark.usefixtures("stand_in")
def test_json_is_the_documented_object() -> None:
    held = json.loads(invoke("longitudinal", "--json", "--seeds", "2").stdout)
    assert {"name", "claim", "verdict", "metrics", "baseline", "made"} <= set(held)
    assert held["verdict"] == "partly"
    assert held["metrics"] == {"ratio": {"value": 3.2, "low": 1.9, "high": 11.7, "n": 400}}
    assert {"commit", "data", "models", "seeds", "machine"} <= set(held["made"])
    assert held["made"]["seeds"] == [0, 1]


@pytest.mark.usefixtures("stand_in")
def test_people_get_a_table_and_one_sentence() -> None:
    lines = invoke("longitudinal").stdout.strip().splitlines()
    assert lines[0].startswith("The claim: Scores fluctuate")
    assert "1.900 to 11.700" in lines[2]
    assert lines[3].endswith("untested")
    assert lines[-1] == "longitudinal: partly; 1 of 1 tested checks hold."
    assert "smoke run" in invoke("longitudinal", "--smoke").stdout.splitlines()[-1]


@pytest.mark.usefixtures("stand_in")
def test_report_opens_with_the_verdict(tmp_path: Path) -> None:
    assert invoke("longitudinal", "-o", str(tmp_path)).exit_code == 0
    held = json.loads((tmp_path / "report.json").read_text(encoding="utf8"))
    assert held["headline"] == "longitudinal: partly. Ratio 3.2."
    assert "Checks" in held["tables"]


def test_alone_it_lists_the_claims_and_a_wrong_name_is_told() -> None:
    assert [one["name"] for one in json.loads(invoke("--json").stdout)["claims"]] == list(CLAIMS)
    done = invoke("longitudnal")
    assert done.exit_code == 64
    assert "Did you mean longitudinal?" in done.stderr


def test_a_folder_that_is_none_is_told() -> None:
    assert invoke("longitudinal", "--data", "nowhere").exit_code == 66


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [
        ((True, True), "reproduced"),
        ((True, False), "partly"),
        ((False, False), "not reproduced"),
        ((None, None), "cannot be tested here"),
        ((True, None), "partly"),
        ((False, None), "not reproduced"),
        ((), "cannot be tested here"),
    ],
)
def test_verdict_follows_from_the_checks(holds: tuple[bool | None, ...], verdict: str) -> None:
    assert made(Context(), tuple(Check("x", held) for held in holds)).verdict == verdict


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_has_its_file_and_its_page(name: str) -> None:
    assert (ROOT / "src" / "mien" / "reproduce" / f"{name}.py").is_file()
    assert (ROOT / "docs" / "systems" / f"{name}.md").is_file()
