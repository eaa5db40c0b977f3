"""Issues, and starting workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from github.GithubObject import NotSet
from github.Issue import Issue

from orchestrator.errors import ForgeError
from orchestrator.forge import model
from orchestrator.forge.github import values
from orchestrator.forge.github.calls import Calls

READ = "issues: read"
WRITE = "issues: write"


class Issues(Calls):
    """Issues of a repository, and its workflows."""

    def waiting_runs(self) -> list[model.WaitingRun]:
        """The newest 100 runs of workflows that wait for the reviewers of an environment."""
        parameters = {"status": "waiting", "per_page": 100}
        answer = self._get("list the runs that wait", "actions: read", "/actions/runs", parameters)
        return [
            model.WaitingRun(
                str(run.get("display_title") or run.get("name") or ""),
                str(run.get("html_url") or ""),
                str(run.get("run_started_at") or run.get("created_at") or ""),
            )
            for run in answer["workflow_runs"]
        ]

    def issues(self, labels: Sequence[str] = (), state: str = "open") -> list[model.Issue]:
        """Issues (not pull requests) with all of these labels, oldest first."""
        pages = self._repo.get_issues(
            state=state, labels=list(labels) or NotSet, sort="created", direction="asc"
        )
        issues = self._all("list the issues", READ, pages, _issue)
        return [issue for issue in issues if issue is not None]

    def create_issue(
        self, title: str, body: str, labels: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> model.Issue:
        """Open an issue. Who cannot be assigned is left out: a team, or somebody without access."""

        def find_created() -> model.Issue | None:
            title_and_author = (title, self.login)
            issues = [
                issue for issue in self.issues(labels) if (issue.title, issue.author) == title_and_author
            ]
            return issues[-1] if issues else None

        def open_(people: list[str]) -> model.Issue:
            def request() -> model.Issue:
                return values.issue(
                    self._repo.create_issue(
                        title, body, labels=list(labels) or NotSet, assignees=people or NotSet
                    )
                )

            return self._ask("open an issue", WRITE, request, find_created)

        people = _people(assignees)
        try:
            return open_(people)
        except ForgeError as error:
            if error.status != 422 or not people:
                raise
            return open_(self._assignable(people))

    def update_issue(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        labels: Sequence[str] | None = None,
        assignees: Sequence[str] | None = None,
        state: str | None = None,
        state_reason: str | None = None,
    ) -> model.Issue:
        """Change an issue; what is None stays. Who cannot be assigned is left out."""

        def edit(people: list[str] | None) -> model.Issue:
            def request() -> model.Issue:
                issue = self._repo.get_issue(number)
                issue.edit(
                    title=NotSet if title is None else title,
                    body=NotSet if body is None else body,
                    labels=NotSet if labels is None else list(labels),
                    assignees=NotSet if people is None else [*people],
                    state=NotSet if state is None else state,
                    state_reason=NotSet if state_reason is None else state_reason,
                )
                return values.issue(issue)

            return self._ask(f"change issue #{number}", WRITE, request)

        people = None if assignees is None else _people(assignees)
        try:
            return edit(people)
        except ForgeError as error:
            if error.status != 422 or not people:
                raise
            return edit(self._assignable(people))

    def _assignable(self, people: Sequence[str]) -> list[str]:
        """Those of some people who can be assigned."""

        def can(login: str) -> bool:
            try:
                self._get(f"ask whether {login} can be assigned", READ, f"/assignees/{quote(login, safe='')}")
            except ForgeError as error:
                if error.status != 404:
                    raise
                return False
            return True

        return [person for person in people if can(person)]

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow (`infra-apply.yml`) that has a `workflow_dispatch`.

        After a lost answer it is started again: our workflows look for what is to be done, and find nothing
        the second time.
        """
        target = self._repo.get_workflow(workflow)
        self._ask(
            f"start {workflow} on {ref}",
            "actions: write",
            lambda: target.create_dispatch(ref, dict(inputs), throw=True),
        )


def _issue(issue: Issue) -> model.Issue | None:
    return None if values.is_pull_request(issue) else values.issue(issue)


def _people(assignees: Sequence[str]) -> list[str]:
    """Logins as GitHub takes them, at most ten; a team cannot be assigned."""
    names = dict.fromkeys(assignee.removeprefix("@") for assignee in assignees)
    return [name for name in names if name and "/" not in name and "@" not in name][:10]
