"""A real Milvus for tests: the standalone server that the package `milvus` carries (x86-64 Linux), and milvus-lite.

The server is started from its own binary, not through the package's wrapper, whose end would leave the server running.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import platformdirs
import pytest

CACHE = Path(platformdirs.user_cache_dir("mien-tests")) / "milvus-2.3.5"  # 200 MB of unpacked binaries
START = 120.0  # s; 8 to 14 on an idle machine

# What a test wants otherwise than the package has it: loopback wherever an address can be set, ticks that do not make each
# consistent read wait 200 ms, little log, and rubbish collected while the test still looks.
SETTINGS = {
    **{f"{part}.ip": "127.0.0.1" for part in ("rootCoord", "proxy", "queryCoord", "queryNode", "indexNode")},
    **{f"{part}.ip": "127.0.0.1" for part in ("dataCoord", "dataNode")},
    "proxy.timeTickInterval": 20,
    "log.level": "warn",
    "log.stdout": "false",
}


@dataclass
class Server:
    """One server process over one data folder. `kill` and `start` keep the folder and, where it is free, the port."""

    folder: Path
    port: int = 0
    health: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"milvus://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers."""
        binary = unpacked()
        self.port, self.health = configure(self.folder, self.port)
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


def unpacked() -> Path:
    """The server's binary, unpacked from the package once per machine; skips where the package is absent."""
    if find_spec("milvus") is None:
        pytest.skip("the Milvus server is absent (pip install milvus==2.3.5, x86-64 Linux)")
    import milvus

    CACHE.mkdir(parents=True, exist_ok=True)
    milvus._initialize_data_files(str(CACHE))
    return CACHE / "bin" / "milvus"


def configure(folder: Path, port: int = 0) -> tuple[int, int]:
    """Write the server's configuration; returns its (port, health port)."""
    import milvus

    config = milvus.MilvusServerConfig(data_dir=str(folder), **({"proxy_port": port} if port else {}))
    for key, value in SETTINGS.items():
        config.set(key, value)
    config.resolve()
    health, held = config.resolve_port(9091)
    held.close()
    config.cleanup_listen_ports()
    return int(config.get("proxy_port")), int(health)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a killed test leaves no server behind
    os.nice(5)
