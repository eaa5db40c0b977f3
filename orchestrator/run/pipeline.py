"""The product's table of contents: what `plan`, `apply` and `destroy` do, as named steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from orchestrator.engine.context import RunContext
from orchestrator.engine.executor import Executor, Work
from orchestrator.engine.failures import failure, not_planned, too_late
from orchestrator.engine.inspection import Inspect, inspect_nothing
from orchestrator.engine.memory import Memory
from orchestrator.engine.origin import is_ci
from orchestrator.engine.planned import Planned, block_forbidden
from orchestrator.engine.planner import plan_stack, read_kept_plan
from orchestrator.engine.ports import ALLOW_ALL, ApplyGate, Consent
from orchestrator.engine.promotion_lookup import PromotionLookup
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.engine.uncommitted import uncommitted_note
from orchestrator.errors import BlockedError, ConfigError, InfraError, UsageError
from orchestrator.project.model import Project, Stack
from orchestrator.report.model import RunReport, StackReport
from orchestrator.run.carrying import carry_out
from orchestrator.run.keeping import Kept, check_kept, empty_folder, keep, read_kept
from orchestrator.run.pending import entries_of
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.resume_plan import plan_resume, unfinished_in
from orchestrator.run.rollout_options import RolloutOptions, with_exceptions
from orchestrator.run.rollout_resume import RolloutResume
from orchestrator.run.state_changes import carry_declared_move
from orchestrator.run.targets import require_targets
from orchestrator.state.records import Entry, Kind
from orchestrator.terraform.client import PlanOptions

# What an environment that has not passed its checks needs; outside CI no checks are run.
HELD = "Its checks run again with `infra ci apply {0}` in CI: merge a fix, or `/infra apply {0}`."
# Results after which a stack is still to be done. One that failed belongs to them: what comes after it waits.
LEFT = ("aborted", "waiting", "locked", "blocked", "failed", "mismatch", "unchecked")


# Seconds after which plan and compare jobs start no stack: an impersonated token lives for an hour.
LAST_START = 50 * 60.0


@dataclass(frozen=True)
class Request:
    """What was asked for: stack ids in a deterministic order, Terraform's options, where to keep plans.

    `followers` maps a stack that was not asked for to the asked ones whose outputs it reads; it is planned
    only when one of them changes an output that it reads. `promotes` is true for a run over whatever is
    pending: it applies no environment whose earlier one has not passed its checks. A run over several
    environments never does. `inspect` looks at each plan that has changes. With `rollout` interrupted applies
    are finished, else a stack with one is refused.
    """

    stacks: tuple[str, ...]
    options: PlanOptions = field(default_factory=PlanOptions)
    followers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    out: Path | None = None
    detailed: bool = False
    terms: Terms = field(default_factory=Terms)
    promotes: bool = False
    last_start: float | None = None
    inspect: Inspect = inspect_nothing
    rollout: RolloutOptions | None = None


def plan(session: Session, request: Request) -> RunReport:
    """Plan the stacks and their followers; keep the plan files when asked to."""
    context = session.context
    _require_targets(session, request)
    if request.out:
        empty_folder(request.out)
    planned = plan_all(session, request)
    if request.out and not context.supervisor.interrupted:
        keep(session, planned, request.out, destroy=request.options.destroy)
    reports = [one.report for one in planned.values()]
    return context.report(
        "plan", reports, detailed=request.detailed, notes=follower_notes(context.project, planned)
    )


def _require_targets(session: Session, request: Request) -> None:
    options = request.options
    require_targets(session, [*request.stacks, *request.followers], (*options.targets, *options.replaces))


def apply(session: Session, request: Request, consent: Consent, gate: ApplyGate = ALLOW_ALL) -> RunReport:
    """Plan, show, ask, apply exactly what was shown; `options.destroy` makes it `destroy`.

    `gate` has the last word on each plan that is about to be applied.
    """
    context = session.context
    command: Kind = "destroy" if request.options.destroy else "apply"
    environments_in_order(context.project, request.stacks)
    _require_targets(session, request)
    recorder = Recorder(session, command, request.terms, request.options)
    refuse_outside_ci(context, [*request.stacks, *request.followers], request.terms.break_glass)
    planned = {id: block_forbidden(one) for id, one in plan_all(session, request).items()}
    if command == "apply":
        planned = _held(session.memory, planned, promotes=request.promotes)
    shown = _with_uncommitted(recorder, context.report(command, [one.report for one in planned.values()]))
    if context.supervisor.interrupted:
        return shown
    todo = [id for id, one in planned.items() if one.is_pending]
    if not todo:
        notes = [*_note_unchanged(recorder, planned), *recorder.save()]
        return replace(shown, notes=(*shown.notes, *notes))
    asked = todo if any(planned[id].has_changes or planned[id].move for id in todo) else []
    if asked:
        consent.to_apply(shown, protected=context.protected(asked))
    return _execute(
        recorder, planned, consent, asked, gate=gate, inspect=request.inspect, rollout=request.rollout
    )


def apply_kept(
    session: Session,
    folder: Path,
    names: Sequence[str],
    consent: Consent,
    terms: Terms,
    inspect: Inspect = inspect_nothing,
) -> RunReport:
    """Apply what `plan --out` kept, after the same question; refuses what has moved since."""
    context = session.context
    kept = read_kept(folder)
    stacks = [id for id in context.in_order(kept.stacks) if not names or id in names]
    if names and not stacks:
        raise UsageError(
            f"{folder} holds no plan of what was named.",
            advice=f"It has {', '.join(kept.stacks) or 'none at all'}.",
        )
    check_kept(session, kept, stacks)
    environments_in_order(context.project, stacks)
    context.progress.begin(stacks)
    try:
        planned = run_in_order(
            stacks, {}, partial(_kept_plan, session, kept, inspect), workers=context.workers
        )
    finally:
        context.progress.end()
    planned = _held(session.memory, {id: block_forbidden(one) for id, one in planned.items()})
    destroys = {kept.stacks[id].destroy for id in stacks}
    options = PlanOptions(destroy=destroys == {True})
    recorder = Recorder(session, "apply", terms, options)
    refuse_outside_ci(context, stacks, terms.break_glass)
    shown = _with_uncommitted(recorder, context.report("apply", [one.report for one in planned.values()]))
    if not stacks:
        return shown
    consent.to_apply(shown, protected=context.protected(stacks))
    return _execute(recorder, planned, consent, stacks, fixed=True)


def plan_all(session: Session, request: Request) -> dict[str, Planned]:
    """Plan every stack of the request, side by side in dependency order, then the followers that may move."""
    context = session.context
    order = context.in_order(request.stacks)
    planned = _plan_these(session, order, request)
    moved = {id for id in order if planned[id].has_changes}
    late = [
        id for id in context.in_order(request.followers) if _is_moved(context.project, id, moved, planned)
    ]
    return planned | (_plan_these(session, late, request) if late else {})


def _plan_these(session: Session, stacks: Sequence[str], request: Request) -> dict[str, Planned]:
    context = session.context
    prerequisites = context.prerequisites(stacks, destroy=request.options.destroy)

    def work(id: str) -> Planned:
        planned = _plan_one(session, context.project.stacks[id], request)
        context.progress.done(planned.report)
        return planned

    def skip(id: str, results: Mapping[str, Planned]) -> Planned | None:
        if context.supervisor.interrupted:
            return not_planned(session, context.project.stacks[id])
        if request.last_start is not None and time.monotonic() - context.began >= request.last_start:
            late = too_late(context.project.stacks[id], request.last_start)
            context.progress.done(late.report)
            return late
        return None

    context.progress.begin(stacks)
    try:
        return run_in_order(
            stacks,
            prerequisites,
            work,
            workers=context.workers,
            skip=skip,
            durations=_durations(session, stacks, lambda entry: entry.plan_seconds),
        )
    finally:
        context.progress.end()


def _plan_one(session: Session, stack: Stack, request: Request) -> Planned:
    """The stack's plan; in a rollout that of its interrupted apply, and with the exceptions asked for."""
    rollout = request.rollout
    if rollout is None:
        return plan_stack(session, stack, request.options, inspect=request.inspect)
    try:
        unfinished = unfinished_in(session, stack, destroys=request.options.destroy)
        if unfinished:
            return plan_resume(session, unfinished, request.inspect, rollout)
        planned = plan_stack(session, stack, request.options, inspect=request.inspect)
        return with_exceptions(session, stack, planned, rollout)
    except InfraError as error:
        return Planned(failure(session, stack, error))


