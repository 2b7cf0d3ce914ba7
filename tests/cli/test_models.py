"""`mien models` and `mien doctor`."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mien import embed, models
from mien.cli import checks
from mien.cli.group import group
from mien.errors import ModelUnavailable

NON_COMMERCIAL = "buffalo_l"


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests accept must not be accepted on this machine."""
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("MIEN_ACCEPT", raising=False)
    monkeypatch.delenv("MIEN_MODELS", raising=False)


def run(*words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


def test_listing_says_what_for_on_which_terms_and_whether_it_is_here() -> None:
    told = {one["name"]: one for one in json.loads(run("models", "--json").stdout)["models"]}
    assert set(told) == {card.name for card in models.catalogue()}
    assert told["mtcnn"]["task"] == "detector"
    assert told["mtcnn"]["commercial"] == "yes"
    assert told["mtcnn"]["state"] in ("ready", "built on first use")
    assert told[NON_COMMERCIAL]["state"] == "not accepted"
    assert {name for name, one in told.items() if one["default"]} == {"mtcnn", "dlib_resnet"}


def test_listing_is_the_same_with_the_word_list() -> None:
    assert run("models", "list", "--json").stdout == run("models", "--json").stdout


def test_csv_and_table_have_all_models() -> None:
    rows = list(csv.DictReader(io.StringIO(run("models", "--csv").stdout)))
    assert [row["name"].split()[0] for row in rows] == [card.name for card in models.catalogue()]
    assert len(run("models").stdout.splitlines()) == len(rows) + 1


def test_accept_shows_the_terms_first_and_revoke_takes_it_back() -> None:
    terms = models.card(NON_COMMERCIAL).licence
    result = run("models", "accept", NON_COMMERCIAL, "--json")
    assert result.exit_code == 0
    assert terms.weights in result.stderr
    assert json.loads(result.stdout)["name"] == NON_COMMERCIAL
    assert [one.name for one in models.accepted()] == [NON_COMMERCIAL]
    assert json.loads(run("models", "revoke", NON_COMMERCIAL, "--json").stdout)["revoked"] is True
    assert models.accepted() == ()
    assert json.loads(run("models", "revoke", NON_COMMERCIAL, "--json").stdout)["revoked"] is False


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130)])
def test_accept_asks_on_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    monkeypatch.setattr("mien.cli.options.on_terminal", lambda: True)
    result = CliRunner().invoke(group, ["models", "accept", NON_COMMERCIAL], input=answer)
    assert result.exit_code == code
    assert bool(models.accepted()) == (code == 0)


def test_pull_of_what_is_not_accepted_is_refused_before_a_byte() -> None:
    result = run("models", "pull", NON_COMMERCIAL, "mtcnn", "--json")
    told = {one["model"]: one for one in json.loads(result.stdout)["models"]}
    assert result.exit_code == 77
    assert told[NON_COMMERCIAL]["error"]["type"] == "LicenceNotAccepted"
    assert told["mtcnn"]["error"] is None
    assert all(Path(path).is_file() for path in told["mtcnn"]["files"].values())
    assert f"mien models accept {NON_COMMERCIAL}" in result.stderr


def test_pull_without_a_name_makes_the_defaults_ready() -> None:
    told = json.loads(run("models", "pull", "--json").stdout)["models"]
    assert {one["model"] for one in told} == {"mtcnn", "dlib_resnet"}


def test_verify_finds_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = models.card("yunet")
    (tmp_path / card.files[0].name).write_bytes(b"not a network")
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    result = run("models", "verify", "yunet", "--json")
    files = json.loads(result.stdout)["files"]
    assert result.exit_code == 69
    assert [one["ok"] for one in files] == [False]
    assert run("models", "verify", "mtcnn").exit_code == 0


def test_show_tells_terms_and_limits() -> None:
    card = models.card("dlib_resnet")
    words = run("models", "show", "dlib_resnet").stdout
    assert card.licence.url in words
    assert all(limit in words for limit in card.limits)
    lines = [line.split()[1] for line in words.splitlines() if line.startswith("threshold")]
    assert lines == [f"{point.threshold:.4f}" for point in card.operating_points if point.space == embed.space(card)]
    told = json.loads(run("models", "show", "dlib_resnet", "--json").stdout)
    assert told["licence"]["commercial"] == "yes"
    assert len(told["operating_points"]) == len(card.operating_points)


@pytest.mark.parametrize("card", models.catalogue(), ids=lambda card: card.name)
def test_every_card_can_be_shown(card: models.Card) -> None:
    assert json.loads(run("models", "show", card.name, "--json").stdout)["name"] == card.name


def test_doctor_is_well_here() -> None:
    result = run("doctor", "--json")
    told = json.loads(result.stdout)
    assert [one["name"] for one in told["checks"] if one["state"] == "FAIL"] == []
    assert told["works"] is True
    assert result.exit_code == 0


def broken(**_: Any) -> Any:
    raise ModelUnavailable("mtcnn_weights.lz4 is not on this machine.", "Install the package mtcnn.")


def test_doctor_goes_on_after_a_failure_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd() -> checks.Finding:
        raise OSError("libGL.so.1: cannot open shared object file")

    monkeypatch.delenv("MIEN_DEBUG", raising=False)
    monkeypatch.setattr(checks, "_CHECKS", {"models": broken, "video": odd, "Python": checks._python})
    result = run("doctor")
    assert result.exit_code == 69
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["FAIL", "FAIL", "OK"]
    assert "Install the package mtcnn." in lines[1]
    assert "libGL.so.1" in lines[2]


def test_doctor_warns_of_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "file" / "cache"))
    state, finding, remedy = checks._cache()
    assert state == "WARN"
    assert str(tmp_path) in finding
    assert "MIEN_CACHE" in remedy


def test_doctor_names_a_package_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PACKAGES", {"numpy": "numpy", "no_such_module": "nothing-of-that-name"})
    state, finding, remedy = checks._packages()
    assert state == "FAIL"
    assert "nothing-of-that-name" in finding
    assert "nothing-of-that-name" in remedy


def test_doctor_knows_every_package_mien_needs() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf8"))["project"]
    wanted = {name.split(">=")[0] for name in project["dependencies"] if ">=" in name}
    assert set(checks.PACKAGES.values()) == wanted


def test_doctor_tells_wrong_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.cli.selftest.faults", lambda engine: ["the embedder's answer is off"])
    assert checks._selftest()[0] == "FAIL"
