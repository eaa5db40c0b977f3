"""Publishes the results of a scheduled check once: issues, a summary issue, notifications."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.drift.check_all import check_ignore_rules
from orchestrator.drift.issue_text import ScheduledCheck
from orchestrator.drift.issues import IssueUpdater, Owners, ScheduledResults
from orchestrator.drift.notifications import list_drift_notifications
from orchestrator.drift.report import DriftReport
from orchestrator.engine.origin import origin_of
from orchestrator.errors import UsageError
from orchestrator.forge.interface import Forge
from orchestrator.forge.outbox import Outbox
from orchestrator.forge.owners import owners_by_stack, read_owners
from orchestrator.notify.send import Sender, describe_failures
from orchestrator.repository.model import Project


@dataclass(frozen=True)
class PublishContext:
    """Where to publish: the project at trunk, the environment variables of the job, and the forge."""

    project: Project
    environ: Mapping[str, str]
    forge: Forge


def merge_reports(
    reports: Sequence[DriftReport], project: Project, *, is_complete: bool = True
) -> DriftReport:
    """Merge the reports of all jobs; when `is_complete`, stacks that are in no report are listed.

    Unused ignore rules can only be found here, since each job checked a part of the stacks. Raises
    UsageError when there is no report.
    """
    if not reports:
        raise UsageError(
            "There is no report of drift.", advice="`infra drift --report DIR` writes one: give DIR."
        )
    stacks = {stack.id: stack for part in reports for stack in part.stacks}
    first = min(reports, key=lambda report: report.run.started)
    rules = [rule for part in reports for rule in part.rules]
    if is_complete:
        rules += check_ignore_rules(
            project, tuple(stacks.values()), datetime.fromisoformat(first.run.started)
        )
    return DriftReport(
        run=first.run,
        stacks=tuple(stacks.values()),
        rules=tuple(dict.fromkeys(rules)),
        stale=tuple(dict.fromkeys(id_ for part in reports for id_ in part.stale)),
        notes=tuple(dict.fromkeys(note for part in reports for note in part.notes)),
        interrupted=any(part.interrupted for part in reports),
        complete={name: at for part in reports for name, at in part.complete.items()},
        lost=tuple(_describe_missing(project, stacks)) if is_complete else (),
    )


def _describe_missing(project: Project, container: Container[str]) -> Iterator[str]:
    """A sentence for each environment with stacks that are in no report."""
    for name in project.environments:
        members = [stack.id for stack in project.of(name)]
        lost = [id_ for id_ in members if id_ not in container]
        if lost and len(lost) == len(members):
            yield f"{name}: its check left no report."
        elif lost:
            more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
            yield f"{name}: {', '.join(lost[:5])}{more} {'is' if len(lost) == 1 else 'are'} in no report."


def publish_report(context: PublishContext, report: DriftReport, *, is_complete: bool = True) -> Outbox:
    """Update the issues, then the summary issue and notify. Returns what could not be sent.

    Without `is_complete` the report is about some stacks only, such as remediated ones, and only the issues
    are updated.
    """
    outbox = Outbox()
    settings = context.project.config.drift
    check = ScheduledCheck(report.run.started, origin_of(context.environ).link)
    environments = {id_: stack.environment for id_, stack in context.project.stacks.items()}
    results = ScheduledResults(
        {stack.id: stack for stack in report.stacks}, environments, check, load_owners(context.project)
    )
    updater = IssueUpdater(context.forge, results, settings, outbox)
    updater.update()
    if is_complete:
        updater.summarize(report)
        _notify(context, report, updater.urls, outbox)
    return outbox


def _notify(context: PublishContext, report: DriftReport, issues: Mapping[str, str], outbox: Outbox) -> None:
    """Notify the channels of infra.yaml; failures go to the outbox."""
    project = context.project
    sender = Sender.of_job(project.config, context.environ, datetime.now(UTC))
    notifications = list_drift_notifications(report, issues, owners_by_stack(project))
    outbox.unsent += describe_failures(sender.send(notifications))


def load_owners(project: Project) -> Owners:
    """Load the owners of folders from CODEOWNERS."""
    owners = read_owners(project)
    # Patterns are of files; the one that every stack has stands for the folder.
    return lambda path: owners.of(posixpath.join(path, "main.tf"))
