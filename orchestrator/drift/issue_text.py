"""The text of issues about drift: titles, bodies with their hidden state, and comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from orchestrator.drift import text as words
from orchestrator.drift.markdown import render_issue_body, render_stack, truncate
from orchestrator.drift.report import SEVERITIES, DriftReport, Severity, StackDrift
from orchestrator.report.escape import cell, cell_code, code, folded, link, text
from orchestrator.report.markdown import alert
from orchestrator.report.markers import is_marked
from orchestrator.report.words import plural

# GitHub takes 65,536 characters; room for the first two lines is left.
LONGEST = 60_000
SUMMARY = "<!-- infra:drift summary -->"
# Of a digest so much is enough to see that it is another one.
SHOWN_DIGEST = 16

_MARKER = re.compile(r"<!-- infra:drift (?:(stack|environment) (\S+)|(summary)) -->")
_STATE = re.compile(r"<!-- infra:drifted ?(\S*) -->")
_TEAM = re.compile(r"^@[\w.-]+/[\w.-]+$")
_PERSON = re.compile(r"^@[\w.-]+$")
_SAFE = "/._~"


@dataclass(frozen=True)
class IssueSubject:
    """What an issue is about: a `stack`, an `environment`, or with no name the `summary` of all."""

    kind: str
    name: str = ""

    @property
    def marker(self) -> str:
        """The hidden first line by which the issue is found."""
        return f"<!-- infra:drift {self.kind} {quote(self.name, safe=_SAFE)} -->" if self.name else SUMMARY

    @property
    def title(self) -> str:
        """The issue's title."""
        return f"Drift in {folded(self.name)}" if self.name else "Drift"


def parse_subject(body: str) -> IssueSubject | None:
    """The subject of the issue with that body; None when infra did not write it."""
    first = body.split("\n", 1)[0].strip()
    match = _MARKER.fullmatch(first)
    if match is None or not is_marked(body, first):
        return None
    return IssueSubject("summary") if match[3] else IssueSubject(match[1], unquote(match[2]))


def _render_state(digests: Mapping[str, str]) -> str:
    """The hidden line that stores which stacks drift, with a part of the digest of each."""
    pairs = ",".join(
        f"{quote(id_, safe=_SAFE)}={digest[:SHOWN_DIGEST]}" for id_, digest in sorted(digests.items())
    )
    return f"<!-- infra:drifted {pairs} -->"


def parse_state(body: str) -> dict[str, str] | None:
    """The stacks and digests stored in a body; None when the line was removed."""
    lines = body.split("\n", 2)
    match = _STATE.fullmatch(lines[1].strip()) if len(lines) > 1 else None
    if match is None:
        return None
    pairs = (word.partition("=") for word in match[1].split(",") if word)
    return {unquote(id_): digest for id_, _, digest in pairs}


def _strip_hidden_lines(body: str) -> str:
    """A body without its hidden lines and without the note that a closed issue begins with."""
    rest = "\n".join(body.replace("\r\n", "\n").split("\n")[2:]).strip("\n")
    if rest.startswith("> [!"):
        rest = rest.partition("\n\n")[2]
    return rest.strip("\n")


def highest_severity(stacks: Iterable[StackDrift]) -> Severity:
    """The highest severity among some stacks."""
    return min((stack.severity for stack in stacks), key=SEVERITIES.index, default="")


@dataclass(frozen=True)
class ScheduledCheck:
    """When and where the checks ran: `at` is RFC 3339, `link` the address of the job, empty outside one."""

    at: str = ""
    link: str = ""

    @property
    def words(self) -> str:
        """`2026-11-23 03:17 UTC`, with a link to the job where there is one."""
        moment = self.at[:16].replace("T", " ")
        return link(f"{moment} UTC", self.link) if moment else ""


