"""The server that `github.GitHub` is: a repository with people, tokens and branches, each answer checked."""

from __future__ import annotations

import http.client
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.github.call import ApiResponse
from orchestrator.sandbox.github.server import GitHubServer
from orchestrator.sandbox.http import HttpRequest
from tests.support.repo import Repo, borrow, copy_objects, init, read_refs, write_ref

ROLES = {"ada": "write", "bert": "write", "olga": "admin", "rita": "read"}
BOT = "github-actions[bot]"


class TestClock:
    """Every look at it is a second later, so that whatever happens has a time of its own.

    A clock that `keeps_up` is never behind this machine's own.
    """

    __test__ = False

    def __init__(self, *, keeps_up: bool = False) -> None:
        self.time = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
        self._keeps_up = keeps_up

    def __call__(self) -> datetime:
        self.time = self.now() + timedelta(seconds=1)
        return self.time

    def now(self) -> datetime:
        """The time, without letting any pass: for a service whose times are compared with this one's."""
        return max(self.time, datetime.now(UTC)) if self._keeps_up else self.time

    def advance(self, **how: float) -> None:
        """Let time pass: `advance(hours=2)`."""
        self.time += timedelta(**how)


class Served:
    """The server with one repository. `repository` is `OWNER/NAME`, `bare` the git repository to push to,
    `work` a clone of it that `commit` uses, `clock` its time."""

    def __init__(
        self,
        folder: Path,
        repository: str = "acme/infra",
        *,
        files: Mapping[str, str] | None = None,
        repo: Repo | None = None,
        private: bool = True,
        clock: TestClock | None = None,
    ) -> None:
        self.folder = folder / "github"
        self.repository = repository
        self.clock = clock or TestClock()
        self.bare = self.folder / f"{repository}.git"
        self.violations: list[str] = []
        init(self.bare, bare=True)
        self.server = GitHubServer(os.environ, clock=self.clock, observer=self._observe)
        self.server.add_repository(repository, self.bare, private=private)
        for login, role in ROLES.items():
            self.user(login, role)
        first = repo or Repo(self.folder / "first", files or {"README.md": "A project.\n"})
        self.push(first, "main", ref="main")
        self.work = self.clone(self.folder / "work")

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.server.close()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Fail when a request or an answer did not fit GitHub's description of its API."""
        assert not self.violations, "\n".join(self.violations)

    def _observe(self, request: HttpRequest, answer: ApiResponse, fault: HttpFault) -> None:
        from tests.support.openapi import violations

        # What another media type has (a diff, a raw file) is not in the description.
        if not (fault.status or fault.cut) and not isinstance(answer.content, bytes):
            try:
                errors = violations(
                    request.method, request.path, request.query, request.body, answer.status, answer.content
                )
            except Exception as error:
                errors = [f"it cannot be checked: {error!r}"]
            self.violations += [f"{request.method} {request.path}: {error}" for error in errors]

    @property
    def api_url(self) -> str:
        """GITHUB_API_URL."""
        return self.server.url

    @property
    def url(self) -> str:
        """GITHUB_SERVER_URL: the pages for people."""
        return self.server.url

    @property
    def locked_repository(self) -> Any:
        """A context with the repository's `Place`: everything there is, to look at or to change."""
        return self.server.open_repository(self.repository)

    # People and their rights

    def user(self, login: str, permission: str = "write") -> str:
        """Somebody with a role in the repository: admin, maintain, write, triage, read or none."""
        self.server.set_role(self.repository, login, permission)
        return login

    def token(self, login: str = BOT, **permissions: str) -> str:
        """A token: `token(pull_requests="write", checks="write")` is a workflow's; that of a person,
        `token("ada")`, may do what the person may."""
        return self.server.add_token(login, permissions)

    def ask(
        self, token: str, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """One request; `path` below the repository (`/pulls`) or, with two slashes, whole (`//user`).

        Status, headers in lower case, and the document (text where it is none).
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            where = path[1:] if path.startswith("//") else f"/repos/{self.repository}{path}"
            sent = None if body is None else json.dumps(body)
            all_headers = {"Authorization": f"token {token}", "Content-Type": "application/json", **headers}
            connection.request(
                method, where, sent, {key: value for key, value in all_headers.items() if value}
            )
            answer = connection.getresponse()
            text = answer.read().decode()
            answer_headers = {name.lower(): value for name, value in answer.getheaders()}
            is_json = answer_headers.get("content-type", "").startswith("application/json")
            return answer.status, answer_headers, json.loads(text) if is_json else text
        finally:
            connection.close()

    # Git

    def push(
        self, repo: Repo, branch: str, *, ref: str = "HEAD", force: bool = False, pusher: str = ""
    ) -> str:
        """Push a commit of another repository to a branch here; the commit.

        Without the processes of `git push`: its objects are brought here, and the branch is moved, unless
        that drops commits.
        """
        commit = repo.head if ref == "HEAD" else repo.git("rev-parse", ref)
        name = f"refs/heads/{branch}"
        copy_objects(repo.root / ".git", self.bare)
        before = read_refs(self.bare).get(name)
        if before and not force:
            Repo(self.bare).git("merge-base", "--is-ancestor", before, commit)
        write_ref(self.bare, name, commit)
        with self.server.open_repository(self.repository, pusher=pusher):
            pass
        return commit

    def clone(self, folder: Path) -> Repo:
        """Another clone, at trunk."""
        repo = Repo(folder)
        borrow(self.bare, folder / ".git", head="ref: refs/heads/main", refs={"refs/heads/main": self.trunk})
        self._fetch(repo)
        repo.git("reset", "-q", "--hard")
        return repo

    def _fetch(self, clone: Repo) -> None:
        """Let a clone that borrows the objects here know the branches as they are."""
        git = clone.root / ".git"
        shutil.rmtree(git / "refs/remotes/origin", ignore_errors=True)
        for name, commit in self.branches().items():
            write_ref(git, f"refs/remotes/origin/{name}", commit)

    def commit(
        self,
        branch: str,
        files: Mapping[str, str | None] | None = None,
        message: str = "Change",
        *,
        base: str = "main",
        pusher: str = "",
        author: str = "",
    ) -> str:
        """Commit to a branch (made from `base` when it is new) and push; None deletes a file.

        `pusher` pushes it, else whoever opened the branch's pull request; `author` is the commit's.
        """
        self._fetch(self.work)
        start = branch if branch in self.branches() else base
        self.work.git("checkout", "-q", "-f", "--detach", f"origin/{start}")
        for name in [name for name, text in (files or {}).items() if text is None]:
            self.work.git("rm", "-q", "--", name)
        written = {name: text for name, text in (files or {}).items() if text is not None}
        self.work.commit(written, message)
        if author:
            identity = f"{author} <{author}@users.noreply.github.com>"
            self.work.git("commit", "-q", "--amend", "--no-edit", "--author", identity)
        return self.push(self.work, branch, pusher=pusher)

    def branches(self) -> dict[str, str]:
        """The commit of each branch."""
        with self.locked_repository as repository_data:
            heads: dict[str, str] = repository_data.git.heads()
            return heads

    @property
    def trunk(self) -> str:
        """The newest commit on main."""
        return self.branches()["main"]

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""
        with self.locked_repository as repository_data:
            repository_data.git.set_ref(f"refs/heads/{branch}", "")
