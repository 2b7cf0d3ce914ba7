"""Changes under an Idempotency-Key: made once, answered alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from mien.errors import CannotWrite, Conflict
from mien.serve.idempotency import KEPT, Answer, Answers
from mien.serve.records import Records
from mien.serve.service import Service
from mien.serve.turns import Life

S = "/v1/galleries/people/subjects"
Enrol = Callable[..., dict[str, Any]]


def under(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


def test_the_same_again_is_answered_alike_and_done_once(
    http: TestClient, service: Service, people: str, stubs: ModuleType
) -> None:
    data, asked = stubs.picture(stubs.RED), []
    for _ in range(3):  # each form has a boundary of its own
        asked.append(http.post(f"{S}/ana/samples", files={"image": ("a.png", data)}, headers=under("k")))
    assert [one.status_code for one in asked] == [201] * 3
    assert asked[0].json() == asked[1].json() == asked[2].json()
    assert [one.headers.get("idempotency-replayed") for one in asked] == [None, "true", "true"]
    service.log.flush()
    assert [one["action"] for one in service.log.entries("default")].count("subject.enrol") == 1


def test_another_request_under_the_key_is_a_conflict(http: TestClient, people: str, stubs: ModuleType) -> None:
    one = {"files": {"image": stubs.picture(stubs.RED)}, "headers": under("k")}
    assert http.post(f"{S}/ana/samples", **one).status_code == 201
    for method, path, more in [
        ("POST", f"{S}/ana/samples", {"files": {"image": stubs.picture(stubs.BLUE)}}),
        ("POST", f"{S}/ben/samples", {"files": {"image": stubs.picture(stubs.RED)}}),
        ("POST", f"{S}/ana/samples?x=1", {"files": {"image": stubs.picture(stubs.RED)}}),
        ("DELETE", f"{S}/ana", {}),
    ]:
        answer = http.request(method, path, headers=under("k"), **more)
        assert (answer.status_code, answer.json()["type"]) == (409, "Conflict")
    assert http.get(f"{S}/ana").json()["samples"] == 1


def test_keys_are_each_callers_own(
    http: TestClient, people: str, stubs: ModuleType, key: Callable[..., dict[str, str]]
) -> None:
    one, other = key("operator"), key("operator")
    image = {"image": stubs.picture(stubs.RED)}
    assert http.post(f"{S}/ana/samples", files=image, headers=one | under("k")).status_code == 201
    assert http.post(f"{S}/ana/samples", files=image, headers=other | under("k")).status_code == 200  # known already
    assert http.post(f"{S}/ana/samples", files=image, headers={"authorization": ""} | under("k")).status_code == 401


def test_a_refusal_is_not_kept(http: TestClient, people: str, stubs: ModuleType) -> None:
    image = {"image": stubs.picture(stubs.RED)}
    assert http.post("/v1/galleries/late/subjects/ana/samples", files=image, headers=under("k")).status_code == 404
    http.post("/v1/galleries", json={"name": "late"})
    assert http.post("/v1/galleries/late/subjects/ana/samples", files=image, headers=under("k")).status_code == 201


def test_a_key_that_cannot_be(http: TestClient, people: str) -> None:
    for bad in ("", "x" * 256, "a b", "é"):
        answer = http.post("/v1/galleries", json={"name": "x"}, headers=[("idempotency-key", bad.encode())])
        assert (answer.status_code, answer.json()["type"]) == (400, "UsageError"), bad


def test_a_revoked_key_gets_no_kept_answer(
    http: TestClient, service: Service, people: str, stubs: ModuleType, key: Callable[..., dict[str, str]]
) -> None:
    mine = key("operator")
    image = {"image": stubs.picture(stubs.RED)}
    assert http.post(f"{S}/ana/samples", files=image, headers=mine | under("k")).status_code == 201
    service.keys.revoke(mine["authorization"].split("_")[1])
    assert http.post(f"{S}/ana/samples", files=image, headers=mine | under("k")).status_code == 401


def test_while_it_is_being_answered_others_wait(
    http: TestClient, service: Service, people: str, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go = threading.Event(), threading.Event()
    take = service.engine.take

    def slow(*given: Any) -> Any:
        at_work.set()
        assert go.wait(10)
        return take(*given)

    monkeypatch.setattr(service.engine, "take", slow)
    image, answers = {"image": stubs.picture(stubs.RED)}, []

    def ask() -> None:
        answers.append(http.post(f"{S}/ana/samples", files=image, headers=under("k")))

    first = threading.Thread(target=ask)
    first.start()
    assert at_work.wait(10)
    ask()
    go.set()
    first.join(10)
    assert [one.status_code for one in answers] == [409, 201]
    assert answers[0].headers["retry-after"] == "1"


def test_neither_pixels_nor_secrets_are_kept(
    http: TestClient, service: Service, people: str, stubs: ModuleType, tmp_path: Path
) -> None:
    data = stubs.picture(stubs.RED, noise=3)
    assert http.post(f"{S}/ana/samples", files={"image": data}, headers=under("k1")).status_code == 201
    made = http.post("/v1/keys", json={"name": "door", "role": "reader"}, headers=under("k2"))
    assert made.status_code == 201
    again = http.post("/v1/keys", json={"name": "door", "role": "reader"}, headers=under("k2"))
    assert (again.status_code, "is not kept" in again.json()["detail"]) == (409, True)
    held = b"".join(path.read_bytes() for path in (tmp_path / "service").glob("service.db*"))
    assert data[40:90] not in held
    assert made.json()["key"].rsplit("_", 1)[1].encode() not in held


def test_what_changes_nothing_is_answered_anew(http: TestClient, stubs: ModuleType, enrol: Enrol) -> None:
    enrol("ana", stubs.RED)
    path, image = "/v1/galleries/people/identify", {"image": stubs.picture(stubs.RED)}
    assert http.post(path, files=image, headers=under("k")).json()["decisions"][0]["subject"] == "ana"
    http.patch(f"{S}/ana", json={"subject": "Ana"})
    assert http.post(path, files=image, headers=under("k")).json()["decisions"][0]["subject"] == "Ana"


def test_who_is_forgotten_is_in_no_kept_answer(
    http: TestClient, service: Service, people: str, stubs: ModuleType
) -> None:
    for name, colour in (("Zoë 1", stubs.RED), ("Zoë 12", stubs.RED), ("ben", stubs.BLUE)):
        http.post(f"{S}/{name}/samples", files={"image": stubs.picture(colour)}, headers=under(name[-1:] + "k"))
    gone, again = (http.delete(f"{S}/Zoë 1", headers=under("gone")) for _ in range(2))
    assert (gone.json(), gone.json()["subject"]) == (again.json(), "Zoë 1")
    with service.records.look() as db:
        kept = {row["path"]: (row["body"] or b"").decode() for row in db.execute("SELECT path, body FROM answer")}
    assert sorted(path.rsplit("/subjects/")[-1] for path in kept) == ["", "ben/samples"]  # the receipt, and another's
    assert "Zoë" not in kept[""]
    # Zoë 12 looked like Zoë 1 and said so: that answer is gone too, hers is asked for anew.
    assert http.get(f"{S}/Zoë 12").json()["samples"] == 1


def test_after_a_restart_the_answer_is_there(make_app: Callable[..., FastAPI], stubs: ModuleType) -> None:
    image, answers, headers = {"image": stubs.picture(stubs.RED)}, [], {}
    for start in range(2):
        app = make_app()
        with TestClient(app) as http:
            if not start:
                made = app.state.service.keys.make("tests", "admin", "default")
                headers = {"authorization": f"Bearer {made}"}
                http.post("/v1/galleries", json={"name": "people"}, headers=headers)
            answers.append(http.post(f"{S}/ana/samples", files=image, headers=headers | under("k")))
    assert [one.headers.get("idempotency-replayed") for one in answers] == [None, "true"]
    assert answers[0].content == answers[1].content


def test_answers_of_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, mine = Records(tmp_path / "s.db"), Life(tmp_path / "lives")
    answers = Answers(records, mine)
    kept = Answer(b"d", 201, "application/json", b"{}")
    assert answers.begin(b"1", "t", "/x") is None
    with pytest.raises(Conflict):
        answers.begin(b"1", "t", "/x")
    answers.end(b"1", kept)
    assert answers.begin(b"1", "t", "/x") == kept
    now = time.time()
    monkeypatch.setattr("mien.serve.idempotency.time.time", lambda: now + KEPT + 1)
    answers.sweep()
    with records.look() as db:
        assert db.execute("SELECT count(*) FROM answer").fetchone()[0] == 0
    assert answers.begin(b"1", "t", "/x") is None  # too old
    answers.release(b"1")
    assert answers.begin(b"1", "t", "/x") is None
    records.close()
    mine.close()


def test_what_was_done_is_told_though_the_answer_cannot_be_kept(
    http: TestClient, service: Service, people: str, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise CannotWrite("The disk is full.")

    monkeypatch.setattr(service.answers, "end", full)
    image = {"image": stubs.picture(stubs.RED)}
    assert http.post(f"{S}/ana/samples", files=image, headers=under("k")).status_code == 201
    monkeypatch.undo()
    assert http.post(f"{S}/ana/samples", files=image, headers=under("k")).json()["known"] == 1


def test_what_a_dead_process_was_answering_may_be_asked_again(tmp_path: Path) -> None:
    records, dead, mine = Records(tmp_path / "s.db"), Life(tmp_path / "lives"), Life(tmp_path / "lives")
    assert Answers(records, dead).begin(b"1", "t", "/x") is None
    with pytest.raises(Conflict):
        Answers(records, mine).begin(b"1", "t", "/x")
    assert dead._file is not None
    dead._file.close()  # what a kill does
    assert Answers(records, mine).begin(b"1", "t", "/x") is None
    records.close()
    mine.close()


def test_the_description_names_the_key_where_it_counts(http: TestClient) -> None:
    paths = http.get("/v1/openapi.json").json()["paths"]
    named = {
        (method, path)
        for path, methods in paths.items()
        for method, told in methods.items()
        if any(one["name"] == "Idempotency-Key" for one in told.get("parameters", ()))
    }
    assert ("post", "/v1/galleries/{gallery}/subjects/{subject}/samples") in named
    assert ("post", "/v1/galleries/{gallery}/identify") not in named
    assert not any(method == "get" for method, _ in named)
