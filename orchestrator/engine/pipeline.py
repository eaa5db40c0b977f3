"""The steps of `plan`, `apply` and `destroy`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from orchestrator.engine.apply_plan import execute_apply
from orchestrator.engine.context import RunContext
from orchestrator.engine.executor import ApplyWork, Executor
from orchestrator.engine.failures import failure, not_planned, not_started
from orchestrator.engine.inspection import Inspect, inspect_nothing
from orchestrator.engine.memory import Memory
from orchestrator.engine.origin import is_ci
from orchestrator.engine.pending import entries_of
from orchestrator.engine.plan_reuse import PlanReuse
from orchestrator.engine.planner import plan_stack, read_saved_plan
from orchestrator.engine.ports import ALLOW_ALL, ApplyGate, Consent
from orchestrator.engine.promotion_lookup import PromotionLookup
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.resume_plan import plan_resume, unfinished_in
from orchestrator.engine.rollout_options import RolloutOptions, with_exceptions
from orchestrator.engine.rollout_resume import RolloutResume
from orchestrator.engine.saved_plans import (
    SavedPlans,
    check_saved_plans,
    prepare_folder,
    read_saved_plans,
    save_plans,
)
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan, block_forbidden
from orchestrator.engine.state_changes import apply_declared_move
from orchestrator.engine.targets import require_targets
from orchestrator.engine.working_tree import uncommitted_note
from orchestrator.errors import BlockedError, ConfigError, InfraError, UsageError
from orchestrator.report.model import RunReport, StackReport
from orchestrator.repository.model import Project, Stack
from orchestrator.state.records import Kind, LedgerEntry
from orchestrator.terraform.client import PlanOptions

# What an environment that has not passed its checks needs; outside CI no checks are run.
EMERGENCY = "In an emergency: `--break-glass REASON`, which the ledger remembers."
HELD = "Its checks run again with `infra ci apply {0}` in CI: merge a fix, or `/infra apply {0}`."
# Results after which a stack is still to be done. One that failed belongs to them: what comes after it waits.
NOT_DONE = ("aborted", "waiting", "locked", "blocked", "failed", "mismatch", "unchecked")


# Seconds after which plan and compare jobs start no stack: an impersonated token lives for an hour.
LAST_START = 50 * 60.0


@dataclass(frozen=True)
class RunRequest:
    """What a run is to do: stack ids in a deterministic order, Terraform's options, where to save plans.

    `dependents` maps a stack that was not requested to the requested ones whose outputs it reads; it is
    planned only when one of them changes an output that it reads. `promotes` is true for a run over whatever
    is pending: it applies no environment whose earlier one has not passed its checks. A run over several
    environments never does. `inspect` looks at each plan that has changes. With `rollout` interrupted applies
    are finished, else a stack with one is refused. With `reuse` earlier plans that still hold are shown
    again; they cannot be applied.
    """

    stacks: tuple[str, ...]
    options: PlanOptions = field(default_factory=PlanOptions)
    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    out: Path | None = None
    detailed: bool = False
    recorder_options: RecorderOptions = field(default_factory=RecorderOptions)
    promotes: bool = False
    last_start: float | None = None
    inspect: Inspect = inspect_nothing
    rollout: RolloutOptions | None = None
    reuse: PlanReuse | None = None


def plan(session: Session, request: RunRequest) -> RunReport:
    """Plan the stacks and their dependents; save the plan files where the request names a folder."""
    context = session.context
    _require_targets(session, request)
    if request.out:
        prepare_folder(request.out)
    planned = plan_all(session, request)
    if request.out and not context.supervisor.interrupted:
        save_plans(session, planned, request.out, destroy=request.options.destroy)
    reports = [plan.report for plan in planned.values()]
    notes = [
        *(session.hooks.notes() if session.hooks else ()),
        *_dependent_notes(context.project, planned),
        *(request.reuse.notes() if request.reuse else ()),
    ]
    return context.report("plan", reports, detailed=request.detailed, notes=notes)


def _require_targets(session: Session, request: RunRequest) -> None:
    options = request.options
    require_targets(session, [*request.stacks, *request.dependents], (*options.targets, *options.replaces))


def apply(session: Session, request: RunRequest, consent: Consent, gate: ApplyGate = ALLOW_ALL) -> RunReport:
    """Plan, show, ask, apply exactly what was shown; `options.destroy` makes it `destroy`.

    `gate` has the last word on each plan that is about to be applied.
    """
    context = session.context
    command: Kind = "destroy" if request.options.destroy else "apply"
    environments_in_order(context.project, request.stacks)
    _require_targets(session, request)
    recorder = LedgerRecorder(session, command, request.recorder_options, request.options)
    refuse_outside_ci(context, [*request.stacks, *request.dependents], request.recorder_options.break_glass)
    planned = {id: block_forbidden(plan) for id, plan in plan_all(session, request).items()}
    if command == "apply":
        planned = _block_held_promotions(session.memory, planned, promotes=request.promotes)
    notes = session.hooks.notes() if session.hooks else ()
    uncommitted = _with_uncommitted(
        recorder, context.report(command, [plan.report for plan in planned.values()], notes=notes)
    )
    if context.supervisor.interrupted:
        return uncommitted
    todo = [id for id, plan in planned.items() if plan.is_pending]
    if not todo:
        recorded = [*_note_unchanged(recorder, planned), *recorder.save()]
        return replace(uncommitted, notes=(*uncommitted.notes, *recorded))
    confirmed = todo if any(planned[id].has_changes or planned[id].move for id in todo) else []
    if confirmed:
        consent.to_apply(uncommitted, protected=context.protected(confirmed))
    return _execute(
        recorder, planned, consent, confirmed, gate=gate, inspect=request.inspect, rollout=request.rollout
    )


def apply_saved_plans(
    session: Session,
    folder: Path,
    names: Sequence[str],
    consent: Consent,
    recorder_options: RecorderOptions,
    inspect: Inspect = inspect_nothing,
) -> RunReport:
    """Apply what `plan --out` kept, after the same question; refuses what has moved since."""
    context = session.context
    saved = read_saved_plans(folder)
    stacks = [id for id in context.in_order(saved.stacks) if not names or id in names]
    if names and not stacks:
        raise UsageError(
            f"{folder} holds no plan of what was named.",
            advice=f"It has {', '.join(saved.stacks) or 'none at all'}.",
        )
    check_saved_plans(session, saved, stacks)
    refuse_outside_ci(context, stacks, recorder_options.break_glass)
    environments_in_order(context.project, stacks)
    context.progress.begin(stacks)
    try:
        planned = run_in_order(
            stacks, {}, partial(_read_saved_plan, session, saved, inspect), workers=context.workers
        )
    finally:
        context.progress.end()
    planned = _block_held_promotions(
        session.memory, {id: block_forbidden(plan) for id, plan in planned.items()}
    )
    destroys = {saved.stacks[id].destroy for id in stacks}
    options = PlanOptions(destroy=destroys == {True})
    recorder = LedgerRecorder(session, "apply", recorder_options, options)
    uncommitted = _with_uncommitted(
        recorder, context.report("apply", [plan.report for plan in planned.values()])
    )
    if not stacks:
        return uncommitted
    consent.to_apply(uncommitted, protected=context.protected(stacks))
    return _execute(recorder, planned, consent, stacks, fixed=True)


def plan_all(session: Session, request: RunRequest) -> dict[str, StackPlan]:
    """Plan every stack of the request, side by side in dependency order, then dependents that may change."""
    context = session.context
    order = context.in_order(request.stacks)
    planned = _plan_stacks(session, order, request)
    moved = {id for id in order if planned[id].has_changes}
    late = [
        id for id in context.in_order(request.dependents) if _is_moved(context.project, id, moved, planned)
    ]
    return planned | (_plan_stacks(session, late, request) if late else {})


def _plan_stacks(session: Session, stacks: Sequence[str], request: RunRequest) -> dict[str, StackPlan]:
    context = session.context
    session.memory.ledgers.check(context.project.stacks[id] for id in stacks)
    prerequisites = context.prerequisites(stacks, destroy=request.options.destroy)

    def work(id: str) -> StackPlan:
        planned = _plan_stack_of(session, context.project.stacks[id], request)
        context.progress.done(planned.report)
        return planned

    def skip(id: str, results: Mapping[str, StackPlan]) -> StackPlan | None:
        if context.supervisor.interrupted:
            return not_planned(session, context.project.stacks[id])
        if request.last_start is not None and time.monotonic() - context.began >= request.last_start:
            late = not_started(context.project.stacks[id], request.last_start)
            context.progress.done(late.report)
            return late
        return None

    if request.reuse:
        request.reuse.prepare(stacks)
    context.progress.begin(stacks)
    try:
        return run_in_order(
            stacks,
            prerequisites,
            work,
            workers=context.workers,
            skip=skip,
            durations=_durations(session, stacks, lambda entry: entry.plan_seconds),
            admission=session.admission(),
        )
    finally:
        context.progress.end()


def _plan_stack_of(session: Session, stack: Stack, request: RunRequest) -> StackPlan:
    """The stack's plan; in a rollout that of its interrupted apply, and with the exceptions requested."""
    rollout = request.rollout
    if rollout is None:
        # An earlier plan knows nothing of a stack that has come to the same state since.
        is_alone = not session.context.project.state_conflicts(stack)
        earlier = request.reuse.find(stack) if request.reuse and is_alone else None
        if earlier is not None:
            return earlier
        planned = plan_stack(session, stack, request.options, inspect=request.inspect)
        if request.reuse:
            request.reuse.save(stack, planned)
        return planned
    try:
        unfinished = unfinished_in(session, stack, destroys=request.options.destroy)
        if unfinished:
            return plan_resume(session, unfinished, request.inspect, rollout)
        planned = plan_stack(session, stack, request.options, inspect=request.inspect)
        return with_exceptions(session, stack, planned, rollout)
    except InfraError as error:
        return StackPlan(failure(session, stack, error))


