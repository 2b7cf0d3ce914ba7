"""Whatever the OpenAPI description allows, and whatever it does not: no request makes the service fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.transport import Response

from mien.serve.app import build
from mien.serve.settings import Settings


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, stubs: ModuleType) -> Iterator[schemathesis.BaseSchema]:
    """The service as it describes itself, with a gallery and an admin's key."""
    given = {"data": tmp_path_factory.mktemp("fuzz"), "rate": 10_000, "burst": 10_000}
    app: FastAPI = build(Settings(**given), stubs.engine())
    service = app.state.service
    service.engine.enrol(service.galleries.create("default", "people"), "ana", [stubs.picture(stubs.RED)])
    with stubs.listening(app) as url:
        key = service.keys.make("fuzz", "admin", "default")
        schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json")
        schema.config.update(headers={"authorization": f"Bearer {key}"})
        yield schema


def answers_well(context: CheckContext, response: Response, case: schemathesis.Case) -> None:
    """A refusal is problem+json with a sentence, and tells nothing of the inside."""
    if response.status_code >= 400:
        kind = response.headers["content-type"][0]
        assert kind.startswith("application/problem+json"), f"{response.status_code} came as {kind}"
        found = json.loads(response.content)
        assert found["detail"] and found["status"] == response.status_code
        assert "Traceback" not in response.text and str(Path(__file__).parents[2]) not in response.text


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_no_request_makes_it_fail(described: schemathesis.BaseSchema, mode: schemathesis.GenerationMode) -> None:
    seen: Counter[int] = Counter()
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def calls(case: schemathesis.Case) -> None:
            seen[case.call_and_validate(checks=[not_a_server_error, answers_well]).status_code] += 1

        with suppress(Unsatisfiable):  # a route that takes nothing cannot be asked wrongly
            calls()
    assert seen.total() > 20 and len(seen) > 1, seen
