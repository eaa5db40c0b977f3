"""Issues, pull requests, comments, reviews and what happened to them, as GitHub's API tells them."""

from __future__ import annotations

from orchestrator.sandbox.github.git import Commit, Git, Person
from orchestrator.sandbox.github.model import Comment, Event, Issue, Pull, Repository, Review
from orchestrator.sandbox.github.shapes import Document, Shapes, node

_REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")
_ASSOCIATIONS = {"admin": "OWNER", "maintain": "MEMBER", "write": "COLLABORATOR", "triage": "COLLABORATOR"}


class IssueShapes:
    """Makes documents of one repository's issues and pull requests."""

    def __init__(self, shapes: Shapes, repository: Repository, git: Git) -> None:
        self._shapes = shapes
        self._repository = repository
        self._git = git

    def association(self, login: str) -> str:
        """What somebody is to the repository, as GitHub puts it."""
        return _ASSOCIATIONS.get(self._repository.roles.get(login, ""), "NONE")

    def issue(self, one: Issue) -> Document:
        """An issue, or a pull request seen as one."""
        api = self._shapes.api(self._repository, f"/issues/{one.number}")
        return {
            **self._common(one),
            "url": api,
            "repository_url": self._shapes.api(self._repository),
            "labels_url": f"{api}/labels{{/name}}",
            "comments_url": f"{api}/comments",
            "events_url": f"{api}/events",
            "timeline_url": f"{api}/timeline",
            "html_url": self.page(one),
            "state_reason": one.state_reason or None,
            "comments": len(one.comments),
            "closed_by": self._shapes.maybe_user(one.closed_by),
            "performed_via_github_app": None,
            **({"pull_request": self._pull_link(one, one.pull)} if one.pull else {}),
        }

    def page(self, one: Issue) -> str:
        """Where people read it."""
        return self._shapes.html(self._repository, f"/{'pull' if one.pull else 'issues'}/{one.number}")

    def pull(self, one: Issue, *, whole: bool = False) -> Document:
        """A pull request; `whole` as its own address tells it, else as a list does."""
        assert one.pull  # noqa: S101 - callers looked
        pull, api = one.pull, self._shapes.api(self._repository)
        url = f"{api}/pulls/{one.number}"
        links = {
            "self": url,
            "html": self.page(one),
            "issue": f"{api}/issues/{one.number}",
            "comments": f"{api}/issues/{one.number}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{api}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": f"{api}/statuses/{pull.head}",
        }
        return {
            **self._common(one),
            "node_id": node("PR", one.id),
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
            **(self._whole(one, pull) if whole else {}),
        }

    def _common(self, one: Issue) -> Document:
        return {
            "id": one.id,
            "node_id": node("I", one.id),
            "number": one.number,
            "state": one.state,
            "locked": False,
            "active_lock_reason": None,
            "title": one.title,
            "body": one.body or None,
            "user": self._shapes.user(one.author),
            "labels": [self._shapes.label(self._repository, name) for name in one.labels],
            "assignee": self._shapes.maybe_user(one.assignees[0]) if one.assignees else None,
            "assignees": [self._shapes.user(login) for login in one.assignees],
            "milestone": None,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "closed_at": one.closed_at or None,
            "author_association": self.association(one.author),
        }

    def _whole(self, one: Issue, pull: Pull) -> Document:
        files = self._git.files(pull.base, pull.head)
        state = {True: "clean", False: "dirty", None: "unknown"}[pull.mergeable]
        return {
            "merged": bool(pull.merged_at),
            "mergeable": None if pull.merged_at else pull.mergeable,
            "rebaseable": None if pull.merged_at else pull.mergeable,
            "mergeable_state": "unknown" if pull.merged_at else "draft" if pull.draft else state,
            "merged_by": self._shapes.maybe_user(pull.merged_by),
            "comments": len(one.comments),
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

    def _pull_link(self, one: Issue, pull: Pull) -> Document:
        page = self.page(one)
        return {
            "url": self._shapes.api(self._repository, f"/pulls/{one.number}"),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": pull.merged_at or None,
        }

    def comment(self, issue: Issue, one: Comment) -> Document:
        """A comment."""
        url = self._shapes.api(self._repository, f"/issues/comments/{one.id}")
        counts = {name: sum(r.content == name for r in one.reactions) for name in _REACTIONS}
        return {
            "id": one.id,
            "node_id": node("IC", one.id),
            "url": url,
            "html_url": f"{self.page(issue)}#issuecomment-{one.id}",
            "issue_url": self._shapes.api(self._repository, f"/issues/{issue.number}"),
            "body": one.body,
            "user": self._shapes.user(one.author),
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "author_association": self.association(one.author),
            "performed_via_github_app": self._shapes.app(one.app),
            "reactions": {"url": f"{url}/reactions", "total_count": len(one.reactions), **counts},
        }

    def review(self, issue: Issue, one: Review) -> Document:
        """A review."""
        pull = self._shapes.api(self._repository, f"/pulls/{issue.number}")
        page = f"{self.page(issue)}#pullrequestreview-{one.id}"
        return {
            "id": one.id,
            "node_id": node("PRR", one.id),
            "user": self._shapes.user(one.author),
            "body": one.body,
            "state": one.state,
            "html_url": page,
            "pull_request_url": pull,
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
            "submitted_at": one.submitted_at,
            "commit_id": one.commit,
            "author_association": self.association(one.author),
        }

    def event(self, one: Event) -> Document:
        """Something that happened, as the list of events tells it."""
        commit = one.commit or None
        return {
            "id": one.id,
            "node_id": node("E", one.id),
            "url": self._shapes.api(self._repository, f"/issues/events/{one.id}"),
            "actor": self._shapes.user(one.actor),
            "event": one.kind,
            "commit_id": commit,
            "commit_url": self._shapes.api(self._repository, f"/commits/{commit}") if commit else None,
            "created_at": one.at,
            "performed_via_github_app": self._shapes.app(one.app),
            **self._detail(one),
        }

    def _detail(self, one: Event) -> Document:
        people = {"assignee", "assigner"}
        return {
            key: self._shapes.user(value) if key in people else value for key, value in one.detail.items()
        }

    def committed(self, sha: str) -> Document:
        """A commit of a pull request, as the timeline tells it."""
        one = self._git.commit(sha)
        html = self._shapes.html(self._repository, f"/commit/{sha}")
        return {
            "event": "committed",
            **self._git_commit(one),
            "html_url": html,
            "parents": self._parents(one),
        }

    def _git_commit(self, one: Commit) -> Document:
        git = self._shapes.api(self._repository, "/git")
        unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None}
        return {
            "sha": one.sha,
            "node_id": f"C_{one.sha[:12]}",
            "url": f"{git}/commits/{one.sha}",
            "author": _person(one.author),
            "committer": _person(one.committer),
            "message": one.message,
            "tree": {"sha": one.tree, "url": f"{git}/trees/{one.tree}"},
            "verification": {**unsigned, "verified_at": None},
        }

    def _parents(self, one: Commit) -> list[Document]:
        return [
            {
                "sha": parent,
                "url": self._shapes.api(self._repository, f"/commits/{parent}"),
                "html_url": self._shapes.html(self._repository, f"/commit/{parent}"),
            }
            for parent in one.parents
        ]

    def commit(self, sha: str) -> Document:
        """A commit."""
        one = self._git.commit(sha)
        inner = self._git_commit(one)
        api = self._shapes.api(self._repository, f"/commits/{sha}")
        return {
            "sha": sha,
            "node_id": inner.pop("node_id"),
            "url": api,
            "html_url": self._shapes.html(self._repository, f"/commit/{sha}"),
            "comments_url": f"{api}/comments",
            "commit": {**inner, "comment_count": 0},
            "author": self._shapes.user_of(one.author),
            "committer": self._shapes.user_of(one.committer),
            "parents": self._parents(one),
        }

    def simple_commit(self, sha: str) -> Document:
        """A commit in brief."""
        one = self._git.commit(sha)
        who, by = _person(one.author), _person(one.committer)
        return {
            "id": sha,
            "tree_id": one.tree,
            "message": one.message,
            "timestamp": by.pop("date"),
            "author": {key: who[key] for key in ("name", "email")},
            "committer": by,
        }


def _person(one: Person) -> Document:
    return {"name": one.name, "email": one.email, "date": one.date}
