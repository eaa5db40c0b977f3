"""What an issue about drift says: its title, its body with what it has to remember, and its comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from orchestrator.report import drift_words as words
from orchestrator.report.drift import SEVERITIES, DriftReport, Severity, StackDrift
from orchestrator.report.drift_markdown import cut, issue_body, stack_lines
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
class Subject:
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


def subject_of(body: str) -> Subject | None:
    """What an issue with that body is about; None when it is none of these."""
    first = body.split("\n", 1)[0].strip()
    match = _MARKER.fullmatch(first)
    if match is None or not is_marked(body, first):
        return None
    return Subject("summary") if match[3] else Subject(match[1], unquote(match[2]))


def state_line(digests: Mapping[str, str]) -> str:
    """The hidden line that remembers which stacks drift, and a part of the digest of each."""
    told = ",".join(
        f"{quote(id_, safe=_SAFE)}={digest[:SHOWN_DIGEST]}" for id_, digest in sorted(digests.items())
    )
    return f"<!-- infra:drifted {told} -->"


def state_of(body: str) -> dict[str, str] | None:
    """What a body remembers; None when somebody took the line away."""
    lines = body.split("\n", 2)
    match = _STATE.fullmatch(lines[1].strip()) if len(lines) > 1 else None
    if match is None:
        return None
    pairs = (one.partition("=") for one in match[1].split(",") if one)
    return {unquote(id_): digest for id_, _, digest in pairs}


def below(body: str) -> str:
    """A body without its hidden lines and without a note of ours that it begins with."""
    rest = "\n".join(body.replace("\r\n", "\n").split("\n")[2:]).strip("\n")
    if rest.startswith("> [!"):
        rest = rest.partition("\n\n")[2]
    return rest.strip("\n")


def severity_of(stacks: Iterable[StackDrift]) -> Severity:
    """The highest severity among some stacks."""
    return min((one.severity for one in stacks), key=SEVERITIES.index, default="")


@dataclass(frozen=True)
class Night:
    """When and where the checks ran: `at` is RFC 3339, `link` the address of the job, empty outside one."""

    at: str = ""
    link: str = ""

    @property
    def words(self) -> str:
        """`2026-11-23 03:17 UTC`, with a link to the job where there is one."""
        moment = self.at[:16].replace("T", " ")
        return link(f"{moment} UTC", self.link) if moment else ""


def open_body(
    subject: Subject,
    digests: Mapping[str, str],
    stacks: Sequence[StackDrift],
    unseen: Mapping[str, str],
    teams: Sequence[str],
    night: Night,
) -> str:
    """The body of an issue that is open.

    `stacks` are those that drift as this night saw them; `unseen` maps others that drifted at their last
    check to why nothing newer is known. `teams` own the code, and are told once by being named here.
    """
    parts = []
    for stack in stacks:
        if len(stacks) > 1 or subject.kind == "environment":
            parts.append(f"### {code(stack.id)}\n")
        parts.append(issue_body(stack) if len(stacks) == 1 else "\n".join(stack_lines(stack)) + "\n")
    for id_, why in unseen.items():
        parts.append(f"{code(id_)} drifted at its last check, and was not checked since: {text(why)}\n")
    foot = [f"Last seen {night.words}." if night.words else ""]
    foot.append(" ".join(["Owned by", *teams]) + "." if teams else "")
    hidden = f"{subject.marker}\n{state_line(digests)}"
    room = max(5_000, LONGEST - len(hidden))
    told = [hidden, "", cut("\n".join(parts), room).rstrip("\n"), "", " ".join(one for one in foot if one)]
    return "\n".join(told).rstrip("\n") + "\n"


def closed_body(subject: Subject, body: str, note: Sequence[str]) -> str:
    """The body of an issue that is closed: how it ended, above what it last said."""
    rest = below(body)
    head = f"{subject.marker}\n{state_line({})}\n\n{alert('NOTE', note)}\n\n"
    return cut(head + rest, LONGEST + 4_000).rstrip("\n") + "\n"


def ending(stacks: Sequence[StackDrift], gone: Iterable[str]) -> list[str]:
    """How a drift ended, a line for each stack; `gone` are stacks that trunk no longer has."""
    lines = [f"{code(one.id)} is as it was applied again: {text(ending_words(one))}." for one in stacks]
    lines += [f"{code(id_)} is no longer in the code." for id_ in gone]
    return [f"- {line}" for line in lines] if len(lines) > 1 else lines


def ending_words(stack: StackDrift) -> str:
    """`reverted by an apply, run 20261123T…`, for one that was seen to end."""
    how = stack.ended or "nobody saw how"
    return f"{how}, run {stack.ended_by}" if stack.ended_by else how


def changed_comment(stacks: Sequence[StackDrift], ended: Sequence[StackDrift], night: Night) -> str:
    """What drifts now, for an issue in which that is no longer what it was."""
    lines = ["What drifted has changed." if stacks else "", ""]
    for stack in stacks:
        lines += [f"Now in {code(stack.id)}: {words.counts_words(stack)}.", "", *_names(stack), ""]
    lines += ending(ended, ())
    return _with_night(lines, night)


def again_comment(stacks: Sequence[StackDrift], night: Night, *, closed_by_hand: bool) -> str:
    """For an issue that is opened again."""
    first = "It drifted again."
    if closed_by_hand:
        first = (
            "This was closed, and it drifts still. To let it be: a rule under `drift.ignore` in infra.yaml, "
            "with a reason and a last day."
        )
    lines = [first, ""]
    for stack in stacks:
        lines += [f"In {code(stack.id)}: {words.counts_words(stack)}.", "", *_names(stack), ""]
    return _with_night(lines, night)


def ended_comment(stacks: Sequence[StackDrift], gone: Iterable[str], night: Night) -> str:
    """For an issue that is closed since what it told of is over."""
    return _with_night([*ending(stacks, gone), ""], night)


def correction_comment(stacks: Sequence[StackDrift], night: Night) -> str:
    """What a correction came to, for those stacks on which one was tried."""
    told = [f"{code(one.id)}: {text(one.correction)}" for one in stacks]
    return _with_night([*told, ""], night)


def _names(stack: StackDrift, most: int = 10) -> list[str]:
    shown = [f"- {code(one.address)} {text(words.happened(one))}" for one in stack.loud[:most]]
    more = len(stack.loud) - most
    return [*shown, f"- and {plural(more, 'resource')} more"] if more > 0 else shown


def _with_night(lines: Sequence[str], night: Night) -> str:
    told = "\n".join(lines).strip("\n")
    return f"{told}\n\nSeen {night.words}.\n" if night.words else f"{told}\n"


def teams_of(owners: Iterable[str]) -> tuple[str, ...]:
    """The teams among some owners. Only what looks like one is ever named with its sign."""
    return tuple(dict.fromkeys(one for one in owners if _TEAM.match(one)))


def people_of(owners: Iterable[str]) -> tuple[str, ...]:
    """The logins among some owners."""
    return tuple(dict.fromkeys(one[1:] for one in owners if _PERSON.match(one)))


def summary_body(report: DriftReport, issues: Mapping[str, str], night: Night) -> str:
    """All of a run in one issue; `issues` maps stacks to the addresses of their own issues."""
    lines = [SUMMARY, state_line({}), "", f"**{words.verdict(report)}**", ""]
    told = [one for one in report.by_attention() if one.result == "drifted" or one.failed]
    if told:
        lines += ["| Stack | Result | Severity | Since | |", "| --- | --- | --- | --- | --- |"]
    for one in told:
        name = link(cell_code(one.id), issues.get(one.id, ""))
        why = cell(one.reason) if one.reason else cell(words.counts_words(one))
        lines.append(f"| {name} | {one.result} | {one.severity} | {words.since_words(one)} | {why} |")
    lines += ["", *(f"- {text(line)}" for line in words.findings(report))]
    lines += ["", f"Last seen {night.words}." if night.words else ""]
    return cut("\n".join(lines).rstrip("\n") + "\n", LONGEST)


def message(report: DriftReport, issues: Mapping[str, str], night: Night, most: int = 20) -> str:
    """A run as plain lines for a chat; empty when there is nothing to tell: a quiet night is quiet."""
    told = [one for one in report.by_attention() if one.result == "drifted" or one.failed]
    ended = [one for one in report.stacks if one.ended_by or (one.ended and one.result == "clean")]
    if not (told or ended or report.stale or report.lost):
        return ""
    lines = [f"Drift: {words.verdict(report)}"]
    for one in told[:most]:
        what = f"{one.severity}: {words.counts_words(one)}" if one.result == "drifted" else one.reason
        lines.append(f"- {folded(one.id)} {folded(what)} {issues.get(one.id, '')}".rstrip())
    if len(told) > most:
        lines.append(f"- and {len(told) - most} more")
    lines += [f"- {folded(one.id)} is well again: {folded(ending_words(one))}" for one in ended[:most]]
    lines += [f"- {folded(id_)} was not checked for too long" for id_ in report.stale[:most]]
    lines += [f"- {folded(line)}" for line in report.lost]
    return "\n".join([*lines, *([night.link] if night.link else [])])
