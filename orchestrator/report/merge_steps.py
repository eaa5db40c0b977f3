"""The "On merge" section of a plan comment: what is applied where, and what each environment requires."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orchestrator.report.comment import SHORT_COMMIT, format_duration
from orchestrator.report.escape import code, text
from orchestrator.report.fitting import fit_items
from orchestrator.report.plan_verdict import is_refused, select_changing
from orchestrator.report.review import EnvironmentRules, PlanReview
from orchestrator.report.words import join_words, plural

HEADING = "#### On merge"
UNPROTECTED = "This plan is what to expect."
PROTECTED = "Plans that equal the approved ones are applied; a comment here names those that differ."
# A numbered sentence of the list, up to what is needed before the environment is applied.
_STEP = re.compile(r"(\d+)\. (\*\*.*?\*\*): [\d,]+ stacks? (?:is|are) applied")

_POLICY_NOTE = re.compile(r"\A\n\*\*The policy changed\*\* [^\n]*\n")


def render_merge_steps(review: PlanReview, room: int) -> Iterator[str]:
    """Sentences in promotion order, then what holds for all of them; nothing where nothing changes."""
    changes = {environment.name: 0 for environment in review.environments}
    refused = [stack for stack in review.stacks if is_refused(stack)]
    for stack in select_changing(review):
        if not is_refused(stack):
            changes[stack.environment] = changes.get(stack.environment, 0) + 1
    if not (any(changes.values()) or refused):
        return
    yield HEADING
    if refused:
        names = fit_items([f"- {code(stack.id)}" for stack in refused], room)
        yield "\n".join(["Nothing is applied to these as long as they are refused:", "", *names])
    if not any(changes.values()):
        return
    environments = [environment for environment in review.environments if changes[environment.name]]
    steps = [
        f"{number}. {_step(review, rules, changes[rules.name])}"
        f"{_following(rules, last=rules is environments[-1])}"
        for number, rules in enumerate(environments, 1)
    ]
    yield "\n".join(fit_items(steps, room))
    yield f"Each stack is planned again on {code(review.trunk)} then. {_compared(environments)}"


def _compared(environments: list[EnvironmentRules]) -> str:
    return PROTECTED if any(environment.protected for environment in environments) else UNPROTECTED


def _step(review: PlanReview, rules: EnvironmentRules, count: int) -> str:
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
    if rules.approved_by == "manifest":
        return " once its manifest is approved in the CI, after the merge."
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


def replace_rules(body: str, rules: Iterable[EnvironmentRules], author: str, head: str) -> str:
    """The plan comment of a pull request with other rules for some environments, all else as it is.

    `author` and `head` are the pull request's. A comment that announces nothing there stays as it is.
    """
    # The last heading is ours: the plans above it show what others wrote.
    before, heading, rest = body.replace("\r\n", "\n").rpartition(f"\n{HEADING}\n")
    lines = rest.split("\n") if heading else []
    steps = {index: match for index, line in enumerate(lines) if (match := _STEP.match(line))}
    by_name = {_bold(rule): rule for rule in rules}
    changed = {index: by_name[match[2]] for index, match in steps.items() if match[2] in by_name}
    if not changed:
        return body
    for index, environment in changed.items():
        then = _following(environment, last=index == max(steps))
        lines[index] = f"{steps[index][0]}{_condition(environment, author, head)}{then}"
    after = "\n".join(lines)
    if any(rules.protected for rules in changed.values()):
        after = after.replace(UNPROTECTED, PROTECTED, 1)
    return f"{before}{heading}{after}"


def note_policy(body: str, commit: str) -> str:
    """The plan comment of a pull request with a note that trunk's policy changed with a commit.

    A comment that announces nothing stays as it is.
    """
    before, heading, rest = body.replace("\r\n", "\n").rpartition(f"\n{HEADING}\n")
    if not heading:
        return body
    note = (
        f"**The policy changed** with {code(commit[:SHORT_COMMIT])}, after this plan. It judges the plan "
        "again before anything is applied: what it refuses is not applied."
    )
    return f"{before}{heading}\n{note}\n{_POLICY_NOTE.sub('', rest, count=1)}"


def _without(rules: EnvironmentRules) -> str:
    return {
        "gate": f"Without it, reviewers of {code(f'{rules.name}-approval')} are asked after the merge.",
        "refuse": "Without it, nothing is applied there.",
        "apply": "Without it, they are applied all the same.",
    }[rules.unapproved]


def describe_rules(rules: EnvironmentRules) -> str:
    """What an environment asks for before anything is applied to it, in one or two sentences."""
    name = _bold(rules)
    if rules.approved_by == "merge":
        return f"{name}: the merge is the approval, of a plan that was shown before it. {_without(rules)}"
    if rules.approved_by == "manifest":
        return f"{name}: a manifest of what is pending is approved in the CI, after the merge."
    who = "owners of what changed" if rules.approved_by == "codeowners" else "somebody with write access"
    return f"{name}: {who}, other than who wrote it, must approve the last commit. {_without(rules)}"


def _following(rules: EnvironmentRules, *, last: bool) -> str:
    """What stands between this environment and the next one."""
    holds = [
        plural(rules.checks, "check") if rules.checks else "",
        f"{format_duration(rules.soak)} of soaking" if rules.soak else "",
    ]
    phrase = join_words([part for part in holds if part])
    return f" Then {phrase}{'' if last else ' before the next'}." if phrase else ""
