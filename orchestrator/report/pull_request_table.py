"""The table of a plan: one row a stack, three columns, so that a phone shows it whole."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.report.escape import cell, cell_code, html_code
from orchestrator.report.markdown import row
from orchestrator.report.model import ORDER_OF_ATTENTION, StackReport
from orchestrator.report.pull_request_head import changing, happens, is_refused, total_counts
from orchestrator.report.review import Review, StackReview
from orchestrator.report.words import counts_in_words, first_line, plural

HEADER = ("Stack", "Result", "Changes")

RESULTS = {
    "failed": "✗ failed",
    "mismatch": "✗ differs",
    "blocked": "✗ refused",
    "interrupted": "✗ interrupted",
    "locked": "✗ locked",
    "unchecked": "✗ not planned",
    "aborted": "✗ not reached",
    "waiting": "… waits",
    "skipped": "↷ skipped",
    "unchanged": "= no changes",
    "applied": "✓ applied",
    "destroyed": "✓ destroyed",
}


def ordered(review: Review) -> list[StackReview]:
    """The stacks as they are shown: environments in promotion order, in each what wants attention first."""
    environments = [one.name for one in review.environments]

    def key(stack: StackReview) -> tuple[int, str, int, bool, str]:
        known = stack.environment in environments
        return (
            environments.index(stack.environment) if known else len(environments),
            stack.environment,
            ORDER_OF_ATTENTION.index(stack.report.result),
            not stack.report.is_destructive,
            stack.id,
        )

    return sorted(review.stacks, key=key)


def environment_of(review: Review, stack: str) -> str:
    """The environment that a stack's id begins with."""
    names = [one.name for one in review.environments]
    return next(
        (name for name in names if stack == name or stack.startswith(f"{name}/")), stack.split("/")[0]
    )


def rows(review: Review) -> Iterator[str]:
    """The rows: an environment with its sums where there are several, then its stacks that do not rest."""
    stacks = [one for one in ordered(review) if not _rests(one)]
    unplanned = {one: environment_of(review, one) for one in review.unplanned}
    environments = list(dict.fromkeys([*(one.environment for one in stacks), *sorted(unplanned.values())]))
    sure = changing(review)
    for name in environments:
        below = [one for one in stacks if one.environment == name]
        if len(environments) > 1:
            yield row(
                (
                    f"**{cell(name)}**",
                    "",
                    counts_in_words(total_counts([one for one in sure if one.environment == name])),
                )
            )
        for stack in below:
            yield row((cell_code(stack.id), unbroken(result_of(review, stack)), _changes(stack)))
        for id_ in sorted(one for one, environment in unplanned.items() if environment == name):
            yield row((cell_code(id_), unbroken("✗ not planned"), "its job did not report"))


def result_of(review: Review, stack: StackReview) -> str:
    """A stack's result in words with a sign, so that nothing depends on colour."""
    report = stack.report
    if report.result == "changed" and not happens(review, stack):
        return "○ only reported"
    if report.result == "changed" and is_refused(stack):
        return RESULTS["blocked"]
    return result_words(report)


def result_words(report: StackReport) -> str:
    """A result in words with a sign; a plan's says what it does at worst."""
    if report.result != "changed":
        return RESULTS[report.result]
    if report.is_destructive:
        return "⚠ destroys" if report.counts["delete"] else "⚠ replaces"
    if report.counts["update"]:
        return "~ changes"
    if report.counts["create"]:
        return "+ creates"
    return "→ state only" if any(report.counts.values()) else "~ outputs only"


def unbroken(words: str) -> str:
    """Words that stay on one line in a narrow column."""
    return words.replace(" ", "\u00a0")


def unchanged(review: Review, room: int) -> str:
    """The stacks at rest, folded into one line; empty when there are none."""
    ids = [one.id for one in ordered(review) if _rests(one)]
    if not ids:
        return ""
    names: list[str] = []
    left = room
    for id_ in ids:
        name = html_code(id_)
        left -= len(name.encode()) + 2
        if left < 0:
            names.append(f"and {len(ids) - len(names):,} more")
            break
        names.append(name)
    verb = "does" if len(ids) == 1 else "do"
    head = f"= {plural(len(ids), 'stack')} {verb} not change"
    return f"<details><summary>{head}</summary>\n\n<p>{', '.join(names)}</p>\n\n</details>"


def _rests(stack: StackReview) -> bool:
    """True when nothing happens to a stack, and nothing may because of another one."""
    return stack.report.result == "unchanged" and not stack.provisional


def _changes(stack: StackReview) -> str:
    """What is said of a stack in its row."""
    report = stack.report
    outputs = ", ".join(cell_code(one, 60) for one in report.outputs[:3])
    parts = [counts_in_words(report.counts) or outputs]
    if report.result != "changed" and not parts[0]:
        parts.append(cell(first_line(report.reason), 120))
    if stack.provisional:
        upstreams = ", ".join(cell_code(one, 100) for one in stack.provisional[:2])
        parts.append(f"may still change when {upstreams} is applied")
    if stack.drift:
        parts.append(f"{len(stack.drift):,} changed outside of Terraform")
    if stack.findings:
        parts.append(plural(len(stack.findings), "finding"))
    return "; ".join(part for part in parts if part)
