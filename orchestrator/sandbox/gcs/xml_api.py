"""Reads by the XML API: Terraform's gcs backend fetches states by `/BUCKET/OBJECT`."""

from __future__ import annotations

from xml.sax.saxutils import escape

from orchestrator.sandbox.gcs.errors import GcsError
from orchestrator.sandbox.gcs.media import check_tags, media_response, xml_tag
from orchestrator.sandbox.gcs.messages import GcsRequest
from orchestrator.sandbox.gcs.object_api import read_data
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.http import HttpResponse

_MESSAGES = {
    "AccessDenied": "Access denied.",
    "NoSuchBucket": "The specified bucket does not exist.",
    "NoSuchKey": "The specified key does not exist.",
    "PreconditionFailed": "At least one of the pre-conditions you specified did not hold.",
}


def read_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """GET or HEAD /BUCKET/OBJECT"""
    resource, data = read_data(store, request, bucket, name)
    check_tags(request, xml_tag(resource))
    return media_response(request, resource, data, tag=xml_tag(resource))


def error_response(error: GcsError) -> HttpResponse:
    """A refusal as the XML API words it."""
    if error.status == 304:
        return HttpResponse(304)
    message = _MESSAGES.get(error.xml_code, error.message)
    details = f"<Details>{escape(error.message)}</Details>" if message != error.message else ""
    text = (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f"<Error><Code>{error.xml_code}</Code><Message>{escape(message)}</Message>{details}</Error>"
    )
    return HttpResponse(error.status, {"Content-Type": "application/xml; charset=UTF-8"}, text.encode())
