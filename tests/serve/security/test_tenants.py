"""No route shows or changes another tenant's things, whichever routes there are; and none forgets to ask for a key."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

TALE = "tell-tale-7381"  # stands in what belongs to the one tenant and in no request of the other
OWNED = {"gallery", "subject", "sample", "item", "job", "key"}  # parameters that name something of a tenant
# Routes that need no key: they tell nothing of anybody, or take their key another way.
OPEN = re.compile(r"/(health|ready|metrics|console.*|v1/openapi\.json|)")
ASKING = re.compile(r"/v1/(detect|verify|judge/.*|edit/.*|quality|session|galleries/[^/]+/identify)")
REFUSED = {400, 403, 404, 405, 409, 413, 415, 422}


class Case(NamedTuple):
    method: str
    path: str

    @property
    def owned(self) -> bool:
        return bool(OWNED & set(re.findall(r"{(\w+)", self.path)))

    def at(self, names: dict[str, str]) -> str:
        return re.sub(r"{(\w+)(:\w+)?}", lambda found: names.get(found[1], "quality"), self.path)


def flat(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    for one in routes:
        router = getattr(one, "original_router", None)
        if router is None:
            yield one
        else:
            yield from flat(router.routes)


def cases(app: FastAPI) -> list[Case]:
    return [
        Case(method, one.path)
        for one in flat(app.routes)
        if isinstance(one, Route)
        for method in sorted((one.methods or set()) - {"HEAD"})
    ]


class World(NamedTuple):
    app: FastAPI
    http: TestClient
    owner: dict[str, str]  # headers of acme's admin
    other: dict[str, str]  # headers of the other tenant's admin
    names: dict[str, str]  # acme's things
    bodies: list[dict[str, Any]]


@pytest.fixture
def world(make_app: Callable[..., FastAPI], stubs: ModuleType) -> Iterator[World]:
    app = make_app(rate=1e6, burst=10**6)
    service = app.state.service

    def headers(role: Any, tenant: str, name: str) -> dict[str, str]:
        return {"authorization": "Bearer " + service.keys.make(name, role, tenant)}

    red = stubs.picture(stubs.RED)
    with TestClient(app, raise_server_exceptions=False) as http:
        owner = headers("admin", "acme", f"admin {TALE}")
        for gallery in ("doors", f"{TALE}-too"):
            service.galleries.create("acme", gallery)
        people = service.galleries.open("acme", "doors")
        service.engine.enrol(people, "ann", [red], metadata={"note": TALE})
        service.engine.enrol(people, f"ben {TALE}", [stubs.picture(stubs.BLUE)], metadata={"note": TALE})
        job = http.post("/v1/jobs", json={"kind": "calibrate", "gallery": "doors"}, headers=owner).json().get("id", "")
        sample = http.get("/v1/galleries/doors/subjects/ann/samples", headers=owner).json()["items"][0]["id"]
        names = {"gallery": "doors", "subject": "ann", "job": job, "sample": sample, "item": "1", "number": "0"}
        names["key"] = service.keys.listed("acme")[0].id
        text = base64.b64encode(red).decode()
        bodies: list[dict[str, Any]] = [
            {},
            {"json": {}},
            {"json": {"image": text, "gallery": "doors", "kind": "calibrate"}},
            {"json": {"into": "ann", "from": ["ann"], "subject": "ann", "samples": [sample], "to": "x"}},
            {"json": {"into": "ann", "from": "ann"}},
            {"json": {"subject": "ann", "samples": [sample], "to": "x"}},
            {"json": {"action": "dismiss"}},
            {"json": {"metadata": {"a": "b"}}},
            {"json": {"fmr": 0.001}},
            {"files": {"image": ("a.png", red, "image/png")}},
        ]
        yield World(app, http, owner, headers("admin", "elsewhere", "other"), names, bodies)


def state(world: World) -> list[Any]:
    """All that the owner can see of what a stranger might change."""
    paths = ("/v1/galleries", "/v1/galleries/doors/subjects", "/v1/galleries/doors/policy", "/v1/keys", "/v1/receipts")
    seen = [world.http.get(path, headers=world.owner) for path in paths]
    assert {one.status_code for one in seen} == {200}
    people = world.app.state.service.galleries.open("acme", "doors")
    return [
        *(one.json() for one in seen),
        people.people(),
        [one.template.vector.tolist() for _, one in people.samples()],
    ]


def test_the_owner_sees_what_the_test_is_about(world: World) -> None:
    for path in ("/v1/galleries", "/v1/galleries/doors/subjects", "/v1/keys"):
        assert TALE in world.http.get(path, headers=world.owner).text
    assert {one.path for one in cases(world.app)} >= {"/v1/galleries/{gallery}", "/v1/jobs/{job}", "/v1/keys/{key}"}


def test_another_tenants_things_are_not_there(world: World) -> None:
    before = state(world)
    mine = {one["id"] for one in world.http.get("/v1/keys", headers=world.other).json()["items"]}
    nobody = {name: f"{value[:3]}{'0' * 9}" for name, value in world.names.items()} | {"number": "0"}
    wrong = []
    for case in cases(world.app):
        if OPEN.fullmatch(case.path):
            continue
        for body in world.bodies[: 1 if case.method in ("GET", "DELETE") else None if case.owned else 3]:
            answer = world.http.request(case.method, case.at(world.names), headers=world.other, **body)
            if TALE in answer.text or TALE in str(answer.headers) or answer.status_code >= 500:
                wrong.append((case, body, answer.status_code, "tells"))
            if not case.owned:
                continue
            if answer.status_code not in REFUSED or (case.method == "GET" and answer.status_code not in (403, 404)):
                wrong.append((case, body, answer.status_code, "is done"))
            same = world.http.request(case.method, case.at(nobody), headers=world.other, **body)
            if same.status_code != answer.status_code:
                wrong.append((case, body, answer.status_code, f"differs from what is not there: {same.status_code}"))
    assert wrong == []
    assert state(world) == before
    assert mine <= {one["id"] for one in world.http.get("/v1/keys", headers=world.other).json()["items"]}
    told = world.http.get("/v1/log", params={"limit": 1000}, headers=world.owner).json()["items"]
    assert {one["tenant"] for one in told} == {"acme"}


def test_things_of_the_same_names_are_two_things(world: World, stubs: ModuleType) -> None:
    assert world.http.post("/v1/galleries", json={"name": "doors"}, headers=world.other).status_code == 201
    found = world.http.get("/v1/galleries/doors/subjects", headers=world.other)
    assert found.json()["items"] == []
    picture = {"image": stubs.picture(stubs.RED)}
    seen = world.http.post("/v1/galleries/doors/identify", files=picture, headers=world.other)
    assert [one["verdict"] for one in seen.json()["decisions"]] != ["accept"]
    assert world.http.delete("/v1/galleries/doors", headers=world.other).status_code in (200, 204)
    assert len(world.app.state.service.galleries.open("acme", "doors")) == 2


def test_a_cursor_is_worth_nothing_elsewhere(world: World) -> None:
    world.http.get("/v1/keys", headers=world.owner)
    world.app.state.service.log.flush()
    for path in ("/v1/galleries", "/v1/log"):
        cursor = world.http.get(path, params={"limit": 1}, headers=world.owner).json()["next"]
        assert cursor
        answer = world.http.get(path, params={"limit": 1, "cursor": cursor}, headers=world.other)
        assert answer.status_code == 422


def test_no_route_forgets_to_ask_for_a_key(world: World) -> None:
    world.http.cookies.clear()
    free = []
    for case in cases(world.app):
        if OPEN.fullmatch(case.path) or case.path == "/v1/session":
            continue
        for headers in ({}, {"authorization": "Bearer mien_00_x", "cookie": "mien_session=a.1.b.c"}):
            answer = world.http.request(case.method, case.at(world.names), headers=headers)
            if answer.status_code != 401:
                free.append((case, headers, answer.status_code))
    assert free == []


def test_a_reader_changes_nothing(world: World) -> None:
    reader = {"authorization": "Bearer " + world.app.state.service.keys.make("r", "reader", "acme")}
    before = state(world)
    allowed = []
    for case in cases(world.app):
        if case.method == "GET" or OPEN.fullmatch(case.path) or ASKING.fullmatch(case.at(world.names)):
            continue
        for body in world.bodies[:3]:
            answer = world.http.request(case.method, case.at(world.names), headers=reader, **body)
            if answer.status_code != 403:
                allowed.append((case, body, answer.status_code))
    assert allowed == []
    assert state(world)[1:3] == before[1:3]


def test_every_look_at_people_and_every_change_is_logged(world: World) -> None:
    log, silent = world.app.state.service.log, []
    for case in cases(world.app):
        looks = case.method == "GET" and "{gallery}" in case.path
        for body in world.bodies if looks or case.method in ("PATCH", "PUT", "POST") else []:
            log.flush()
            before = log.entries("acme", limit=1)[0]["number"]
            answer = world.http.request(case.method, case.at(world.names), headers=world.owner, **body)
            if answer.status_code >= 300 or (case.method == "PATCH" and not body.get("json")):
                continue  # refused, or nothing was to be changed
            log.flush()
            if log.entries("acme", limit=1)[0]["number"] == before and case.path not in ("/v1/session", "/"):
                silent.append(case)
            break
    assert silent == []


def test_a_stranger_watches_no_camera_of_another(world: World) -> None:
    sockets = [one for one in flat(world.app.routes) if isinstance(one, WebSocketRoute)]
    for one in sockets:
        path = Case("GET", one.path).at(world.names)
        for headers in (world.other, {}):
            with pytest.raises(WebSocketDisconnect), world.http.websocket_connect(path, headers=headers) as socket:
                found = socket.receive_json()
                assert TALE not in str(found)
                while True:
                    socket.receive()
