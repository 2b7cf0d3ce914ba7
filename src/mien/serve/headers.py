"""Headers of every answer: what a browser may do with it, and who else may ask."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.serve.settings import Settings

# An answer of the API is data: a browser that is made to show it runs and loads nothing. Pages bring policies of their own.
CSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
ALWAYS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "cache-control": "no-store",  # faces and names do not belong into caches
}
TLS = {"strict-transport-security": "max-age=31536000"}
TAKEN = ["Authorization", "X-Api-Key", "Content-Type", "X-Request-Id", "Idempotency-Key", "If-Match"]
TOLD = ["X-Request-Id", "Retry-After", "ETag", "Location"]


class Headers:
    """ASGI middleware: puts headers on each answer that has not its own."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", []))
                there = {name.lower() for name, _ in own}
                message["headers"] = own + [one for one in self._headers if one[0] not in there]
            await send(message)

        await self._app(scope, receive, headed if scope["type"] == "http" else send)


def install(app: FastAPI, settings: Settings) -> None:
    """Put them around all of `app`, and let in pages of settings.origins, without cookies."""
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=TAKEN,
            expose_headers=TOLD,
        )
    stack = app.build_middleware_stack
    wanted = ALWAYS | (TLS if settings.tls_certificate else {})
    # Around the whole stack: the answer to an unforeseen error is given outside of all middleware that is added.
    app.build_middleware_stack = lambda: Headers(stack(), wanted)  # type: ignore[method-assign]
