"""What the checks of a night found, told once: issues, a summary, a message."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.ci.drift import webhook
from orchestrator.ci.drift.issues import Dawn, Keeper, Owners
from orchestrator.ci.posting import Outbox
from orchestrator.engine.origin import origin_of
from orchestrator.errors import UsageError
from orchestrator.hosts.port import Host
from orchestrator.masking import Masker
from orchestrator.project.model import Project
from orchestrator.report.drift import DriftReport
from orchestrator.report.drift_issue import Night, message
from orchestrator.review.owners import owners_of
from orchestrator.run.drifting import rule_findings


@dataclass(frozen=True)
class Telling:
    """Whom to tell: the project as trunk has it, the job's environment, and the host."""

    project: Project
    environ: Mapping[str, str]
    host: Host


def joined(reports: Sequence[DriftReport], project: Project, *, whole: bool = True) -> DriftReport:
    """The parts of a night as one; a `whole` one says of which stacks no part came.

    Whether a rule is of no use is seen only now, when each part looked at some stacks alone. Raises
    UsageError when there is no part.
    """
    if not reports:
        raise UsageError(
            "There is no report of drift.", advice="`infra drift --report DIR` writes one: give DIR."
        )
    stacks = {one.id: one for part in reports for one in part.stacks}
    first = min(reports, key=lambda one: one.run.started)
    rules = [one for part in reports for one in part.rules]
    if whole:
        rules += rule_findings(project, tuple(stacks.values()), datetime.fromisoformat(first.run.started))
    return DriftReport(
        run=first.run,
        stacks=tuple(stacks.values()),
        rules=tuple(dict.fromkeys(rules)),
        stale=tuple(dict.fromkeys(one for part in reports for one in part.stale)),
        notes=tuple(dict.fromkeys(one for part in reports for one in part.notes)),
        interrupted=any(part.interrupted for part in reports),
        complete={name: at for part in reports for name, at in part.complete.items()},
        lost=tuple(_lost(project, stacks)) if whole else (),
    )


def _lost(project: Project, seen: Container[str]) -> Iterator[str]:
    """What is to be said of jobs that died before they had written what they saw."""
    for name in project.environments:
        members = [one.id for one in project.of(name)]
        lost = [id_ for id_ in members if id_ not in seen]
        if lost and len(lost) == len(members):
            yield f"{name}: its check left no report."
        elif lost:
            more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
            yield f"{name}: {', '.join(lost[:5])}{more} {'is' if len(lost) == 1 else 'are'} in no report."


def tell(telling: Telling, report: DriftReport, *, whole: bool = True) -> Outbox:
    """Keep the issues, and once a night the summary and the message; gives what could not be told.

    Without `whole` the report is of some stacks only, such as those that were put right by day.
    """
    outbox = Outbox()
    settings = telling.project.config.drift
    night = Night(report.run.started, origin_of(telling.environ).link)
    known = {id_: stack.environment for id_, stack in telling.project.stacks.items()}
    dawn = Dawn({one.id: one for one in report.stacks}, known, night, owners_in(telling.project))
    keeper = Keeper(telling.host, dawn, settings, outbox)
    keeper.keep()
    if whole:
        keeper.summarize(report)
        _send(telling, message(report, keeper.urls, night), outbox)
    return outbox


def _send(telling: Telling, text: str, outbox: Outbox) -> None:
    """Send the message, where there is one and somebody to send it to."""
    variable = telling.project.config.drift.webhook
    if text and variable:
        masked = Masker(telling.project.config.masking).mask_text(text)
        outbox.send("The message", lambda: webhook.send(telling.environ, variable, masked))


def owners_in(project: Project) -> Owners:
    """Who owns the code in a folder of the project, as CODEOWNERS of the repository says."""
    owners = owners_of(project)
    # Patterns are of files; the one that every stack has stands for the folder.
    return lambda path: owners.of(posixpath.join(path, "main.tf"))
