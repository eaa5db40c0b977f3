"""The GitHub server: its memory, its API, its page for people, and one port for all of it."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import unquote

from orchestrator.errors import InfraError, SandboxError
from orchestrator.sandbox.github import api_users, control, pulls, routes, saving, tokens
from orchestrator.sandbox.github.call import Answer, Call, Request
from orchestrator.sandbox.github.connection import Connection
from orchestrator.sandbox.github.errors import GitHubError, not_found
from orchestrator.sandbox.github.faults import Fault, Faults
from orchestrator.sandbox.github.git import Git
from orchestrator.sandbox.github.model import ACTIONS, AREAS, BOT, ROLES, Repository, Token, User, World
from orchestrator.sandbox.github.place import Clock, Hook, Place
from orchestrator.sandbox.github.shapes import Shapes
from orchestrator.sandbox.listener import HOST, Listener

SAVED = "github.json"
_LIMIT = 15_000
Observer = Callable[[Request, Answer, Fault | None], None]


def system_clock() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


class GitHubServer:
    """A GitHub with its data in `folder` (in memory alone when there is none).

    `environ` is what git runs with. `observer` is told of each request to the API and its answer, before the
    client has it. `control_token` opens `/_sandbox/`. Every method may be called from any thread.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        folder: Path | None = None,
        clock: Clock = system_clock,
        control_token: str = "",
        observer: Observer | None = None,
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._clock = clock
        self._observer = observer
        self._lock = RLock()
        self._gits: dict[str, Git] = {}
        self._listener: Listener | None = None
        self.control_token = control_token or secrets.token_urlsafe(24)
        self.faults = Faults()
        self.requests: list[tuple[str, str, int]] = []
        self.hook: Hook | None = None
        self.world = saving.load(folder / SAVED) if folder else World()

    def start(self, port: int = 0) -> None:
        """Answer from now on."""
        self._listener = Listener("github", self._connected, port)

    def _connected(self, connection: socket.socket, address: tuple[str, int]) -> None:
        Connection(connection, address, self)  # type: ignore[arg-type]

    def close(self) -> None:
        """Stop answering; what is in the folder stays."""
        if self._listener:
            self._listener.close()

    @property
    def port(self) -> int:
        """The port; SandboxError before the start."""
        if self._listener is None:
            raise SandboxError("The sandbox's GitHub has not been started.")
        return self._listener.number

    @property
    def url(self) -> str:
        """What GITHUB_API_URL and GITHUB_SERVER_URL are."""
        return f"http://{HOST}:{self.port}"

    # What there is

    def add_user(self, login: str, kind: str = "") -> User:
        """Somebody, made when there is nobody of that name yet."""
        with self.working():
            known = self.world.users.get(login)
            if known is None:
                kind = kind or ("Bot" if login.endswith(BOT) else "User")
                known = User(self.world.next_id(), login, kind, self._now())
                self.world.users[login] = known
            return known

    def add_token(self, login: str, permissions: Mapping[str, str] | None = None, value: str = "") -> str:
        """A token: a bot's has `permissions`, a person's may do what the person's role allows."""
        self.add_user(login)
        app = login.removesuffix(BOT) if login.endswith(BOT) else ""
        with self.working():
            try:
                given = tokens.permissions(dict(permissions or {}))
            except ValueError as error:
                raise SandboxError(f"GitHub knows {error}.") from error
            value = value or f"gh{'s' if app else 'p'}_{secrets.token_hex(18)}"
            self.world.tokens[value] = Token(login, app, given)
            return value

    def owners_token(self) -> str:
        """The token of an app that may do everything, made once."""
        everything = dict.fromkeys(AREAS, "write")
        for value, token in self.world.tokens.items():
            if (token.login, token.permissions) == (ACTIONS, everything):
                return value
        return self.add_token(ACTIONS, everything)

    def add_repository(
        self, full_name: str, git: Path | None = None, *, branch: str = "main", private: bool = True
    ) -> Repository:
        """A repository, made when there is none of that name.

        `git` is its bare repository's folder, `branch` its trunk.
        """
        owner, _, name = full_name.partition("/")
        self.add_user(owner, "Organization")
        with self.working():
            known = self.world.repositories.get(full_name)
            if known is None:
                if git is None and self._folder is None:
                    raise SandboxError(f"{full_name} has no folder for its git repository.")
                folder = git or Path(str(self._folder)) / f"{full_name}.git"
                id_, now = self.world.next_id(), self._now()
                known = Repository(id_, owner, name, str(folder), now, branch, private)
                self.world.repositories[full_name] = known
            self._git(known)
            return known

    def set_role(self, full_name: str, login: str, role: str) -> None:
        """What somebody may do in a repository: one of ROLES."""
        if role not in ROLES:
            raise SandboxError(f"GitHub has no role {role!r}.", advice=f"It has {', '.join(ROLES)}.")
        self.add_user(login)
        with self.place(full_name) as place:
            place.repository.roles[login] = role

    def set_team(self, name: str, members: Sequence[str]) -> None:
        """Who is in a team, `ORGANIZATION/TEAM`."""
        with self.working():
            self.world.teams[name] = list(members)

    @contextmanager
    def place(self, full_name: str, *, reads: bool = False, pusher: str = "") -> Iterator[Place]:
        """Work on a repository, alone; its pull requests are in step with its branches, and it is saved.

        With `reads` nothing is going to change, and it is saved only if its branches had moved. They were
        moved by `pusher`, if told.
        """
        with self._lock:
            repository = self.world.repositories.get(full_name)
            if repository is None:
                raise not_found()
            place = Place(self.world, repository, self._git(repository), self._clock, self.hook)
            moved = pulls.sync(place, pusher)
            yield place
            if moved or not reads:
                self._save()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the world, and save it afterwards."""
        with self._lock:
            yield
            self._save()

    def _save(self) -> None:
        if self._folder:
            saving.save(self.world, self._folder / SAVED)

    def _git(self, repository: Repository) -> Git:
        if repository.full_name not in self._gits:
            git = Git(Path(repository.git), self._environ, repository.default_branch)
            self._gits[repository.full_name] = git
        return self._gits[repository.full_name]

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    # Requests

    def answer(self, request: Request, fault: Fault | None = None) -> Answer:
        """The answer to one request, refusals included."""
        if request.path.startswith(control.PREFIX):
            return control.answer(self, request)
        if not is_api(request.path):
            from orchestrator.sandbox.github import page

            return page.answer(self, request)
        try:
            struck = fault.error() if fault and not fault.done else None
            if struck:
                raise struck
            with self._lock:
                found = self._api(request)
        except GitHubError as error:
            found = Answer(error.status, error.document(), error.headers)
        except InfraError as error:
            found = Answer(500, {"message": error.message})
        found = Answer(found.status, found.content, {**self._headers(), **found.headers}, found.media)
        self.requests.append((request.method, unquote(request.path), found.status))
        if self._observer:
            self._observer(request, found, fault)
        return found

    def _api(self, request: Request) -> Answer:
        _, token = tokens.holder(self.world, request.headers.get("authorization", ""))
        shapes = Shapes(self.world, self.url)
        content = _content(request)
        own = api_users.answer(shapes, token, request)
        if own:
            return own
        found = routes.find(request.method, request.path)
        if found is None:
            raise not_found()
        route, arguments = found
        name = f"{arguments.pop('owner')}/{arguments.pop('repo')}"
        with self.place(name, reads=request.method == "GET") as place:
            tokens.check(token, place.repository, route.needs)
            return route.handler(Call(request, token, place, shapes, arguments, content))

    def _headers(self) -> dict[str, str]:
        used = len(self.requests) % _LIMIT
        return {
            "X-RateLimit-Limit": str(_LIMIT),
            "X-RateLimit-Remaining": str(_LIMIT - used),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
            "X-RateLimit-Resource": "core",
            "X-GitHub-Media-Type": "github.v3; format=json",
        }


def is_api(path: str) -> bool:
    """Is the path the API's? Everything else is a page for people."""
    return path.startswith(("/repos/", "/users/", "/orgs/")) or path in ("/user", "/rate_limit")


def _content(request: Request) -> dict[str, Any]:
    if not request.body:
        return {}
    try:
        content = json.loads(request.body)
    except ValueError:
        raise GitHubError(400, "Problems parsing JSON") from None
    if isinstance(content, list):
        # GitHub takes a bare list of labels too.
        return {"labels": content}
    if not isinstance(content, dict):
        raise GitHubError(400, "Body should be a JSON object")
    return content
