"""Shared fixtures. What is not at hand skips, and says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.cli.portraits import portraits as fetch_portraits
from mien.errors import MediaNotFound

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def data() -> Path:
    """The reference photos and videos."""
    path = Path(os.environ.get("MIEN_TEST_DATA", SHARED / "data"))
    if not path.is_dir():
        pytest.skip("the reference data is absent (set MIEN_TEST_DATA to its folder)")
    return path


@pytest.fixture(scope="session")
def data_models() -> Path:
    """A mirror folder with public weights."""
    path = Path(os.environ.get("MIEN_TEST_MODELS", SHARED / "models"))
    if not path.is_dir():
        pytest.skip("the model mirror is absent (set MIEN_TEST_MODELS to its folder)")
    return path


@pytest.fixture(scope="session")
def portraits() -> dict[str, Path]:
    """Real public-domain photographs by name: obama, obama2, obama3, biden, …"""
    try:
        return fetch_portraits(ROOT / ".cache")
    except MediaNotFound as error:
        pytest.skip(error.message)
