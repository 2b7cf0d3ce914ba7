"""Tiny videos whose people are colours, and waiting for jobs."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mien import media
from mien.serve.jobs import runner
from mien.serve.service import Service


def _camera() -> ModuleType:
    spec = importlib.util.spec_from_file_location("serve_camera", Path(__file__).with_name("camera.py"))
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["serve_camera"] = made
    spec.loader.exec_module(made)
    return made


CAMERA = _camera()
Film = Callable[..., bytes]


@pytest.fixture(autouse=True)
def in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are not put behind whatever else this machine does."""
    monkeypatch.setattr(runner, "NICE", 0)


@pytest.fixture
def film(stubs: ModuleType, tmp_path: Path) -> Film:
    """The bytes of an MP4 of `scenes`."""

    def make(*scenes: Any, each: int = 12, fps: float = 10.0, suffix: str = ".mp4") -> bytes:
        path = tmp_path / f"film{suffix}"
        media.write_video(stubs.frames(scenes, each, fps), path, fps=fps)
        return path.read_bytes()

    return make


@pytest.fixture
def people(service: Service, stubs: ModuleType) -> str:
    """The gallery "people" with Red and Blue."""
    gallery = service.galleries.create("default", "people")
    service.engine.enrol(gallery, "Red", [stubs.picture(stubs.RED)])
    service.engine.enrol(gallery, "Blue", [stubs.picture(stubs.BLUE)])
    return "people"


@pytest.fixture
def ended(http: TestClient) -> Callable[..., dict[str, Any]]:
    """Waits for a job to be over and returns it."""

    def wait(number: str, seconds: float = 20.0) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            job: dict[str, Any] = http.get(f"/v1/jobs/{number}").json()
            if job["state"] not in ("queued", "running"):
                return job
            time.sleep(0.03)
        raise AssertionError(f"still {job['state']} after {seconds} s: {job}")

    return wait


@pytest.fixture
def camera(stubs: ModuleType) -> Callable[..., Any]:
    """Makes a camera (see `camera.py`) that shows `scenes` and then holds the connection."""

    def make(*scenes: Any, each: int = 10, **given: Any) -> Any:
        return CAMERA.Camera(CAMERA.stream(stubs.frames(scenes, each, 10.0)) if scenes else b"", **given)

    return make
