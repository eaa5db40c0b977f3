"""How PyGithub is called: one request at a time, asked again with patience, foreign errors made ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import requests
from github import Auth
from github.AuthenticatedUser import AuthenticatedUser
from github.GithubException import BadAttributeException, GithubException
from github.GithubObject import GithubObject
from github.PaginatedList import PaginatedList
from github.Repository import Repository

from orchestrator import __version__
from orchestrator.errors import HostError
from orchestrator.hosts.github.requester import StrictRequester
from orchestrator.hosts.patience import Failure, Patience
from orchestrator.hosts.refusals import refused

T = TypeVar("T")
G = TypeVar("G", bound=GithubObject)

API_VERSION = "2022-11-28"
TIMEOUT = 30
PAGE = 100
# Characters of an answer that an error repeats.
LONGEST_REASON = 300

# What asking again does not change: a request that cannot be written, a server that cannot be trusted.
_HOPELESS = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.SSLError,
)

# PyGithub logs what it does; what people are told is decided elsewhere.
logging.getLogger("github").addHandler(logging.NullHandler())


class Calls:
    """The repository by PyGithub, and the one way in which it is asked.

    PyGithub's own retries and pauses are off: they know neither our clock nor which answers may be lost.
    Its objects are lazy, so that naming one costs no request.
    """

    def __init__(self, api: str, repository: str, token: str, patience: Patience) -> None:
        self._patience = patience
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
            api_version=API_VERSION,
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
        self, doing: str, needs: str, request: Callable[[], T], found: Callable[[], T | None] | None = None
    ) -> T:
        """Make a request until it is answered, or until patience ends.

        `doing` completes "cannot …", `needs` names the permission. After an answer that was lost, `found` is
        asked first whether what was to be made is there; a request without it can be repeated harmlessly.
        Raises HostError.
        """
        begun, attempt = self._patience.clock(), 0
        while True:
            self._requester.begin_attempt()
            try:
                with _foreign_errors():
                    return request()
            except _Failed as error:
                failure = error.failure
            pause = self._patience.pause(failure, attempt, self._patience.clock() - begun)
            if pause is None:
                raise refused(failure, doing, needs, self._repository)
            self._patience.sleep(pause)
            attempt += 1
            if found is not None and failure.is_lost:
                there = self._ask(f"see whether it happened: {doing}", needs, found)
                if there is not None:
                    return there

    def _all(self, doing: str, needs: str, pages: PaginatedList[G], value: Callable[[G], T]) -> list[T]:
        """Every element of a list. A page that failed is asked for again, not those before it."""
        return self._ask(doing, needs, lambda: [value(one) for one in pages])

    def _get(self, doing: str, needs: str, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """The JSON below the repository at `path`, for what PyGithub has no method for."""
        url = f"{self._repo.url}{path}"

        def request() -> Any:
            return self._requester.requestJsonAndCheck("GET", url, parameters=dict(parameters or {}))[1]

        return self._ask(doing, needs, request)

    @cached_property
    def login(self) -> str:
        """Whom the token belongs to, such as `github-actions[bot]`.

        An App's token may not read /user; GraphQL tells its bot's name all the same.
        """
        try:
            return self._ask("tell whose token it is", "metadata: read", self._user)
        except HostError as error:
            if error.status not in (403, 404):
                raise
        try:
            return self._ask("tell whose token it is", "metadata: read", self._viewer)
        except HostError as error:
            if error.status not in (400, 403, 404):
                raise
        return "github-actions[bot]"

    def _user(self) -> str:
        return str(AuthenticatedUser(self._requester, url="/user").login)

    def _viewer(self) -> str:
        _, data = self._requester.graphql_query("query { viewer { login } }", {})
        return str(data["data"]["viewer"]["login"])


class _Failed(Exception):  # noqa: N818 - not an error yet
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@contextmanager
def documented_answers() -> Iterator[None]:
    """Raises HostError for an answer that lacks a key, or has another type than GitHub documents."""
    try:
        yield
    except (
        *(BadAttributeException, AssertionError, AttributeError, LookupError, TypeError),
        *(OverflowError, RecursionError, UnicodeError),
    ) as error:
        message = f"GitHub's answer is not as documented: {type(error).__name__} {error}"
        raise HostError(
            _first_words(message), advice="Look at GITHUB_API_URL: is GitHub there, and no proxy?"
        ) from error


def _first_words(text: str) -> str:
    """The beginning of a text that may hold a whole answer."""
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


@contextmanager
def _foreign_errors() -> Iterator[None]:
    """What PyGithub and requests raise as a `Failure`."""
    try:
        with documented_answers():
            yield
    except GithubException as error:
        raise _Failed(_failure(error)) from error
    except _HOPELESS as error:
        raise HostError(
            f"GitHub cannot be asked: {_reason(error)}.",
            advice="Look at GITHUB_API_URL, the token, and the certificates of this machine.",
        ) from error
    except requests.RequestException as error:
        raise _Failed(Failure(0, _reason(error))) from error
    except ValueError as error:
        # An answer that was cut off in the middle of its JSON.
        raise _Failed(Failure(0, _first_words(f"its answer is not whole: {error}"))) from error
    except RuntimeError as error:
        advice = "The repository was renamed or moved, or GITHUB_API_URL is not where GitHub is."
        raise HostError(str(error), advice=advice) from error


def _failure(error: GithubException) -> Failure:
    data = error.data if isinstance(error.data, dict) else {}
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    message = _first_words(str(data.get("message") or error.message or ""))
    return Failure(error.status, message.rstrip("."), headers, tuple(_details(data.get("errors"))))


def _details(errors: object) -> Iterator[str]:
    """The single mistakes of a 422, in words."""
    for one in errors if isinstance(errors, list) else []:
        if isinstance(one, str):
            yield _first_words(one)
        elif isinstance(one, dict):
            said = one.get("message")
            yield (
                _first_words(str(said)) if said else f"{one.get('field', 'it')} is {one.get('code', 'wrong')}"
            )


def _reason(error: requests.RequestException) -> str:
    """Why there was no answer, without the address book that requests puts into it."""
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} seconds"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be trusted"
    if isinstance(error, requests.exceptions.InvalidHeader):
        return "the token holds characters that none has"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let us through"
    return "the connection failed"
