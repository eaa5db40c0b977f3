"""Turns errors into the results of their stacks, with secrets masked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.engine.context import RunContext
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.states import States
from orchestrator.errors import (
    BlockedError,
    InfraError,
    InterruptedRunError,
    LockedError,
    TerraformError,
)
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.masking import NO_SECRETS, SecretSet
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Stack
from orchestrator.repository.sensitive_variables import secret_values
from orchestrator.terraform.client import Diagnostic


def not_planned(session: Session, stack: Stack) -> StackPlan:
    """The result of a stack whose plan never began, since the run was stopped."""
    return StackPlan(failure(session, stack, InterruptedRunError("The run was interrupted.")))


def not_started(stack: Stack, last_start: float) -> StackPlan:
    """The result of a stack whose turn came after `last_start` seconds of the run."""
    return StackPlan(
        StackReport(
            stack.id,
            stack.environment,
            "unchecked",
            reason=f"{last_start / 60:.0f} minutes of the job were over before its turn came, and the job's "
            "credentials end soon",
            advice="Run the job again. To plan more at once, raise "
            f"`environments.{stack.environment}.parallelism` in infra.yaml; to spread a pull request over "
            "more jobs, add `--shards N` to `infra affected --matrix` in infra-affected.yml.",
        )
    )


def failure(session: Session, stack: Stack, error: InfraError) -> StackReport:
    """An error as the report of the stack that met it."""
    if isinstance(error, LockedError):
        return StackReport(stack.id, stack.environment, "locked", reason=error.message, advice=error.advice)
    if isinstance(error, BlockedError):
        return StackReport(stack.id, stack.environment, "blocked", reason=error.message, advice=error.advice)
    if isinstance(error, InterruptedRunError):
        return StackReport(stack.id, stack.environment, "aborted", reason="the run was interrupted")
    masked = mask_error(session, stack, error)
    return StackReport(
        stack.id,
        stack.environment,
        "failed",
        reason=masked.message,
        advice=error.advice,
        code=int(error.exit_code),
        error_class=type(error).__name__,
        diagnostics=masked.diagnostics,
    )


@dataclass(frozen=True)
class MaskedError:
    """An error's message and Terraform's diagnostics as they may be shown."""

    message: str
    diagnostics: tuple[Mapping[str, Any], ...]


def mask_error(session: Session, stack: Stack, error: InfraError) -> MaskedError:
    """An error of a stack without what its secret variables, its state and its upstreams hide."""
    context = session.context
    secrets = _secrets_of_stack(context, session.memory.states, stack)
    diagnostics = error.diagnostics if isinstance(error, TerraformError) else ()
    return MaskedError(
        context.mask(error.message, secrets),
        tuple(
            masked_diagnostic(context, stack, diagnostic, secrets)
            for diagnostic in diagnostics
            if isinstance(diagnostic, Diagnostic)
        ),
    )


def _secrets_of_stack(context: RunContext, states: States, stack: Stack) -> SecretSet:
    """What text about a stack may quote where no plan says which values are secret.

    That is what its secret variables hold, what its own state marks, and the sensitive outputs that it
    reads. A state that cannot be read adds nothing.
    """
    masker = context.masker
    secrets = SecretSet.of(secret_values(context.project, stack, context.environ, masker.names.is_secret))
    upstreams = (context.project.stacks[edge.source] for edge in context.project.upstreams(stack.id))
    for source in (stack, *upstreams):
        with contextlib.suppress(InfraError, *MALFORMED):
            raw = states.raw(source)
            state = read_object(raw) if raw else {}
            if source is not stack:
                state = {"outputs": state.get("outputs")}
            secrets |= masker.secrets_in_state(state)
    return secrets


def masked_diagnostic(
    context: RunContext, stack: Stack, diagnostic: Diagnostic, secrets: SecretSet = NO_SECRETS
) -> dict[str, Any]:
    """One of Terraform's diagnostics in the shape of `--json`, with secrets masked."""
    path = os.path.normpath(Path(stack.path) / diagnostic.file) if diagnostic.file else None
    return {
        "severity": diagnostic.severity,
        "summary": context.mask(diagnostic.summary, secrets),
        "detail": context.mask(_with_code(diagnostic), secrets),
        "address": context.masker.mask_address(diagnostic.address) or None,
        "file": path,
        "line": diagnostic.line or None,
    }


def _with_code(diagnostic: Diagnostic) -> str:
    """What a diagnostic says, below the lines of code that it is about; text output has them in already."""
    if not diagnostic.snippet:
        return diagnostic.detail
    return f"  {diagnostic.line}: {diagnostic.snippet}\n\n{diagnostic.detail}".rstrip()
