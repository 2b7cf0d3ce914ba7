"""The live view over a WebSocket."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from starlette.websockets import WebSocketDisconnect

from mien.errors import Overloaded
from mien.serve.app import build
from mien.serve.routes import live
from mien.serve.service import Service
from mien.serve.settings import Settings

NOBODY = (0, 0, 0)
PATH = "/v1/galleries/people/live"


@pytest.fixture
def shown(stubs: ModuleType) -> Callable[..., bytes]:
    """A JPEG of people; `noise` makes it another picture of them."""

    def make(*people: Any, noise: int = 0) -> bytes:
        tiles = np.array(Image.open(io.BytesIO(stubs.picture(*people))), np.int16)
        faint = np.linspace(-25, 25, 64)[:, None, None] + np.random.default_rng(noise).normal(0, 2, tiles.shape)
        pixels = np.clip(tiles + faint * (tiles.sum(2, keepdims=True) > 0), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=92)
        return file.getvalue()

    return make


@pytest.fixture(scope="module")
def app(stubs: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """One application for all of this file."""
    folder = tmp_path_factory.mktemp("live")
    return build(Settings(data=folder, origins=("https://door.example",)), stubs.engine())


@pytest.fixture(scope="module")
def listening(app: FastAPI, stubs: ModuleType) -> Iterator[TestClient]:
    """It serves the gallery "people" with Red and Blue."""
    with TestClient(app) as one:
        service = app.state.service
        gallery = service.galleries.create("default", "people")
        service.engine.enrol(gallery, "Red", [stubs.picture(stubs.RED)])
        service.engine.enrol(gallery, "Blue", [stubs.picture(stubs.BLUE)])
        yield one


@pytest.fixture
def client(listening: TestClient, service: Service) -> Iterator[TestClient]:
    """Sends no key; a reader's is in `key`."""
    listening.key = service.keys.make("live", "reader", "default")  # type: ignore[attr-defined]
    yield listening
    listening.cookies.clear()


def closed(client: TestClient, path: str = PATH, message: Any = None, **given: Any) -> tuple[int, str]:
    """Code and reason that a view is closed with."""
    with client.websocket_connect(path, **given) as socket:
        if message is not None:
            socket.send_json(message)
        with pytest.raises(WebSocketDisconnect) as told:
            socket.receive_json()
    return told.value.code, told.value.reason


def test_faces_are_followed_and_named(client: TestClient, shown: Callable[..., bytes], stubs: ModuleType) -> None:
    with client.websocket_connect(PATH, headers={"authorization": f"Bearer {client.key}"}) as socket:  # type: ignore[attr-defined]
        answers = []
        for number in range(4):
            socket.send_bytes(shown(stubs.RED, NOBODY, stubs.GREEN, noise=number + 1))
            answers.append(socket.receive_json())
    for answer in answers:
        assert set(answer) == {"time", "faces", "dropped"}
        assert [(face["verdict"], face["subject"]) for face in answer["faces"]] == [("accept", "Red"), ("reject", None)]
        assert [face["box"] for face in answer["faces"]] == [[0, 0, 64, 64], [128, 0, 192, 64]]
        assert answer["faces"][0]["reasons"] and answer["faces"][0]["score"] > 0.95
    assert len({answer["faces"][0]["track"] for answer in answers}) == 1
    assert [answer["time"] for answer in answers] == sorted(answer["time"] for answer in answers)


