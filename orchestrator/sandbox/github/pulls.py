"""Pull requests: opened from branches, kept in step with them, reviewed, merged for real."""

from __future__ import annotations

from orchestrator.sandbox.github import activity, issues
from orchestrator.sandbox.github.errors import GitHubError, invalid, unprocessable
from orchestrator.sandbox.github.git import Person
from orchestrator.sandbox.github.model import Issue, Pull, Review
from orchestrator.sandbox.github.place import Place

METHODS = ("merge", "squash", "rebase")
_STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def open_pull(
    place: Place, author: str, title: str, head: str, base: str, body: str = "", *, draft: bool = False
) -> Issue:
    """Open a pull request from a branch."""
    head = head.removeprefix(f"{place.repository.owner}:")
    heads = place.git.heads()
    for field, branch in (("head", head), ("base", base)):
        if branch not in heads:
            raise invalid("PullRequest", field, code="invalid")
    for other in place.repository.pulls():
        if (
            other.state == "open"
            and other.pull
            and (other.pull.head_ref, other.pull.base_ref) == (head, base)
        ):
            name = f"{place.repository.owner}:{head}"
            raise invalid("PullRequest", "head", f"A pull request already exists for {name}.")
    if place.git.is_ancestor(heads[head], heads[base]):
        raise invalid("PullRequest", "base", f"No commits between {base} and {head}")
    issue = issues.open_issue(place, author, title, body)
    issue.pull = Pull(head, heads[head], base, heads[base], draft)
    activity.claim(place, head, author)
    keep(place, issue)
    return issue


def sync(place: Place, pusher: str = "") -> bool:
    """Look at the branches, and bring the open pull requests in step with them. Did anything change?

    What moved was pushed by `pusher`, or by whoever opened the pull request of the branch.
    """
    heads = place.git.heads()
    changed = activity.record_pushes(place, heads, pusher)
    for issue in place.repository.pulls():
        if issue.state == "open" and issue.pull:
            changed |= _follow(place, issue, issue.pull, heads)
    return changed


def _follow(place: Place, issue: Issue, pull: Pull, heads: dict[str, str]) -> bool:
    head, base = heads.get(pull.head_ref, ""), heads.get(pull.base_ref, "")
    if (head, base) == (pull.head, pull.tested):
        return False
    if base and base != pull.tested and place.git.is_ancestor(head or pull.head, base):
        _landed_by_push(place, issue, pull, head or pull.head, base)
        return True
    if not head:
        place.note(issue, "head_ref_deleted", issue.author)
        issues.close(place, issue, issue.author)
        return True
    if head != pull.head:
        if not place.git.is_ancestor(pull.head, head):
            place.note(issue, "head_ref_force_pushed", issue.author, commit=head)
        pull.head, pull.base = head, base or pull.base
        issue.updated_at = place.now()
        if place.git.is_ancestor(head, pull.base):
            # Nothing is left to merge.
            issues.close(place, issue, issue.author)
    keep(place, issue)
    return True


def _landed_by_push(place: Place, issue: Issue, pull: Pull, head: str, base: str) -> None:
    """Somebody pushed the pull request's commits to its base: GitHub calls that merged."""
    before = pull.tested or pull.base
    trunk = place.git.commits(before, base, first_parent=True)
    merge = next((one for one in trunk if place.git.is_ancestor(head, one)), base)
    parents = place.git.commit(merge).parents
    pull.landed = place.git.commits(parents[0] if len(parents) > 1 else before, merge)
    _set_merged(place, issue, merge, issue.author)


def keep(place: Place, issue: Issue) -> None:
    """Set `refs/pull/N/head` and the test merge `refs/pull/N/merge`."""
    assert issue.pull  # noqa: S101 - callers looked
    pull, git, name = issue.pull, place.git, f"refs/pull/{issue.number}"
    git.set_ref(f"{name}/head", pull.head)
    tip = git.heads().get(pull.base_ref, "")
    tree = git.merge_tree(tip, pull.head) if tip else ""
    pull.tested, pull.mergeable = tip, bool(tree)
    if tree:
        message = f"Merge {pull.head} into {tip}"
        pull.merge_commit = git.write_commit(tree, (tip, pull.head), message, place.now())
        git.set_ref(f"{name}/merge", pull.merge_commit)


