"""What the tests of bulk work share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def stub_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes get this path, and find `bulk_stub` by it."""
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[Mapping[str, bytes | str]], Path]:
    """Writes files into a folder of photos: {"ana/1.jpg": content}."""

    def write(files: Mapping[str, bytes | str]) -> Path:
        for name, content in files.items():
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "photos"

    return write
