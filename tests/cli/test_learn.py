"""`mien learn`: what it lists, what it refuses before anything is trained, and what a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mien import models
from mien.cli.group import group
from mien.learn.catalogue import RECIPES, changed, recipe
from mien.learn.toy import pictures


def run(*words: str) -> Result:
    return CliRunner().invoke(group, ["learn", *words])


def test_without_a_name_it_lists_the_recipes() -> None:
    found = json.loads(run("--json").stdout)
    assert {one["name"] for one in found["recipes"]} == set(RECIPES)


def test_fields_are_what_set_can_change() -> None:
    found = json.loads(run("expression_fer", "--fields", "--json").stdout)
    assert {"epochs", "batch", "rate", "width"} <= {one["field"] for one in found["fields"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("expresion_fer",), "Did you mean expression_fer"),
        (("expression_fer",), "needs data"),
        (("expression_fer", "--data", "nowhere"), "needs a folder"),
        (("expression_fer", "--data", "nowhere", "-o", "run"), "There is no nowhere"),
        (("expression_fer", "--set", "speed=3", "--smoke"), "has no 'speed'"),
        (("expression_fer", "--set", "epochs=many", "--smoke"), "'many' is no value for epochs"),
        (("expression_fer", "--set", "epochs=0", "--smoke"), "'0' is no value for epochs"),
        (("expression_fer", "--set", "rate=nan", "--smoke"), "'nan' is no value for rate"),
        (("expression_fer", "--set", "rate", "--smoke"), "no key=value"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*words)
    assert found.exit_code >= 64 or found.exit_code == 2
    assert said in found.output + found.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_layout_says_what_was_expected_and_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter.txt").write_text("dear")
    found = run("expression_fer", "--data", str(tmp_path / "data"), "-o", str(tmp_path / "run"))
    assert found.exit_code == 65
    assert "letter.txt" in found.stderr


def test_fields_take_the_kind_of_value_they_have() -> None:
    made = recipe("expression_fer")
    assert changed(made, {"epochs": "3", "rate": "1e-2", "early": "0.5,24", "calibrate": "no"}) == changed(
        made, {"early": "0.5,24", "rate": "0.01", "calibrate": "false", "epochs": "3"}
    )
    assert changed(made, {"early": "0.5,24"}).early == (0.5, 24)  # type: ignore[attr-defined]


def test_a_run_is_stopped_gone_on_with_and_judged_by(tmp_path: Path) -> None:
    """On made-up data in FER2013's layout: the whole way that a user goes."""
    made = recipe("expression_fer")
    folder = tmp_path / "fer2013"
    pictures(folder, ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), each=4)
    (folder / "dev").rename(folder / "public_test")
    (folder / "test").rename(folder / "private_test")
    words = (
        "expression_fer", "--data", str(folder), "-o", str(tmp_path / "run"), "--json",
        "--set", "epochs=2", "--set", "width=8", "--set", "batch=7",
    )  # fmt: skip
    assert made.name == "expression_fer"
    first = run(*words, "--stop-after", "1")
    assert first.exit_code == 0, first.stderr
    assert json.loads(first.stdout)["state"] == "training"
    second = run(*words)
    assert second.exit_code == 0, second.stderr
    told = json.loads(second.stdout)
    assert {one["metric"] for one in told["metrics"]} >= {"UAR", "WAR (accuracy)"}
    card = models.card(told["card"])
    assert card.task == "expression" and card.labels == made.labels
    models.ready(card)
    judged = CliRunner().invoke(
        group, ["judge", str(tmp_path / "run"), str(folder / "train" / "sad" / "0.png"), "--json"]
    )
    assert judged.exit_code in (0, 2), judged.stderr
    other = run(*words, "--set", "rate=0.5")
    assert other.exit_code == 64 and "rate" in other.stderr
