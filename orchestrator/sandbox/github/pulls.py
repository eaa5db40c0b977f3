"""Pull requests: opened from branches, updated with them, reviewed, and merged in git."""

from __future__ import annotations

from orchestrator.sandbox.github import activity, issues
from orchestrator.sandbox.github.errors import GitHubError, invalid, unprocessable
from orchestrator.sandbox.github.git import Person
from orchestrator.sandbox.github.model import IssueRecord, Pull, ReviewRecord
from orchestrator.sandbox.github.repository import RepositoryService

METHODS = ("merge", "squash", "rebase")
_STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def open_pull(
    service: RepositoryService,
    author: str,
    title: str,
    head: str,
    base: str,
    body: str = "",
    *,
    draft: bool = False,
) -> IssueRecord:
    """Open a pull request from a branch."""
    head = head.removeprefix(f"{service.repository.owner}:")
    heads = service.git.heads()
    for field, branch in (("head", head), ("base", base)):
        if branch not in heads:
            raise invalid("PullRequest", field, code="invalid")
    for other in service.repository.pulls():
        if (
            other.state == "open"
            and other.pull
            and (other.pull.head_ref, other.pull.base_ref) == (head, base)
        ):
            name = f"{service.repository.owner}:{head}"
            raise invalid("PullRequest", "head", f"A pull request already exists for {name}.")
    if service.git.is_ancestor(heads[head], heads[base]):
        raise invalid("PullRequest", "base", f"No commits between {base} and {head}")
    issue = issues.open_issue(service, author, title, body)
    issue.pull = Pull(head, heads[head], base, heads[base], draft)
    activity.attribute_pushes(service, head, author)
    update_refs(service, issue)
    return issue


def sync(service: RepositoryService, pusher: str = "") -> bool:
    """Look at the branches, and bring the open pull requests in step with them. Did anything change?

    What moved was pushed by `pusher`, or by whoever opened the pull request of the branch.
    """
    heads = service.git.heads()
    changed = activity.record_pushes(service, heads, pusher)
    for issue in service.repository.pulls():
        if issue.state == "open" and issue.pull:
            changed |= _update_pull(service, issue, issue.pull, heads)
    return changed


def _update_pull(service: RepositoryService, issue: IssueRecord, pull: Pull, heads: dict[str, str]) -> bool:
    head, base = heads.get(pull.head_ref, ""), heads.get(pull.base_ref, "")
    if (head, base) == (pull.head, pull.tested):
        return False
    if base and base != pull.tested and service.git.is_ancestor(head or pull.head, base):
        _merge_by_push(service, issue, pull, head or pull.head, base)
        return True
    if not head:
        service.note(issue, "head_ref_deleted", issue.author)
        issues.close(service, issue, issue.author)
        return True
    if head != pull.head:
        if not service.git.is_ancestor(pull.head, head):
            service.note(issue, "head_ref_force_pushed", issue.author, commit=head)
        pull.head, pull.base = head, base or pull.base
        issue.updated_at = service.now()
        if service.git.is_ancestor(head, pull.base):
            # Nothing is left to merge.
            issues.close(service, issue, issue.author)
    update_refs(service, issue)
    return True


def _merge_by_push(service: RepositoryService, issue: IssueRecord, pull: Pull, head: str, base: str) -> None:
    """Somebody pushed the pull request's commits to its base: GitHub calls that merged."""
    before = pull.tested or pull.base
    trunk = service.git.commits(before, base, first_parent=True)
    merge = next((sha for sha in trunk if service.git.is_ancestor(head, sha)), base)
    parents = service.git.commit(merge).parents
    pull.landed = service.git.commits(parents[0] if len(parents) > 1 else before, merge)
    _set_merged(service, issue, merge, issue.author)


def update_refs(service: RepositoryService, issue: IssueRecord) -> None:
    """Set `refs/pull/N/head` and the test merge `refs/pull/N/merge`."""
    assert issue.pull  # noqa: S101 - callers looked
    pull, git, name = issue.pull, service.git, f"refs/pull/{issue.number}"
    git.set_ref(f"{name}/head", pull.head)
    tip = git.heads().get(pull.base_ref, "")
    tree = git.merge_tree(tip, pull.head) if tip else ""
    pull.tested, pull.mergeable = tip, bool(tree)
    if tree:
        message = f"Merge {pull.head} into {tip}"
        pull.merge_commit = git.write_commit(tree, (tip, pull.head), message, service.now())
        git.set_ref(f"{name}/merge", pull.merge_commit)


