"""PyGithub's requester, which raises an error for a redirect of a write and for an endless list."""

from __future__ import annotations

import threading
from typing import Any

from github.GithubException import GithubException
from github.Requester import Requester

from orchestrator.errors import ForgeError

MOVED = "the repository was renamed or moved"


def endless_list() -> ForgeError:
    """The error of a list whose pages lead back to an earlier one."""
    return ForgeError(
        "GitHub's list does not end: its next page is one that was read before.",
        advice="Look at GITHUB_API_URL: is GitHub there, and no proxy?",
    )


class StrictRequester(Requester):
    """Raises an error for a redirected write, since nothing was written.

    A list whose pages lead back to an earlier one is an error too: PyGithub would read it without end.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._read = threading.local()

    def begin_attempt(self) -> None:
        """Resets the pages that this thread has read, for a new call or a retry."""
        self._read.pages = set()

    def requestJson(  # noqa: N802 - PyGithub's name
        self, verb: str, url: str, parameters: dict[str, Any] | None = None, *arguments: Any, **options: Any
    ) -> tuple[int, dict[str, Any], str]:
        """As PyGithub does, which follows redirects of reads itself."""
        page = f"{url} {parameters}" if verb == "GET" else ""
        pages: set[str] = getattr(self._read, "pages", set())
        if page in pages:
            raise endless_list()
        status, headers, output = super().requestJson(verb, url, parameters, *arguments, **options)
        if 300 <= status < 400:
            raise GithubException(status, {"message": MOVED}, headers)
        if page and status < 300:
            self._read.pages = {*pages, page}
        return status, headers, output
