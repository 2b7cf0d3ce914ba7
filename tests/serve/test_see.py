"""Pictures to answers over HTTP."""

from __future__ import annotations

import base64
from types import ModuleType

from fastapi.testclient import TestClient

from mien import read_image
from mien.media import read_mark
from mien.serve.service import Service


def test_faces_are_found_in_all_three_kinds_of_body(http: TestClient, stubs: ModuleType) -> None:
    data = stubs.picture(stubs.RED, (0, 0, 0), stubs.BLUE)
    answers = [
        http.post("/v1/detect", files={"image": ("a.png", data, "image/png")}),
        http.post("/v1/detect", json={"image": base64.b64encode(data).decode()}),
        http.post("/v1/detect", content=data, headers={"content-type": "image/png"}),
    ]
    assert [one.status_code for one in answers] == [200, 200, 200]
    assert [face["box"] for face in answers[0].json()["faces"]] == [[0, 0, 64, 64], [128, 0, 192, 64]]
    assert answers[0].json() == answers[1].json() == answers[2].json()


def test_two_pictures_are_compared(http: TestClient, stubs: ModuleType) -> None:
    one, same, other = stubs.picture(stubs.RED), stubs.picture(stubs.RED, noise=5), stubs.picture(stubs.BLUE)
    assert http.post("/v1/verify", files={"one": one, "other": same}).json()["verdict"] == "accept"
    assert http.post("/v1/verify", files={"one": one, "other": other}).json()["verdict"] == "reject"


def test_who_is_in_a_picture(http: TestClient, service: Service, stubs: ModuleType) -> None:
    people = service.galleries.create("default", "people")
    service.engine.enrol(people, "Zoë 赤", [stubs.picture(stubs.RED)])
    found = http.post("/v1/galleries/people/identify", files={"image": stubs.picture(stubs.GREEN, stubs.RED, noise=3)})
    assert [one["verdict"] for one in found.json()["decisions"]] == ["reject", "accept"]
    assert found.json()["decisions"][1]["subject"] == "Zoë 赤"


def test_a_refusal_is_a_problem(http: TestClient) -> None:
    answer = http.post("/v1/detect", files={"image": b"no picture"}, headers={"x-request-id": "mine"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "UnreadableMedia"
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "mine"


def test_faces_are_hidden_but_for_those_who_are_known(http: TestClient, service: Service, stubs: ModuleType) -> None:
    service.engine.enrol(service.galleries.create("default", "people"), "ana", [stubs.picture(stubs.RED)])
    both = stubs.picture(stubs.RED, stubs.BLUE)
    all_gone = http.post("/v1/edit/cover", files={"image": both})
    assert (all_gone.headers["x-faces-hidden"], all_gone.headers["content-type"]) == ("2", "image/png")
    assert read_mark(all_gone.content) == "cover"
    kept = http.post("/v1/edit/cover", files={"image": both}, data={"keep_known_in": "people"})
    assert (kept.headers["x-faces-hidden"], kept.headers["x-faces-kept"]) == ("1", "1")
    before, after = (read_image(one).pixels for one in (both, kept.content))
    assert (after[20:40, 20:40] == before[20:40, 20:40]).all() and (after[20:40, 90:100] == 118).all()
    assert http.post("/v1/edit/erase", files={"image": both}).status_code == 400


def test_what_is_asked_stands_in_the_log(http: TestClient, service: Service, stubs: ModuleType) -> None:
    http.post("/v1/detect", files={"image": stubs.picture(stubs.RED)})
    http.post("/v1/verify", files={"one": stubs.picture(stubs.RED), "other": stubs.picture(stubs.BLUE)})
    service.log.flush()
    actions = [one["action"] for one in http.get("/v1/log").json()["items"]]
    assert {"detect", "verify"} <= set(actions)
