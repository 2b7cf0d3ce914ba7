"""People of a gallery over HTTP."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import quote

from fastapi.testclient import TestClient
from PIL import Image

from mien.serve.samples import sample_id
from mien.serve.service import Service

S = "/v1/galleries/people/subjects"
NAMES = [
    "a/b 'Zoë' 赤 🦊",
    "a%2Fb",
    "x/samples/0123456789abcdef/image",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>; DROP TABLE subject; --",
    'say "hi" & go?#x 100 %',
    "עִבְרִית العربية",
    "thumbnail",
    "n" * 256,
]
Enrol = Callable[..., dict[str, Any]]


def at(name: str, *more: str) -> str:
    return "/".join([S, quote(name, safe=""), *more])


def test_any_name_goes_all_the_way(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    for place, name in enumerate(NAMES):
        told = enrol(name, (90 + 9 * place, 40, 220 - 9 * place), metadata={name: name}, consent=name)
        assert (told["subject"], told["added"]) == (name, 1)
    listed = http.get(S, params={"limit": 1000}).json()["items"]
    assert [one["subject"] for one in listed] == sorted(NAMES)
    for name in NAMES:
        one = http.get(at(name)).json()
        assert (one["subject"], one["metadata"]) == (name, {name: name, "consent": name})
        (sample,) = http.get(at(name, "samples")).json()["items"]
        assert http.get(at(name, "samples", sample["id"], "image")).headers["content-type"] == "image/jpeg"
        assert http.get(at(name, "thumbnail")).status_code == 200
        assert http.patch(at(name), json={"purpose": name}).json()["metadata"]["purpose"] == name
        assert http.delete(at(name)).json()["subject"] == name
        assert http.get(at(name)).status_code == 404
    assert http.get(S).json() == {"items": [], "next": None}


def test_a_name_that_cannot_be(http: TestClient, people: str, stubs: ModuleType) -> None:
    for name in ["\x00", "a\nb", "\u202eevil", " ", ".", "..", "n" * 257]:
        path = at(name, "samples").replace("/./", "/%2E/").replace("/../", "/%2E%2E/")
        answer = http.post(path, files={"image": stubs.picture(stubs.RED)})
        assert answer.status_code in (404, 405, 422), name  # a client may take dots out before it sends
    assert http.get(S).json()["items"] == []


def test_pages_hold_everybody_once_and_cursors_fit_their_list_only(
    http: TestClient, service: Service, stubs: ModuleType, people: str, key: Callable[..., dict[str, str]]
) -> None:
    names = [f"{'Ä' if n % 3 else 'b'}{n:03}" for n in range(25)]
    sample = service.engine.sample(stubs.picture(stubs.RED))
    service.galleries.open("default", "people").enrol_many([(name, [sample]) for name in names])
    seen, cursor = [], None
    while True:
        asked = {"limit": 7} | ({"cursor": cursor} if cursor else {})
        page = http.get(S, params=asked).json()
        seen += [one["subject"] for one in page["items"]]
        if (cursor := page["next"]) is None:
            break
        last = cursor
    assert seen == sorted(names)
    found = http.get(S, params={"containing": "ä01"}).json()["items"]
    assert [one["subject"] for one in found] == [f"Ä01{n}" for n in (0, 1, 3, 4, 6, 7, 9)]
    http.post("/v1/galleries", json={"name": "other"})
    elsewhere = key("reader", "another")
    service.galleries.create("another", "people")
    for path, params, headers in [
        ("/v1/galleries/other/subjects", {}, {}),
        (S, {"containing": "b"}, {}),
        ("/v1/galleries", {}, {}),
        (S, {}, elsewhere),
    ]:
        assert http.get(path, params=params | {"cursor": last}, headers=headers).status_code == 422
    for bad in ("x", "", last[:-1], last + "A", last.swapcase(), "é"):
        assert http.get(S, params={"cursor": bad}).status_code == (200 if bad == "" else 422), bad


def test_what_cannot_be_used_is_said_one_by_one(http: TestClient, people: str, stubs: ModuleType) -> None:
    both = stubs.picture(stubs.RED, stubs.BLUE)
    files = [
        ("image", ("good.png", stubs.picture(stubs.RED))),
        ("image", ("../../none.png", stubs.picture((0, 0, 0)))),
        ("image", ("two.png", both)),
        ("image", ("broken.png", b"\x89PNG\r\n\x1a\n")),
        ("image", ("good again.png", stubs.picture(stubs.RED))),
    ]
    answer = http.post(at("ana", "samples"), files=files)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["added"], told["known"], len(told["samples"])) == (1, 1, 2)
    assert [(one["picture"], one["name"], one["problem"]["type"]) for one in told["refused"]] == [
        (1, "none.png", "NoFace"),
        (2, "two.png", "SeveralFaces"),
        (3, "broken.png", "UnreadableMedia"),
    ]
    assert all(one["problem"]["remedy"] for one in told["refused"])
    again = http.post(at("ana", "samples"), files=files[:1])
    assert (again.status_code, again.json()["known"]) == (200, 1)
    nothing = http.post(at("ben", "samples"), files=files[1:4])
    assert (nothing.status_code, nothing.json()["added"], len(nothing.json()["refused"])) == (200, 0, 3)
    assert http.get(at("ben")).status_code == 404


def test_three_kinds_of_body_enrol_alike(http: TestClient, people: str, stubs: ModuleType) -> None:
    data = stubs.picture(stubs.RED)
    metadata = {"badge": 17}
    ways: list[dict[str, Any]] = [
        {"files": {"image": data}, "data": {"metadata": json.dumps(metadata), "expires": "2999-12-31"}},
        {"json": {"image": base64.b64encode(data).decode(), "metadata": metadata, "expires": "2999-12-31"}},
        {
            "content": data,
            "headers": {"content-type": "image/png"},
            "params": {"metadata": json.dumps(metadata), "expires": "2999-12-31"},
        },
    ]
    for place, way in enumerate(ways):
        assert http.post(at(f"ana{place}", "samples"), **way).status_code == 201
    found = http.get(S).json()["items"]
    assert all(one["metadata"] == {"badge": 17, "expires": "2999-12-31"} for one in found)
    assert len(found) == 3


def test_a_field_that_cannot_be(http: TestClient, people: str, stubs: ModuleType) -> None:
    for field, value, status in [
        ("expires", "2001-01-01", 422),
        ("expires", "soon", 422),
        ("expires", "2027-13-01", 422),
        ("consent", " ", 422),
        ("consent", "x" * 1001, 422),
        ("metadata", "{", 422),
        ("metadata", "[1]", 422),
        ("keep_images", "maybe", 400),
        ("metadata", '{"expires": "never"}', 422),
        ("metadata", '{"purpose": 7}', 422),
        ("color", "red", 400),
        ("metadata", json.dumps({"x": "y" * 70_000}), 422),
    ]:
        for method, path in (("POST", at("ana", "samples")), ("PUT", at("ana"))):
            answer = http.request(method, path, files={"image": stubs.picture(stubs.RED)}, data={field: value})
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), value[
                :60
            ]
    assert http.get(at("ana")).status_code == 404


def test_crops_are_kept_when_wanted(http: TestClient, people: str, stubs: ModuleType) -> None:
    without = {"files": {"image": stubs.picture(stubs.RED)}, "data": {"keep_images": "false"}}
    assert http.post(at("no", "samples"), **without).json()["added"] == 1
    (sample,) = http.get(at("no", "samples")).json()["items"]
    assert sample["image_kept"] is False
    assert "vector" not in sample["template"]
    assert http.get(at("no", "samples", sample["id"], "image")).json()["type"] == "NotFound"
    assert http.get(at("no", "thumbnail")).status_code == 404
    assert http.post(at("yes", "samples"), files={"image": stubs.picture(stubs.BLUE)}).status_code == 201
    picture = http.get(at("yes", "thumbnail"), params={"size": 32})
    assert picture.headers["cache-control"] == "private, no-store"
    assert Image.open(io.BytesIO(picture.content)).size == (32, 32)
    number = http.get(at("yes", "samples")).json()["items"][0]["id"]
    crop = Image.open(io.BytesIO(http.get(at("yes", "samples", number, "image")).content))
    assert crop.format == "JPEG"
    assert abs(crop.getpixel((crop.width // 2, crop.height // 2))[2] - 220) < 8  # blue


def test_notes_are_merged_and_care_outlives_other_notes(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    care = {"consent": "form 7", "expires": "2999-01-01"}
    enrol("ana", stubs.RED, metadata={"badge": 1}, **care)
    changed = http.patch(at("ana"), json={"metadata": {"badge": None, "floor": 2}})
    assert changed.json()["metadata"] == care | {"floor": 2}
    enrol("ana", stubs.RED, 5, metadata={"badge": 9})
    assert http.get(at("ana")).json()["metadata"] == care | {"badge": 9}
    changed = http.patch(at("ana"), json={"expires": None, "purpose": "door"})
    assert changed.json()["metadata"] == {"badge": 9, "consent": "form 7", "purpose": "door"}
    assert http.patch(at("ana"), json={"expires": "1999-01-01"}).status_code == 422
    assert http.patch(at("ana"), json={"colour": "red"}).status_code == 422
    assert http.patch(at("nobody"), json={"purpose": "door"}).json()["type"] == "UnknownSubject"


def test_replacing_is_all_or_nothing(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    old = set(enrol("ana", stubs.RED, 1, 2, 3, metadata={"badge": 1})["samples"])
    good, none = stubs.picture(stubs.RED, noise=3), stubs.picture((0, 0, 0))
    answer = http.put(at("ana"), files=[("image", good), ("image", none)])
    assert answer.status_code == 422
    assert "Nothing was replaced." in answer.json()["detail"]
    assert {one["id"] for one in http.get(at("ana", "samples")).json()["items"]} == old
    answer = http.put(at("ana"), files=[("image", good), ("image", stubs.picture(stubs.RED, noise=9))])
    assert (answer.json()["added"], answer.json()["gone"]) == (1, 2)
    assert {one["id"] for one in http.get(at("ana", "samples")).json()["items"]} == set(answer.json()["samples"])
    assert http.get(at("ana")).json()["metadata"] == {"badge": 1}
    assert http.put(at("new"), files={"image": stubs.picture(stubs.BLUE)}).json()["added"] == 1


def test_a_new_name(http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType) -> None:
    enrol("ana", stubs.RED, 1, 2, metadata={"badge": 1})
    enrol("ben", stubs.BLUE)
    before = service.galleries.open("default", "people").person("ana")
    assert http.patch(at("ana"), json={"subject": "ben"}).status_code == 409
    answer = http.patch(at("ana"), json={"subject": "Ána / 2", "metadata": {"floor": 3}})
    notes = {"badge": 1, "floor": 3}
    told = {"subject": "Ána / 2", "samples": 2, "images": 2, "metadata": notes, "enrolled": before.enrolled}
    assert answer.json() == told
    assert http.get(at("ana")).status_code == 404
    found = http.post("/v1/galleries/people/identify", files={"image": stubs.picture(stubs.RED)}).json()["decisions"]
    assert found[0]["subject"] == "Ána / 2"


def test_one_sample_goes_and_the_last_takes_the_person_along(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    first, second = enrol("ana", stubs.RED, 1, 2)["samples"]
    assert http.delete(at("ana", "samples", first)).json() == {
        "subject": "ana",
        "sample": first,
        "left": 1,
        "receipt": None,
    }
    assert http.delete(at("ana", "samples", first)).json()["type"] == "NotFound"
    told = http.delete(at("ana", "samples", second)).json()
    assert (told["left"], told["receipt"]["samples"]) == (0, 1)
    assert http.get(at("ana")).status_code == 404
    assert len(http.get("/v1/receipts").json()["items"]) == 1


def test_roles(http: TestClient, enrol: Enrol, stubs: ModuleType, key: Callable[..., dict[str, str]]) -> None:
    enrol("ana", stubs.RED)
    reader, stranger = key("reader"), key("admin", "another")
    image = {"image": stubs.picture(stubs.BLUE)}
    for method, path, more in [
        ("POST", at("ana", "samples"), {"files": image}),
        ("PUT", at("ana"), {"files": image}),
        ("PATCH", at("ana"), {"json": {"purpose": "x"}}),
        ("DELETE", at("ana"), {}),
        ("POST", "/v1/galleries/people/merge", {"json": {"into": "a", "from": "b"}}),
        ("PUT", "/v1/galleries/people/policy", {"json": {}}),
        ("POST", "/v1/galleries", {"json": {"name": "mine"}}),
        ("DELETE", "/v1/galleries/people", {}),
    ]:
        assert http.request(method, path, headers=reader, **more).status_code == 403, path
        if path != "/v1/galleries":
            assert http.request(method, path, headers=stranger, **more).status_code == 404, path
    assert http.get(at("ana"), headers=reader).status_code == 200
    assert http.get(S, headers=stranger).status_code == 404
    assert http.get("/v1/galleries", headers=stranger).json()["items"] == []
    assert http.get(S, headers={"authorization": ""}).status_code == 401


def test_the_log_knows_what_was_done_and_no_name_of_the_forgotten(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType
) -> None:
    enrol("Ana Perez", stubs.RED)
    http.delete(at("Ana Perez"))
    service.log.flush()
    entries = service.log.entries("default")
    assert [one["action"] for one in entries][:3] == ["subject.forget", "subject.enrol", "gallery.create"]
    assert "Ana Perez" not in json.dumps(entries)


def test_ids_of_samples_follow_from_the_template_alone(service: Service, stubs: ModuleType) -> None:
    one, same = (service.engine.sample(stubs.picture(stubs.RED)) for _ in range(2))
    assert sample_id(one.template) == sample_id(same.template)
    assert sample_id(one.template) != sample_id(service.engine.sample(stubs.picture(stubs.RED, noise=1)).template)
