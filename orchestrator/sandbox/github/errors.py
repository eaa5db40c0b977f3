"""What GitHub says when it says no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_DOCUMENTATION = "https://docs.github.com/rest"


class GitHubError(Exception):
    """An answer that is an error: HTTP status, message, details as GitHub words them, and headers."""

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
        told: dict[str, Any] = {"message": self.message, "documentation_url": _DOCUMENTATION}
        if self.errors:
            told["errors"] = self.errors
        return {**told, "status": str(self.status)}


def not_found() -> GitHubError:
    """It is not there, or not for you."""
    return GitHubError(404, "Not Found")


def forbidden() -> GitHubError:
    """An app's token lacks a permission."""
    return GitHubError(403, "Resource not accessible by integration")


def not_a_writer() -> GitHubError:
    """A person's role does not allow it."""
    return GitHubError(403, "Must have write access to the repository.")


def invalid(resource: str, field: str, message: str = "", code: str = "custom") -> GitHubError:
    """A field of the request cannot be as it is."""
    detail = {"resource": resource, "field": field, "code": code}
    if message:
        detail["message"] = message
    return GitHubError(422, "Validation Failed", [detail])


def unprocessable(message: str) -> GitHubError:
    """The request is well formed and cannot be done."""
    return GitHubError(422, message)
