"""The top of a plan comment: the verdict, destructive changes, and problems that need attention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.report.comment import SHARE, render_losses
from orchestrator.report.escape import code, text
from orchestrator.report.fitting import fit_items
from orchestrator.report.markdown import Alert, alert
from orchestrator.report.model import COUNT_KEYS, Result
from orchestrator.report.review import PlanReview, StackReview
from orchestrator.report.stack_details import render_finding_item
from orchestrator.report.words import first_line, format_counts, plural

FAILURES: tuple[Result, ...] = (
    "failed",
    "mismatch",
    "interrupted",
    "locked",
    "unchecked",
    "aborted",
    "blocked",
)
# How findings are shown whose worst is of a severity.
TITLES: Mapping[str, tuple[Alert, str]] = {
    "error": ("CAUTION", "**Refused by the rules of the base:**"),
    "warning": ("WARNING", "**The rules warn:**"),
    "info": ("NOTE", "**Notes of the rules:**"),
}


def is_applied_on_merge(review: PlanReview, stack: StackReview) -> bool:
    """True when the merge applies a stack's plan; false for deleted code that is only reported."""
    return stack.change != "deleted" or review.destroys_deleted


def select_changing(review: PlanReview) -> tuple[StackReview, ...]:
    """The stacks whose plan would change something, refused or not."""
    return tuple(
        stack
        for stack in review.stacks
        if is_applied_on_merge(review, stack)
        and (stack.report.result == "changed" or (stack.report.result == "blocked" and _has_changes(stack)))
    )


def is_refused(stack: StackReview) -> bool:
    """True when the guard or the policy forbids what a stack's plan does."""
    return stack.report.result == "blocked" or any(finding.severity == "error" for finding in stack.findings)


def sum_counts(stacks: Iterable[StackReview]) -> dict[str, int]:
    """How many resources all of them create, update and so on."""
    counts = [stack.report.counts for stack in stacks]
    return {key: sum(count.get(key, 0) for count in counts) for key in COUNT_KEYS}


def _count_refusals(review: PlanReview) -> int:
    """How many findings forbid what the pull request does."""
    findings = [*review.findings, *(finding for stack in review.stacks for finding in stack.findings)]
    return sum(finding.severity == "error" for finding in findings)


def _list_problems(review: PlanReview) -> list[str]:
    """The problems, a few words each."""
    count = {result: sum(stack.report.result == result for stack in review.stacks) for result in FAILURES}
    refused = _count_refusals(review)
    blocked = count["blocked"]
    late = len(review.unplanned) + count["unchecked"]
    phrases = [
        f"refused by {plural(refused, 'finding')}" if refused else "",
        f"{plural(blocked, 'stack')} blocked" if blocked and not refused else "",
        *(
            f"{plural(count[result], 'stack')} {result}"
            for result in FAILURES
            if result not in ("blocked", "unchecked") and count[result]
        ),
        f"{plural(late, 'stack')} not planned" if late else "",
    ]
    return [part for part in phrases if part]


def render_verdict(review: PlanReview) -> str:
    """One sentence without markup: the problems, and how many stacks change."""
    changed = select_changing(review)
    total = len(review.stacks) + len(review.unplanned)
    counts = format_counts(sum_counts(changed))
    if changed:
        verb = "changes" if len(changed) == 1 else "change"
        of = (
            plural(total, "stack")
            if len(changed) == total
            else f"{len(changed):,} of {plural(total, 'stack')}"
        )
        change = f"{of} {verb}: {counts}" if counts else f"{of} {verb} outputs only"
    else:
        change = "nothing changes" if total else "no stack is affected"
    deleted = sum(not is_applied_on_merge(review, stack) for stack in review.stacks)
    waiting = sum(stack.report.result == "waiting" for stack in review.stacks)
    parts = [
        *_list_problems(review),
        change,
        f"{plural(deleted, 'stack')} deleted in the code only" if deleted else "",
        f"{plural(waiting, 'stack')} must wait" if waiting else "",
    ]
    sentence = "; ".join(part for part in parts if part)
    return f"{sentence[0].upper()}{sentence[1:]}."


