"""Many at once, other processes, full disks and kills: nothing acknowledged is lost, nothing is half."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi.testclient import TestClient

from mien.errors import CannotWrite
from mien.gallery import EmbeddedGallery, open_gallery
from mien.serve import writers
from mien.serve.service import Service
from mien.serve.settings import Settings

STUBS = Path(__file__).parents[1] / "stubs.py"
G = "/v1/galleries/people"
S = f"{G}/subjects"
SERVER = """
import runpy, sys
from pathlib import Path
import uvicorn
from mien.serve.app import build
from mien.serve.settings import Settings

stubs = runpy.run_path(sys.argv[1])
data, port = Path(sys.argv[2]), int(sys.argv[3])
app = build(Settings(data=data, rate=1e6, burst=1000000), stubs["engine"]())
uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
"""
Enrol = Callable[..., dict[str, Any]]


@contextmanager
def server(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A real process that serves `data`, and its address."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = [sys.executable, "-c", SERVER, str(STUBS), str(data), str(port)]
    process = subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            try:
                httpx2.get(f"{url}/v1/galleries", timeout=5)
                break
            except httpx2.TransportError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.wait(20)


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A data folder with a gallery called people, and headers with an admin's key."""
    data = tmp_path / "service"
    made = Settings(data=data)
    from mien.serve.keys import Keys
    from mien.serve.records import Records

    records = Records(made.records)
    text = Keys(records, made.master()).make("tests", "admin", "default")
    records.close()
    (data / "tenants" / "default").mkdir(parents=True)
    open_gallery(data / "tenants" / "default" / "people.db").close()
    return data, {"authorization": f"Bearer {text}"}


