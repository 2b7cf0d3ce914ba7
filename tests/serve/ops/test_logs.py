"""Lines tell what happened, and never of whom."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mien.serve import logs
from mien.serve.service import Service
from mien.serve.settings import Settings

SECRETS = ("Zoë", "%C3%AB", "palace", "colour", "mien_", "where=", "site", "127.0.0.1")


@pytest.fixture
def lines() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Starts to listen in a form; then gives what was logged."""
    before = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()

    def install(form: str = "json") -> list[dict[str, Any]]:
        if not logging.root.handlers or logging.root.handlers == before[0]:
            logs.install(Settings(log_format=form))  # type: ignore[arg-type]
            handler = logging.root.handlers[0]
            assert isinstance(handler, logging.StreamHandler)
            handler.setStream(stream)
        return [json.loads(each) if form == "json" else {"text": each} for each in stream.getvalue().splitlines()]

    yield install
    logging.root.handlers[:], level = before
    logging.root.setLevel(level)
    for name in ("mien", "uvicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_request_is_one_line(lines: Any, http: TestClient, stubs: ModuleType) -> None:
    lines()
    sent = {"content-type": "image/png", "x-request-id": "mine"}
    http.post("/v1/detect", content=stubs.picture(stubs.RED), headers=sent)
    found = [each for each in lines() if each["event"] == "request"]
    assert len(found) == 1
    assert {"id": "mine", "route": "/v1/detect", "status": 200, "method": "POST", "tenant": "default"}.items() <= (
        found[0].items()
    )
    assert len(found[0]["key"]) == 12
    assert found[0]["ms"] > 0


def test_names_keys_and_questions_are_never_in_a_line(
    lines: Any, http: TestClient, service: Service, stubs: ModuleType
) -> None:
    lines()
    palace = service.galleries.create("default", "palace")
    service.engine.enrol(palace, "Zoë", [stubs.picture(stubs.RED)])
    files = {"image": ("Zoë.png", stubs.picture(stubs.RED), "image/png")}
    http.post("/v1/galleries/palace/identify", files=files)
    http.get("/v1/galleries/palace/subjects/Zoë")
    http.get("/v1/galleries/palace/subjects", params={"containing": "Zoë"})
    http.get("/v1/galleries/palace/subjects/Zoë/samples")
    http.post("/v1/galleries/palace/identify?where=site", files=files)
    http.get("/v1/Zoë")
    http.delete("/v1/galleries/palace/subjects/Zoë")
    http.get("/v1/detect", headers={"authorization": "Bearer mien_abc_def"})
    service.galleries.open = lambda *_: {}["Zoë"]  # type: ignore[method-assign, index]
    http.post("/v1/galleries/palace/identify", files=files)
    found = lines()
    assert len(found) > 8
    text = "\n".join(json.dumps(each, ensure_ascii=False) for each in found)
    assert not [each for each in SECRETS if each in text]


def test_a_failure_says_where_and_not_what(lines: Any) -> None:
    lines()
    try:
        raise ValueError("Zoë is at the palace")
    except ValueError:
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\nZoë", exc_info=True)
    (found,) = lines()
    assert found["failure"] == "ValueError"
    assert any("test_logs.py" in each for each in found["at"])
    assert "Zoë" not in json.dumps(found, ensure_ascii=False)


def test_plain_lines_are_for_people(lines: Any, http: TestClient) -> None:
    lines("plain")
    http.get("/v1/keys")
    assert "route=/v1/keys status=200" in lines("plain")[-1]["text"]


def test_probes_are_not_worth_a_line(lines: Any, http: TestClient) -> None:
    lines()
    for path in ("/health", "/ready", "/metrics"):
        http.get(path)
    assert not [each for each in lines() if each["event"] == "request"]
