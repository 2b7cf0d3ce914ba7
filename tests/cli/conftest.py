"""What the tests of verbs share."""

from __future__ import annotations

import pytest

from mien import Engine


@pytest.fixture(scope="session")
def shared_engine() -> Engine:
    return Engine(threads=2)


@pytest.fixture
def one_engine(monkeypatch: pytest.MonkeyPatch, shared_engine: Engine) -> None:
    """Load the models once, not once per command."""
    monkeypatch.setattr("mien.cli.options.make_engine", lambda **_: shared_engine)