def review(
    service: RepositoryService, issue: IssueRecord, author: str, event: str, body: str = "", commit: str = ""
) -> ReviewRecord:
    """Review it. `event` is APPROVE, REQUEST_CHANGES, COMMENT, or '' for one that is not sent yet."""
    assert issue.pull  # noqa: S101 - callers looked
    if author == issue.author and event in ("APPROVE", "REQUEST_CHANGES"):
        what = "approve" if event == "APPROVE" else "request changes on"
        raise unprocessable(f"Can not {what} your own pull request")
    if event and event not in _STATES:
        raise GitHubError(422, "Unprocessable Entity", [f"There is no event {event}"])
    if not body and event in ("REQUEST_CHANGES", "COMMENT"):
        raise unprocessable(f"You need to leave a comment when your review is {event}.")
    review_record = ReviewRecord(
        service.next_id(),
        author,
        _STATES.get(event, "PENDING"),
        issues.check_body("PullRequestReview", body),
        commit or issue.pull.head,
        service.now(),
    )
    issue.reviews.append(review_record)
    issue.updated_at = review_record.submitted_at
    return review_record


def merge(
    service: RepositoryService,
    issue: IssueRecord,
    by: str,
    method: str = "merge",
    *,
    head: str = "",
    title: str = "",
    message: str = "",
) -> str:
    """Merge it into its base in git; the commit on the base. `head` is the expected head, if it is set."""
    assert issue.pull  # noqa: S101 - callers looked
    pull = issue.pull
    if method not in METHODS:
        raise invalid("PullRequest", "merge_method", code="invalid")
    if head and head != pull.head:
        raise GitHubError(409, "Head branch was modified. Review and try the merge again.")
    if issue.state != "open" or pull.draft or not pull.mergeable:
        raise GitHubError(405, "Pull Request is not mergeable")
    if not service.repository.merges.get(method, True):
        raise GitHubError(405, f"{method.title()} merges are not allowed on this repository.")
    trunk = pull.tested
    merged = _make(service, issue, pull, method, title, message)
    if not merged:
        raise GitHubError(405, "This branch can't be rebased")
    service.git.set_ref(f"refs/heads/{pull.base_ref}", merged[-1])
    activity.record_move(service, pull.base_ref, merged[-1], by, "pr_merge")
    pull.landed = [*service.git.commits(trunk, merged[-1])]
    _set_merged(service, issue, merged[-1], by)
    if service.repository.merges.get("delete_branch"):
        delete_branch(service, issue, by)
    return merged[-1]


def _make(
    service: RepositoryService, issue: IssueRecord, pull: Pull, method: str, title: str, message: str
) -> list[str]:
    """The commits that the merge adds to trunk's first-parent line; [] when they conflict."""
    git, trunk, at = service.git, pull.tested, service.now()
    if method == "rebase":
        own = [commit for commit in git.commits(trunk, pull.head) if len(git.commit(commit).parents) < 2]
        return git.replay(own, trunk, at)
    tree = git.merge_tree(trunk, pull.head)
    if method == "squash":
        text = title or f"{issue.title} (#{issue.number})"
        author = Person(issue.author, f"{issue.author}@users.noreply.github.com", at)
        body = message or issue.body
        return [git.write_commit(tree, (trunk,), f"{text}\n\n{body}".strip(), at, author)]
    origin = f"{service.repository.owner}/{pull.head_ref}"
    text = title or f"Merge pull request #{issue.number} from {origin}"
    return [git.write_commit(tree, (trunk, pull.head), f"{text}\n\n{message or issue.title}".strip(), at)]


def _set_merged(service: RepositoryService, issue: IssueRecord, commit: str, by: str) -> None:
    assert issue.pull  # noqa: S101 - callers looked
    issue.pull.merge_commit, issue.pull.merged_by = commit, by
    issue.pull.merged_at = service.note(issue, "merged", by, commit=commit).at
    issues.close(service, issue, by, commit="")


def delete_branch(service: RepositoryService, issue: IssueRecord, by: str) -> None:
    """Delete the branch that it came from."""
    assert issue.pull  # noqa: S101 - callers looked
    service.git.set_ref(f"refs/heads/{issue.pull.head_ref}", "")
    activity.record_move(service, issue.pull.head_ref, "", by)
    service.note(issue, "head_ref_deleted", by)


def find_by_commit(service: RepositoryService, sha: str) -> list[IssueRecord]:
    """The pull requests that a commit belongs to: on trunk the merged one that brought it, else the open and
    closed ones that have it."""
    commit = []
    trunk = service.git.heads().get(service.repository.default_branch, "")
    on_trunk = bool(trunk) and service.git.is_ancestor(sha, trunk)
    for issue in service.repository.pulls():
        assert issue.pull  # noqa: S101 - they are pull requests
        pull = issue.pull
        if on_trunk:
            belongs = bool(pull.merged_at) and sha in (pull.merge_commit, *pull.landed)
        else:
            belongs = sha in service.git.commits(pull.base, pull.head)
        if belongs:
            commit.append(issue)
    return commit
