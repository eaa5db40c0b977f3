"""`/repos/…/pulls`: pull requests, their files, commits and reviews."""

from __future__ import annotations

from typing import Any

from orchestrator.sandbox.github import issues, pulls
from orchestrator.sandbox.github.api_issues import change_state
from orchestrator.sandbox.github.call import Answer, Call
from orchestrator.sandbox.github.errors import invalid
from orchestrator.sandbox.github.git import FileChange
from orchestrator.sandbox.github.model import Issue, Pull

# GitHub tells no more files than these of one pull request.
MOST_FILES = 3000


def list_pulls(call: Call) -> Answer:
    """Pull requests that the query asks for, newest first."""
    query = call.request.query
    state = query.get("state", "open")
    head = query.get("head", "").partition(":")[2]
    found = [
        one
        for one in call.place.repository.pulls()
        if state in ("all", one.state)
        and one.pull
        and query.get("base", one.pull.base_ref) == one.pull.base_ref
        and head in ("", one.pull.head_ref)
    ]
    key = "updated_at" if query.get("sort") == "updated" else "created_at"
    ascending = query.get("direction", "desc") == "asc"
    found.sort(key=lambda one: (getattr(one, key), one.number), reverse=not ascending)
    return call.page([call.issues.pull(one) for one in found])


def get_pull(call: Call) -> Answer:
    """One pull request, or its change as a diff or as patches."""
    pull, git = _pull(_issue(call)), call.place.git
    forms = {"diff": lambda: git.diff(pull.base, pull.head), "patch": lambda: git.patch(pull.base, pull.head)}
    return call.as_media(forms) or Answer(200, call.issues.pull(_issue(call), whole=True))


def create_pull(call: Call) -> Answer:
    """Open a pull request from a branch."""
    content = call.content
    made = pulls.open_pull(
        call.place,
        call.token.login,
        call.text("title"),
        call.text("head"),
        call.text("base"),
        content.get("body") or "",
        draft=bool(content.get("draft")),
    )
    return Answer(201, call.issues.pull(made, whole=True))


def update_pull(call: Call) -> Answer:
    """Change title, body, base or state."""
    issue, content = _issue(call), call.content
    if content.get("title") is not None:
        issues.rename(call.place, issue, call.token.login, str(content["title"]))
    if "body" in content:
        issue.body = issues.check_body("PullRequest", content["body"] or "")
    base = content.get("base")
    if base is not None:
        if base not in call.place.git.heads():
            raise invalid("PullRequest", "base", code="invalid")
        pull = _pull(issue)
        pull.base_ref, pull.base = base, call.place.git.heads()[base]
        pulls.keep(call.place, issue)
    change_state(call, issue)
    issue.updated_at = call.place.now()
    return Answer(200, call.issues.pull(issue, whole=True))


def merge_pull(call: Call) -> Answer:
    """Merge it."""
    content = call.content
    sha = pulls.merge(
        call.place,
        _issue(call),
        call.token.login,
        str(content.get("merge_method") or "merge"),
        head=str(content.get("sha") or ""),
        title=str(content.get("commit_title") or ""),
        message=str(content.get("commit_message") or ""),
    )
    return Answer(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def list_files(call: Call) -> Answer:
    """The files that it changes."""
    pull = _pull(_issue(call))
    files = call.place.git.files(pull.base, pull.head)[:MOST_FILES]
    return call.page([_file(call, pull, one) for one in files])


def _file(call: Call, pull: Pull, one: FileChange) -> dict[str, Any]:
    html = call.shapes.html(call.place.repository)
    told = {
        "sha": one.blob,
        "filename": one.path,
        "status": one.status,
        "additions": one.additions,
        "deletions": one.deletions,
        "changes": one.additions + one.deletions,
        "blob_url": f"{html}/blob/{pull.head}/{one.path}",
        "raw_url": f"{html}/raw/{pull.head}/{one.path}",
        "contents_url": call.shapes.api(call.place.repository, f"/contents/{one.path}?ref={pull.head}"),
    }
    return {**told, "previous_filename": one.previous} if one.previous else told


def list_commits(call: Call) -> Answer:
    """Its commits, oldest first."""
    pull = _pull(_issue(call))
    return call.page([call.issues.commit(sha) for sha in call.place.git.commits(pull.base, pull.head)])


def list_reviews(call: Call) -> Answer:
    """Its reviews, oldest first."""
    issue = _issue(call)
    return call.page([call.issues.review(issue, one) for one in issue.reviews])


def create_review(call: Call) -> Answer:
    """Review it."""
    issue, content = _issue(call), call.content
    made = pulls.review(
        call.place,
        issue,
        call.token.login,
        str(content.get("event") or ""),
        content.get("body") or "",
        str(content.get("commit_id") or ""),
    )
    return Answer(200, call.issues.review(issue, made))


def _issue(call: Call) -> Issue:
    return call.place.pull(call.arguments["pull_number"])


def _pull(issue: Issue) -> Pull:
    assert issue.pull  # noqa: S101 - `place.pull` looked
    return issue.pull
