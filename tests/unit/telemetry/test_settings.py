"""Which signals the `OTEL_*` variables switch on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.telemetry.settings import enabled_signals, unsupported_protocol

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "signals"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "infra"}, ()),
        (ENDPOINT, ("traces", "metrics", "logs")),
        ({**ENDPOINT, "OTEL_LOGS_EXPORTER": "none"}, ("traces", "metrics")),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/m"}, ("metrics",)),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"}, ()),
    ],
)
def test_a_signal_is_on_where_it_has_an_endpoint(environ: dict[str, str], signals: tuple[str, ...]) -> None:
    assert enabled_signals(environ) == signals


def test_only_http_with_protobuf_is_spoken() -> None:
    assert unsupported_protocol({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ("traces",)) == "grpc"
    assert unsupported_protocol({"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json"}, ("traces",)) == ""
    assert unsupported_protocol({}, ("traces",)) == ""


def test_off_it_loads_no_library() -> None:
    code = (
        "import sys, orchestrator.cli.support.session, orchestrator.cli.support.telemetry;"
        "sys.exit(any(name.split('.')[0] == 'opentelemetry' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
