"""Plans how an interrupted apply is finished. Reads states, locks and ledgers; writes nothing there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.engine.commit_order import is_named, superseded_reason
from orchestrator.engine.executor import refused
from orchestrator.engine.failures import failure
from orchestrator.engine.import_attempt import ImportResult, describe_refusal, destroyed_imports, import_notes
from orchestrator.engine.import_ids import import_ids
from orchestrator.engine.import_plan import plan_with_imports
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.leftovers import (
    RescuedState,
    is_journal_complete,
    is_newer,
    newest_rescued,
    own_lock,
    read_journal,
)
from orchestrator.engine.orphans import Orphan, OrphanReport, compare, state_without
from orchestrator.engine.repair import ImportedResource, Repair, repair_of_interrupted
from orchestrator.engine.rollout_options import (
    NO_CHOICES,
    PLANS,
    ResumeChoices,
    RolloutOptions,
    exception_of,
    with_repair,
)
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import (
    InfraError,
    LockedError,
    MismatchError,
    PartialError,
    SupersededError,
    UsageError,
)
from orchestrator.plan.model import Plan
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Stack
from orchestrator.state.locks import LockInfo
from orchestrator.state.records import LedgerEntry, base_commit
from orchestrator.terraform.client import PlanOptions, Workdir


@dataclass(frozen=True)
class UnfinishedStack:
    """A stack whose last operation has not ended. `run` is that operation's.

    `destroys` says whether finishing it destroys the stack.
    """

    stack: Stack
    entry: LedgerEntry
    run: str
    destroys: bool

    @property
    def options(self) -> PlanOptions:
        """The options of the plan that finishes it."""
        return PlanOptions(destroy=self.destroys)


@dataclass(frozen=True)
class Leftovers:
    """What an interrupted apply left behind.

    `lock` is its own lock on the state, None where there is none. `rescued` is the newest state that it could
    not save, None without one; `is_newer` says whether that continues the state in the backend. `comparison`
    is without what somebody chose to forget; `forgotten` names that. `replaces` are addresses that somebody
    wants to be replaced once they are imported.
    """

    lock: LockInfo | None
    rescued: RescuedState | None
    is_newer: bool
    comparison: OrphanReport
    forgotten: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    @property
    def pushed(self) -> RescuedState | None:
        """The state that has to be pushed."""
        return self.rescued if self.is_newer else None

    @property
    def replaced(self) -> tuple[Orphan, ...]:
        """The objects whose predecessors, deleted by the apply, have to be removed from the state."""
        return tuple(orphan for orphan in self.comparison.orphans if orphan.replaced and orphan.import_id)

    @property
    def changes_state(self) -> bool:
        """Whether the state has to be changed before the rest can be planned on it."""
        return self.pushed is not None or bool(self.replaced)


def unfinished_in(session: Session, stack: Stack, *, destroys: bool) -> UnfinishedStack | None:
    """The interrupted apply of a stack; None where there is none, or its run is still heard of."""
    entry = session.memory.ledgers.entry(stack)
    if entry is None:
        return None
    entry, is_live = session.memory.ledgers.of(stack).check_liveness(entry)
    return unfinished_of(stack, entry, is_live=is_live, destroys=destroys)


def unfinished_of(
    stack: Stack, entry: LedgerEntry, *, is_live: bool, destroys: bool
) -> UnfinishedStack | None:
    """The same for an entry of the ledger that was read and judged already."""
    if is_live or not entry.is_unfinished:
        return None
    return UnfinishedStack(stack, entry, run_of(entry), destroys)


def run_of(entry: LedgerEntry) -> str:
    """The run that is at work on a stack, or was the last one."""
    return entry.operation.run if entry.operation else entry.run


def refuse_other_commit(session: Session, unfinished: UnfinishedStack, *, over: Sequence[str] = ()) -> None:
    """Raise MismatchError unless what is applied here is what was being applied, or newer.

    `over` are commits that somebody says are no longer to be minded.
    """
    project = session.context.project
    tried, current = base_commit(unfinished.entry.attempted), project.commit or ""
    if is_named(tried, over):
        return
    if tried and tried != current and not project.repository.is_ancestor(tried, current):
        raise MismatchError(
            f"{unfinished.run} was applying {tried[:10]}, which this checkout does not have in its history.",
            advice=f"`git fetch`, then `git switch --detach {tried[:10]}` or something newer.",
            stack=unfinished.stack.id,
        )


def find_leftovers(
    session: Session, unfinished: UnfinishedStack, work: Workdir, choices: ResumeChoices = NO_CHOICES
) -> Leftovers:
    """Look at what the apply left; `work` is where its Terraform ran.

    Raises LockedError for a lock of others, UsageError for a choice about what is not missing.
    """
    stack, entry, run = unfinished.stack, unfinished.entry, unfinished.run
    ledger, states = session.memory.ledgers.of(stack), session.memory.states
    lock = states.lock(stack)
    if lock and not own_lock(lock, entry):
        raise LockedError(
            f"{stack.id}: the state's lock is not this run's: {lock}.",
            advice=f"When you know that it is dead: `infra unlock {stack.id}`, then resume again.",
            stack=stack.id,
        )
    rescued = newest_rescued(session.terraform, ledger, run, stack, work)
    newer = rescued is not None and is_newer(rescued, states.head(stack))
    state = rescued.data if rescued and newer else states.raw(stack)
    lines = read_journal(ledger, run, stack, work)
    comparison = compare(lines, state, import_ids(), is_complete=is_journal_complete(entry, work))
    orphans = {orphan.address: orphan for orphan in comparison.orphans}
    _require_missing(stack, orphans.keys(), choices)
    # What cannot be imported cannot be replaced either: it is created again beside the one that exists.
    beside = {
        address for address in choices.replaces if not import_ids().is_importable(orphans[address].type)
    }
    ignored = {*choices.forget, *beside}
    return Leftovers(
        lock,
        rescued,
        newer,
        comparison.without(ignored),
        tuple(str(orphan) for orphan in comparison.orphans if orphan.address in ignored),
        tuple(address for address in choices.replaces if address not in beside),
    )


def _require_missing(stack: Stack, orphans: Iterable[str], choices: ResumeChoices) -> None:
    unknown = sorted({*choices.forget, *choices.replaces} - set(orphans))
    if unknown:
        choices_text = ", ".join(orphans)
        raise UsageError(
            f"{', '.join(unknown)} is not missing in the state of {stack.id}.",
            advice=f"What can be named: {choices_text}."
            if choices_text
            else "The state has every resource that the interrupted run created.",
            stack=stack.id,
        )


def plan_remaining(
    session: Session,
    unfinished: UnfinishedStack,
    leftovers: Leftovers,
    work: Workdir,
    inspect: Inspect,
    *,
    is_repaired: bool = True,
) -> ImportResult:
    """The plan that imports what no state knows and does what is left.

    Until the state `is_repaired`, the plan is made from what it will be, in a copy of the root. Raises
    PartialError where nothing can be applied before a person has decided.
    """
    stack, comparison = unfinished.stack, leftovers.comparison
    options = replace(unfinished.options, replaces=leftovers.replaces)
    state = None
    if leftovers.changes_state and not is_repaired:
        pushed = leftovers.pushed
        raw = pushed.data if pushed else session.memory.states.raw(stack)
        state = state_without(raw or b"{}", [orphan.address for orphan in leftovers.replaced])
    back = plan_with_imports(session, stack, options, work, comparison, inspect, state=state)
    _refuse(stack, back, leftovers.replaces)
    notes = import_notes(back, comparison, import_ids().secrets, leftovers.replaces)
    notes += [f"{name} is left alone: no state knows of it" for name in leftovers.forgotten]
    report = replace(back.planned.report, notes=(*back.planned.report.notes, *notes))
    return replace(back, planned=replace(back.planned, report=report))


def plan_resume(
    session: Session, unfinished: UnfinishedStack, inspect: Inspect, options: RolloutOptions
) -> StackPlan:
    """The plan that finishes an interrupted apply, with what else that takes; errors are its report."""
    stack, terraform = unfinished.stack, session.terraform
    try:
        refuse_older(session, unfinished, options)
        dead = terraform.workdir(stack, unfinished.run)
        leftovers = find_leftovers(session, unfinished, dead, options.choices_for(stack.id))
        work = terraform.workdir(stack)
        back = plan_remaining(session, unfinished, leftovers, work, inspect, is_repaired=False)
        return with_resume_repair(session, unfinished, leftovers, back, options)
    except SupersededError as error:
        empty = StackReport(stack.id, stack.environment, "unchanged")
        return StackPlan(refused(empty, "skipped", error))
    except PartialError as error:
        return StackPlan(interrupted_report(stack, error))
    except InfraError as error:
        return StackPlan(failure(session, stack, error))
    finally:
        session.context.folders.forget_plans(unfinished.run)


def refuse_older(session: Session, unfinished: UnfinishedStack, options: RolloutOptions) -> None:
    """Raise SupersededError where something newer is applied, MismatchError where it was being applied."""
    refuse_other_commit(session, unfinished, over=options.over)
    if unfinished.destroys:
        return
    older = superseded_reason(session.context.project, unfinished.entry, over=options.over)
    if older:
        raise SupersededError(older[0], advice=older[1], stack=unfinished.stack.id)


def with_resume_repair(
    session: Session,
    unfinished: UnfinishedStack,
    leftovers: Leftovers,
    back: ImportResult,
    options: RolloutOptions,
) -> StackPlan:
    """The plan with the repair of the interrupted apply."""
    if back.planned.report.result not in PLANS:
        return back.planned
    repair = _repair(unfinished, leftovers, back)
    exception = exception_of(session, unfinished.stack, unfinished.entry, options)
    if exception:
        repair = replace(repair, asks=(*repair.asks, *exception.asks))
    return with_repair(session, unfinished.stack, back.planned, repair)


def remaining_in(back: ImportResult) -> tuple[str, ...]:
    """What exists and is in no state after the plan is applied, with the answer of the provider."""
    return tuple(
        describe_refusal(refused_import, import_ids().accepted(refused_import.orphan.type))
        for refused_import in back.remaining
    )


def manual_import_advice(stack: Stack) -> str:
    """What to do about an object that exists and cannot be imported."""
    return (
        f"Import it by hand: `infra run {stack.id} -- import ADDRESS ID`. Or leave it alone and create "
        f"another: `infra resume {stack.id} --forget ADDRESS`."
    )


def interrupted_report(stack: Stack, error: InfraError) -> StackReport:
    """A stack that stays interrupted, and why."""
    return StackReport(stack.id, stack.environment, "interrupted", reason=error.message, advice=error.advice)


def _repair(unfinished: UnfinishedStack, leftovers: Leftovers, back: ImportResult) -> Repair:
    lock, rescued, comparison = leftovers.lock, leftovers.pushed, leftovers.comparison
    resolved = {orphan.address for orphan in (*back.taken, *back.absent)}
    changed = _changed(back.planned.plan)
    return repair_of_interrupted(
        unfinished.run,
        lock=lock.generation if lock else "",
        rescued=f"serial {rescued.head.serial}, {rescued.where}" if rescued else "",
        removed=[f"{orphan.address} ({orphan.replaced})" for orphan in leftovers.replaced],
        taken=[
            ImportedResource(
                str(orphan), orphan.address in changed or bool(import_ids().secrets(orphan.type))
            )
            for orphan in back.taken
        ],
        unsure=[str(orphan) for orphan in comparison.maybe if orphan.address not in resolved],
        left_out=[*leftovers.forgotten, *remaining_in(back)],
    )


def _changed(plan: Plan | None) -> set[str]:
    """The addresses of what a plan changes."""
    return (
        {plan.real_address(change.address) for change in plan.changes if not change.is_no_op}
        if plan
        else set()
    )


def _refuse(stack: Stack, back: ImportResult, replaces: Sequence[str]) -> None:
    """Raise PartialError where nothing can be applied before a person has decided."""
    remaining = remaining_in(back)
    if remaining and not (back.is_applicable and back.planned.report.result != "unchanged"):
        raise PartialError(
            f"These exist, are not in the state and were not imported: {'; '.join(remaining)}.",
            advice=manual_import_advice(stack),
            stack=stack.id,
        )
    lost = destroyed_imports(back, replaces)
    if lost:
        raise PartialError(
            f"Once imported, these would be deleted or replaced at once: {', '.join(lost)}.",
            advice=f"Make the code say what was applied, or add `--replace ADDRESS` to "
            f"`infra resume {stack.id}`.",
            stack=stack.id,
        )
