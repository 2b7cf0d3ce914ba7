"""The matcher as a process of its own, over HTTP on this machine: `mien serve-matcher people.sealed`.

It reads the gallery's folder and holds no key. Reading and searching is open to whoever reaches the address, because all
of it is ciphertext; a change must show a token that only holders of the MAC key know. There is no TLS here: for other machines,
put it behind a proxy that has it.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from mien import wire
from mien.errors import GalleryBusy, GalleryError, InputError, MienError, UsageError
from mien.gallery.sealed import bodies
from mien.gallery.sealed.matcher import Matcher, check_identity
from mien.gallery.sealed.profiles import profile

LARGEST_CHANGE = 1 << 28  # bytes of one body: some hundred templates with crops
MARGIN = 1 << 16  # bytes of a probe's body beyond the probe
SECONDS = 30.0  # for a request to arrive whole
CONNECTIONS = 32  # at a time; more are told to come again
SEARCHES = 2  # at a time; more wait
WAIT = 30.0  # s that a search waits for its turn
LINGER = 1.0  # s
MANY = 256  # rows asked for at a time


class TooLarge(InputError):
    """The body is larger than anything that is asked for here."""

    status = 413


class TooSlow(InputError):
    """The request did not arrive in time."""

    status = 408


class NotAllowed(UsageError):
    """A change without the token that writers have."""

    status = 403


class NoSuchPath(UsageError):
    """Nothing is served under this path."""

    status = 404


class MatcherServer(ThreadingMixIn, HTTPServer):
    """Serves one matcher. seconds: for a request to arrive."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, matcher: Matcher, host: str = "127.0.0.1", port: int = 0, seconds: float = SECONDS) -> None:
        self.matcher, self.seconds = matcher, seconds
        self.turns = threading.BoundedSemaphore(SEARCHES)
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise GalleryError(
                f"Nothing can be served at {host}:{port}: {error.strerror}.", "Choose another port."
            ) from error

    @property
    def address(self) -> str:
        """What clients open."""
        host, port = self.server_address[:2]
        return f"sealed+http://{host!s}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """As the base does, with no more than so many at a time."""
        if not self._places.acquire(blocking=False):
            problem = json.dumps(wire.problem(GalleryBusy("Too many are being served.", "Try again later."))).encode()
            head = (
                f"HTTP/1.1 503 Busy\r\nContent-Type: application/problem+json\r\nContent-Length: {len(problem)}\r\n\r\n"
            )
            request.settimeout(1.0)
            with suppress(OSError):
                request.sendall(head.encode() + problem)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base does."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Timely(io.RawIOBase):
    """Bytes of a socket until a deadline, however slowly they drip."""

    def __init__(self, line: socket.socket, seconds: float) -> None:
        self._line, self._end = line, time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)
        return self._line.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """One request per connection."""

    server: MatcherServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mien", ""
    routes: ClassVar[dict[str, Callable[[_Handler], bytes]]]

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Timely(self.connection, self.server.seconds))

    def do_GET(self) -> None:
        """Reading."""
        self._answer()

    def do_POST(self) -> None:
        """Searching and changing."""
        self._answer()

    def log_message(self, format: str, *words: Any) -> None:
        """Who asked when is nobody's business."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses (a broken request line, another method), in our one shape."""
        problem = UsageError(f"The request cannot be understood: {message or code}.", "Use a client of mien.")
        self._send(code, "application/problem+json", json.dumps(wire.problem(problem) | {"status": code}).encode())

    def _answer(self) -> None:
        self.close_connection = True
        try:
            route = self.routes.get(f"{self.command} {urlsplit(self.path).path}")
            if route is None:
                raise NoSuchPath(f"Nothing is served under {self.path[:100]!r}.", "Use a client of mien.")
            code, kind, content = 200, bodies.TYPE, route(self)
        except MienError as error:
            code, kind, content = error.status, "application/problem+json", _problem(error)
        except TimeoutError:
            slow = TooSlow("The request did not arrive in time.", "Send it faster.")
            code, kind, content = slow.status, "application/problem+json", _problem(slow)
        self._send(code, kind, content)

    def _send(self, code: int, kind: str, content: bytes) -> None:
        self.close_connection = True
        self.connection.settimeout(self.server.seconds)
        self.send_response(code)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(content))), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def finish(self) -> None:
        """Read on for a moment, so that a client whose body was refused unread gets to see why."""
        super().finish()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            end = time.monotonic() + min(LINGER, self.server.seconds)
            while time.monotonic() < end:
                self.connection.settimeout(max(0.001, end - time.monotonic()))
                if not self.connection.recv(1 << 16):
                    break

    def _body(self, most: int) -> bytes:
        if self.headers.get("Content-Type") != bodies.TYPE:
            raise InputError(f"The body is not {bodies.TYPE}.", "Use a client of mien.")
        text = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", text) or "Transfer-Encoding" in self.headers:
            raise InputError("The request does not say how long its body is.", "Use a client of mien.")
        if int(text) > most:
            raise TooLarge(f"The body has {text} bytes; {most} is the most here.", "Send less at a time.")
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            raise InputError("The body is cut short.", "Send it again.")
        return body

    def _asked(self, name: str) -> list[int]:
        text = parse_qs(urlsplit(self.path).query).get(name, [""])[0]
        if not re.fullmatch(rf"-?[0-9]{{1,18}}(,[0-9]{{1,18}}){{0,{MANY - 1}}}", text):
            raise InputError(f"{name} is no list of at most {MANY} numbers.", "Use a client of mien.")
        return [int(word) for word in text.split(",")]

    def _head(self) -> bytes:
        return bodies.pack_head(self.server.matcher.head())

    def _state(self) -> bytes:
        return bodies.pack_state(self.server.matcher.state(self._asked("revision")[0], self._asked("epoch")[0]))

    def _details(self) -> bytes:
        matcher, pictures = self.server.matcher, self._asked("pictures") == [1]
        return bodies.pack_details(matcher.details(self._asked("numbers"), pictures), matcher.head().identity)

    def _groups(self) -> bytes:
        matcher = self.server.matcher
        return bodies.pack_groups(matcher.groups(self._asked("numbers")[:16]), matcher.head().identity)

    def _search(self) -> bytes:
        matcher, head = self.server.matcher, self.server.matcher.head()
        size = head.layout.probe_bytes(profile(head.profile)) if head.dimension else 0
        probe = bodies.unpack_probe(self._body(size + MARGIN))
        check_identity(probe.identity, head)
        if not self.server.turns.acquire(timeout=WAIT):
            raise GalleryBusy("Too many searches are waiting.", "Try again later.")
        try:
            found = matcher.search(probe)
            answer = bodies.pack_response(found, head.identity)
            matcher.done(found)
            return answer
        finally:
            self.server.turns.release()

    def _change(self) -> bytes:
        matcher, head = self.server.matcher, self.server.matcher.head()
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not re.fullmatch(r"[0-9a-f]{64}", shown) or not hmac.compare_digest(
            hashlib.sha256(bytes.fromhex(shown)).digest(), head.door
        ):
            raise NotAllowed("Whoever changes the gallery must hold its MAC key.", "Open it with the gallery's keys.")
        change = bodies.unpack_change(self._body(LARGEST_CHANGE))
        check_identity(change.head.identity, head)
        return bodies.pack("done", head.identity, {"done": matcher.apply(change, b"")})


_Handler.routes = {
    "GET /v1/head": _Handler._head,
    "GET /v1/state": _Handler._state,
    "GET /v1/details": _Handler._details,
    "GET /v1/groups": _Handler._groups,
    "POST /v1/search": _Handler._search,
    "POST /v1/change": _Handler._change,
}


def _problem(error: MienError) -> bytes:
    """RFC 9457; our own kinds of refusal go by the name of the kind they are of, which clients know."""
    kind = next(each for each in type(error).__mro__ if each.__module__ == MienError.__module__)
    return json.dumps(wire.problem(error) | {"type": kind.__name__}).encode()
