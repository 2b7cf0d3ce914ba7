"""The page of settings says what the settings say."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from mien.errors import UsageError
from mien.serve.settings import Settings, settings

TOOL = Path(__file__).parents[3] / "tools" / "settings_reference.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settings_reference", TOOL)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_is_current(tool: ModuleType) -> None:
    assert tool.PAGE.read_text(encoding="utf8") == tool.page(), "run `make docs`"


def test_the_page_has_every_setting_once(tool: ModuleType) -> None:
    rows = [line.split("`")[1] for line in tool.page().splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(Settings.model_fields)


def test_every_setting_says_what_it_is() -> None:
    assert all((field.description or "").endswith(".") for field in Settings.model_fields.values())


def test_options_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text('port = 1\nqueue = 1\nbatch = 1\ngalleries = ["a.db"]\n')
    monkeypatch.setenv("MIEN_SERVE_CONFIG", str(tmp_path / "a.toml"))
    monkeypatch.setenv("MIEN_SERVE_PORT", "2")
    monkeypatch.setenv("MIEN_SERVE_QUEUE", "2")
    found = settings(port=3, galleries=None)
    assert (found.port, found.queue, found.batch, found.galleries) == (3, 2, 1, ("a.db",))


@pytest.mark.parametrize("text", ["quee = 1", "port = 99999", "galleries = 3", "port = "])
def test_a_file_that_cannot_be_used_is_said_in_words(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text(text)
    monkeypatch.setenv("MIEN_SERVE_CONFIG", os.fspath(tmp_path / "a.toml"))
    with pytest.raises(UsageError):
        settings()


def test_a_misspelt_name_in_the_environment_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_SERVE_TLS_CERT", "chain.pem")
    with pytest.raises(UsageError, match="MIEN_SERVE_TLS_CERT"):
        settings()
