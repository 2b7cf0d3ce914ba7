"""Weights that may not be used commercially load only after a yes by name."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from mien.errors import LicenceNotAccepted, ModelError, UnknownModel
from mien.models import accept, accepted, card, licence, ready, revoke

CARD = """
name = "{name}"
task = "embedder"
summary = "A card for tests."
training = "Nothing."

[[file]]
role = "model"
name = "weights.bin"
sha256 = "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"

[licence]
code = "MIT"
weights = "{weights}"
url = "https://example.org/LICENSE"
read_on = {day}
training_data = "Research data."
commercial = "{verdict}"
"""


@pytest.fixture(autouse=True)
def clean_slate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MIEN_CARDS", str(tmp_path))
    monkeypatch.delenv("MIEN_ACCEPT", raising=False)
    monkeypatch.delenv("MIEN_MODELS", raising=False)
    (tmp_path / "weights.bin").write_bytes(b"aaa")


def put_card(
    folder: Path, verdict: str, name: str = "mine", terms: str = "Research only", day: str = "2026-11-22"
) -> None:
    text = CARD.format(name=name, verdict=verdict, weights=terms, day=day)
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def test_a_clear_yes_asks_for_nothing(tmp_path: Path) -> None:
    put_card(tmp_path, "yes")
    assert ready(card("mine")) == {"model": tmp_path / "weights.bin"}


@pytest.mark.parametrize("verdict", ["no", "unclear"])
def test_no_and_unclear_refuse_until_accepted(tmp_path: Path, verdict: str) -> None:
    put_card(tmp_path, verdict)
    with pytest.raises(LicenceNotAccepted) as caught:
        ready(card("mine"))
    told = str(caught.value)
    for piece in ("mine", "Research only", "Research data.", "https://example.org/LICENSE", "2026-11-22"):
        assert piece in told
    assert "mien models accept mine" in told and "MIEN_ACCEPT=mine" in told
    made = accept("mine")
    assert made in accepted()
    assert ready(card("mine"))
    assert revoke("mine") and not revoke("mine")
    with pytest.raises(LicenceNotAccepted):
        ready(card("mine"))


def test_a_yes_for_one_is_no_yes_for_another(tmp_path: Path) -> None:
    put_card(tmp_path, "no")
    put_card(tmp_path, "no", "other")
    accept("mine")
    with pytest.raises(LicenceNotAccepted):
        ready(card("other"))


def test_a_yes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_card(tmp_path, "no")
    monkeypatch.setenv("MIEN_ACCEPT", "other, mine")
    assert ready(card("mine"))
    assert [one.name for one in accepted()] == ["mine", "other"]
    assert not (tmp_path / "config").exists()
    monkeypatch.setenv("MIEN_ACCEPT", "min")
    with pytest.raises(LicenceNotAccepted):
        ready(card("mine"))


def test_a_yes_lapses_with_the_terms_and_not_with_the_day(tmp_path: Path) -> None:
    put_card(tmp_path, "no")
    accept("mine")
    put_card(tmp_path, "no", day="2026-11-23")
    assert licence.is_accepted(card("mine"))
    put_card(tmp_path, "no", terms="Research only, and a fee")
    with pytest.raises(LicenceNotAccepted, match="changed since you accepted"):
        ready(card("mine"))


def test_what_is_kept(tmp_path: Path) -> None:
    put_card(tmp_path, "no")
    made = accept("mine")
    kept = json.loads((tmp_path / "config" / "licences.json").read_text())
    assert kept == {"mine": {"terms": made.terms, "on": made.on}}
    assert made.terms == licence.terms(card("mine"))


def test_an_unknown_name_cannot_be_accepted() -> None:
    with pytest.raises(UnknownModel):
        accept("nobody")


def test_damaged_notes_are_an_error_and_not_a_yes(tmp_path: Path) -> None:
    put_card(tmp_path, "no")
    (tmp_path / "config").mkdir()
    for text in ("{", "[]", '{"mine": 1}', '{"mine": {}}'):
        (tmp_path / "config" / "licences.json").write_text(text)
        with pytest.raises(ModelError, match=r"licences\.json cannot be read"):
            ready(card("mine"))


def test_notes_that_cannot_be_kept(tmp_path: Path) -> None:
    put_card(tmp_path, "no")
    (tmp_path / "config").write_text("a file in the way")
    with pytest.raises(ModelError, match="cannot be"):
        accept("mine")


def test_many_may_accept_at_once(tmp_path: Path) -> None:
    names = [f"model_{i}" for i in range(8)]
    for name in names:
        put_card(tmp_path, "no", name)
    threads = [threading.Thread(target=accept, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.name for one in accepted()] == names
