"""Which addresses jobs and hooks may go to: those that the operator listed, and nothing by a detour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import NotAllowed, UsageError
from mien.serve.jobs.addresses import allowed

SCHEMES = ("rtsp", "http", "https")


@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        ("rtsp://10.0.0.", "rtsp://10.0.0.5/stream"),
        ("rtsp://10.0.0.", "rtsp://10.0.0.255:8554/stream?channel=1"),
        ("rtsp://cam1", "rtsp://cam1"),
        ("rtsp://cam1", "rtsp://CAM1:554/x"),
        ("rtsp://cam1:8554/", "rtsp://cam1:8554/a/b"),
        ("http://media.example/videos/", "http://media.example/videos/a.mp4"),
        ("http://media.example/videos", "http://media.example/videos/a.mp4"),
        ("https://[fd00::1]/", "https://[fd00::1]/a.mp4"),
    ],
)
def test_what_is_listed_may_be_read(prefix: str, address: str) -> None:
    assert allowed(address, ["ftp://x", prefix], SCHEMES, "a video").bare


@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        ("rtsp://10.0.0.", "rtsp://10.0.0.evil.example/"),
        ("rtsp://10.0.0.", "rtsp://10.0.0.5.evil.example/"),
        ("rtsp://10.0.0.", "rtsp://10.0.0.05/"),
        ("rtsp://10.0.0.", "rtsp://10.0.0.0x5/"),
        ("rtsp://10.0.0.", "http://10.0.0.5/"),
        ("rtsp://10.0.0.", "rtsp://167772165/"),
        ("rtsp://10.0.0.:554", "rtsp://10.0.0.5:22/"),
        ("rtsp://cam1", "rtsp://cam1.evil.example/"),
        ("rtsp://cam1", "rtsp://cam12/"),
        ("rtsp://cam1", "rtsp://cam1:22/"),
        ("rtsp://cam1", "rtsp://cam1:99999/"),
        ("rtsp://cam1", "rtsp://cam1@evil.example/"),
        ("rtsp://cam1", "rtsp://cam1:x@evil.example/"),
        ("rtsp://cam1", "rtsp://evil.example/rtsp://cam1"),
        ("rtsp://cam1", "rtsp://evil.example#@cam1/"),
        ("rtsp://cam1", "rtsp://evil.example\\@cam1/"),
        ("rtsp://cam1", "rtsp://cam1 /"),
        ("rtsp://cam1", "rtsp://cam1\n/"),
        ("rtsp://cam1", " rtsp://cam1/"),
        ("rtsp://cam1", "RTSP://cam1/"),
        ("rtsp://cam1", "//cam1/"),
        ("http://media.example/videos/", "http://media.example/videos/../secret"),
        ("http://media.example/videos/", "http://media.example/videos/%2e%2e/secret"),
        ("http://media.example/videos/", "http://media.example/videos/%252e%252e/secret"),
        ("http://media.example/videos/", "http://media.example/videos/..%5csecret"),
        ("http://media.example/videos/", "http://media.example/secret"),
        ("http://media.example/videos", "http://media.example/videos-secret"),
        ("", "rtsp://cam1/"),
        ("rtsp://", "rtsp://cam1/"),
        ("file:///", "file:///etc/passwd"),
        ("rtsp://cam1", "/etc/passwd"),
        ("rtsp://cam1", "file:/etc/passwd"),
        ("rtsp://cam1", "concat:rtsp://cam1|/etc/passwd"),
        ("rtsp://cam1", "camera:0"),
        ("rtsp://cam1", "tcp://cam1:554"),
    ],
)
def test_nothing_else_may(prefix: str, address: str) -> None:
    with pytest.raises((NotAllowed, UsageError)):
        allowed(address, [prefix], SCHEMES, "a video")


@given(st.text(alphabet="rtsphttps:/@.#?\\%2e1cam0evil[]x \n", max_size=40))
def test_whatever_is_let_in_goes_to_the_host_that_was_listed(rest: str) -> None:
    for address in (rest, f"rtsp://cam1{rest}", f"rtsp://{rest}cam1"):
        try:
            found = allowed(address, ["rtsp://cam1/", "rtsp://10.0.1."], SCHEMES, "a video")
        except (NotAllowed, UsageError):
            continue
        assert found.host == "cam1" or found.host.startswith("10.0.1.")
        assert found.scheme == "rtsp" and not found.user


def test_the_operators_password_is_used_and_told_to_nobody() -> None:
    found = allowed("rtsp://cam1/stream", ["rtsp://me:p%40ss@cam1/"], SCHEMES, "a video")
    assert found.bare == "rtsp://cam1:554/stream"
    assert found.through(99) == "rtsp://me:p%40ss@127.0.0.1:99/stream"
    with pytest.raises(UsageError):
        allowed("rtsp://me:other@cam1/stream", ["rtsp://me:p%40ss@cam1/"], SCHEMES, "a video")


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        status, headers, body = self.server.answers(self.path)  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(answers: Callable[[str], Any]) -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), _Answering)
    server.seen, server.answers = [], answers  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _watching(app: FastAPI, stubs: ModuleType, source: str) -> dict[str, Any]:
    """The job that reads `source`, when it is over."""
    service = app.state.service
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + service.keys.make("tests", "operator", "default")
        people = service.galleries.create("default", "people")
        service.engine.enrol(people, "Red", [stubs.picture(stubs.RED)])
        made = client.post("/v1/jobs", json={"kind": "video", "gallery": "people", "source": source})
        assert made.status_code == 202, made.text
        until = time.monotonic() + 20
        while time.monotonic() < until:
            job: dict[str, Any] = client.get(f"/v1/jobs/{made.json()['id']}").json()
            if job["state"] in ("done", "failed"):
                return job
            time.sleep(0.02)
    raise AssertionError("not over")


def test_a_video_at_an_address(
    make_app: Callable[..., FastAPI], film: Callable[..., bytes], stubs: ModuleType, tmp_path: Path
) -> None:
    data = film((stubs.RED,))
    with serving(lambda path: (200, {}, data)) as server:
        at = f"http://127.0.0.1:{server.server_port}/videos/"
        job = _watching(make_app(sources=(at,)), stubs, f"{at}a.mp4?x=1")
    assert job["state"] == "done", job
    assert job["result"]["accept"] == 1
    assert server.seen == ["/videos/a.mp4?x=1"]
    assert not list((tmp_path / "service" / "jobs").rglob("fetched"))


def test_a_redirect_is_not_followed(make_app: Callable[..., FastAPI], stubs: ModuleType) -> None:
    with serving(lambda path: (200, {}, b"secret")) as inside:
        there = f"http://127.0.0.1:{inside.server_port}/secret"
        with serving(lambda path: (302, {"Location": there}, b"")) as server:
            at = f"http://127.0.0.1:{server.server_port}/"
            job = _watching(make_app(sources=(at,)), stubs, f"{at}a.mp4")
    assert job["state"] == "failed"
    assert "not followed" in job["problem"]["detail"]
    assert inside.seen == []


@pytest.mark.parametrize("body", [b"#EXTM3U\n#EXTINF:1,\n{there}\n", b"ffconcat version 1.0\nfile {there}\n"])
def test_what_is_no_video_tells_nothing_and_leads_nowhere(
    make_app: Callable[..., FastAPI], stubs: ModuleType, body: bytes
) -> None:
    with serving(lambda path: (200, {}, b"secret")) as inside:
        there = f"http://127.0.0.1:{inside.server_port}/secret".encode()
        with serving(lambda path: (200, {}, body.replace(b"{there}", there))) as server:
            at = f"http://127.0.0.1:{server.server_port}/"
            job = _watching(make_app(sources=(at,)), stubs, f"{at}a.m3u8")
    assert job["state"] == "failed"
    assert "secret" not in job["problem"]["detail"] and inside.seen == []


def test_no_more_is_fetched_than_allowed(make_app: Callable[..., FastAPI], stubs: ModuleType) -> None:
    with serving(lambda path: (200, {}, b"\0" * 3_000_000)) as server:
        at = f"http://127.0.0.1:{server.server_port}/"
        job = _watching(make_app(sources=(at,), max_video_bytes=1_000_000), stubs, f"{at}a.mp4")
    assert job["problem"]["type"] == "TooLarge"
