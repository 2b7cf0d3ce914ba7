"""The page of routes is what the service says of itself: a route that changes shows in review."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi.testclient import TestClient

TOOL = Path(__file__).parents[2] / "tools" / "rest_reference.py"


def test_the_reference_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("rest_reference", TOOL)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.PAGE.read_text(encoding="utf8") == tool.page(), "run `make docs`"


def test_every_route_says_what_it_is_for_and_has_a_name_of_its_own(http: TestClient) -> None:
    described = http.get("/v1/openapi.json").json()
    operations = [one for methods in described["paths"].values() for one in methods.values()]
    assert len(operations) > 40
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one.get("description") for one in operations)
