"""Spans for OpenTelemetry, when an endpoint is set: the request, its wait in the queue, the batch it went with, the search.

They carry routes, statuses and counts; nothing that the log may not hold."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from mien.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_parent: ContextVar[Any] = ContextVar("parent", default=None)


class Span:
    """A request's span where there are no traces."""

    def ended(self, route: str, status: int) -> None:
        """Say what came of it."""


class Traces:
    """No traces."""

    def request(self, scope: Scope) -> Any:
        """A context that is a request's span."""
        return _NOTHING

    def here(self) -> Any:
        """What a task of the engine remembers of its request."""
        return None

    def batch(
        self, tasks: Sequence[tuple[Any, float]], span: tuple[float, float], searches: Sequence[tuple[float, float]]
    ) -> None:
        """A batch that is done: for each task its `here()` and when it came; the batch and the searches from, to.

        All in s of the monotonic clock."""

    def close(self) -> None:
        """Send what is left."""


_NOTHING = nullcontext(Span())


class Sent(Traces):
    """Traces that are sent to `endpoint` by OTLP over HTTP; `exporter` is a seam for tests."""

    def __init__(self, endpoint: str, exporter: SpanExporter | None = None) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            raise UsageError(f"Traces need more packages: {error}.", 'Run: pip install "mien[trace]"') from error
        self._provider = TracerProvider(resource=Resource.create({"service.name": "mien"}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("mien.serve")
        self._origin = TraceContextTextMapPropagator()

    def request(self, scope: Scope) -> Any:
        """The span of a request, below the caller's where it sent a traceparent."""
        return self._request(scope)

    @contextmanager
    def _request(self, scope: Scope) -> Iterator[Span]:
        from opentelemetry import trace

        carried = {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}
        given = self._origin.extract(carried)
        kind = trace.SpanKind.SERVER
        span = self._tracer.start_span(str(scope.get("method", "SOCKET")), given, kind)
        before = _parent.set(trace.set_span_in_context(span))
        try:
            yield _Request(span, str(scope.get("method", "SOCKET")))
        finally:
            _parent.reset(before)
            span.end()

    def here(self) -> Any:
        """The context of the request that is being answered."""
        return _parent.get()

    def batch(
        self, tasks: Sequence[tuple[Any, float]], span: tuple[float, float], searches: Sequence[tuple[float, float]]
    ) -> None:
        """Spans below each request: what it waited, the batch, and the searches in that."""
        from opentelemetry import trace

        shift, (begun, ended) = time.time() - time.monotonic(), span

        def at(moment: float) -> int:
            return int(1e9 * (moment + shift))

        for parent, since in tasks:
            if parent is None:
                continue
            self._tracer.start_span("queue", parent, start_time=at(since)).end(at(begun))
            size = {"mien.batch.size": len(tasks)}
            made = self._tracer.start_span("batch", parent, attributes=size, start_time=at(begun))
            within = trace.set_span_in_context(made, parent)
            for start, end in searches:
                self._tracer.start_span("search", within, start_time=at(start)).end(at(end))
            made.end(at(ended))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class _Request(Span):
    def __init__(self, span: Any, method: str) -> None:
        self._span, self._method = span, method

    def ended(self, route: str, status: int) -> None:
        from opentelemetry.trace import StatusCode

        self._span.update_name(f"{self._method} {route}")
        self._span.set_attribute("http.request.method", self._method)
        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500 or not status:
            self._span.set_status(StatusCode.ERROR)


def traces(endpoint: str) -> Traces:
    """Those of the settings. Raises UsageError when their packages are absent."""
    return Sent(endpoint) if endpoint else Traces()
