"""Videos as jobs: uploaded, identified, told of as a timeline."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from mien.serve.erasing import forgotten
from mien.serve.jobs.work import Work
from mien.serve.routes import jobs
from mien.serve.service import Service

Wait = Callable[..., dict[str, Any]]


def test_who_was_seen_when(
    http: TestClient, service: Service, people: str, film: Callable[..., bytes], stubs: ModuleType, ended: Wait
) -> None:
    nobody = (0, 0, 0)
    data = film((stubs.RED, nobody), (nobody, stubs.GREEN), (stubs.BLUE, nobody))
    made = http.post("/v1/jobs", data={"kind": "video", "gallery": people}, files={"video": ("door.mp4", data)})
    assert made.status_code == 202, made.text
    job = ended(made.json()["id"])
    assert (job["state"], job["progress"], job["problem"]) == ("done", 1.0, None)
    assert job["result"] == {"seen": 3, "accept": 2, "reject": 1, "abstain": 0, "seconds": pytest.approx(3.5)}
    line = http.get(f"/v1/jobs/{job['id']}/timeline").json()
    assert [(one["verdict"], one["subject"]) for one in line["items"]] == [
        ("accept", "Red"),
        ("reject", None),
        ("accept", "Blue"),
    ]
    assert line["next"] is None
    first = line["items"][0]
    assert 0 <= first["span"][0] < first["span"][1] <= 1.2
    assert first["score"] > 0.95 and first["reasons"] and first["matches"][0]["subject"] == "Red"
    picture = http.get(f"/v1/jobs/{job['id']}/timeline/{first['id']}/image")
    assert picture.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(picture.content)).size) <= 256
    assert http.get(f"/v1/jobs/{job['id']}/timeline/{first['id'][:-1]}99/image").status_code == 404
    assert http.get(f"/v1/jobs/{job['id']}/report").status_code == 404
    assert not (service.jobs.folder(job["id"]) / "upload").exists()
    text = http.get(f"/v1/jobs/{job['id']}/timeline").text + http.get(f"/v1/jobs/{job['id']}").text
    assert str(service.settings.data) not in text and "upload" not in text


def test_a_video_cut_short_is_told_with_what_was_seen(
    http: TestClient, service: Service, people: str, film: Callable[..., bytes], stubs: ModuleType, ended: Wait
) -> None:
    data = film((stubs.RED,), (stubs.BLUE,), each=40)
    made = http.post(
        "/v1/jobs", data={"gallery": people}, files={"video": data[: (data.index(b"mdat") + len(data)) // 2]}
    )
    job = ended(made.json()["id"])
    assert job["state"] == "failed"
    assert job["problem"]["type"] == "UnreadableMedia"
    assert job["problem"]["detail"].startswith("The video is cut short")
    assert str(service.settings.data) not in str(job)
    assert job["result"]["seen"] >= 1
    assert http.get(f"/v1/jobs/{job['id']}/timeline").json()["items"]


REFUSED: list[tuple[dict[str, str], bytes | None, int]] = [
    ({"gallery": "people"}, b"", 400),
    ({"gallery": "people"}, b"no video at all, whatever it is called", 422),
    ({"gallery": "nobody"}, None, 404),
    ({}, None, 422),
    ({"gallery": "people", "fmr": "often"}, None, 400),
    ({"gallery": "people", "where": "(("}, None, 400),
    ({"gallery": "people", "fmr": "1e-9"}, None, 422),
    ({"gallery": "people", "colour": "red"}, None, 400),
    ({"gallery": "people", "source": "rtsp://10.0.0.1/"}, None, 400),
    ({"gallery": "people", "kind": "nonsense"}, None, 400),
    ({"gallery": "people", "kind": "calibrate"}, None, 400),
    ({"gallery": "../people"}, None, 422),
]


def test_what_cannot_be_a_job_is_refused_and_leaves_nothing(
    http: TestClient, service: Service, people: str, film: Callable[..., bytes], stubs: ModuleType
) -> None:
    good = film((stubs.RED,), each=3)
    for fields, file, status in REFUSED:
        answer = http.post("/v1/jobs", data=fields, files={"video": ("a.mp4", good if file is None else file)})
        assert answer.status_code == status, (fields, answer.text)
        assert str(service.settings.data) not in answer.text
    picture = http.post("/v1/jobs", data={"gallery": people}, files={"video": ("a.mp4", stubs.picture(stubs.RED))})
    assert picture.status_code == 422 and "picture" in picture.json()["detail"]
    head = b'--x\r\nContent-Disposition: form-data; name="gallery"\r\n\r\npeople'
    for body in (b"", b"--x\r\n", head, b"nonsense" * 100):
        form = {"content-type": "multipart/form-data; boundary=x"}
        assert http.post("/v1/jobs", content=body, headers=form).status_code == 422
    home = service.settings.data / "jobs"
    assert not home.exists() or not list(home.iterdir())
    assert http.get("/v1/jobs").json()["items"] == []


def test_too_long_a_video_is_refused_while_it_comes(make_app: Callable[..., FastAPI], tmp_path: Path) -> None:
    app = make_app(max_video_bytes=100_000)
    head = b'--x\r\nContent-Disposition: form-data; name="video"; filename="v"\r\n\r\n'
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "admin", "default")
        for start, kind in ((b"", "video/mp4"), (head, "multipart/form-data; boundary=x")):
            answer = client.post("/v1/jobs", content=start + b"\0" * 100_001, headers={"content-type": kind})
            assert answer.status_code == 413 and answer.json()["detail"].startswith("The video is longer")
    assert not list((tmp_path / "service" / "jobs").glob("*"))


def test_a_job_is_cancelled_within_a_second(
    http: TestClient, service: Service, people: str, film: Callable[..., bytes], stubs: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    step = Work.step

    def slow(self: Work, progress: float | None = None) -> None:
        time.sleep(0.08)
        step(self, progress)

    monkeypatch.setattr(Work, "step", slow)
    made = http.post("/v1/jobs", data={"gallery": people}, files={"video": film((stubs.RED,), each=120)}).json()
    while http.get(f"/v1/jobs/{made['id']}").json()["progress"] < 0.01:
        time.sleep(0.02)
    running = http.get(f"/v1/jobs/{made['id']}").json()
    assert running["state"] == "running"
    assert running["eta"] is None or running["eta"] > 5
    began = time.monotonic()
    assert http.delete(f"/v1/jobs/{made['id']}").json()["state"] == "cancelled"
    while service.runner.busy:
        time.sleep(0.01)
    assert time.monotonic() - began < 1.0
    job = http.get(f"/v1/jobs/{made['id']}").json()
    assert job["state"] == "cancelled" and job["problem"] is None and job["result"]["seen"] == 1
    assert [one["subject"] for one in http.get(f"/v1/jobs/{made['id']}/timeline").json()["items"]] == ["Red"]
    assert not (service.jobs.folder(made["id"]) / "upload").exists()
    assert http.delete(f"/v1/jobs/{made['id']}").json()["state"] == "cancelled"  # once more is no error
    assert http.delete(f"/v1/jobs/{made['id']}?erase=true").status_code == 200
    assert http.get(f"/v1/jobs/{made['id']}").status_code == 404
    assert not service.jobs.folder(made["id"]).exists()


def test_whoever_is_forgotten_is_out_of_the_timelines(
    http: TestClient, service: Service, people: str, film: Callable[..., bytes], stubs: ModuleType, ended: Wait
) -> None:
    from mien.serve.access import Caller

    data, bare = film((stubs.RED,), (stubs.BLUE,)), {"content-type": "video/mp4"}
    job = ended(http.post(f"/v1/jobs?kind=video&gallery={people}", content=data, headers=bare).json()["id"])
    before = http.get(f"/v1/jobs/{job['id']}/timeline").json()["items"]
    red = next(one for one in before if one["subject"] == "Red")
    key = http.headers["authorization"].split("_")[1]
    forgotten(service, Caller(key, "tests", "admin", "default"), people, "Red")
    after = http.get(f"/v1/jobs/{job['id']}/timeline").text
    assert "Blue" in after and "Red" not in after
    assert http.get(f"/v1/jobs/{job['id']}/timeline/{red['id']}/image").status_code == 404
    held = b"".join(path.read_bytes() for path in service.jobs.folder(job["id"]).rglob("*") if path.is_file())
    assert b'"Red"' not in held


def test_jobs_are_the_tenants_own_and_for_roles(
    http: TestClient, people: str, film: Callable[..., bytes], stubs: ModuleType, ended: Wait, key: Callable[..., Any]
) -> None:
    data = film((stubs.RED,), each=4)
    made = http.post("/v1/jobs", data={"gallery": people}, files={"video": data}).json()
    ended(made["id"])
    for path in ("", "/timeline", "/report", "/timeline/1-0/image"):
        assert http.get(f"/v1/jobs/{made['id']}{path}", headers=key("admin", "other")).status_code == 404
    assert http.delete(f"/v1/jobs/{made['id']}?erase=true", headers=key("admin", "other")).status_code == 404
    assert http.get("/v1/jobs", headers=key("admin", "other")).json()["items"] == []
    foreign = {"kind": "video", "gallery": people, "source": "rtsp://10.0.0.1/"}
    assert http.post("/v1/jobs", json=foreign, headers=key("admin", "other")).status_code == 404
    assert http.post("/v1/jobs", json={}, headers=key("reader")).status_code == 403
    assert http.delete(f"/v1/jobs/{made['id']}", headers=key("reader")).status_code == 403
    assert http.get(f"/v1/jobs/{made['id']}", headers=key("reader")).status_code == 200


def test_an_upload_that_is_cut_off_leaves_nothing(app: FastAPI, service: Service, stubs: ModuleType) -> None:
    key = service.keys.make("tests", "operator", "default")
    home = service.settings.data / "jobs"
    with stubs.listening(app) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as line:
            head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: video/mp4\r\n"
            line.sendall(f"{head}Content-Length: 5000000\r\n\r\n".encode() + b"\0" * 1_000_000)
            until = time.monotonic() + 10
            while not list(home.glob("*/upload")) and time.monotonic() < until:
                time.sleep(0.02)
            assert list(home.glob("*/upload"))
        until = time.monotonic() + 10
        while list(home.glob("*")) and time.monotonic() < until:
            time.sleep(0.02)
        assert not list(home.glob("*"))


def test_a_tenant_may_not_fill_the_disk(http: TestClient, service: Service) -> None:
    service.runner.stop(5)
    most = service.settings.max_video_bytes
    for number in range(jobs.VIDEOS):
        service.jobs.make(f"{number}", ("default", "k"), "video", {"gallery": "gone", "bytes": most})
    answer = http.post("/v1/jobs", json={"kind": "video"})
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0
    service.jobs.cancel("default", "0")
    assert http.post("/v1/jobs", json={"kind": "video"}).status_code == 422


def test_a_job_asked_for_twice_under_one_key_is_one(
    http: TestClient, people: str, film: Callable[..., bytes], stubs: ModuleType
) -> None:
    data, key = film((stubs.RED,), each=3), {"idempotency-key": "k1"}
    made = [http.post("/v1/jobs", data={"gallery": people}, files={"video": data}, headers=key) for _ in range(2)]
    assert [one.status_code for one in made] == [202, 202]
    assert made[0].json()["id"] == made[1].json()["id"]
    assert len(http.get("/v1/jobs").json()["items"]) == 1


def test_pages_of_jobs(http: TestClient, service: Service) -> None:
    made = [
        service.jobs.make(service.jobs.new_id(), ("default", "k"), "video", {"gallery": "gone"}).id for _ in range(5)
    ]
    seen, cursor = [], None
    for _ in range(3):
        page = http.get("/v1/jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert seen == made[::-1] and cursor is None
    assert http.get("/v1/jobs?cursor=nonsense").status_code == 422


ODD: list[Any] = [None, True, 5, 10**400, -1.5, [1], {"a": 1}, "", "x", "\ud800", "a\0b", "é" * 300]
FIELDS = {
    "video": ["kind", "gallery", "source", "hook", "fmr", "where"],
    "audit": ["audit", "data", "pad", "rounds", "seed"],
    "calibrate": ["keep", "sizes", "fpir"],
}


def test_nothing_that_is_json_makes_it_fail(make_app: Callable[..., FastAPI], tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    app = make_app(rate=1e6, burst=10**6, datasets=tmp_path / "sets", sources=("rtsp://127.0.0.",))
    json_ = {"content-type": "application/json"}
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "operator", "default")
        app.state.service.galleries.create("default", "people")
        for kind, names in FIELDS.items():
            for name in names:
                for value in ODD:
                    asked = {"kind": kind, name: value} | ({"audit": "quality"} if name == "data" else {})
                    asked |= {"gallery": "people"} if "gallery" in names and name != "gallery" else {}
                    asked |= (
                        {"audit": "quality", "data": "x"} if kind == "audit" and name not in ("audit", "data") else {}
                    )
                    answer = client.post("/v1/jobs", content=json.dumps(asked), headers=json_)
                    assert answer.status_code in (202, 400, 403, 404, 422), (asked, answer.text)
        for text in ("NaN", '{"kind": NaN}', "[" * 100_000, "{}", '"x"', ""):
            assert client.post("/v1/jobs", content=text, headers=json_).status_code in (400, 413, 422)
