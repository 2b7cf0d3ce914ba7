"""Numbers are those of what happened, and add up over processes."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from mien.serve.service import Service


def numbers(text: str) -> dict[tuple[str, ...], float]:
    """(sample, label values…) -> value; also checks that the page can be read."""
    return {
        (one.name, *(value for key, value in sorted(one.labels.items()) if key != "process")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_what_was_asked_is_counted(http: TestClient, service: Service, stubs: ModuleType) -> None:
    people = service.galleries.create("default", "people")
    service.engine.enrol(people, "ana", [stubs.picture(stubs.RED)])
    two = stubs.picture(stubs.RED, stubs.GREEN)
    for _ in range(3):
        assert http.post("/v1/galleries/people/identify", files={"image": two}).status_code == 200
    http.post("/v1/detect", files={"image": two})
    http.get("/v1/galleries/nobody")
    http.get("/v1/nothing/there")
    admin = http.get("/metrics")
    assert admin.headers["content-type"].startswith("text/plain")
    found = numbers(admin.text)
    assert found["mien_requests_total", "POST", "/v1/galleries/{gallery}/identify", "200"] == 3
    assert found["mien_requests_total", "GET", "none", "404"] == 1
    assert found["mien_request_seconds_count", "/v1/detect"] == 1
    assert found["mien_decisions_total", "accept"] == 3
    assert found["mien_decisions_total", "reject"] == 3
    assert found["mien_faces_total",] == 8
    assert found["mien_batch_size_sum",] == 4
    assert found["mien_queue_seconds_count",] == 4
    assert found["mien_search_seconds_count",] >= 3
    assert found["mien_engine_seconds_total",] > 0
    assert found["mien_gallery_subjects", "people", "default"] == 1
    assert found["mien_ready",] == 1
    assert ("process_resident_memory_bytes",) in found


def test_a_queue_that_is_full_is_counted(service: Service) -> None:
    service.lines._watch.full()
    assert numbers(service.metrics.text()[0].decode())["mien_refused_total",] == 1


def test_made_up_methods_and_paths_make_no_series(http: TestClient) -> None:
    for number in range(5):
        http.request(f"MAKE{number}", f"/v1/{number}")
    found = numbers(http.get("/metrics").text)
    assert found["mien_requests_total", "OTHER", "none", "404"] == 5


def test_processes_are_told_apart_and_never_go_back(make_app: Any, tmp_path: Path) -> None:
    apps = [make_app(processes=2) for _ in range(2)]
    for number, each in enumerate(apps):
        each.state.service.process = number
        each.state.service.metrics.request("/v1/detect", "POST", 200, 0.01 * (number + 1))
    first, second = (each.state.service.metrics for each in apps)
    second._write()
    page = first.text()[0].decode()
    lines = [each for each in page.splitlines() if each.startswith("mien_requests_total{")]
    assert {each.split('process="')[1][0] for each in lines} == {"0", "1"}
    assert page.count("# TYPE mien_requests_total") == 1
    first.request("/v1/detect", "POST", 200, 0.01)  # now the other is asked, and knows of the first what a file says
    assert numbers(second.text()[0].decode()) is not None
    again = [each for each in second.text()[0].decode().splitlines() if each.startswith("mien_requests_total{")]
    assert sorted(again) == sorted(lines)


def test_numbers_of_an_earlier_run_are_not_told(make_app: Any) -> None:
    metrics = make_app(processes=2).state.service.metrics
    metrics._write()
    old = metrics._folder / "1.json"
    text = (metrics._folder / "0.json").read_text().replace(f'"parent": {os.getppid()}', '"parent": 1')
    old.write_text(text)
    assert metrics._read(0) is not None
    assert metrics._read(1) is None
    old.write_text("{half")
    assert metrics._read(1) is None


@pytest.mark.parametrize("form", ["application/openmetrics-text; version=1.0.0", "text/plain", ""])
def test_the_reader_chooses_the_form(http: TestClient, form: str) -> None:
    answer = http.get("/metrics", headers={"accept": form})
    assert answer.status_code == 200
    assert ("openmetrics" in answer.headers["content-type"]) == ("openmetrics" in form)


def test_numbers_are_for_this_machine_or_an_admin(make_app: Any) -> None:
    app = make_app()
    keys = app.state.service.keys

    def asked(where: str, role: Any = None) -> int:
        headers = {"authorization": "Bearer " + keys.make(role, role, "default")} if role else {}
        return TestClient(app, client=(where, 1)).get("/metrics", headers=headers).status_code

    assert (asked("127.0.0.1"), asked("10.1.2.3"), asked("10.1.2.3", "operator"), asked("10.1.2.3", "admin")) == (
        (200, 401, 403, 200)
    )


def test_behind_a_proxy_everybody_looks_local(make_app: Any) -> None:
    with TestClient(make_app(behind_proxy=True), client=("127.0.0.1", 1)) as client:
        assert client.get("/metrics").status_code == 401


def test_health_and_readiness_need_no_key(make_app: Any, service: Service) -> None:
    app = make_app()
    with TestClient(app) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/ready").json() == {"status": "ready", "reasons": []}
        app.state.service.ready = False
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["starting or stopping"])
        assert client.get("/health").status_code == 200