def _durations(
    session: Session, stacks: Sequence[str], seconds: Callable[[LedgerEntry], float | None]
) -> dict[str, float]:
    """How long stacks took the last time, by the ledger; nothing where all fit side by side anyhow.

    A ledger that cannot be read is no reason to fail: the order is then by the number of dependents.
    """
    if len(stacks) <= session.context.workers:
        return {}
    try:
        entries = entries_of(session.memory, stacks)
    except InfraError:
        return {}
    return {id: value for id, entry in entries.items() if (value := seconds(entry)) is not None}


def _is_moved(project: Project, dependent: str, moved: set[str], planned: Mapping[str, StackPlan]) -> bool:
    """Whether a planned change reaches an output that the dependent reads; unsure counts as yes."""
    for edge in project.edges:
        if edge.target != dependent or edge.source not in moved:
            continue
        changed = planned[edge.source].report.outputs
        if edge.outputs is None or set(edge.outputs) & set(changed):
            return True
    return False


def _dependent_notes(project: Project, planned: Mapping[str, StackPlan]) -> tuple[str, ...]:
    """One line for each stack that reads an output which a plan of this run changes."""
    notes = []
    for edge in sorted(project.edges, key=lambda edge: (edge.target, edge.source)):
        source = planned.get(edge.source)
        if edge.kind != "remote_state" or source is None or not source.has_changes:
            continue
        changed = sorted(set(source.report.outputs) & (edge.outputs or set(source.report.outputs)))
        if changed:
            notes.append(f"{edge.target} reads {', '.join(changed)} of {edge.source}: may change after it.")
    return tuple(notes)


