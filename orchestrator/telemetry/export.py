"""Sends the spans of a run to an OpenTelemetry collector, and what can be measured of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.deadline import DeadlinePassedError, call_within
from orchestrator.telemetry.settings import enabled_signals, unsupported_protocol
from orchestrator.telemetry.spans import Span, TraceParent

if TYPE_CHECKING:
    import requests
    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

# A run waits no longer than this for its telemetry, in seconds.
MOST_WAIT = 2.0
# The name of the thread that sends it.
THREAD = "telemetry"
_INSTALL = "It needs the extra `telemetry`: pip install 'infra-orchestrator[telemetry]'."


def export(
    span: Span,
    own: TraceParent,
    parent: TraceParent | None,
    environ: Mapping[str, str],
    version: str,
    wait: float = MOST_WAIT,
) -> str:
    """Send a run's telemetry, for `wait` seconds at most; returns what went wrong, for people.

    `own` are the ids of the topmost span, `parent` is the span of another process that it is a part of. The
    libraries read the rest of the `OTEL_*` variables themselves.
    """
    signals = enabled_signals(environ)
    if not signals:
        return ""
    protocol = unsupported_protocol(environ, signals)
    if protocol:
        return f"Telemetry was not sent: infra speaks http/protobuf, not {protocol}."
    try:
        refused = call_within(wait, lambda: _send(span, own, parent, signals, version), THREAD)
    except DeadlinePassedError:
        return f"Telemetry was not sent within {wait:g} s."
    except ImportError:
        return f"Telemetry was not sent. {_INSTALL}"
    except Exception as error:
        # Whatever a collector answers, the run is what counts.
        return f"Telemetry was not sent: {type(error).__name__}."
    return f"The collector did not take the {' and '.join(refused)} of this run." if refused else ""


def _send(
    span: Span, own: TraceParent, parent: TraceParent | None, signals: Sequence[str], version: str
) -> list[str]:
    """Send each signal; the signals that the collector did not take."""
    import requests

    # Its retries and refusals are reported in one line of ours.
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    # A collector that sends us elsewhere gets nothing there.
    http = requests.Session()
    http.max_redirects = 0
    resource = _resource(version)
    finished, logs = _finished(span, own, parent, resource)
    senders: Mapping[str, Callable[[], bool]] = {
        "traces": lambda: _send_spans(finished, http),
        "metrics": lambda: _send_metrics(span, resource, http),
        "logs": lambda: _send_logs(logs, http),
    }
    return [signal for signal in signals if not senders[signal]()]


def _resource(version: str) -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and who we are where they do not."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource

    own = Resource({SERVICE_NAME: "infra", SERVICE_VERSION: version})
    return own.merge(OTELResourceDetector().detect())


def _finished(
    span: Span, own: TraceParent, parent: TraceParent | None, resource: Resource
) -> tuple[Sequence[ReadableSpan], Sequence[ReadableLogRecord]]:
    """The spans and the logs as the SDK has them, each with its own times."""
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

    class OwnIds(RandomIdGenerator):
        """The ids that the run has named to others, then random ones."""

        is_first = True

        def generate_trace_id(self) -> int:
            return int(own.trace_id, 16)

        def generate_span_id(self) -> int:
            if self.is_first:
                self.is_first = False
                return int(own.span_id, 16)
            return super().generate_span_id()

    spans, records = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    tracers = TracerProvider(resource=resource, id_generator=OwnIds(), shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers = LoggerProvider(resource, shutdown_on_exit=False)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
    tracer, logger = tracers.get_tracer("infra"), loggers.get_logger("infra")

    def make(span: Span, above: Context | None, kind: SpanKind) -> None:
        begun = tracer.start_span(
            span.name,
            above,
            kind,
            dict(span.attributes),
            [Link(_span_context(link)) for link in span.links],
            span.start,
        )
        context = set_span_in_context(begun, above)
        if span.error:
            begun.set_attribute("error.type", span.error)
            begun.set_status(Status(StatusCode.ERROR))
        for line in span.logs:
            number = SeverityNumber.ERROR if line.severity == "ERROR" else SeverityNumber.INFO
            logger.emit(
                LogRecord(
                    timestamp=line.time,
                    context=context,
                    severity_text=line.severity,
                    severity_number=number,
                    body=line.text,
                )
            )
        for child in span.children:
            make(child, context, SpanKind.INTERNAL)
        begun.end(span.end)

    make(span, _context(parent), SpanKind.SERVER)
    return spans.get_finished_spans(), records.get_finished_logs()


def _context(parent: TraceParent | None) -> Context | None:
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(_span_context(parent))) if parent else None


def _span_context(parent: TraceParent) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)


def _send_spans(spans: Sequence[ReadableSpan], http: requests.Session) -> bool:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    return not spans or OTLPSpanExporter(session=http).export(spans) is SpanExportResult.SUCCESS


def _send_logs(records: Sequence[ReadableLogRecord], http: requests.Session) -> bool:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs.export import LogRecordExportResult

    return not records or OTLPLogExporter(session=http).export(records) is LogRecordExportResult.SUCCESS


def _send_metrics(span: Span, resource: Resource, http: requests.Session) -> bool:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult

    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], resource, shutdown_on_exit=False).get_meter("infra")
    pipeline = {"cicd.pipeline.name": span.attributes["cicd.pipeline.name"]}
    error = {"error.type": span.error} if span.error else {}
    meter.create_histogram("cicd.pipeline.run.duration", "s", "Duration of a run.").record(
        span.seconds,
        {
            **pipeline,
            **error,
            "cicd.pipeline.result": span.attributes["cicd.pipeline.result"],
            "cicd.pipeline.run.state": "executing",
        },
    )
    errors = meter.create_counter("cicd.pipeline.run.errors", "{error}", "Errors in runs.")
    durations = meter.create_histogram("infra.stack.duration", "s", "Time that a stack took in a run.")
    for environment in span.children:
        for stack in environment.children:
            name, result = "deployment.environment.name", "infra.stack.result"
            durations.record(
                stack.seconds,
                {**pipeline, name: environment.attributes[name], result: stack.attributes[result]},
            )
            if stack.error:
                errors.add(1, {**pipeline, "error.type": stack.error})
    if error and not any(environment.error for environment in span.children):
        errors.add(1, {**pipeline, **error})
    metrics = reader.get_metrics_data()
    return metrics is None or OTLPMetricExporter(session=http).export(metrics) is MetricExportResult.SUCCESS
