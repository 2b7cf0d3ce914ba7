"""Live sources: a camera that is watched until the job is cancelled, and goes nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from mien.media import video
from mien.serve.jobs.relay import Answers


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "RETRY_WAITS", (0.05, 0.05))


@contextmanager
def watching(app: FastAPI, stubs: ModuleType, source: str) -> Iterator[tuple[TestClient, str]]:
    """A client, and the id of a job that watches `source`."""
    service = app.state.service
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + service.keys.make("tests", "operator", "default")
        people = service.galleries.create("default", "people")
        service.engine.enrol(people, "Red", [stubs.picture(stubs.RED)])
        service.engine.enrol(people, "Blue", [stubs.picture(stubs.BLUE)])
        made = client.post("/v1/jobs", json={"kind": "video", "gallery": "people", "source": source})
        assert made.status_code == 202, made.text
        assert made.json()["live"] is True
        yield client, made.json()["id"]


def until(true: Callable[[], Any], seconds: float = 15.0) -> Any:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := true():
            return found
        time.sleep(0.03)
    raise AssertionError("waited in vain")


def test_a_camera_is_watched_until_the_job_is_cancelled(
    make_app: Callable[..., FastAPI], stubs: ModuleType, camera: Callable[..., Any]
) -> None:
    nobody = (0, 0, 0)
    with camera((stubs.RED, nobody), (nobody, nobody), (nobody, stubs.BLUE), each=20, seconds=1.5) as one:
        app = make_app(sources=(f"rtsp://me:secret@127.0.0.1:{one.port}/",))
        with watching(app, stubs, f"rtsp://127.0.0.1:{one.port}/door") as (client, job):
            seen = until(lambda: client.get(f"/v1/jobs/{job}/timeline").json()["items"])
            assert seen[0]["subject"] == "Red" and seen[0]["seen"].startswith("20")
            state = client.get(f"/v1/jobs/{job}").json()
            assert (state["state"], state["eta"], state["progress"]) == ("running", None, 0.0)
            assert "secret" not in str(state) and state["asked"]["source"] == f"rtsp://127.0.0.1:{one.port}/door"
            time.sleep(0.5)
            assert client.delete(f"/v1/jobs/{job}").json()["state"] == "cancelled"
            one.__exit__()
            until(lambda: app.state.service.runner.busy == 0)
            names = [each["subject"] for each in client.get(f"/v1/jobs/{job}/timeline").json()["items"]]
            assert names[0] == "Red"
            assert client.get(f"/v1/jobs/{job}").json()["problem"] is None
    assert any(line.startswith("PLAY") for line in one.asked)


def test_a_slow_machine_sees_a_camera_as_of_now(
    make_app: Callable[..., FastAPI], stubs: ModuleType, camera: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with camera((stubs.RED,), (stubs.BLUE,), each=30, seconds=2.0) as one:  # 6 s of video in 2 s
        app = make_app(sources=("rtsp://127.0.0.",))
        detect, looked = app.state.service.engine.detector.detect, []

        def slow(pictures: Any) -> Any:
            time.sleep(0.2)
            looked.append(pictures[0].time)
            return detect(pictures)

        monkeypatch.setattr(app.state.service.engine.detector, "detect", slow)
        with watching(app, stubs, f"rtsp://127.0.0.1:{one.port}/door") as (client, job):
            until(lambda: looked and looked[-1] > 4.0)
            assert len(looked) < 25  # of 40
            # And a job whose camera says nothing more is cancelled at once.
            time.sleep(1.0)
            client.delete(f"/v1/jobs/{job}")
            began = time.monotonic()
            until(lambda: app.state.service.runner.busy == 0)
            assert time.monotonic() - began < 1.5
            names = [each["subject"] for each in client.get(f"/v1/jobs/{job}/timeline").json()["items"]]
            assert names == ["Red", "Blue"]
            one.__exit__()


@pytest.mark.slow
def test_other_jobs_go_on_while_a_camera_is_watched(
    make_app: Callable[..., FastAPI], stubs: ModuleType, camera: Callable[..., Any], film: Callable[..., bytes]
) -> None:
    with camera((stubs.RED,), each=20, seconds=1.0) as one:
        app = make_app(sources=("rtsp://127.0.0.",))
        with watching(app, stubs, f"rtsp://127.0.0.1:{one.port}/door") as (client, job):
            until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "running")
            other = client.post("/v1/jobs", data={"gallery": "people"}, files={"video": film((stubs.BLUE,))}).json()[
                "id"
            ]
            until(lambda: client.get(f"/v1/jobs/{other}").json()["state"] == "done")
            assert client.get(f"/v1/jobs/{job}").json()["state"] == "running"
            client.delete(f"/v1/jobs/{job}")
            one.__exit__()


def test_a_camera_that_points_elsewhere_is_not_followed(
    make_app: Callable[..., FastAPI], stubs: ModuleType, camera: Callable[..., Any]
) -> None:
    with camera((stubs.RED,)) as inside, camera(elsewhere=f"rtsp://127.0.0.1:{inside.port}/secret") as one:
        app = make_app(sources=(f"rtsp://127.0.0.1:{one.port}/",))
        with watching(app, stubs, f"rtsp://127.0.0.1:{one.port}/door") as (client, job):
            until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "failed")
            problem = client.get(f"/v1/jobs/{job}").json()["problem"]
    assert "not followed" in problem["detail"] and f":{one.port}/door" in problem["detail"]
    assert inside.asked == []


def test_a_camera_that_is_not_there(make_app: Callable[..., FastAPI], stubs: ModuleType) -> None:
    app = make_app(sources=("rtsp://127.0.0.1:9/",))
    with watching(app, stubs, "rtsp://127.0.0.1:9/door") as (client, job):
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "failed")
        assert client.get(f"/v1/jobs/{job}").json()["problem"]["detail"].startswith("rtsp://127.0.0.1:9/door")


def test_a_source_that_is_not_listed_is_refused_at_once(make_app: Callable[..., FastAPI]) -> None:
    app = make_app(sources=("rtsp://127.0.0.1/",))
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "operator", "default")
        app.state.service.galleries.create("default", "people")
        for source in ("rtsp://127.0.0.2:554/", "/etc/passwd", "file:///etc/passwd", "camera:0", "tcp://127.0.0.1:80"):
            made = client.post("/v1/jobs", json={"kind": "video", "gallery": "people", "source": source})
            assert made.status_code in (400, 403)
        assert client.get("/v1/jobs").json()["items"] == []


_SAID = [
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
    b"RTSP/1.0 200 OK\r\nContent-Length: 24\r\n\r\nRTSP/1.0 302 no header\r\n",
    b"$\0\0\x19RTSP/1.0 302 Moved\r\n\r\n\0\0\0",
    b"$\x01\0\0",
]


@given(st.lists(st.sampled_from(_SAID), max_size=6), st.booleans(), st.lists(st.integers(1, 40), max_size=40))
def test_what_points_elsewhere_is_seen_however_it_is_cut(said: list[bytes], moved: bool, cuts: list[int]) -> None:
    data = b"".join(said) + (b"RTSP/1.0 301 Moved\r\nLocation: rtsp://x/\r\n\r\n" if moved else b"")
    answers, harmless, start = Answers(), True, 0
    for length in [*cuts, len(data)]:
        harmless = harmless and answers.harmless(data[start : start + length])
        start += length
    assert harmless is not moved


@pytest.mark.parametrize(
    "said",
    [
        b"RTSP/1.0 302 Moved\nLocation: rtsp://x/\n\n",
        b"\r\nRTSP/1.0 302 Moved\r\n",
        b"rtsp/1.0  307 Moved\r\n",
        b"REDIRECT rtsp://x/ RTSP/1.0\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\nContent-Length: 50\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_answers_that_are_not_let_through(said: bytes) -> None:
    assert not Answers().harmless(said)
