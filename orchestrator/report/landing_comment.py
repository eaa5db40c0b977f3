"""What people read after a merge, by environment: what was applied, what was not, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.report import markers
from orchestrator.report.escape import cell, cell_code, code, folded, link, shortened, text
from orchestrator.report.fitting import bounded, fit, size
from orchestrator.report.landing import LandedStack, Landing
from orchestrator.report.landing_words import differences, headline, refusals, what_next
from orchestrator.report.markdown import alert, row, table
from orchestrator.report.pull_request import LEGEND, LIMIT, RESERVE, cut_words
from orchestrator.report.pull_request_head import losses
from orchestrator.report.pull_request_merge import SHORT_COMMIT, minutes, rules_in_words
from orchestrator.report.pull_request_stack import OPEN_LINES, block, has_details
from orchestrator.report.pull_request_table import HEADER, result_words, unbroken
from orchestrator.report.review import EnvironmentRules, StackReview
from orchestrator.report.summary import SUMMARY_LIMIT
from orchestrator.report.words import changes_in_words, first_line, plural

# Of the limit: what lists may take, and the differences, in bytes.
SHARE, DIFFERENCES_SHARE = 12, 4
STATUS_LENGTH = 140
# Characters of a stack's reason in the table.
REASON, DONE_REASON = 120, 400
RESTING = ("unchanged",)


def landing_comment(landing: Landing, limit: int = LIMIT) -> str:
    """The comment on the merged pull request about one environment, at most `limit` bytes."""
    marker = markers.applied(landing.environment)
    return f"{marker}\n\n{body(landing, limit - len(marker.encode()) - 2)}"


def landing_summary(landing: Landing, limit: int = SUMMARY_LIMIT // 4) -> str:
    """The same for the step summary; a quarter of its room, since all environments may share one."""
    return f"## {text(landing.environment)}\n\n{body(landing, limit - 600)}"


def status_text(landing: Landing) -> str:
    """A commit status or deployment in at most 140 characters of plain text."""
    return shortened(folded(headline(landing)), STATUS_LENGTH)


def stale_notice(stacks: Sequence[str], commit: str, rules: Sequence[EnvironmentRules] = ()) -> str:
    """What another open pull request is told: a merge changed stacks that it plans, or their rules."""
    merged = f"{code(commit[:SHORT_COMMIT])} was merged"
    parts: list[str] = []
    if stacks:
        names = bounded([f"- {code(one)}" for one in stacks], LIMIT // 2)
        parts += [
            f"**The plan above is stale:** {merged}, and it changed what this pull request plans too:",
            "",
            *names,
            "",
        ]
    if rules:
        words = bounded([f"- {rules_in_words(one)}" for one in rules], LIMIT // 4)
        parts += [f"**The rules are stricter now:** {merged}. What holds on merge:", "", *words, ""]
    parts.append(
        "Update the branch, or comment `/infra plan`, to plan again. An approval of the old plan counts only "
        "as far as the new one is equal."
    )
    return f"{markers.STALE}\n\n{alert('IMPORTANT', parts)}\n"


def body(landing: Landing, limit: int) -> str:
    """The landing as Markdown of at most `limit` bytes; what does not fit is cut whole and counted."""
    undecided = [one.report for one in landing.stacks if one.report.result in ("mismatch", "blocked")]
    top = [
        _verdict(landing),
        *losses(undecided, "if it is approved", limit // SHARE),
        *differences(landing, limit // DIFFERENCES_SHARE),
        *refusals(landing, limit // SHARE),
        *what_next(landing),
    ]
    bottom = [*_checks(landing, limit), *_promotion(landing), *_notes(landing, limit), _footer(landing)]
    fixed = [part for part in (*top, *bottom) if part]
    header = table(HEADER, ())
    room = limit - RESERVE - sum(map(size, fixed)) - size(header)
    told = [one for one in landing.stacks if one.report.result not in RESTING]
    shown = [StackReview(one.report) for one in told]
    # Why a stack was skipped, and what to do, stands above already.
    detailed = [one for one in shown if has_details(one) and one.report.result != "skipped"]
    blocks = [block(one, limit, open_lines=OPEN_LINES) for one in detailed]
    fitted = fit([_row(landing, one) for one in told], blocks, room)
    rows = "\n".join([header, *fitted.rows]) if fitted.rows else ""
    parts = [*top, rows, _resting(landing, told), cut_words(fitted.cut, landing.url), *fitted.blocks, *bottom]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(landing: Landing) -> str:
    words = f"**{text(headline(landing))}**"
    return f"{words} {text(landing.reason)}." if landing.reason else words


def _row(landing: Landing, one: LandedStack) -> str:
    report = one.report
    told = changes_in_words(report)
    if report.reason:
        # Of what was done beside the plan, such as a resumed apply, nothing is left out.
        room = DONE_REASON if report.result in ("applied", "destroyed") else REASON
        told = "; ".join(part for part in (told, cell(first_line(report.reason), room)) if part)
    waits = landing.state == "gate" and report.result == "blocked"
    result = "… to approve" if waits else result_words(report)
    return row((cell_code(one.id), unbroken(result), told))


def _resting(landing: Landing, told: list[LandedStack]) -> str:
    """How many stacks rest, in one line."""
    count = len(landing.stacks) - len(told)
    if not count:
        return ""
    return f"= {plural(count, 'stack')} already as {code(landing.trunk)} wants."


def _checks(landing: Landing, limit: int) -> Iterator[str]:
    """The checks before the next environment, those that failed first."""
    if not landing.checks:
        return
    items = [
        f"- {'✓' if one.ok else '✗ **failed**'} {text(one.name)}{f': {text(one.words)}' if one.words else ''}"
        for one in sorted(landing.checks, key=lambda one: one.ok)
    ]
    yield "\n".join(["**Checks:**", "", *bounded(items, limit // SHARE)])


def _promotion(landing: Landing) -> Iterator[str]:
    """What it means for the environments that follow."""
    if not landing.next or landing.state == "nothing":
        return
    names = ", ".join(code(one) for one in landing.next[:10])
    soak = f" after {minutes(landing.soak)} of soaking" if landing.soak else ""
    if landing.state == "applied":
        yield f"Next in order{soak}: {names}."
    else:
        yield f"Held back until this is done: {names}."


def _notes(landing: Landing, limit: int) -> Iterator[str]:
    if landing.heartbeat:
        yield alert("WARNING", [text(landing.heartbeat)])
    if landing.notes:
        yield "\n".join(bounded([f"- {text(one)}" for one in landing.notes], limit // SHARE))


def _footer(landing: Landing) -> str:
    """Which commit of trunk, for which pull requests, in which run."""
    numbers = ", ".join(map(str, landing.pull_requests[:20]))
    owed = (
        f"owed to pull request{'' if len(landing.pull_requests) == 1 else 's'} {numbers}" if numbers else ""
    )
    run = link("run", landing.url) if landing.url else ""
    commit = f"{code(landing.trunk)} at {code(landing.commit[:SHORT_COMMIT])}"
    legend = LEGEND if any(one.report.diff for one in landing.stacks) else ""
    return f"<sub>{' · '.join(part for part in (commit, owed, legend, run) if part)}</sub>"
