"""A GitHub on loopback for one test: a repository to push to, people, tokens, events, and what was written.

    with GitHub(tmp_path) as github:
        github.commit("feature", {"a.tf": "..."})
        number = github.open("feature", "Add a", "ada")
        environ = github.environ(github.token(pull_requests="write"), "pull_request", number)

Every request and answer is checked against GitHub's own description of its API; what does not fit it fails
the test at the end of the block. People: `ada` and `bert` write, `olga` is admin, `rita` reads.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from orchestrator.sandbox.github import commits, control, issues, payloads, pulls
from orchestrator.sandbox.github.call import Answer, Request
from orchestrator.sandbox.github.faults import Fault
from orchestrator.sandbox.github.model import Check, Comment, Deployment, Dispatch, Issue, Status
from orchestrator.sandbox.github.server import GitHubServer
from orchestrator.sandbox.github.shapes import Shapes
from tests.support.repo import Repo

ROLES = {"ada": "write", "bert": "write", "olga": "admin", "rita": "read"}
BOT = "github-actions[bot]"
_EVENTS = {"APPROVED": "APPROVE", "CHANGES_REQUESTED": "REQUEST_CHANGES", "COMMENTED": "COMMENT"}


class TestClock:
    """Every look at it is a second later, so that whatever happens has a time of its own."""

    __test__ = False

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def advance(self, **how: float) -> None:
        """Let time pass: `advance(hours=2)`."""
        self.time += timedelta(**how)


class GitHub:
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
    ) -> None:
        self.folder = folder / "github"
        self.repository = repository
        self.clock = TestClock()
        self.bare = self.folder / f"{repository}.git"
        self.violations: list[str] = []
        self.server = GitHubServer(os.environ, clock=self.clock, observer=self._observe)
        self.server.add_repository(repository, self.bare, private=private)
        for login, role in ROLES.items():
            self.user(login, role)
        if repo:
            self.push(repo, "main", ref="main")
            self.work = self.clone(self.folder / "work")
        else:
            self.work = Repo(self.folder / "work", files or {"README.md": "A project.\n"})
            self.work.git("remote", "add", "origin", str(self.bare))
            self.work.git("push", "-q", "origin", "main")

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

    def _observe(self, request: Request, answer: Answer, fault: Fault | None) -> None:
        from tests.support.openapi import violations

        if fault is None:
            found = violations(
                request.method, request.path, request.query, request.body, answer.status, answer.content
            )
            self.violations += [f"{request.method} {request.path}: {one}" for one in found]

    @property
    def api_url(self) -> str:
        """GITHUB_API_URL."""
        return self.server.url

    @property
    def url(self) -> str:
        """GITHUB_SERVER_URL: the pages for people."""
        return self.server.url

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
            told = {"Authorization": f"token {token}", "Content-Type": "application/json", **headers}
            connection.request(method, where, sent, {key: value for key, value in told.items() if value})
            answer = connection.getresponse()
            text = answer.read().decode()
            found = {name.lower(): value for name, value in answer.getheaders()}
            is_json = found.get("content-type", "").startswith("application/json")
            return answer.status, found, json.loads(text) if is_json else text
        finally:
            connection.close()

    # Git

    def push(self, repo: Repo, branch: str, *, ref: str = "HEAD", force: bool = False) -> str:
        """Push a commit of another repository to a branch here; the commit."""
        repo.git("push", "-q", *(["--force"] if force else []), str(self.bare), f"{ref}:refs/heads/{branch}")
        return repo.git("rev-parse", ref)

    def clone(self, folder: Path) -> Repo:
        """Another clone, at trunk."""
        made = Repo(folder)
        made.git("remote", "add", "origin", str(self.bare))
        made.git("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*")
        made.git("reset", "-q", "--hard", "origin/main")
        return made

    def commit(
        self,
        branch: str,
        files: Mapping[str, str | None] | None = None,
        message: str = "Change",
        *,
        base: str = "main",
    ) -> str:
        """Commit to a branch (made from `base` when it is new) and push; None deletes a file."""
        self.work.git("fetch", "-q", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*")
        start = branch if branch in self.branches() else base
        self.work.git("checkout", "-q", "-f", "--detach", f"origin/{start}")
        for name in [name for name, text in (files or {}).items() if text is None]:
            self.work.git("rm", "-q", "--", name)
        written = {name: text for name, text in (files or {}).items() if text is not None}
        self.work.commit(written, message)
        return self.push(self.work, branch)

    def branches(self) -> dict[str, str]:
        """The commit of each branch."""
        with self.place as place:
            found: dict[str, str] = place.git.heads()
            return found

    @property
    def trunk(self) -> str:
        """The newest commit on main."""
        return self.branches()["main"]

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""
        with self.place as place:
            place.git.set_ref(f"refs/heads/{branch}", "")

    # Pull requests and issues

    @property
    def place(self) -> Any:
        """A context with the repository's `Place`: everything there is, to look at or to change."""
        return self.server.place(self.repository)

    def open(
        self,
        branch: str,
        title: str = "A change",
        author: str = "ada",
        *,
        body: str = "",
        draft: bool = False,
    ) -> int:
        """Open a pull request from a branch to main; its number."""
        return control.open_pull(
            self.server, self.repository, branch=branch, by=author, title=title, body=body, draft=draft
        )

    def pull(self, number: int) -> Issue:
        """A pull request as the server knows it; `.pull` has what an issue has not."""
        with self.place as place:
            found: Issue = place.pull(number)
            return found

    def issue(self, number: int) -> Issue:
        """An issue as the server knows it."""
        with self.place as place:
            found: Issue = place.issue(number)
            return found

    def head(self, number: int) -> str:
        """The head commit of a pull request."""
        found = self.pull(number).pull
        assert found
        return found.head

    def issues(self, state: str = "all") -> list[Issue]:
        """The issues that are no pull requests, by number."""
        with self.place as place:
            known: list[Issue] = list(place.repository.issues.values())
            return [one for one in known if not one.pull and state in ("all", one.state)]

    def open_issue(self, title: str, author: str = "ada", body: str = "", labels: Sequence[str] = ()) -> int:
        """Open an issue; its number."""
        with self.place as place:
            return issues.open_issue(place, author, title, body, labels).number

    def review(
        self, number: int, user: str = "bert", state: str = "APPROVED", commit: str = "", body: str = ""
    ) -> int:
        """Review a pull request (APPROVED, CHANGES_REQUESTED, COMMENTED); the review's id."""
        event = _EVENTS.get(state, state)
        text = body or ("" if event == "APPROVE" else "See there.")
        return control.review(self.server, self.repository, number, user, event, text, commit)

    def dismiss(self, number: int, review: int, by: str = "olga") -> None:
        """Dismiss a review."""
        with self.place as place:
            issue = place.pull(number)
            next(one for one in issue.reviews if one.id == review).state = "DISMISSED"
            place.note(
                issue,
                "review_dismissed",
                by,
                dismissed_review={"state": "dismissed", "review_id": review, "dismissal_message": None},
            )

    def comment(self, number: int, author: str, body: str) -> int:
        """Comment; the comment's id."""
        return control.comment(self.server, self.repository, number, author, body)

    def label(self, number: int, name: str, by: str = "olga") -> None:
        """Put a label on."""
        control.label(self.server, self.repository, number, by, name)

    def unlabel(self, number: int, name: str, by: str = "olga") -> None:
        """Take a label off."""
        with self.place as place:
            issues.remove_label(place, place.issue(number), by, name)

    def close(self, number: int, by: str = "olga") -> None:
        """Close an issue or a pull request."""
        with self.place as place:
            issues.close(place, place.issue(number), by)

    def merge(self, number: int, method: str = "merge", by: str = "olga") -> str:
        """Merge (merge, squash, rebase); the commit on trunk."""
        return control.merge(self.server, self.repository, number, by, method)

    def queue(self, *numbers: int) -> dict[str, str]:
        """Put pull requests into a merge queue: the group's `head_sha`, `head_ref`, `base_sha`, `base_ref`.

        Each is merged onto the one before it, as GitHub's queue does; `land` then moves trunk.
        """
        with self.place as place:
            tip = base = place.git.heads()["main"]
            for number in numbers:
                issue = place.pull(number)
                tree = place.git.merge_tree(tip, issue.pull.head)
                assert tree, f"#{number} conflicts"
                text = f"Merge pull request #{number} from {place.repository.owner}/{issue.pull.head_ref}"
                tip = place.git.write_commit(tree, (tip, issue.pull.head), text, place.now())
            name = f"refs/heads/gh-readonly-queue/main/pr-{numbers[-1]}-{base}"
            place.git.set_ref(name, tip)
        return {"head_sha": tip, "head_ref": name, "base_sha": base, "base_ref": "refs/heads/main"}

    def land(self, group: Mapping[str, str]) -> str:
        """The queue's checks were green: trunk is its head now, and its pull requests are merged."""
        with self.place as place:
            place.git.set_ref("refs/heads/main", group["head_sha"])
            place.git.set_ref(group["head_ref"], "")
            pulls.sync(place)
        return group["head_sha"]

    # What was written

    def comments(self, number: int) -> list[Comment]:
        """The comments on an issue or a pull request, oldest first."""
        return list(self.issue(number).comments)

    def checks(self, sha: str, name: str = "") -> list[Check]:
        """All checks of a commit, oldest first."""
        with self.place as place:
            return commits.checks_of(place, sha, name=name, latest=False)[::-1]

    def statuses(self, sha: str) -> dict[str, Status]:
        """The latest status of each context."""
        with self.place as place:
            return {one.context: one for one in commits.statuses_of(place, sha, latest=True)}

    def deployments(self) -> list[Deployment]:
        """The deployments, oldest first."""
        with self.place as place:
            return list(place.repository.deployments)

    @property
    def dispatches(self) -> list[Dispatch]:
        """The workflows that were asked for, oldest first."""
        with self.place as place:
            return list(place.repository.dispatches)

    @property
    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and status of each request to the API."""
        return list(self.server.requests)

    def writes(self) -> list[tuple[str, str, int]]:
        """The requests that were no reads."""
        return [one for one in self.requests if one[0] != "GET"]

    # What goes wrong, and settings

    def fault(self, path: str = "*", *, method: str = "*", **how: Any) -> None:
        """Let the next requests that match fail: `fault("*/comments", method="POST", status=502, times=2)`.

        `how` is as in `orchestrator.sandbox.github.faults.Fault`.
        """
        self.server.faults.add(Fault(method=method, path=path, **how))

    def protect(self, branch: str = "main", **rules: Any) -> None:
        """Protect a branch; rules as in GitHub's answer for a branch's protection."""
        control.protect(self.server, self.repository, branch, rules)

    def environment(self, name: str, **how: Any) -> None:
        """Make a deployment environment: `reviewers`, `branches`, `wait_minutes`, `prevent_self_review`."""
        control.environment(self.server, self.repository, name, **how)

    # Jobs and events

    def environ(
        self, token: str, event: str = "pull_request", number: int = 0, **more: str
    ) -> dict[str, str]:
        """The GITHUB_* variables of a job that an event started; `more` adds to them or replaces some.

        `number` is the event's pull request or issue, if it has one. Without `GITHUB_EVENT_PATH` in `more`
        the event is written to a file first.
        """
        path = Path(more.get("GITHUB_EVENT_PATH") or self.event_file(event, number))
        with self.place as place:
            variables = payloads.variables(place, event, number)
        files = {name: self.folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.api_url,
            "GITHUB_SERVER_URL": self.url,
            "GITHUB_TOKEN": token,
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_REPOSITORY_OWNER": self.repository.partition("/")[0],
            "GITHUB_ACTOR": "ada",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(path),
            **variables,
            "GITHUB_RUN_ID": "4242",
            "GITHUB_RUN_NUMBER": "7",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKFLOW": "infra",
            "GITHUB_JOB": "plan",
            "RUNNER_TEMP": str(self.folder),
            **{name: str(file) for name, file in files.items()},
            **more,
        }

    def event_file(self, kind: str, number: int = 0, **more: Any) -> Path:
        """Write an event as Actions gives it to a job; the file.

        `more` are fields that replace the event's own: `action="labeled"`, `before=SHA`, `inputs={…}`,
        `merge_group={…}` (as `queue` gives it), `comment=ID` (of an issue_comment; the newest by default).
        """
        with self.place as place:
            actor = str(more.pop("sender", "ada"))
            made = payloads.Payloads(place, Shapes(self.server.world, self.url))
            payload = made.of(kind, number, actor, more)
        path = self.folder / f"event-{kind}-{number}-{len(list(self.folder.glob('event-*')))}.json"
        path.write_text(json.dumps(payload))
        return path
