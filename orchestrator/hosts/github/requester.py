"""PyGithub's requester, with a redirect that it would take for success made an error."""

from __future__ import annotations

from typing import Any

from github.GithubException import GithubException
from github.Requester import Requester

MOVED = "the repository was renamed or moved"


class StrictRequester(Requester):
    """What a repository that was renamed answers to a write is no answer: nothing was written."""

    def requestJson(  # noqa: N802 - PyGithub's name
        self, verb: str, url: str, *arguments: Any, **options: Any
    ) -> tuple[int, dict[str, Any], str]:
        """As PyGithub does, which follows redirects of reads itself."""
        status, headers, output = super().requestJson(verb, url, *arguments, **options)
        if 300 <= status < 400:
            raise GithubException(status, {"message": MOVED}, headers)
        return status, headers, output
