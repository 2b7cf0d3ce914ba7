"""Webhooks: signed, tried again, never sent elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from mien.serve.jobs import hooks


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        server.got.append((self.path, dict(self.headers), body))
        status = server.statuses.pop(0) if server.statuses else 204
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", server.elsewhere)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Any]:
    """A server that hears hooks; `statuses` are answered in turn, then 204."""
    server: Any = HTTPServer(("127.0.0.1", 0), _Hook)
    server.got, server.statuses, server.elsewhere = [], [], ""
    server.url = f"http://127.0.0.1:{server.server_port}/hooks/mien"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def told(make_app: Callable[..., FastAPI], stubs: ModuleType, film: Callable[..., bytes]) -> Callable[..., Any]:
    """(job, secret) of a job whose hook is `url`, when the hook is settled."""

    def run(url: str, allowed: str, waits: tuple[float, ...] = (0.05, 0.05, 0.05)) -> tuple[dict[str, Any], str]:
        app = make_app(hooks=(allowed,))
        service = app.state.service
        service.runner.hooks._waits = waits
        with TestClient(app) as client:
            client.headers["authorization"] = "Bearer " + service.keys.make("tests", "admin", "default")
            service.galleries.create("default", "people")
            secret = client.get("/v1/hooks").json()["secret"]
            data = {"gallery": "people", "hook": url}
            made = client.post("/v1/jobs", data=data, files={"video": ("door.mp4", film((stubs.RED,), each=3))})
            assert made.status_code == 202, made.text
            assert secret not in made.text
            until = time.monotonic() + 15
            while time.monotonic() < until:
                job = client.get(f"/v1/jobs/{made.json()['id']}").json()
                if job["hooks"] and job["hooks"][0]["state"] != "waiting":
                    return job, secret
                time.sleep(0.02)
        raise AssertionError(job)

    return run


def test_the_word_is_signed(hook: Any, told: Callable[..., Any]) -> None:
    job, secret = told(hook.url, hook.url)
    assert job["hooks"] == [{"url": hook.url, "state": "sent", "tries": 1, "status": 204, "reason": None}]
    ((path, headers, body),) = hook.got
    assert path == "/hooks/mien"
    parts = dict(one.split("=") for one in headers["Mien-Signature"].split(","))
    assert abs(int(parts["t"]) - time.time()) < 60
    expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(parts["v1"], expected)
    said = json.loads(body)
    assert said["event"] == "job.done"
    assert said["job"]["id"] == job["id"] and said["job"]["result"]["seen"] == 1
    assert "vector" not in body.decode() and "upload" not in body.decode()


def test_it_is_tried_again_with_the_same_number(hook: Any, told: Callable[..., Any]) -> None:
    hook.statuses[:] = [500, 503]
    job, _ = told(hook.url, hook.url.replace("http://", "http://me:p%40ss@"))
    assert (job["hooks"][0]["state"], job["hooks"][0]["tries"]) == ("sent", 3)
    assert len({headers["Mien-Delivery"] for _, headers, _ in hook.got}) == 1
    assert len({body for _, _, body in hook.got}) == 1
    assert hook.got[0][1]["Authorization"] == "Basic bWU6cEBzcw=="  # the operator's, of which clients know nothing
    assert "p@ss" not in str(job) and "p%40ss" not in str(job)


def test_it_is_given_up_and_told_so_and_no_redirect_is_followed(hook: Any, told: Callable[..., Any]) -> None:
    hook.statuses[:] = [307, 307, 307, 500]
    hook.elsewhere = hook.url.replace("/hooks/mien", "/elsewhere")
    job, _ = told(hook.url, hook.url)
    assert job["state"] == "done"
    assert job["hooks"][0] | {"url": ""} == {
        "url": "", "state": "failed", "tries": 4, "status": 500, "reason": "it answered 500",
    }  # fmt: skip
    assert [path for path, _, _ in hook.got] == ["/hooks/mien"] * 4


def test_nobody_there_is_told_in_words(told: Callable[..., Any]) -> None:
    job, _ = told("http://127.0.0.1:9/x", "http://127.0.0.1:9/")
    assert job["hooks"][0]["state"] == "failed" and job["hooks"][0]["status"] is None
    assert "refused" in job["hooks"][0]["reason"]


def test_an_address_that_is_not_listed_is_refused_at_once(
    make_app: Callable[..., FastAPI], key: Callable[..., dict[str, str]]
) -> None:
    app = make_app(hooks=("https://hooks.example/mien/",), sources=("rtsp://127.0.0.1",))
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "operator", "default")
        app.state.service.galleries.create("default", "people")
        for url in ("http://127.0.0.1:1/", "http://localhost/", "file:///etc/passwd", "gopher://x/", "x", 5):
            asked = {"kind": "video", "gallery": "people", "source": "rtsp://127.0.0.1/", "hook": url}
            assert client.post("/v1/jobs", json=asked).status_code in (400, 403, 422)
        assert client.get("/v1/jobs").json()["items"] == []
        assert client.get("/v1/hooks").status_code == 403  # an operator may not see the secret


def test_each_tenant_has_its_own_secret(http: TestClient, key: Callable[..., dict[str, str]]) -> None:
    one, other = http.get("/v1/hooks").json(), http.get("/v1/hooks", headers=key("admin", "other")).json()
    assert one["secret"] != other["secret"]


def test_the_signature_is_a_known_one() -> None:
    # printf '1.body' | openssl dgst -sha256 -hmac key
    known = "91b5374b153842ad05b2c4eab9349b8321b14703165bd3fb8b034dfb8be98ae5"
    assert hooks.signature("key", 1, b"body") == f"t=1,v1={known}"