def render_open_body(
    subject: IssueSubject,
    digests: Mapping[str, str],
    stacks: Sequence[StackDrift],
    unseen: Mapping[str, str],
    teams: Sequence[str],
    check: ScheduledCheck,
) -> str:
    """The body of an issue that is open.

    `stacks` are those that drift in this check; `unseen` maps others that drifted at their last check to the
    reason why they were not checked. `teams` own the code; mentioning them here notifies them once.
    """
    parts = []
    for stack in stacks:
        if len(stacks) > 1 or subject.kind == "environment":
            parts.append(f"### {code(stack.id)}\n")
        parts.append(render_issue_body(stack) if len(stacks) == 1 else "\n".join(render_stack(stack)) + "\n")
    for id_, why in unseen.items():
        parts.append(f"{code(id_)} drifted at its last check, and was not checked since: {text(why)}\n")
    foot = [f"Last seen {check.words}." if check.words else ""]
    foot.append(" ".join(["Owned by", *teams]) + "." if teams else "")
    hidden = f"{subject.marker}\n{_render_state(digests)}"
    room = max(5_000, LONGEST - len(hidden))
    lines = [
        hidden,
        "",
        truncate("\n".join(parts), room).rstrip("\n"),
        "",
        " ".join(part for part in foot if part),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def render_closed_body(subject: IssueSubject, body: str, note: Sequence[str]) -> str:
    """The body of a closed issue: how the drift ended, above the last open body."""
    rest = _strip_hidden_lines(body)
    head = f"{subject.marker}\n{_render_state({})}\n\n{alert('NOTE', note)}\n\n"
    return truncate(head + rest, LONGEST + 4_000).rstrip("\n") + "\n"


def describe_endings(stacks: Sequence[StackDrift], removed: Iterable[str]) -> list[str]:
    """How the drift ended, a line for each stack; `removed` are stacks that trunk no longer has."""
    lines = [
        f"{code(stack.id)} is as it was applied again: {text(_describe_ending(stack))}." for stack in stacks
    ]
    lines += [f"{code(id_)} is no longer in the code." for id_ in removed]
    return [f"- {line}" for line in lines] if len(lines) > 1 else lines


def _describe_ending(stack: StackDrift) -> str:
    """`reverted by an apply, run 20261123T…`."""
    how = stack.ended or "nobody saw how"
    return f"{how}, run {stack.ended_by}" if stack.ended_by else how


def render_changed_comment(
    stacks: Sequence[StackDrift], ended: Sequence[StackDrift], check: ScheduledCheck
) -> str:
    """The comment on an issue whose drift has changed."""
    lines = ["What drifted has changed." if stacks else "", ""]
    for stack in stacks:
        lines += [f"Now in {code(stack.id)}: {words.format_counts(stack)}.", "", *_list_resources(stack), ""]
    lines += describe_endings(ended, ())
    return _add_footer(lines, check)


def render_reopened_comment(
    stacks: Sequence[StackDrift], check: ScheduledCheck, *, closed_by_hand: bool
) -> str:
    """The comment on an issue that is reopened."""
    first = "It drifted again."
    if closed_by_hand:
        first = (
            "This was closed, and it drifts still. To let it be: a rule under `drift.ignore` in infra.yaml, "
            "with a reason and a last day."
        )
    lines = [first, ""]
    for stack in stacks:
        lines += [f"In {code(stack.id)}: {words.format_counts(stack)}.", "", *_list_resources(stack), ""]
    return _add_footer(lines, check)


def render_ended_comment(stacks: Sequence[StackDrift], removed: Iterable[str], check: ScheduledCheck) -> str:
    """The comment on an issue that is closed because the drift ended."""
    return _add_footer([*describe_endings(stacks, removed), ""], check)


def render_remediation_comment(stacks: Sequence[StackDrift], check: ScheduledCheck) -> str:
    """The comment with the results of remediations."""
    lines = [f"{code(stack.id)}: {text(stack.remediation)}" for stack in stacks]
    return _add_footer([*lines, ""], check)


def _list_resources(stack: StackDrift, most: int = 10) -> list[str]:
    items = [
        f"- {code(resource.address)} {text(words.describe_change(resource))}"
        for resource in stack.loud[:most]
    ]
    more = len(stack.loud) - most
    return [*items, f"- and {plural(more, 'resource')} more"] if more > 0 else items


def _add_footer(lines: Sequence[str], check: ScheduledCheck) -> str:
    body = "\n".join(lines).strip("\n")
    return f"{body}\n\nSeen {check.words}.\n" if check.words else f"{body}\n"


def select_teams(owners: Iterable[str]) -> tuple[str, ...]:
    """The teams among some owners. Only what looks like one is ever named with its sign."""
    return tuple(dict.fromkeys(owner for owner in owners if _TEAM.match(owner)))


def select_people(owners: Iterable[str]) -> tuple[str, ...]:
    """The logins among some owners."""
    return tuple(dict.fromkeys(owner[1:] for owner in owners if _PERSON.match(owner)))


def render_summary_body(report: DriftReport, issues: Mapping[str, str], check: ScheduledCheck) -> str:
    """The body of the summary issue; `issues` maps stacks to the URLs of their own issues."""
    lines = [SUMMARY, _render_state({}), "", f"**{words.render_verdict(report)}**", ""]
    by_attention = [stack for stack in report.by_attention() if stack.result == "drifted" or stack.failed]
    if by_attention:
        lines += ["| Stack | Result | Severity | Since | |", "| --- | --- | --- | --- | --- |"]
    for stack in by_attention:
        name = link(cell_code(stack.id), issues.get(stack.id, ""))
        why = cell(stack.reason) if stack.reason else cell(words.format_counts(stack))
        lines.append(
            f"| {name} | {stack.result} | {stack.severity} | {words.describe_since(stack)} | {why} |"
        )
    lines += ["", *(f"- {text(line)}" for line in words.list_findings(report))]
    lines += ["", f"Last seen {check.words}." if check.words else ""]
    return truncate("\n".join(lines).rstrip("\n") + "\n", LONGEST)