def environments_in_order(project: Project, stacks: Sequence[str]) -> list[list[str]]:
    """The stacks by environment, in promotion order; ConfigError when an order is needed and not known."""
    names = {project.stacks[id].environment for id in stacks}
    unknown = [name for name in project.order.unordered if name in names]
    if unknown and len(names) > 1:
        raise ConfigError(
            f"The place of {', '.join(unknown)} in the promotion order is not known.",
            advice="List all environments in order under `environments:` in infra.yaml, "
            "or apply one environment at a time.",
            file="infra.yaml",
            key="environments",
        )
    by_name: dict[str, list[str]] = {}
    for name in project.order.all:
        members = [id for id in stacks if project.stacks[id].environment == name]
        if members:
            by_name[name] = members
    return list(by_name.values())


def _block_held_promotions(
    memory: Memory, planned: Mapping[str, StackPlan], *, promotes: bool = False
) -> dict[str, StackPlan]:
    """The plans, those blocked whose environment must wait for the checks of an earlier one."""
    changing = [id for id, plan in planned.items() if plan.report.result in ("changed", "waiting")]
    names = [
        memory.project.stacks[ids[0]].environment for ids in environments_in_order(memory.project, changing)
    ]
    lookup = PromotionLookup(memory.project, memory.ledgers.promotions)
    holds = {name: hold for name in names[0 if promotes else 1 :] if (hold := lookup.known_failure(name))}
    blocked = {}
    for id in changing:
        hold = holds.get(planned[id].report.environment)
        if hold:
            report = planned[id].report
            reason, advice = f"promotion is stopped: {hold.reason}", HELD.format(hold.environment)
            blocked_report = replace(report, result="blocked", reason=reason, advice=advice)
            blocked[id] = replace(planned[id], report=blocked_report)
    return {**planned, **blocked}


def refuse_outside_ci(
    context: RunContext,
    stacks: Sequence[str],
    break_glass: str | None = None,
    *,
    instead: str = f"Merge to trunk. {EMERGENCY}",
) -> None:
    """Environments that only CI applies: refuse them to everybody else, unless a reason was given.

    `instead` is the advice, with the command as it is typed elsewhere.
    """
    project = context.project
    names = dict.fromkeys(project.stacks[id].environment for id in stacks)
    closed = [name for name in names if project.config.environment(name).apply == "ci"]
    if closed and not is_ci(context.environ) and not break_glass:
        raise BlockedError(
            f"Only CI applies to {', '.join(closed)}.",
            advice=instead,
        )


