"""The master secret: made once, whole, and its owner's only."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.serve import master
from mien.serve.settings import Settings, settings

SECRET = "0123456789abcdef-of-the-tests"


def test_it_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = Settings(data=tmp_path / "new" / "service").master()
    assert len(first) >= 43
    assert Settings(data=tmp_path / "new" / "service").master() == first
    path = tmp_path / "new" / "service" / "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["secret"]


def test_many_that_start_at_once_have_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: master.made(tmp_path / "secret"), range(64)))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


def test_so_have_processes(tmp_path: Path) -> None:
    code = "import sys, pathlib; from mien.serve import master; print(master.made(pathlib.Path(sys.argv[1])).decode())"
    started = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "secret"], stdout=subprocess.PIPE) for _ in range(3)
    ]
    assert len({one.communicate(timeout=60)[0] for one in started}) == 1


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(mode)
    with pytest.raises(UsageError, match="every user"):
        Settings(data=tmp_path).master()
    with pytest.raises(UsageError, match="every user"):
        Settings(data=tmp_path / "x", secret_file=path).master()


def test_it_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "given"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    monkeypatch.setenv("MIEN_SERVE_SECRET_FILE", str(path))
    assert settings(data=tmp_path).master() == SECRET.encode()
    assert not (tmp_path / "secret").exists()
    monkeypatch.setenv("MIEN_SERVE_SECRET", SECRET)
    with pytest.raises(UsageError, match="exclude"):
        settings(data=tmp_path)
    monkeypatch.delenv("MIEN_SERVE_SECRET_FILE")
    found = settings(data=tmp_path)
    assert found.master() == SECRET.encode()
    assert SECRET not in repr(found) + str(found)


def test_a_secret_that_is_short_or_absent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o600)  # as a kill in the middle of writing would have left it
    with pytest.raises(UsageError, match="at least 16"):
        Settings(data=tmp_path).master()
    with pytest.raises(UsageError, match="at least 16"):
        settings(data=tmp_path, secret="short").master()
    with pytest.raises(UsageError, match="cannot be read"):
        Settings(data=tmp_path, secret_file=tmp_path / "absent").master()