def _durations(
    session: Session, stacks: Sequence[str], seconds: Callable[[Entry], float | None]
) -> dict[str, float]:
    """How long stacks took the last time, by the ledger; nothing where all fit side by side anyhow.

    A ledger that cannot be read is no reason to fail: the order is then by the number of dependents.
    """
    if len(stacks) <= session.context.workers:
        return {}
    try:
        known = entries_of(session.memory, stacks)
    except InfraError:
        return {}
    return {id: value for id, entry in known.items() if (value := seconds(entry)) is not None}


def _is_moved(project: Project, follower: str, moved: set[str], planned: Mapping[str, Planned]) -> bool:
    """Whether a planned change reaches an output that the follower reads; unsure counts as yes."""
    for edge in project.edges:
        if edge.target != follower or edge.source not in moved:
            continue
        changed = planned[edge.source].report.outputs
        if edge.outputs is None or set(edge.outputs) & set(changed):
            return True
    return False


def follower_notes(project: Project, planned: Mapping[str, Planned]) -> tuple[str, ...]:
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
        found = [id for id in stacks if project.stacks[id].environment == name]
        if found:
            by_name[name] = found
    return list(by_name.values())


def _held(memory: Memory, planned: Mapping[str, Planned], *, promotes: bool = False) -> dict[str, Planned]:
    """The plans, those blocked whose environment must wait for the checks of an earlier one."""
    changing = [id for id, one in planned.items() if one.report.result in ("changed", "waiting")]
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
            held = replace(report, result="blocked", reason=reason, advice=advice)
            blocked[id] = replace(planned[id], report=held)
    return {**planned, **blocked}


