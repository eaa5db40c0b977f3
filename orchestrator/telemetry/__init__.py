"""Traces, metrics and logs of runs for an OpenTelemetry collector; configured by `OTEL_*` variables alone."""
