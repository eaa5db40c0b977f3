"""Resumes of a rollout on a bucket in memory: what moved since the gate was asked, and exceptions."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator.engine.import_attempt import ImportResult
from orchestrator.engine.inspection import inspect_nothing
from orchestrator.engine.ports import ALLOW_ALL
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.repair import Repair
from orchestrator.engine.resume_plan import (
    UnfinishedStack,
    find_leftovers,
    run_of,
    with_resume_repair,
)
from orchestrator.engine.rollout_options import RolloutOptions
from orchestrator.engine.rollout_resume import RolloutResume
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.state_location import StateLocations
from orchestrator.errors import BlockedError, LockedError, MismatchError
from orchestrator.process import Completed
from orchestrator.report.model import Result, StackReport
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project, Stack
from orchestrator.state.plan_objects import digest_key
from orchestrator.state.records import LedgerEntry, Operation
from orchestrator.terraform.client import PlanOptions, Workdir
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
STATE, LOCK = "dev/state/net/default.tfstate", "dev/state/net/default.tflock"


def state(serial: int, lineage: str = "L", resources: int = 1) -> bytes:
    content = {"version": 4, "serial": serial, "lineage": lineage, "resources": [{}] * resources}
    return json.dumps(content).encode()


@dataclass
class Scene:
    """dev/net was applied; then run R1 died while it applied the stack, with or without a state."""

    project: Project
    bucket: MemoryStorage
    options: RolloutOptions

    @property
    def stack(self) -> Stack:
        return self.project.stacks["dev/net"]

    def session(self, options: RolloutOptions | None = None) -> Session:
        session = session_in_memory(self.project, self.bucket)
        runner = SimpleNamespace(client=SimpleNamespace(root=lambda work: work.root))
        session = replace(session, terraform=cast(Any, runner))
        return (self.options if options is None else options).session(session)

    def die_while_applying(self) -> None:
        with LedgerRecorder(self.session(), "apply", RecorderOptions(), PlanOptions()).claim(
            self.stack
        ) as claim:
            claim.announce(lambda: "")
            claim.start()

    @property
    def entry(self) -> LedgerEntry:
        entry = self.session(RolloutOptions()).memory.ledgers.entry(self.stack)
        assert entry
        return entry

    @property
    def unfinished(self) -> UnfinishedStack:
        entry = self.entry
        assert entry.is_unfinished
        return UnfinishedStack(self.stack, entry, run_of(entry), destroys=False)

    @property
    def work(self) -> Workdir:
        root = self.project.root
        return Workdir(root, root / "data", root / "runs/R1/dev%2Fnet", {"HOME": str(root)})

    def lock(self, who: str) -> None:
        content = {"ID": "1", "Who": who, "Created": "2026-11-30T12:00:00Z"}
        self.bucket.write(LOCK, json.dumps(content).encode())


def scene(make_repo: MakeRepo, options: RolloutOptions | None = None) -> Scene:
    bucket = MemoryStorage()
    new_scene = Scene(load(make_repo(FILES).root), bucket, options or RolloutOptions())
    bucket.write(STATE, state(3))
    digest_key(bucket, "dev")
    session = new_scene.session()
    recorder = LedgerRecorder(session, "apply", RecorderOptions(), PlanOptions())
    with recorder.claim(new_scene.stack) as claim:
        recorder.applied(claim, "applied")
    return new_scene


def journal_line() -> bytes:
    resource = {"addr": "google_pubsub_topic.a", "resource_type": "google_pubsub_topic"}
    hook = {"resource": resource, "action": "create", "id_key": "id", "id_value": "projects/p/topics/a"}
    return json.dumps({"type": "apply_complete", "hook": hook}).encode()


MOVES: dict[str, tuple[Callable[[Scene], Any], type[Exception] | None]] = {
    "nothing": (lambda scene: None, None),
    "the dead run's lock came up": (
        lambda scene: scene.lock(f"ada@{socket.gethostname()}"),
        MismatchError,
    ),
    "somebody else locked the state": (lambda scene: scene.lock("bo@elsewhere"), LockedError),
    "a state was rescued": (
        lambda scene: scene.session().memory.ledgers.of(scene.stack).rescue("R1", "dev/net", state(9)),
        MismatchError,
    ),
    "the state was written": (lambda scene: scene.bucket.write(STATE, state(4)), MismatchError),
    "the journal goes on": (
        lambda scene: (
            scene.session()
            .memory.ledgers.of(scene.stack)
            .append_journal("R1", "dev/net", 0, [journal_line()])
        ),
        MismatchError,
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moved_during_the_question_of_the_gate_is_not_resumed(make_repo: MakeRepo, name: str) -> None:
    """Between the look and the claim somebody may have been at it: the yes was for what was seen."""
    here = scene(make_repo)
    here.die_while_applying()
    session, unfinished = here.session(), here.unfinished
    leftovers = find_leftovers(session, unfinished, here.work)
    generation = session.memory.states.generation(here.stack)
    planned = StackPlan(StackReport("dev/net", "dev", "changed"), generation=generation)
    recorder = LedgerRecorder(session, "apply", RecorderOptions(), PlanOptions())
    resume = RolloutResume(session, recorder, RolloutOptions(), ALLOW_ALL, inspect_nothing)
    move, error = MOVES[name]
    move(here)
    if error is None:
        resume._refuse_moved(unfinished, leftovers, planned, here.work)
        return
    with pytest.raises(error):
        resume._refuse_moved(unfinished, leftovers, planned, here.work)


@dataclass(frozen=True)
class PlansInTurn(RolloutResume):
    """With given plans of the interrupted apply: the one before its repair, then the one after it."""

    plans: tuple[StackPlan, ...] = ()

    def _plan(
        self, unfinished: UnfinishedStack, leftovers: Any, work: Workdir, *, is_repaired: bool
    ) -> tuple[ImportResult, StackPlan]:
        planned = self.plans[is_repaired]
        return ImportResult(planned, work), planned


@pytest.mark.parametrize(("second", "result"), [("unchanged", "mismatch"), ("changed", "reached")])
def test_a_push_after_which_the_plan_is_another_one_is_not_followed_by_an_apply(
    make_repo: MakeRepo, second: Result, result: str
) -> None:
    """The gate let through what was planned on the rescued state before it was pushed."""
    here = scene(make_repo)
    here.die_while_applying()
    session = here.session()
    session.memory.ledgers.of(here.stack).rescue("R1", "dev/net", state(9))
    here.work.run_dir.mkdir(parents=True)

    def push(work: Workdir, arguments: Sequence[str]) -> Completed:
        here.bucket.write(STATE, state(9))
        return Completed(("terraform",), 0, b"", b"", 0.1)

    client = SimpleNamespace(root=lambda work: work.root, run_raw=push)
    runner = SimpleNamespace(
        client=client, workdir=lambda stack, run="": here.work, init=lambda stack, work: None
    )
    session = replace(here.session(), terraform=cast(Any, runner))
    generation = session.memory.states.generation(here.stack)
    repair = Repair("a run was interrupted", "it was resumed")
    plans = tuple(
        StackPlan(StackReport("dev/net", "dev", word), generation=generation, repair=repair)
        for word in ("changed", second)
    )
    recorder = LedgerRecorder(session, "apply", RecorderOptions(), PlanOptions())
    resume = PlansInTurn(session, recorder, here.options, ALLOW_ALL, inspect_nothing, plans=plans)
    if result == "reached":
        # The same plan is applied; there is no file of it here.
        with pytest.raises(ValueError, match="no plan file"):
            resume._report(here.unfinished)
        return
    assert resume._report(here.unfinished).result == result
    assert here.entry.is_unfinished


def rollout_resume(here: Scene) -> RolloutResume:
    """What is reached after a refusal, such as Terraform, does not exist."""
    session = here.session()
    runner = SimpleNamespace(workdir=lambda stack, run="": here.work)
    session = replace(session, terraform=cast(Any, runner))
    recorder = LedgerRecorder(session, "apply", RecorderOptions(wait=60), PlanOptions())
    nobody = cast(Any, None)
    return RolloutResume(session, recorder, here.options, nobody, inspect_nothing, lambda: 0.0, nobody)


def test_a_rollout_of_an_older_commit_resumes_nothing(make_repo: MakeRepo) -> None:
    """What was being applied is not in its history."""
    repo, bucket = make_repo(FILES), MemoryStorage()
    older = repo.head
    repo.commit({"README.md": "newer"})
    here = Scene(load(repo.root), bucket, RolloutOptions())
    bucket.write(STATE, state(3))
    here.die_while_applying()
    repo.git("checkout", "-q", older)
    here = replace(here, project=load(repo.root))
    before = here.entry
    report = rollout_resume(here)._report(here.unfinished)
    assert (report.result, here.entry) == ("mismatch", before)


def test_a_stopped_rollout_waits_for_no_other_run(make_repo: MakeRepo) -> None:
    here = scene(make_repo)
    session = here.session()
    ledger = session.memory.ledgers.of(here.stack)
    other = Operation("R9", "apply", "planned", "bo", "elsewhere", "c" * 40, host="elsewhere/1")
    begun = ledger.begin("dev/net", other, ledger.entry("dev/net"))
    assert begun.operation
    ledger.mark(begun, replace(begun.operation, phase="applying"))
    resume = rollout_resume(here)
    resume.session.context.supervisor.interrupt()
    report = resume.finish(here.stack)
    assert report
    assert report.result in ("aborted", "interrupted")


FORGET = RolloutOptions(forgotten={"dev/net": "its project was deleted"})


def test_a_run_that_died_while_it_gave_up_a_state_leaves_one_that_can_be_resumed(
    make_repo: MakeRepo,
) -> None:
    """Terraform wrote a state of a new lineage and the run died: nobody asks for the old one."""
    here = scene(make_repo, FORGET)
    del here.bucket.objects[STATE]
    here.die_while_applying()
    here.bucket.write(STATE, state(1, "NEW"))
    entry = here.entry
    assert (entry.is_unfinished, entry.forgotten) == (True, "its project was deleted")
    assert StateLocations(here.session(RolloutOptions()).memory).check(here.stack) is None


def test_a_run_that_died_before_it_gave_up_a_state_gave_up_nothing(make_repo: MakeRepo) -> None:
    """The next run without a yes still misses the state, and one that is empty is not to be accepted."""
    here = scene(make_repo, FORGET)
    del here.bucket.objects[STATE]
    with LedgerRecorder(here.session(), "apply", RecorderOptions(), PlanOptions()).claim(here.stack):
        pass
    locations = StateLocations(here.session(RolloutOptions()).memory)
    with pytest.raises(BlockedError, match="there is no state"):
        locations.check(here.stack)
    # What a plan against the real backend writes.
    here.bucket.write(STATE, state(1, "NEW", resources=0))
    with pytest.raises(BlockedError) as caught:
        StateLocations(here.session(RolloutOptions()).memory).check(here.stack)
    assert "accept" not in caught.value.advice
    assert "forget" in caught.value.advice


def test_an_interrupted_apply_whose_state_is_given_up_takes_a_yes_for_that(make_repo: MakeRepo) -> None:
    here = scene(make_repo)
    here.die_while_applying()
    del here.bucket.objects[STATE]
    planned = StackPlan(StackReport("dev/net", "dev", "changed"))
    back = ImportResult(planned, here.work, (), (), (), is_applicable=True)
    session = here.session(FORGET)
    leftovers = find_leftovers(session, here.unfinished, here.work)
    repaired = with_resume_repair(session, here.unfinished, leftovers, back, FORGET)
    assert repaired.repair
    assert "the state is given up: its project was deleted" in repaired.repair.asks
    assert repaired.inspected.digest
    assert repaired.inspected.digest.repairs
