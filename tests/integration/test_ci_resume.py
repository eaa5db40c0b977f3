"""Interrupted applies in a rollout: resumed by itself where that is safe, else shown in the gate."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.engine.inspection import inspect_nothing
from orchestrator.engine.ledgers import this_machine
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.rollout_options import RolloutOptions
from orchestrator.engine.rollout_resume import RolloutResume
from orchestrator.engine.session import open_session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.repository.loading import load
from orchestrator.repository.model import Stack
from orchestrator.state.plan_objects import digest_key
from orchestrator.state.records import Kind, LedgerEntry, Operation
from orchestrator.terraform.client import PlanOptions
from tests.support.ci import CiProject, running
from tests.support.cli import Infra
from tests.support.merging import (
    DEV,
    FILES,
    LOOK,
    PROD,
    apply,
    gated,
    job,
    merged,
    started,
    state_of,
    status_text,
    value,
)
from tests.support.recorded_stack import CONFIG, UPSTREAM

pytestmark = pytest.mark.usefixtures("terraform_argv")

DEAD = 2**22 - 1
LOST = "https://github.com/acme/infra/actions/runs/7"
LOCK = "{0}/state/net/default.tflock"


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything is applied; each test gets a copy."""
    folder = tmp_path_factory.mktemp("applied")
    with running(folder, files=FILES) as project:
        project.recorded.apply()
        for name in ("dev", "prod"):
            ledger = project.recorded.ledger(f"{name}/net")
            digest_key(ledger.storage, ledger.folder)
    return folder


@pytest.fixture
def ci(steady_path: Path, applied: Path) -> Iterator[CiProject]:
    with running(steady_path, applied) as project:
        yield project


def lose_runner(
    ci: CiProject, stack: str, *, locked: bool = True, kind: Kind = "apply", commit: str = ""
) -> None:
    """The machine that was applying a commit (trunk's newest) to a stack is lost, and its lock stays."""
    entry = ci.recorded.at_work(stack, host=this_machine(), pid=DEAD)
    assert entry.operation
    ledger = ci.recorded.ledger(stack)
    commit = commit or ci.github.trunk
    operation = replace(entry.operation, kind=kind, commit=commit, where=LOST)
    entry = ledger.mark(replace(entry, attempted=commit), operation)
    if locked:
        generation = ci.recorded.lock(stack, who=f"runner@{socket.gethostname()}")
        ledger.heartbeat(entry, lock=generation)


def rescue(ci: CiProject, stack: str, serial: int) -> None:
    """The lost apply could not save a state that is `serial` serials newer than the one in the bucket."""
    environment = stack.partition("/")[0]
    name = f"{environment}/state/net/default.tfstate"
    _, data = ci.recorded.server.store.read_object("states", name)
    state = json.loads(data)
    state["serial"] += serial
    ci.recorded.ledger(stack).rescue("R-other", stack, json.dumps(state).encode())


def test_the_next_rollout_resumes_what_a_lost_runner_left(ci: CiProject) -> None:
    """Its lock is provably its own, and nothing is to be imported: nobody is asked."""
    number = merged(ci, {PROD: value("two")})
    lose_runner(ci, "prod/net")
    compared = job(ci, LOOK)("ci", "compare", "prod", "--json", code=0)
    assert compared.document["gate"] is False
    assert LOCK.format("prod") in ci.recorded.objects(), "the job that compares releases nothing"
    ran = apply(ci, "prod", code=0)
    assert ran.results == {"prod/net": "applied"}
    reason = ran.stack("prod/net")["reason"]
    assert "resumed the interrupted apply R-other: its lock" in reason
    assert state_of(ci, "prod/net") == "two"
    assert LOCK.format("prod") not in ci.recorded.objects()
    entry = ci.recorded.ledger("prod/net").entry("prod/net")
    assert entry
    assert (entry.result, entry.operation, entry.commit) == ("applied", None, ci.github.trunk)
    runs = {run.id: run for run in ci.recorded.ledger("prod/net").runs("prod/net")}
    lost = runs.pop("R-other")
    resuming = next(iter(runs.values()))
    assert (resuming.trigger, resuming.stacks["prod/net"].result) == ("ci", "applied")
    assert resuming.stacks["prod/net"].reason == reason
    assert (lost.trigger, lost.link) == ("ci", LOST)
    assert lost.stacks["prod/net"].result == "interrupted"
    body = status_text(ci, number, "prod")
    assert "✓ prod is done" in body
    assert "resumed the interrupted apply" in body
    assert ci.github.statuses(ci.github.trunk)["infra/apply/prod"].state == "success"


