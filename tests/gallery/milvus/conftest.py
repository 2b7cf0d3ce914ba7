"""Servers for the tests here; started once, and only when a test asks."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="session")
def milvus() -> ModuleType:
    """The module beside this file: Server, Lite, Galleries."""
    spec = importlib.util.spec_from_file_location("milvus_for_tests", Path(__file__).with_name("server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["milvus_for_tests"] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def server(milvus: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real server; one that runs already where MIEN_TEST_MILVUS names it, such as milvus://127.0.0.1:19530."""
    running = os.environ.get("MIEN_TEST_MILVUS")
    if running:
        yield SimpleNamespace(address=running, process=None)
        return
    started = milvus.Server(tmp_path_factory.mktemp("milvus"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def lite(milvus: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """milvus-lite."""
    started = milvus.Lite(tmp_path_factory.mktemp("lite") / "data")
    yield started
    started.kill()


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.slow)])
def galleries(request: pytest.FixtureRequest, milvus: ModuleType) -> Iterator[Any]:
    """Fresh galleries, on milvus-lite and, where slow tests are run, on the real server."""
    made = milvus.Galleries(request.getfixturevalue(request.param).address)
    yield made
    made.drop()
