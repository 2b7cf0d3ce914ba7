"""The demo's photographs: only the known pictures, only intact, and one sentence where they cannot be had."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mien.cli import portraits as room
from mien.errors import MediaNotFound


def archive_of(members: dict[str, bytes]) -> Any:
    """A pip that brings an archive with these members."""

    def pip(command: list[str], **_: Any) -> None:
        target = Path(command[command.index("-d") + 1]) / "face_recognition-1.3.0.tar.gz"
        with tarfile.open(target, "w:gz") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))

    return pip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """One known picture."""
    monkeypatch.setattr(room, "PORTRAITS", {"ana": room.hashlib.sha256(b"picture").hexdigest()})
    return {f"{room.FOLDER}ana.jpg": b"picture", "../evil": b"x", "face_recognition-1.3.0/setup.py": b"x"}


def test_only_known_pictures_are_taken_out(
    small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", archive_of(small))
    assert room.portraits(tmp_path / "cache") == {"ana": tmp_path / "cache" / "portraits" / "ana.jpg"}
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["ana.jpg"]


def test_second_call_needs_nobody(small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", archive_of(small))
    first = room.portraits(tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    assert room.portraits(tmp_path) == first


def test_damaged_picture_is_fetched_again(
    small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", archive_of(small))
    path = room.portraits(tmp_path)["ana"]
    path.write_bytes(b"pictur")
    assert room.portraits(tmp_path)["ana"].read_bytes() == b"picture"


@pytest.mark.parametrize("content", [{}, {f"{room.FOLDER}ana.jpg": b"another"}])
def test_other_pictures_are_refused(
    small: dict[str, bytes], content: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", archive_of(content))
    with pytest.raises(MediaNotFound, match="not the picture expected"):
        room.portraits(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "error", [subprocess.CalledProcessError(1, "pip"), subprocess.TimeoutExpired("pip", 1), OSError()]
)
def test_offline_is_one_sentence_with_a_way_out(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pip(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(MediaNotFound, match="--data DIR"):
        room.portraits(tmp_path)


def test_pip_is_told_the_digest(small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip runs the package's setup to learn its metadata, so it must not open any archive but this one."""
    seen: list[str] = []

    def pip(command: list[str], **_: Any) -> None:
        wish = Path(command[command.index("-r") + 1]).read_text(encoding="utf8")
        seen.extend([*command, wish])
        archive_of(small)(command)

    monkeypatch.setattr(subprocess, "run", pip)
    room.portraits(tmp_path)
    assert "--require-hashes" in seen
    assert f"--hash=sha256:{room.ARCHIVE}" in seen[-1]


def test_real_portraits_are_intact(portraits: dict[str, Path]) -> None:
    assert set(portraits) == set(room.PORTRAITS)
    for name, path in portraits.items():
        assert room.hashlib.sha256(path.read_bytes()).hexdigest() == room.PORTRAITS[name]
