"""What the GitHub server serves: people, tokens and repositories, behind a lock and saved in a file."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from orchestrator.errors import SandboxError
from orchestrator.sandbox.faults import HttpFaults
from orchestrator.sandbox.github import pulls, storage, tokens
from orchestrator.sandbox.github.errors import not_found
from orchestrator.sandbox.github.git import Git
from orchestrator.sandbox.github.model import (
    ACTIONS,
    AREAS,
    BOT,
    ROLES,
    GitHubWorld,
    HostedRepository,
    Token,
    User,
)
from orchestrator.sandbox.github.repository import Clock, Hook, RepositoryService

SAVED = "github.json"


def system_clock() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


class GitHubService:
    """A GitHub with its data in `folder` (in memory alone when there is none).

    `environ` is what git runs with. `control_token` opens `/_sandbox/`. `hook` is called with each workflow
    that is dispatched. Every method may be called from any thread.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        folder: Path | None = None,
        clock: Clock = system_clock,
        control_token: str = "",
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._clock = clock
        self._lock = RLock()
        self._gits: dict[str, Git] = {}
        self.control_token = control_token or secrets.token_urlsafe(24)
        self.faults = HttpFaults()
        self.requests: list[tuple[str, str, int]] = []
        self.hook: Hook | None = None
        self.world = storage.load(folder / SAVED) if folder else GitHubWorld()

    @property
    def folder(self) -> Path | None:
        """The folder of its data; None when it is in memory alone."""
        return self._folder

    @property
    def url(self) -> str:
        """What GITHUB_API_URL and GITHUB_SERVER_URL are; SandboxError before the start."""
        raise SandboxError("The sandbox's GitHub has not been started.")

    def add_user(self, login: str, kind: str = "") -> User:
        """A user, created if missing."""
        with self.saving():
            user = self.world.users.get(login)
            if user is None:
                kind = kind or ("Bot" if login.endswith(BOT) else "User")
                user = User(self.world.next_id(), login, kind, self._now())
                self.world.users[login] = user
            return user

    def add_token(self, login: str, permissions: Mapping[str, str] | None = None, value: str = "") -> str:
        """A token: a bot's has `permissions`, a person's may do what the person's role allows."""
        self.add_user(login)
        app = login.removesuffix(BOT) if login.endswith(BOT) else ""
        with self.saving():
            try:
                granted = tokens.parse_permissions(dict(permissions or {}))
            except ValueError as error:
                raise SandboxError(f"GitHub knows {error}.") from error
            value = value or f"gh{'s' if app else 'p'}_{secrets.token_hex(18)}"
            self.world.tokens[value] = Token(login, app, granted)
            return value

    def owners_token(self) -> str:
        """The token of an app with all permissions, created once."""
        everything = dict.fromkeys(AREAS, "write")
        for value, token in self.world.tokens.items():
            if (token.login, token.permissions) == (ACTIONS, everything):
                return value
        return self.add_token(ACTIONS, everything)

    def add_repository(
        self, full_name: str, git: Path | None = None, *, branch: str = "main", private: bool = True
    ) -> HostedRepository:
        """A repository, created if missing.

        `git` is its bare repository's folder, `branch` its trunk.
        """
        owner, _, name = full_name.partition("/")
        self.add_user(owner, "Organization")
        with self.saving():
            hosted_repository = self.world.repositories.get(full_name)
            if hosted_repository is None:
                if git is None and self._folder is None:
                    raise SandboxError(f"{full_name} has no folder for its git repository.")
                folder = git or Path(str(self._folder)) / f"{full_name}.git"
                id_, now = self.world.next_id(), self._now()
                hosted_repository = HostedRepository(id_, owner, name, str(folder), now, branch, private)
                self.world.repositories[full_name] = hosted_repository
            self._git(hosted_repository)
            return hosted_repository

    def set_role(self, full_name: str, login: str, role: str) -> None:
        """Set a user's role in a repository, one of ROLES."""
        if role not in ROLES:
            raise SandboxError(f"GitHub has no role {role!r}.", advice=f"It has {', '.join(ROLES)}.")
        self.add_user(login)
        with self.open_repository(full_name) as service:
            service.repository.roles[login] = role

    def set_team(self, name: str, members: Sequence[str]) -> None:
        """Set the members of a team, `ORGANIZATION/TEAM`."""
        with self.saving():
            self.world.teams[name] = list(members)

    @contextmanager
    def open_repository(
        self, full_name: str, *, reads: bool = False, pusher: str = ""
    ) -> Iterator[RepositoryService]:
        """Work on a repository, alone; its pull requests are in step with its branches, and it is saved.

        With `reads` nothing is going to change, and it is saved only if its branches had moved. They were
        moved by `pusher`, if it is set.
        """
        with self._lock:
            repository = self.world.repositories.get(full_name)
            if repository is None:
                raise not_found()
            service = RepositoryService(self.world, repository, self._git(repository), self._clock, self.hook)
            moved = pulls.sync(service, pusher)
            yield service
            if moved or not reads:
                self._save()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Hold the lock, and save everything afterwards."""
        with self._lock:
            yield
            self._save()

    def _save(self) -> None:
        if self._folder:
            storage.save(self.world, self._folder / SAVED)

    def _git(self, repository: HostedRepository) -> Git:
        if repository.full_name not in self._gits:
            git = Git(Path(repository.git), self._environ, repository.default_branch)
            self._gits[repository.full_name] = git
        return self._gits[repository.full_name]

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
