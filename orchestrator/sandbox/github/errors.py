"""The errors that GitHub answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_DOCUMENTATION = "https://docs.github.com/rest"


class GitHubError(Exception):
    """An error response: HTTP status, message, details as GitHub words them, and headers."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Any] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """The answer's body."""
        document: dict[str, Any] = {"message": self.message, "documentation_url": _DOCUMENTATION}
        if self.errors:
            document["errors"] = self.errors
        return {**document, "status": str(self.status)}


def not_found() -> GitHubError:
    """404: it does not exist, or the token may not see it."""
    return GitHubError(404, "Not Found")


def forbidden() -> GitHubError:
    """403: an app's token lacks a permission."""
    return GitHubError(403, "Resource not accessible by integration")


def not_a_writer() -> GitHubError:
    """403: a person's role does not allow it."""
    return GitHubError(403, "Must have write access to the repository.")


def invalid(resource: str, field: str, message: str = "", code: str = "custom") -> GitHubError:
    """422: a field of the request is not valid."""
    detail = {"resource": resource, "field": field, "code": code}
    if message:
        detail["message"] = message
    return GitHubError(422, "Validation Failed", [detail])


def unprocessable(message: str) -> GitHubError:
    """422: the request is well formed and cannot be done."""
    return GitHubError(422, message)
