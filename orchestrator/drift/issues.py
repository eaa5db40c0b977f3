"""Opens, updates and closes issues about drift, one for each stack or environment.

The subject and the state of an issue are stored in its own body. No other storage is needed, and any run
repairs what an earlier one could not write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from orchestrator.config.drift import Drift
from orchestrator.drift import issue_text as texts
from orchestrator.drift.issue_text import IssueSubject, ScheduledCheck
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import Issue
from orchestrator.forge.outbox import Outbox, is_same_text

SEVERITY = "severity/"
SUMMARY_LABEL = "drift/summary"
# The reason for a stack that is in no report.
NO_REPORT = "its job left no report"

NO_CHECK = ScheduledCheck()
Owners = Callable[[str], tuple[str, ...]]


def _no_owners(path: str) -> tuple[str, ...]:
    """No owners, for a project without CODEOWNERS."""
    return ()


@dataclass(frozen=True)
class ScheduledResults:
    """The results of a scheduled check, for all of its jobs.

    `stacks` are the results by stack; `environments` maps every stack on trunk to its environment. `owners`
    returns the owners of a path by CODEOWNERS.
    """

    stacks: Mapping[str, StackDrift]
    environments: Mapping[str, str]
    check: ScheduledCheck = NO_CHECK
    owners: Owners = _no_owners


@dataclass
class IssueUpdater:
    """Updates the issues of one repository after a scheduled check. `urls` are open issues by stack."""

    forge: Forge
    results: ScheduledResults
    settings: Drift
    outbox: Outbox
    urls: dict[str, str] = field(default_factory=dict)

    def update(self) -> None:
        """Open, update and close issues. Failures go to the outbox, and the rest continues."""
        issues_by_subject = self.outbox.send("The issues", self._find_issues)
        if issues_by_subject is None:
            return
        for subject, members in self._list_subjects().items():
            issues = issues_by_subject.pop(subject, [])
            self.outbox.send(subject.title, partial(self._update_issue, subject, issues, members))
        for subject, obsolete in issues_by_subject.items():
            if subject.kind != "summary":
                self.outbox.send(subject.title, partial(self._close_obsolete, subject, obsolete))

    def summarize(self, report: DriftReport) -> None:
        """Update the summary issue, if it is configured. It is open while there is something to report."""
        self.outbox.send("The summary", lambda: self._summarize(report))

    # What is there

    def _find_issues(self) -> dict[IssueSubject, list[Issue]]:
        """The issues that infra wrote, by subject; open ones first, then the oldest."""
        names = sorted({*self.results.environments.values()})
        listed = {issue.number: issue for issue in self.forge.issues(state="open")}
        for label in [*map(self._environment_label, names), SUMMARY_LABEL]:
            listed |= {issue.number: issue for issue in self.forge.issues([label], state="closed")}
        issues: dict[IssueSubject, list[Issue]] = {}
        own = [issue for issue in listed.values() if issue.author == self.forge.login]
        for issue in sorted(own, key=lambda issue: (issue.state != "open", issue.number)):
            subject = texts.parse_subject(issue.body)
            if subject:
                issues.setdefault(subject, []).append(issue)
        return issues

    def _list_subjects(self) -> dict[IssueSubject, tuple[str, ...]]:
        """The subjects of all possible issues, each with its stacks."""
        if self.settings.issues == "none":
            return {}
        subjects: dict[IssueSubject, tuple[str, ...]] = {}
        for id_, environment in self.results.environments.items():
            by_stack = self.settings.issues == "stack"
            subject = IssueSubject("stack", id_) if by_stack else IssueSubject("environment", environment)
            subjects[subject] = (*subjects.get(subject, ()), id_)
        return subjects

    # One issue

    def _update_issue(self, subject: IssueSubject, issues: Sequence[Issue], members: Sequence[str]) -> bool:
        issue = self._select_issue(issues)
        before = self._previous_digests(issue, members)
        now, unseen = self._current_digests(members, before)
        drifted = [self.results.stacks[id_] for id_ in sorted(now) if id_ not in unseen]
        over = issue is not None and issue.state == "open" and bool(before.keys() - now)
        if drifted or (now and over):
            self._open(subject, issue, before, now, unseen, drifted)
        elif not now and issue and issue.state == "open":
            self._close(subject, issue, before)
        elif now and issue and issue.state == "open":
            # Nothing new is known of it: it stays as it is.
            self.urls |= dict.fromkeys(now, issue.url)
            self._comment_remediations(issue, members)
        return True

    def _select_issue(self, issues: Sequence[Issue]) -> Issue | None:
        """The oldest open issue, else the newest closed one. Duplicate open issues are closed."""
        opened = [issue for issue in issues if issue.state == "open"]
        for extra in opened[1:]:
            self.forge.update_issue(extra.number, state="closed", state_reason="not_planned")
            self.forge.create_comment(extra.number, f"The same as #{opened[0].number}.\n")
        return opened[0] if opened else issues[-1] if issues else None

    def _previous_digests(self, issue: Issue | None, members: Sequence[str]) -> dict[str, str]:
        """The digests stored in the issue. An open issue without them counts as about all of its stacks."""
        if issue is None:
            return {}
        state = texts.parse_state(issue.body)
        if state is None:
            return dict.fromkeys(members, "") if issue.state == "open" else {}
        return state

    def _current_digests(
        self, members: Sequence[str], before: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The digests of what drifts now, and the stacks that were not checked, with the reason.

        A stack that could not be checked still drifts.
        """
        now, unseen = {}, {}
        for id_ in members:
            stack = self.results.stacks.get(id_)
            if stack and stack.result == "drifted":
                now[id_] = stack.digest
            elif id_ in before and not (stack and stack.result in ("clean", "destroyed")):
                now[id_] = before[id_]
                unseen[id_] = stack.reason if stack else NO_REPORT
        return now, unseen

    def _open(
        self,
        subject: IssueSubject,
        issue: Issue | None,
        before: Mapping[str, str],
        now: Mapping[str, str],
        unseen: Mapping[str, str],
        drifted: Sequence[StackDrift],
    ) -> None:
        check = self.results.check
        owners = [owner for stack in drifted for path in stack.paths for owner in self.results.owners(path)]
        body = texts.render_open_body(subject, now, drifted, unseen, texts.select_teams(owners), check)
        labels = self._labels(subject, issue, drifted)
        if issue is None:
            people = texts.select_people(owners)
            issue = self.forge.create_issue(subject.title, body, labels, people)
        else:
            self._update(issue, subject, body, labels)
            changed = {i for i, digest in now.items() if digest[: texts.SHOWN_DIGEST] != before.get(i)}
            stacks = [stack for stack in drifted if stack.id in changed]
            ended = [
                self.results.stacks[id_] for id_ in sorted(before.keys() - now) if id_ in self.results.stacks
            ]
            if issue.state == "closed":
                again = texts.render_reopened_comment(drifted, check, closed_by_hand=bool(before))
                self.forge.create_comment(issue.number, again)
            elif stacks or ended:
                self.forge.create_comment(issue.number, texts.render_changed_comment(stacks, ended, check))
        self.urls |= dict.fromkeys(now, issue.url)
        self._comment_remediations(issue, list(now))

    def _update(self, issue: Issue, subject: IssueSubject, body: str, labels: Sequence[str]) -> None:
        """Update and reopen an issue; unchanged fields are not sent."""
        same_labels = set(labels) == set(issue.labels)
        if (
            issue.state == "open"
            and is_same_text(issue.body, body)
            and same_labels
            and issue.title == subject.title
        ):
            return
        self.forge.update_issue(
            issue.number,
            title=subject.title,
            body=body,
            labels=None if same_labels else labels,
            state=None if issue.state == "open" else "open",
        )

    def _close(self, subject: IssueSubject, issue: Issue, before: Mapping[str, str]) -> None:
        ended = [self.results.stacks[id_] for id_ in sorted(before) if id_ in self.results.stacks]
        removed = [id_ for id_ in sorted(before) if id_ not in self.results.environments]
        note = texts.describe_endings(ended, removed) or ["The drift has ended."]
        body = texts.render_closed_body(subject, issue.body, note)
        # The body first: it is complete even if the comment fails.
        # With its labels, by which it is found when it drifts again.
        labels = self._labels(subject, issue)
        self.forge.update_issue(
            issue.number, body=body, labels=labels, state="closed", state_reason="completed"
        )
        self._comment_remediations(issue, [stack.id for stack in ended])
        self.forge.create_comment(
            issue.number, texts.render_ended_comment(ended, removed, self.results.check)
        )

    def _close_obsolete(self, subject: IssueSubject, issues: Iterable[Issue]) -> bool:
        """Close issues about stacks that trunk no longer has, or of a kind that is no longer configured."""
        is_on_trunk = (
            subject.name in self.results.environments
            if subject.kind == "stack"
            else subject.name in self.results.environments.values()
        )
        why = "infra.yaml wishes another kind of issue now." if is_on_trunk else "Trunk no longer has it."
        for issue in issues:
            if issue.state == "open":
                body = texts.render_closed_body(subject, issue.body, [why])
                labels = self._labels(subject, issue)
                self.forge.update_issue(
                    issue.number, body=body, labels=labels, state="closed", state_reason="not_planned"
                )
                self.forge.create_comment(issue.number, f"{why}\n")
        return True

    def _comment_remediations(self, issue: Issue, members: Sequence[str]) -> None:
        stacks = [self.results.stacks[id_] for id_ in members if id_ in self.results.stacks]
        tried = [stack for stack in stacks if stack.remediation]
        if tried:
            self.forge.create_comment(
                issue.number, texts.render_remediation_comment(tried, self.results.check)
            )

    # Labels

    def _labels(
        self, subject: IssueSubject, issue: Issue | None, drifted: Sequence[StackDrift] = ()
    ) -> list[str]:
        """Infra's labels, and those that people set. The severity stays when nothing was checked."""
        severity = texts.highest_severity(drifted)
        labels = [
            label
            for label in (issue.labels if issue else ())
            if not (severity and label.startswith(SEVERITY))
        ]
        # The environment is what a stack's name begins with, also when nobody knows the stack any more.
        own = [*self.settings.labels, self._environment_label(subject.name.partition("/")[0])]
        return list(dict.fromkeys([*labels, *own, *([f"{SEVERITY}{severity}"] if severity else [])]))

    @staticmethod
    def _environment_label(environment: str) -> str:
        # A label has at most 50 characters.
        return f"drift/{environment}"[:50]

    # The summary

    def _summarize(self, report: DriftReport) -> bool:
        subject = IssueSubject("summary")
        issue = self._select_issue(self._find_issues().get(subject, []))
        if self.settings.summary == "none":
            if issue and issue.state == "open":
                self.forge.update_issue(issue.number, state="closed", state_reason="not_planned")
            return True
        bad = any(stack.result == "drifted" or stack.failed for stack in report.stacks)
        bad = bad or bool(report.stale or report.lost)
        body = texts.render_summary_body(report, self.urls, self.results.check)
        labels = list(dict.fromkeys([*(issue.labels if issue else ()), *self.settings.labels, SUMMARY_LABEL]))
        if bad and issue is None:
            self.forge.create_issue(subject.title, body, labels)
        elif bad and issue:
            self._update(issue, subject, body, labels)
        elif issue and issue.state == "open":
            self.forge.update_issue(issue.number, body=body, state="closed", state_reason="completed")
        return True
