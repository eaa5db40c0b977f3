"""One request to the API as its handler sees it, and the answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from orchestrator.sandbox.github.commit_shapes import CommitShapes
from orchestrator.sandbox.github.errors import GitHubError, invalid
from orchestrator.sandbox.github.issue_shapes import IssueShapes
from orchestrator.sandbox.github.model import Token
from orchestrator.sandbox.github.repository import RepositoryService
from orchestrator.sandbox.github.shapes import ApiDocuments
from orchestrator.sandbox.http import HttpRequest, HttpResponse

# `application/vnd.github.raw`, `.v3.diff`, `.raw+json`; `.v3+json` and `+json` are JSON.
_MEDIA = re.compile(r"application/vnd\.github\.(?:v3\.)?(?!v3\b)([a-z][\w-]*)(?:\+json)?")
MOST_PER_PAGE = 100
PER_PAGE = 30


@dataclass(frozen=True)
class ApiResponse:
    """A response before it is encoded: JSON, nothing (None with 204), text or bytes of another kind."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json; charset=utf-8"


@dataclass(frozen=True)
class RepositoryCall:
    """A request to something of a repository. `arguments` are the parts of the path, decoded."""

    request: HttpRequest
    token: Token
    service: RepositoryService
    shapes: ApiDocuments
    arguments: Mapping[str, str]
    content: Mapping[str, Any]

    @property
    def issues(self) -> IssueShapes:
        """Documents of issues and pull requests."""
        return IssueShapes(self.shapes, self.service.repository, self.service.git)

    @property
    def commits(self) -> CommitShapes:
        """Documents of checks, statuses and deployments of commits."""
        return CommitShapes(self.shapes, self.service.repository, self.issues)

    @property
    def media(self) -> str:
        """The form that the Accept header asks for: `raw`, `diff`, …; empty for JSON."""
        for accepted in self.request.headers.get("accept", "").split(","):
            match = _MEDIA.fullmatch(accepted.partition(";")[0].strip())
            if match and match[1] != "json" and not match[1].endswith("-preview"):
                return match[1]
        return ""

    def as_media(self, forms: Mapping[str, Callable[[], bytes]]) -> ApiResponse | None:
        """The answer in the form that the Accept header asks for; None for JSON, 415 for another."""
        form = self.media
        if not form or (form == "raw" and form not in forms):
            # Of an issue's or a commit's texts, raw is what JSON has anyway.
            return None
        if form not in forms:
            raise GitHubError(
                415, f"Unsupported 'Accept' header: application/vnd.github.{form} is not served."
            )
        return ApiResponse(200, forms[form](), media=f"application/vnd.github.{form}; charset=utf-8")

    def text(self, name: str) -> str:
        """A field of the body that must be there and be text."""
        value = self.content.get(name)
        if not isinstance(value, str):
            raise invalid("Request", name, code="missing_field")
        return value

    def page(self, items: Sequence[Any], wrap: str = "") -> ApiResponse:
        """The requested page of a list, with the links to the others; `wrap` names the list in a document."""
        size = min(max(self._number("per_page", PER_PAGE), 1), MOST_PER_PAGE)
        number = max(self._number("page", 1), 1)
        last = max(-(-len(items) // size), 1)
        part = list(items[(number - 1) * size : number * size])
        links = [("prev", number - 1), ("next", number + 1), ("last", last), ("first", 1)]
        links_header = [
            f'<{self._link(size, page)}>; rel="{name}"'
            for name, page in links
            if 1 <= page <= last and page != number and not (name == "first" and number == 1)
        ]
        headers = {"Link": ", ".join(links_header)} if links_header else {}
        return ApiResponse(200, {"total_count": len(items), wrap: part} if wrap else part, headers)

    def cursor_page(self, items: Sequence[tuple[str, Any]]) -> ApiResponse:
        """The part of a list of cursors and items that follows the cursor `after`."""
        size = min(max(self._number("per_page", PER_PAGE), 1), MOST_PER_PAGE)
        cursors = [cursor for cursor, _ in items]
        after = self.request.query.get("after", "")
        start = cursors.index(after) + 1 if after in cursors else 0
        part = items[start : start + size]
        headers = {}
        if start + size < len(items):
            query = {**self.request.query, "per_page": str(size), "after": part[-1][0]}
            link = f"{self.shapes.base}{self.request.path}?{urlencode(query)}"
            headers = {"Link": f'<{link}>; rel="next"'}
        return ApiResponse(200, [item for _, item in part], headers)

    def _number(self, name: str, default: int) -> int:
        value = self.request.query.get(name, "")
        return int(value) if re.fullmatch(r"\d{1,9}", value) else default

    def _link(self, size: int, page: int) -> str:
        query = {**self.request.query, "per_page": str(size), "page": str(page)}
        return f"{self.shapes.base}{self.request.path}?{urlencode(query)}"


def encode_response(request: HttpRequest, response: ApiResponse) -> HttpResponse:
    """The response as bytes; 304 without a body for a client that has the same already, by its ETag."""
    body = _encode(response.content)
    status, headers = response.status, dict(response.headers)
    if request.method == "GET" and status == 200:
        headers["ETag"] = f'W/"{hashlib.sha256(body).hexdigest()}"'
        if request.headers.get("if-none-match") == headers["ETag"]:
            status, body = 304, b""
    if body:
        headers = {"Content-Type": response.media, **headers}
    return HttpResponse(status, headers, body)


def _encode(content: Any) -> bytes:
    """Nothing, bytes and text as they are, anything else as JSON."""
    if content is None:
        return b""
    if isinstance(content, bytes):
        return content
    return content.encode("utf-8", "replace") if isinstance(content, str) else json.dumps(content).encode()
