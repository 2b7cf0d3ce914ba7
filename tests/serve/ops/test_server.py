"""Where it listens, and how it ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from mien.errors import GalleryNotFound, Unavailable, UsageError
from mien.serve.server import Server, address, bound, loopback, secured
from mien.serve.settings import Settings

Start = Callable[..., Any]


def test_what_was_taken_is_answered_and_readiness_goes_first(live: Start, stubs: ModuleType) -> None:
    one = live(notice=3.0, threads=1)
    slow, found = threading.Event(), one.service.engine.faces

    def faces(frame: Any) -> Any:
        slow.set()
        time.sleep(1.5)
        return found(frame)

    one.service.engine.faces = faces
    headers = {"authorization": "Bearer " + one.service.keys.make("tests", "admin", "default")}
    answers: list[httpx2.Response] = []

    def ask() -> None:
        files = {"image": stubs.picture(stubs.RED)}
        answers.append(httpx2.post(f"http://127.0.0.1:{one.port}/v1/detect", files=files, headers=headers, timeout=20))

    asking = threading.Thread(target=ask)
    asking.start()
    assert slow.wait(10)
    one.server.leave()
    assert httpx2.get(f"http://127.0.0.1:{one.port}/ready").status_code == 503  # it still answers, and says so
    assert httpx2.get(f"http://127.0.0.1:{one.port}/health").status_code == 200
    one.thread.join(20)
    asking.join(20)
    assert [each.status_code for each in answers] == [200]
    with pytest.raises(OSError, match="refused"):
        one.connected()


@pytest.mark.slow
def test_a_request_that_takes_too_long_does_not_keep_the_service(live: Start, stubs: ModuleType) -> None:
    one = live(drain=1.0, threads=1)
    hold = threading.Event()
    one.service.engine.faces = lambda frame: hold.wait(20) and []
    headers = {"authorization": "Bearer " + one.service.keys.make("tests", "admin", "default")}

    answers: list[httpx2.Response] = []

    def ask() -> None:
        files = {"image": stubs.picture(stubs.RED)}
        answers.append(httpx2.post(f"http://127.0.0.1:{one.port}/v1/detect", files=files, headers=headers, timeout=20))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    begun = time.monotonic()
    one.server.leave()
    one.thread.join(20)
    asking.join(20)
    took = time.monotonic() - begun
    hold.set()
    assert 0.9 < took < 6
    assert [(each.status_code, each.json()["type"]) for each in answers] == [(503, "Unavailable")]


@pytest.mark.parametrize(
    ("host", "only"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box", False)]
)
def test_who_reaches_an_address(host: str, only: bool) -> None:
    assert loopback(host) is only


def test_nothing_crosses_a_network_in_the_clear() -> None:
    secured(Settings(host="127.0.0.1"))
    secured(Settings(host="0.0.0.0", behind_proxy=True))
    with pytest.raises(UsageError, match="in the clear"):
        secured(Settings(host="0.0.0.0"))


def test_there_is_room_for_the_connections_that_are_allowed() -> None:
    code = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (100, 4000)); from mien.serve.server import room_for as f; "
    )
    code += "f(900); f(50); print(r.getrlimit(r.RLIMIT_NOFILE)); f(9000); print(r.getrlimit(r.RLIMIT_NOFILE))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["(900, 4000)", "(4000, 4000)"]


def test_a_port_in_use_is_said_in_words() -> None:
    with bound(Settings(port=0)) as first, pytest.raises(Unavailable, match="in use"):
        bound(Settings(port=first.getsockname()[1]))


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_an_address_that_is_not_here(host: str) -> None:
    with pytest.raises(UsageError, match="address"):
        bound(Settings(host=host, port=0))


def test_the_link_can_be_opened() -> None:
    with socket.socket() as made:
        made.bind(("0.0.0.0", 0))
        assert address(Settings(), made) == f"http://127.0.0.1:{made.getsockname()[1]}"


def test_a_gallery_that_is_not_there_is_said_before_anybody_is_served(make_app: Any, tmp_path: Path) -> None:
    app = make_app(galleries=(str(tmp_path / "none.db"),))
    with pytest.raises(GalleryNotFound, match=r"none\.db"):
        Server(app, app.state.service.settings).open()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*words, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is absent, which makes the certificate")
    return chain, key


def test_https_by_two_files(live: Start, certificate: tuple[Path, Path]) -> None:
    one = live(tls_certificate=certificate[0], tls_key=certificate[1])
    assert httpx2.get(f"https://127.0.0.1:{one.port}/ready", verify=False).status_code == 200


def test_a_certificate_that_does_not_fit_is_said_in_words(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    chain, key = certificate
    (tmp_path / "other.pem").write_text("no key")
    with pytest.raises(UsageError, match="do not fit"):
        secured(Settings(tls_certificate=chain, tls_key=tmp_path / "other.pem"))
    with pytest.raises(UsageError, match="No such file"):
        secured(Settings(tls_certificate=chain, tls_key=tmp_path / "none.pem"))
    secured(Settings(tls_certificate=chain, tls_key=key, host="0.0.0.0"))
