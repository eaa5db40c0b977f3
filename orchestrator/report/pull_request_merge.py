"""What a merge does, environment by environment, and what it wants before."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.report.escape import code, text
from orchestrator.report.fitting import bounded
from orchestrator.report.pull_request_head import changing, is_refused
from orchestrator.report.review import EnvironmentRules, Review
from orchestrator.report.words import listed, plural

SHORT_COMMIT = 12


def on_merge(review: Review, room: int) -> Iterator[str]:
    """Sentences in promotion order, then what holds for all of them; nothing where nothing changes."""
    changes = {one.name: 0 for one in review.environments}
    refused = [one for one in review.stacks if is_refused(one)]
    for stack in changing(review):
        if not is_refused(stack):
            changes[stack.environment] = changes.get(stack.environment, 0) + 1
    if not (any(changes.values()) or refused):
        return
    yield "#### On merge"
    if refused:
        names = bounded([f"- {code(one.id)}" for one in refused], room)
        yield "\n".join(["Nothing is applied to these as long as they are refused:", "", *names])
    if not any(changes.values()):
        return
    wanted = [one for one in review.environments if changes[one.name]]
    steps = [
        f"{number}. {_step(review, one, changes[one.name])}{_then(one, last=one is wanted[-1])}"
        for number, one in enumerate(wanted, 1)
    ]
    yield "\n".join(bounded(steps, room))
    yield f"Each stack is planned again on {code(review.trunk)} then. {_compared(wanted)}"


def _compared(environments: list[EnvironmentRules]) -> str:
    if not any(one.protected for one in environments):
        return "This plan is what to expect."
    return "What equals an approved plan is applied; what differs is not, and is told here."


def _step(review: Review, rules: EnvironmentRules, count: int) -> str:
    head = f"**{text(rules.name)}**: {plural(count, 'stack')} {'is' if count == 1 else 'are'} applied"
    if not rules.protected:
        return f"{head} without an approval."
    if rules.approved_by == "merge":
        return f"{head}; the merge is the approval."
    author = f", other than {text(review.author)}," if review.author else ""
    who = (
        "owners of what changed, by CODEOWNERS"
        if rules.approved_by == "codeowners"
        else "somebody with write access"
    )
    approve = "approve" if rules.approved_by == "codeowners" else "approves"
    return (
        f"{head} if {who}{author} {approve} "
        f"commit {code(review.head[:SHORT_COMMIT])} after this plan. {_without(rules)}"
    )


def _without(rules: EnvironmentRules) -> str:
    return {
        "gate": f"Without it, reviewers of {code(f'{rules.name}-approval')} are asked after the merge.",
        "refuse": "Without it, nothing is applied there.",
        "apply": "Without it, they are applied all the same.",
    }[rules.unapproved]


def rules_in_words(rules: EnvironmentRules) -> str:
    """What an environment asks for before anything is applied to it, in one or two sentences."""
    name = f"**{text(rules.name)}**"
    if rules.approved_by == "merge":
        return f"{name}: the merge is the approval, of a plan that was shown before it. {_without(rules)}"
    who = "owners of what changed" if rules.approved_by == "codeowners" else "somebody with write access"
    return f"{name}: {who}, other than who wrote it, must approve the last commit. {_without(rules)}"


def _then(rules: EnvironmentRules, *, last: bool) -> str:
    """What stands between this environment and the next one."""
    holds = [
        plural(rules.checks, "check") if rules.checks else "",
        f"{minutes(rules.soak)} of soaking" if rules.soak else "",
    ]
    told = listed([part for part in holds if part])
    return f" Then {told}{'' if last else ' before the next'}." if told else ""


def minutes(seconds: float) -> str:
    """A span of time for people: `90 s`, `30 min`, `2 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h".replace(".0 ", " ")