def _execute(
    recorder: LedgerRecorder,
    planned: Mapping[str, StackPlan],
    consent: Consent,
    confirmed: Sequence[str],
    *,
    fixed: bool = False,
    gate: ApplyGate = ALLOW_ALL,
    inspect: Inspect = inspect_nothing,
    rollout: RolloutOptions | None = None,
) -> RunReport:
    """Everything after the question; `shown` are the stacks whose protected environments were named in it."""
    session, options = recorder.session, recorder.options
    project = session.context.project

    def plan_again(stack: Stack) -> StackPlan:
        planned = plan_stack(session, stack, options, inspect=inspect, real=True)
        return with_exceptions(session, stack, planned, rollout) if rollout else planned

    def finish_interrupted(stack: Stack) -> StackReport | None:
        if rollout is None:
            return None
        return RolloutResume(session, recorder, rollout, gate, inspect).finish(stack)

    steps = environments_in_order(session.context.project, list(planned))
    if options.destroy:
        steps.reverse()
    work = ApplyWork(
        {id: project.stacks[id] for id in planned},
        planned,
        {id: project.upstreams(id) for id in planned},
        destroys=options.destroy,
        fixed=fixed,
        is_partial=options.is_partial,
        protected=frozenset(session.context.protected(planned)),
        named=frozenset(session.context.protected(confirmed)),
        durations=_durations(session, list(planned), lambda entry: entry.apply_seconds),
    )
    executor = Executor(
        work,
        session.memory.states,
        recorder,
        consent,
        session.context.progress,
        plan_again,
        partial(execute_apply, recorder),
        partial(failure, session),
        lambda: session.context.supervisor.interrupted,
        session.context.workers_in,
        gate,
        partial(apply_declared_move, session),
        finish_interrupted,
        session.admission(own_providers=True),
        session.context.step,
        *((session.hooks.after_stack, session.hooks.after_environment) if session.hooks else ()),
    )
    done = executor.run(session.context.prerequisites(list(planned), destroy=options.destroy), steps)
    notes = [*_note_unchanged(recorder, planned), *recorder.save()]
    report = session.context.report(
        recorder.kind,
        [done[id] for id in planned],
        notes=(
            *notes,
            *(session.hooks.take_lines() if session.hooks else ()),
            *next_steps(recorder.kind, done),
        ),
        failures=session.hooks.take_failures() if session.hooks else (),
    )
    return replace(report, run=replace(report.run, commit=recorder.commit(planned)))


def _with_uncommitted(recorder: LedgerRecorder, report: RunReport) -> RunReport:
    """The report with a note, and in its commit, where what would be applied is in no commit."""
    stacks = [stack.id for stack in report.stacks if stack.result in ("changed", "waiting", "unchanged")]
    note = uncommitted_note(report.run.commit, recorder.tree.uncommitted(stacks))
    run = replace(report.run, commit=recorder.commit(stacks))
    return replace(report, run=run, notes=(*report.notes, *([note] if note else [])))


def _note_unchanged(recorder: LedgerRecorder, planned: Mapping[str, StackPlan]) -> list[str]:
    """Record in the ledger that the stacks with current empty plans are unchanged."""
    reports = {id: plan.report for id, plan in planned.items()}
    return recorder.note_unchanged(reports, {id: plan.upstreams for id, plan in planned.items()})


def next_steps(command: str, done: Mapping[str, StackReport]) -> tuple[str, ...]:
    """Advice with the command for the stacks that are not done."""
    remaining = [id for id, report in done.items() if report.result in NOT_DONE]
    if not remaining or all(done[id].result == "failed" for id in remaining):
        return ()
    done_count = sum(report.result in ("applied", "destroyed") for report in done.values())
    names = " ".join(remaining[:8]) + (" …" if len(remaining) > 8 else "")
    return (f"Done with {done_count}, and {len(remaining)} left. For the rest: `infra {command} {names}`",)


def _read_saved_plan(session: Session, saved: SavedPlans, inspect: Inspect, stack_id: str) -> StackPlan:
    """One saved plan, read again to be shown."""
    entry = saved.stacks[stack_id]
    stack = session.context.project.stacks[stack_id]
    data = saved.plan_file(stack_id).read_bytes()
    planned = read_saved_plan(session, stack, data, entry.generation, entry.upstreams, inspect)
    session.context.progress.done(planned.report)
    return planned
