"""Pull requests, their files, reviews and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import parse_qs, quote, urlsplit

from orchestrator.errors import ForgeError
from orchestrator.forge import model
from orchestrator.forge.github import values
from orchestrator.forge.github.calls import PAGE, Calls, documented_answers
from orchestrator.forge.github.requester import endless_list

READ = "pull-requests: read"
WRITE = "pull-requests: write"
_NEXT = re.compile(r'<([^>]*)>; rel="next"')
_KNOWN = {arg: arg for arg in get_args(model.Permission)}


class Pulls(Calls):
    """What a repository says about its pull requests."""

    def pull_request(self, number: int) -> model.PullRequest:
        """One pull request."""

        def request() -> model.PullRequest:
            return values.pull_request(self._repo.get_pull(number).complete(), whole=True)

        return self._ask(f"read pull request #{number}", READ, request)

    def open_pull_requests(self, base: str) -> list[model.PullRequest]:
        """Those that are open and want to merge into a branch, oldest first; `merged_by` is not told."""
        pages = self._repo.get_pulls(state="open", base=base, sort="created", direction="asc")
        return self._all("list the open pull requests", READ, pages, values.pull_request)

    def pull_requests_of(self, commit: str) -> list[model.PullRequest]:
        """Those that a commit belongs to, oldest first; none when the host has no such commit.

        `merged_by` is not told.
        """
        pages = self._repo.get_commit(commit).get_pulls()
        try:
            pull_requests = self._all(
                f"find the pull requests of {commit[:10]}", READ, pages, values.pull_request
            )
        except ForgeError as error:
            # 422: there is no such commit on the host.
            if error.status != 422:
                raise
            return []
        return sorted(pull_requests, key=lambda pull_request: pull_request.number)

    def create_pull_request(self, title: str, body: str, head: str, base: str) -> model.PullRequest:
        """Open one; when it is there already (the answer was lost), it is that one."""
        owner = self._repository.partition("/")[0]

        def request() -> model.PullRequest:
            return values.pull_request(self._repo.create_pull(base, head, title=title, body=body))

        def find_created() -> model.PullRequest | None:
            pages = self._repo.get_pulls(state="open", base=base, head=f"{owner}:{head}")
            return next((values.pull_request(page) for page in pages), None)

        return self._ask(f"open a pull request from {head}", WRITE, request, find_created)

    def changed_paths(self, number: int) -> list[str]:
        """Paths that a pull request changes, both names of a renamed file; at most 3,000 are listed."""
        pages = self._repo.get_pull(number).get_files()

        def names(file: Any) -> tuple[str, ...]:
            return (file.filename, file.previous_filename) if file.previous_filename else (file.filename,)

        pairs = self._all(f"list the files of pull request #{number}", READ, pages, names)
        return list(dict.fromkeys(name for pair in pairs for name in pair))

    def pull_request_commits(self, number: int) -> list[model.PullRequestCommit]:
        """Its commits, oldest first; at most 250 are listed."""
        pages = self._repo.get_pull(number).get_commits()
        return self._all(
            f"list the commits of pull request #{number}", READ, pages, values.pull_request_commit
        )

    @documented_answers()
    def branch_moves(self, branch: str) -> list[model.BranchMove]:
        """Who moved a branch of this repository, oldest first; also one that is gone by now."""
        path = f"{self._repo.url}/activity"
        doing = f"list who pushed to {branch}"
        moves: list[model.BranchMove] = []
        cursor, cursors = "", {""}
        while True:
            query = {"ref": f"refs/heads/{branch}", "per_page": PAGE, **({"after": cursor} if cursor else {})}
            headers, page = self._ask(
                doing,
                "contents: read",
                lambda query=query: self._requester.requestJsonAndCheck("GET", path, parameters=query),  # type: ignore[misc]
            )
            moves += [values.branch_move(activity) for activity in page]
            cursor = _next_cursor(headers)
            if not cursor:
                return moves[::-1]
            if cursor in cursors:
                raise endless_list()
            cursors.add(cursor)

    def reviews(self, number: int) -> list[model.Review]:
        """Its reviews, oldest first."""
        pages = self._repo.get_pull(number).get_reviews()
        return self._all(f"list the reviews of pull request #{number}", READ, pages, values.review)

    def label_events(self, number: int) -> list[model.LabelEvent]:
        """When labels were set and taken off, and by whom, oldest first."""
        pages = self._repo.get_issue(number).get_events()

        def label(event: Any) -> model.LabelEvent | None:
            return values.label_event(event) if event.event in ("labeled", "unlabeled") else None

        events = self._all(f"list what happened to pull request #{number}", READ, pages, label)
        return [event for event in events if event is not None]

    @documented_answers()
    def permission(self, login: str) -> model.Permission:
        """What somebody may do in the repository; `none` for who is no user.

        A role of the organization's own making counts as the permission that it is built on.
        """
        try:
            path = f"/collaborators/{quote(login, safe='')}/permission"
            data = self._get(f"ask what {login} may do", "metadata: read", path)
        except ForgeError as error:
            if error.status != 404:
                raise
            return "none"
        role, base = str(data.get("role_name", "")), str(data.get("permission", ""))
        return _KNOWN.get(role) or _KNOWN.get(base) or "none"


def _next_cursor(headers: Mapping[str, Any]) -> str:
    """The cursor of the next page; empty on the last one."""
    match = _NEXT.search(str(headers.get("link", "")))
    return parse_qs(urlsplit(match[1]).query).get("after", [""])[0] if match else ""