def test_a_resume_that_pushes_a_state_is_shown_in_the_gate(ci: CiProject) -> None:
    number = merged(ci, {PROD: value("two")})
    lose_runner(ci, "prod/net")
    rescue(ci, "prod/net", 3)
    refused = apply(ci, "prod", code=4)
    assert refused.results == {"prod/net": "blocked"}
    assert "the apply R-other was interrupted" in refused.stack("prod/net")["reason"]
    entry = ci.recorded.ledger("prod/net").entry("prod/net")
    assert entry
    assert entry.operation
    assert entry.operation.lock, "what was noted of the lost run stays"
    looks = job(ci, LOOK)
    compared = looks("ci", "compare", "prod", "--report", "report", "--json", code=0)
    gate = gated(ci, compared)
    ran = apply(ci, "prod", *gate, code=0)
    assert ran.results == {"prod/net": "applied"}
    assert "pushed" in ran.stack("prod/net")["reason"]
    assert state_of(ci, "prod/net") == "two"
    assert "✓ prod is done" in status_text(ci, number, "prod")


def test_a_resume_that_takes_a_yes_can_be_approved_by_a_pull_request(ci: CiProject) -> None:
    """Where the gate has no reviewers nothing else would let it through."""
    merged(ci, {PROD: value("two")})
    ci.github.environment("prod-approval")
    lose_runner(ci, "prod/net")
    rescue(ci, "prod/net", 3)
    assert apply(ci, "prod", code=4).results == {"prod/net": "blocked"}
    ada = Infra(ci.checkout(ci.github.trunk), {**job(ci).env, "GITHUB_TOKEN": ci.github.token("ada")})
    number = ada("ci", "approve", "prod", "--json", code=0).document["pull_request"]
    ci.job(number)("ci", "plan", code=0)
    ci.github.review(number)
    ci.github.merge(number)
    ran = apply(ci, "prod", code=0)
    assert ran.results == {"prod/net": "applied"}
    assert "pushed" in ran.stack("prod/net")["reason"]
    assert state_of(ci, "prod/net") == "two"


def test_where_nothing_needs_an_approval_a_comment_is_the_yes(ci: CiProject) -> None:
    number = merged(ci, {DEV: value("two")})
    ci.github.environment("dev-approval")
    lose_runner(ci, "dev/net")
    rescue(ci, "dev/net", 3)
    refused = apply(ci, "dev", code=4)
    assert refused.results == {"dev/net": "blocked"}
    assert "`/infra resume dev/net`" in status_text(ci, number, "dev")
    ran = apply(ci, "dev", "--resume", "dev/net", code=0)
    assert ran.results == {"dev/net": "applied"}
    assert state_of(ci, "dev/net") == "two"


def test_of_two_resumes_at_once_one_does_it(ci: CiProject) -> None:
    """Another run resumes the stack between our look and our claim: ours changes nothing more."""
    merged(ci, {PROD: value("two")})
    lose_runner(ci, "prod/net")
    infra = job(ci)
    session = open_session(load(infra.root), infra.env, SilentProgress(), ci_command=True)
    before = session.memory.ledgers.entry(session.context.project.stacks["prod/net"])

    class Meanwhile:
        def check(self, stack: Stack, planned: StackPlan, before: LedgerEntry | None) -> None:
            assert apply(ci, "prod", code=0).results == {"prod/net": "applied"}

    recorder = LedgerRecorder(session, "apply", RecorderOptions(), PlanOptions())
    late = RolloutResume(session, recorder, RolloutOptions(), Meanwhile(), inspect_nothing)
    assert before
    report = late.finish(session.context.project.stacks["prod/net"])
    assert report
    assert (report.result, state_of(ci, "prod/net")) == ("locked", "two")
    entry = ci.recorded.ledger("prod/net").entry("prod/net")
    assert entry
    assert (entry.result, entry.operation) == ("applied", None)


