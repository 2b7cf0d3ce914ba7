"""The vendor's own Python client, against a live service whose people are colours. Answers are held to the service model."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.config import Config
from botocore.model import Shape
from fastapi import FastAPI

from mien.serve.app import build
from mien.serve.service import Service
from mien.serve.settings import Settings


def faults(shape: Shape, value: Any, name: str = "answer") -> list[str]:
    """What in an answer (parsed JSON) the service model does not know or allow."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{name} is no structure"]
        unknown = [f"{name}.{member} is unknown" for member in value if member not in shape.members]
        known = [(member, each) for member, each in value.items() if member in shape.members]
        return unknown + [
            told for member, each in known for told in faults(shape.members[member], each, f"{name}.{member}")
        ]
    if kind == "list":
        if not isinstance(value, list):
            return [f"{name} is no list"]
        return [told for place, each in enumerate(value) for told in faults(shape.member, each, f"{name}[{place}]")]
    if kind == "map":
        return [told for each in value.values() for told in faults(shape.value, each, f"{name}[]")]
    limits, wanted = (
        shape.metadata,
        {"string": str, "integer": int, "long": int, "boolean": bool}.get(kind, (int, float)),
    )
    if not isinstance(value, wanted) or (kind != "boolean" and isinstance(value, bool)):
        return [f"{name} is {value!r}, no {kind}"]
    if "enum" in limits and value not in limits["enum"]:
        return [f"{name} is {value!r}, which is no word for it"]
    if kind == "string" and "pattern" in limits and "\\p" not in limits["pattern"]:
        return [] if re.fullmatch(limits["pattern"], value) else [f"{name} is {value!r}, against {limits['pattern']}"]
    if kind in ("integer", "long", "float"):
        good = limits.get("min", value) <= value <= limits.get("max", value)
        return [] if good else [f"{name} is {value}, out of range"]
    return []


@dataclass
class Live:
    """A service behind a port of its own."""

    address: str
    app: FastAPI
    answers: dict[str, int]  # how many of each operation were held to the model

    @property
    def service(self) -> Service:
        found: Service = self.app.state.service
        return found

    def client(self, role: Any = "admin", tenant: str = "default", key: str = "", **config: Any) -> Any:
        """The vendor's client, with a new key or the one given."""
        _, number, secret = (key or self.service.keys.make(role, role, tenant)).split("_", 2)
        with warnings.catch_warnings():  # the client warns of old Pythons
            warnings.simplefilter("ignore")
            made = boto3.client(
                "rekognition",
                endpoint_url=self.address,
                region_name="here",
                aws_access_key_id=number,
                aws_secret_access_key=secret,
                config=Config(retries={"total_max_attempts": 1}, **config),
            )
        made.meta.events.register("before-parse.rekognition", self._held)
        return made

    def _held(self, operation_model: Any, response_dict: Any, **_: Any) -> None:
        assert response_dict["headers"]["x-amzn-requestid"]
        if response_dict["status_code"] != 200:
            declared = {shape.name for shape in operation_model.error_shapes}
            told = json.loads(response_dict["body"])
            assert set(told) == {"__type", "message"}
            assert told["__type"] in declared | COMMON
            return
        found = faults(operation_model.output_shape, json.loads(response_dict["body"]))
        assert not found, found
        self.answers[operation_model.name] = self.answers.get(operation_model.name, 0) + 1


# What any operation of any service of the vendor may answer.
COMMON = {
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "UnknownOperationException",
    "ServiceUnavailableException",
    "RequestEntityTooLargeException",
}


def running(app: FastAPI) -> Iterator[Live]:
    """`app` behind a free port, until it is let go."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        ends = time.monotonic() + 20
        while not server.started and time.monotonic() < ends:
            time.sleep(0.01)
        assert server.started
        yield Live(f"http://127.0.0.1:{listening.getsockname()[1]}", app, {})
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, stubs: ModuleType) -> Iterator[Live]:
    """A service that the tests of a file share."""
    folder = tmp_path_factory.mktemp("service")
    yield from running(build(Settings(data=folder, rate=1e6, burst=10**6), stubs.engine()))


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Serves a service of the test's own: its engine, and settings by name."""
    begun: list[Iterator[Live]] = []

    def start(engine: Any, **given: Any) -> Live:
        begun.append(running(build(Settings(**({"data": tmp_path / "own"} | given)), engine)))
        return next(begun[-1])

    yield start
    for one in begun:
        next(one, None)


@pytest.fixture(scope="session")
def serve() -> Callable[[FastAPI], Iterator[Live]]:
    """`running`, for fixtures of other files."""
    return running


@pytest.fixture(scope="module")
def aws(live: Live) -> Any:
    """The vendor's client with an admin's key."""
    return live.client()


@pytest.fixture
def collection(aws: Any, request: pytest.FixtureRequest) -> str:
    """An empty collection of the test's own."""
    name = re.sub(r"[^a-zA-Z0-9_.\-]", "-", request.node.name)[:100]
    aws.create_collection(CollectionId=name)
    return name


@pytest.fixture
def indexed(aws: Any, collection: str, stubs: ModuleType) -> Callable[..., str]:
    """Indexes one face of a colour, and gives its id."""

    def index(*colours: tuple[int, int, int], noise: int = 0, **given: Any) -> str:
        picture = stubs.picture(*colours, noise=noise)
        found = aws.index_faces(CollectionId=collection, Image={"Bytes": picture}, **given)
        number: str = found["FaceRecords"][0]["Face"]["FaceId"]
        return number

    return index
