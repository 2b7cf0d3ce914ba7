"""Erasing a person everywhere, with a receipt."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from mien.errors import NotAuthenticated, UnknownSubject
from mien.serve.access import Caller
from mien.serve.erasing import forgotten, resume
from mien.serve.log import Only
from mien.serve.service import Service

NAME = "Zoë 赤 / '<b>"
LATER = "9999"


@pytest.fixture
def anna(service: Service, stubs: ModuleType) -> Caller:
    people = service.galleries.create("default", "people")
    service.engine.enrol(people, NAME, [stubs.picture(stubs.RED), stubs.picture(stubs.RED, noise=5)])
    return service.keys.caller(service.keys.make("anna", "operator", "default"))


def test_a_person_goes_everywhere_and_the_receipt_stays_without_the_name(
    service: Service, anna: Caller, tmp_path: Path
) -> None:
    told: list[tuple[str, str, str]] = []
    service.erasers.append(lambda *whom: told.append(whom))
    service.log.add(anna, "identify", gallery="people", subject=NAME)
    receipt = forgotten(service, anna, "people", NAME)
    assert (receipt.samples, receipt.subject, receipt.by, receipt.why) == (2, NAME, anna.key, "request")
    assert told == [("default", "people", NAME)]
    assert len(service.galleries.open("default", "people")) == 0
    kept = service.receipts.listed("default", only=Only(receipt.alias))
    assert [one["digest"] for one in kept] == [receipt.digest]
    assert [one["action"] for one in service.log.entries("default")] == ["subject.forget", "identify"]
    held = b"".join(path.read_bytes() for path in (tmp_path / "service").glob("*.db*"))
    assert NAME.encode() not in held
    assert service.receipts.listed("elsewhere") == []
    assert service.log.verify().fault is None


def test_nobody_is_told_as_such(service: Service, anna: Caller) -> None:
    with pytest.raises(UnknownSubject):
        forgotten(service, anna, "people", "nobody")
    assert service.receipts.unfinished(LATER) == []


def test_a_key_revoked_meanwhile_erases_nobody(service: Service, anna: Caller) -> None:
    service.keys.revoke(anna.key)
    with pytest.raises(NotAuthenticated, match="Nothing was changed"):
        forgotten(service, anna, "people", NAME)
    assert len(service.galleries.open("default", "people")) == 1


@pytest.mark.parametrize("where", ["taken", "hook", "log", "end"])
def test_an_erasure_cut_off_anywhere_is_ended_at_the_next_start(
    service: Service, anna: Caller, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        pass

    def cut(*_: object, **__: object) -> None:
        raise Cut

    told: list[tuple[str, str, str]] = []
    service.erasers.append(lambda *whom: told.append(whom))
    with monkeypatch.context() as patch, pytest.raises(Cut):
        if where == "hook":
            patch.setattr(service, "erasers", [cut])
        elif where == "log":
            patch.setattr(service.log, "add", cut)
        else:
            patch.setattr(service.receipts, where, cut)
        forgotten(service, anna, "people", NAME)
    assert resume(service, LATER) == 1
    assert told[-1:] == [("default", "people", NAME)]
    assert len(service.galleries.open("default", "people")) == 0
    (receipt,) = service.receipts.listed("default")
    assert receipt["by"] == anna.key
    assert receipt["samples"] == (0 if where == "taken" else 2)
    assert resume(service, LATER) == 0


def test_who_was_enrolled_anew_since_stays(
    service: Service, anna: Caller, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr("mien.serve.erasing.now", lambda: "2020-01-01T00:00:00+00:00")
        patch.setattr(service, "erasers", [cut])
        forgotten(service, anna, "people", NAME)
    people = service.galleries.open("default", "people")
    service.engine.enrol(people, NAME, [stubs.picture(stubs.RED)])
    assert resume(service, LATER) == 1
    assert len(people) == 1
    assert [one["samples"] for one in service.receipts.listed("default")] == [2]


def test_nothing_names_the_person_however_they_were_erased(
    http: TestClient, service: Service, anna: Caller, stubs: ModuleType, tmp_path: Path
) -> None:
    path = f"/v1/galleries/people/subjects/{quote(NAME, safe='')}"
    picture = {"image": stubs.picture(stubs.RED, noise=3)}
    assert http.post(f"{path}/samples", files=picture, headers={"idempotency-key": "1"}).status_code == 201
    assert http.post("/v1/galleries/people/identify", files={"image": stubs.picture(stubs.RED)}).status_code == 200
    assert http.patch(path, json={"purpose": "door"}, headers={"idempotency-key": "2"}).status_code == 200
    first, again = (http.delete(path, headers={"idempotency-key": "3"}) for _ in range(2))
    assert first.json()["subject"] == NAME
    assert again.json() == first.json()
    service.log.flush()
    service.records.settle()
    held = {one: one.read_bytes() for one in (tmp_path / "service").rglob("*") if one.is_file()}
    assert [one.name for one, data in held.items() if NAME.encode() in data or json.dumps(NAME).encode() in data] == []
    found = http.get("/v1/receipts", params={"gallery": "people", "subject": NAME}).json()["items"]
    assert [one["digest"] for one in found] == [first.json()["digest"]]
