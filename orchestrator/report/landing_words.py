"""The sentences about a merge in one environment: how it ended, what differs, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.report.escape import cell, cell_code, code, link, text
from orchestrator.report.fitting import bounded, first_that_fit
from orchestrator.report.landing import Difference, LandedStack, Landing
from orchestrator.report.markdown import row, table, value
from orchestrator.report.model import COUNT_KEYS, Result
from orchestrator.report.pull_request_stack import finding_item
from orchestrator.report.words import counts_in_words, plural

# What the list of causes may take, in bytes.
CAUSES = 4_000
WENT: tuple[Result, ...] = ("applied", "destroyed")
TROUBLE: tuple[Result, ...] = (
    *("failed", "interrupted", "locked", "unchecked", "aborted", "mismatch", "blocked", "waiting", "skipped"),
)


def headline(landing: Landing) -> str:
    """How it ended, in one sentence of plain text."""
    name = landing.environment
    went = [one.report for one in landing.stacks if one.report.result in WENT]
    done = {key: sum(one.counts.get(key, 0) for one in went) for key in COUNT_KEYS}
    counts = counts_in_words(done, done=True)
    applied = f"{plural(len(went), 'stack')} applied{f', {counts}' if counts else ''}"
    beside = f"; {applied}" if went else ""
    match landing.state:
        case "applied":
            return f"✓ {name} is done: {applied}."
        case "nothing":
            return f"✓ Nothing to do in {name}: {landing.trunk} owes it nothing."
        case "mismatch":
            return f"✗ {name}: {_of(landing, 'mismatch')} not as approved, so not applied{beside}."
        case "gate":
            return f"… {name} waits for an approval of {_of(landing, 'blocked')}{beside}."
        case "blocked":
            return f"✗ {name}: {_of(landing, 'blocked')} refused{beside}."
        case "stopped":
            failed = sum(not one.ok for one in landing.checks)
            return f"✗ {name}: {applied}; {plural(failed, 'check')} failed."
        case "waiting":
            return f"… {name} is not begun."
        case "superseded":
            return f"… {name}: {_of(landing, 'skipped')} superseded by a newer change{beside}."
        case "partial":
            return f"✗ {name} is partly applied: {applied}; {_trouble(landing)}."
        case "failed":
            return f"✗ {name}: {_trouble(landing)}; nothing was applied."


def differences(landing: Landing, room: int) -> Iterator[str]:
    """What differs from what was approved, a table for each stack, in at most about `room` bytes."""
    for stack in landing.stacks:
        if not stack.differences:
            continue
        rows = [_difference(one) for one in stack.differences]
        kept = first_that_fit(rows, room)
        room -= sum(len(one.encode()) + 2 for one in kept)
        left = len(rows) - len(kept)
        causes = "".join(f" {text(one)}" for one in stack.causes)
        head = f"{code(stack.id)} would do what was not approved{f'.{causes}' if causes else ':'}"
        more = f"\n\nand {plural(left, 'difference')} more" if left else ""
        if not kept:
            yield f"{head} {plural(left, 'difference')}"
        else:
            yield f"{head}\n\n{table(('What', 'Approved', 'Now'), kept)}{more}"


def refusals(landing: Landing, room: int) -> Iterator[str]:
    """What the rules say of plans that are not applied, in about `room` bytes."""
    found = dict.fromkeys(one for stack in landing.stacks for one in stack.report.findings)
    if found:
        title = "**The rules of the policy:**"
        yield "\n".join([title, "", *bounded([finding_item(one) for one in found], room)])


def what_next(landing: Landing) -> Iterator[str]:
    """What people can do, for each way in which it did not end well."""
    name = landing.environment
    if landing.state == "mismatch":
        yield "\n".join(
            (
                f"- **If what it would do now is right:** approve it in one step. {_approve(landing)}",
                "- **If it is not:** change the code. The next merge is planned against what is there now.",
            )
        )
    elif landing.state == "gate" and landing.gate_url:
        where = link("this run", landing.gate_url)
        gate = code(f"{name}-approval")
        yield f"A reviewer of {gate} approves in {where} what is shown here; exactly that is applied then."
    elif landing.state == "gate" or (landing.state == "blocked" and landing.way_out == "resume"):
        yield _approve(landing)
    elif landing.state == "blocked":
        yield (
            "An approval counts from somebody with write access who is not the author, given on the merged "
            f"head after its plan. {_approve(landing)}"
        )
    elif landing.state in ("failed", "partial"):
        yield from _causes(landing)
        if all(one.report.result in ("skipped", "unchanged") for one in landing.stacks) and landing.stacks:
            return
        yield (
            "Fix the cause and merge, or comment "
            f"{code(f'/infra apply {name}')} to try again: any later run applies what is still pending."
        )
        yield from _interrupted(landing)
    elif landing.state == "stopped":
        yield (
            f"Promotion stops until the checks of {code(name)} pass. Fix the cause and merge, or comment "
            f"{code(f'/infra apply {name}')}: it runs them again."
        )
    elif landing.state == "waiting" and landing.held_by:
        yield (
            f"It is applied once {code(landing.held_by)} passes: comment "
            f"{code(f'/infra apply {landing.held_by}')} to run its checks again."
        )
    if landing.state in ("applied", "mismatch", "gate", "blocked", "superseded"):
        yield from _causes(landing)


def _interrupted(landing: Landing) -> Iterator[str]:
    """Stacks whose apply was interrupted or locked out, and what the next run does about each."""
    rows = []
    for one in landing.stacks:
        if one.report.result == "interrupted":
            forget = code(f"/infra resume {one.id} --forget ADDRESS")
            rows.append(
                f"- {code(one.id)} was interrupted: the next run resumes it, by itself where that is safe, "
                f"else as the gate approves. {forget} leaves an object alone that cannot be imported."
            )
        elif one.report.result == "locked":
            unlock = code(f"/infra unlock {one.id}")
            rows.append(f"- {code(one.id)} is locked: if nobody is at work on it, comment {unlock}.")
    if rows:
        yield "\n".join(bounded(rows, CAUSES))


def _causes(landing: Landing) -> Iterator[str]:
    """Stacks that were skipped: why, and what can be done."""
    rows = [
        f"- {code(stack.id)} was skipped, {text(stack.report.reason)}. {_skip_advice(landing, stack)}"
        for stack in landing.stacks
        if stack.report.result == "skipped"
    ]
    if rows:
        yield "\n".join(bounded(rows, CAUSES))


def _skip_advice(landing: Landing, stack: LandedStack) -> str:
    """What can be done about a skipped stack; a job goes over no commit that trunk does not have."""
    if stack.id in landing.overtaken:
        return f"What {code(landing.trunk)} has is applied there already: nothing is left to do."
    if stack.id in landing.superseded:
        return f"A newer run asks for it as {code(landing.trunk)} has it now: approve that one."
    applied = stack.report.reason.rpartition(" ")[2]
    command = code(f"/infra apply {landing.environment} --supersede {applied}")
    return (
        f"{code(landing.trunk)} does not have the commit {code(applied)} that is applied there. Merge it, "
        f"or, if it is gone for good, comment {command} to go over it."
    )


def _approve(landing: Landing) -> str:
    """How to approve what the environment is owed, as it is now."""
    name = landing.environment
    gate = code(f"{name}-approval")
    pull_request = f"{code(f'infra ci approve {name}')}: it opens a pull request whose merge approves it"
    match landing.way_out:
        case "gate":
            apply = code(f"/infra apply {name}")
            return f"Comment {apply} and approve in the gate {gate}, or run {pull_request}."
        case "set up gate":
            return (
                f"Give the environment {gate} required reviewers (Settings → Environments), or set "
                f"{code('unapproved: apply')} on {code(landing.trunk)}, and comment "
                f"{code(f'/infra apply {name}')}; or run {pull_request}."
            )
        case "resume":
            commands = ", ".join(
                code(f"/infra resume {one.id}") for one in landing.stacks if one.report.result == "blocked"
            )
            return f"Comment {commands} to agree to what is shown here."
        case "pull request":
            return f"Run {pull_request}."


def _difference(one: Difference) -> str:
    """A row: which attribute and why it matters, then both values."""
    where = " ".join(cell_code(part) for part in (one.address, one.path) if part) or "the stack"
    why = f"<br>{cell(one.why, 200)}" if one.why else ""
    return row(
        (f"{where}{why}", value(one.approved or None, in_cell=True), value(one.now or None, in_cell=True))
    )


def _of(landing: Landing, result: Result) -> str:
    """How many stacks ended so."""
    return plural(sum(one.report.result == result for one in landing.stacks), "stack")


def _trouble(landing: Landing) -> str:
    """How many stacks did not get through, by how they ended."""
    count = {result: sum(one.report.result == result for one in landing.stacks) for result in TROUBLE}
    return ", ".join(f"{plural(count[result], 'stack')} {result}" for result in TROUBLE if count[result]) or (
        "something went wrong"
    )
