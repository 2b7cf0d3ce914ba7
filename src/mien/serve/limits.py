"""What every request passes first: an id, a limit of bytes and of time."""

from __future__ import annotations

import re
import secrets

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.errors import TooLarge
from mien.serve.settings import Settings

_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")


class RequestId:
    """ASGI middleware: the client's X-Request-Id or a new one, on the request's state and on the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
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


def install(app: FastAPI, settings: Settings) -> None:
    """Put the limits of `settings` before `app`."""
    app.add_middleware(RequestId)


__all__ = ["RequestId", "TooLarge", "install"]
