"""A relay before a camera: libav talks to a port of this machine, and what it sends goes to one host and no other.

An RTSP server may answer that the stream is elsewhere, and libav would go there. The relay reads along and hangs up on such
an answer. RTSP (RFC 2326) over TCP is messages with headers, and between them '$' channel length data (section 10.12)."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress

from mien.serve.jobs.addresses import Address

_TIMEOUT = 15.0  # s without a byte
_HEAD = 65_536  # bytes of headers, at most
_END = re.compile(rb"\r?\n\r?\n")
_ELSEWHERE = re.compile(rb"\s*(RTSP/\S*\s+3|REDIRECT\b)", re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length\s*:\s*(\d{1,9})\s*$", re.IGNORECASE | re.MULTILINE)


class Relay:
    """Listens at `port` of the loopback until it is closed."""

    def __init__(self, address: Address) -> None:
        self._to = (address.host.strip("[]"), address.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.redirected = False  # whether the camera pointed elsewhere
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._serve, name="relay", daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; closing twice is allowed."""
        self._closed = True
        with self._lock:
            held = [self._door, *self._open]
        for one in held:
            _hang_up(one)

    def _serve(self) -> None:
        while not self._closed:
            try:
                caller, _ = self._door.accept()
            except OSError:
                return
            try:
                camera = socket.create_connection(self._to, timeout=_TIMEOUT)
            except (OSError, ValueError):
                _hang_up(caller)
                continue
            caller.settimeout(_TIMEOUT)
            with self._lock:
                self._open |= {caller, camera}
            for source, target, watched in ((caller, camera, False), (camera, caller, True)):
                threading.Thread(target=self._pump, args=(source, target, watched), name="relay", daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, watched: bool) -> None:
        answers = Answers()
        with suppress(OSError):
            while data := source.recv(65_536):
                if watched and not answers.harmless(data):
                    self.redirected = True
                    break
                target.sendall(data)
        for one in (source, target):
            _hang_up(one)
            with self._lock:
                self._open.discard(one)


class Answers:
    """Reads along what a server sends."""

    def __init__(self) -> None:
        self._head = b""  # of a message, as far as it came
        self._skip = 0  # bytes of data or of a body yet to come

    def harmless(self, data: bytes) -> bool:
        """Whether nothing so far points elsewhere, or cannot be followed."""
        while data:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
            if not data:
                return True
            self._head += data
            data = b""
            if self._head[:1] == b"$":
                if len(self._head) < 4:
                    return True
                self._skip = 4 + int.from_bytes(self._head[2:4], "big")
            else:
                end = _END.search(self._head)
                if _ELSEWHERE.match(self._head) or (end is None and len(self._head) > _HEAD):
                    return False
                if end is None:
                    return True
                lengths = set(_LENGTH.findall(self._head[: end.end()].replace(b"\r", b"")))
                if len(lengths) > 1:  # two readers could take it differently
                    return False
                self._skip = end.end() + int(lengths.pop() if lengths else 0)
            data, self._head = self._head, b""
        return True


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
