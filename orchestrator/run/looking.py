"""Looking into one stack, or running a Terraform command of the user's own in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from orchestrator.errors import StateError
from orchestrator.project.model import Stack
from orchestrator.run.session import Session
from orchestrator.terraform.client import Workdir


def outputs_of(session: Session, stack: Stack) -> Mapping[str, Mapping[str, Any]]:
    """A stack's outputs as Terraform's `{value, type, sensitive}`; sensitive ones in clear."""
    head = session.states.head(stack)
    if head is None and session.states.location(stack) is None:
        return session.client.output(ready(session, stack))
    if head is None:
        raise never_applied(stack)
    return head.outputs


def addresses_of(session: Session, stack: Stack, addresses: Sequence[str]) -> list[str]:
    """The addresses in a stack's state."""
    return session.client.state_list(ready(session, stack), addresses)


def resource_of(session: Session, stack: Stack, address: str) -> str:
    """One resource of a stack's state as text, its secrets masked."""
    return session.mask(session.client.state_show(ready(session, stack), address))


def state_of(session: Session, stack: Stack) -> bytes:
    """The whole state as it lies there."""
    if session.states.location(stack) is None:
        return session.client.state_pull(ready(session, stack))
    found = session.states.raw(stack)
    if found is None:
        raise never_applied(stack)
    return found


def run_terraform(
    session: Session, stack: Stack, arguments: Sequence[str], out: TextIO, err: TextIO, terminal: bool
) -> int:
    """Run a Terraform command line in a stack; its output goes where ours goes, its exit code is returned."""
    work = session.workdir(stack) if arguments[0] == "init" else ready(session, stack, look=False)

    def tell(stream: str, line: bytes) -> None:
        target = out if stream == "stdout" else err
        target.write(line.decode("utf-8", "surrogateescape") + "\n")
        target.flush()

    return session.client.run_raw(work, arguments, on_line=tell, terminal=terminal).returncode


def ready(session: Session, stack: Stack, *, look: bool = True) -> Workdir:
    """A stack's folder, initialised. `look`: a state must be there, since Terraform would write one."""
    located = session.states.location(stack) is not None
    if look and located and session.states.generation(stack) is None:
        raise never_applied(stack)
    work = session.workdir(stack)
    session.init(stack, work)
    return work


def never_applied(stack: Stack) -> StateError:
    """The error for a stack that has no state."""
    return StateError(
        f"{stack.id} has no state: it was never applied.",
        advice=f"Apply it: `infra apply {stack.id}`.",
        stack=stack.id,
    )
