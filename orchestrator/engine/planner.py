"""Plans one stack: checks its state, runs the plan, and repeats it if the state changed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.config import DEFAULT_WORKSPACE
from orchestrator.engine.failures import failure
from orchestrator.engine.inspection import Inspect, inspect_nothing
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan, StateMove
from orchestrator.engine.state_location import StateLocations, unmoved_state
from orchestrator.engine.states import States, WaitingReason
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import (
    InfraError,
    StateError,
    known_error,
)
from orchestrator.plan.reader import read_plan_parts
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Stack
from orchestrator.state.backends import WORKSPACE_FOLDER, local_workspace
from orchestrator.state.location import Location
from orchestrator.terraform.client import PlanOptions, PlanOutcome, Workdir
from orchestrator.terraform.shadow import make_shadow

# A state that moves under a plan is planned again, this often; then somebody else is at work.
ATTEMPTS = 3

SHADOW_STATE = "new.tfstate"
LOCAL_BACKEND = f'terraform {{\n  backend "local" {{\n    path = "{SHADOW_STATE}"\n  }}\n}}\n'

UNRECORDED = (
    "It has a state, and no run of infra is recorded that made it. Where its plan is empty, "
    "`infra adopt {0}` records it; off a terminal an apply wants `--adopt`."
)


def plan_stack(
    session: Session,
    stack: Stack,
    options: PlanOptions,
    *,
    inspect: Inspect = inspect_nothing,
    real: bool = False,
    work: Workdir | None = None,
    is_detached: bool = False,
) -> StackPlan:
    """Plan one stack. Whatever goes wrong is a result: this raises nothing that a user can meet.

    `real` plans against the real backend also where the stack has no state yet. Terraform then writes an
    empty one, so that is done only on the way to an apply that was consented to. `work` is where to plan, on
    the real backend unless `is_detached`, when it is not the stack's own root. `inspect` looks at a plan that
    has changes.
    """
    began = time.monotonic()
    try:
        planned = _plan(
            session,
            stack,
            options,
            inspect,
            real=real or work is not None,
            work=work,
            is_detached=is_detached,
        )
    except (InfraError, OSError, RecursionError) as error:
        planned = StackPlan(failure(session, stack, known_error(error)))
    return replace(planned, report=replace(planned.report, seconds=time.monotonic() - began))


def _plan(
    session: Session,
    stack: Stack,
    options: PlanOptions,
    inspect: Inspect,
    *,
    real: bool,
    work: Workdir | None,
    is_detached: bool,
) -> StackPlan:
    context = session.context
    context.project.require_own_state(stack)
    terraform = session.terraform
    terraform.binary_of(stack)
    if session.hooks:
        session.hooks.before_plan(stack)
    context.progress.doing(stack.id, "reading states")
    states = session.memory.states
    upstreams = states.upstreams(stack)
    if isinstance(upstreams, WaitingReason):
        if not options.destroy:
            return StackPlan(_report(stack, "waiting", reason=upstreams.reason, advice=upstreams.advice))
        # Without its upstream the code cannot be evaluated; what the state holds can be destroyed still.
        options, upstreams = replace(options, refresh=False), {}
    is_declared = stack.moved_from is not None
    old_location = (
        None if is_declared else unmoved_state(context.project.config, states, stack, context.project.root)
    )
    if old_location:
        reason = f"it was renamed, and its state still lies at {old_location.url}"
        return StackPlan(
            _report(stack, "waiting", reason=reason, advice=_state_move_advice(stack, old_location))
        )
    locations = StateLocations(session.memory)
    move = locations.check(stack)
    generation = states.generation(stack)
    if generation is None and move is None and options.destroy and states.location(stack) is not None:
        return StackPlan(_report(stack, "unchanged", reason="it has no state: there is nothing to destroy"))
    if generation is not None:
        check_state_version(session, stack)
    shadow = is_detached or (generation is None and states.is_remote(stack) and not real)
    if move:
        blob = states.storage(move.source).read(move.source.name)
        shadow, work = True, shadow_workdir(terraform, stack, blob.data if blob else None)
    work = work or (shadow_workdir(terraform, stack) if shadow else terraform.workdir(stack))
    outcome, generation = plan_stable_state(session, stack, work, options, generation, shadow=shadow)
    planned = read_outcome(
        session, stack, work, outcome, generation, upstreams, inspect, shadow=shadow and not move
    )
    if is_detached:
        return planned
    if move:
        return _with_move(planned, move)
    if planned.has_changes and locations.is_unrecorded(stack):
        report = replace(
            planned.report, unrecorded=True, notes=(*planned.report.notes, UNRECORDED.format(stack.id))
        )
        planned = replace(planned, report=report)
    if options.refresh_only and planned.plan and not (planned.plan.has_changes or planned.plan.drift):
        # Terraform's exit code says "changes" also where a refresh found none.
        return replace(planned, report=_report(stack, "unchanged"), plan=None)
    return planned


def _state_move_advice(stack: Stack, location: Location) -> str:
    """How the state of a renamed stack gets to where the code names it."""
    by_hand = f"`infra state move {stack.id}`."
    if not location.is_remote:
        return by_hand
    key = f"`stacks.{stack.id}.moved_from: {location.url}`"
    return f"Declare the move, which the next apply carries out: {key} in infra.yaml. By hand: {by_hand}"


def _with_move(planned: StackPlan, move: StateMove) -> StackPlan:
    """A plan made from the state where it was before; it is made again once the state has been moved."""
    report = planned.report
    note = f"{str(move)[:1].upper()}{str(move)[1:]}: the next apply copies it. This plan reads the old one."
    if report.result == "unchanged":
        report = replace(report, reason=str(move))
    return replace(planned, report=replace(report, notes=(*report.notes, note)), shadow=True, move=move)


def plan_stable_state(
    session: Session,
    stack: Stack,
    work: Workdir,
    options: PlanOptions,
    generation: str | None,
    *,
    shadow: bool,
) -> tuple[PlanOutcome, str | None]:
    """Plan until the state was the same before and after; gives the outcome and the state's generation."""
    terraform = session.terraform
    options = terraform.plan_options(stack, options)
    for _ in range(ATTEMPTS):
        terraform.init(stack, work, shadow=shadow)
        session.context.progress.doing(stack.id, "planning")
        outcome = terraform.client.plan(
            work, options, lambda text: session.context.progress.doing(stack.id, text)
        )
        session.record_memory(stack, outcome.peak_memory)
        after = session.memory.states.generation(stack)
        if after == generation or (generation is None and not shadow):
            return outcome, after
        generation = after
    raise StateError(
        f"The state of {stack.id} moved during each of {ATTEMPTS} plans.",
        advice="Somebody is applying it. Plan again when that has ended.",
        stack=stack.id,
    )


