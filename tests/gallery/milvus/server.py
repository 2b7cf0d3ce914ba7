"""Milvus for tests: the standalone server that the package `milvus` carries (x86-64 Linux), and milvus-lite.

The server is started from its own binary, not through the package's wrapper, whose end would leave the server running.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import platformdirs
import pytest

from mien.gallery.base import BaseGallery
from mien.gallery.milvus import open_milvus

CACHE = Path(platformdirs.user_cache_dir("mien-tests")) / "milvus-2.3.5"  # 200 MB of unpacked binaries
START = 120.0  # s; 8 to 14 on an idle machine

# What a test wants otherwise than the package has it: loopback wherever an address can be set (the ports are open on all
# interfaces all the same), ticks that do not make each consistent read wait 200 ms, loading without pauses, little log.
SETTINGS = {
    **{f"{part}.ip": "127.0.0.1" for part in ("rootCoord", "proxy", "queryCoord", "queryNode", "indexNode")},
    **{f"{part}.ip": "127.0.0.1" for part in ("dataCoord", "dataNode")},
    "proxy.timeTickInterval": 20,
    "queryCoord.checkInterval": 100,
    "queryCoord.distPullInterval": 50,
    "log.level": "warn",
    "log.stdout": "false",
}


@dataclass
class Server:
    """One server process over one data folder. `kill` and `start` keep the folder and the ports."""

    folder: Path
    port: int = 0
    health: int = 0
    process: subprocess.Popen[bytes] | None = None
    lock: IO[bytes] | None = None

    @property
    def address(self) -> str:
        return f"milvus://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers; and before that for its turn: the server's own etcd has one fixed port, 2380."""
        binary = unpacked()
        if self.lock is None:
            self.lock = (CACHE / "one-at-a-time").open("wb")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        if not self.port:  # a killed server comes back where it was
            self.port, self.health = configure(self.folder)
        environment = os.environ | {
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self.health),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
            "LD_LIBRARY_PATH": str(binary.parent),
            "GOMAXPROCS": "2",
        }
        with (self.folder / "milvus.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(binary), "run", "standalone"],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        end = time.monotonic() + START
        while time.monotonic() < end:
            if self.process.poll() is not None:
                pytest.fail(f"the Milvus server ended by itself; see {self.folder / 'milvus.log'}")
            with contextlib.suppress(OSError), urllib.request.urlopen(self._health(), timeout=5) as answer:
                if b"OK" in answer.read():
                    return
            time.sleep(0.2)
        pytest.fail(f"the Milvus server did not start within {START:.0f} s")

    def _health(self) -> str:
        return f"http://127.0.0.1:{self.health}/healthz"

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the process, at once by default."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def stop(self) -> None:
        """End it for good."""
        self.kill()
        if self.lock is not None:
            self.lock.close()
            self.lock = None


class Lite:
    """milvus-lite: the same calls, answered by Python in this process. What it lacks is the server."""

    def __init__(self, folder: Path) -> None:
        if find_spec("milvus_lite") is None:
            pytest.skip("milvus-lite is absent (pip install milvus-lite)")
        from milvus_lite.adapter.grpc.server import start_server_in_thread

        self._server, self._db, self.port = start_server_in_thread(data_dir=str(folder), host="127.0.0.1", port=0)

    @property
    def address(self) -> str:
        """Of the server."""
        return f"milvus://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it."""
        self._server.stop(grace=0)
        self._db.close()


class Galleries:
    """Galleries with names of their own on one server; dropped at the end of a test."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opened: list[BaseGallery] = []
        self._made: set[str] = set()

    def fresh(self) -> str:
        """The address of a gallery that is not there yet."""
        name = f"t{uuid4().hex}"
        self._made.add(name)
        return f"{self._address}/{name}"

    def open(self, address: str = "", **options: Any) -> BaseGallery:
        """Open a gallery, by default a fresh one; it is closed at the end."""
        self._opened.append(open_milvus(address or self.fresh(), **options))
        return self._opened[-1]

    def drop(self) -> None:
        """Close what was opened, and take its collections off the server."""
        from pymilvus import MilvusClient

        for gallery in self._opened:
            gallery.close()
        client = MilvusClient(self._address.replace("milvus://", "http://"), timeout=60)
        for name in client.list_collections():
            if name.partition("__")[0] in self._made:
                client.drop_collection(name)
        client.close()


def unpacked() -> Path:
    """The server's binary, unpacked from the package once per machine; skips where the package is absent."""
    if find_spec("milvus") is None:
        pytest.skip("the Milvus server is absent (pip install milvus==2.3.5, x86-64 Linux)")
    import milvus

    CACHE.mkdir(parents=True, exist_ok=True)
    milvus._initialize_data_files(str(CACHE))
    return CACHE / "bin" / "milvus"


def configure(folder: Path) -> tuple[int, int]:
    """Write the server's configuration; returns its (port, health port)."""
    import milvus

    names = [name for name in milvus.MilvusServerConfig().configurable_items if name.endswith("_port")]
    health, *free = free_ports(1 + len(names))
    config = milvus.MilvusServerConfig(data_dir=str(folder), **dict(zip(names, free, strict=True)))
    for key, value in SETTINGS.items():
        config.set(key, value)
    config.resolve()
    return int(config.get("proxy_port")), health


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a killed test leaves no server behind
    os.nice(5)
