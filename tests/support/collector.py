"""A collector on 127.0.0.1 that takes OTLP over HTTP and decodes what it gets, strictly."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from orchestrator.telemetry.export import THREAD

_REQUESTS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Collector:
    """What arrived, by path.

    `status` is what it answers, `location` where it sends clients. With `delay` it answers nothing until it
    is closed.
    """

    def __init__(self, status: int = 200, location: str = "", *, delay: bool = False) -> None:
        self.requests: dict[str, list[Any]] = {path: [] for path in _REQUESTS}
        self.closed = threading.Event()
        collector = self

        class CollectorHandler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    data = gzip.decompress(data)
                if self.path in _REQUESTS and self.headers["Content-Type"] == "application/x-protobuf":
                    collector.requests[self.path].append(_REQUESTS[self.path].FromString(data))
                if delay:
                    collector.closed.wait(60)
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), CollectorHandler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> dict[str, Any]:
        """The spans that arrived, by name."""
        return {
            span.name: span
            for request in self.requests["/v1/traces"]
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics that arrived, by name."""
        return {
            metric.name: metric
            for request in self.requests["/v1/metrics"]
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def logs(self) -> list[Any]:
        """The log records that arrived."""
        return [
            record
            for request in self.requests["/v1/logs"]
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


def wait_for_senders() -> None:
    """Wait for telemetry that a run in this process has not waited for.

    Its retries use the global random numbers, and on a busy machine it takes longer than a run waits.
    """
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join()


def attributes_of(item: Any) -> dict[str, Any]:
    """The attributes of a span, a data point or a resource."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in item.attributes
    }
