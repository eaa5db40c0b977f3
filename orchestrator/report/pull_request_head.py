"""The top of a pull request's plan: the verdict, what is lost for good, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.report.escape import code, text
from orchestrator.report.fitting import bounded
from orchestrator.report.markdown import Alert, alert
from orchestrator.report.model import COUNT_KEYS, Result, StackReport
from orchestrator.report.pull_request_stack import finding_item
from orchestrator.report.review import Review, StackReview
from orchestrator.report.words import counts_in_words, first_line, listed, plural

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
# Of the limit: what each list at the top may take, in bytes.
SHARE = 12


def happens(review: Review, stack: StackReview) -> bool:
    """True when the merge carries a stack's plan out: not for deleted code that is only reported."""
    return stack.change != "deleted" or review.destroys_deleted


def changing(review: Review) -> tuple[StackReview, ...]:
    """The stacks whose plan changes something when it is carried out, refused or not."""
    return tuple(
        one
        for one in review.stacks
        if happens(review, one)
        and (one.report.result == "changed" or (one.report.result == "blocked" and _has_changes(one)))
    )


def is_refused(stack: StackReview) -> bool:
    """True when the guard or the policy forbids what a stack's plan does."""
    return stack.report.result == "blocked" or any(one.severity == "error" for one in stack.findings)


def total_counts(stacks: Iterable[StackReview]) -> dict[str, int]:
    """How many resources all of them create, update and so on."""
    counts = [one.report.counts for one in stacks]
    return {key: sum(one.get(key, 0) for one in counts) for key in COUNT_KEYS}


def refusals(review: Review) -> int:
    """How many findings forbid what the pull request does."""
    found = [*review.findings, *(one for stack in review.stacks for one in stack.findings)]
    return sum(one.severity == "error" for one in found)


def problems(review: Review) -> list[str]:
    """What went wrong, in a few words each; empty when all went well."""
    count = {result: sum(one.report.result == result for one in review.stacks) for result in FAILURES}
    refused = refusals(review)
    blocked = count["blocked"]
    late = len(review.unplanned) + count["unchecked"]
    told = [
        f"refused by {plural(refused, 'finding')}" if refused else "",
        f"{plural(blocked, 'stack')} blocked" if blocked and not refused else "",
        *(
            f"{plural(count[result], 'stack')} {result}"
            for result in FAILURES
            if result not in ("blocked", "unchecked") and count[result]
        ),
        f"{plural(late, 'stack')} not planned" if late else "",
    ]
    return [part for part in told if part]


def verdict(review: Review) -> str:
    """One sentence without markup: what went wrong, what changes, of how many."""
    changed = changing(review)
    total = len(review.stacks) + len(review.unplanned)
    counts = counts_in_words(total_counts(changed))
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
    deleted = sum(not happens(review, one) for one in review.stacks)
    waiting = sum(one.report.result == "waiting" for one in review.stacks)
    parts = [
        *problems(review),
        change,
        f"{plural(deleted, 'stack')} deleted in the code only" if deleted else "",
        f"{plural(waiting, 'stack')} must wait" if waiting else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"{told[0].upper()}{told[1:]}."


def destructive(review: Review, limit: int) -> Iterator[str]:
    """The alert about what is destroyed or replaced, protected environments first."""
    stacks = sorted(changing(review), key=lambda one: not _is_protected(review, one))
    yield from losses([one.report for one in stacks], "when this is applied", limit // SHARE)


def losses(reports: Sequence[StackReport], when: str, room: int) -> Iterator[str]:
    """An alert about what these stacks destroy or replace, in about `room` bytes; nothing where none goes."""
    deleted, replaced = (sum(one.counts.get(key, 0) for one in reports) for key in ("delete", "replace"))
    parts = [
        f"{plural(deleted, 'resource')} destroyed" if deleted else "",
        f"{plural(replaced, 'resource')} replaced" if replaced else "",
    ]
    if not any(parts):
        return
    items = [
        f"- {code(one.id)} {verb} {code(change['address'])}"
        for verb, alone in (("destroys", True), ("replaces", False))
        for one in reports
        for change in one.changes
        if "delete" in change["actions"] and (tuple(change["actions"]) == ("delete",)) == alone
    ]
    head = f"**{listed([part for part in parts if part])} {when}:**"
    yield alert("CAUTION", [head, "", *bounded(items, room)] if items else [head])


def troubles(review: Review, limit: int) -> Iterator[str]:
    """Stacks without a plan, findings about the whole, and those that wait."""
    failed = [
        one for one in review.stacks if one.report.result in FAILURES and one.report.result != "blocked"
    ]
    words = {"unchecked": "not planned"}
    items = [
        f"- {code(one.id)} **{words.get(one.report.result, one.report.result)}**: {_why(one)}"
        for one in failed
    ]
    items += [
        f"- {code(one)} **not planned**: the job that should have planned it did not report."
        for one in review.unplanned
    ]
    if items:
        rest = "What has no plan cannot be approved: mend it and push, or run the job again."
        listing = bounded(items, limit // SHARE)
        yield alert("WARNING", ["**Not everything could be planned:**", "", *listing, "", rest])
    found = sorted(
        (*review.findings, *(one for stack in review.stacks for one in stack.findings)),
        key=lambda one: ("error", "warning", "info").index(one.severity),
    )
    if found:
        kind, title = TITLES[found[0].severity]
        items = bounded([finding_item(one) for one in found], limit // SHARE)
        yield alert(kind, [title, "", *items])


def waiting(review: Review, limit: int) -> Iterator[str]:
    """Stacks that cannot be planned yet, and why; then what the deletion of code means."""
    waits = [one for one in review.stacks if one.report.result == "waiting"]
    if waits:
        items = [f"- {code(one.id)}: {_why(one)}" for one in waits]
        wanted = any(_is_protected(review, one) for one in waits)
        then = "; where an approval is needed, it is asked for then" if wanted else ", without an approval"
        means = (
            "There is no plan of these yet, so nothing of them is approved here. They are planned and "
            f"applied once what they wait for is there{then}."
        )
        yield "\n".join(["**Must wait:**", "", *bounded(items, limit // SHARE), "", means])
    deleted = [one for one in review.stacks if one.change == "deleted"]
    if deleted:
        means = (
            "The merge destroys what is managed there:"
            if review.destroys_deleted
            else "What is managed there is **not** destroyed; the plan to destroy it is only shown:"
        )
        items = [f"- {code(one.id)} ({_deleted_contents(one)})" for one in deleted]
        head = f"**The code of {plural(len(deleted), 'stack')} is deleted.** {means}"
        yield "\n".join([head, "", *bounded(items, limit // SHARE)])


def _deleted_contents(stack: StackReview) -> str:
    """What a deleted stack manages, as far as its plan says; one without a plan may manage anything."""
    words = counts_in_words(stack.report.counts)
    if words or stack.report.result in ("unchanged", "changed"):
        return words or "empty"
    return f"not planned: {_why(stack)}"


def _why(stack: StackReview) -> str:
    reason = first_line(stack.report.reason) or "no reason was given"
    advice = stack.report.advice if stack.report.result == "waiting" else ""
    return ". ".join(part for part in (text(reason, 300), text(advice, 300)) if part)


def _has_changes(stack: StackReview) -> bool:
    return bool(stack.report.changes or stack.report.outputs or any(stack.report.counts.values()))


def _is_protected(review: Review, stack: StackReview) -> bool:
    return any(one.protected for one in review.environments if one.name == stack.environment)
