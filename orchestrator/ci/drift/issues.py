"""Issues about drift: one for each stack or environment, opened, kept up to date, and closed by themselves.

What an issue is about, and what it knows, stands in its own body: nothing else has to be remembered, and any
run puts right what an earlier one could not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.ci.posting import Outbox, same
from orchestrator.config.drift import Drift
from orchestrator.hosts.model import Issue
from orchestrator.hosts.port import Host
from orchestrator.report import drift_issue as texts
from orchestrator.report.drift import DriftReport, StackDrift
from orchestrator.report.drift_issue import Night, Subject

SEVERITY = "severity/"
SUMMARY_LABEL = "drift/summary"
# Of a stack that no report tells of.
NO_REPORT = "its job left no report"

NO_NIGHT = Night()
Owners = Callable[[str], tuple[str, ...]]


def nobody(path: str) -> tuple[str, ...]:
    """The owners of a path where there is no CODEOWNERS."""
    return ()


@dataclass(frozen=True)
class Dawn:
    """What is known at the end of a night.

    `stacks` are the results by stack; `known` maps every stack that trunk has to its environment. `owners`
    are those of a path, as CODEOWNERS has them.
    """

    stacks: Mapping[str, StackDrift]
    known: Mapping[str, str]
    night: Night = NO_NIGHT
    owners: Owners = nobody


@dataclass
class Keeper:
    """Keeps the issues of one repository as a night leaves them. `urls` are the open ones' by stack."""

    host: Host
    dawn: Dawn
    settings: Drift
    outbox: Outbox
    urls: dict[str, str] = field(default_factory=dict)

    def keep(self) -> None:
        """Open, change and close. What the host refuses is kept in the outbox; the rest goes on."""
        found = self.outbox.send("The issues", lambda: self._found())
        if found is None:
            return
        for subject, members in self._wanted().items():
            mine = found.pop(subject, [])
            self.outbox.send(subject.title, lambda s=subject, i=mine, m=members: self._one(s, i, m))  # type: ignore[misc]
        for subject, left in found.items():
            if subject.kind != "summary":
                self.outbox.send(subject.title, lambda s=subject, i=left: self._unwanted(s, i))  # type: ignore[misc]

    def summarize(self, report: DriftReport) -> None:
        """One issue with all of a run, where that is wished; open while something is to be told."""
        self.outbox.send("The summary", lambda: self._summarize(report))

    # What is there

    def _found(self) -> dict[Subject, list[Issue]]:
        """Our issues by what they are about; the open ones first, the oldest first."""
        names = sorted({*self.dawn.known.values()})
        listed = {one.number: one for one in self.host.issues(state="open")}
        for label in [*map(self._environment_label, names), SUMMARY_LABEL]:
            listed |= {one.number: one for one in self.host.issues([label], state="closed")}
        found: dict[Subject, list[Issue]] = {}
        ours = [one for one in listed.values() if one.author == self.host.login]
        for issue in sorted(ours, key=lambda one: (one.state != "open", one.number)):
            subject = texts.subject_of(issue.body)
            if subject:
                found.setdefault(subject, []).append(issue)
        return found

    def _wanted(self) -> dict[Subject, tuple[str, ...]]:
        """What issues there may be, each with the stacks that it is about."""
        if self.settings.issues == "none":
            return {}
        wanted: dict[Subject, tuple[str, ...]] = {}
        for id_, environment in self.dawn.known.items():
            by_stack = self.settings.issues == "stack"
            subject = Subject("stack", id_) if by_stack else Subject("environment", environment)
            wanted[subject] = (*wanted.get(subject, ()), id_)
        return wanted

    # One issue

    def _one(self, subject: Subject, issues: Sequence[Issue], members: Sequence[str]) -> bool:
        issue = self._kept(issues)
        before = self._before(issue, members)
        now, unseen = self._now(members, before)
        drifted = [self.dawn.stacks[id_] for id_ in sorted(now) if id_ not in unseen]
        over = issue is not None and issue.state == "open" and bool(before.keys() - now)
        if drifted or (now and over):
            self._open(subject, issue, before, now, unseen, drifted)
        elif not now and issue and issue.state == "open":
            self._close(subject, issue, before)
        elif now and issue and issue.state == "open":
            # Nothing new is known of it: it stays as it is.
            self.urls |= dict.fromkeys(now, issue.url)
            self._tell_corrections(issue, members)
        return True

    def _kept(self, issues: Sequence[Issue]) -> Issue | None:
        """Of several the oldest open one, else the newest closed one; other open ones are closed."""
        opened = [one for one in issues if one.state == "open"]
        for extra in opened[1:]:
            self.host.update_issue(extra.number, state="closed", state_reason="not_planned")
            self.host.create_comment(extra.number, f"The same as #{opened[0].number}.\n")
        return opened[0] if opened else issues[-1] if issues else None

    def _before(self, issue: Issue | None, members: Sequence[str]) -> dict[str, str]:
        """What drifted when the issue was last told. One that lost its memory may be about everything."""
        if issue is None:
            return {}
        known = texts.state_of(issue.body)
        if known is None:
            return dict.fromkeys(members, "") if issue.state == "open" else {}
        return known

    def _now(
        self, members: Sequence[str], before: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """What drifts now, each with its digest; and which of it nobody saw this time, with why.

        "Could not check" ends nothing.
        """
        now, unseen = {}, {}
        for id_ in members:
            found = self.dawn.stacks.get(id_)
            if found and found.result == "drifted":
                now[id_] = found.digest
            elif id_ in before and not (found and found.result in ("clean", "destroyed")):
                now[id_] = before[id_]
                unseen[id_] = found.reason if found else NO_REPORT
        return now, unseen

    def _open(
        self,
        subject: Subject,
        issue: Issue | None,
        before: Mapping[str, str],
        now: Mapping[str, str],
        unseen: Mapping[str, str],
        drifted: Sequence[StackDrift],
    ) -> None:
        night = self.dawn.night
        owners = [one for stack in drifted for path in stack.paths for one in self.dawn.owners(path)]
        body = texts.open_body(subject, now, drifted, unseen, texts.teams_of(owners), night)
        labels = self._labels(subject, issue, drifted)
        if issue is None:
            people = texts.people_of(owners)
            issue = self.host.create_issue(subject.title, body, labels, people)
        else:
            self._update(issue, subject, body, labels)
            changed = {i for i, digest in now.items() if digest[: texts.SHOWN_DIGEST] != before.get(i)}
            told = [one for one in drifted if one.id in changed]
            ended = [self.dawn.stacks[id_] for id_ in sorted(before.keys() - now) if id_ in self.dawn.stacks]
            if issue.state == "closed":
                again = texts.again_comment(drifted, night, closed_by_hand=bool(before))
                self.host.create_comment(issue.number, again)
            elif told or ended:
                self.host.create_comment(issue.number, texts.changed_comment(told, ended, night))
        self.urls |= dict.fromkeys(now, issue.url)
        self._tell_corrections(issue, list(now))

    def _update(self, issue: Issue, subject: Subject, body: str, labels: Sequence[str]) -> None:
        """Bring an issue up to date, and open it; what is so already is not sent."""
        same_labels = set(labels) == set(issue.labels)
        if issue.state == "open" and same(issue.body, body) and same_labels and issue.title == subject.title:
            return
        self.host.update_issue(
            issue.number,
            title=subject.title,
            body=body,
            labels=None if same_labels else labels,
            state=None if issue.state == "open" else "open",
        )

    def _close(self, subject: Subject, issue: Issue, before: Mapping[str, str]) -> None:
        ended = [self.dawn.stacks[id_] for id_ in sorted(before) if id_ in self.dawn.stacks]
        gone = [id_ for id_ in sorted(before) if id_ not in self.dawn.known]
        note = texts.ending(ended, gone) or ["What it told of is over."]
        body = texts.closed_body(subject, issue.body, note)
        # First what must hold: should the comment fail, the body tells all the same.
        # With its labels, by which it is found when it drifts again.
        labels = self._labels(subject, issue)
        self.host.update_issue(
            issue.number, body=body, labels=labels, state="closed", state_reason="completed"
        )
        self._tell_corrections(issue, [one.id for one in ended])
        self.host.create_comment(issue.number, texts.ended_comment(ended, gone, self.dawn.night))

    def _unwanted(self, subject: Subject, issues: Iterable[Issue]) -> bool:
        """Close what is about a stack that trunk no longer has, or is told in another way now."""
        known = (
            subject.name in self.dawn.known
            if subject.kind == "stack"
            else subject.name in self.dawn.known.values()
        )
        why = "infra.yaml wishes another kind of issue now." if known else "Trunk no longer has it."
        for issue in issues:
            if issue.state == "open":
                body = texts.closed_body(subject, issue.body, [why])
                labels = self._labels(subject, issue)
                self.host.update_issue(
                    issue.number, body=body, labels=labels, state="closed", state_reason="not_planned"
                )
                self.host.create_comment(issue.number, f"{why}\n")
        return True

    def _tell_corrections(self, issue: Issue, members: Sequence[str]) -> None:
        found = [self.dawn.stacks[id_] for id_ in members if id_ in self.dawn.stacks]
        tried = [one for one in found if one.correction]
        if tried:
            self.host.create_comment(issue.number, texts.correction_comment(tried, self.dawn.night))

    # Labels

    def _labels(self, subject: Subject, issue: Issue | None, drifted: Sequence[StackDrift] = ()) -> list[str]:
        """Ours, and those that people set. Of what nobody saw this time the severity stays what it was."""
        severity = texts.severity_of(drifted)
        theirs = [
            one for one in (issue.labels if issue else ()) if not (severity and one.startswith(SEVERITY))
        ]
        # The environment is what a stack's name begins with, also when nobody knows the stack any more.
        ours = [*self.settings.labels, self._environment_label(subject.name.partition("/")[0])]
        return list(dict.fromkeys([*theirs, *ours, *([f"{SEVERITY}{severity}"] if severity else [])]))

    @staticmethod
    def _environment_label(environment: str) -> str:
        # A label has at most 50 characters.
        return f"drift/{environment}"[:50]

    # The summary

    def _summarize(self, report: DriftReport) -> bool:
        subject = Subject("summary")
        issue = self._kept(self._found().get(subject, []))
        if self.settings.summary == "none":
            if issue and issue.state == "open":
                self.host.update_issue(issue.number, state="closed", state_reason="not_planned")
            return True
        bad = any(one.result == "drifted" or one.failed for one in report.stacks)
        bad = bad or bool(report.stale or report.lost)
        body = texts.summary_body(report, self.urls, self.dawn.night)
        labels = list(dict.fromkeys([*(issue.labels if issue else ()), *self.settings.labels, SUMMARY_LABEL]))
        if bad and issue is None:
            self.host.create_issue(subject.title, body, labels)
        elif bad and issue:
            self._update(issue, subject, body, labels)
        elif issue and issue.state == "open":
            self.host.update_issue(issue.number, body=body, state="closed", state_reason="completed")
        return True
