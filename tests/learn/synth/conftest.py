"""What the tests of the synthetic face share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.learn.synth.manifest import Wanted
from mien.learn.synth.produce import Maker
from mien.learn.synth.program import load_program

HERE = Path(__file__).parent


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A renderer that draws discs; worker processes can import it too."""
    monkeypatch.syspath_prepend(HERE)
    from stub_face import StubMaker

    maker: Maker = StubMaker()
    return maker


@pytest.fixture
def few() -> Callable[..., Wanted]:
    """A small order, changed by keywords."""

    def make(program: str = "basic", **changes: object) -> Wanted:
        usual = {"subjects": 2, "size": 32, "fps": 5.0}
        return Wanted(load_program(program), **{**usual, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def bytes_of() -> Callable[[Path], dict[str, str]]:
    """Every file under a folder with its digest."""

    def digests(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return digests
