"""What happened to an issue or a pull request, in order, for people."""

from __future__ import annotations

from orchestrator.sandbox.github.html import Html, el
from orchestrator.sandbox.github.markdown import render
from orchestrator.sandbox.github.model import Comment, Deployment, Event, Issue, Review
from orchestrator.sandbox.github.place import Place

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


def told(place: Place, issue: Issue, home: str) -> list[Html]:
    """Each thing that happened, oldest first."""
    # Ids tell the order within a second.
    found = [((one.created_at, one.id), _comment(one, home)) for one in issue.comments]
    found += [((one.submitted_at, one.id), _review(one, home)) for one in issue.reviews]
    merged = any(one.kind == "merged" for one in issue.events)
    # A merge closes, which goes without saying.
    events = [one for one in issue.events if not (merged and one.kind == "closed")]
    found += [((one.at, one.id), _event(one)) for one in events]
    if issue.pull:
        pull = issue.pull
        ours = {pull.head, pull.merge_commit, *pull.landed}
        found += [
            ((one.created_at, one.id), _deployment(one))
            for one in place.repository.deployments
            if one.commit in ours
        ]
        # A commit's own time says when it was made, not when it came: those that came later show as pushes.
        commits = place.git.commits(pull.base, pull.head)
        found += [((issue.created_at, at), _commit(place, sha)) for at, sha in enumerate(commits)]
    return [shown for _, shown in sorted(found, key=lambda one: one[0])]


def who(login: str) -> Html:
    """Somebody, as a link; bots are told as such."""
    name = login.removesuffix("[bot]")
    link = el("a", el("strong", name), href=f"/{name}")
    return link if name == login else el("span", link, " ", el("span", "bot", class_="label"))


def when(at: str) -> Html:
    """A time."""
    return el("time", f"{at[:10]} {at[11:16]} UTC", datetime=at)


def _comment(one: Comment, home: str) -> Html:
    edited = " · edited" if one.updated_at != one.created_at else ""
    header = el("header", who(one.author), " commented · ", when(one.created_at), edited)
    counts = {emoji: sum(r.content == name for r in one.reactions) for name, emoji in _EMOJI.items()}
    reactions = [el("span", f"{emoji} {count}") for emoji, count in counts.items() if count]
    rows = [el("div", *reactions, class_="row reactions")] if reactions else []
    body = el("div", render(one.body, home), class_="markdown")
    return el("article", header, body, *rows, class_="box comment", id=f"issuecomment-{one.id}")


def _review(one: Review, home: str) -> Html:
    kind, text = _REVIEWS[one.state]
    line = [el("span", "●", class_=f"mark {kind}"), who(one.author), f" {text} at "]
    line += [el("code", one.commit[:7]), Html(" · "), when(one.submitted_at)]
    body = [el("div", render(one.body, home), class_="markdown")] if one.body else []
    header = el("header", *line)
    return el("article", header, *body, class_="box review", id=f"pullrequestreview-{one.id}")


def _event(one: Event) -> Html:
    kind, text = _EVENTS.get(one.kind, ("neutral", one.kind.replace("_", " ")))
    line: list[str] = [who(one.actor), " "]
    if one.kind in ("labeled", "unlabeled"):
        verb = "added" if one.kind == "labeled" else "removed"
        line += [f"{verb} the label ", el("span", one.detail["label"]["name"], class_="label")]
    elif one.kind == "renamed":
        line += ["changed the title to ", el("strong", one.detail["rename"]["to"])]
    elif one.kind in ("assigned", "unassigned"):
        line += [one.kind, " ", who(one.detail["assignee"])]
    elif one.kind == "closed" and one.detail.get("state_reason"):
        line.append(f"closed this as {str(one.detail['state_reason']).replace('_', ' ')}")
    else:
        line += [text, el("code", one.commit[:7])] if one.commit else [text]
    return el("div", *line, " · ", when(one.at), class_=f"event strong {kind}")


def _commit(place: Place, sha: str) -> Html:
    one = place.git.commit(sha)
    title = one.message.partition("\n")[0]
    return el("div", el("code", sha[:7]), " ", el("strong", title), f" · {one.author.name}", class_="event")


def _deployment(one: Deployment) -> Html:
    last = one.statuses[-1] if one.statuses else None
    state = last.state if last else "queued"
    line = [who(one.creator), " deployed ", el("code", one.commit[:7]), " to ", el("strong", one.environment)]
    line += [": ", el("span", state.replace("_", " "), class_=f"mark {_STATES.get(state, 'pending')}")]
    if last and last.description:
        line.append(last.description)
    return el(
        "div", *line, " · ", when(one.created_at), class_="event strong " + _STATES.get(state, "pending")
    )
