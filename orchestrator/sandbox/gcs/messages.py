"""Requests as the routes see them, and the responses of the JSON API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from orchestrator.sandbox.gcs.encryption import CustomerKey
from orchestrator.sandbox.gcs.errors import GcsError, invalid
from orchestrator.sandbox.gcs.fields import Kind, check_fields
from orchestrator.sandbox.gcs.iam import Access
from orchestrator.sandbox.gcs.partial import Selection, select
from orchestrator.sandbox.gcs.preconditions import Preconditions
from orchestrator.sandbox.gcs.resources import DOWNLOAD, Resource
from orchestrator.sandbox.http import HttpRequest, HttpResponse

_FROM_HEADERS = {
    "x-goog-if-generation-match": "ifGenerationMatch",
    "x-goog-if-metageneration-match": "ifMetagenerationMatch",
}


@dataclass(frozen=True)
class GcsRequest(HttpRequest):
    """A request of one account."""

    access: Access

    @property
    def base_url(self) -> str:
        """Where this server is, as the client addressed it."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"

    @property
    def when(self) -> Preconditions:
        """The request's preconditions: parameters in the JSON API, headers in the XML API."""
        from_headers = {name: self.headers[key] for key, name in _FROM_HEADERS.items() if key in self.headers}
        return Preconditions.read({**from_headers, **self.query})

    @property
    def customer_key(self) -> CustomerKey:
        """The customer-supplied key that the request carries for the object that it names or writes."""
        return CustomerKey.read(self.headers)

    @property
    def source_key(self) -> CustomerKey:
        """The customer-supplied key of the object that a copy reads."""
        return CustomerKey.read(self.headers, source=True)

    @property
    def generation(self) -> int | None:
        """The generation requested, or None for the live one."""
        return self.number("generation")

    def number(self, name: str) -> int | None:
        """A parameter that is a whole number; 400 when it is something else."""
        text = self.query.get(name, "")
        if not text:
            return None
        if not text.lstrip("-").isdecimal():
            raise invalid(f"Invalid value '{text}' for {name}.", location=name)
        return int(text)

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be repeated."""
        return parse_qs(self.query_string).get(name, [])

    def json(self, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """The body as a JSON object with fields of `kinds`; empty where there is none, 400 for others."""
        return parse_json(self.body, kinds)


def parse_json(text: bytes, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """A JSON object with fields of `kinds`, or 400."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        raise invalid("Parse Error", reason="parseError") from None
    if not isinstance(value, dict):
        raise invalid("Parse Error", reason="parseError")
    check_fields(value, kinds)
    return value


def paged(request: GcsRequest, kind: str, items: list[Resource], size: str) -> HttpResponse:
    """One page of a listing by name; `size` names the parameter with the largest number of items."""
    after = request.query.get("pageToken", "")
    rest = [item for item in items if item["name"] > after]
    limit = request.number(size) or len(rest)
    page: dict[str, Any] = {"kind": kind, "items": rest[:limit]}
    if len(rest) > limit:
        page["nextPageToken"] = rest[limit - 1]["name"]
    return json_response(page)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer of the JSON API."""
    content = {"Content-Type": "application/json; charset=UTF-8", **(headers or {})}
    if isinstance(value, dict) and "etag" in value:
        content["ETag"] = str(value["etag"])
    return HttpResponse(status, content, json.dumps(value).encode())


def partial_response(response: HttpResponse, selection: Selection) -> HttpResponse:
    """The selected part of an answer in JSON; an object's data stays whole."""
    if not response.body or "X-Goog-Generation" in response.headers:
        return response
    return replace(response, body=json.dumps(select(json.loads(response.body), selection)).encode())


def policy_response(request: GcsRequest, policy: Resource) -> HttpResponse:
    """An IAM policy; 400 for a client that asks for a version without the conditions that it has."""
    number = request.number("optionsRequestedPolicyVersion")
    if number is not None and number < policy["version"]:
        raise invalid(
            f"Requested policy version ({number}) cannot be less than the existing policy version "
            f"({policy['version']})."
        )
    return json_response(policy)


def object_response(request: GcsRequest, resource: Resource, status: int = 200) -> HttpResponse:
    """An object's resource as the request may see it; its data's address is on this server."""
    return json_response(visible_object(request, resource), status)


def visible_object(request: GcsRequest, resource: Resource) -> Resource:
    """The resource with a `mediaLink` that leads here, which clients follow.

    Checksums of data that the request's customer-supplied key does not open are left out.
    """
    resource = request.customer_key.visible(resource)
    link = str(resource.get("mediaLink", ""))
    base = f"{request.base_url}/download/storage/v1"
    return {**resource, "mediaLink": base + link[len(DOWNLOAD) :]} if link.startswith(DOWNLOAD) else resource


def error_response(error: GcsError) -> HttpResponse:
    """A refusal as the JSON API words it."""
    if error.status == 304:
        return HttpResponse(304)
    detail = {"message": error.message, "domain": "global", "reason": error.reason}
    if error.location:
        kind = "header" if error.location == "If-Match" else "parameter"
        detail |= {"locationType": kind, "location": error.location}
    body = {"error": {"code": error.status, "message": error.message, "errors": [detail]}}
    return json_response(body, error.status)