@pytest.mark.slow
def test_one_person_enrolled_and_forgotten_by_two_processes_at_once(
    prepared: tuple[Path, dict[str, str]], stubs: ModuleType
) -> None:
    data, headers = prepared
    answers: list[tuple[str, int, dict[str, Any]]] = []
    with server(data) as (_, one), server(data) as (_, two):

        def work(url: str, seed: int) -> None:
            with httpx2.Client(base_url=url, headers=headers, timeout=60) as http:
                for step in range(6):
                    image = {"image": stubs.picture(stubs.RED, noise=seed * 100 + step + 1)}
                    added = http.post(f"{S}/ana/samples", files=image)
                    answers.append(("enrol", added.status_code, added.json()))
                    if step % 2:
                        gone = http.delete(f"{S}/ana")
                        answers.append(("forget", gone.status_code, gone.json()))

        threads = [threading.Thread(target=work, args=(url, seed)) for seed, url in enumerate((one, two, one, two))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        receipts = httpx2.get(f"{one}/v1/receipts", params={"limit": 100}, headers=headers).json()["items"]
        people = httpx2.get(one + S, headers=headers).json()["items"]
    assert {status for kind, status, _ in answers if kind == "enrol"} <= {200, 201}
    assert {status for kind, status, _ in answers if kind == "forget"} <= {200, 404}
    added = sum(body["added"] for kind, _, body in answers if kind == "enrol")
    left = sum(one["samples"] for one in people)
    # Whatever was acknowledged is there, or went with a receipt.
    assert added == left + sum(one["samples"] for one in receipts)
    assert len(receipts) == sum(status == 200 for kind, status, _ in answers if kind == "forget")
    with open_gallery(data / "tenants" / "default" / "people.db") as gallery:
        assert gallery.verify() == []
        assert gallery.templates == left


def test_what_was_acknowledged_is_there_after_a_kill(prepared: tuple[Path, dict[str, str]], stubs: ModuleType) -> None:
    data, headers = prepared
    done: dict[str, dict[str, Any]] = {}

    def picture(n: int) -> dict[str, Any]:
        return {"image": stubs.picture((60 + 6 * n, 40, 220), noise=n + 1)}

    with server(data) as (process, url):

        def work(first: int) -> None:
            with httpx2.Client(base_url=url, headers=headers, timeout=60) as http:
                for n in range(first, 24, 3):
                    try:
                        answer = http.post(
                            f"{S}/p%2F{n}/samples", files=picture(n), headers={"idempotency-key": f"k{n}"}
                        )
                    except httpx2.TransportError:
                        return
                    if answer.status_code == 201:
                        done[f"p/{n}"] = answer.json()

        threads = [threading.Thread(target=work, args=(first,)) for first in range(3)]
        for each in threads:
            each.start()
        while len(done) < 5:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        for each in threads:
            each.join()
    with open_gallery(data / "tenants" / "default" / "people.db") as gallery:
        assert gallery.verify() == []
    with server(data) as (_, url), httpx2.Client(base_url=url, headers=headers, timeout=60) as http:
        for name, body in done.items():
            one = http.get(f"{S}/{quote(name, safe='')}").json()
            assert (one["subject"], one["samples"]) == (name, 1)
            n = int(name[2:])
            again = http.post(f"{S}/p%2F{n}/samples", files=picture(n), headers={"idempotency-key": f"k{n}"})
            assert (again.headers.get("idempotency-replayed"), again.json()) == ("true", body)
        # What was under way when it died may be asked for again at once.
        for n in range(24):
            if f"p/{n}" not in done:
                again = http.post(f"{S}/p%2F{n}/samples", files=picture(n), headers={"idempotency-key": f"k{n}"})
                assert again.status_code in (200, 201), again.text
        assert len(http.get(S, params={"limit": 100}).json()["items"]) == 24


def test_one_person_from_many_threads(http: TestClient, enrol: Enrol, stubs: ModuleType) -> None:
    answers: list[Any] = []

    def work(seed: int) -> None:
        for step in range(3):
            image = {"image": stubs.picture(stubs.RED, noise=seed * 10 + step + 1)}
            answers.append(http.post(f"{S}/ana/samples", files=image))
            answers.append(http.delete(f"{S}/ana"))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {one.status_code for one in answers} <= {200, 201, 404}, [
        one.text for one in answers if one.status_code == 400
    ]
    added = sum(one.json().get("added", 0) for one in answers)
    receipts = http.get("/v1/receipts").json()["items"]
    assert added == sum(one["samples"] for one in receipts) + sum(one["samples"] for one in http.get(S).json()["items"])


def test_a_gallery_locked_by_another_process(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType
) -> None:
    enrol("ana", stubs.RED)
    gallery = service.galleries.open("default", "people")
    assert isinstance(gallery, EmbeddedGallery)
    gallery._timeout = 0.05
    with closing(sqlite3.connect(gallery._path)) as other:
        other.execute("BEGIN IMMEDIATE")
        for method, path, more in [
            ("POST", f"{S}/ben/samples", {"files": {"image": stubs.picture(stubs.BLUE)}}),
            ("PATCH", f"{S}/ana", {"json": {"purpose": "door"}}),
            ("DELETE", f"{S}/ana", {}),
        ]:
            answer = http.request(method, path, **more)
            assert (answer.status_code, answer.json()["type"]) == (503, "GalleryBusy")
            assert answer.headers["retry-after"] == "1"
        assert http.get(f"{S}/ana").status_code == 200  # reading goes on
        found = http.post(f"{G}/identify", files={"image": stubs.picture(stubs.RED)}).json()["decisions"]
        assert found[0]["subject"] == "ana"
        other.rollback()
    assert http.post(f"{S}/ben/samples", files={"image": stubs.picture(stubs.BLUE)}).status_code == 201


def test_who_waits_for_a_locked_gallery_holds_up_nobody_else(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "WAITING", 20)
    enrol("ana", stubs.RED)
    gallery = service.galleries.open("default", "people")
    assert isinstance(gallery, EmbeddedGallery)
    gallery._timeout = 1.5
    changes: list[Any] = []
    with closing(sqlite3.connect(gallery._path)) as other:
        other.execute("BEGIN IMMEDIATE")
        threads = [
            threading.Thread(target=lambda: changes.append(http.patch(f"{S}/ana", json={"purpose": "door"})))
            for _ in range(60)
        ]
        for one in threads:
            one.start()
        while not any(one.status_code == 429 for one in changes):
            time.sleep(0.01)
        begun = time.monotonic()
        found = http.post(f"{G}/identify", files={"image": stubs.picture(stubs.RED)})
        assert (found.json()["decisions"][0]["subject"], http.get(S).status_code) == ("ana", 200)
        took = time.monotonic() - begun
        other.rollback()
    for one in threads:
        one.join()
    assert took < 1.0
    assert {one.status_code for one in changes} <= {200, 429, 503}
    assert all("retry-after" in one.headers for one in changes if one.status_code != 200)


def test_a_full_disk_leaves_nothing_half(
    http: TestClient, service: Service, enrol: Enrol, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = enrol("ana", stubs.RED)["samples"]
    gallery = service.galleries.open("default", "people")
    assert isinstance(gallery, EmbeddedGallery)
    pages = gallery._db.execute("PRAGMA page_count").fetchone()[0]
    gallery._db.execute(f"PRAGMA max_page_count = {pages}")
    images = [("image", stubs.picture(stubs.RED, noise=n, form="BMP")) for n in range(1, 30)]
    key = {"idempotency-key": "k"}
    for method, path in (("POST", f"{S}/ana/samples"), ("POST", f"{S}/ben/samples"), ("PUT", f"{S}/ana")):
        answer = http.request(method, path, files=images, headers=key if "ben" in path else {})
        assert (answer.status_code, answer.json()["type"]) == (507, "GalleryFull")
    assert [one["id"] for one in http.get(f"{S}/ana/samples").json()["items"]] == first
    assert http.get(f"{S}/ben").status_code == 404
    assert service.galleries.moves.unsettled() == []
    gallery._db.execute("PRAGMA max_page_count = 1000000")
    assert http.post(f"{S}/ben/samples", files=images, headers=key).status_code == 201  # the same key again
    assert gallery.verify() == []

    def full(*_: Any) -> Any:
        raise CannotWrite("The file service.db has no room on its disk.", "Check the disk.")

    monkeypatch.setattr(service.records, "change", full)  # then nothing is moved that could not be put down first
    assert http.put(f"{S}/ana", files={"image": stubs.picture(stubs.BLUE)}).status_code == 507
    assert http.post(f"{G}/merge", json={"into": "ana", "from": "ben"}).status_code == 507
    monkeypatch.undo()
    assert [one["id"] for one in http.get(f"{S}/ana/samples").json()["items"]] == first
