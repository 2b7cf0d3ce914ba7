"""A socket to answers: uvicorn with the deadlines it lacks, and an end that loses nothing.

The first SIGTERM or Ctrl-C drains: the service says that it is not ready, goes on for `notice` seconds, then takes no
connection more and answers what it has taken, `drain` seconds at most. The second ends the process at once."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import math
import os
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien import wire
from mien.errors import GalleryNotFound, MienError, Unavailable, UsageError
from mien.serve.galleries import DEFAULT
from mien.serve.service import Service
from mien.serve.settings import Settings

KEEP = 65  # s that an idle connection is kept: longer than proxies keep theirs, so that they do not meet a closed one
HEAD = 32_768  # bytes of a request's head
SPARE = 512  # files beside connections: galleries, records, models
BACKLOG = 512  # connections that wait to be taken


class Server(uvicorn.Server):
    """One process's server on a bound socket. `began` is called once, when it takes requests."""

    def __init__(self, app: FastAPI, settings: Settings, began: Callable[[], None] = lambda: None) -> None:
        super().__init__(_config(app, settings))
        self.service: Service = app.state.service
        self._notice, self._drain, self._began = settings.notice, settings.drain, began
        self._ends = math.inf

    def open(self) -> None:
        """Load models and galleries, so that what is amiss is said before anybody is served. Raises MienError."""
        room_for(self.service.settings.connections + SPARE)
        self.service.open()
        for name, where in self.service.galleries.mounted.items():
            try:
                self.service.galleries.open(DEFAULT, name)
            except GalleryNotFound as error:
                raise GalleryNotFound(
                    f"There is no gallery {where}.", f"Make it with: mien enrol {where} --from photos/"
                ) from error

    def leave(self, others: bool = False) -> None:
        """Begin to stop. Any thread may call it, and again. others: there are some that go on, so the service stays ready."""
        self.service.ready = self.service.ready and others
        self._ends = min(self._ends, time.monotonic() + (0.0 if others else self._notice))
        self.service.ends = self._ends + self._drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, the second ends the process."""
        if self._ends < math.inf:
            os._exit(128 + sig)
        self.leave()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, and say so."""
        await super().startup(sockets)
        self._began()

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to stop, ten times a second."""
        self.should_exit = self.should_exit or time.monotonic() >= self._ends
        return await super().on_tick(counter)


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol(settings),
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=list(settings.proxies),
        backlog=BACKLOG,
        timeout_keep_alive=KEEP,
        timeout_graceful_shutdown=math.ceil(settings.drain),
        h11_max_incomplete_event_size=HEAD,
        ws_max_size=settings.max_bytes,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def protocol(settings: Settings) -> type[asyncio.Protocol]:
    """HTTP/1.1 in which heads have a deadline too, and whose refusals are problems."""
    too_many = _refusal(Unavailable("The service has too many connections.", "Try again in a moment."), 503)
    unreadable = _refusal(UsageError("That is no HTTP request.", "Send one of HTTP/1.1."), 400)

    class Protocol(H11Protocol):
        head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > settings.connections:
                transport.write(too_many)
                transport.close()
            self._mind()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._mind()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            self._forget()
            super().handle_websocket_upgrade(event)

        def send_400_response(self, msg: str) -> None:
            self.transport.write(unreadable)
            self.transport.close()

        def _mind(self) -> None:
            """Start the clock when a head begins, stop it when the head is whole."""
            if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
                self._forget()
            elif self.head is None:
                self.head = self.loop.call_later(settings.head_seconds, self.transport.close)

        def _forget(self) -> None:
            if self.head is not None:
                self.head.cancel()
                self.head = None

    return Protocol


def _refusal(error: MienError, status: int) -> bytes:
    body = json.dumps(wire.problem(error) | {"status": status}).encode()
    head = f"HTTP/1.1 {status} \r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
    return f"{head}retry-after: 1\r\nconnection: close\r\n\r\n".encode() + body


def bound(settings: Settings) -> socket.socket:
    """The socket that is listened at. Raises Unavailable when the port is taken, UsageError for an address that is not here."""
    host, port = settings.host, settings.port
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f"There is no address {host!r}.", "Give --host one of this machine's.") from error
    made = socket.socket(family, kind, number)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if isinstance(error, PermissionError):
            raise UsageError(f"Port {port} needs rights that this user lacks.", "Choose one above 1023.") from error
        if error.errno == errno.EADDRINUSE:
            told = f"Port {port} of {host} is in use already."
            raise Unavailable(told, "Stop what listens there, or choose another with --port.") from error
        raise UsageError(f"{host} is no address of this machine.", "Give --host one that is.") from error
    return made


def room_for(files: int) -> None:
    """Raise this process's limit of open files to that many, as far as it may."""
    with suppress(ImportError, OSError, ValueError):  # there is no such limit, or it may not be touched
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = files if hard == resource.RLIM_INFINITY else min(files, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def secured(settings: Settings) -> None:
    """Raises UsageError where keys and faces would cross a network in the clear, or the certificate cannot be used."""
    if settings.tls_certificate is not None:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=lambda: "")
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "they do not fit"
            raise UsageError(
                f"The certificate {settings.tls_certificate} and the key {settings.tls_key} cannot be used: {why}.",
                "Give two PEM files that belong together, the key without a password.",
            ) from error
    elif not settings.behind_proxy and not loopback(settings.host):
        raise UsageError(
            f"At {settings.host} keys and faces would cross the network in the clear.",
            "Give --tls-certificate and --tls-key, or --behind-proxy where a proxy in front does TLS.",
        )


def loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def address(settings: Settings, made: socket.socket) -> str:
    """What clients on this machine open."""
    host, port = made.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls_certificate else 'http'}://{name}:{port}"
