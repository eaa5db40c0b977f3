"""Issues, pull requests, comments, reviews and what happened to them, as GitHub's API tells them."""

from __future__ import annotations

from orchestrator.sandbox.github.git import Git, GitCommit, Person
from orchestrator.sandbox.github.model import (
    CommentRecord,
    HostedRepository,
    IssueRecord,
    Pull,
    ReviewRecord,
    TimelineEvent,
)
from orchestrator.sandbox.github.shapes import ApiDocuments, Document, node

_REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")
_ASSOCIATIONS = {"admin": "OWNER", "maintain": "MEMBER", "write": "COLLABORATOR", "triage": "COLLABORATOR"}


class IssueShapes:
    """Makes documents of one repository's issues and pull requests."""

    def __init__(self, shapes: ApiDocuments, repository: HostedRepository, git: Git) -> None:
        self._shapes = shapes
        self._repository = repository
        self._git = git

    def association(self, login: str) -> str:
        """What somebody is to the repository, as GitHub puts it."""
        return _ASSOCIATIONS.get(self._repository.roles.get(login, ""), "NONE")

    def issue(self, issue: IssueRecord) -> Document:
        """An issue, or a pull request seen as one."""
        api = self._shapes.api(self._repository, f"/issues/{issue.number}")
        return {
            **self._common(issue),
            "url": api,
            "repository_url": self._shapes.api(self._repository),
            "labels_url": f"{api}/labels{{/name}}",
            "comments_url": f"{api}/comments",
            "events_url": f"{api}/events",
            "timeline_url": f"{api}/timeline",
            "html_url": self.page(issue),
            "state_reason": issue.state_reason or None,
            "comments": len(issue.comments),
            "closed_by": self._shapes.maybe_user(issue.closed_by),
            "performed_via_github_app": None,
            **({"pull_request": self._pull_link(issue, issue.pull)} if issue.pull else {}),
        }

    def page(self, issue: IssueRecord) -> str:
        """Where people read it."""
        return self._shapes.html(self._repository, f"/{'pull' if issue.pull else 'issues'}/{issue.number}")

    def pull(self, issue: IssueRecord, *, whole: bool = False) -> Document:
        """A pull request; `whole` as the API returns a single one, else as in a list."""
        assert issue.pull  # noqa: S101 - callers looked
        pull, api = issue.pull, self._shapes.api(self._repository)
        url = f"{api}/pulls/{issue.number}"
        links = {
            "self": url,
            "html": self.page(issue),
            "issue": f"{api}/issues/{issue.number}",
            "comments": f"{api}/issues/{issue.number}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{api}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": f"{api}/statuses/{pull.head}",
        }
        return {
            **self._common(issue),
            "node_id": node("PR", issue.id),
            "url": url,
            "html_url": links["html"],
            "diff_url": f"{links['html']}.diff",
            "patch_url": f"{links['html']}.patch",
            "issue_url": links["issue"],
            "commits_url": links["commits"],
            "review_comments_url": links["review_comments"],
            "review_comment_url": links["review_comment"],
            "comments_url": links["comments"],
            "statuses_url": links["statuses"],
            "draft": pull.draft,
            "merged_at": pull.merged_at or None,
            "merge_commit_sha": pull.merge_commit or None,
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._side(pull.head_ref, pull.head),
            "base": self._side(pull.base_ref, pull.base),
            "_links": {name: {"href": target} for name, target in links.items()},
            "auto_merge": None,
            **(self._whole(issue, pull) if whole else {}),
        }

    def _common(self, issue: IssueRecord) -> Document:
        return {
            "id": issue.id,
            "node_id": node("I", issue.id),
            "number": issue.number,
            "state": issue.state,
            "locked": False,
            "active_lock_reason": None,
            "title": issue.title,
            "body": issue.body or None,
            "user": self._shapes.user(issue.author),
            "labels": [self._shapes.label(self._repository, name) for name in issue.labels],
            "assignee": self._shapes.maybe_user(issue.assignees[0]) if issue.assignees else None,
            "assignees": [self._shapes.user(login) for login in issue.assignees],
            "milestone": None,
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "closed_at": issue.closed_at or None,
            "author_association": self.association(issue.author),
        }

    def _whole(self, issue: IssueRecord, pull: Pull) -> Document:
        files = self._git.files(pull.base, pull.head)
        state = {True: "clean", False: "dirty", None: "unknown"}[pull.mergeable]
        return {
            "merged": bool(pull.merged_at),
            "mergeable": None if pull.merged_at else pull.mergeable,
            "rebaseable": None if pull.merged_at else pull.mergeable,
            "mergeable_state": "unknown" if pull.merged_at else "draft" if pull.draft else state,
            "merged_by": self._shapes.maybe_user(pull.merged_by),
            "comments": len(issue.comments),
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": len(self._git.commits(pull.base, pull.head)),
            "additions": sum(file.additions for file in files),
            "deletions": sum(file.deletions for file in files),
            "changed_files": len(files),
        }

    def _side(self, ref: str, sha: str) -> Document:
        return {
            "label": f"{self._repository.owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self._shapes.user(self._repository.owner),
            "repo": self._shapes.repository(self._repository),
        }

    def _pull_link(self, issue: IssueRecord, pull: Pull) -> Document:
        page = self.page(issue)
        return {
            "url": self._shapes.api(self._repository, f"/pulls/{issue.number}"),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": pull.merged_at or None,
        }

    def comment(self, issue: IssueRecord, comment: CommentRecord) -> Document:
        """A comment."""
        url = self._shapes.api(self._repository, f"/issues/comments/{comment.id}")
        counts = {name: sum(r.content == name for r in comment.reactions) for name in _REACTIONS}
        return {
            "id": comment.id,
            "node_id": node("IC", comment.id),
            "url": url,
            "html_url": f"{self.page(issue)}#issuecomment-{comment.id}",
            "issue_url": self._shapes.api(self._repository, f"/issues/{issue.number}"),
            "body": comment.body,
            "user": self._shapes.user(comment.author),
            "created_at": comment.created_at,
            "updated_at": comment.updated_at,
            "author_association": self.association(comment.author),
            "performed_via_github_app": self._shapes.app(comment.app),
            "reactions": {"url": f"{url}/reactions", "total_count": len(comment.reactions), **counts},
        }

    def review(self, issue: IssueRecord, review: ReviewRecord) -> Document:
        """A review."""
        pull = self._shapes.api(self._repository, f"/pulls/{issue.number}")
        page = f"{self.page(issue)}#pullrequestreview-{review.id}"
        return {
            "id": review.id,
            "node_id": node("PRR", review.id),
            "user": self._shapes.user(review.author),
            "body": review.body,
            "state": review.state,
            "html_url": page,
            "pull_request_url": pull,
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
            "submitted_at": review.submitted_at,
            "commit_id": review.commit,
            "author_association": self.association(review.author),
        }

    def event(self, event: TimelineEvent) -> Document:
        """An event in the form of the list of events."""
        commit = event.commit or None
        return {
            "id": event.id,
            "node_id": node("E", event.id),
            "url": self._shapes.api(self._repository, f"/issues/events/{event.id}"),
            "actor": self._shapes.user(event.actor),
            "event": event.kind,
            "commit_id": commit,
            "commit_url": self._shapes.api(self._repository, f"/commits/{commit}") if commit else None,
            "created_at": event.at,
            "performed_via_github_app": self._shapes.app(event.app),
            **self._detail(event),
        }

    def _detail(self, event: TimelineEvent) -> Document:
        people = {"assignee", "assigner"}
        return {
            key: self._shapes.user(value) if key in people else value for key, value in event.detail.items()
        }

    def committed(self, sha: str) -> Document:
        """A commit of a pull request, as the timeline tells it."""
        commit = self._git.commit(sha)
        html = self._shapes.html(self._repository, f"/commit/{sha}")
        return {
            "event": "committed",
            **self._git_commit(commit),
            "html_url": html,
            "parents": self._parents(commit),
        }

    def _git_commit(self, commit: GitCommit) -> Document:
        git = self._shapes.api(self._repository, "/git")
        unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None}
        return {
            "sha": commit.sha,
            "node_id": f"C_{commit.sha[:12]}",
            "url": f"{git}/commits/{commit.sha}",
            "author": _person(commit.author),
            "committer": _person(commit.committer),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{git}/trees/{commit.tree}"},
            "verification": {**unsigned, "verified_at": None},
        }

    def _parents(self, commit: GitCommit) -> list[Document]:
        return [
            {
                "sha": parent,
                "url": self._shapes.api(self._repository, f"/commits/{parent}"),
                "html_url": self._shapes.html(self._repository, f"/commit/{parent}"),
            }
            for parent in commit.parents
        ]

    def commit(self, sha: str) -> Document:
        """A commit."""
        commit = self._git.commit(sha)
        inner = self._git_commit(commit)
        api = self._shapes.api(self._repository, f"/commits/{sha}")
        return {
            "sha": sha,
            "node_id": inner.pop("node_id"),
            "url": api,
            "html_url": self._shapes.html(self._repository, f"/commit/{sha}"),
            "comments_url": f"{api}/comments",
            "commit": {**inner, "comment_count": 0},
            "author": self._shapes.user_of(commit.author),
            "committer": self._shapes.user_of(commit.committer),
            "parents": self._parents(commit),
        }

    def simple_commit(self, sha: str) -> Document:
        """A commit in brief."""
        commit = self._git.commit(sha)
        who, by = _person(commit.author), _person(commit.committer)
        return {
            "id": sha,
            "tree_id": commit.tree,
            "message": commit.message,
            "timestamp": by.pop("date"),
            "author": {key: who[key] for key in ("name", "email")},
            "committer": by,
        }


def _person(person: Person) -> Document:
    return {"name": person.name, "email": person.email, "date": person.date}
