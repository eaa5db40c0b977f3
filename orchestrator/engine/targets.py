"""Checks that the addresses of --target and --replace exist in a stack of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.engine.session import Session
from orchestrator.errors import InfraError, UsageError
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.repository.declarations import is_declared
from orchestrator.repository.model import Stack


def require_targets(session: Session, stacks: Sequence[str], addresses: Sequence[str]) -> None:
    """Raise UsageError for an address that neither the code nor the state of any of the stacks has.

    Terraform itself says nothing of it: it plans no changes. A state that cannot be read may have anything.
    """
    if not addresses or not stacks:
        return
    project = session.context.project
    selected = [project.stacks[id_] for id_ in stacks]
    missing = [
        address
        for address in addresses
        if not any(is_declared(project, stack, address) for stack in selected)
    ]
    for stack in selected if missing else ():
        state = _in_state(session, stack)
        if state is None:
            return
        missing = [target for target in missing if not any(_covers(target, address) for address in state)]
    if missing:
        where = selected[0].id if len(selected) == 1 else "any of these stacks"
        raise UsageError(
            f"Neither the code nor the state of {where} has {missing[0]}.",
            advice=f"`infra run {selected[0].id} -- state list` shows what is there.",
        )


def _covers(target: str, address: str) -> bool:
    """Whether an address is a target, one of its instances, or in the module that it names."""
    is_module = target.split(".")[-2:-1] == ["module"]
    return address == target or address.startswith((f"{target}[", *([f"{target}."] if is_module else [])))


def _in_state(session: Session, stack: Stack) -> list[str] | None:
    """The addresses in a stack's state; None where it cannot be read."""
    try:
        raw = session.memory.states.raw(stack)
        return list(_addresses(read_object(raw))) if raw else []
    except (InfraError, *MALFORMED):
        return None


def _addresses(state: dict[str, Any]) -> Iterator[str]:
    for resource in state.get("resources") or ():
        parts = [resource.get("module", ""), "data" if resource.get("mode") == "data" else ""]
        base = ".".join(part for part in (*parts, resource["type"], resource["name"]) if part)
        for instance in resource.get("instances") or ():
            key = instance.get("index_key")
            quoted = f'"{key}"' if isinstance(key, str) else key
            yield base if key is None else f"{base}[{quoted}]"
