"""Galleries over HTTP: made once, noticed when gone, dropped with a receipt; and what holds for them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import mien
from mien.errors import GalleryCorrupt, GalleryNotFound, InputError, UsageError
from mien.gallery import EmbeddedGallery
from mien.serve import dropping
from mien.serve.galleries import Galleries, checked
from mien.serve.homes import escaped, unescaped
from mien.serve.records import Records
from mien.serve.service import Service
from mien.serve.settings import Settings

G = "/v1/galleries"
Enrol = Callable[..., dict[str, Any]]


def test_making_listing_and_paging(http: TestClient) -> None:
    names = ["a", "B", "c.d", "e-f", "0", "_", "n" * 200, "people.users"]
    for name in names:
        assert http.post(G, json={"name": name}).status_code == 201
    assert http.post(G, json={"name": "a"}).status_code == 409
    seen, cursor = [], None
    while True:
        page = http.get(G, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [one["name"] for one in page["items"]]
        if not (cursor := page["next"]):
            break
    assert seen == sorted(names)


def test_a_name_that_leads_elsewhere(http: TestClient, service: Service, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*.db"))
    for name in [
        "", "..", ".", "../x", "a/b", "/etc/passwd", "a\\b", "x.db", "пипл", "-x", " x", "n" * 201, "a\x00b",
        "%2e%2e", "<b>", "a b", "C:x", "x\n",
    ]:  # fmt: skip
        assert http.post(G, json={"name": name}).status_code == 422, name
        with pytest.raises(InputError):
            service.galleries.open("default", name)
        with pytest.raises(InputError):
            service.galleries.open(name, "people")
    assert sorted(tmp_path.rglob("*.db")) == before


def test_one_gallery_with_its_evidence(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    enrol("ana", stubs.RED, 1, 2)
    told = http.get(f"{G}/people").json()
    assert {name: told[name] for name in ("name", "people", "templates", "space", "embedder", "usable", "mounted")} == {
        "name": "people", "people": 1, "templates": 2, "space": "colours", "embedder": "colours", "usable": True,
        "mounted": False,
    }  # fmt: skip
    assert told["policy"]["set"] is False
    assert told["threshold"]["comparisons"] == 1_000_000
    assert told["growth_warning"] is None
    found = http.post(f"{G}/people/identify", files={"image": stubs.picture(stubs.RED)}).json()["decisions"][0]
    assert found["threshold"] == told["threshold"]  # what is shown is what decides


def test_a_policy_holds_until_a_request_says_otherwise(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    enrol("ana", stubs.RED)
    near, path = stubs.picture((220, 40, 90)), f"{G}/people/identify"
    assert http.post(path, files={"image": near}).json()["decisions"][0]["verdict"] == "accept"
    strict = http.put(f"{G}/people/policy", json={"threshold": 0.999, "margin": 0.1})
    assert strict.json() | {"set": True} == http.get(f"{G}/people/policy").json()
    decision = http.post(path, files={"image": near}).json()["decisions"][0]
    assert (decision["verdict"], decision["threshold"]["threshold"]) == ("reject", 0.999)
    asked = http.post(path, files={"image": near}, data={"fmr": "0.01"}).json()["decisions"][0]
    assert (asked["verdict"], asked["threshold"]["threshold"]) == ("accept", 0.9)
    assert http.get(f"{G}/people").json()["threshold"]["threshold"] == 0.999
    http.put(f"{G}/people/policy", json={})
    assert http.post(path, files={"image": near}).json()["decisions"][0]["verdict"] == "accept"


def test_a_policy_that_cannot_hold(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    enrol("ana", stubs.RED)
    for rules, status in [
        ({"fmr": 0}, 422), ({"fmr": 5e-324}, 400), ({"fmr": 0.1, "threshold": 0.5}, 400), ({"fmr": 1e-12}, 422),
        ({"margin": -1}, 422),
        ({"colour": 1}, 422), ({"require": [{"kind": "liveness", "label": "live", "least": 0.9}]}, 400),
        ({"require": [{"kind": "quality", "label": "overall", "least": 0.5}]}, 200), ({"review": True}, 200),
    ]:  # fmt: skip
        assert http.put(f"{G}/people/policy", json=rules).status_code == status, rules
        assert http.get(f"{G}/people/policy").json()["set"] is (status == 200)


def test_a_gallery_of_another_model_is_a_conflict_that_says_what_to_do(
    http: TestClient, service: Service, people: str, stubs: ModuleType
) -> None:
    other = mien.Sample(mien.Template(service.engine.sample(stubs.picture(stubs.RED)).template.vector, "elsewhere"))
    service.galleries.open("default", "people").enrol("ana", [other])
    for path in (f"{G}/people/identify", f"{G}/people/subjects/ben/samples"):
        answer = http.post(path, files={"image": stubs.picture(stubs.RED)})
        assert (answer.status_code, answer.json()["type"]) == (409, "SpaceMismatch")
        assert "mien migrate" in answer.json()["remedy"]
    told = http.get(f"{G}/people").json()
    assert (told["space"], told["usable"]) == ("elsewhere", False)


def test_dropping_erases_everybody_and_leaves_a_receipt(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType, tmp_path: Path
) -> None:
    enrol("ana", stubs.RED, 1, 2)
    enrol("ben", stubs.BLUE, keep_images="false")
    http.put(f"{G}/people/policy", json={"fmr": 0.01})
    held = service.galleries.open("default", "people")
    digest = hashlib.blake2b(b"".join(one.template.vector.tobytes() for _, one in held.samples()), digest_size=16)
    told = http.delete(f"{G}/people").json()
    assert {name: told[name] for name in ("people", "samples", "images", "digest")} == {
        "people": 2, "samples": 3, "images": 2, "digest": digest.hexdigest(),
    }  # fmt: skip
    assert [path.name for path in (tmp_path / "service" / "tenants" / "default").iterdir()] == []
    assert http.get(f"{G}/people").status_code == 404
    assert http.delete(f"{G}/people").status_code == 404
    (receipt,) = http.get("/v1/receipts").json()["items"]
    assert (receipt["id"], receipt["samples"], receipt["alias"]) == (told["id"], 3, "*")
    assert http.post(G, json={"name": "people"}).json()["people"] == 0
    assert http.get(f"{G}/people/policy").json()["set"] is False
    names = b"".join(path.read_bytes() for path in (tmp_path / "service").glob("*.db*"))
    assert b'"ana"' not in names


@pytest.mark.parametrize("at", ["destroy", "end", "keep"])
def test_a_drop_cut_off_is_ended_at_the_next_start(
    make_app: Callable[..., FastAPI], stubs: ModuleType, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service: Service = make_app().state.service
    service.engine.enrol(service.galleries.create("default", "people"), "ana", [stubs.picture(stubs.RED)])
    caller = service.keys.caller(service.keys.make("x", "admin", "default"))

    class Cut(BaseException):
        pass

    def cut(*_: Any, **__: Any) -> None:
        raise Cut

    target = {"destroy": service.galleries, "end": service.receipts, "keep": service.log}[at]
    monkeypatch.setattr(target, {"keep": "add"}.get(at, at), cut)
    with pytest.raises(Cut):
        dropping.dropped(service, caller, "people")
    monkeypatch.undo()
    service.close()
    with TestClient(make_app()) as http:
        after: Service = http.app.state.service  # type: ignore[attr-defined]
        assert after.galleries.names("default") == []
        assert len(after.receipts.listed("default")) == 1
        assert dropping.resume(after) == 0


def test_a_gallery_made_after_a_drop_that_was_cut_off_is_not_dropped_with_it(
    service: Service, make_app: Callable[..., FastAPI], stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.engine.enrol(service.galleries.create("default", "people"), "ana", [stubs.picture(stubs.RED)])
    caller = service.keys.caller(service.keys.make("x", "admin", "default"))

    def cut(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(service.receipts, "end", cut)
    with pytest.raises(KeyboardInterrupt):
        dropping.dropped(service, caller, "people")
    other: Service = make_app().state.service  # another process, which goes on serving
    other.engine.enrol(other.galleries.create("default", "people"), "ben", [stubs.picture(stubs.BLUE)])
    monkeypatch.undo()
    assert dropping.resume(service) == 0  # making it anew ended the drop
    assert [one.subject for one in service.galleries.open("default", "people").people()] == ["ben"]
    assert len(other.receipts.listed("default")) == 1
    other.close()


def test_another_process_drops_or_makes_anew(
    service: Service, make_app: Callable[..., FastAPI], stubs: ModuleType
) -> None:
    other: Service = make_app().state.service  # its own connections, as another process has
    mine = service.galleries.create("default", "people")
    service.engine.enrol(mine, "ana", [stubs.picture(stubs.RED)])
    assert len(other.galleries.open("default", "people")) == 1
    service.galleries.destroy("default", "people")
    with pytest.raises(GalleryNotFound):
        other.galleries.open("default", "people")
    with pytest.raises(GalleryNotFound):
        mine.people()  # who held it while it went
    service.galleries.create("default", "people")
    assert len(other.galleries.open("default", "people")) == 0
    other.close()


def test_who_waits_to_enrol_while_a_gallery_is_dropped_is_not_told_it_was_done(
    service: Service, stubs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.galleries.create("default", "people")
    other = EmbeddedGallery(service.galleries._address("default", "people"), timeout=5.0)
    sample = service.engine.sample(stubs.picture(stubs.RED))
    outcome: list[Any] = []
    counting = threading.Event()
    from mien.serve import homes

    tally = homes.tally

    def slow(gallery: Any) -> Any:
        enrolling.start()
        counting.wait(0.3)
        return tally(gallery)

    def enrol() -> None:
        try:
            outcome.append(other.enrol("late", [sample]))
        except mien.MienError as error:
            outcome.append(error)

    enrolling = threading.Thread(target=enrol)
    monkeypatch.setattr(homes, "tally", slow)
    assert service.galleries.destroy("default", "people").samples == 0
    enrolling.join(10)
    other.close()
    assert isinstance(outcome[0], GalleryCorrupt | GalleryNotFound)


def test_a_data_folder_named_from_where_the_service_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    records = Records(Path("svc/service.db"))
    made = Galleries(Settings(data=Path("svc")), records)
    made.create("default", "people")
    assert made.destroy("default", "people").people == 0
    assert made.names("default") == []
    made.close()
    records.close()


def test_of_many_who_make_one_gallery_one_does(http: TestClient) -> None:
    with_each: list[int] = []
    threads = [
        threading.Thread(target=lambda: with_each.append(http.post(G, json={"name": "race"}).status_code))
        for _ in range(6)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(with_each) == [201] + [409] * 5


def test_galleries_of_the_operator(
    make_app: Callable[..., FastAPI], stubs: ModuleType, tmp_path: Path, key: Callable[..., dict[str, str]]
) -> None:
    with mien.open_gallery(tmp_path / "staff.db") as made:
        stubs.engine().enrol(made, "ana", [stubs.picture(stubs.RED)])
    app = make_app(galleries=(str(tmp_path / "staff.db"),))
    with TestClient(app) as http:
        admin = {"authorization": "Bearer " + app.state.service.keys.make("a", "admin", "default")}
        other = {"authorization": "Bearer " + app.state.service.keys.make("b", "admin", "other")}
        (one,) = http.get(G, headers=admin).json()["items"]
        assert (one["name"], one["people"], one["mounted"]) == ("staff", 1, True)
        assert http.delete(f"{G}/staff", headers=admin).status_code == 409
        assert http.post(G, json={"name": "staff"}, headers=admin).status_code == 409
        assert http.get(f"{G}/staff", headers=other).status_code == 404
        assert http.post(G, json={"name": "staff"}, headers=other).status_code == 201
        (tmp_path / "staff.db").unlink()
        assert http.get(f"{G}/staff", headers=admin).status_code == 404


def test_settings_that_name_two_alike(tmp_path: Path) -> None:
    for named, error in ((("a/people.db", "b/people.db"), UsageError), (("my people.db",), InputError)):
        with pytest.raises(error):
            Galleries(Settings(galleries=named, data=tmp_path), Records(tmp_path / "s.db"))


def test_a_damaged_gallery_is_listed_with_its_problem_and_may_go(http: TestClient, people: str, tmp_path: Path) -> None:
    (tmp_path / "service" / "tenants" / "default" / "broken.db").write_bytes(b"no gallery")
    found = {one["name"]: one for one in http.get(G).json()["items"]}
    assert found["broken"]["problem"]["type"] == "GalleryCorrupt"
    assert found["people"]["people"] == 0
    assert http.get(f"{G}/broken").json()["type"] == "GalleryCorrupt"
    assert http.delete(f"{G}/broken").json()["people"] == 0
    assert [one["name"] for one in http.get(G).json()["items"]] == ["people"]


@pytest.mark.parametrize("name", ["people", "a.b-c_d", "_", "x" * 60])
def test_names_of_collections_go_both_ways(name: str) -> None:
    assert unescaped(escaped(checked(name))) == name
    assert "__" not in escaped(name)


def test_a_home_on_milvus(make_app: Callable[..., FastAPI], stubs: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="milvus-lite is absent")
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    _server, _, port = start_server_in_thread(data_dir=str(tmp_path / "milvus"), host="127.0.0.1", port=0)
    app = make_app(home=f"milvus://127.0.0.1:{port}")
    with TestClient(app) as http:
        http.headers["authorization"] = "Bearer " + app.state.service.keys.make("a", "admin", "default")
        assert http.post(G, json={"name": "front-door"}).status_code == 201
        assert http.post(G, json={"name": "front-door"}).status_code == 409
        image = {"image": stubs.picture(stubs.RED)}
        assert http.post(f"{G}/front-door/subjects/ana/samples", files=image).json()["added"] == 1
        assert http.post(f"{G}/front-door/identify", files=image).json()["decisions"][0]["subject"] == "ana"
        assert [one["name"] for one in http.get(G).json()["items"]] == ["front-door"]
        assert app.state.service.galleries.names("other") == []
        assert http.delete(f"{G}/front-door").json()["samples"] == 1
        assert http.get(G).json()["items"] == []
        assert http.get(f"{G}/front-door").status_code == 404
