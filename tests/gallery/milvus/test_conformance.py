"""The conformance suite of all galleries (tests/contract/test_galleries.py), on milvus-lite and on the real server.

Its tests are taken from there, with this `opener`. Those that enrol hundreds one by one are slow here: each enrolment is a
handful of round trips."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SLOW = {
    "test_search_is_exact_ties_included",
    "test_search_is_exact_among_neighbours_a_rounding_apart",
    "test_threads_may_share_one_gallery",
    "test_a_walk_survives_forgetting_on_the_way",
    "test_people_and_samples_come_by_name",
    "test_forget_leaves_the_neighbours_as_they_were",
}


def contract() -> ModuleType:
    path = Path(__file__).parents[2] / "contract" / "test_galleries.py"
    spec = importlib.util.spec_from_file_location("gallery_contract_on_milvus", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


for _name, _value in vars(contract()).items():
    if _name.startswith("test_"):
        globals()[_name] = pytest.mark.slow(_value) if _name in SLOW else _value
    elif _name == "gallery":
        globals()[_name] = _value


@pytest.fixture
def opener(galleries: Any, request: pytest.FixtureRequest) -> Callable[..., Any]:
    if "server" in request.node.callspec.id and "ties_included" in request.node.name:
        pytest.skip("60 new galleries take the server minutes; test_whole.py compares with memory on one")
    open_one: Callable[..., Any] = galleries.open
    return open_one
