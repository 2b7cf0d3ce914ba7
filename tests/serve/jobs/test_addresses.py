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


def test_videos_at_addresses(
    make_app: Callable[..., FastAPI], film: Callable[..., bytes], stubs: ModuleType, tmp_path: Path
) -> None:
    with serving(lambda path: (200, {}, b"secret")) as inside:
        there = f"http://127.0.0.1:{inside.server_port}/secret"
        answers: dict[str, Any] = {
            "/v/a.mp4?x=1": (200, {}, film((stubs.RED,))),
            "/v/moved": (302, {"Location": there}, b""),
            "/v/list": (200, {}, f"#EXTM3U\n#EXTINF:1,\n{there}\n".encode()),
            "/v/concat": (200, {}, f"ffconcat version 1.0\nfile {there}\n".encode()),
            "/v/long": (200, {}, b"\0" * 1_500_000),
            "/v/picture": (200, {}, stubs.picture(stubs.RED)),
        }
        with serving(answers.__getitem__) as server:
            at = f"http://127.0.0.1:{server.server_port}"
            jobs = _watched(
                make_app(sources=(f"{at}/v/",), max_video_bytes=1_000_000), stubs, [at + one for one in answers]
            )
    assert server.seen == list(answers)
    states = [(job["state"], (job["problem"] or {}).get("type")) for job in jobs]
    unreadable = ("failed", "UnreadableMedia")
    assert states == [("done", None), unreadable, unreadable, unreadable, ("failed", "TooLarge"), unreadable]
    assert jobs[0]["result"]["accept"] == 1
    assert "not followed" in jobs[1]["problem"]["detail"]
    assert inside.seen == [] and "secret" not in str([job["problem"] for job in jobs])
    assert str(tmp_path) not in str(jobs)
    assert not list((tmp_path / "service" / "jobs").rglob("fetched"))


def _watched(app: FastAPI, stubs: ModuleType, sources: list[str]) -> list[dict[str, Any]]:
    """The jobs that read `sources`, when they are over."""
    service = app.state.service
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + service.keys.make("tests", "operator", "default")
        people = service.galleries.create("default", "people")
        service.engine.enrol(people, "Red", [stubs.picture(stubs.RED)])
        asked = [{"kind": "video", "gallery": "people", "source": one} for one in sources]
        made = [client.post("/v1/jobs", json=one).json()["id"] for one in asked]
        until = time.monotonic() + 30
        while time.monotonic() < until:
            jobs = [client.get(f"/v1/jobs/{one}").json() for one in made]
            if all(job["state"] in ("done", "failed") for job in jobs):
                return jobs
            time.sleep(0.02)
    raise AssertionError("not over")
