"""What a merge does, environment by environment, and what it wants before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orchestrator.report.escape import code, text
from orchestrator.report.fitting import bounded
from orchestrator.report.pull_request_head import changing, is_refused
from orchestrator.report.review import EnvironmentRules, Review
from orchestrator.report.words import listed, plural

SHORT_COMMIT = 12
HEADING = "#### On merge"
UNPROTECTED = "This plan is what to expect."
PROTECTED = "What equals an approved plan is applied; what differs is not, and is told here."
# A numbered sentence of the list, up to what is needed before the environment is applied.
_STEP = re.compile(r"(\d+)\. (\*\*.*?\*\*): [\d,]+ stacks? (?:is|are) applied")


def on_merge(review: Review, room: int) -> Iterator[str]:
    """Sentences in promotion order, then what holds for all of them; nothing where nothing changes."""
    changes = {one.name: 0 for one in review.environments}
    refused = [one for one in review.stacks if is_refused(one)]
    for stack in changing(review):
        if not is_refused(stack):
            changes[stack.environment] = changes.get(stack.environment, 0) + 1
    if not (any(changes.values()) or refused):
        return
    yield HEADING
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
    return PROTECTED if any(one.protected for one in environments) else UNPROTECTED


def _step(review: Review, rules: EnvironmentRules, count: int) -> str:
    head = f"{_bold(rules)}: {plural(count, 'stack')} {'is' if count == 1 else 'are'} applied"
    return f"{head}{_condition(rules, review.author, review.head)}"


def _bold(rules: EnvironmentRules) -> str:
    return f"**{text(rules.name)}**"


def _condition(rules: EnvironmentRules, author: str, head: str) -> str:
    """What is needed before a pull request of `author` is applied, as the rest of the sentence."""
    if not rules.protected:
        return " without an approval."
    if rules.approved_by == "merge":
        return "; the merge is the approval."
    author = f", other than {text(author)}," if author else ""
    who = (
        "owners of what changed, by CODEOWNERS"
        if rules.approved_by == "codeowners"
        else "somebody with write access"
    )
    approve = "approve" if rules.approved_by == "codeowners" else "approves"
    return (
        f" if {who}{author} {approve} commit {code(head[:SHORT_COMMIT])} after this plan. {_without(rules)}"
    )


def with_rules(body: str, rules: Iterable[EnvironmentRules], author: str, head: str) -> str:
    """The plan comment of a pull request with other rules for some environments, all else as it is.

    `author` and `head` are the pull request's. A comment that announces nothing there stays as it is.
    """
    # The last heading is ours: the plans above it show what others wrote.
    before, heading, rest = body.replace("\r\n", "\n").rpartition(f"\n{HEADING}\n")
    lines = rest.split("\n") if heading else []
    steps = {index: match for index, line in enumerate(lines) if (match := _STEP.match(line))}
    by_name = {_bold(one): one for one in rules}
    changed = {index: by_name[match[2]] for index, match in steps.items() if match[2] in by_name}
    if not changed:
        return body
    for index, one in changed.items():
        then = _then(one, last=index == max(steps))
        lines[index] = f"{steps[index][0]}{_condition(one, author, head)}{then}"
    after = "\n".join(lines)
    if any(one.protected for one in changed.values()):
        after = after.replace(UNPROTECTED, PROTECTED, 1)
    return f"{before}{heading}{after}"


def _without(rules: EnvironmentRules) -> str:
    return {
        "gate": f"Without it, reviewers of {code(f'{rules.name}-approval')} are asked after the merge.",
        "refuse": "Without it, nothing is applied there.",
        "apply": "Without it, they are applied all the same.",
    }[rules.unapproved]


def rules_in_words(rules: EnvironmentRules) -> str:
    """What an environment asks for before anything is applied to it, in one or two sentences."""
    name = _bold(rules)
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
