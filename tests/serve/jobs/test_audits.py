"""Audits and calibrations as jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from mien import Sample, Template
from mien.audit.listing import AUDITS
from mien.serve.jobs import datasets

COLOURS = [(220, 40, 40), (40, 220, 40), (40, 40, 220), (220, 220, 40), (40, 220, 220), (220, 40, 220)]


@pytest.fixture
def sets(tmp_path: Path, stubs: ModuleType) -> Path:
    """A folder with the data set "site": six people of three pictures, a picture of nobody, and their groups."""
    root = tmp_path / "sets"
    rows = ["subject,site"]
    for number, colour in enumerate(COLOURS):
        folder = root / "site" / f"person {number}"
        folder.mkdir(parents=True)
        for shot in range(3):
            (folder / f"{shot}.png").write_bytes(stubs.picture(colour, noise=10 * number + shot + 1))
        rows.append(f"person {number},{'north' if number % 2 else 'south'}")
    (root / "site" / "person 0" / "nobody.png").write_bytes(stubs.picture((0, 0, 0)))
    (root / "site" / datasets.LABELS).write_text("\n".join(rows))
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    return root


@pytest.fixture
def client(make_app: Callable[..., FastAPI], sets: Path) -> Any:
    app = make_app(datasets=sets)
    with TestClient(app) as one:
        one.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "operator", "default")
        yield one


def done(client: TestClient, **asked: Any) -> dict[str, Any]:
    made = client.post("/v1/jobs", json=asked)
    assert made.status_code == 202, made.text
    until = time.monotonic() + 60
    while time.monotonic() < until:
        job: dict[str, Any] = client.get(f"/v1/jobs/{made.json()['id']}").json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def test_an_audit_of_a_data_set(client: TestClient, sets: Path) -> None:
    job = done(client, kind="audit", audit="verification", data="site", rounds=20)
    assert job["state"] == "done", job["problem"]
    result = job["result"]
    assert result["metrics"]["FTA"]["value"] == pytest.approx(1 / 19, abs=1e-6)  # the picture of nobody stays in
    assert {one["kind"] for one in result["problems"]} >= {"failed_capture"}
    page = client.get(f"/v1/jobs/{job['id']}/report")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "script" not in page.headers["content-security-policy"] and "<script" not in page.text
    assert str(sets) not in page.text + json.dumps(job)
    assert client.get(f"/v1/jobs/{job['id']}/timeline").status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quality", "detection", "fairness"])
def test_other_audits(client: TestClient, name: str) -> None:
    job = done(client, kind="audit", audit=name, data="site", rounds=20)
    assert job["state"] == "done", job["problem"]
    assert job["result"]["headline"]
    assert client.get(f"/v1/jobs/{job['id']}/report").status_code == 200


def test_data_that_can_support_nothing_is_a_problem(client: TestClient, sets: Path, stubs: ModuleType) -> None:
    (sets / "one" / "alone").mkdir(parents=True)
    (sets / "one" / "alone" / "a.png").write_bytes(stubs.picture(stubs.RED))
    job = done(client, kind="audit", audit="identification", data="one", rounds=20)
    assert (job["state"], job["problem"]["type"]) == ("failed", "EvidenceError")
    assert client.get(f"/v1/jobs/{job['id']}/report").status_code == 404


def test_which_audits_and_data_there_are(client: TestClient) -> None:
    found = client.get("/v1/audits").json()
    assert [one["name"] for one in found["items"]] == list(AUDITS)
    assert {one["name"] for one in found["items"] if one["job"]} == set(datasets.AUDITS)
    assert found["datasets"] == ["link", "site"]


def test_only_names_of_data_sets_are_taken(client: TestClient, sets: Path, http: TestClient) -> None:
    names = [
        "../outside",
        "..",
        ".",
        "",
        "/etc",
        "site/..",
        "site/person 0",
        str(sets / "site"),
        "none",
        "a\0b",
    ]
    for name in names:
        answer = client.post("/v1/jobs", json={"kind": "audit", "audit": "quality", "data": name})
        assert answer.status_code in (404, 422), (name, answer.text)
    wrong: list[dict[str, Any]] = [
        {"audit": "nonsense"}, {"rounds": 1}, {"rounds": 10**9}, {"rounds": "many"}, {"pad": -1}, {"pad": [1]}, {"seed": 0.5},
    ]  # fmt: skip
    for one in wrong:
        answer = client.post("/v1/jobs", json={"kind": "audit", "audit": "quality", "data": "site"} | one)
        assert answer.status_code == 400, (one, answer.text)
    assert client.get("/v1/jobs").json()["items"] == []
    assert http.post("/v1/jobs", json={"kind": "audit", "audit": "quality", "data": "site"}).status_code == 400


def test_a_gallery_is_calibrated(client: TestClient, make_app: Callable[..., FastAPI]) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(120, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery = service.galleries.create("default", "crowd")
    gallery.enrol_many([(f"p{row // 2}", [Sample(Template(vector, "colours"))]) for row, vector in enumerate(vectors)])
    job = done(client, kind="calibrate", gallery="crowd", fmr=[0.01], fpir=0.1)
    assert job["state"] == "done", job["problem"]
    assert (job["result"]["people"], job["result"]["templates"], job["result"]["kept"]) == (60, 120, False)
    assert gallery.points == ()
    page = client.get(f"/v1/jobs/{job['id']}/report").text
    assert "60 people" in page and "Nothing was kept" in page
    kept = done(client, kind="calibrate", gallery="crowd", fmr=[0.01], fpir=[0.1], keep=True)
    assert kept["result"]["kept"] is True
    assert [round(one.threshold, 6) for one in gallery.points] == [one["threshold"] for one in kept["result"]["points"]]
    assert any(one.fmr == 0.01 for one in gallery.points)
    for wrong in ({"fmr": [2]}, {"fmr": "often"}, {"keep": "perhaps"}, {"sizes": [0]}, {"gallery": "none"}):
        answer = client.post("/v1/jobs", json={"kind": "calibrate", "gallery": "crowd"} | wrong)
        assert answer.status_code in (400, 404), (wrong, answer.text)


def test_two_few_people_to_calibrate(client: TestClient) -> None:
    client.app.state.service.galleries.create("default", "nobody")  # type: ignore[attr-defined]
    job = done(client, kind="calibrate", gallery="nobody")
    assert (job["state"], job["problem"]["type"]) == ("failed", "EvidenceError")
