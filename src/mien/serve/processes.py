"""Several processes on one socket: each loads the models once, one that dies is replaced, and none outlives its parent.

The parent serves nothing and loads nothing. It alone hears signals: it tells the others to drain through a pipe, whose end
also tells them that the parent is gone. SIGHUP renews them one after the other: each drains, and its successor reads the code
and the certificates that are on the disk by then, while the others serve."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType

from mien import errors
from mien.errors import MienError, Unavailable
from mien.serve.settings import Settings

log = logging.getLogger("mien.serve")
SPARE = 5.0  # s beyond notice and drain before a process that does not end is ended
STEADY = 3.0  # s after which a process counts as one that works: its successor starts at once
PATIENCE = 30.0  # s, the longest wait before another try


@dataclass(slots=True, eq=False)
class _One:
    """A process that serves, or will."""

    number: int
    process: BaseProcess | None = None
    line: Connection | None = None
    since: float = 0.0
    falls: int = 0  # one after the other
    again: float = 0.0  # when to try
    up: bool = False  # takes requests
    ends: float = math.inf  # when it must have left

    def leave(self, seconds: float, others: bool = False) -> None:
        """Ask it to drain; others: while others go on."""
        self.up, self.ends = False, time.monotonic() + seconds
        if self.line is not None:
            with suppress(OSError):
                self.line.send(others)


@dataclass(slots=True, eq=False)
class Family:
    """`settings.processes` processes that serve `listener`; `began` is called once, when the first takes requests."""

    settings: Settings
    listener: socket.socket
    began: Callable[[], None]
    _all: list[_One] = field(default_factory=list)
    _stopping: bool = False
    _old: list[_One] = field(default_factory=list)  # to be renewed
    _mouth: int = -1

    def run(self) -> None:
        """Serve until a signal. Raises what kept the first process from serving."""
        ear, self._mouth = os.pipe()
        os.set_blocking(ear, False)
        heard = {signal.SIGINT: self._heard, signal.SIGTERM: self._heard, signal.SIGHUP: self._renew}
        before = {number: signal.signal(number, handler) for number, handler in heard.items()}
        try:
            self._all = [_One(number) for number in range(self.settings.processes)]
            self._start(self._all[0])
            if self._first(ear):
                self.began()
                for each in self._all[1:]:
                    self._start(each)
                while any(each.process for each in self._all) or not self._stopping:
                    self._mind(ear)
        finally:
            self._kill()
            for number, old in before.items():
                signal.signal(number, old)
            os.close(ear)
            os.close(self._mouth)

    def _first(self, ear: int) -> bool:
        """Whether the first process takes requests; False when a signal came meanwhile."""
        one = self._all[0]
        assert one.line is not None and one.process is not None
        while True:
            ready = wait([one.line, one.process.sentinel, ear])
            if one.line in ready:
                with suppress(EOFError):
                    told = one.line.recv()
                    if isinstance(told, tuple):
                        raise _made(*told)
                    one.up = True
                    return not self._stopping
            if one.process.sentinel in ready:
                if self._stopping:
                    return False
                raise Unavailable("The service's process ended while it started.", "See what it said above.")
            if ear in ready:
                os.read(ear, 64)

    def _mind(self, ear: int) -> None:
        """Wait until something happens, and see to it."""
        watched = [each.process.sentinel for each in self._all if each.process]
        wait([*watched, *(each.line for each in self._all if each.process and each.line), ear], 0.5)
        with suppress(BlockingIOError):
            os.read(ear, 64)
        for each in self._all:
            self._listen(each)
            if each.process is not None and not each.process.is_alive():
                self._fell(each)
            elif each.process is not None and time.monotonic() > each.ends:
                each.process.kill()
            elif each.process is None and not self._stopping and time.monotonic() >= each.again:
                self._start(each)
        if self._old and not self._stopping and all(each.up for each in self._all):
            self._old.pop().leave(self._patience, others=True)

    def _listen(self, one: _One) -> None:
        """What a process says of itself."""
        while one.line is not None and one.line.poll():
            try:
                told = one.line.recv()
            except (EOFError, OSError):
                one.line.close()
                one.line = None
            else:
                one.up = not isinstance(told, tuple)
                if not one.up:
                    log.error("a process could not start: %s", told[0])

    @property
    def _patience(self) -> float:
        return self.settings.notice + self.settings.drain + SPARE

    def _start(self, one: _One) -> None:
        context = get_context("spawn")
        one.line, other = context.Pipe()
        one.process = context.Process(
            target=serve, args=(self.settings, self.listener, one.number, other), name=f"mien-{one.number}"
        )
        one.process.start()
        other.close()
        one.since, one.up, one.ends = time.monotonic(), False, math.inf

    def _fell(self, one: _One) -> None:
        assert one.process is not None
        one.process.join()
        code, one.process = one.process.exitcode, None
        if one.line is not None:
            one.line.close()
            one.line = None
        one.up, asked = False, one.ends < math.inf
        if self._stopping or asked:
            return
        one.falls = one.falls + 1 if time.monotonic() - one.since < STEADY else 0
        pause = min(PATIENCE, 2.0**one.falls) if one.falls else 0.0
        one.again = time.monotonic() + pause
        log.warning("process %d ended with code %s; another starts in %.0f s", one.number, code, pause)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            self._kill()
            os._exit(128 + number)
        self._stopping = True
        for each in self._all:
            each.leave(self._patience)
        os.write(self._mouth, b"!")

    def _renew(self, number: int, frame: FrameType | None) -> None:
        self._old = list(self._all)
        os.write(self._mouth, b"!")

    def _kill(self) -> None:
        for each in self._all:
            if each.process is not None and each.process.is_alive():
                each.process.kill()
                each.process.join()


def serve(settings: Settings, listener: socket.socket, number: int, line: Connection) -> None:
    """What each process does: serve until the parent says to leave, or is no more."""
    from mien.serve import logs
    from mien.serve.app import build
    from mien.serve.server import Server

    servers: list[Server] = []

    def leave(others: bool = False) -> None:
        if not servers:
            os._exit(0)  # nothing was taken yet
        servers[0].leave(others)

    def told(*_: object) -> None:
        leave()

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent passes it on
    signal.signal(signal.SIGTERM, told)
    threading.Thread(target=_heed, args=(leave, line), daemon=True).start()
    logs.install(settings)
    try:
        server = Server(build(settings, process=number), settings, lambda: line.send("began"))
        server.handle_exit = told  # type: ignore[method-assign,assignment]
        server.open()
    except MienError as error:
        line.send((error.code, error.message, error.remedy))
        return
    servers.append(server)
    server.run([listener])


def _heed(leave: Callable[[bool], None], line: Connection) -> None:
    others = False
    with suppress(EOFError, OSError):
        others = bool(line.recv())
    leave(others)
    if others:  # the end of all may come meanwhile
        with suppress(EOFError, OSError):
            line.recv()
        leave(False)


def _made(kind: str, message: str, remedy: str) -> MienError:
    """The error that another process told of."""
    return getattr(errors, kind)(message, remedy)  # type: ignore[no-any-return]
