"""What earlier checks for drift found, read from their memory. Terraform is not needed."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from orchestrator.engine.ledgers import Ledgers
from orchestrator.project.model import Project
from orchestrator.report.drift_history import StackHistory
from orchestrator.state.drift import DriftLog, DriftRecord, Heartbeat, heartbeat_of

WORKERS = 16


def histories(
    project: Project, ledgers: Ledgers, stacks: Iterable[str], *, whole: bool = True
) -> list[StackHistory]:
    """What is known of some stacks, in the order given; their past only when `whole`."""
    wanted = list(stacks)
    logs = _logs(project, ledgers, wanted)
    with ThreadPoolExecutor(WORKERS) as pool:
        listed = list(pool.map(lambda log: log.records(whole=whole), logs))
    known: dict[str, DriftRecord] = {}
    for records in listed:
        known.update(records)
    return [_history(known.get(id_) or DriftRecord(id_), project.stacks[id_].environment) for id_ in wanted]


def heartbeats(
    project: Project, ledgers: Ledgers, environments: Iterable[str]
) -> dict[str, Heartbeat | None]:
    """When each environment was last looked at; None for one that never was.

    What is counted are the stacks of now: one that is new since then makes the check incomplete. An
    environment whose stacks are remembered in several places counts by the one looked at the longest ago.
    """
    found: dict[str, Heartbeat | None] = {}
    for name in environments:
        members = [stack.id for stack in project.of(name)]
        logs = _logs(project, ledgers, members)
        beats = [_of_now(project, ledgers, log, members) for log in logs]
        known = [one for one in beats if one is not None]
        whole = len(known) == len(beats) and bool(known)
        found[name] = min(known, key=lambda one: (one.complete, one.at)) if whole else None
    return found


def _of_now(project: Project, ledgers: Ledgers, log: DriftLog, stacks: Iterable[str]) -> Heartbeat | None:
    """A place's heartbeat with the counts of the stacks that are remembered there now."""
    beat = log.heartbeat()
    if beat is None:
        return None
    here = [id_ for id_ in stacks if ledgers.drift_log(project.stacks[id_]) == log]
    return heartbeat_of(beat.run, beat.at, here, log.records(whole=False))


def _logs(project: Project, ledgers: Ledgers, stacks: Iterable[str]) -> list[DriftLog]:
    return list(dict.fromkeys(ledgers.drift_log(project.stacks[id_]) for id_ in stacks))


def _history(record: DriftRecord, environment: str) -> StackHistory:
    return StackHistory(
        id=record.stack,
        environment=environment,
        result=record.result,
        checked_at=record.checked_at,
        reason=record.reason,
        severity=record.severity,
        episodes=tuple(reversed(record.episodes)),
        forgotten=record.forgotten,
        # A record that was ever written names a check or an attempt.
        problem="" if record.result or record.tried_at else record.reason,
    )
