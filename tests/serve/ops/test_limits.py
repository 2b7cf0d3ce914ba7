"""Bodies, heads and connections have limits, on a real socket."""

from __future__ import annotations

import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

Start = Callable[..., Any]
HEAD = b"POST /v1/detect HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == int(head.split()[1])
    return found


def whole(line: Any) -> bytes:
    """One answer, as long as it says it is."""
    got = b""
    while True:
        head, end, body = got.partition(b"\r\n\r\n")
        size = [int(each.split(b":")[1]) for each in head.lower().split(b"\r\n") if each.startswith(b"content-length")]
        if end and len(body) >= (size or [0])[0]:
            return got
        part = line.recv(65536)
        assert part, got
        got += part


def key(live: Any, role: str = "admin") -> bytes:
    return b"authorization: Bearer " + live.service.keys.make("tests", role, "default").encode() + b"\r\n"


def test_a_gigabyte_is_refused_before_a_byte_of_it_is_read(live: Start) -> None:
    one = live()
    with one.connected() as line:
        line.sendall(HEAD + key(one) + b"content-length: 1000000000\r\n\r\n")
        assert problem(whole(line))["type"] == "TooLarge"


def test_a_client_that_asks_first_is_told_to_save_its_breath(live: Start) -> None:
    one = live()
    begun = time.monotonic()
    answer = one.said(HEAD + key(one) + b"expect: 100-continue\r\ncontent-length: 1000000000\r\n\r\n")
    assert problem(answer)["type"] == "TooLarge"
    assert time.monotonic() - begun < 1


def test_a_client_that_asks_first_is_let_in(live: Start, stubs: ModuleType) -> None:
    one, data = live(), stubs.picture(stubs.RED)
    with one.connected() as line:
        line.sendall(HEAD + key(one) + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(data))
        assert line.recv(65536).startswith(b"HTTP/1.1 100")
        line.sendall(data)
        assert whole(line).startswith(b"HTTP/1.1 200")


def test_a_body_without_a_length_is_cut_off_at_the_limit(live: Start) -> None:
    one = live(max_bytes=200_000)
    piece = b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000)
    answer = one.said(HEAD + key(one) + b"transfer-encoding: chunked\r\n\r\n", *[piece] * 5)
    assert problem(answer)["type"] == "TooLarge"


@pytest.mark.slow
def test_a_long_upload_is_not_held_in_memory(live: Start) -> None:
    one = live(max_bytes=2_000_000)
    piece = b"%x\r\n%s\r\n" % (100_000, b"x" * 100_000)
    tracemalloc.start()
    with suppress(BrokenPipeError, ConnectionResetError):  # it may hang up on us
        one.said(HEAD + key(one) + b"transfer-encoding: chunked\r\n\r\n", *[piece] * 60)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 12_000_000


def test_a_dripping_body_is_not_waited_for(live: Start) -> None:
    one = live(body_seconds=0.4)
    begun = time.monotonic()
    answer = one.said(HEAD + key(one) + b"content-length: 1000\r\n\r\n", b"x", b"x", pause=0.1)
    assert problem(answer)["type"] == "TooSlow"
    assert time.monotonic() - begun < 3


def test_a_dripping_head_is_not_waited_for(live: Start) -> None:
    one = live(head_seconds=0.4)
    begun = time.monotonic()
    assert one.said(b"GET /health HTTP/1.1\r\n", b"a: b\r\n", b"c: d\r\n", pause=0.1) == b""
    assert one.said() == b""  # nor is one that says nothing
    assert time.monotonic() - begun < 3


@pytest.mark.slow
def test_a_head_that_drips_after_an_answer_is_not_waited_for_either(live: Start) -> None:
    one = live(head_seconds=0.4)
    with one.connected() as line:
        line.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200 OK" in whole(line)
        line.sendall(b"GET /hea")
        begun = time.monotonic()
        assert line.recv(65536) == b""
        assert time.monotonic() - begun < 2


