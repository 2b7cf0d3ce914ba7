"""Every request seen once: its line in the log, its numbers, its span."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.gallery import BaseGallery
from mien.serve.lines import Watch
from mien.serve.metrics import Metrics
from mien.serve.traces import Traces
from mien.types import Match

if TYPE_CHECKING:
    from mien.serve.service import Service

log = logging.getLogger("mien.serve.requests")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
QUIET = frozenset(("/health", "/ready", "/metrics"))  # asked every few seconds: no lines unless they fail


class Watched:
    """ASGI middleware: notes how each request ended. It sees the route's template, never the path."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        with self._service.traces.request(scope) as span:
            try:
                await self._app(scope, receive, noted)
            finally:
                took, route = time.perf_counter() - begun, template(scope)
                span.ended(route, status)
                self._service.metrics.request(route, method(scope), status, took)
                if route not in QUIET or status >= 500:
                    log.info("request", extra=_line(scope, route, status, took))


def template(scope: Scope) -> str:
    """The route that a request took, such as /v1/galleries/{gallery}; paths hold names."""
    found = getattr(scope.get("route"), "path", None)
    return found if isinstance(found, str) else "none"


def method(scope: Scope) -> str:
    """GET, POST, … or SOCKET; whatever else a client makes up is OTHER."""
    if scope["type"] == "websocket":
        return "SOCKET"
    return scope["method"] if scope["method"] in METHODS else "OTHER"


def _line(scope: Scope, route: str, status: int, took: float) -> dict[str, Any]:
    state = scope.get("state", {})
    caller = state.get("caller")
    return {
        "id": state.get("request_id"),
        "key": caller.key if caller else None,
        "tenant": caller.tenant if caller else None,
        "method": method(scope),
        "route": route,
        "status": status,  # 0: the client went away
        "ms": round(1000 * took, 1),
    }


class Lined(Watch):
    """What goes through the engine's lines, and the searches in it, to metrics and traces."""

    def __init__(self, metrics: Metrics, traces: Traces) -> None:
        self._metrics, self._traces = metrics, traces
        self._local = threading.local()

    def here(self) -> Any:
        """The request's span, if there are traces."""
        return self._traces.here()

    def full(self) -> None:
        """Count it."""
        self._metrics.refused.inc()

    def begun(self) -> None:
        """Searches from here on are of this batch."""
        self._local.searches = []

    def done(self, tasks: Sequence[tuple[Any, float]], span: tuple[float, float], results: Sequence[Any]) -> None:
        """Count, and hand over spans."""
        begun, ended = span
        self._metrics.batch([begun - since for _, since in tasks], ended - begun, results)
        self._traces.batch(tasks, span, self._local.searches)
        self._local.searches = []

    def gallery(self, found: BaseGallery) -> BaseGallery:
        """The same gallery, whose searches are timed."""
        search = found.search_many

        def timed(*given: Any, **more: Any) -> list[list[Match]]:
            begun = time.monotonic()
            try:
                return search(*given, **more)
            finally:
                ended = time.monotonic()
                self._metrics.searches.observe(ended - begun)
                if hasattr(self._local, "searches"):
                    self._local.searches.append((begun, ended))

        found.search_many = timed  # type: ignore[method-assign]
        return found
