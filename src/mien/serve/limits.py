"""What every request passes first: an id, a limit of bytes and of time, and one shape for what fails."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.errors import MienError, TooLarge, TooSlow, Unavailable, UnsupportedContent
from mien.serve import problems
from mien.serve.lines import GONE
from mien.serve.settings import Settings
from mien.serve.watch import Watched

log = logging.getLogger("mien.serve")
VIDEOS = ("/v1/jobs",)  # where bodies may be as long as a video
OWN = ("/",)  # where refusals have a shape of their own: the route hears of them when it reads
ENVELOPE = 65_536  # bytes of a form around a video
LINGER = 1.0  # s for which a refused body is still read, so that the client hears of it before the connection closes
READY = 1 << 18  # bytes that came already and are let go, so that the connection can be used again
GRACE = 0.2  # s for those bytes, which may be a packet behind the head
_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")
_LENGTH = re.compile(rb"[0-9]{1,18}")


class RequestId:
    """ASGI middleware: the client's X-Request-Id or a new one, on the request's state and on the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        number = given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = number

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"x-request-id", number.encode())]
            await send(message)

        await self._app(scope, receive, marked)


class Guard:
    """ASGI middleware: no body is longer or slower than allowed, and every failure is a problem.

    A body is refused by its Content-Length before a byte of it is read, and while it comes where that is absent or a lie;
    nothing is gathered here."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self._settings, scope, receive, send)
        before = GONE.set(body.gone)
        try:
            if scope["path"] not in OWN:
                body.check()
            await self._app(scope, body.receive, body.send)
        except MienError as error:
            await body.refuse(problems.problem(Request(scope), error))
        except asyncio.CancelledError:  # the time to drain is over
            if body.begun:
                raise
            stopped = Unavailable("The service stopped before this was done.", "Ask again in a moment.")
            await body.refuse(problems.problem(Request(scope), stopped))
        except Exception as error:  # here, because answers that are made further out have no id
            if body.begun:
                raise
            await body.refuse(problems.failed(Request(scope), error))
        finally:
            GONE.reset(before)


class _Body:
    """The body of one request, and the answer where it is refused."""

    def __init__(self, settings: Settings, scope: Scope, receive: Receive, send: Send) -> None:
        self._settings, self._scope, self._receive, self._send = settings, scope, receive, send
        self._headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self._most = settings.max_bytes
        if scope["path"] in VIDEOS:
            self._most = max(settings.max_video_bytes + ENVELOPE, settings.max_bytes)
        self._came, self._since, self._whole = 0, 0.0, False
        self._fault: MienError | None = None
        self.begun = self._refused = self._closing = False  # the answer

    def check(self) -> None:
        """Raise TooLarge, UnsupportedContent for what the head says."""
        if self._headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            raise UnsupportedContent("Compressed bodies are not taken.", "Send the body as it is.")
        length = self._headers.get(b"content-length", b"0")
        if _LENGTH.fullmatch(length) is None or int(length) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next piece. Raises TooLarge, TooSlow, UnsupportedContent, once and for all."""
        if self._whole:
            return await self._receive()
        if self._fault is not None:
            raise self._fault
        try:
            if not self._since:
                self._since = time.monotonic()
                self.check()
            return await self._piece()
        except MienError as error:
            self._fault = error
            raise

    async def gone(self) -> None:
        """Return when the client has gone away; never while its body is still coming."""
        while not self._whole or (await self._receive())["type"] != "http.disconnect":
            await asyncio.sleep(0.05)

    async def _piece(self) -> Message:
        allowed = self._settings.body_seconds * (1 + self._came / self._settings.max_bytes)
        left = self._since + allowed - time.monotonic()
        try:
            async with asyncio.timeout(left):
                message = await self._receive()
        except TimeoutError:
            told = f"The body did not arrive within {allowed:.0f} s."
            raise TooSlow(told, "Send it at once, over a faster connection, or send less.") from None
        self._came += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._came > self._most:
            self._whole = False
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """The answer goes on, but for one to a body that was refused: then it says so, whoever swallowed the reason."""
        if self._refused:
            return
        if message["type"] == "http.response.start" and self._fault is not None and self._scope["path"] not in OWN:
            await self.refuse(problems.problem(Request(self._scope), self._fault))
            return
        await self._out(message)

    async def refuse(self, response: problems.Problem) -> None:
        """Answer with a problem, unless an answer has begun."""
        if self._refused or self.begun:
            return
        self._refused = True
        head = {"type": "http.response.start", "status": response.status_code, "headers": list(response.raw_headers)}
        await self._out(head)
        await self._out({"type": "http.response.body", "body": bytes(response.body), "more_body": False})

    async def _out(self, message: Message) -> None:
        """Send; where the body is still coming, close afterwards, or whoever drips it would keep the connection."""
        if message["type"] == "http.response.start":
            self.begun = True
            self._closing = not await self._read(0.0 if self._fault or self._long() else GRACE, READY)
            if self._closing:
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
        elif self._closing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            # Closed at once, the client's system could drop the answer unread. One that waits for a word has it now.
            if (self._came or b"expect" not in self._headers) and not isinstance(self._fault, TooSlow):
                await self._read(LINGER, 4 * self._settings.max_bytes)
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    def _long(self) -> bool:
        """Whether more is announced than is worth waiting for."""
        length = self._headers.get(b"content-length", b"0")
        return b"transfer-encoding" in self._headers or _LENGTH.fullmatch(length) is None or int(length) > READY

    async def _read(self, seconds: float, most: int) -> bool:
        """Let go of what comes within so many seconds, at most so many bytes; whether the body is whole now."""
        length = self._headers.get(b"content-length", b"0")
        if self._whole or (b"transfer-encoding" not in self._headers and length == b"0"):
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._whole and most > 0 and not (b"expect" in self._headers and not self._came):
                    message = await self._receive()
                    self._came += len(message.get("body", b""))
                    most -= len(message.get("body", b""))
                    self._whole = not message.get("more_body", False)
        return self._whole

    def _too_large(self) -> TooLarge:
        told = f"The body is longer than the {self._most / 1e6:.0f} MB allowed here."
        return TooLarge(told, "Send fewer or smaller pictures.")


def install(app: FastAPI, settings: Settings) -> None:
    """Put the limits of `settings` before `app`."""
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Watched, service=app.state.service)
    app.add_middleware(RequestId)


__all__ = ["Guard", "RequestId", "install"]
