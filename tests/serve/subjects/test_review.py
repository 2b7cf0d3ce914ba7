"""The review queue over HTTP, and what becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from mien.serve import review
from mien.serve.service import Service
from mien.types import Decision, Face, Frame, Match, OperatingPoint, Reading

G = "/v1/galleries/people"
Enrol = Callable[..., dict[str, Any]]
NEAR = (220, 40, 110)  # red, almost


@pytest.fixture
def doubt(http: TestClient, enrol: Enrol, stubs: ModuleType) -> dict[str, Any]:
    """ana and ben are enrolled, and somebody was seen who is close to ana."""
    enrol("ana", stubs.RED)
    enrol("ben", stubs.BLUE)
    http.put(f"{G}/policy", json={"close": 2})
    asked = http.post(f"{G}/identify", files={"image": stubs.picture(NEAR)}, data={"review": "true"})
    assert asked.status_code == 200
    (found,) = http.get(f"{G}/review", params={"kind": "seen"}).json()["items"]
    assert [one["subject"] for one in found["candidates"]] == ["ana", "ben"]
    return dict(found)


def act(http: TestClient, item: dict[str, Any], action: str, subject: str | None = None) -> Any:
    more = {} if subject is None else {"subject": subject}
    return http.post(f"{G}/review/{item['id']}", json={"action": action} | more)


def waiting(http: TestClient) -> list[Any]:
    return list(http.get(f"{G}/review", params={"kind": "seen"}).json()["items"])


def test_nothing_waits_unless_it_is_wanted(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    enrol("ana", stubs.RED)
    path, image = f"{G}/identify", {"image": stubs.picture(NEAR)}
    http.post(path, files=image)
    assert waiting(http) == []
    http.put(f"{G}/policy", json={"review": True, "close": 0.5})
    http.post(path, files=image)
    http.post(path, files=image)  # the same face again
    assert len(waiting(http)) == 1
    picture = http.get(f"{G}/review/{waiting(http)[0]['id']}/image")
    assert (picture.headers["content-type"], picture.headers["cache-control"]) == ("image/jpeg", "private, no-store")


@pytest.mark.parametrize("action", ["confirm", "dismiss", "enrol_as"])
def test_what_is_settled_is_gone_and_does_not_come_again(
    http: TestClient, service: Service, doubt: dict[str, Any], stubs: ModuleType, action: str
) -> None:
    answer = act(http, doubt, action, "ana" if action == "enrol_as" else None)
    assert (answer.status_code, answer.json()["open"]) == (200, False)
    assert waiting(http) == []
    again = act(http, doubt, "dismiss")
    assert (again.status_code, "was settled" in again.json()["detail"]) == (409, True)
    http.post(f"{G}/identify", files={"image": stubs.picture(NEAR)}, data={"review": "true"})
    assert waiting(http) == []
    assert http.get(f"{G}/subjects/ana").json()["samples"] == (2 if action == "enrol_as" else 1)
    with service.records.look() as db:  # neither template nor crop is left
        assert list(map(tuple, db.execute("SELECT vector, png, geometry, matches FROM review"))) == [
            (None, None, None, "[]")
        ]


def test_enrolled_as_somebody_new_the_crop_comes_along(http: TestClient, doubt: dict[str, Any]) -> None:
    told = act(http, doubt, "enrol_as", "carla / <b>").json()
    assert told["added"] == 1
    assert http.get(f"{G}/subjects/carla%20%2F%20%3Cb%3E/samples/{told['sample']}/image").status_code == 200


def test_a_face_too_poor_to_know_anybody_by_is_not_enrolled(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol("ana", stubs.RED)
    poor = Reading("quality", {"overall": 0.3}, "colours", reasons=("blurred",))
    monkeypatch.setattr(type(service.engine.judges[0]), "judge", lambda self, clip: [poor])
    http.post(f"{G}/identify", files={"image": stubs.picture(stubs.RED)}, data={"review": "true"})
    (one,) = waiting(http)
    assert (one["verdict"], one["reasons"]) == ("abstain", ["blurred"])
    refused = act(http, one, "enrol_as", "ana")
    assert (refused.status_code, refused.json()["type"]) == (422, "PoorFace")
    assert act(http, one, "confirm").json()["open"] is False


def test_not_this_person_moves_nothing_and_is_remembered(http: TestClient, doubt: dict[str, Any]) -> None:
    assert act(http, doubt, "not_this_person").json() | {"id": ""} == {
        "id": "", "action": "not_this_person", "subject": "ana", "open": True,
    }  # fmt: skip
    (left,) = waiting(http)
    assert [one["subject"] for one in left["candidates"]] == ["ben"]
    assert act(http, doubt, "enrol_as", "ana").status_code == 409
    assert act(http, doubt, "confirm", "ana").status_code == 400
    assert act(http, doubt, "not_this_person").json()["open"] is False
    assert waiting(http) == []
    assert [one["samples"] for one in http.get(f"{G}/subjects").json()["items"]] == [1, 1]


def test_actions_that_cannot_be(http: TestClient, doubt: dict[str, Any], key: Callable[..., dict[str, str]]) -> None:
    assert act(http, doubt, "confirm", "nobody").status_code == 400
    assert act(http, doubt, "enrol_as").status_code == 400
    assert act(http, doubt, "enrol_as", "..").status_code == 422
    assert act(http, doubt, "burn").status_code == 422
    assert act(http, {"id": "0" * 16}, "dismiss").status_code == 404
    assert act(http, {"id": "p" * 17}, "dismiss").status_code == 404
    path = f"{G}/review/{doubt['id']}"
    assert http.post(path, json={"action": "dismiss"}, headers=key("reader")).status_code == 403
    assert http.post(path, json={"action": "dismiss"}, headers=key("admin", "other")).status_code == 404
    assert len(waiting(http)) == 1


def test_who_is_forgotten_leaves_the_queue(
    http: TestClient, service: Service, doubt: dict[str, Any], tmp_path: Path
) -> None:
    http.patch(f"{G}/subjects/ana", json={"subject": "Ana Maria"})
    assert waiting(http)[0]["candidates"][0]["subject"] == "Ana Maria"
    http.delete(f"{G}/subjects/Ana%20Maria")
    assert waiting(http) == []
    with service.records.look() as db:
        assert db.execute("SELECT count(*) FROM review").fetchone()[0] == 0


def test_pages_newest_first_and_a_bound(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "MOST", 5)
    enrol("ana", stubs.RED)
    http.put(f"{G}/policy", json={"review": True, "close": 2})
    for noise in range(1, 8):
        http.post(f"{G}/identify", files={"image": stubs.picture(NEAR, noise=noise)})
    seen, cursor = [], None
    while True:
        page = http.get(f"{G}/review", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [one for one in page["items"] if one["kind"] == "seen"]
        if not (cursor := page["next"]):
            break
    assert len(seen) == len({one["id"] for one in seen}) == 5
    assert seen == sorted(seen, key=lambda one: one["made"], reverse=True)


def test_what_waited_too_long_is_gone(
    http: TestClient, service: Service, doubt: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service.review.sweep()
    assert len(waiting(http)) == 1
    monkeypatch.setattr(review, "DAYS", -1)
    service.review.sweep()
    assert waiting(http) == []


def test_no_crop_is_kept_where_images_are_not(make_app: Callable[..., FastAPI], stubs: ModuleType) -> None:
    app = make_app(keep_images=False)
    with TestClient(app) as http:
        http.headers["authorization"] = "Bearer " + app.state.service.keys.make("a", "admin", "default")
        http.post("/v1/galleries", json={"name": "people"})
        http.post(f"{G}/subjects/ana/samples", files={"image": stubs.picture(stubs.RED)})
        http.put(f"{G}/policy", json={"close": 2})
        http.post(f"{G}/identify", files={"image": stubs.picture(NEAR)}, data={"review": "true"})
        (one,) = waiting(http)
        assert one["image"] is False
        assert http.get(f"{G}/review/{one['id']}/image").status_code == 404
        assert act(http, one, "enrol_as", "ana").json()["added"] == 1
        assert http.get(f"{G}/subjects/ana").json()["images"] == 0


def test_an_answer_does_not_fail_because_the_queue_does(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.errors import CannotWrite

    def full(*_: Any) -> int:
        raise CannotWrite("The disk is full.")

    enrol("ana", stubs.RED)
    monkeypatch.setattr(service.review, "note", full)
    answer = http.post(f"{G}/identify", files={"image": stubs.picture(NEAR)}, data={"review": "1"})
    assert (answer.status_code, len(answer.json()["decisions"])) == (200, 1)


def pairs(http: TestClient) -> list[Any]:
    return list(http.get(f"{G}/review", params={"kind": "duplicate"}).json()["items"])


def test_duplicates_are_offered_and_settled(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    for noise, name in enumerate(("ana", "Anna", "anne", "ben"), 1):
        enrol(name, stubs.BLUE if name == "ben" else stubs.RED, noise, metadata={name: 1})
    first = pairs(http)
    assert {(one["one"], one["other"]) for one in first} == {("Anna", "ana"), ("Anna", "anne"), ("ana", "anne")}
    by = {(one["one"], one["other"]): one for one in first}
    assert http.get(f"{G}/subjects/Anna/samples").json()["items"][0]["id"] == by["Anna", "ana"]["one_sample"]
    assert act(http, by["Anna", "anne"], "not_this_person").status_code == 200
    assert act(http, by["ana", "anne"], "dismiss").status_code == 200
    assert act(http, by["Anna", "ana"], "enrol_as", "x").status_code == 400
    assert act(http, by["Anna", "ana"], "confirm", "ben").status_code == 400
    assert [(one["one"], one["other"]) for one in pairs(http)] == [("Anna", "ana")]
    told = act(http, by["Anna", "ana"], "confirm", "ana").json()
    assert (told["merged"]["moved"], told["merged"]["samples"], told["merged"]["gone"]) == (1, 2, True)
    assert http.get(f"{G}/subjects/ana").json()["metadata"] == {"Anna": 1, "ana": 1}
    assert pairs(http) == []  # that Anna is not anne goes for ana now


def test_few_people_and_many(
    http: TestClient, enrol: Enrol, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol("ana", stubs.RED, 1, 2)
    assert "at least two" in http.get(f"{G}/review").json()["duplicates"]["why_none"]
    monkeypatch.setattr("mien.serve.doubles.MOST", 1)
    assert "mien dedupe" in http.get(f"{G}/review").json()["duplicates"]["why_none"]


def test_a_look_that_takes_long_goes_on_without_the_request(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for noise, name in enumerate(("ana", "Anna"), 1):
        enrol(name, stubs.RED, noise)
    go = threading.Event()
    looked = service.doubles._looked

    def slow(*given: Any) -> Any:
        assert go.wait(20)
        return looked(*given)

    monkeypatch.setattr(service.doubles, "_looked", slow)
    monkeypatch.setattr("mien.serve.doubles.PATIENCE", 0.05)
    assert "ask again" in http.get(f"{G}/review").json()["duplicates"]["why_none"]
    early = act(http, {"id": "p" + "0" * 16}, "dismiss")
    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    go.set()
    monkeypatch.setattr("mien.serve.doubles.PATIENCE", 20)
    assert len(pairs(http)) == 1


def seen(score: float, second: float, verdict: Any = "accept", threshold: float = 0.9) -> Decision:
    point, matches = OperatingPoint(threshold), (Match("ana", score), Match("ben", second))
    frame = Frame(np.zeros((8, 8, 3), np.uint8))
    face = Face(frame, np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return Decision(verdict, ("why",), "ana", score, point, matches, faces=(face,))


@pytest.mark.parametrize(
    ("decision", "reasons"),
    [
        (seen(0.99, 0.1), 0), (seen(0.92, 0.1), 1), (seen(0.95, 0.93), 1), (seen(0.91, 0.9), 2), (seen(0.5, 0.1, "reject"), 0),
        (seen(0.88, 0.87, "reject"), 1), (seen(0.5, 0.1, "abstain"), 1), (Decision("abstain", ("nobody",)), 0),
    ],
)  # fmt: skip
def test_what_is_in_doubt(decision: Decision, reasons: int) -> None:
    assert len(review.doubts(decision, 0.03)) == reasons
