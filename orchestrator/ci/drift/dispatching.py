"""Corrections that need a cloud account are started as infra-apply; here it is decided what to start."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from orchestrator.ci.posting import Outbox
from orchestrator.config.drift import Drift
from orchestrator.hosts.port import Host
from orchestrator.report.drift import StackDrift
from orchestrator.run.corrections import Decided, decide, limited

WORKFLOW = "infra-apply.yml"


def decisions(stacks: Iterable[StackDrift], settings: Drift, now: datetime) -> dict[str, Decided]:
    """What infra.yaml has done about each stack that drifts, without a person."""
    drifted = [one for one in stacks if one.result == "drifted" and one.digest]
    return {one.id: limited(decide(one, settings), settings.limits, now) for one in drifted}


def to_start(stacks: Iterable[StackDrift], decided: dict[str, Decided]) -> dict[str, tuple[str, ...]]:
    """The digests of what is to be put right by an apply, by environment."""
    found: dict[str, tuple[str, ...]] = {}
    for one in stacks:
        ways = decided[one.id].corrections if one.id in decided else ()
        if any(way.action in ("revert", "accept") for way in ways):
            found[one.environment] = (*found.get(one.environment, ()), one.digest)
    return found


def start(host: Host, trunk: str, wanted: dict[str, tuple[str, ...]], outbox: Outbox) -> list[str]:
    """Start infra-apply once for each environment; gives those for which it was."""
    started = []
    for environment, digests in wanted.items():
        inputs = {"environment": environment, "drift": ",".join(digests)}

        def dispatch(inputs: dict[str, str] = inputs) -> bool:
            host.dispatch(WORKFLOW, trunk, inputs)
            return True

        if outbox.send(f"Putting {environment} right", dispatch):
            started.append(environment)
    return started
