"""`/repos/…/pulls`: pull requests, their files, commits and reviews."""

from __future__ import annotations

from typing import Any

from orchestrator.sandbox.github import issues, pulls
from orchestrator.sandbox.github.api_issues import change_state
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall
from orchestrator.sandbox.github.errors import invalid
from orchestrator.sandbox.github.git import FileChange
from orchestrator.sandbox.github.model import IssueRecord, Pull

# GitHub tells no more files than these of one pull request.
MOST_FILES = 3000


def list_pulls(call: RepositoryCall) -> ApiResponse:
    """Pull requests that the query asks for, newest first."""
    query = call.request.query
    state = query.get("state", "open")
    head = query.get("head", "").partition(":")[2]
    matches = [
        pull
        for pull in call.service.repository.pulls()
        if state in ("all", pull.state)
        and pull.pull
        and query.get("base", pull.pull.base_ref) == pull.pull.base_ref
        and head in ("", pull.pull.head_ref)
    ]
    key = "updated_at" if query.get("sort") == "updated" else "created_at"
    ascending = query.get("direction", "desc") == "asc"
    matches.sort(key=lambda pull: (getattr(pull, key), pull.number), reverse=not ascending)
    return call.page([call.issues.pull(issue) for issue in matches])


def get_pull(call: RepositoryCall) -> ApiResponse:
    """One pull request, or its change as a diff or as patches."""
    pull, git = _pull(_issue(call)), call.service.git
    forms = {"diff": lambda: git.diff(pull.base, pull.head), "patch": lambda: git.patch(pull.base, pull.head)}
    return call.as_media(forms) or ApiResponse(200, call.issues.pull(_issue(call), whole=True))


def create_pull(call: RepositoryCall) -> ApiResponse:
    """Open a pull request from a branch."""
    content = call.content
    pull = pulls.open_pull(
        call.service,
        call.token.login,
        call.text("title"),
        call.text("head"),
        call.text("base"),
        content.get("body") or "",
        draft=bool(content.get("draft")),
    )
    return ApiResponse(201, call.issues.pull(pull, whole=True))


def update_pull(call: RepositoryCall) -> ApiResponse:
    """Change title, body, base or state."""
    issue, content = _issue(call), call.content
    if content.get("title") is not None:
        issues.rename(call.service, issue, call.token.login, str(content["title"]))
    if "body" in content:
        issue.body = issues.check_body("PullRequest", content["body"] or "")
    base = content.get("base")
    if base is not None:
        if base not in call.service.git.heads():
            raise invalid("PullRequest", "base", code="invalid")
        pull = _pull(issue)
        pull.base_ref, pull.base = base, call.service.git.heads()[base]
        pulls.update_refs(call.service, issue)
    change_state(call, issue)
    issue.updated_at = call.service.now()
    return ApiResponse(200, call.issues.pull(issue, whole=True))


def merge_pull(call: RepositoryCall) -> ApiResponse:
    """Merge it."""
    content = call.content
    sha = pulls.merge(
        call.service,
        _issue(call),
        call.token.login,
        str(content.get("merge_method") or "merge"),
        head=str(content.get("sha") or ""),
        title=str(content.get("commit_title") or ""),
        message=str(content.get("commit_message") or ""),
    )
    return ApiResponse(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def list_files(call: RepositoryCall) -> ApiResponse:
    """The files that it changes."""
    pull = _pull(_issue(call))
    files = call.service.git.files(pull.base, pull.head)[:MOST_FILES]
    return call.page([_file(call, pull, file) for file in files])


def _file(call: RepositoryCall, pull: Pull, file_change: FileChange) -> dict[str, Any]:
    html = call.shapes.html(call.service.repository)
    document = {
        "sha": file_change.blob,
        "filename": file_change.path,
        "status": file_change.status,
        "additions": file_change.additions,
        "deletions": file_change.deletions,
        "changes": file_change.additions + file_change.deletions,
        "blob_url": f"{html}/blob/{pull.head}/{file_change.path}",
        "raw_url": f"{html}/raw/{pull.head}/{file_change.path}",
        "contents_url": call.shapes.api(
            call.service.repository, f"/contents/{file_change.path}?ref={pull.head}"
        ),
    }
    return {**document, "previous_filename": file_change.previous} if file_change.previous else document


def list_commits(call: RepositoryCall) -> ApiResponse:
    """Its commits, oldest first."""
    pull = _pull(_issue(call))
    return call.page([call.issues.commit(sha) for sha in call.service.git.commits(pull.base, pull.head)])


def list_reviews(call: RepositoryCall) -> ApiResponse:
    """Its reviews, oldest first."""
    issue = _issue(call)
    return call.page([call.issues.review(issue, review) for review in issue.reviews])


def create_review(call: RepositoryCall) -> ApiResponse:
    """Review it."""
    issue, content = _issue(call), call.content
    review = pulls.review(
        call.service,
        issue,
        call.token.login,
        str(content.get("event") or ""),
        content.get("body") or "",
        str(content.get("commit_id") or ""),
    )
    return ApiResponse(200, call.issues.review(issue, review))


def _issue(call: RepositoryCall) -> IssueRecord:
    return call.service.pull(call.arguments["pull_number"])


def _pull(issue: IssueRecord) -> Pull:
    assert issue.pull  # noqa: S101 - `service.pull` looked
    return issue.pull
