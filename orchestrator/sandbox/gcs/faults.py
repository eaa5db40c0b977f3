"""Faults of the Cloud Storage server: their JSON at `/_sandbox/faults`, and the errors that they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from orchestrator.sandbox.faults import CUTS, HttpFault, HttpFaults
from orchestrator.sandbox.gcs.errors import GcsError, invalid
from orchestrator.sandbox.gcs.messages import error_response
from orchestrator.sandbox.http import HttpResponse

# The message of an error is the service's own, so JSON has no key for it.
_KEYS = tuple(field.name for field in fields(HttpFault) if field.name != "message")
_REASONS = {429: "rateLimitExceeded", 500: "backendError", 503: "backendError"}
_MESSAGES = {
    429: "The rate of requests is too high. Please reduce it.",
    503: "We encountered an internal error. Please try again.",
}


def read_fault(rule: Mapping[str, Any]) -> HttpFault:
    """A fault from JSON, whose keys are the fields of HttpFault; 400 for an unknown key or cut."""
    unknown = set(rule) - set(_KEYS)
    if unknown:
        raise invalid(f"A fault has no {', '.join(sorted(unknown))}.")
    if rule.get("cut", "") not in ("", *CUTS):
        raise invalid(f"A fault's cut is one of {', '.join(CUTS)}.")
    try:
        re.compile(str(rule.get("regex", "")))
    except re.error as error:
        raise invalid(f"A fault's regex does not parse: {error}.") from None
    return HttpFault(**rule)


def report_faults(faults: HttpFaults) -> list[dict[str, Any]]:
    """The rules in force as JSON, with how many requests each has `seen` and `struck`."""
    return [{key: row[key] for key in (*_KEYS, "seen", "struck")} for row in faults.report()]


def fault_response(fault: HttpFault) -> HttpResponse:
    """The error that a fault with a status answers."""
    message = fault.message or _MESSAGES.get(fault.status, "Backend Error")
    response = error_response(GcsError(fault.status, _REASONS.get(fault.status, "backendError"), message))
    return replace(response, headers={**response.headers, **fault.headers})
