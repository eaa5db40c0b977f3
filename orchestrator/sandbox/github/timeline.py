"""The timeline of an issue or a pull request, as HTML."""

from __future__ import annotations

from orchestrator.sandbox.github.html import Html, el
from orchestrator.sandbox.github.markdown import render
from orchestrator.sandbox.github.model import (
    CommentRecord,
    Deployment,
    IssueRecord,
    ReviewRecord,
    TimelineEvent,
)
from orchestrator.sandbox.github.repository import RepositoryService

_EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
}
_REVIEWS = {
    "APPROVED": ("success", "approved these changes"),
    "CHANGES_REQUESTED": ("failure", "requested changes"),
    "COMMENTED": ("neutral", "reviewed"),
    "DISMISSED": ("neutral", "had a review dismissed"),
    "PENDING": ("pending", "began a review"),
}
_EVENTS = {
    "closed": ("closed", "closed this"),
    "reopened": ("open", "reopened this"),
    "merged": ("merged", "merged commit "),
    "head_ref_deleted": ("neutral", "deleted the branch"),
    "head_ref_force_pushed": ("neutral", "force-pushed the branch to "),
}
_STATES = {"success": "success", "failure": "failure", "error": "failure", "inactive": "neutral"}


def render_timeline(service: RepositoryService, issue: IssueRecord, home: str) -> list[Html]:
    """Every entry of the timeline, oldest first."""
    # Ids tell the order within a second.
    entries = [
        ((comment.created_at, comment.id), _render_comment(comment, home)) for comment in issue.comments
    ]
    entries += [((review.submitted_at, review.id), _render_review(review, home)) for review in issue.reviews]
    merged = any(event.kind == "merged" for event in issue.events)
    # A merge closes, which goes without saying.
    events = [event for event in issue.events if not (merged and event.kind == "closed")]
    entries += [((event.at, event.id), _render_event(event)) for event in events]
    if issue.pull:
        pull = issue.pull
        pull_commits = {pull.head, pull.merge_commit, *pull.landed}
        entries += [
            ((deployment.created_at, deployment.id), _render_deployment(deployment))
            for deployment in service.repository.deployments
            if deployment.commit in pull_commits
        ]
        # A commit's own time says when it was made, not when it came: those that came later show as pushes.
        commits = service.git.commits(pull.base, pull.head)
        entries += [((issue.created_at, at), _render_commit(service, sha)) for at, sha in enumerate(commits)]
    return [html for _, html in sorted(entries, key=lambda entry: entry[0])]


def render_user(login: str) -> Html:
    """A user as a link; bots are marked."""
    name = login.removesuffix("[bot]")
    link = el("a", el("strong", name), href=f"/{name}")
    return link if name == login else el("span", link, " ", el("span", "bot", class_="label"))


def render_time(at: str) -> Html:
    """A time."""
    return el("time", f"{at[:10]} {at[11:16]} UTC", datetime=at)


def _render_comment(comment: CommentRecord, home: str) -> Html:
    edited = " · edited" if comment.updated_at != comment.created_at else ""
    header = el(
        "header", render_user(comment.author), " commented · ", render_time(comment.created_at), edited
    )
    counts = {emoji: sum(r.content == name for r in comment.reactions) for name, emoji in _EMOJI.items()}
    reactions = [el("span", f"{emoji} {count}") for emoji, count in counts.items() if count]
    rows = [el("div", *reactions, class_="row reactions")] if reactions else []
    body = el("div", render(comment.body, home), class_="markdown")
    return el("article", header, body, *rows, class_="box comment", id=f"issuecomment-{comment.id}")


def _render_review(review: ReviewRecord, home: str) -> Html:
    kind, text = _REVIEWS[review.state]
    line = [el("span", "●", class_=f"mark {kind}"), render_user(review.author), f" {text} at "]
    line += [el("code", review.commit[:7]), Html(" · "), render_time(review.submitted_at)]
    body = [el("div", render(review.body, home), class_="markdown")] if review.body else []
    header = el("header", *line)
    return el("article", header, *body, class_="box review", id=f"pullrequestreview-{review.id}")


def _render_event(event: TimelineEvent) -> Html:
    kind, text = _EVENTS.get(event.kind, ("neutral", event.kind.replace("_", " ")))
    line: list[str] = [render_user(event.actor), " "]
    if event.kind in ("labeled", "unlabeled"):
        verb = "added" if event.kind == "labeled" else "removed"
        line += [f"{verb} the label ", el("span", event.detail["label"]["name"], class_="label")]
    elif event.kind == "renamed":
        line += ["changed the title to ", el("strong", event.detail["rename"]["to"])]
    elif event.kind in ("assigned", "unassigned"):
        line += [event.kind, " ", render_user(event.detail["assignee"])]
    elif event.kind == "closed" and event.detail.get("state_reason"):
        line.append(f"closed this as {str(event.detail['state_reason']).replace('_', ' ')}")
    else:
        line += [text, el("code", event.commit[:7])] if event.commit else [text]
    return el("div", *line, " · ", render_time(event.at), class_=f"event strong {kind}")


def _render_commit(service: RepositoryService, sha: str) -> Html:
    commit = service.git.commit(sha)
    title = commit.message.partition("\n")[0]
    return el(
        "div", el("code", sha[:7]), " ", el("strong", title), f" · {commit.author.name}", class_="event"
    )


def _render_deployment(deployment: Deployment) -> Html:
    last = deployment.statuses[-1] if deployment.statuses else None
    state = last.state if last else "queued"
    line = [
        render_user(deployment.creator),
        " deployed ",
        el("code", deployment.commit[:7]),
        " to ",
        el("strong", deployment.environment),
    ]
    line += [": ", el("span", state.replace("_", " "), class_=f"mark {_STATES.get(state, 'pending')}")]
    if last and last.description:
        line.append(last.description)
    return el(
        "div",
        *line,
        " · ",
        render_time(deployment.created_at),
        class_="event strong " + _STATES.get(state, "pending"),
    )
