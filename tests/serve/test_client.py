"""The typed client against a service on a real socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from mien import Engine, OperatingPoint, errors, open_gallery
from mien.client import Client, Seen
from mien.errors import (
    Conflict,
    GalleryNotFound,
    MediaNotFound,
    MienError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Overloaded,
    ServiceError,
    Unavailable,
    UnknownSubject,
    UnreadableMedia,
)
from mien.media import read_mark, write_video
from mien.serve.app import build
from mien.serve.service import Service
from mien.serve.settings import Settings


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, stubs: ModuleType) -> Iterator[tuple[str, Service]]:
    app = build(Settings(data=tmp_path_factory.mktemp("client"), rate=10_000, burst=10_000), stubs.engine())
    with stubs.listening(app) as url:
        yield url, app.state.service


@pytest.fixture(scope="module")
def client(served: tuple[str, Service]) -> Iterator[Client]:
    url, service = served
    with Client(url, service.keys.make("client", "admin", "default"), patience=2) as made:
        yield made


def test_somebody_comes_is_known_and_goes(client: Client, stubs: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "rot.png").write_bytes(stubs.picture(stubs.RED))
    client.create("people")
    with pytest.raises(Conflict):
        client.create("people")
    names = ["Zoë/赤", "<b>ana</b>", 'أحمد "x"', "a?b#c%2F"]
    colours = [stubs.RED, stubs.GREEN, stubs.BLUE, (200, 200, 20)]
    for name, colour in zip(names, colours, strict=True):
        given = [stubs.picture(colour), stubs.picture(colour, noise=4), b"no picture"]
        done = client.enrol("people", name, given, {"badge": len(name), "expires": "2099-01-01"})
        assert (done.added, done.known, len(done.refused)) == (2, 0, 1)
        assert done.refused[0].picture == 2 and isinstance(done.refused[0].error, UnreadableMedia)
    assert [one.subject for one in client.people("people")] == sorted(names)
    assert client.person("people", names[0]).metadata["badge"] == len(names[0])
    assert [one.subject for one in client.people("people", containing="ana")] == ["<b>ana</b>"]
    (answer,) = client.identify("people", tmp_path / "rot.png", fmr=0.01)
    assert (answer.verdict, answer.subject) == ("accept", "Zoë/赤")
    assert isinstance(answer.threshold, OperatingPoint) and answer.matches[0].subject == answer.subject
    assert answer.readings[0].kind == "quality" and isinstance(answer.faces[0], Seen)
    assert client.galleries() == ["people"]
    assert client.forget("people", names[0])["samples"] == 2
    with pytest.raises(UnknownSubject):
        client.person("people", names[0])
    client.drop("people")
    with pytest.raises(GalleryNotFound):
        list(client.people("people"))


def test_it_sees_what_the_library_sees(client: Client, stubs: ModuleType) -> None:
    data = stubs.picture(stubs.RED, stubs.BLUE)
    engine: Engine = stubs.engine()
    assert [one.box for one in client.detect(data)] == [tuple(face.box) for face in engine.detect(data)]
    assert client.verify(data[:0] or stubs.picture(stubs.RED), stubs.picture(stubs.RED, noise=2)).verdict == "accept"
    assert client.judge("quality", stubs.picture(stubs.RED))[0].readings[0].scores == {"overall": 0.9}
    assert read_mark(client.hide(data, "pixelate")) == "pixelate"


def test_many_pages_are_one_list(client: Client, served: tuple[str, Service], stubs: ModuleType) -> None:
    held = served[1].galleries.create("default", "many")
    sample = stubs.engine().sample(stubs.picture(stubs.RED))
    held.enrol_many([(f"p{number:04}", [sample]) for number in range(500)])
    assert [one.subject for one in client.people("many")] == [f"p{number:04}" for number in range(500)]


def test_what_is_refused_is_raised(
    client: Client, served: tuple[str, Service], stubs: ModuleType, tmp_path: Path
) -> None:
    url, service = served
    with Client(url, "mien_no_key") as stranger, pytest.raises(NotAuthenticated):
        stranger.galleries()
    with Client(url, service.keys.make("r", "reader", "default")) as reader, pytest.raises(NotAllowed):
        reader.create("mine")
    with pytest.raises(MediaNotFound):
        client.detect(tmp_path / "none.jpg")
    with Client("http://127.0.0.1:9", patience=0) as nobody, pytest.raises(Unavailable, match="does not answer"):
        nobody.galleries()


def answering(*answers: httpx2.Response) -> tuple[Client, list[httpx2.Request]]:
    """A client whose service gives these answers in turn."""
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    return Client("http://service", "k", patience=3, transport=httpx2.MockTransport(handle)), seen


def test_a_busy_service_is_asked_again_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    busy = {"type": "Overloaded", "detail": "Busy.", "remedy": "", "status": 429}
    client, seen = answering(
        httpx2.Response(429, json=busy, headers={"retry-after": "2"}), httpx2.Response(201, json={})
    )
    client.create("people")
    assert waits == [2.0]
    assert len(seen) == 2 and len({one.headers["idempotency-key"] for one in seen}) == 1
    client, seen = answering(httpx2.Response(429, json=busy, headers={"retry-after": "60"}))
    with pytest.raises(Overloaded) as refused:
        client.create("people")
    assert refused.value.after == 60 and len(seen) == 1


@pytest.mark.parametrize("content", [b"<html>proxy</html>", b"[]", b"", b"\xff"])
def test_what_is_no_answer_of_a_service(content: bytes) -> None:
    for status in (200, 502):
        client, _ = answering(httpx2.Response(status, content=content))
        with pytest.raises(ServiceError, match="no JSON"):
            client.person("people", "ana")


@pytest.mark.parametrize("kind", ["os", "annotations", "MienError", "NoSuchThing", "__class__", 5, None])
def test_a_type_of_error_that_the_client_does_not_know(kind: Any) -> None:
    client, _ = answering(httpx2.Response(418, json={"type": kind, "detail": "Told.", "remedy": "Do."}))
    with pytest.raises(MienError, match=r"Told\. Do\."):
        client.person("people", "ana")


def test_every_error_of_the_library_comes_back_as_itself() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, MienError)]
    for kind in kinds:
        problem = {"type": kind.__name__, "detail": "Told.", "remedy": "Do.", "status": kind.status}
        client, _ = answering(httpx2.Response(kind.status, json=problem, headers={"retry-after": "9"}))
        with pytest.raises(kind) as caught:
            client.person("people", "ana")
        assert type(caught.value) is kind


def test_threads_may_share_it(client: Client, stubs: ModuleType) -> None:
    data, found = stubs.picture(stubs.RED, stubs.GREEN), []
    threads = [threading.Thread(target=lambda: found.append(len(client.detect(data)))) for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [2] * 16


def test_the_librarys_people_are_the_services(client: Client, served: tuple[str, Service], stubs: ModuleType) -> None:
    client.create("both")
    client.enrol("both", "ana", [stubs.picture(stubs.RED)])
    path = served[1].settings.data / "tenants" / "default" / "both.db"
    with open_gallery(path, read_only=True) as held:
        assert json.dumps([one.subject for one in held.people()]) == '["ana"]'


def test_a_video_is_watched_as_it_goes(client: Client, stubs: ModuleType, tmp_path: Path) -> None:
    client.create("door")
    client.enrol("door", "ana", [stubs.picture(stubs.RED)])
    path = tmp_path / "door.mp4"
    write_video(stubs.frames([[stubs.RED], [stubs.BLUE]], 20, 10.0), path, fps=10.0)
    job = client.watch("door", path, fmr=0.01)
    seen = list(client.sightings(job, pause=0.05))
    assert {one["subject"] for one in seen} >= {"ana"} and client.job(job)["state"] == "done"
    with pytest.raises(NotFound):
        client.job("nothing")
    with pytest.raises(NotAllowed):
        client.watch("door", "rtsp://10.0.0.1/door")
    assert client.cancel(job)["state"] == "done"
