"""What a collector gets, and what a run says of one that takes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator.telemetry.export import export
from orchestrator.telemetry.settings import ENDPOINT
from orchestrator.telemetry.spans import Span, SpanLog, TraceParent
from tests.support.collector import Collector, attributes_of, wait_for_senders

OWN = TraceParent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
PARENT = TraceParent(OWN.trace_id, "1111111111111111")
PLAN = TraceParent("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb")
SECOND = 1_000_000_000
STACK = Span(
    "dev/net",
    2 * SECOND,
    4 * SECOND,
    {"infra.stack.result": "failed"},
    "failed",
    logs=(SpanLog(4 * SECOND, "ERROR", "dev/net: failed (quota)"),),
)
ENVIRONMENT = Span(
    "environment dev", 2 * SECOND, 4 * SECOND, {"deployment.environment.name": "dev"}, "failed", (STACK,)
)
RUN = Span(
    "RUN infra apply",
    SECOND,
    5 * SECOND,
    {"cicd.pipeline.name": "infra apply", "cicd.pipeline.result": "failure"},
    "failed",
    (ENVIRONMENT,),
    (PLAN,),
)


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """What a run did not wait for ends before the next test."""
    yield
    wait_for_senders()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries read the process's environment: nothing of ours, and no proxy."""
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", ENDPOINT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def _send(monkeypatch: pytest.MonkeyPatch, url: str, run: Span = RUN, wait: float = 30.0) -> str:
    monkeypatch.setenv(ENDPOINT, url)
    return export(run, OWN, PARENT, {ENDPOINT: url}, "1.2.3", wait)


def test_a_collector_gets_spans_metrics_and_logs_that_belong_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=platform")
    with Collector() as collector:
        assert _send(monkeypatch, collector.url) == ""
    run, environment, stack = (
        collector.spans[name] for name in ("RUN infra apply", "environment dev", "dev/net")
    )
    assert (run.trace_id.hex(), run.span_id.hex()) == (OWN.trace_id, OWN.span_id)
    assert run.parent_span_id.hex() == PARENT.span_id
    assert (environment.parent_span_id, stack.parent_span_id) == (run.span_id, environment.span_id)
    assert [link.span_id.hex() for link in run.links] == [PLAN.span_id]
    assert (stack.start_time_unix_nano, stack.end_time_unix_nano) == (2 * SECOND, 4 * SECOND)
    assert run.kind == run.SPAN_KIND_SERVER
    assert stack.status.code == stack.status.STATUS_CODE_ERROR
    assert attributes_of(stack)["error.type"] == "failed"
    (resource,) = collector.requests["/v1/traces"][0].resource_spans
    assert attributes_of(resource.resource) == {
        "service.name": "infra",
        "service.version": "1.2.3",
        "team": "platform",
    }
    (line,) = collector.logs
    assert (line.span_id, line.body.string_value) == (stack.span_id, "dev/net: failed (quota)")
    assert line.severity_text == "ERROR"
    (duration,) = collector.metrics["cicd.pipeline.run.duration"].histogram.data_points
    assert duration.sum == 4.0
    assert attributes_of(duration)["cicd.pipeline.result"] == "failure"
    (errors,) = collector.metrics["cicd.pipeline.run.errors"].sum.data_points
    assert errors.as_int == 1


def test_what_the_parent_does_not_sample_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        unsampled = replace(PARENT, is_sampled=False)
        assert export(RUN, OWN, unsampled, {ENDPOINT: collector.url}, "1", 30.0) == ""
    assert collector.spans == {}


def test_a_collector_that_refuses_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector(status=400) as collector:
        problem = _send(monkeypatch, collector.url)
    assert problem == "The collector did not take the traces and metrics and logs of this run."


def test_nothing_is_sent_to_where_a_collector_sends_us(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as other, Collector(status=307, location=other.url + "/v1/traces") as collector:
        assert _send(monkeypatch, collector.url)
    assert other.requests["/v1/traces"] == []


def _abandon(monkeypatch: pytest.MonkeyPatch, url: str) -> str:
    """What a run says that waits less long than its telemetry takes: the traces alone."""
    name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    monkeypatch.setenv(name, f"{url}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    return export(RUN, OWN, PARENT, {name: url}, "1.2.3", 0.2)


def test_a_collector_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector(delay=True) as collector:
        begun = time.monotonic()
        problem = _abandon(monkeypatch, collector.url)
        waited = time.monotonic() - begun
    assert "not sent within 0.2 s" in problem or "did not take the traces" in problem
    assert waited < 30, "the collector would have been waited for for a minute"


def test_where_nobody_listens_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        url = collector.url
    problem = _abandon(monkeypatch, url)
    assert "not sent within 0.2 s" in problem or "did not take the traces" in problem


def test_another_protocol_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {ENDPOINT: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert "not grpc" in export(RUN, OWN, None, environ, "1")
    assert export(RUN, OWN, None, {}, "1") == ""
