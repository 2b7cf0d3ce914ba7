"""Spans say where a request's time went, and reach a collector."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A receiver of OTLP over HTTP."""
    got: list[ExportTraceServiceRequest] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            got.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
        server.shutdown()


def test_request_queue_batch_and_search(collector: Any, make_app: Any, stubs: ModuleType) -> None:
    endpoint, got = collector
    app = make_app(trace_endpoint=endpoint)
    service = app.state.service
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + service.keys.make("tests", "admin", "default")
        people = service.galleries.create("default", "people")
        service.engine.enrol(people, "Zoë", [stubs.picture(stubs.RED)])
        files = {"image": stubs.picture(stubs.RED)}
        assert client.post("/v1/galleries/people/identify", files=files, headers={"traceparent": PARENT}).is_success
    spans = [span for each in got for rs in each.resource_spans for ss in rs.scope_spans for span in ss.spans]
    by_name = {span.name: span for span in spans}
    request = by_name["POST /v1/galleries/{gallery}/identify"]
    assert request.trace_id.hex() == PARENT.split("-")[1]
    assert request.parent_span_id.hex() == PARENT.split("-")[2]
    assert by_name["queue"].parent_span_id == by_name["batch"].parent_span_id == request.span_id
    assert by_name["search"].parent_span_id == by_name["batch"].span_id
    start, end = request.start_time_unix_nano, request.end_time_unix_nano
    slack = 2_000_000  # ns between two clocks
    for name in ("queue", "batch", "search"):
        one = by_name[name]
        assert start - slack <= one.start_time_unix_nano <= one.end_time_unix_nano <= end + slack
    assert "Zoë" not in str(spans)
    assert "people/" not in str(spans)


def test_a_failure_is_marked(collector: Any, make_app: Any, stubs: ModuleType) -> None:
    endpoint, got = collector
    app = make_app(trace_endpoint=endpoint)
    app.state.service.engine.faces = lambda frame: 1 // 0
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "admin", "default")
        client.post("/v1/detect", files={"image": stubs.picture(stubs.RED)})
    (span,) = [
        span
        for each in got
        for rs in each.resource_spans
        for ss in rs.scope_spans
        for span in ss.spans
        if span.name == "POST /v1/detect"
    ]
    assert span.status.code == 2
    assert "division" not in str(span)


def test_a_collector_that_is_gone_stops_nobody(make_app: Any, stubs: ModuleType, monkeypatch: Any) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    app = make_app(trace_endpoint="http://127.0.0.1:9/v1/traces")
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer " + app.state.service.keys.make("tests", "admin", "default")
        assert client.post("/v1/detect", files={"image": stubs.picture(stubs.RED)}).status_code == 200
