"""Which signals the `OTEL_*` variables switch on; reads no library of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping

SIGNALS = ("traces", "metrics", "logs")
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL = "http/protobuf"


def enabled_signals(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The signals that have an endpoint and are not switched off; none where OTEL_SDK_DISABLED is true.

    Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and its general SDK configuration.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return tuple(
        signal
        for signal in SIGNALS
        if (environ.get(ENDPOINT) or environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"))
        and environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp") == "otlp"
    )


def unsupported_protocol(environ: Mapping[str, str], signals: tuple[str, ...]) -> str:
    """The protocol that one of the signals is to be sent by and that infra does not speak; else empty."""
    for signal in signals:
        name = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL"
        protocol = environ.get(name) or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or PROTOCOL
        if protocol != PROTOCOL:
            return protocol
    return ""
