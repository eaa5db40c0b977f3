"""Calls PyGithub: one request at a time, with retries, and its errors as ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from json import JSONDecodeError
from typing import Any, TypeVar

import requests
from github import Auth
from github.AuthenticatedUser import AuthenticatedUser
from github.GithubException import BadAttributeException, GithubException
from github.GithubObject import GithubObject
from github.PaginatedList import PaginatedList
from github.Repository import Repository

from orchestrator import __version__
from orchestrator.errors import ForgeError
from orchestrator.forge.github.refusals import build_error
from orchestrator.forge.github.requester import StrictRequester
from orchestrator.forge.retry_policy import RequestFailure, RetryPolicy

T = TypeVar("T")
G = TypeVar("G", bound=GithubObject)

_API_VERSION = "2022-11-28"
TIMEOUT = 30
PAGE = 100
# Characters of an answer that an error repeats.
_LONGEST_REASON = 300

# What asking again does not change: a request that cannot be written, a server that cannot be trusted.
_HOPELESS = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.SSLError,
)

# PyGithub logs what it does; what people read is decided elsewhere.
logging.getLogger("github").addHandler(logging.NullHandler())


class Calls:
    """The repository in PyGithub, and the one way to call it.

    PyGithub's own retries and pauses are off: they know neither our clock nor which answers may be lost. Its
    objects are lazy, so that creating one sends no request.
    """

    def __init__(self, api: str, repository: str, token: str, retry_policy: RetryPolicy) -> None:
        self._retry_policy = retry_policy
        self._repository = repository
        self._requester = StrictRequester(
            auth=Auth.Token(token),
            base_url=api.rstrip("/"),
            timeout=TIMEOUT,
            user_agent=f"infra/{__version__}",
            per_page=PAGE,
            verify=True,
            retry=None,
            pool_size=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            api_version=_API_VERSION,
        )

    @property
    def repository(self) -> str:
        """`OWNER/NAME`."""
        return self._repository

    def close(self) -> None:
        """Give the connections back."""
        self._requester.close()

    @cached_property
    def _repo(self) -> Repository:
        return Repository(self._requester, url=f"/repos/{self._repository}")

    def _ask(
        self,
        doing: str,
        needs: str,
        request: Callable[[], T],
        find_created: Callable[[], T | None] | None = None,
    ) -> T:
        """Sends a request and retries it as the retry policy says.

        `doing` completes "cannot …", `needs` names the permission. After a lost answer, `find_created` looks
        for what the request was to create before it is sent again; a request without it is safe to repeat.
        Raises ForgeError.
        """
        started, attempt = self._retry_policy.clock(), 0
        while True:
            self._requester.begin_attempt()
            try:
                with _foreign_errors():
                    return request()
            except _Failed as error:
                failure = error.failure
            pause = self._retry_policy.pause(failure, attempt, self._retry_policy.clock() - started)
            if pause is None:
                raise build_error(failure, doing, needs, self._repository)
            self._retry_policy.sleep(pause)
            attempt += 1
            if find_created is not None and failure.is_lost:
                created = self._ask(f"see whether it happened: {doing}", needs, find_created)
                if created is not None:
                    return created

    def _all(self, doing: str, needs: str, pages: PaginatedList[G], value: Callable[[G], T]) -> list[T]:
        """Reads every element of a list. Only a failed page is retried."""
        return self._ask(doing, needs, lambda: [value(page) for page in pages])

    def _get(self, doing: str, needs: str, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Reads the JSON at a path of the repository for which PyGithub has no method."""
        url = f"{self._repo.url}{path}"

        def request() -> Any:
            return self._requester.requestJsonAndCheck("GET", url, parameters=dict(parameters or {}))[1]

        return self._ask(doing, needs, request)

    @cached_property
    def login(self) -> str:
        """The login of the token, such as `github-actions[bot]`.

        An App's token may not read /user; GraphQL returns its bot's name.
        """
        try:
            return self._ask("tell whose token it is", "metadata: read", self._user)
        except ForgeError as error:
            if error.status not in (403, 404):
                raise
        try:
            return self._ask("tell whose token it is", "metadata: read", self._viewer)
        except ForgeError as error:
            if error.status not in (400, 403, 404):
                raise
        return "github-actions[bot]"

    def _user(self) -> str:
        return str(AuthenticatedUser(self._requester, url="/user").login)

    def _viewer(self) -> str:
        _, data = self._requester.graphql_query("query { viewer { login } }", {})
        return str(data["data"]["viewer"]["login"])


class _Failed(Exception):  # noqa: N818 - not an error yet
    def __init__(self, failure: RequestFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@contextmanager
def documented_answers() -> Iterator[None]:
    """Raises ForgeError for an answer that lacks a key, or has another type than GitHub documents."""
    try:
        yield
    except (requests.RequestException, JSONDecodeError):
        # Both are ValueErrors too, but tell of the connection; an answer that was cut off is requested again.
        raise
    except (
        *(BadAttributeException, AssertionError, AttributeError, LookupError, TypeError),
        *(OverflowError, RecursionError, ValueError),
    ) as error:
        message = f"GitHub's answer is not as documented: {type(error).__name__} {error}"
        raise ForgeError(
            _first_words(message), advice="Look at GITHUB_API_URL: is GitHub there, and no proxy?"
        ) from error


def _first_words(text: str) -> str:
    """The beginning of a text that may hold a complete answer."""
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


@contextmanager
def _foreign_errors() -> Iterator[None]:
    """Turns the errors of PyGithub and requests into a `RequestFailure`."""
    try:
        with documented_answers():
            yield
    except GithubException as error:
        raise _Failed(_failure(error)) from error
    except _HOPELESS as error:
        raise ForgeError(
            f"GitHub cannot be asked: {_reason(error)}.",
            advice="Look at GITHUB_API_URL, the token, and the certificates of this machine.",
        ) from error
    except requests.RequestException as error:
        raise _Failed(RequestFailure(0, _reason(error))) from error
    except JSONDecodeError as error:
        raise _Failed(RequestFailure(0, _first_words(f"its answer is not whole: {error}"))) from error
    except RuntimeError as error:
        advice = "The repository was renamed or moved, or GITHUB_API_URL is not where GitHub is."
        raise ForgeError(str(error), advice=advice) from error


def _failure(error: GithubException) -> RequestFailure:
    data = error.data if isinstance(error.data, dict) else {}
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    message = _first_words(str(data.get("message") or error.message or ""))
    return RequestFailure(error.status, message.rstrip("."), headers, tuple(_details(data.get("errors"))))


def _details(errors: object) -> Iterator[str]:
    """The single errors of a 422 as text."""
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, str):
            yield _first_words(error)
        elif isinstance(error, dict):
            message = error.get("message")
            yield (
                _first_words(str(message))
                if message
                else f"{error.get('field', 'it')} is {error.get('code', 'wrong')}"
            )


def _reason(error: requests.RequestException) -> str:
    """Why there was no answer, without the addresses that requests includes."""
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} seconds"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be trusted"
    if isinstance(error, requests.exceptions.InvalidHeader):
        return "the token holds characters that none has"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let us through"
    return "the connection failed"
