"""What the tests of readers share."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mien.errors import MienError
from mien.learn.data.example import Dataset
from mien.learn.data.layouts import LAYOUTS, read

Make = Callable[[Path], None]
MOST = 4  # files of a tree that are spoilt
TEXTS = {".csv", ".txt", ".json", ".xml", ".xmp", ".dat", ".xlsx", ".bdf"}
JUNK = (
    b"",
    b"\0" * 64,
    b"\xff\xfe\x00",
    b"[" * 5000,
    b'{"a": 1e999, "b": [null]}',
    b"a,b\n" * 3,
    b"9" * 6000,
    b"PK\x03\x04",
    "\u0663,\u0664 5".encode(),
)


@pytest.fixture
def spoil(tmp_path: Path) -> Callable[[Any, Make], None]:
    """Damages every file of annotations of a tree in turn, in many ways, and reads: a data set comes of it or a MienError."""

    def check(reader: Any, make: Make) -> None:
        clean = tmp_path / "clean"
        make(clean)
        chance = random.Random(5)
        for path in sorted(one for one in clean.rglob("*") if one.is_file() and one.suffix in TEXTS)[:MOST]:
            content = path.read_bytes()
            ways = [content[: len(content) // 3], content[:-1], *(_scrambled(content, chance) for _ in range(3))]
            for damaged in (*ways, *JUNK):
                path.write_bytes(damaged)
                _read(reader, clean)
            path.unlink()
            _read(reader, clean)
            path.mkdir()
            _read(reader, clean)
            shutil.rmtree(path)
            path.symlink_to(path)
            _read(reader, clean)
            path.unlink()
            path.write_bytes(content)
        assert isinstance(reader.read(clean), Dataset)

    return check


@pytest.fixture
def told_apart(tmp_path: Path) -> Callable[[Any, Make], None]:
    """A tree of one layout fits that layout and no other."""

    def check(reader: Any, make: Make) -> None:
        make(tmp_path / "own")
        here = [name for name in LAYOUTS if find_spec(f"mien.learn.data.layouts.{name}")]
        assert [name for name in here if LAYOUTS[name].reader.fits(tmp_path / "own")] == [reader.LAYOUT]
        assert read(tmp_path / "own", reader.LAYOUT).layout == reader.LAYOUT
        assert reader.EXPECTED and not reader.EXPECTED.endswith(".")

    return check


def _scrambled(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(min(len(changed), 6)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _read(reader: Any, root: Path) -> None:
    try:
        reader.fits(root)
        data = reader.read(root)
    except MienError as error:
        assert error.message.endswith(".") and len(error.message) < 1500
        return
    names = [one.name for one in data.examples]
    assert len(set(names)) == len(names) and not any(str(root) in name for name in names)
    assert all(value == value and abs(value) < 1e300 for one in data.examples for value in one.values.values())
    assert all(0 <= span.onset <= span.offset for one in data.examples for span in one.spans)
    real = root.resolve()
    assert all(one.media.path.resolve().is_relative_to(real) for one in data.examples)
