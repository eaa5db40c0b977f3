"""A GitHub on loopback for one test: a repository to push to, people, tokens, events, and what was written.

    with GitHub(tmp_path) as github:
        github.commit("feature", {"a.tf": "..."})
        number = github.open("feature", "Add a", "ada")
        environ = github.environ(github.token(pull_requests="write"), "pull_request", number)

Every request and answer is checked against GitHub's own description of its API; what does not fit it fails
the test at the end of the block. People: `ada` and `bert` write, `olga` is admin, `rita` reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.sandbox.github import commits, control, issues, payloads, pulls
from orchestrator.sandbox.github.faults import read_fault
from orchestrator.sandbox.github.model import (
    CheckRun,
    CommentRecord,
    Deployment,
    Dispatch,
    IssueRecord,
    Status,
    WorkflowRun,
)
from orchestrator.sandbox.github.shapes import ApiDocuments
from tests.support.github_server import BOT, ROLES, Served, TestClock

__all__ = ["BOT", "ROLES", "ServedGitHub", "TestClock"]
# The workflow run that a job belongs to unless told otherwise.
RUN = 4242
_EVENTS = {"APPROVED": "APPROVE", "CHANGES_REQUESTED": "REQUEST_CHANGES", "COMMENTED": "COMMENT"}


class ServedGitHub(Served):
    """The server with what happens in the repository, what was written there, and the jobs of its events."""

    # Pull requests and issues

    def open(
        self,
        branch: str,
        title: str = "A change",
        author: str = "ada",
        *,
        body: str = "",
        base: str = "",
        draft: bool = False,
    ) -> int:
        """Open a pull request from a branch, to main unless it is told; its number."""
        fields = {"by": author, "title": title, "body": body, "base": base}
        return control.open_pull(self.server, self.repository, branch=branch, draft=draft, **fields)

    def pull(self, number: int) -> IssueRecord:
        """A pull request as the server knows it; `.pull` has what an issue has not."""
        with self.locked_repository as repository:
            issue: IssueRecord = repository.pull(number)
            return issue

    def issue(self, number: int) -> IssueRecord:
        """An issue as the server knows it."""
        with self.locked_repository as repository:
            record: IssueRecord = repository.issue(number)
            return record

    def head(self, number: int) -> str:
        """The head commit of a pull request."""
        pull = self.pull(number).pull
        assert pull
        return pull.head

    def issues(self, state: str = "all") -> list[IssueRecord]:
        """The issues that are no pull requests, by number."""
        with self.locked_repository as repository:
            records: list[IssueRecord] = list(repository.repository.issues.values())
            return [issue for issue in records if not issue.pull and state in ("all", issue.state)]

    def open_issue(self, title: str, author: str = "ada", body: str = "", labels: Sequence[str] = ()) -> int:
        """Open an issue; its number."""
        with self.locked_repository as repository:
            return issues.open_issue(repository, author, title, body, labels).number

    def review(
        self, number: int, user: str = "bert", state: str = "APPROVED", commit: str = "", body: str = ""
    ) -> int:
        """Review a pull request (APPROVED, CHANGES_REQUESTED, COMMENTED); the review's id."""
        event = _EVENTS.get(state, state)
        text = body or ("" if event == "APPROVE" else "See there.")
        return control.review(self.server, self.repository, number, user, event, text, commit)

    def dismiss(self, number: int, review: int, by: str = "olga") -> None:
        """Dismiss a review."""
        with self.locked_repository as repository:
            issue = repository.pull(number)
            next(
                review_record for review_record in issue.reviews if review_record.id == review
            ).state = "DISMISSED"
            repository.note(
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
        with self.locked_repository as repository:
            issues.remove_label(repository, repository.issue(number), by, name)

    def close(self, number: int, by: str = "olga") -> None:
        """Close an issue or a pull request."""
        with self.locked_repository as repository:
            issues.close(repository, repository.issue(number), by)

    def merge(self, number: int, method: str = "merge", by: str = "olga") -> str:
        """Merge (merge, squash, rebase); the commit on trunk."""
        return control.merge(self.server, self.repository, number, by, method)

    def queue(self, *numbers: int) -> dict[str, str]:
        """Put pull requests into a merge queue: the group's `head_sha`, `head_ref`, `base_sha`, `base_ref`.

        Each is merged onto the one before it, as GitHub's queue does; `land` then moves trunk.
        """
        with self.locked_repository as repository:
            tip = base = repository.git.heads()["main"]
            for number in numbers:
                issue = repository.pull(number)
                tree = repository.git.merge_tree(tip, issue.pull.head)
                assert tree, f"#{number} conflicts"
                text = (
                    f"Merge pull request #{number} from {repository.repository.owner}/{issue.pull.head_ref}"
                )
                tip = repository.git.write_commit(tree, (tip, issue.pull.head), text, repository.now())
            name = f"refs/heads/gh-readonly-queue/main/pr-{numbers[-1]}-{base}"
            repository.git.set_ref(name, tip)
        return {"head_sha": tip, "head_ref": name, "base_sha": base, "base_ref": "refs/heads/main"}

    def merge_group(self, group: Mapping[str, str]) -> str:
        """The queue's checks were green: trunk is its head now, and its pull requests are merged."""
        with self.locked_repository as repository:
            repository.git.set_ref("refs/heads/main", group["head_sha"])
            repository.git.set_ref(group["head_ref"], "")
            pulls.sync(repository)
        return group["head_sha"]

    # What was written

    def comments(self, number: int) -> list[CommentRecord]:
        """The comments on an issue or a pull request, oldest first."""
        return list(self.issue(number).comments)

    def checks(self, sha: str, name: str = "") -> list[CheckRun]:
        """All checks of a commit, oldest first."""
        with self.locked_repository as repository:
            return commits.checks_of(repository, sha, name=name, latest=False)[::-1]

    def statuses(self, sha: str) -> dict[str, Status]:
        """The latest status of each context."""
        with self.locked_repository as repository:
            return {status.context: status for status in commits.statuses_of(repository, sha, latest=True)}

    def deployments(self) -> list[Deployment]:
        """The deployments, oldest first."""
        with self.locked_repository as repository:
            return list(repository.repository.deployments)

    @property
    def dispatches(self) -> list[Dispatch]:
        """The workflows that were asked for, oldest first."""
        with self.locked_repository as repository:
            return list(repository.repository.dispatches)

    @property
    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and status of each request to the API."""
        return list(self.server.requests)

    def writes(self) -> list[tuple[str, str, int]]:
        """The requests that were no reads."""
        return [request for request in self.requests if request[0] != "GET"]

    # What goes wrong, and settings

    def fault(self, path: str = "*", *, method: str = "*", **how: Any) -> None:
        """Let the next requests that match fail: `fault("*/comments", method="POST", status=502, times=2)`.

        `how` is as in `orchestrator.sandbox.github.faults`.
        """
        self.server.faults.add(read_fault({"method": method, "path": path, **how}))

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
        with self.locked_repository as repository:
            variables = payloads.event_variables(repository, event, number)
            run = int(more.get("GITHUB_RUN_ID", RUN))
            if run not in [run.id for run in repository.repository.runs]:
                commit = more.get("GITHUB_SHA", variables["GITHUB_SHA"])
                workflow_run = WorkflowRun(
                    run, "infra-apply.yml", event, "main", commit, "in_progress", "", "ada", ""
                )
                workflow_run.created_at = repository.now()
                repository.repository.runs.append(workflow_run)
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
            "GITHUB_RUN_ID": str(RUN),
            "GITHUB_RUN_NUMBER": "7",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKFLOW": "infra",
            "GITHUB_JOB": "plan",
            "RUNNER_TEMP": str(self.folder),
            **{name: str(file) for name, file in files.items()},
            **more,
        }

    def approve_gate(self, environment: str, by: str = "bert", run: int = RUN) -> None:
        """Run the gate of an environment in a run of a workflow, and approve it."""
        control.open_gate(self.server, self.repository, run, f"{environment}-approval", by)

    def event_file(self, kind: str, number: int = 0, **more: Any) -> Path:
        """Write an event as Actions gives it to a job; the file.

        `more` are fields that replace the event's own: `action="labeled"`, `before=SHA`, `inputs={…}`,
        `merge_group={…}` (as `queue` gives it), `comment=ID` (of an issue_comment; the newest by default).
        """
        with self.locked_repository as repository:
            actor = str(more.pop("sender", "ada"))
            event_payloads = payloads.Payloads(repository, ApiDocuments(self.server.world, self.url))
            payload = event_payloads.of(kind, number, actor, more)
        path = self.folder / f"event-{kind}-{number}-{len(list(self.folder.glob('event-*')))}.json"
        path.write_text(json.dumps(payload))
        return path
