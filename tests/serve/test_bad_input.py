"""What a stranger may send: each gets one clear sentence, and the service goes on."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from mien.serve.service import Service


def bomb() -> bytes:
    """A PNG of 40,000 x 40,000 px in some hundred bytes of header and a stream that would go on."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")


def plain(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 0, 0)).save(file, "PNG")
    return file.getvalue()


BAD = {
    "empty": b"",
    "text": b"no picture at all",
    "cut": plain(100, 100)[:60],
    "bomb": bomb(),
    "tiny": plain(3, 3),
    "html": b"<html><script>alert(1)</script></html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "video": b"\x00\x00\x00\x18ftypmp42" + bytes(200),
    "zip": b"PK\x03\x04" + bytes(500),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_no_picture(http: TestClient, name: str) -> None:
    for path, field in (("/v1/detect", "image"), ("/v1/judge/quality", "image"), ("/v1/quality", "image")):
        answer = http.post(path, files={field: ("x.jpg", BAD[name], "image/jpeg")})
        assert answer.status_code == 422, answer.text
        found = answer.json()
        assert found["type"] in ("UnreadableMedia", "InputError") and found["detail"].endswith(".") and found["remedy"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 422, "InputError"),
        (b"[]", "application/json", 422, "InputError"),
        (b"[" * 100_000, "application/json", 422, "InputError"),
        (b'{"image": 5}', "application/json", 422, "InputError"),
        (b'{"image": "not base64!"}', "application/json", 422, "InputError"),
        (b'{"picture": "aGk="}', "application/json", 400, "UsageError"),
        (b'{"image": ["aGk=", "aGk="]}', "application/json", 400, "UsageError"),
        (b'\xff\xfe{"image"', "application/json", 422, "InputError"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "UnsupportedContent"),
        (b"<xml/>", "text/xml", 415, "UnsupportedContent"),
        (b"hello", "", 415, "UnsupportedContent"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 400, "UsageError"),
        (b"nonsense", "multipart/form-data", 400, "UsageError"),
    ],
)
def test_a_body_that_is_none(http: TestClient, content: bytes, kind: str, status: int, code: str) -> None:
    answer = http.post("/v1/detect", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["type"]) == (status, code), answer.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"fmr": "often"}, 400), ({"fmr": "nan"}, 400), ({"fmr": 2}, 400), ({"fmr": True}, 400), ({"fmr": [1]}, 400),
        ({"threshold": 1e400}, 400), ({"threshold": 7}, 400), ({"fmr": 0.01, "threshold": 0.5}, 400),
        ({"fmr": 1e-12}, 422), ({"where": "site ="}, 400), ({"where": {"a": 1}}, 400), ({"where": "(" * 5000}, 400),
        ({"margin": -1}, 400),
    ],
)  # fmt: skip
def test_a_wish_that_makes_no_sense(
    http: TestClient, service: Service, stubs: ModuleType, fields: dict[str, Any], status: int
) -> None:
    service.engine.enrol(service.galleries.create("default", "people"), "ana", [stubs.picture(stubs.RED)])
    body = {"image": base64.b64encode(stubs.picture(stubs.RED)).decode()}
    text = json.dumps(body | fields)
    answer = http.post("/v1/galleries/people/identify", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize(
    "name", ["..", "../people", "%2e%2e%2fpeople", "a/b", "people.db", "x" * 300, "пипл", "-x", " "]
)
def test_a_gallery_that_cannot_be(http: TestClient, stubs: ModuleType, name: str) -> None:
    answer = http.post(f"/v1/galleries/{name}/identify", files={"image": stubs.picture(stubs.RED)})
    assert answer.status_code in (404, 405, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_too_many_pictures(http: TestClient, stubs: ModuleType) -> None:
    files = [("image", ("a.png", stubs.picture(stubs.RED), "image/png"))] * 40
    assert http.post("/v1/detect", files=files).status_code == 413


def test_faces_beyond_the_limit_are_counted(make_app: Any, stubs: ModuleType) -> None:
    app = make_app(max_faces=2)
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("t", "reader", "default")
        found = client.post("/v1/detect", files={"image": stubs.picture(*[stubs.RED] * 5)}).json()
        assert len(found["faces"]) == 2 and found["faces_left_out"] == 3


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Bearer mien_x_y", "Basic YTpi", "Bearer mien_" + "a" * 5000, "Bearer mien_é_ü"],
)
def test_a_key_that_is_none(http: TestClient, header: str) -> None:
    answer = http.post("/v1/detect", content=b"", headers={"authorization": header.encode("utf8")})
    assert (answer.status_code, answer.json()["type"]) == (401, "NotAuthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_judge_is_no_path(http: TestClient, stubs: ModuleType) -> None:
    for kind in ("..%2f..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "nonsense"):
        answer = http.post(f"/v1/judge/{kind}", files={"image": stubs.picture(stubs.RED)})
        assert answer.status_code == 404


def test_an_address_that_is_none_and_a_method_that_is_not_taken(http: TestClient) -> None:
    assert http.get("/v1/nothing").json()["type"] == "NotFound"
    answer = http.get("/v1/detect")
    assert answer.status_code == 405 and answer.headers["content-type"] == "application/problem+json"


def test_no_refusal_names_a_folder_of_the_server(http: TestClient, service: Service, stubs: ModuleType) -> None:
    people = service.galleries.create("default", "staff")
    service.engine.enrol(people, "ana", [stubs.picture(stubs.RED)])
    folder, path = str(service.settings.data), service.settings.data / "tenants" / "default" / "staff.db"
    refusals = [http.get("/v1/galleries/staff/subjects/Nobody"), http.delete("/v1/galleries/staff/subjects/Nobody")]
    path.with_name("staff2.db").write_bytes(b"no gallery" * 1000)
    refusals += [http.get("/v1/galleries/staff2/subjects"), http.get("/v1/galleries")]
    for answer in refusals:
        assert "staff" in answer.text and folder not in answer.text and "tenants/" not in answer.text, answer.text
    assert [one.status_code for one in refusals] == [404, 404, 500, 200]