def review(place: Place, issue: Issue, author: str, event: str, body: str = "", commit: str = "") -> Review:
    """Review it. `event` is APPROVE, REQUEST_CHANGES, COMMENT, or '' for one that is not sent yet."""
    assert issue.pull  # noqa: S101 - callers looked
    if author == issue.author and event in ("APPROVE", "REQUEST_CHANGES"):
        what = "approve" if event == "APPROVE" else "request changes on"
        raise unprocessable(f"Can not {what} your own pull request")
    if event and event not in _STATES:
        raise GitHubError(422, "Unprocessable Entity", [f"There is no event {event}"])
    if not body and event in ("REQUEST_CHANGES", "COMMENT"):
        raise unprocessable(f"You need to leave a comment when your review is {event}.")
    made = Review(
        place.next_id(),
        author,
        _STATES.get(event, "PENDING"),
        issues.check_body("PullRequestReview", body),
        commit or issue.pull.head,
        place.now(),
    )
    issue.reviews.append(made)
    issue.updated_at = made.submitted_at
    return made


def merge(
    place: Place,
    issue: Issue,
    by: str,
    method: str = "merge",
    *,
    head: str = "",
    title: str = "",
    message: str = "",
) -> str:
    """Merge it into its base for real; the commit on the base. `head` is the head that is meant, if told."""
    assert issue.pull  # noqa: S101 - callers looked
    pull = issue.pull
    if method not in METHODS:
        raise invalid("PullRequest", "merge_method", code="invalid")
    if head and head != pull.head:
        raise GitHubError(409, "Head branch was modified. Review and try the merge again.")
    if issue.state != "open" or pull.draft or not pull.mergeable:
        raise GitHubError(405, "Pull Request is not mergeable")
    if not place.repository.merges.get(method, True):
        raise GitHubError(405, f"{method.title()} merges are not allowed on this repository.")
    trunk = pull.tested
    made = _make(place, issue, pull, method, title, message)
    if not made:
        raise GitHubError(405, "This branch can't be rebased")
    place.git.set_ref(f"refs/heads/{pull.base_ref}", made[-1])
    activity.record(place, pull.base_ref, made[-1], by, "pr_merge")
    pull.landed = [*place.git.commits(trunk, made[-1])]
    _set_merged(place, issue, made[-1], by)
    if place.repository.merges.get("delete_branch"):
        delete_branch(place, issue, by)
    return made[-1]


def _make(place: Place, issue: Issue, pull: Pull, method: str, title: str, message: str) -> list[str]:
    """The commits that the merge adds to trunk's first-parent line; [] when they conflict."""
    git, trunk, at = place.git, pull.tested, place.now()
    if method == "rebase":
        own = [one for one in git.commits(trunk, pull.head) if len(git.commit(one).parents) < 2]
        return git.replay(own, trunk, at)
    tree = git.merge_tree(trunk, pull.head)
    if method == "squash":
        text = title or f"{issue.title} (#{issue.number})"
        author = Person(issue.author, f"{issue.author}@users.noreply.github.com", at)
        body = message or issue.body
        return [git.write_commit(tree, (trunk,), f"{text}\n\n{body}".strip(), at, author)]
    origin = f"{place.repository.owner}/{pull.head_ref}"
    text = title or f"Merge pull request #{issue.number} from {origin}"
    return [git.write_commit(tree, (trunk, pull.head), f"{text}\n\n{message or issue.title}".strip(), at)]


def _set_merged(place: Place, issue: Issue, commit: str, by: str) -> None:
    assert issue.pull  # noqa: S101 - callers looked
    issue.pull.merge_commit, issue.pull.merged_by = commit, by
    issue.pull.merged_at = place.note(issue, "merged", by, commit=commit).at
    issues.close(place, issue, by, commit="")


def delete_branch(place: Place, issue: Issue, by: str) -> None:
    """Delete the branch that it came from."""
    assert issue.pull  # noqa: S101 - callers looked
    place.git.set_ref(f"refs/heads/{issue.pull.head_ref}", "")
    activity.record(place, issue.pull.head_ref, "", by)
    place.note(issue, "head_ref_deleted", by)


def of_commit(place: Place, sha: str) -> list[Issue]:
    """The pull requests that a commit belongs to: on trunk the merged one that brought it, else the open and
    closed ones that have it."""
    found = []
    trunk = place.git.heads().get(place.repository.default_branch, "")
    on_trunk = bool(trunk) and place.git.is_ancestor(sha, trunk)
    for issue in place.repository.pulls():
        assert issue.pull  # noqa: S101 - they are pull requests
        pull = issue.pull
        if on_trunk:
            belongs = bool(pull.merged_at) and sha in (pull.merge_commit, *pull.landed)
        else:
            belongs = sha in place.git.commits(pull.base, pull.head)
        if belongs:
            found.append(issue)
    return found