def test_a_late_yes_to_a_resume_that_another_run_has_made_changes_nothing(ci: CiProject) -> None:
    """Two runs show the same resume in their gates; the second is let through when the first is done."""
    number = merged(ci, {PROD: value("two")})
    lose_runner(ci, "prod/net")
    rescue(ci, "prod/net", 3)
    compared = job(ci, LOOK)("ci", "compare", "prod", "--json", code=0)
    gate = gated(ci, compared)
    assert apply(ci, "prod", *gate, code=0).results == {"prod/net": "applied"}
    _, data = ci.recorded.server.store.read_object("states", "prod/state/net/default.tfstate")
    late = apply(ci, "prod", *gate, code=0)
    assert late.results == {"prod/net": "skipped"}
    assert "is applied there already" in late.stack("prod/net")["reason"]
    assert ci.recorded.server.store.read_object("states", "prod/state/net/default.tfstate")[1] == data
    assert "✓ prod is done" in status_text(ci, number, "prod")


def test_an_interrupted_destroy_of_a_deleted_stack_is_finished(ci: CiProject) -> None:
    """Its code is that of the commit that was applied, and the yes is the same as for the destroy itself."""
    old = "infra/envs/prod/old/main.tf"
    policy = "policy: {deleted_stacks: destroy, destroy: {prod: warn}}\n"
    started(ci, {"infra.yaml": CONFIG + policy, old: UPSTREAM})
    trunk = ci.github.trunk
    merged(ci, {old: None}, review=False)
    lose_runner(ci, "prod/old", locked=False, kind="destroy", commit=trunk)
    assert apply(ci, "prod", code=4).results == {"prod/old": "blocked"}
    gate = gated(ci, job(ci, LOOK)("ci", "compare", "prod", "--json", code=0))
    ran = apply(ci, "prod", *gate, code=0)
    assert ran.results == {"prod/old": "destroyed"}
    assert "resumed the interrupted apply R-other" in ran.stack("prod/old")["reason"]
    _, data = ci.recorded.server.store.read_object("states", "prod/state/old/default.tfstate")
    assert not json.loads(data)["resources"]
    entry = ci.recorded.ledger("prod/old").entry("prod/old")
    assert entry
    assert (entry.result, entry.operation) == ("destroyed", None)


def test_what_a_lost_runner_made_is_taken_back_in_a_rollout(tmp_path: Path) -> None:
    """Its disk is gone: the ledger names what no state knows, and the import changes nothing."""
    pytest.importorskip("grpc")
    if not Path("/proc/self/cwd").exists():
        pytest.skip("looks for processes in /proc")
    from tests.support.crash.lab import CONFIG, CrashLab, finished
    from tests.support.crash.watched import CloudStep

    lab = CrashLab(tmp_path / "lab", CONFIG.replace("dev: {", "dev: {protected: false, "))
    try:
        with lab.round(CloudStep("before create fourth", 1), "both") as round_:
            round_.env = {**round_.env, "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/infra"}
            apply_dev = ("ci", "apply", "dev", "--parallelism", "1", "--json")
            finished(round_.start(*apply_dev))
            assert round_.trigger.struck
            assert round_.exists() != round_.known()
            shutil.rmtree(round_.root / ".infra/runs")
            done = round_.infra(*apply_dev)
            assert done.code == 0, done.out + done.err
            (app,) = [stack for stack in done.document["stacks"] if stack["id"] == "dev/app"]
            assert app["result"] == "applied"
            assert "resumed the interrupted apply" in app["reason"]
            assert re.search(r"google_pubsub_topic.third \(\S+\) is taken back", app["reason"])
            assert round_.exists() == round_.known()
            assert not round_.locks()
    finally:
        lab.close()


