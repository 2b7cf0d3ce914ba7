"""People go when their date has passed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi import FastAPI

from mien import Person
from mien.cli.group import group
from mien.errors import GalleryBusy
from mien.serve import retention
from mien.serve.service import Service

PAST, FUTURE = "2020-06-30", "2999-06-30"


def fill(service: Service, stubs: ModuleType, tenant: str, gallery: str, **people: Any) -> None:
    """Enrol people by name with their `expires`."""
    made = service.galleries.create(tenant, gallery)
    if tenant != "default":
        service.keys.make("a", "admin", tenant)
    for name, expires in people.items():
        metadata = {} if expires is None else {"expires": expires, "consent": "signed"}
        service.engine.enrol(made, name, [stubs.picture(stubs.RED)], metadata=metadata)


def left(service: Service, tenant: str, gallery: str) -> list[str]:
    return [one.subject for one in service.galleries.open(tenant, gallery).people()]


def test_whose_date_has_passed_goes_in_every_tenant(service: Service, stubs: ModuleType) -> None:
    fill(service, stubs, "default", "people", ann=PAST, ben=FUTURE, cid=None, dan="next summer")
    fill(service, stubs, "acme", "doors", eve=PAST, fay=FUTURE)
    done = retention.run(service)
    assert done.looked == 6
    assert [(one.tenant, one.subject) for one in done.erased] == [("acme", "eve"), ("default", "ann")]
    assert [one.subject for one in done.unreadable] == ["dan"]
    assert left(service, "default", "people") == ["ben", "cid", "dan"]
    assert left(service, "acme", "doors") == ["fay"]
    (receipt,) = service.receipts.listed("acme")
    assert (receipt["why"], receipt["by"], receipt["samples"]) == ("expired", "", 1)
    entry = service.log.entries("")[0]
    assert entry["action"] == "retention.run"
    assert entry["facts"] == {"looked": 6, "erased": 2, "unreadable": 1, "failed": 0}
    assert retention.run(service).erased == []


def test_a_dry_run_changes_nothing(service: Service, stubs: ModuleType) -> None:
    fill(service, stubs, "default", "people", ann=PAST)
    assert [one.subject for one in retention.run(service, dry=True).erased] == ["ann"]
    assert left(service, "default", "people") == ["ann"]
    assert service.log.entries(None) == []


def test_one_that_fails_does_not_keep_the_others(
    service: Service, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(service, stubs, "default", "people", ann=PAST, ben=PAST)
    real = retention.forgotten

    def busy(service_: Any, who: Any, gallery: str, subject: str, why: str) -> Any:
        if subject == "ann":
            raise GalleryBusy("Somebody is writing.", "")
        return real(service_, who, gallery, subject, why)

    monkeypatch.setattr(retention, "forgotten", busy)
    done = retention.run(service)
    assert [name for name, _ in done.failures] == ["people/ann"]
    assert [one.subject for one in done.erased] == ["ben"]


def test_days_for_all_and_a_date_of_ones_own() -> None:
    enrolled = "2026-01-01T00:00:00+00:00"
    someone = Person("a", 1, 0, metadata={}, enrolled=enrolled)
    assert retention.ends(someone, 0) is None
    assert retention.ends(someone, 30) == datetime(2026, 1, 31, tzinfo=UTC)
    own = Person("a", 1, 0, metadata={"expires": "2027-01-01"}, enrolled=enrolled)
    assert retention.ends(own, 30) == datetime(2027, 1, 2, tzinfo=UTC)  # that day is the last
    exact = Person("a", 1, 0, metadata={"expires": "2027-01-01T12:00:00+02:00"}, enrolled=enrolled)
    assert retention.ends(exact, 0) == datetime(2027, 1, 1, 10, tzinfo=UTC)


def test_one_process_at_a_time_makes_the_pass(make_app: Callable[..., FastAPI]) -> None:
    first, second = (make_app().state.service for _ in range(2))
    assert [one.retention.due() for one in (first, second, first)] == [True, False, False]
    with first.records.change() as db:
        db.execute("UPDATE pass SET began = ?", (time.time() - 3601,))
    assert [one.retention.due() for one in (second, first)] == [True, False]
    with first.records.change() as db:  # the clock was set back by a year
        db.execute("UPDATE pass SET began = ?", (time.time() + 365 * 86_400,))
    assert first.retention.due()


def test_the_thread_erases_and_ends_what_was_cut_off(
    make_app: Callable[..., FastAPI], stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_FIRST", 0.0)
    service: Service = make_app().state.service
    fill(service, stubs, "default", "people", ann=PAST, ben=None)
    begun = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    with service.records.change() as db:
        row = ("77", "default", "people", "gone", "", "request", begun)
        db.execute("INSERT INTO erasing VALUES (?, ?, ?, ?, ?, ?, ?, 3, 0, 'd')", row)
    service.open()
    deadline = time.monotonic() + 20
    while len(service.receipts.listed("default")) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    service.close()
    assert {one["samples"] for one in service.receipts.listed("default")} == {3, 1}
    assert left(service, "default", "people") == ["ben"]


def test_the_verb_says_who_is_due_and_erases(service: Service, stubs: ModuleType, tmp_path: Path) -> None:
    fill(service, stubs, "default", "people", ann=PAST, ben=FUTURE, cid="when it rains")
    words = ["retention", "--data", str(tmp_path / "service"), "--json"]
    dry = json.loads(CliRunner().invoke(group, [*words, "--dry-run"]).stdout)
    assert [one["subject"] for one in dry["due"]] == ["ann"]
    assert [one["subject"] for one in dry["unreadable"]] == ["cid"]
    answer = CliRunner().invoke(group, words)
    assert answer.exit_code == 0
    assert "cid in people is kept" in answer.stderr
    assert left(service, "default", "people") == ["ben", "cid"]