def refuse_outside_ci(context: RunContext, stacks: Sequence[str], break_glass: str | None = None) -> None:
    """Environments that only CI applies: refuse them to everybody else, unless a reason was given."""
    project = context.project
    names = dict.fromkeys(project.stacks[id].environment for id in stacks)
    closed = [name for name in names if project.config.environment(name).apply == "ci"]
    if closed and not is_ci(context.environ) and not break_glass:
        raise BlockedError(
            f"Only CI applies to {', '.join(closed)}.",
            advice="Merge to trunk. In an emergency: `--break-glass REASON`, which the ledger remembers.",
        )


def _execute(
    recorder: Recorder,
    planned: Mapping[str, Planned],
    consent: Consent,
    shown: Sequence[str],
    *,
    fixed: bool = False,
    gate: ApplyGate = ALLOW_ALL,
    inspect: Inspect = inspect_nothing,
    rollout: RolloutOptions | None = None,
) -> RunReport:
    """Everything after the question; `shown` are the stacks whose protected environments were named in it."""
    session, options = recorder.session, recorder.options
    project = session.context.project

    def plan_again(stack: Stack) -> Planned:
        planned = plan_stack(session, stack, options, inspect=inspect, real=True)
        return with_exceptions(session, stack, planned, rollout) if rollout else planned

    def finish_interrupted(stack: Stack) -> StackReport | None:
        if rollout is None:
            return None
        return RolloutResume(session, recorder, rollout, gate, inspect).finish(stack)

    steps = environments_in_order(session.context.project, list(planned))
    if options.destroy:
        steps.reverse()
    work = Work(
        {id: project.stacks[id] for id in planned},
        planned,
        {id: project.upstreams(id) for id in planned},
        destroys=options.destroy,
        fixed=fixed,
        is_partial=options.is_partial,
        protected=frozenset(session.context.protected(planned)),
        named=frozenset(session.context.protected(shown)),
        durations=_durations(session, list(planned), lambda entry: entry.apply_seconds),
    )
    executor = Executor(
        work,
        session.memory.states,
        recorder,
        consent,
        session.context.progress,
        plan_again,
        partial(carry_out, recorder),
        partial(failure, session),
        lambda: session.context.supervisor.interrupted,
        session.context.workers_in,
        gate,
        partial(carry_declared_move, session),
        finish_interrupted,
    )
    done = executor.run(session.context.prerequisites(list(planned), destroy=options.destroy), steps)
    notes = [*_note_unchanged(recorder, planned), *recorder.save()]
    report = session.context.report(
        recorder.kind, [done[id] for id in planned], notes=(*notes, *next_steps(recorder.kind, done))
    )
    return replace(report, run=replace(report.run, commit=recorder.commit(planned)))


def _with_uncommitted(recorder: Recorder, report: RunReport) -> RunReport:
    """The report with a note, and in its commit, where what would be applied is in no commit."""
    stacks = [stack.id for stack in report.stacks if stack.result in ("changed", "waiting", "unchanged")]
    note = uncommitted_note(report.run.commit, recorder.tree.uncommitted(stacks))
    run = replace(report.run, commit=recorder.commit(stacks))
    return replace(report, run=run, notes=(*report.notes, *([note] if note else [])))


def _note_unchanged(recorder: Recorder, planned: Mapping[str, Planned]) -> list[str]:
    """Move the ledger on for the empty plans that still say how it is."""
    reports = {id: one.report for id, one in planned.items()}
    return recorder.note_unchanged(reports, {id: one.upstreams for id, one in planned.items()})


def next_steps(command: str, done: Mapping[str, StackReport]) -> tuple[str, ...]:
    """What to type next for what was left."""
    left = [id for id, one in done.items() if one.result in LEFT]
    if not left or all(done[id].result == "failed" for id in left):
        return ()
    went = sum(one.result in ("applied", "destroyed") for one in done.values())
    names = " ".join(left[:8]) + (" …" if len(left) > 8 else "")
    return (f"Done with {went}, and {len(left)} left. For the rest: infra {command} {names}",)


def _kept_plan(session: Session, kept: Kept, inspect: Inspect, stack_id: str) -> Planned:
    """One kept plan, read again to be shown."""
    entry = kept.stacks[stack_id]
    stack = session.context.project.stacks[stack_id]
    data = kept.plan_file(stack_id).read_bytes()
    planned = read_kept_plan(session, stack, data, entry.generation, entry.upstreams, inspect)
    session.context.progress.done(planned.report)
    return planned
