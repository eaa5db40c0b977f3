"""The plans of a pull request as a comment, as a step summary, and as a check for each environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

from orchestrator.report import markers
from orchestrator.report.comment import (
    LEGEND,
    LIMIT,
    RESULTS,
    SHARE,
    SHORT_COMMIT,
    CommentContent,
    describe_result,
    keep_on_one_line,
)
from orchestrator.report.diff import strip_preamble
from orchestrator.report.escape import cell, cell_code, code, folded, html_code, link, shortened, text
from orchestrator.report.fitting import DocumentPart, fit_items
from orchestrator.report.hook_reports import render_reports
from orchestrator.report.markdown import alert, row
from orchestrator.report.merge_steps import render_merge_steps
from orchestrator.report.model import ORDER_OF_ATTENTION, sum_by_environment
from orchestrator.report.plan_verdict import (
    FAILURES,
    is_applied_on_merge,
    is_refused,
    render_destructive,
    render_problems,
    render_verdict,
    render_waiting,
    select_changing,
    sum_counts,
)
from orchestrator.report.review import PlanReview, StackReview
from orchestrator.report.stack_details import OPEN_LINES, has_details, render_stack
from orchestrator.report.words import first_line, format_cost, format_counts, plural

# Diffs that stand open have at most so many lines together.
ALL_OPEN_LINES = 3 * OPEN_LINES
_OUTDATED = "<!-- infra:outdated -->"
_END_OUTDATED = "<!-- infra:end -->"
Conclusion = Literal["success", "failure", "action_required"]
SUMMARY_LIMIT = 1_048_576
CHECK_LIMIT = 65_535


def render_comment(review: PlanReview, *, limit: int = LIMIT) -> str:
    """The comment: at most `limit` bytes of Markdown, its first line the marker that it is found by."""
    return "\n".join([markers.PLAN, markers.head_line(review.head), "", _render_body(review, limit - 120)])


def _render_body(review: PlanReview, limit: int) -> str:
    """The plans as Markdown of at most `limit` bytes."""
    top = [
        f"**{render_verdict(review)}**",
        *render_destructive(review, limit),
        *render_problems(review, limit),
        *_render_costs(review),
    ]
    bottom = [
        *render_waiting(review, limit),
        _render_unchanged(review, limit // SHARE),
        *_render_owners(review, limit // SHARE),
        *render_merge_steps(review, limit // SHARE),
    ]
    bottom += [*_render_notes(review, limit), _footer(review)]
    rows, blocks = tuple(_render_rows(review)), (*_blocks(review, limit), *render_reports(review.reports))
    return CommentContent(top, rows, blocks, bottom, review.url).render(limit)


def _render_costs(review: PlanReview) -> Iterator[str]:
    """What the merge changes of each environment's monthly cost, where that is estimated."""
    costs = sum_by_environment(stack.report for stack in review.stacks if is_applied_on_merge(review, stack))
    if costs:
        words = (
            f"{text(name)} {format_cost(cost)}{f': {text(cost.problem, 300)}' if cost.problem else ''}"
            for name, cost in costs.items()
        )
        yield f"**Monthly cost:** {'; '.join(words)}."


def mark_outdated(existing: str, head: str) -> str:
    """The comment of an earlier head, marked as that while the plan of `head` is being made.

    Doing it again changes nothing but the head that is named. A comment that is not a plan stays as it is.
    """
    if not markers.is_marked(existing, markers.PLAN):
        return existing
    existing = existing.replace("\r\n", "\n")
    before, notice, rest = existing.partition(_OUTDATED + "\n")
    if notice:
        rest = rest.partition(_END_OUTDATED + "\n\n")[2]
    else:
        first, second, *remainder = existing.split("\n", 2)
        before, rest = f"{first}\n{second}\n\n", "".join(remainder).lstrip("\n")
    old = markers.parse_head(existing)
    words = alert(
        "IMPORTANT",
        [
            f"**Outdated:** this is the plan of {code(old[:SHORT_COMMIT]) if old else 'an earlier head'}. "
            f"The plan of {code(head[:SHORT_COMMIT])} is on its way."
        ],
    )
    return f"{before}{_OUTDATED}\n{words}\n{_END_OUTDATED}\n\n{rest}"


