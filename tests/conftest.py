"""Shared fixtures. What is not at hand skips, and says why."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def data() -> Path:
    """The reference photos and videos."""
    path = Path(os.environ.get("MIEN_TEST_DATA", SHARED / "data"))
    if not path.is_dir():
        pytest.skip(f"reference data is not at {path} (set MIEN_TEST_DATA)")
    return path


@pytest.fixture(scope="session")
def data_models() -> Path:
    """A mirror folder with public weights."""
    path = Path(os.environ.get("MIEN_TEST_MODELS", SHARED / "models"))
    if not path.is_dir():
        pytest.skip(f"model mirror is not at {path} (set MIEN_TEST_MODELS)")
    return path
