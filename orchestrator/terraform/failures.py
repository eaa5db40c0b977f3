"""A command that failed, as the error that its user meets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.errors import InfraError, InterruptedRunError, LockedError, ProcessError, TerraformError
from orchestrator.process import Completed
from orchestrator.terraform.diagnostics import from_text, lock_holder
from orchestrator.terraform.model import LockHolder


def failure(name: str, root: Path, limit: float, done: Completed) -> InfraError:
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
        return locked_error(name, holder)
    found = replace(from_text(text), root=str(root))
    return TerraformError(
        found.summary,
        diagnostics=(found,),
        advice="Mend what Terraform names, then run the same command again.",
    )


def locked_error(name: str, holder: LockHolder) -> LockedError:
    """The error that tells who holds a lock."""
    return LockedError(
        f"The {name} found the state locked by {holder}.",
        advice=f"Wait until that has ended. If it is dead: `terraform force-unlock {holder.id}`.",
    )