def read_outcome(
    session: Session,
    stack: Stack,
    work: Workdir,
    outcome: PlanOutcome,
    generation: str | None,
    upstreams: Mapping[str, str],
    inspect: Inspect = inspect_nothing,
    *,
    shadow: bool,
) -> StackPlan:
    """Read the plan, masked. The JSON is not read when the plan is empty."""
    context = session.context
    fields = {
        "plan_file": outcome.plan_file,
        "generation": generation,
        "upstreams": upstreams,
        "shadow": shadow,
    }
    if not outcome.changed:
        return StackPlan(_report(stack, "unchanged"), **fields)  # type: ignore[arg-type]
    context.progress.doing(stack.id, "reading the plan")
    plan_json = session.plan_files.read(session.terraform, work, outcome.plan_file)
    plan = read_plan_parts(plan_json.parts, context.masker)
    if plan.is_for_checks_only:
        # Terraform's exit code says "changes" as long as a `check` block has a data source.
        return StackPlan(_report(stack, "unchanged"), **fields)  # type: ignore[arg-type]
    report = _report(
        stack,
        "changed",
        counts=plan.counts,
        changes=tuple(change.document() for change in plan.shown_changes),
        outputs=tuple(plan.changed_outputs),
        diff=context.mask(outcome.text.decode("utf-8", "replace"), plan.secrets),
        notes=_notes(session.memory.states, stack, shadow=shadow),
    )
    with context.step(stack.id, "policy"):
        inspected = inspect(stack, plan, plan_json)
    report = replace(report, findings=inspected.findings, cost=inspected.cost)
    return StackPlan(report, plan=plan, inspected=inspected, **fields)  # type: ignore[arg-type]


def _notes(states: States, stack: Stack, *, shadow: bool) -> tuple[str, ...]:
    """What to know about a plan beside its diff."""
    if shadow:
        return ("A new stack: it has no state yet.",)
    if states.location(stack) is None:
        kind = stack.backend.kind
        return (
            f"Its state lies in {kind}, where infra cannot see whether it moves: Terraform alone checks.",
        )
    return ()


def read_saved_plan(
    session: Session,
    stack: Stack,
    data: bytes,
    generation: str | None,
    upstreams: Mapping[str, str],
    inspect: Inspect = inspect_nothing,
) -> StackPlan:
    """A saved plan, read again; its file is copied to this run's folder."""
    terraform = session.terraform
    try:
        work = terraform.workdir(stack)
        terraform.init(stack, work)
        path = work.run_dir / "plan.tfplan"
        write_private(path, data)
        text = terraform.client.run_raw(work, ("show", "-no-color", str(path))).stdout
        outcome = PlanOutcome(changed=True, plan_file=path, text=text, seconds=0.0)
        return read_outcome(session, stack, work, outcome, generation, upstreams, inspect, shadow=False)
    except (InfraError, OSError, RecursionError) as error:
        return StackPlan(failure(session, stack, known_error(error)))


def check_state_version(session: Session, stack: Stack) -> None:
    """Raise StateError for a state that a newer Terraform wrote than the one at hand."""
    head, binary = session.memory.states.head(stack), session.terraform.binary_of(stack)
    if head and head.terraform_version and binary.is_older_than(head.terraform_version):
        raise StateError(
            f"The state of {stack.id} was written by version {head.terraform_version}; "
            f"{binary.version} is at hand.",
            advice=f"Use {head.terraform_version} or newer: `terraform.binary` in infra.yaml, or PATH.",
            stack=stack.id,
        )


def shadow_workdir(
    terraform: TerraformRunner,
    stack: Stack,
    state: bytes | None = None,
    files: Mapping[str, str] | None = None,
) -> Workdir:
    """A copy of the root with a local backend, for a stack that has no state yet, or for `state`.

    `files` (name → text) are added to the root.

    Planning such a stack against its real backend would lock and write an empty state, which a plan must not.
    """
    target = terraform.folders.shadow(stack.id)
    root = make_shadow(
        terraform.project.root,
        Path(stack.path),
        target,
        {"infra_backend_override.tf": LOCAL_BACKEND, **(files or {})},
    )
    named = local_workspace(WORKSPACE_FOLDER, stack.workspace)
    path = root / (SHADOW_STATE if stack.workspace == DEFAULT_WORKSPACE else named)
    if state is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, state)
    return replace(terraform.workdir(stack), root=root, data_dir=target.with_name(target.name + ".data"))


def _report(stack: Stack, result: str, **more: object) -> StackReport:
    return StackReport(stack.id, stack.environment, result, **more)  # type: ignore[arg-type]