def test_a_track_is_decided_about_every_half_second_only(
    client: TestClient,
    service: Service,
    shown: Callable[..., bytes],
    stubs: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = []
    shots = service.engine.shots
    monkeypatch.setattr(service.engine, "shots", lambda faces: looked.append(len(faces)) or shots(faces))
    with client.websocket_connect(PATH, headers={"authorization": f"Bearer {client.key}"}) as socket:  # type: ignore[attr-defined]
        began = time.monotonic()
        count = 0
        while time.monotonic() - began < 1.3:
            socket.send_bytes(shown(stubs.RED, noise=1 + count % 5))
            socket.receive_json()
            count += 1
    assert count > 8
    assert 2 <= len(looked) <= 3


def test_the_newest_picture_wins(
    client: TestClient,
    service: Service,
    shown: Callable[..., bytes],
    stubs: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detect = service.engine.detector.detect

    def slow(pictures: Any) -> Any:
        time.sleep(0.15)
        return detect(pictures)

    monkeypatch.setattr(service.engine.detector, "detect", slow)
    with client.websocket_connect(PATH, headers={"authorization": f"Bearer {client.key}"}) as socket:  # type: ignore[attr-defined]
        for _ in range(20):
            socket.send_bytes(shown(stubs.RED))
        socket.send_bytes(shown(NOBODY, stubs.BLUE))
        answers = [socket.receive_json()]
        while not answers[-1]["faces"] or answers[-1]["faces"][0]["box"][0] == 0:
            answers.append(socket.receive_json())
    assert len(answers) <= 4
    assert answers[-1]["dropped"] == 21 - len(answers)


def test_a_full_queue_delays_an_answer_and_loses_none(
    client: TestClient,
    service: Service,
    shown: Callable[..., bytes],
    stubs: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, refused = service.lines.run, [1, 2, 3]

    async def full(*given: Any) -> Any:
        if refused:
            refused.pop()
            raise Overloaded("64 requests wait already.")
        return await run(*given)

    monkeypatch.setattr(service.lines, "run", full)
    with client.websocket_connect(PATH, headers={"authorization": f"Bearer {client.key}"}) as socket:  # type: ignore[attr-defined]
        socket.send_bytes(shown(stubs.BLUE))
        answer = socket.receive_json()
    assert answer["faces"][0]["subject"] == "Blue" and answer["dropped"] == 0 and not refused


@pytest.mark.parametrize("how", ["message", "subprotocol", "cookie"])
def test_ways_to_send_the_key(
    client: TestClient, service: Service, shown: Callable[..., bytes], stubs: ModuleType, how: str
) -> None:
    key = client.key  # type: ignore[attr-defined]
    given: dict[str, Any] = {"headers": {"origin": "http://testserver"}}
    if how == "subprotocol":
        given["subprotocols"] = ["mien", key]
    if how == "cookie":
        session = service.sessions.begin(key.split("_")[1], 60)
        client.cookies.set("mien_session", service.sessions.cookie(session))
    with client.websocket_connect(PATH, **given) as socket:
        assert socket.accepted_subprotocol == ("mien" if how == "subprotocol" else None)
        if how == "message":
            socket.send_json({"key": key})
        socket.send_bytes(shown(stubs.BLUE))
        assert socket.receive_json()["faces"][0]["subject"] == "Blue"
    if how == "cookie":
        assert closed(client, headers={"origin": "http://evil.example"})[0] == 4403
        assert closed(client, headers={})[0] == 4403  # a cookie without an origin is no browser's


def test_refusals_have_their_reason(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    good = {"authorization": f"Bearer {client.key}"}  # type: ignore[attr-defined]
    assert closed(client, message={"key": "mien_x_y"}) == (4401, "The key is unknown.")
    assert closed(client, message={})[0] == 4401
    assert closed(client, message=["key"])[0] == 4401
    assert closed(client, headers=good | {"origin": "http://evil.example"})[0] == 4403
    assert closed(client, "/v1/galleries/nobody/live", headers=good)[0] == 4404
    assert closed(client, headers=key("admin", "other"))[0] == 4404
    assert closed(client, PATH + "?fmr=often", headers=good)[0] == 4400


def test_what_is_no_picture_is_told_and_the_view_goes_on(
    client: TestClient, shown: Callable[..., bytes], stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PICTURE", 20_000)
    good = {"authorization": f"Bearer {client.key}"}  # type: ignore[attr-defined]
    with client.websocket_connect(PATH, headers=good) as socket:
        socket.send_bytes(b"no picture")
        assert socket.receive_json()["problem"]["type"] == "UnreadableMedia"
        socket.send_bytes(shown(stubs.BLUE))
        assert socket.receive_json()["faces"][0]["subject"] == "Blue"
        socket.send_bytes(b"\0" * 20_001)
        with pytest.raises(WebSocketDisconnect) as told:
            socket.receive_json()
    assert told.value.code == 1009
    with client.websocket_connect(PATH, headers=good) as socket:
        socket.send_text("hello")
        with pytest.raises(WebSocketDisconnect) as told:
            socket.receive_json()
    assert told.value.code == 4422


def test_a_revoked_key_ends_the_view(
    client: TestClient,
    service: Service,
    shown: Callable[..., bytes],
    stubs: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_LOOK", 0.1)
    key = client.key  # type: ignore[attr-defined]
    with client.websocket_connect(PATH, headers={"authorization": f"Bearer {key}"}) as socket:
        socket.send_bytes(shown(stubs.BLUE))
        socket.receive_json()
        service.keys.revoke(key.split("_")[1])
        with pytest.raises(WebSocketDisconnect) as told:
            socket.receive_json()
    assert told.value.code == 4401 and "revoked" in told.value.reason


def test_a_key_has_so_many_views(client: TestClient) -> None:
    good = {"authorization": f"Bearer {client.key}"}  # type: ignore[attr-defined]
    held = [client.websocket_connect(PATH, headers=good) for _ in range(live.CONNECTIONS)]
    for one in held:
        one.__enter__()
    time.sleep(0.1)
    assert closed(client, headers=good)[0] == 4429
    for one in held:
        one.__exit__(None, None, None)
    until = time.monotonic() + 5
    while live._open and time.monotonic() < until:
        time.sleep(0.02)
    assert not live._open


def test_a_page_that_the_operator_listed_may(
    client: TestClient, shown: Callable[..., bytes], stubs: ModuleType
) -> None:
    given: dict[str, Any] = {"headers": {"origin": "https://door.example"}, "subprotocols": ["mien", client.key]}  # type: ignore[attr-defined]
    with client.websocket_connect(PATH, **given) as one:
        one.send_bytes(shown(stubs.RED))
        assert one.receive_json()["faces"][0]["subject"] == "Red"