@pytest.mark.slow
def test_whoever_is_refused_and_drips_on_loses_the_connection(live: Start) -> None:
    one = live()
    with one.connected() as line:
        line.sendall(HEAD + b"content-length: 100000\r\n\r\nx")  # no key
        assert b" 401 " in whole(line)
        begun = time.monotonic()
        while line.recv(65536):
            pass
        assert time.monotonic() - begun < 4


def test_a_refusal_keeps_the_connection_when_the_body_is_there(live: Start) -> None:
    one = live()
    with httpx2.Client(base_url=f"http://127.0.0.1:{one.port}") as client:
        answer = client.post("/v1/detect", content=b"x" * 1000, headers={"content-type": "image/png"})
        assert answer.status_code == 401
        assert "connection" not in answer.headers


def test_too_many_connections_are_turned_away(live: Start) -> None:
    one = live(connections=8)
    held = [one.connected() for _ in range(8)]
    time.sleep(0.2)
    try:
        assert problem(one.said())["type"] == "Unavailable"
    finally:
        for each in held:
            each.close()
    time.sleep(0.2)
    assert b"200 OK" in one.said(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"x" * 40_000])
def test_what_is_no_request_is_a_problem(live: Start, sent: bytes) -> None:
    assert problem(live().said(sent))["type"] == "UsageError"


def test_compressed_bodies_are_not_taken(http: TestClient) -> None:
    bomb = zlib.compress(bytes(10_000_000))
    answer = http.post("/v1/detect", content=bomb, headers={"content-type": "image/png", "content-encoding": "deflate"})
    assert (answer.status_code, answer.json()["type"]) == (415, "UnsupportedContent")


def test_a_picture_that_would_fill_the_memory_is_refused(http: TestClient) -> None:
    rows, width = 30_000, 30_000  # 2.7 GB of pixels in a few MB
    data = zlib.compress(bytes(1 + 3 * width) * 8, 9)
    head = width.to_bytes(4, "big") + rows.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    answer = http.post("/v1/detect", content=png, headers={"content-type": "image/png"})
    assert (answer.status_code, answer.json()["type"]) == (422, "UnreadableMedia")


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30])
def test_a_length_that_is_none_is_refused(http: TestClient, length: str) -> None:
    answer = http.post("/v1/detect", content=b"x", headers={"content-type": "image/png", "content-length": length})
    assert answer.status_code == 413


def test_a_video_may_be_longer_than_a_picture(http: TestClient, make_app: Any) -> None:
    app = make_app(max_bytes=2000, max_video_bytes=100_000)
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "admin", "default")
        picture = client.post("/v1/detect", content=b"x" * 5000, headers={"content-type": "image/png"})
        video = client.post("/v1/jobs", content=b"x" * 5000, headers={"content-type": "video/mp4"})
        longer = client.post("/v1/jobs", content=b"x" * 200_000, headers={"content-type": "video/mp4"})
    assert (picture.status_code, longer.status_code) == (413, 413)
    assert video.status_code != 413


def test_a_failure_that_nobody_planned_for_keeps_its_id(http: TestClient, service: Any, stubs: ModuleType) -> None:
    service.engine.faces = lambda frame: 1 // 0
    sent = {"content-type": "image/png", "x-request-id": "mine"}
    answer = http.post("/v1/detect", content=stubs.picture(stubs.RED), headers=sent)
    assert (answer.status_code, answer.json()["type"]) == (500, "InternalError")
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine"
    assert "division" not in answer.text


def test_the_other_protocol_is_told_in_its_own_shape(http: TestClient) -> None:
    sent = {"x-amz-target": "RekognitionService.DetectFaces", "content-length": "900000000"}
    answer = http.post("/", content=b"{}", headers=sent)
    assert "__type" in answer.json()


def test_a_client_that_was_let_in_and_sends_too_much_hears_of_it(live: Start) -> None:
    one = live(max_bytes=200_000)
    piece = b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000)
    with one.connected() as line:
        line.sendall(HEAD + key(one) + b"expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 100")
        for _ in range(12):
            line.sendall(piece)
        assert problem(whole(line))["type"] == "TooLarge"