def render_destructive(review: PlanReview, limit: int) -> Iterator[str]:
    """The alert about what is destroyed or replaced, protected environments first."""
    stacks = sorted(select_changing(review), key=lambda stack: not _is_protected(review, stack))
    yield from render_losses([stack.report for stack in stacks], "when this is applied", limit // SHARE)


def render_problems(review: PlanReview, limit: int) -> Iterator[str]:
    """Stacks without a plan, findings about the whole, and those that wait."""
    failed = [
        stack
        for stack in review.stacks
        if stack.report.result in FAILURES and stack.report.result != "blocked"
    ]
    words = {"unchecked": "not planned"}
    items = [
        f"- {code(stack.id)} **{words.get(stack.report.result, stack.report.result)}**: {_why(stack)}"
        for stack in failed
    ]
    items += [
        f"- {code(id_)} **not planned**: the job that should have planned it did not report."
        for id_ in review.unplanned
    ]
    if items:
        rest = "A stack without a plan cannot be approved: fix it and push, or run the job again."
        listing = fit_items(items, limit // SHARE)
        yield alert("WARNING", ["**Not everything could be planned:**", "", *listing, "", rest])
    findings = sorted(
        (*review.findings, *(finding for stack in review.stacks for finding in stack.findings)),
        key=lambda finding: ("error", "warning", "info").index(finding.severity),
    )
    if findings:
        kind, title = TITLES[findings[0].severity]
        items = fit_items([render_finding_item(finding) for finding in findings], limit // SHARE)
        yield alert(kind, [title, "", *items])


def render_waiting(review: PlanReview, limit: int) -> Iterator[str]:
    """Stacks that cannot be planned yet, and why; then what the deletion of code means."""
    waits = [stack for stack in review.stacks if stack.report.result == "waiting"]
    if waits:
        items = [f"- {code(wait.id)}: {_why(wait)}" for wait in waits]
        needs_approval = any(_is_protected(review, wait) for wait in waits)
        then = (
            "; if they need an approval, it is requested then" if needs_approval else ", without an approval"
        )
        means = (
            "These stacks have no plan yet, so an approval does not cover them. They are planned and applied "
            f"after the stacks that they wait for{then}."
        )
        yield "\n".join(["**Must wait:**", "", *fit_items(items, limit // SHARE), "", means])
    deleted = [stack for stack in review.stacks if stack.change == "deleted"]
    if deleted:
        means = (
            "The merge destroys what is managed there:"
            if review.destroys_deleted
            else "What is managed there is **not** destroyed; the plan to destroy it is only shown:"
        )
        items = [f"- {code(stack.id)} ({_deleted_contents(stack)})" for stack in deleted]
        head = f"**The code of {plural(len(deleted), 'stack')} is deleted.** {means}"
        yield "\n".join([head, "", *fit_items(items, limit // SHARE)])


def _deleted_contents(stack: StackReview) -> str:
    """What a deleted stack manages, as far as its plan says; one without a plan may manage anything."""
    words = format_counts(stack.report.counts)
    if words or stack.report.result in ("unchanged", "changed"):
        return words or "empty"
    return f"not planned: {_why(stack)}"


def _why(stack: StackReview) -> str:
    reason = first_line(stack.report.reason) or "no reason was given"
    advice = stack.report.advice if stack.report.result == "waiting" else ""
    return ". ".join(part for part in (text(reason, 300), text(advice, 300)) if part)


def _has_changes(stack: StackReview) -> bool:
    return bool(stack.report.changes or stack.report.outputs or any(stack.report.counts.values()))


def _is_protected(review: PlanReview, stack: StackReview) -> bool:
    return any(
        environment.protected for environment in review.environments if environment.name == stack.environment
    )
