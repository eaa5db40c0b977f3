"""Reads outputs, addresses and resources of one stack's state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.engine.context import RunContext
from orchestrator.engine.session import Session
from orchestrator.errors import InfraError, StateError, TerraformError, UsageError
from orchestrator.masking import HIDDEN
from orchestrator.repository.discovery import nearest
from orchestrator.repository.model import Stack
from orchestrator.terraform.client import Workdir


def outputs_of(session: Session, stack: Stack) -> Mapping[str, Mapping[str, Any]]:
    """A stack's outputs as Terraform's `{value, type, sensitive}`; sensitive ones in clear."""
    session.memory.ledgers.check([stack])
    head = session.memory.states.head(stack)
    if head is None and session.memory.states.location(stack) is None:
        return session.terraform.client.output(initialized_workdir(session, stack))
    if head is None:
        raise never_applied(stack)
    return head.outputs


def shown_outputs(context: RunContext, outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Outputs as people may see them: JSON texts, their secrets masked."""
    changes = {
        name: {"after": output.get("value"), "after_sensitive": bool(output.get("sensitive"))}
        for name, output in outputs.items()
    }
    secrets = context.masker.secrets_of({"output_changes": changes})
    return {
        name: HIDDEN
        if output.get("sensitive")
        else context.mask(json.dumps(output.get("value"), ensure_ascii=False), secrets)
        for name, output in outputs.items()
    }


def addresses_of(session: Session, stack: Stack, addresses: Sequence[str]) -> list[str]:
    """The addresses in a stack's state."""
    return session.terraform.client.state_list(initialized_workdir(session, stack), addresses)


def resource_of(session: Session, stack: Stack, address: str) -> str:
    """One resource of a stack's state as text, without the secrets of the whole state."""
    terraform = session.terraform
    work = initialized_workdir(session, stack)
    try:
        text = terraform.client.state_show(work, address)
    except TerraformError as error:
        raise unknown_address(error, stack.id, address, terraform.client.state_list(work, ())) from error
    values = json.loads(terraform.client.show_json(work)).get("values") or {}
    # What the masker knows to read is a plan; the state's resources are what a plan would start from.
    resource_changes = [
        {
            "address": resource.get("address"),
            "change": {"before": resource.get("values"), "before_sensitive": marks},
        }
        for resource in _resources(values.get("root_module") or {})
        for marks in [resource.get("sensitive_values")]
    ]
    return session.context.mask(
        text, session.context.masker.secrets_of({"resource_changes": resource_changes})
    )


def unknown_address(error: InfraError, stack: str, address: str, addresses: Sequence[str]) -> InfraError:
    """The error for an address that Terraform could not show, given those in the state."""
    if address in addresses:
        return error
    return UsageError(
        f"The state of {stack} has no resource '{address}'.",
        advice=nearest(address, list(addresses)) or f"`infra state list {stack}` shows the addresses.",
    )


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every resource of a module in `show -json`, child modules included."""
    yield from module.get("resources") or ()
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def state_of(session: Session, stack: Stack) -> bytes:
    """The whole state as it lies there."""
    session.memory.ledgers.check([stack])
    if session.memory.states.location(stack) is None:
        return session.terraform.client.state_pull(initialized_workdir(session, stack))
    raw = session.memory.states.raw(stack)
    if raw is None:
        raise never_applied(stack)
    return raw


def initialized_workdir(session: Session, stack: Stack, *, look: bool = True) -> Workdir:
    """A stack's folder, initialised. `look`: a state must be there, since Terraform would write one."""
    session.memory.ledgers.check([stack])
    located = session.memory.states.location(stack) is not None
    if look and located and session.memory.states.generation(stack) is None:
        raise never_applied(stack)
    work = session.terraform.workdir(stack)
    session.terraform.init(stack, work)
    return work


def never_applied(stack: Stack) -> StateError:
    """The error for a stack that has no state."""
    return StateError(
        f"{stack.id} has no state: it was never applied.",
        advice=f"Apply it: `infra apply {stack.id}`.",
        stack=stack.id,
    )
