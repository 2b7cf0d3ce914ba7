"""A gallery with a way to enrol into it over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

S = "/v1/galleries/people/subjects"


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory where the system has a folder for that: a service waits for the disk often, and there it need not."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory, prefix="mien-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


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
