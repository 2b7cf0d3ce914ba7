"""A service in this process, with an engine of colours (see `stubs`)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from mien.serve.app import build
from mien.serve.service import Service
from mien.serve.settings import Settings


def _stubs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("serve_stubs", Path(__file__).with_name("stubs.py"))
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["serve_stubs"] = made
    spec.loader.exec_module(made)
    return made


STUBS = _stubs()


@pytest.fixture(scope="session")
def stubs() -> ModuleType:
    """`stubs.py`: picture(), engine(), RED, GREEN, BLUE."""
    return STUBS


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., FastAPI]:
    """Makes an application in a folder of its own; settings by name."""

    def make(**given: Any) -> FastAPI:
        return build(Settings(**({"data": tmp_path / "service"} | given)), STUBS.engine())

    return make


@pytest.fixture
def app(make_app: Callable[..., FastAPI]) -> FastAPI:
    return make_app()


@pytest.fixture
def service(app: FastAPI) -> Service:
    """The service behind `app`, for looking inside."""
    found: Service = app.state.service
    return found


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    """A client with an admin's key of the default tenant."""
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "admin", "default")
        yield client


@pytest.fixture
def key(service: Service) -> Callable[..., dict[str, str]]:
    """Headers with a new key of a role (and tenant)."""

    def make(role: Any = "reader", tenant: str = "default") -> dict[str, str]:
        return {"authorization": "Bearer " + service.keys.make(role, role, tenant)}

    return make
