"""The result of a rollout in one environment, as a comment, a step summary and a status line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.plan.digest_comparison import DigestDifference
from orchestrator.report import markers
from orchestrator.report.comment import (
    LEGEND,
    LIMIT,
    SHARE,
    SHORT_COMMIT,
    CommentContent,
    describe_result,
    format_duration,
    keep_on_one_line,
    render_losses,
)
from orchestrator.report.escape import cell, cell_code, code, folded, link, shortened, text
from orchestrator.report.fitting import fit_items, take_fitting
from orchestrator.report.markdown import alert, row, table, value
from orchestrator.report.merge_steps import describe_rules
from orchestrator.report.model import APPLIED_RESULTS, COUNT_KEYS, Result
from orchestrator.report.plan_comment import SUMMARY_LIMIT
from orchestrator.report.review import EnvironmentRules, StackReview
from orchestrator.report.rollout import EnvironmentResult, StackResult
from orchestrator.report.stack_details import OPEN_LINES, has_details, render_finding_item, render_stack
from orchestrator.report.words import first_line, format_changes, format_counts, plural

# Of the limit: what the differences may take, in bytes.
DIFFERENCES_SHARE = 4
STATUS_LENGTH = 140
# Characters of a stack's reason in the table.
REASON, DONE_REASON = 120, 400
RESTING = ("unchanged",)
# What the list of causes may take, in bytes.
CAUSES = 4_000
TROUBLE: tuple[Result, ...] = (
    *("failed", "interrupted", "locked", "unchecked", "aborted", "mismatch", "blocked", "waiting", "skipped"),
)


def render_rollout_comment(rollout: EnvironmentResult, limit: int = LIMIT) -> str:
    """The comment on the merged pull request about one environment, at most `limit` bytes."""
    marker = markers.apply_marker(rollout.environment)
    return f"{marker}\n\n{_render_body(rollout, limit - len(marker.encode()) - 2)}"


def render_rollout_summary(rollout: EnvironmentResult, limit: int = SUMMARY_LIMIT // 4) -> str:
    """The same for the step summary; a quarter of its room, since all environments may share one."""
    return f"## {text(rollout.environment)}\n\n{_render_body(rollout, limit - 600)}"


def render_status(rollout: EnvironmentResult) -> str:
    """A commit status or deployment in at most 140 characters of plain text."""
    return shortened(folded(_render_headline(rollout)), STATUS_LENGTH)


def render_stale_notice(
    stacks: Sequence[str],
    commit: str,
    rules: Sequence[EnvironmentRules] = (),
    *,
    is_policy_changed: bool = False,
) -> str:
    """The comment on another open pull request after a merge changed its stacks, rules or policy."""
    merged = f"{code(commit[:SHORT_COMMIT])} was merged"
    parts: list[str] = []
    if stacks:
        names = fit_items([f"- {code(stack)}" for stack in stacks], LIMIT // 2)
        parts += [
            f"**The plan above is stale:** {merged}, and it changed what this pull request plans too:",
            "",
            *names,
            "",
        ]
    if rules:
        words = fit_items([f"- {describe_rules(rule)}" for rule in rules], LIMIT // 4)
        parts += [f"**The rules are stricter now:** {merged}. What holds on merge:", "", *words, ""]
    if is_policy_changed:
        parts += [
            f"**The policy changed:** {merged}. The plan above was judged by the policy before it. Plan "
            "again to see what the new one says; what it refuses is not applied, whoever approved it.",
            "",
        ]
    parts.append(
        "Update the branch, or comment `/infra plan`, to plan again. An approval of the old plan counts only "
        "as far as the new one is equal."
    )
    return f"{markers.STALE}\n\n{alert('IMPORTANT', parts)}\n"


def _render_body(rollout: EnvironmentResult, limit: int) -> str:
    """The result as Markdown of at most `limit` bytes; what does not fit is cut whole and counted."""
    undecided = [stack.report for stack in rollout.stacks if stack.report.result in ("mismatch", "blocked")]
    top = [
        _verdict(rollout),
        *render_losses(undecided, "if it is approved", limit // SHARE),
        *_render_differences(rollout, limit // DIFFERENCES_SHARE),
        *_render_refusals(rollout, limit // SHARE),
        *_render_next_steps(rollout),
    ]
    bottom = [*_checks(rollout, limit), *_promotion(rollout), *_notes(rollout, limit), _footer(rollout)]
    stacks = [stack for stack in rollout.stacks if stack.report.result not in RESTING]
    reviews = [StackReview(stack.report) for stack in stacks]
    # Why a stack was skipped, and what to do, stands above already.
    detailed = [review for review in reviews if has_details(review) and review.report.result != "skipped"]
    blocks = [render_stack(review, limit, open_lines=OPEN_LINES) for review in detailed]
    rows = [_row(rollout, stack) for stack in stacks]
    unchanged = _render_unchanged(rollout, stacks)
    return CommentContent(top, rows, blocks, bottom, rollout.url, unchanged).render(limit)


def _verdict(rollout: EnvironmentResult) -> str:
    words = f"**{text(_render_headline(rollout))}**"
    return f"{words} {text(rollout.reason)}." if rollout.reason else words


def _row(rollout: EnvironmentResult, stack: StackResult) -> str:
    report = stack.report
    changes = format_changes(report)
    if report.reason:
        # Of what was done beside the plan, such as a resumed apply, nothing is left out.
        room = DONE_REASON if report.result in ("applied", "destroyed") else REASON
        changes = "; ".join(part for part in (changes, cell(first_line(report.reason), room)) if part)
    waits = rollout.state == "gate" and report.result == "blocked"
    result = "… to approve" if waits else describe_result(report)
    return row((cell_code(stack.id), keep_on_one_line(result), changes))


def _render_unchanged(rollout: EnvironmentResult, stacks: list[StackResult]) -> str:
    """How many stacks rest, in one line."""
    count = len(rollout.stacks) - len(stacks)
    if not count:
        return ""
    return f"= {plural(count, 'stack')} already {'matches' if count == 1 else 'match'} {code(rollout.trunk)}."


def _checks(rollout: EnvironmentResult, limit: int) -> Iterator[str]:
    """The checks before the next environment, those that failed first."""
    if not rollout.checks:
        return
    items = [
        f"- {'✓' if check.ok else '✗ **failed**'} {text(check.name)}"
        f"{f': {text(check.words)}' if check.words else ''}"
        for check in sorted(rollout.checks, key=lambda check: check.ok)
    ]
    yield "\n".join(["**Checks:**", "", *fit_items(items, limit // SHARE)])


def _promotion(rollout: EnvironmentResult) -> Iterator[str]:
    """What it means for the environments that follow."""
    if not rollout.next or rollout.state == "nothing":
        return
    names = ", ".join(code(name) for name in rollout.next[:10])
    soak = f" after {format_duration(rollout.soak)} of soaking" if rollout.soak else ""
    if rollout.state == "applied":
        yield f"Next in order{soak}: {names}."
    else:
        yield f"These environments wait for it: {names}."


def _notes(rollout: EnvironmentResult, limit: int) -> Iterator[str]:
    if rollout.heartbeat:
        yield alert("WARNING", [text(rollout.heartbeat)])
    if rollout.notes:
        yield "\n".join(fit_items([f"- {text(note)}" for note in rollout.notes], limit // SHARE))


def _footer(rollout: EnvironmentResult) -> str:
    """Which commit of trunk, for which pull requests, in which run."""
    numbers = ", ".join(map(str, rollout.pull_requests[:20]))
    requested = (
        f"for pull request{'' if len(rollout.pull_requests) == 1 else 's'} {numbers}" if numbers else ""
    )
    run = link("run", rollout.url) if rollout.url else ""
    commit = f"{code(rollout.trunk)} at {code(rollout.commit[:SHORT_COMMIT])}"
    legend = LEGEND if any(stack.report.diff for stack in rollout.stacks) else ""
    return f"<sub>{' · '.join(part for part in (commit, requested, legend, run) if part)}</sub>"


def _render_headline(rollout: EnvironmentResult) -> str:
    """How it ended, in one sentence of plain text."""
    name = rollout.environment
    went = [stack.report for stack in rollout.stacks if stack.report.result in APPLIED_RESULTS]
    done = {key: sum(report.counts.get(key, 0) for report in went) for key in COUNT_KEYS}
    counts = format_counts(done, done=True)
    applied = f"{plural(len(went), 'stack')} applied{f', {counts}' if counts else ''}"
    beside = f"; {applied}" if went else ""
    match rollout.state:
        case "applied":
            return f"✓ {name} is done: {applied}."
        case "nothing":
            return f"✓ Nothing to do in {name}: {rollout.trunk} has no pending change for it."
        case "mismatch":
            return f"✗ {name}: {_describe_mismatches(rollout)}{beside}."
        case "gate":
            return f"… {name} waits for an approval of {_count_stacks(rollout, 'blocked')}{beside}."
        case "blocked":
            return f"✗ {name}: {_count_stacks(rollout, 'blocked')} refused{beside}."
        case "stopped":
            failed = sum(not check.ok for check in rollout.checks)
            return f"✗ {name}: {applied}; {plural(failed, 'check')} failed."
        case "waiting":
            return f"… {name} is not begun."
        case "superseded":
            return f"… {name}: {_count_stacks(rollout, 'skipped')} superseded by a newer change{beside}."
        case "partial":
            return f"✗ {name} is partly applied: {applied}; {_describe_failures(rollout)}."
        case "failed":
            return f"✗ {name}: {_describe_failures(rollout)}; nothing was applied."


def _render_differences(rollout: EnvironmentResult, room: int) -> Iterator[str]:
    """What differs from what was approved, a table for each stack, in at most about `room` bytes."""
    for stack in rollout.stacks:
        if not stack.differences:
            continue
        rows = [_difference(difference) for difference in stack.differences]
        fitted = take_fitting(rows, room)
        room -= sum(len(difference_row.encode()) + 2 for difference_row in fitted)
        omitted = len(rows) - len(fitted)
        causes = "".join(f" {text(cause)}" for cause in stack.causes)
        head = f"{code(stack.id)} differs from the approved plan{f'.{causes}' if causes else ':'}"
        more = f"\n\nand {plural(omitted, 'difference')} more" if omitted else ""
        if not fitted:
            yield f"{head} {plural(omitted, 'difference')}"
        else:
            yield f"{head}\n\n{table(('What', 'Approved', 'Now'), fitted)}{more}"


def _render_refusals(rollout: EnvironmentResult, room: int) -> Iterator[str]:
    """What the rules say of plans that are not applied, in about `room` bytes."""
    findings = dict.fromkeys(finding for stack in rollout.stacks for finding in stack.report.findings)
    if findings:
        title = "**The rules of the policy:**"
        yield "\n".join([title, "", *fit_items([render_finding_item(finding) for finding in findings], room)])


def _render_next_steps(rollout: EnvironmentResult) -> Iterator[str]:
    """What people can do, for each way in which it did not end well."""
    name = rollout.environment
    if rollout.state == "mismatch":
        yield "\n".join(
            (
                f"- **If the current plan is right,** approve it. {_approve(rollout)}",
                "- **If it is not,** change the code: the next merge is planned against the current state.",
            )
        )
    elif rollout.state == "gate" and rollout.gate_url:
        where = link("this run", rollout.gate_url)
        gate = code(f"{name}-approval")
        yield f"A reviewer of {gate} approves in {where} what is shown here; exactly that is applied then."
    elif rollout.state == "gate" or (
        rollout.state == "blocked" and rollout.way_out in ("resume", "manifest")
    ):
        yield _approve(rollout)
    elif rollout.state == "blocked":
        yield (
            "An approval counts from somebody with write access who is not the author, given on the merged "
            f"head after its plan. {_approve(rollout)}"
        )
    elif rollout.state in ("failed", "partial"):
        yield from _render_skipped(rollout)
        if (
            all(stack.report.result in ("skipped", "unchanged") for stack in rollout.stacks)
            and rollout.stacks
        ):
            return
        yield (
            "Fix the cause and merge, or comment "
            f"{code(f'/infra apply {name}')} to try again: any later run applies what is still pending."
        )
        yield from _interrupted(rollout)
    elif rollout.state == "stopped":
        yield (
            f"Promotion stops until the checks of {code(name)} pass. Fix the cause and merge, or comment "
            f"{code(f'/infra apply {name}')}: it runs them again."
        )
    elif rollout.state == "waiting" and rollout.held_by:
        yield (
            f"It is applied once {code(rollout.held_by)} passes: comment "
            f"{code(f'/infra apply {rollout.held_by}')} to run its checks again."
        )
    if rollout.state in ("applied", "mismatch", "gate", "blocked", "superseded"):
        yield from _render_skipped(rollout)


def _interrupted(rollout: EnvironmentResult) -> Iterator[str]:
    """Stacks whose apply was interrupted or locked out, and what the next run does about each."""
    rows = []
    for stack in rollout.stacks:
        if stack.report.result == "interrupted":
            forget = code(f"/infra resume {stack.id} --forget ADDRESS")
            rows.append(
                f"- {code(stack.id)} was interrupted: the next run resumes it, by itself where that is safe, "
                f"else as the gate approves. {forget} leaves an object alone that cannot be imported."
            )
        elif stack.report.result == "locked":
            unlock = code(f"/infra unlock {stack.id}")
            rows.append(f"- {code(stack.id)} is locked: if nobody is at work on it, comment {unlock}.")
    if rows:
        yield "\n".join(fit_items(rows, CAUSES))


def _render_skipped(rollout: EnvironmentResult) -> Iterator[str]:
    """Stacks that were skipped: why, and what can be done."""
    rows = [
        f"- {code(stack.id)} was skipped, {text(stack.report.reason)}. {_skip_advice(rollout, stack)}"
        for stack in rollout.stacks
        if stack.report.result == "skipped"
    ]
    if rows:
        yield "\n".join(fit_items(rows, CAUSES))


def _skip_advice(rollout: EnvironmentResult, stack: StackResult) -> str:
    """What can be done about a skipped stack; a job goes over no commit that trunk does not have."""
    if stack.id in rollout.overtaken:
        return f"What {code(rollout.trunk)} has is applied there already: nothing is left to do."
    if stack.id in rollout.superseded:
        return f"A newer run asks for it as {code(rollout.trunk)} has it now: approve that one."
    applied = stack.report.reason.rpartition(" ")[2]
    command = code(f"/infra apply {rollout.environment} --supersede {applied}")
    return (
        f"{code(rollout.trunk)} does not have the commit {code(applied)} that is applied there. Merge it, "
        f"or, if it is gone for good, comment {command} to go over it."
    )


def _approve(rollout: EnvironmentResult) -> str:
    """How to approve the pending changes of the environment."""
    name = rollout.environment
    gate = code(f"{name}-approval")
    pull_request = f"{code(f'infra ci approve {name}')}: it opens a pull request whose merge approves it"
    match rollout.way_out:
        case "gate":
            apply = code(f"/infra apply {name}")
            return f"Comment {apply} and approve in the gate {gate}, or run {pull_request}."
        case "set up gate":
            return (
                f"Give the environment {gate} required reviewers (Settings → Environments), or set "
                f"{code('unapproved: apply')} on {code(rollout.trunk)}, and comment "
                f"{code(f'/infra apply {name}')}; or run {pull_request}."
            )
        case "resume":
            commands = ", ".join(
                code(f"/infra resume {stack.id}")
                for stack in rollout.stacks
                if stack.report.result == "blocked"
            )
            return f"Comment {commands} to agree to what is shown here."
        case "manifest":
            return (
                f"Run {code(f'infra ci compare {name} --manifest FILE')}, have its SHA-256 approved, "
                f"and run {code(f'infra ci apply {name} --manifest FILE --sha256 HEX')}."
            )
        case "pull request":
            return f"Run {pull_request}."


def _difference(difference: DigestDifference) -> str:
    """A row: which attribute and why it matters, then both values."""
    where = " ".join(cell_code(part) for part in (difference.address, difference.path) if part) or "the stack"
    why = f"<br>{cell(difference.why, 200)}" if difference.why else ""
    return row(
        (
            f"{where}{why}",
            value(difference.approved or None, in_cell=True),
            value(difference.now or None, in_cell=True),
        )
    )


def _describe_mismatches(rollout: EnvironmentResult) -> str:
    """How many plans are not the approved ones."""
    if sum(stack.report.result == "mismatch" for stack in rollout.stacks) == 1:
        return "1 stack differs from its approved plan and was not applied"
    return f"{_count_stacks(rollout, 'mismatch')} differ from their approved plans and were not applied"


def _count_stacks(rollout: EnvironmentResult, result: Result) -> str:
    """How many stacks ended so."""
    return plural(sum(stack.report.result == result for stack in rollout.stacks), "stack")


def _describe_failures(rollout: EnvironmentResult) -> str:
    """How many stacks did not get through, by how they ended."""
    count = {result: sum(stack.report.result == result for stack in rollout.stacks) for result in TROUBLE}
    return ", ".join(f"{plural(count[result], 'stack')} {result}" for result in TROUBLE if count[result]) or (
        "something went wrong"
    )
