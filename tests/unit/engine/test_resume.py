"""What `infra resume` leaves alone, and what it does after the answer to its question; without Terraform."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.engine.import_attempt import ImportResult
from orchestrator.engine.inspection import inspect_nothing
from orchestrator.engine.orphans import Orphan, OrphanReport
from orchestrator.engine.ports import Consent
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.resume import StackResume, resume, unfinished
from orchestrator.engine.resume_plan import Leftovers, UnfinishedStack, run_of
from orchestrator.engine.rollout_options import NO_CHOICES, ResumeChoices
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import BlockedError, MismatchError, UsageError
from orchestrator.report.model import RunReport, StackReport
from orchestrator.repository.loading import load
from orchestrator.repository.model import Finding
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import LedgerEntry, Operation
from orchestrator.terraform.client import PlanOptions, Workdir
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

CODE = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": CODE,
    "infra/envs/dev/app/main.tf": CODE,
}
# Nobody is asked before it is known that the run is dead.
NOBODY = cast(Consent, None)


def _session(make_repo: MakeRepo, *stacks: str, commit: str = "", host: str = "elsewhere/1") -> Session:
    """A session in which another run is applying some stacks; nothing but the ledger can be used."""
    session = session_in_memory(load(make_repo(FILES).root), MemoryStorage())
    for id_ in stacks:
        ledger = session.memory.ledgers.of(session.context.project.stacks[id_])
        operation = Operation("R0", "apply", "planned", "bo", "elsewhere", commit or "c" * 40, host=host)
        begun = ledger.begin(id_, operation, None)
        assert begun.operation
        ledger.mark(begun, replace(begun.operation, phase="applying"))
    return session


def _recorder(session: Session) -> LedgerRecorder:
    return LedgerRecorder(session, "resume", RecorderOptions(), PlanOptions())


def test_a_run_that_is_heard_of_is_left_alone(make_repo: MakeRepo) -> None:
    session = _session(make_repo, "dev/net")
    report = resume(session, _recorder(session), unfinished(session, (), Path()), NOBODY, inspect_nothing)
    (stack,) = report.stacks
    assert (stack.result, "is not interrupted" in stack.reason) == ("locked", True)


def test_what_somebody_chose_is_about_one_stack(make_repo: MakeRepo) -> None:
    session = _session(make_repo, "dev/net", "dev/app")
    stacks = unfinished(session, (), Path())
    choices = ResumeChoices(forget=("google_pubsub_topic.a",))
    with pytest.raises(UsageError, match="are about one unfinished stack"):
        resume(session, _recorder(session), stacks, NOBODY, inspect_nothing, choices)


# After the repair of its state

STATE, UPSTREAM = "dev/state/app/default.tfstate", "dev/state/net/default.tfstate"
TOPIC = Orphan("google_pubsub_topic.a", "google_pubsub_topic", "a", "a", "a", certain=True)
MISSING = OrphanReport(missing=(TOPIC,))


def _state(serial: int) -> bytes:
    return json.dumps({"version": 4, "serial": serial, "lineage": "L", "resources": [{}]}).encode()


@dataclass(frozen=True)
class AnsweredQuestion:
    """Answers the question about the plan; `during` happens before the answer, `refuses` is a no."""

    during: Callable[[], Any] = lambda: None
    refuses: bool = False

    def to_apply(self, report: RunReport, *, protected: Sequence[str]) -> None:
        self.during()
        if self.refuses:
            raise BlockedError("Not confirmed; nothing was changed.")

    def to_repair(self, stack: str, findings: Sequence[str], steps: Sequence[str]) -> None:
        raise AssertionError("its state is repaired already")

    def again(self, report: StackReport, why: str, *, protected: Sequence[str]) -> None:
        raise AssertionError("it is asked about once")


class PlannedResume(StackResume):
    """The resume of dev/app, whose plan is given."""

    planned: StackPlan

    def _plan(self, leftovers: Leftovers, work: Workdir) -> ImportResult:
        return ImportResult(self.planned, work)


@dataclass(frozen=True)
class DeadApply:
    """Run R1 died while it applied dev/app, which reads the state of dev/net."""

    session: Session
    bucket: MemoryStorage

    @property
    def entry(self) -> LedgerEntry:
        entry = Ledger(self.bucket, "dev", presence=lambda _: False).entry("dev/app")
        assert entry
        return entry

    def finish(self, planned: StackPlan, answer: AnsweredQuestion, comparison: OrphanReport) -> StackReport:
        """Plan what is left, ask, apply: as after the repair of the state."""
        session, stack = self.session, self.session.context.project.stacks["dev/app"]
        recorder, entry = _recorder(session), self.entry
        dead = UnfinishedStack(stack, entry, run_of(entry), destroys=False)
        stack_resume = PlannedResume(session, recorder, dead, answer, inspect_nothing, NO_CHOICES)
        stack_resume.planned = planned
        claim = recorder.take_over(stack, entry)
        root = session.context.project.root
        work = Workdir(root, root / "data", root / "runs/R1/dev%2Fapp", {"HOME": str(root)})
        leftovers = Leftovers(None, None, is_newer=False, comparison=comparison)
        try:
            return stack_resume._take_back_and_apply(claim, work, leftovers)
        finally:
            if not claim.has_ended:
                claim.give_back()

    def plan(self) -> StackPlan:
        """A plan with changes, on the states as they are; there is no file of it."""
        states = self.session.memory.states
        app, net = (self.session.context.project.stacks[name] for name in ("dev/app", "dev/net"))
        upstreams = {"dev/net": states.generation(net) or ""}
        report = StackReport("dev/app", "dev", "changed")
        return StackPlan(report, generation=states.generation(app), upstreams=upstreams)


@pytest.fixture
def dead(make_repo: MakeRepo) -> DeadApply:
    bucket = MemoryStorage()
    for name in (STATE, UPSTREAM):
        bucket.write(name, _state(3))
    session = session_in_memory(load(make_repo(FILES).root), bucket)
    applying = LedgerRecorder(session, "apply", RecorderOptions(), PlanOptions())
    with applying.claim(session.context.project.stacks["dev/app"]) as claim:
        claim.announce(lambda: "")
        claim.start()
    return DeadApply(session, bucket)


def test_the_plan_that_was_confirmed_is_applied(dead: DeadApply) -> None:
    with pytest.raises(ValueError, match="no plan file"):
        dead.finish(dead.plan(), AnsweredQuestion(), OrphanReport())


@pytest.mark.parametrize("name", [STATE, UPSTREAM])
def test_what_moved_while_the_plan_was_confirmed_is_not_applied(dead: DeadApply, name: str) -> None:
    before = dead.entry
    answer = AnsweredQuestion(during=lambda: dead.bucket.write(name, _state(4)))
    with pytest.raises(MismatchError, match="moved while its plan was being confirmed"):
        dead.finish(dead.plan(), answer, OrphanReport())
    assert dead.entry.is_unfinished
    assert (dead.entry.result, dead.entry.attempted) == (before.result, before.attempted)


@pytest.mark.parametrize(("comparison", "is_unfinished"), [(OrphanReport(), False), (MISSING, True)])
def test_a_no_leaves_a_stack_unfinished_only_if_its_state_misses_something(
    dead: DeadApply, comparison: OrphanReport, is_unfinished: bool
) -> None:
    with pytest.raises(BlockedError, match="Not confirmed"):
        dead.finish(dead.plan(), AnsweredQuestion(refuses=True), comparison)
    assert dead.entry.is_unfinished is is_unfinished


@pytest.mark.parametrize(("comparison", "is_unfinished"), [(OrphanReport(), False), (MISSING, True)])
def test_no_confirmation_is_requested_for_a_plan_that_a_rule_forbids(
    dead: DeadApply, comparison: OrphanReport, is_unfinished: bool
) -> None:
    planned = dead.plan()
    finding = Finding("error", "policy-destroy", "prod may not be destroyed")
    planned = replace(planned, report=replace(planned.report, findings=(finding,)))
    never = AnsweredQuestion(during=lambda: pytest.fail("a forbidden plan was shown for confirmation"))
    assert dead.finish(planned, never, comparison).result == "blocked"
    assert dead.entry.is_unfinished is is_unfinished