# What else a rollout repairs


def test_a_state_that_is_gone_is_given_up_through_the_gate(ci: CiProject) -> None:
    """Nothing is created a second time without a yes; what was asked for is in the history."""
    ci.recorded.server.store.delete_object("states", "prod/state/net/default.tfstate")
    forget = ("--forget", "prod/net its project was deleted")
    refused = apply(ci, "prod", *forget, code=4)
    assert refused.results == {"prod/net": "blocked"}
    assert "the state is given up: its project was deleted" in refused.stack("prod/net")["reason"]
    compared = job(ci, LOOK)("ci", "compare", "prod", *forget, "--json", code=0)
    ran = apply(ci, "prod", *forget, *gated(ci, compared), code=0)
    assert ran.results == {"prod/net": "applied"}
    assert state_of(ci, "prod/net") == "one"
    record = ci.recorded.ledger("prod/net").runs("prod/net")[0].stacks["prod/net"]
    assert "the state is given up: its project was deleted" in record.reason
    assert "has a state" in job(ci, LOOK)("ci", "compare", "prod", *forget, code=3).err


def test_a_commit_that_trunk_does_not_have_is_gone_over_through_the_gate(ci: CiProject) -> None:
    unknown_commit = "1234567890" * 4
    ledger = ci.recorded.ledger("prod/net")
    entry = ledger.entry("prod/net")
    assert entry
    begun = ledger.begin(
        "prod/net", Operation("R-gone", "apply", "planned", "ada", "here", unknown_commit), entry
    )
    ledger.finish(replace(begun, commit=unknown_commit, result="applied", from_trunk=True))
    number = merged(ci, {PROD: value("two")})
    skipped = apply(ci, "prod")
    assert skipped.results == {"prod/net": "skipped"}
    assert "comment `/infra apply prod --supersede 1234567890`" in status_text(ci, number, "prod")
    over = ("--supersede", "1234567890")
    assert apply(ci, "prod", *over, code=4).results == {"prod/net": "blocked"}
    # A run that goes over it is lost: it takes the same yes, and neither less nor another way.
    lose_runner(ci, "prod/net")
    assert apply(ci, "prod").results == {"prod/net": "skipped"}
    refused = apply(ci, "prod", *over, code=4)
    assert "1234567890 is gone over" in refused.stack("prod/net")["reason"]
    compared = job(ci, LOOK)("ci", "compare", "prod", *over, "--json", code=0)
    ran = apply(ci, "prod", *over, *gated(ci, compared), code=0)
    assert ran.results == {"prod/net": "applied"}
    assert "1234567890 is gone over" in ran.stack("prod/net")["reason"]
    assert state_of(ci, "prod/net") == "two"


def test_a_declared_move_is_shown_on_the_pull_request_and_carried_out(ci: CiProject) -> None:
    """From the plan to the apply, behind the gate of a protected environment."""
    config = (
        "version: 1\nbackend:\n  gcs: {bucket: states, prefix: '{environment}/moved/{stack}'}\nstacks:\n"
        "  dev/net: {moved_from: 'gs://states/dev/state/net'}\n"
        "  prod/net: {moved_from: 'gs://states/prod/state/net'}\n"
    )
    number = merged(ci, {"infra.yaml": config, PROD: value("two")}, review=False)
    assert "the next apply copies it" in ci.body(number)
    refused = apply(ci, "prod", code=4)
    assert refused.results == {"prod/net": "blocked"}
    compared = job(ci, LOOK)("ci", "compare", "prod", "--json", code=0)
    ran = apply(ci, "prod", *gated(ci, compared), code=0)
    assert ran.results == {"prod/net": "applied"}
    _, data = ci.recorded.server.store.read_object("states", "prod/moved/net/default.tfstate")
    assert json.loads(data)["outputs"]["x"]["value"] == "two"
    assert state_of(ci, "prod/net") == "one", "the source is kept"
    assert "✓ prod is done" in status_text(ci, number, "prod")
