"""A gallery with a way to enrol into it over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

S = "/v1/galleries/people/subjects"


@pytest.fixture
def people(http: TestClient) -> str:
    """A gallery called people, empty."""
    assert http.post("/v1/galleries", json={"name": "people"}).status_code == 201
    return "people"


@pytest.fixture
def enrol(http: TestClient, people: str, stubs: ModuleType) -> Callable[..., dict[str, Any]]:
    """enrol(name, colour, noise…): the answer's body; further fields by name."""

    def make(name: str, colour: tuple[int, int, int], *noises: int, **fields: Any) -> dict[str, Any]:
        files = [("image", (f"{noise}.png", stubs.picture(colour, noise=noise))) for noise in noises or (0,)]
        data = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
        answer = http.post(f"{S}/{quote(name, safe='')}/samples", files=files, data=data)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    return make
