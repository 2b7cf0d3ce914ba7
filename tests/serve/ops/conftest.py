"""A service behind a real socket, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from mien.serve.server import Server, bound
from mien.serve.service import Service


@dataclass
class Live:
    """A server that serves."""

    server: Server
    service: Service
    port: int
    thread: threading.Thread

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def said(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """What comes back until the server closes."""
        with self.connected() as line:
            for each in pieces:
                line.sendall(each)
                time.sleep(pause)
            return heard(line)


def heard(line: socket.socket) -> bytes:
    parts = []
    while True:
        try:
            part = line.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


@pytest.fixture
def live(make_app: Callable[..., FastAPI]) -> Iterator[Callable[..., Live]]:
    """Starts a server; settings by name."""
    running: list[Live] = []

    def start(**given: Any) -> Live:
        app = make_app(port=0, **given)
        settings = app.state.service.settings
        listener, ready = bound(settings), threading.Event()
        port = listener.getsockname()[1]
        server = Server(app, settings, ready.set)
        server.open()
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        assert ready.wait(20)
        running.append(Live(server, app.state.service, port, thread))
        return running[-1]

    yield start
    for each in running:
        each.server.leave()
        each.thread.join(20)
        assert not each.thread.is_alive()
