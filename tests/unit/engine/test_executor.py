"""The steps of an apply with fakes of its ports: nothing is applied that nobody said yes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.claims import Claim
from orchestrator.engine.executor import ApplyWork, Executor, has_moved, reason_to_ask
from orchestrator.engine.ports import ALLOW_ALL, ApplyGate, SilentProgress
from orchestrator.engine.repair import Repair
from orchestrator.engine.stack_plan import StackPlan, same_changes
from orchestrator.errors import (
    BlockedError,
    InfraError,
    InterruptedRunError,
    LockedError,
    MismatchError,
    SupersededError,
)
from orchestrator.masking import SecretSet
from orchestrator.plan.model import AttributeChange, OutputChange, Plan, ResourceChange
from orchestrator.report.model import NO_COUNTS, Result, RunReport, StackReport
from orchestrator.repository.model import Backend, Edge, Finding, Stack
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import LedgerEntry, Operation, Outcome
from tests.support.memory_storage import MemoryStorage


def stack(id_: str) -> Stack:
    environment, name = id_.split("/")
    return Stack(
        id=id_,
        environment=environment,
        name=name,
        path=f"infra/envs/{id_}",
        shared=False,
        backend=Backend("gcs", declared=True, empty=True),
        backend_config={},
        state=f"gs://bucket/{environment}/state/{name}/default.tfstate",
        var_files=(),
        passed_env=(),
        depends_on=(),
        reads=(),
        required_version=(),
        providers={},
        modules=(),
        lock_file=None,
    )


def change(value: str = "new", *actions: str) -> ResourceChange:
    attributes = (AttributeChange("word", "old", value),)
    return ResourceChange("x.y", actions or ("update",), "x", attributes=attributes)


def plan(*changes: ResourceChange, **more: Any) -> Plan:
    return Plan("1.11.0", "1.2", changes or (change(),), **more)


@dataclass
class MemoryStates:
    """Generations of states by stack id."""

    now: dict[str, str | None] = field(default_factory=dict)

    def generation(self, stack: Stack, /) -> str | None:
        return self.now.get(stack.id)

    def moved(self, upstreams: Mapping[str, str], /) -> bool:
        return any(self.now.get(id_) != was for id_, was in upstreams.items())


@dataclass
class Records:
    """Claims in a ledger in memory; `waits` says that another run held the stack first."""

    ledger: Ledger = field(default_factory=lambda: Ledger(MemoryStorage(), "dev"))
    waits: bool = False
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    notes: list[StackReport] = field(default_factory=list)
    refuses: InfraError | None = None

    @contextmanager
    def claim(self, stack: Stack, /) -> Iterator[Claim]:
        if self.refuses:
            raise self.refuses
        operation = Operation(run="run-1", kind="apply", phase="planned", who="ada", where="", commit="c")
        before = self.ledger.entry(stack.id)
        entry = self.ledger.begin(stack.id, operation, before)
        claim = Claim(self.ledger, stack, before, entry, waited=self.waits)
        try:
            yield claim
        finally:
            claim.close()

    def applied(self, claim: Claim, result: Outcome, /, *, plan_seconds: float | None = None) -> None:
        self.outcomes.append((claim.stack.id, result))

    def note(self, claim: Claim, report: StackReport, /) -> None:
        self.notes.append(report)


@dataclass
class AnsweringPerson:
    """Answers each question; `during` happens while it waits for the answer."""

    refuses: bool = False
    during: Callable[[], None] = lambda: None
    questions: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    error: InfraError | None = None

    def to_apply(self, report: RunReport, *, protected: Sequence[str]) -> None:
        raise AssertionError("the executor never asks the first question")

    def to_repair(self, stack: str, differences: Sequence[str], steps: Sequence[str]) -> None:
        raise AssertionError("nothing is repaired here")

    def again(self, report: StackReport, why: str, *, protected: Sequence[str]) -> None:
        self.questions.append(f"{report.id}: {why}")
        self.named += protected
        self.during()
        if self.error:
            raise self.error
        if self.refuses:
            raise BlockedError("Not confirmed; nothing more was changed.")


class Rig:
    """One stack `dev/app` that reads `dev/net`, its plan shown, and everything around it in memory."""

    def __init__(self, tmp_path: Path) -> None:
        self.file = tmp_path / "plan.tfplan"
        self.file.write_bytes(b"plan")
        self.states = MemoryStates({"dev/app": "7", "dev/net": "3"})
        self.records = Records()
        self.person = AnsweringPerson()
        self.applied: list[StackPlan] = []
        self.replans: list[str] = []
        self.gate: ApplyGate = ALLOW_ALL
        self.interrupted = False
        self.resumed: StackReport | None = None
        self.shown = self.planned()
        self.next = [plan(change("other"))]
        self.work = ApplyWork({"dev/app": stack("dev/app")}, {"dev/app": self.shown})

    def planned(self, result: Result = "changed", of: Plan | None = None, **more: Any) -> StackPlan:
        generations = {"generation": self.states.now["dev/app"], "upstreams": {"dev/net": "3"}}
        counts = {**NO_COUNTS, "update": 1}
        report = StackReport("dev/app", "dev", result, counts=counts, seconds=2.0)
        stack_plan = (of or plan()) if result == "changed" else None
        return StackPlan(report, stack_plan, self.file, **{**generations, **more})

    def plan_again(self, stack: Stack) -> StackPlan:
        self.replans.append(stack.id)
        stack_plan = self.next.pop(0) if len(self.next) > 1 else self.next[0]
        upstreams = {"dev/net": str(self.states.now["dev/net"])}
        return self.planned(of=stack_plan, generation=self.states.now["dev/app"], upstreams=upstreams)

    def apply(self, claim: Claim, planned: StackPlan) -> StackReport:
        self.applied.append(planned)
        return replace(planned.report, result="applied")

    def run(self, **changed: Any) -> StackReport:
        work = replace(self.work, planned={"dev/app": self.shown}, **changed)
        executor = Executor(
            work,
            self.states,
            self.records,
            self.person,
            SilentProgress(),
            self.plan_again,
            self.apply,
            lambda stack, error: StackReport(stack.id, stack.environment, "failed", reason=error.message),
            lambda: self.interrupted,
            gate=self.gate,
            finish_interrupted=lambda stack: self.resumed,
        )
        return executor.run({}, [["dev/app"]])["dev/app"]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def _state_moves(rig: Rig) -> None:
    rig.states.now["dev/app"] = "8"


def _state_appears(rig: Rig) -> None:
    rig.shown = replace(rig.shown, generation=None)


def _upstream_moves(rig: Rig) -> None:
    rig.states.now["dev/net"] = "4"


def _upstream_is_destroyed(rig: Rig) -> None:
    rig.states.now["dev/net"] = None


def _another_run_held_it(rig: Rig) -> None:
    rig.records.waits = True


def _file_is_lost(rig: Rig) -> None:
    rig.file.unlink()


def _shadow(rig: Rig) -> None:
    rig.shown = replace(rig.shown, shadow=True)


def _waiting(rig: Rig) -> None:
    rig.shown = rig.planned("waiting")


def _unchanged_and_upstream_moves(rig: Rig) -> None:
    rig.shown = rig.planned("unchanged")
    rig.states.now["dev/net"] = "4"


# Each way in which the plan that would be applied can be another than the one that was shown.
WAYS = [
    _state_moves,
    _state_appears,
    _upstream_moves,
    _upstream_is_destroyed,
    _another_run_held_it,
    _file_is_lost,
    _shadow,
    _waiting,
    _unchanged_and_upstream_moves,
]


@pytest.mark.parametrize("destroys", [False, True], ids=["apply", "destroy"])
@pytest.mark.parametrize("way", WAYS)
def test_another_plan_needs_another_yes(rig: Rig, way: Callable[[Rig], None], destroys: bool) -> None:
    way(rig)
    rig.person.refuses = True
    report = rig.run(destroys=destroys)
    assert report.result == "blocked"
    assert rig.replans == ["dev/app"]
    assert len(rig.person.questions) == 1
    assert rig.applied == []
    entry = rig.records.ledger.entry("dev/app")
    assert entry is not None
    assert entry.operation is None  # given back


@pytest.mark.parametrize("way", WAYS)
def test_what_is_applied_is_the_plan_that_was_confirmed(rig: Rig, way: Callable[[Rig], None]) -> None:
    way(rig)
    assert rig.run().result == "applied"
    assert [planned.plan for planned in rig.applied] == [plan(change("other"))]


@pytest.mark.parametrize("way", [_state_moves, _upstream_moves, _another_run_held_it, _file_is_lost, _shadow])
def test_the_same_plan_again_needs_no_confirmation(rig: Rig, way: Callable[[Rig], None]) -> None:
    way(rig)
    rig.next = [plan()]
    assert rig.run().result == "applied"
    assert rig.replans == ["dev/app"]
    assert rig.person.questions == []


def test_the_plan_that_was_shown_is_applied_as_it_is(rig: Rig) -> None:
    assert rig.run().result == "applied"
    assert rig.applied == [rig.shown]
    assert rig.replans == []
    assert rig.person.questions == []


def test_code_that_changed_since_is_requested(rig: Rig) -> None:
    """A plan made again reads the code anew: what the code says now was never shown."""
    _upstream_moves(rig)
    rig.next = [plan(change(), replace(change(), address="x.added", actions=("create",)))]
    rig.person.refuses = True
    assert rig.run().result == "blocked"
    assert rig.applied == []


def test_what_moves_while_the_question_is_open_is_confirmed_again(rig: Rig) -> None:
    _upstream_moves(rig)
    rig.next = [plan(change("second")), plan(change("third"))]

    def moves_once() -> None:
        if len(rig.person.questions) == 1:
            rig.states.now["dev/net"] = "5"

    rig.person.during = moves_once
    assert rig.run().result == "applied"
    assert len(rig.person.questions) == 2
    assert [planned.plan for planned in rig.applied] == [plan(change("third"))]


def test_what_never_stops_moving_is_given_up(rig: Rig) -> None:
    _upstream_moves(rig)
    rig.next = [plan(change(word)) for word in ("a", "b", "c", "d", "e")]
    rig.person.during = lambda: rig.states.now.update({"dev/net": f"{len(rig.person.questions)}0"})
    assert rig.run().result == "mismatch"
    assert rig.applied == []


def test_an_empty_plan_made_again_needs_no_confirmation(rig: Rig) -> None:
    _upstream_moves(rig)
    rig.plan_again = lambda stack: rig.planned("unchanged")  # type: ignore[method-assign]
    assert rig.run().result == "unchanged"
    assert rig.person.questions == []
    assert rig.records.outcomes == [("dev/app", "unchanged")]


@pytest.mark.parametrize("option", ["is_partial", "destroys"])
def test_an_empty_plan_of_a_part_moves_no_ledger(rig: Rig, option: str) -> None:
    _upstream_moves(rig)
    rig.plan_again = lambda stack: rig.planned("unchanged")  # type: ignore[method-assign]
    rig.run(**{option: True})
    assert rig.records.outcomes == []


def test_a_protected_environment_is_named_with_the_new_question(rig: Rig) -> None:
    """The first question did not name it, since nothing was to change there."""
    _unchanged_and_upstream_moves(rig)
    rig.run(protected=frozenset({"dev"}))
    assert rig.person.named == ["dev"]


def test_a_protected_environment_is_named_once(rig: Rig) -> None:
    _upstream_moves(rig)
    rig.run(protected=frozenset({"dev"}), named=frozenset({"dev"}))
    assert rig.person.named == []


def test_an_interrupt_while_it_asks_applies_nothing(rig: Rig) -> None:
    _upstream_moves(rig)
    rig.person.error = InterruptedRunError("Interrupted; nothing more was changed.")
    assert rig.run().result == "aborted"
    assert rig.applied == []


def test_an_interrupt_before_the_claim_applies_nothing(rig: Rig) -> None:
    rig.interrupted = True
    assert rig.run().result == "aborted"
    assert rig.applied == []


# Policy and gate


def test_a_plan_made_again_that_the_policy_forbids_is_blocked(rig: Rig) -> None:
    _upstream_moves(rig)
    again = rig.plan_again
    finding = Finding("error", "limits", "Too much.", "", "infra.yaml")

    def forbidden(stack: Stack) -> StackPlan:
        planned = again(stack)
        return replace(planned, report=replace(planned.report, findings=(finding,)))

    rig.plan_again = forbidden  # type: ignore[method-assign]
    report = rig.run()
    assert (report.result, report.reason) == ("blocked", "the policy forbids it: limits")
    assert rig.applied == []


def test_a_saved_plan_that_the_policy_forbids_is_blocked(rig: Rig) -> None:
    finding = Finding("error", "limits", "Too much.", "", "infra.yaml")
    rig.shown = replace(rig.shown, report=replace(rig.shown.report, findings=(finding,)))
    assert rig.run(fixed=True).result == "blocked"
    assert rig.applied == []


@dataclass
class Refuses:
    """A gate with an error; keeps the plans that it was asked about."""

    error: InfraError
    stack_plans: list[StackPlan] = field(default_factory=list)

    def check(self, stack: Stack, planned: StackPlan, before: LedgerEntry | None) -> None:
        self.stack_plans.append(planned)
        raise self.error


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (MismatchError("another plan"), "mismatch"),
        (BlockedError("nobody approved"), "blocked"),
        (SupersededError("newer"), "skipped"),
        (LockedError("no answer"), "failed"),
    ],
)
def test_the_gate_checks_the_very_plan_that_would_be_applied(
    rig: Rig, error: InfraError, result: str
) -> None:
    _upstream_moves(rig)
    rig.gate = gate = Refuses(error)
    assert rig.run().result == result
    assert [planned.plan for planned in gate.stack_plans] == [plan(change("other"))]
    assert rig.applied == []


def test_a_refused_plan_is_in_the_record_of_the_run(rig: Rig) -> None:
    rig.gate = Refuses(BlockedError("nobody approved"))
    rig.run()
    assert [note.result for note in rig.records.notes] == ["blocked"]


# Saved plans


def test_a_saved_plan_is_refused_when_its_state_moved(rig: Rig) -> None:
    _state_moves(rig)
    assert rig.run(fixed=True).result == "mismatch"
    assert (rig.applied, rig.replans) == ([], [])


def test_a_saved_plan_is_refused_when_an_output_that_it_reads_moved(rig: Rig) -> None:
    _upstream_moves(rig)
    edge = Edge("dev/net", "dev/app", "remote_state", outputs=frozenset({"id"}))
    assert rig.run(fixed=True, upstreams={"dev/app": (edge,)}).result == "mismatch"
    assert (rig.applied, rig.replans) == ([], [])


def test_a_saved_plan_stands_when_only_other_outputs_moved(rig: Rig) -> None:
    _upstream_moves(rig)
    edge = Edge("dev/net", "dev/app", "remote_state", outputs=frozenset({"id"}))
    net = StackPlan(StackReport("dev/net", "dev", "changed", outputs=("name",)), plan())
    plans = {"dev/app": rig.shown, "dev/net": net}
    executor = Executor(
        replace(rig.work, planned=plans, upstreams={"dev/app": (edge,)}, fixed=True),
        rig.states,
        rig.records,
        rig.person,
        SilentProgress(),
        rig.plan_again,
        rig.apply,
        lambda stack, error: StackReport(stack.id, stack.environment, "failed", reason=error.message),
    )
    assert executor.run({}, [["dev/app"]])["dev/app"].result == "applied"


# Others


def test_a_stack_that_another_run_holds_is_not_touched(rig: Rig) -> None:
    rig.records.refuses = LockedError("bo runs apply")
    assert rig.run().result == "failed"  # as the errors' own words have it: `explain_failure`
    assert (rig.applied, rig.replans) == ([], [])


def test_what_is_newer_is_not_gone_over(rig: Rig) -> None:
    rig.records.refuses = SupersededError("newer")
    assert rig.run().result == "skipped"
    assert rig.applied == []


@pytest.mark.parametrize("result", ["failed", "interrupted", "blocked", "locked", "mismatch", "aborted"])
def test_what_stands_on_a_stack_that_was_not_applied_is_not_touched(rig: Rig, result: Result) -> None:
    app, net = rig.shown, rig.planned()
    net = replace(net, report=replace(net.report, id="dev/net"), upstreams={})
    work = ApplyWork(
        {"dev/app": stack("dev/app"), "dev/net": stack("dev/net")}, {"dev/net": net, "dev/app": app}
    )
    touched: list[str] = []

    def apply(claim: Claim, planned: StackPlan) -> StackReport:
        touched.append(claim.stack.id)
        return replace(planned.report, result=result)

    executor = Executor(
        work,
        MemoryStates({"dev/app": "7", "dev/net": "7"}),
        rig.records,
        rig.person,
        SilentProgress(),
        lambda stack: work.planned[stack.id],
        apply,
        lambda stack, error: StackReport(stack.id, stack.environment, "failed", reason=error.message),
    )
    net_first = {"dev/app": {"dev/net"}}
    done = executor.run(net_first, [["dev/net", "dev/app"]])
    assert touched == ["dev/net"]
    assert done["dev/app"].result == "aborted"


def test_a_later_environment_waits_for_an_earlier_one_that_failed(rig: Rig) -> None:
    def planned(id_: str) -> StackPlan:
        environment = id_.split("/")[0]
        report = StackReport(id_, environment, "changed", counts=dict(NO_COUNTS))
        return StackPlan(report, plan(), rig.file, generation="1")

    ids = ("dev/app", "prod/app")
    work = ApplyWork({id_: stack(id_) for id_ in ids}, {id_: planned(id_) for id_ in ids})
    executor = Executor(
        work,
        MemoryStates(dict.fromkeys(ids, "1")),
        rig.records,
        rig.person,
        SilentProgress(),
        rig.plan_again,
        lambda claim, planned: replace(planned.report, result="failed"),
        lambda stack, error: StackReport(stack.id, stack.environment, "failed", reason=error.message),
    )
    done = executor.run({}, [["dev/app"], ["prod/app"]])
    assert done["prod/app"].result == "aborted"
    assert done["prod/app"].reason == "promotion stopped: dev/app failed"


# What makes a difference


@pytest.mark.parametrize(
    "other",
    [
        plan(change("other")),
        plan(change("new", "delete")),
        plan(change(), replace(change(), address="x.z")),
        plan(outputs={"id": OutputChange("id", ("update",), "a", "b")}),
        plan(secrets=SecretSet.of(["hunter22hunter22"])),
        plan(invocations=1),
    ],
)
def test_plans_that_do_not_do_the_same(other: Plan) -> None:
    assert same_changes(plan(), plan())
    assert not same_changes(plan(), other)


def test_refreshes_that_do_not_do_the_same() -> None:
    """A plan with -refresh-only takes the drift into the state: that is what it does."""
    nothing = replace(change(), actions=("no-op",))
    assert not same_changes(plan(nothing), plan(nothing, drift=(change("outside"),)))


def test_the_reason_to_ask(rig: Rig) -> None:
    assert reason_to_ask(rig.shown, rig.planned()) == ""
    assert "first plan" in reason_to_ask(rig.planned("waiting"), rig.planned())
    assert "no longer" in reason_to_ask(rig.shown, rig.planned(of=plan(change("other"))))


def test_a_plan_has_moved_with_its_state_or_an_upstream(rig: Rig) -> None:
    """Asked again after a lock that was lost, and by `infra resume` after its question."""
    assert not has_moved(rig.states, stack("dev/app"), rig.shown)
    _upstream_moves(rig)
    assert has_moved(rig.states, stack("dev/app"), rig.shown)


def test_an_interrupted_apply_is_finished_instead_of_the_plan(rig: Rig) -> None:
    rig.resumed = StackReport("dev/app", "dev", "applied", reason="resumed")
    assert (rig.run().reason, rig.applied, rig.records.notes) == ("resumed", [], [])


def test_a_stack_is_not_resumed_after_what_stopped_the_run(rig: Rig) -> None:
    rig.resumed = StackReport("dev/app", "dev", "applied", reason="resumed")
    rig.interrupted = True
    assert rig.run().result == "aborted"


def test_an_empty_plan_whose_repair_needs_consent_is_confirmed(rig: Rig) -> None:
    repair = Repair("it is gone", "given up", asks=("the state is given up: why",))
    rig.shown = rig.planned("unchanged", repair=repair)
    rig.gate = Refuses(BlockedError("nobody approved"))
    assert rig.run().result == "blocked"
    rig.gate = ALLOW_ALL
    assert (rig.run().reason, rig.records.outcomes) == (repair.result, [("dev/app", "unchanged")])


def test_a_repair_needs_confirmation_before_the_plan_is_made_again(rig: Rig) -> None:
    """A plan against the real backend writes an empty state where there is none."""
    rig.shown = rig.planned(repair=Repair("it is gone", "given up", asks=("why",)), shadow=True)
    rig.gate = Refuses(BlockedError("nobody approved"))
    assert rig.run().result == "blocked"
    assert rig.replans == []
