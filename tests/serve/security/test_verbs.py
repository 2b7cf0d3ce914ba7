"""`mien keys`, `mien log`, `mien retention`, `mien doctor --service`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mien.cli.group import group
from mien.serve.service import Service


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "service"


def run(*words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


def told(*words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return found


def test_a_key_from_its_making_to_its_end(data: Path, service: Service) -> None:
    made = told("keys", "make", "--data", data, "--role", "operator", "--name", "door", "--quota", 9)
    assert service.keys.caller(made["key"]).role == "operator"
    (listed,) = told("keys", "list", "--data", data)["keys"]
    assert (listed["quota"], listed["state"], "key" in listed) == (9, "in force", False)
    newer = told("keys", "rotate", made["id"], "--hours", 0, "--data", data)
    assert service.keys.key(newer["key"]).quota == 9
    assert run("keys", "revoke", newer["id"], "--data", data).exit_code == 0
    assert {one["state"] for one in told("keys", "list", "--data", data)["keys"]} == {"revoked"}
    assert run("keys", "revoke", newer["id"], "--data", data).exit_code == 66
    assert [one["action"] for one in service.log.entries(None)] == ["key.revoke", "key.rotate", "key.make"]


def test_no_service_is_told_as_such(tmp_path: Path) -> None:
    for words in (("keys", "list", "--data"), ("log", "verify"), ("retention", "--data"), ("log", "show")):
        answer = run(*words, tmp_path / "nothing")
        assert answer.exit_code == 66
        assert "There is no service in" in answer.stderr
    assert not (tmp_path / "nothing").exists()


def test_the_log_is_checked_and_the_first_broken_entry_named(data: Path, service: Service) -> None:
    for number in range(4):
        service.log.add(None, "verify", count=number)
    service.log.flush()
    head = told("log", "verify", data)
    assert head["whole"]
    with sqlite3.connect(data / "log.db") as db:
        db.execute("DROP TRIGGER log_is_so")
        db.execute("UPDATE log SET entry = replace(entry, '\"count\":2', '\"count\":7') WHERE number = 3")
    answer = run("log", "verify", data)
    assert answer.exit_code == 69
    assert "Entry 3 is not what was written" in answer.stdout
    assert told("log", "verify", data, "--known", head["head"])["broken"] == 3
    assert run("log", "verify", data, "--known", "nonsense").exit_code == 64


def test_the_log_is_shown(data: Path, service: Service) -> None:
    service.log.add(None, "verify", verdict="accept")
    service.log.flush()
    assert "verdict=accept" in run("log", "show", data).stdout
    assert run("log", "show", data, "--subject", "x").exit_code == 64
