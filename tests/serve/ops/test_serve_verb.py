"""`mien serve` as a process, with the real engine: what it says, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from click.testing import CliRunner

from mien import Engine, open_gallery
from mien.cli.group import group

Start = Callable[..., tuple[subprocess.Popen[str], dict[str, str]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the verb; gives the process and what it said."""
    running: list[subprocess.Popen[str]] = []

    def go(*words: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
        command = [sys.executable, "-m", "mien", "serve", "--json", "--port", "0", "--data", str(tmp_path / "kept")]
        with (tmp_path / "err").open("a") as errors:
            one = subprocess.Popen(
                [*command, *words],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                cwd=tmp_path,
            )
        running.append(one)
        assert one.stdout is not None
        text = ""
        while line := one.stdout.readline():
            text += line
            if line.startswith("}"):
                return one, json.loads(text)
        raise AssertionError((tmp_path / "err").read_text())

    yield go
    for each in running:
        each.kill()
        each.wait()
        assert each.stdout is not None
        each.stdout.close()


def gone(pids: set[int], within: float = 10) -> bool:
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        if not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]:
            return True
        time.sleep(0.1)
    return False


def workers(pid: int) -> set[int]:
    found = set()
    for each in psutil.Process(pid).children():
        with suppress(psutil.Error):  # it ends just now
            if "spawn_main" in " ".join(each.cmdline()):
                found.add(each.pid)
    return found


def waited(what: Callable[[], Any], within: float = 30) -> Any:
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def test_a_gallery_is_served_and_the_key_is_shown_once(
    start: Start, tmp_path: Path, portraits: dict[str, Path]
) -> None:
    with open_gallery(tmp_path / "people.db") as people:
        Engine().enrol(people, "obama", [portraits["obama"]])
    one, said = start("people.db")
    headers = {"authorization": f"Bearer {said['admin_key']}"}
    files = {"image": portraits["obama2"].read_bytes()}
    found = httpx2.post(f"{said['address']}/v1/galleries/people/identify", files=files, headers=headers, timeout=60)
    assert found.json()["decisions"][0]["subject"] == "obama"
    assert said["console"] == f"{said['address']}/console/"
    one.send_signal(signal.SIGTERM)
    assert one.wait(30) == 0
    again, said = start("people.db")
    assert "admin_key" not in said
    again.send_signal(signal.SIGINT)
    assert again.wait(30) == 0


@pytest.mark.slow
def test_processes_are_replaced_drained_and_leave_nobody(start: Start, tmp_path: Path) -> None:
    for name in ("north.db", "south.db"):
        open_gallery(tmp_path / name).close()
    one, said = start("--processes", "2", "north.db", "south.db")
    both = waited(lambda: len(found := workers(one.pid)) == 2 and found)
    ready = f"{said['address']}/ready"
    assert httpx2.get(ready, timeout=30).status_code == 200
    os.kill(min(both), signal.SIGKILL)
    assert waited(lambda: len(found := workers(one.pid)) == 2 and found != both)
    assert httpx2.get(ready, timeout=30).status_code == 200

    def both_counted() -> bool:
        return {each.split("\"")[-2] for each in httpx2.get(f"{said['address']}/metrics", timeout=30).text.splitlines()
                if each.startswith("mien_ready{")} == {"0", "1"}  # fmt: skip

    assert waited(both_counted)
    admin = {"authorization": f"Bearer {said['admin_key']}"}
    made = httpx2.post(f"{said['address']}/v1/galleries", json={"name": "made"}, headers=admin, timeout=30)
    assert made.status_code == 201
    for _ in range(6):  # whichever of them answers
        found = httpx2.get(f"{said['address']}/v1/galleries", headers=admin, timeout=30).json()
        assert {each["name"] for each in found["items"]} == {"north", "south", "made"}
    now = workers(one.pid)
    one.send_signal(signal.SIGHUP)
    answers = []

    def renewed() -> Any:
        answers.append(httpx2.get(ready, timeout=30).status_code)  # somebody answers all the time
        return len(found := workers(one.pid)) == 2 and not found & now and found

    after = waited(renewed, 60)
    assert set(answers) == {200}
    assert gone(now)
    now = after
    one.send_signal(signal.SIGTERM)
    assert one.wait(30) == 0
    assert gone(now)
    assert "ended with code -9" in (tmp_path / "err").read_text()


@pytest.mark.slow
def test_a_second_signal_ends_all_at_once_and_a_killed_parent_leaves_no_orphans(start: Start, tmp_path: Path) -> None:
    one, _ = start("--processes", "2", "--config", str(_config(tmp_path, "notice = 20")))
    both = waited(lambda: len(found := workers(one.pid)) == 2 and found)
    one.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert one.poll() is None
    one.send_signal(signal.SIGTERM)
    assert one.wait(5) == 128 + signal.SIGTERM
    assert gone(both)
    two, _ = start("--processes", "2")
    both = waited(lambda: len(found := workers(two.pid)) == 2 and found)
    two.kill()
    assert gone(both)


def _config(folder: Path, text: str) -> Path:
    path = folder / "service.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--host", "0.0.0.0"], 64, "in the clear"),
        (["--device", "abacus"], 64, "device"),
        (["--config", "none.toml"], 64, "none.toml"),
        (["--tls-key", "key.pem"], 64, "go together"),
        (["milvus://user:secret@host/people"], 64, "password"),
        (["none.db"], 66, "mien enrol none.db"),
        (["--device", "directml"], 69, "DmlExecutionProvider"),
        (["--processes", "2", "none.db"], 66, "mien enrol none.db"),
    ],
)
def test_what_is_amiss_is_one_sentence(
    words: list[str], code: int, said: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_SERVE_CONFIG", "")
    found = CliRunner().invoke(group, ["serve", "--port", "0", *words])
    assert (found.exit_code, said in found.output) == (code, True), found.output
    assert "Traceback" not in found.output
    assert "secret" not in found.output.replace("MIEN_MILVUS_TOKEN", "")


def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch: Any) -> None:
    from mien.cli import serve

    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == "fastapi" else name)
    found = CliRunner().invoke(group, ["serve"])
    assert found.exit_code == 64
    assert 'pip install "mien[serve]"' in found.output
