"""`mien keys`, `mien log`, `mien retention`, `mien doctor --service`."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mien.cli.group import group
from mien.serve.keys import Terms
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


def checks(data: Path, *words: object) -> dict[str, dict[str, str]]:
    return {one["name"]: one for one in told("doctor", "--service", "--data", data, *words)["checks"]}


def states(found: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: one["state"] for name, one in found.items()}


def test_a_deployment_in_order(data: Path, service: Service) -> None:
    service.keys.make("a", "admin", "default")
    service.retention.due()
    found = checks(data)
    assert set(states(found).values()) == {"OK"}, found
    assert set(found) == {
        "secret", "folder", "transport", "records", "log", "clock", "keys", "retention", "disk", "load", "models",
    }  # fmt: skip
    assert run("doctor", "--service", "--data", data).exit_code == 0


def test_what_is_wrong_with_a_deployment_is_said(
    data: Path, service: Service, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.engine.enrol(service.galleries.create("default", "people"), "ann", [stubs.picture(stubs.RED)])
    service.log.add(None, "verify", durable=True)
    with sqlite3.connect(data / "log.db") as db:
        db.execute("DELETE FROM head")
    with service.records.change() as db:
        db.execute("INSERT INTO erasing VALUES ('1', 'default', 'people', 'x', '', '', '2020-01-01', 0, 0, '')")
    (data / "service.db").touch()
    os.utime(data / "log.db", (time.time() + 999, time.time() + 999))
    (data / "secret").chmod(0o640)
    data.chmod(0o755)
    for name, value in {"HOST": "0.0.0.0", "PROCESSES": 64, "DETECTOR": "nobody"}.items():
        monkeypatch.setenv(f"MIEN_SERVE_{name}", str(value))
    found = checks(data)
    assert states(found) == {
        "secret": "WARN", "folder": "FAIL", "transport": "FAIL", "records": "OK", "log": "FAIL", "clock": "FAIL",
        "keys": "WARN", "retention": "FAIL", "disk": "OK", "load": "WARN", "models": "FAIL", "default/people": "FAIL",
    }  # fmt: skip
    assert "another embedder" in found["default/people"]["finding"]
    assert run("doctor", "--service", "--data", data).exit_code == 69
    (data / "secret").chmod(0o644)
    assert "every user" in checks(data)["secret"]["finding"]
    assert run("doctor", "--data", data).exit_code == 64
    assert run("doctor", "--service", "--data", data / "nothing").exit_code == 66


def test_keys_to_look_at_are_named(data: Path, service: Service) -> None:
    for name, terms in (("old", Terms()), ("soon", Terms(expires=f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"))):
        service.keys.make(name, "admin", "default", terms)
    with service.records.change() as db:
        db.execute("UPDATE key SET made = '2020-01-01T00:00:00+00:00' WHERE name = 'old'")
    finding = checks(data)["keys"]
    assert finding["state"] == "WARN"
    for words in ("old", "days old", "never used", "soon", "expires on"):
        assert words in finding["finding"]
