"""Turns a failed Terraform command into an error for the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.errors import InfraError, InterruptedRunError, LockedError, ProcessError, TerraformError
from orchestrator.process import Completed
from orchestrator.terraform.diagnostics import diagnostics_from_text, first_error, lock_holder
from orchestrator.terraform.model import Diagnostic, LockHolder
from orchestrator.terraform.shadow import real_root

MAKE_ROOM = "Free disk space, then run the same command again."


def command_error(
    name: str, root: Path, limit: float, done: Completed, *, stack: str = "STACK"
) -> InfraError:
    """The error for a command that only reads, run in `root` with `limit` seconds at most."""
    if done.ended == "interrupted":
        return InterruptedRunError(f"The {name} was interrupted.")
    if done.ended == "deadline":
        phase = f" (it hung at “{done.phase.decode()}”)" if done.phase else ""
        return ProcessError(
            f"The {name} did not end in time{phase}: {limit:g} seconds.",
            advice="Is a service out of reach? Longer limits: `timeouts` of the environment in infra.yaml.",
        )
    text = done.error_text if done.error_text.strip() else done.text
    holder = lock_holder(text)
    if holder is not None:
        return locked_error(name, holder, stack)
    diagnostics = tuple(
        replace(diagnostic, root=str(real_root(root))) for diagnostic in diagnostics_from_text(text)
    )
    if is_disk_full(text):
        return TerraformError(
            f"The disk is full: {first_error(diagnostics).summary}", diagnostics=diagnostics, advice=MAKE_ROOM
        )
    return TerraformError(
        first_error(diagnostics).summary,
        diagnostics=diagnostics,
        advice="Mend what Terraform names, then run the same command again.",
    )


def is_disk_full(text: str) -> bool:
    """Whether a program says that there is no space left."""
    return "no space left on device" in text.lower() or "disk quota exceeded" in text.lower()


def locked_error(name: str, holder: LockHolder, stack: str = "STACK") -> LockedError:
    """The error that names the holder of a lock."""
    return LockedError(
        f"The {name} found the state locked by {holder}.",
        advice=f"Wait until that has ended. If it is dead: `infra unlock {stack}`.",
    )


def end_diagnostics(done: Completed) -> tuple[Diagnostic, ...]:
    """Diagnostics for an apply that failed without any of its own."""
    if done.ended == "deadline":
        while_ = f" while “{done.phase.decode()}”" if done.phase else ""
        summary = f"Terraform was stopped at its deadline{while_}"
        detail = "The state may still be locked." if done.returncode < 0 else ""
        return (Diagnostic("error", summary, detail),)
    # What goes wrong before the JSON view stands, or beside it, is text.
    if done.error_text.strip():
        return diagnostics_from_text(done.error_text)
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return (Diagnostic("error", f"Terraform ended by {how} and did not say why"),)