def render_empty_comment(review: PlanReview) -> str:
    """The comment when the pull request no longer affects any stack."""
    parts = [
        "**No stack is affected: nothing is planned, and the merge applies nothing.**",
        *_render_notes(review, LIMIT),
        _footer(review),
    ]
    return "\n".join([markers.PLAN, markers.head_line(review.head), "", "\n\n".join(parts)]) + "\n"


def _render_notes(review: PlanReview, limit: int) -> Iterator[str]:
    """The warning about overdue drift checks, and the notes."""
    if review.heartbeat:
        yield alert("WARNING", [text(review.heartbeat)])
    if review.notes:
        yield "\n".join(fit_items([f"- {text(note)}" for note in review.notes], limit // SHARE))


def _blocks(review: PlanReview, limit: int) -> Iterator[DocumentPart]:
    """Each stack's details, failures first; short ones stand open while there are few."""
    all_open_lines = ALL_OPEN_LINES
    first_with_diff: dict[str, str] = {}
    stacks = [stack for stack in _sort_stacks(review) if has_details(stack)]
    small = _that_may_fit(stacks, limit)
    for stack in sorted(stacks, key=lambda stack: stack.report.result not in FAILURES):
        same_as = first_with_diff.setdefault(stack.report.diff, stack.id) if stack.report.diff else stack.id
        same_as = "" if same_as == stack.id else same_as
        part = render_stack(
            stack, limit, open_lines=all_open_lines, same_as=same_as, may_fit=stack.id in small
        )
        all_open_lines -= part.lines if part.lines <= OPEN_LINES else 0
        yield part


def _that_may_fit(stacks: Iterable[StackReview], limit: int) -> set[str]:
    """The stacks whose diffs may fit. The biggest are cut first, so they need not be rendered."""
    ids: set[str] = set()
    lengths = sorted((len(strip_preamble(stack.report.diff)), stack.id) for stack in stacks)
    for length, id_ in lengths:
        limit -= length
        if limit < 0:
            break
        ids.add(id_)
    return ids


def _footer(review: PlanReview) -> str:
    """The last line: which commit was planned, in which run."""
    planned = f"Planned {code(review.head[:SHORT_COMMIT])}"
    if review.commit != review.head:
        planned += f" merged with {code(review.trunk)} at {code(review.base[:SHORT_COMMIT])}"
    run = link("run", review.url) if review.url else ""
    legend = LEGEND if any(stack.report.diff for stack in review.stacks) else ""
    return f"<sub>{' · '.join(part for part in (planned, legend, run) if part)}</sub>"


def _sort_stacks(review: PlanReview) -> list[StackReview]:
    """The stacks by environment in promotion order, and by need for attention."""
    environments = [environment.name for environment in review.environments]

    def key(stack: StackReview) -> tuple[int, str, int, bool, str]:
        is_listed = stack.environment in environments
        return (
            environments.index(stack.environment) if is_listed else len(environments),
            stack.environment,
            ORDER_OF_ATTENTION.index(stack.report.result),
            not stack.report.is_destructive,
            stack.id,
        )

    return sorted(review.stacks, key=key)


def _render_rows(review: PlanReview) -> Iterator[str]:
    """The rows of the table: a sum for each of several environments, then its stacks with changes."""
    stacks = [stack for stack in _sort_stacks(review) if not _rests(stack)]
    unplanned = {id_: review.environment_of(id_) for id_ in review.unplanned}
    environments = list(
        dict.fromkeys([*(stack.environment for stack in stacks), *sorted(unplanned.values())])
    )
    changing = select_changing(review)
    for name in environments:
        members = [stack for stack in stacks if stack.environment == name]
        if len(environments) > 1:
            yield row(
                (
                    f"**{cell(name)}**",
                    "",
                    format_counts(sum_counts([stack for stack in changing if stack.environment == name])),
                )
            )
        for stack in members:
            yield row(
                (
                    cell_code(stack.id),
                    keep_on_one_line(_describe_stack_result(review, stack)),
                    _changes(stack),
                )
            )
        for id_ in sorted(id_ for id_, environment in unplanned.items() if environment == name):
            yield row((cell_code(id_), keep_on_one_line("✗ not planned"), "its job did not report"))


def _describe_stack_result(review: PlanReview, stack: StackReview) -> str:
    """A stack's result in words with a sign, so that nothing depends on colour."""
    report = stack.report
    if report.result == "changed" and not is_applied_on_merge(review, stack):
        return "○ only reported"
    if report.result == "changed" and is_refused(stack):
        return RESULTS["blocked"]
    return describe_result(report)


def _render_unchanged(review: PlanReview, room: int) -> str:
    """The stacks at rest, folded into one line; empty when there are none."""
    ids = [stack.id for stack in _sort_stacks(review) if _rests(stack)]
    if not ids:
        return ""
    names: list[str] = []
    remaining = room
    for id_ in ids:
        name = html_code(id_)
        remaining -= len(name.encode()) + 2
        if remaining < 0:
            names.append(f"and {len(ids) - len(names):,} more")
            break
        names.append(name)
    verb = "does" if len(ids) == 1 else "do"
    head = f"= {plural(len(ids), 'stack')} {verb} not change"
    return f"<details><summary>{head}</summary>\n\n<p>{', '.join(names)}</p>\n\n</details>"


def _render_owners(review: PlanReview, room: int) -> Iterator[str]:
    """Who owns the stacks that change, folded into one line; in code, so that nobody is notified."""
    stacks: dict[tuple[str, ...], list[str]] = {}
    for stack in select_changing(review):
        if stack.id in review.owners:
            stacks.setdefault(review.owners[stack.id], []).append(stack.id)
    if not stacks:
        return
    items = [
        f"- {' '.join(map(code, owners)) or 'nobody'}: {', '.join(map(code, ids))}"
        for owners, ids in sorted(stacks.items())
    ]
    body = "\n".join(fit_items(items, room))
    yield f"<details><summary>Owners of what changes</summary>\n\n{body}\n\n</details>"


def _rests(stack: StackReview) -> bool:
    """True when a stack is unchanged and its plan is not provisional."""
    return stack.report.result == "unchanged" and not stack.provisional


def _changes(stack: StackReview) -> str:
    """The last cell of a stack's row."""
    report = stack.report
    outputs = ", ".join(cell_code(output, 60) for output in report.outputs[:3])
    parts = [format_counts(report.counts) or outputs]
    if report.cost:
        parts.append(f"{format_cost(report.cost)} per month" if report.cost.currency else "cost not known")
    if report.result != "changed" and not parts[0]:
        parts.append(cell(first_line(report.reason), 120))
    if stack.provisional:
        upstreams = ", ".join(cell_code(stack_id, 100) for stack_id in stack.provisional[:2])
        parts.append(f"may still change when {upstreams} is applied")
    if stack.drift:
        parts.append(f"{len(stack.drift):,} changed outside of Terraform")
    if stack.findings:
        parts.append(plural(len(stack.findings), "finding"))
    return "; ".join(part for part in parts if part)


class CheckOutput(NamedTuple):
    """What a check shows. `title` is plain text, the rest Markdown of at most 65,535 bytes each."""

    conclusion: Conclusion
    title: str
    summary: str
    text: str


def render_step_summary(review: PlanReview, limit: int = SUMMARY_LIMIT) -> str:
    """The whole text for the step summary, at most `limit` bytes: what the comment had to cut is here."""
    head = f"## Plan of pull request {review.pull_request}: {text(review.title)}"
    if not review.pull_request:
        head = "## Plan"
    return f"{head}\n\n{_render_body(review, limit - len(head.encode()) - 2)}"


def select_environment(review: PlanReview, environment: str) -> PlanReview:
    """The part of a review that is about one environment."""
    return replace(
        review,
        environments=tuple(rules for rules in review.environments if rules.name == environment),
        stacks=tuple(stack for stack in review.stacks if stack.environment == environment),
        unplanned=tuple(id_ for id_ in review.unplanned if review.environment_of(id_) == environment),
    )


def render_check(review: PlanReview, environment: str, *, review_again: bool = False) -> CheckOutput:
    """The check of one environment.

    It fails when a stack there has no plan, or when a rule forbids something. `review_again` says that an
    approval is void, since the plan is another than the one that was approved.
    """
    part = select_environment(review, environment)
    again = "Review again: the plan is not the one that was approved. " if review_again else ""
    failed = part.unplanned or any(
        stack.report.result in FAILURES or is_refused(stack) for stack in part.stacks
    )
    refused = any(finding.severity == "error" for finding in part.findings)
    conclusion: Conclusion = "success"
    if failed or refused:
        conclusion = "failure"
    elif review_again:
        conclusion = "action_required"
    title = shortened(folded(again + render_verdict(part)), 200)
    whole = _render_body(part, CHECK_LIMIT)
    return CheckOutput(conclusion, title, f"**{again}{render_verdict(part)}**", whole)
