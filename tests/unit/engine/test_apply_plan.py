"""What the ledger and the report say of an apply that ended, whatever Terraform could still release."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator.engine.apply_plan import STALE, ResumedApply, _apply, planned_lines, record_outcome
from orchestrator.engine.claims import Claim
from orchestrator.engine.ledgers import Ledgers, this_machine
from orchestrator.engine.leftovers import own_lock
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.status import StatusReader
from orchestrator.errors import PartialError
from orchestrator.plan.model import AttributeChange, Plan, ResourceChange
from orchestrator.report.model import StackReport
from orchestrator.repository.loading import load
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import LedgerEntry
from orchestrator.terraform.client import ApplyOutcome, Diagnostic, PlanOptions, Workdir
from orchestrator.terraform.model import LockHolder
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
STATE, LOCK = "dev/state/net/default.tfstate", "dev/state/net/default.tflock"
ENTRY = "dev/ledger/stacks/net.json"
NETWORK = "google_compute_network.main"
NOT_RELEASED = Diagnostic("error", "Error releasing the state lock")


@dataclass
class ClaimedStack:
    """A stack of a project whose bucket is in memory, claimed by a run whose Terraform has just ended."""

    session: Session
    bucket: MemoryStorage
    recorder: LedgerRecorder
    claim: Claim
    journal: Path

    def write_lock(self, who: str = "") -> None:
        _write_lock(self.bucket, who)

    def end(
        self, *diagnostics: Diagnostic, ok: bool = False, resumed: ResumedApply | None = None, **more: Any
    ) -> StackReport:
        """Report how Terraform ended: it failed, unless `ok`."""
        options = {"ended": "exited", **more}
        outcome = ApplyOutcome(ok, int(not ok), journal=self.journal, diagnostics=diagnostics, **options)
        planned = StackPlan(StackReport("dev/net", "dev", "changed"), generation="1")
        return record_outcome(
            self.recorder, self.claim, planned, outcome, self.recorder.options.destroy, resumed
        )

    def write_journal(self, *events: tuple[str, str], error: str = "") -> None:
        """What Terraform wrote of creating the network: hooks by type and id, then an error of it."""
        resource = {"addr": NETWORK, "resource_type": "google_compute_network"}
        lines: list[dict[str, Any]] = [
            {"type": kind, "hook": {"resource": resource, "action": "create", "id_value": identity}}
            for kind, identity in events
        ]
        if error:
            diagnostic = {"severity": "error", "summary": error, "detail": "", "address": NETWORK}
            lines.append({"type": "diagnostic", "diagnostic": diagnostic})
        self.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def entry(self) -> LedgerEntry:
        """What the ledger says once the process is gone."""
        entry = Ledger(self.bucket, "dev", presence=lambda _: False).entry("dev/net")
        assert entry is not None
        return entry

    def status(self) -> tuple[str, str]:
        """What `infra status` says to another process, and advises."""
        states = self.session.memory.states
        ledgers = Ledgers(
            self.session.context.project, states, {"HOME": str(self.session.context.project.root)}
        )
        (stack_status,) = StatusReader(self.session.context.project, states, ledgers).of(["dev/net"])
        return stack_status.status, stack_status.advice


def _write_lock(bucket: MemoryStorage, who: str = "") -> None:
    content = {"ID": "1", "Who": who or f"ada@{socket.gethostname()}", "Created": "2026-11-30T12:00:00Z"}
    bucket.write(LOCK, json.dumps(content).encode())


def _bench(
    make_repo: MakeRepo, kind: str = "apply", *, locked_by: str | None = None, refresh_only: bool = False
) -> ClaimedStack:
    """`locked_by` takes the state's lock before Terraform starts; "" is another Terraform of this machine."""
    project = load(make_repo(FILES).root)
    bucket = MemoryStorage()
    session = session_in_memory(project, bucket)
    bucket.write(STATE, json.dumps({"version": 4, "serial": 1, "lineage": "l"}).encode())
    options = PlanOptions(destroy=kind == "destroy", refresh_only=refresh_only)
    recorder = LedgerRecorder(session, cast(Any, kind), RecorderOptions(), options)
    with recorder.claim(project.stacks["dev/net"]) as claim:
        if locked_by is not None:
            _write_lock(bucket, locked_by)
            bucket.clock += timedelta(seconds=30)
        claim.announce(lambda: "")
        claim.start()
    journal = project.root / "journal.jsonl"
    journal.write_text("{}\n")
    return ClaimedStack(session, bucket, recorder, claim, journal)


@pytest.mark.parametrize("kind", ["apply", "destroy"])
@pytest.mark.parametrize("summary", [NOT_RELEASED.summary, STALE])
def test_a_lock_that_terraform_left_is_unfinished_work(make_repo: MakeRepo, kind: str, summary: str) -> None:
    bench = _bench(make_repo, kind)
    bench.write_lock()
    report = bench.end(Diagnostic("error", summary), NOT_RELEASED)
    assert (report.result, report.exit_code(applying=True, detailed=False)) == ("interrupted", 7)
    assert report.advice.startswith("`infra resume dev/net`")
    assert bench.status()[0] == "unfinished"
    assert "infra resume dev/net" in bench.status()[1]
    entry = bench.entry()
    assert (entry.result, entry.operation) == ("interrupted", None)
    assert own_lock(bench.session.memory.states.lock(bench.claim.stack), entry)


def test_a_lock_whose_answer_was_lost_is_unfinished_work(make_repo: MakeRepo) -> None:
    bench = _bench(make_repo)
    bench.write_lock()
    report = bench.end(locked=LockHolder(id="7", who="ada@here"))
    assert (report.result, bench.status()[0]) == ("interrupted", "unfinished")
    assert own_lock(bench.session.memory.states.lock(bench.claim.stack), bench.entry())


@pytest.mark.parametrize("who", ["grace@elsewhere", ""])
def test_a_lock_that_was_there_before_is_no_unfinished_work(make_repo: MakeRepo, who: str) -> None:
    bench = _bench(make_repo, locked_by=who)
    report = bench.end(locked=LockHolder(id="7", who="somebody"))
    assert (report.result, bench.status()[0]) == ("locked", "pending")
    assert bench.entry().operation is None


def test_anybody_elses_lock_makes_a_failed_apply_no_unfinished_one(make_repo: MakeRepo) -> None:
    bench = _bench(make_repo)
    bench.write_lock("grace@elsewhere")
    report = bench.end(Diagnostic("error", "no such network"))
    assert (report.result, bench.entry().result, bench.entry().left_lock) == ("failed", "failed", "")


@pytest.mark.parametrize("reason", ["locked", "stale", "began"])
def test_a_claim_that_cannot_be_given_back_is_reported_as_the_ledger_has_it(
    make_repo: MakeRepo, reason: str
) -> None:
    bench = _bench(make_repo)
    bench.bucket.fails = lambda call, name: call == "write" and name == ENTRY
    if reason == "locked":
        report = bench.end(locked=LockHolder(id="7", who="grace@elsewhere"))
    elif reason == "stale":
        report = bench.end(Diagnostic("error", STALE))
    else:
        bench.journal.write_text("")
        report = bench.end(ended="interrupted")
    assert report.result == "interrupted"
    assert "infra resume dev/net" in report.advice
    assert bench.entry().is_unfinished


def test_a_run_that_ends_while_it_is_looked_for_was_not_cut_off(make_repo: MakeRepo) -> None:
    """It wrote how it ended after its entry was read, and before its process was found gone."""
    bench = _bench(make_repo)
    operation = bench.entry().operation
    assert operation is not None
    text = replace(operation, run="R0", host=this_machine(), pid=1, pid_started="another process")
    applying = bench.claim.ledger.mark(bench.claim.entry, text)
    reads: list[str] = []

    def ends_after_its_first_read(call: str, name: str) -> bool:
        if (call, name) == ("read", ENTRY):
            reads.append(name)
            if len(reads) == 2:
                bench.claim.ledger.finish(replace(applying, result="applied"))
        return False

    bench.bucket.fails = ends_after_its_first_read
    other = LedgerRecorder(bench.session, "apply", RecorderOptions(), PlanOptions())
    with other.claim(bench.claim.stack) as claim:
        assert claim.before is not None
        assert (claim.before.result, claim.waited) == ("applied", True)


def test_a_run_that_was_cut_off_is_not_looked_for_again_and_again(make_repo: MakeRepo) -> None:
    bench = _bench(make_repo)
    operation = bench.entry().operation
    assert operation is not None
    text = replace(operation, run="R0", host=this_machine(), pid=1, pid_started="another process")
    bench.claim.ledger.mark(bench.claim.entry, text)
    other = LedgerRecorder(bench.session, "apply", RecorderOptions(), PlanOptions())
    with pytest.raises(PartialError, match="interrupted"), other.claim(bench.claim.stack):
        pass


@pytest.mark.parametrize(
    ("error", "result"),
    [
        ("Plugin did not respond", "interrupted"),
        ("Post: EOF", "interrupted"),
        ("googleapi: Error 409: already exists", "failed"),
    ],
)
def test_a_create_whose_answer_was_lost_is_unfinished_whoever_died(
    make_repo: MakeRepo, error: str, result: str
) -> None:
    bench = _bench(make_repo)
    bench.write_journal(("apply_start", ""), ("apply_errored", ""), error=error)
    report = bench.end(Diagnostic("error", error), failed=(NETWORK,))
    assert (report.result, bench.entry().result) == (result, result)
    assert any("nobody knows whether it was created" in note for note in report.notes) == (
        result == "interrupted"
    )
    assert (bench.status()[0] == "unfinished") == (result == "interrupted")


def test_a_create_that_was_begun_and_not_finished_is_unfinished(make_repo: MakeRepo) -> None:
    bench = _bench(make_repo)
    bench.write_journal(("apply_start", ""))
    report = bench.end(Diagnostic("error", "x"), unfinished=(NETWORK,))
    assert (report.result, bench.entry().result) == ("interrupted", "interrupted")


def test_a_finished_create_that_was_not_saved_is_known_to_exist(make_repo: MakeRepo) -> None:
    """Terraform saves a remote state every 20 seconds; what it created after that is in its journal."""
    bench = _bench(make_repo)
    bench.write_journal(("apply_start", ""), ("apply_complete", "projects/p/global/networks/main"))
    report = bench.end(Diagnostic("error", "killed"), unfinished=(NETWORK,))
    assert [note for note in report.notes if "network" in note] == [
        f"created, and not in the saved state: {NETWORK} (projects/p/global/networks/main)"
    ]


def test_what_the_state_has_was_not_lost(make_repo: MakeRepo) -> None:
    """A create that failed halfway is in the state, tainted."""
    bench = _bench(make_repo)
    bench.write_journal(("apply_start", ""), ("apply_errored", ""), error="EOF")
    network = {"mode": "managed", "type": "google_compute_network", "name": "main", "instances": [{}]}
    bench.bucket.write(STATE, json.dumps({"version": 4, "serial": 2, "resources": [network]}).encode())
    assert bench.end(Diagnostic("error", "EOF"), failed=(NETWORK,)).result == "failed"


def test_a_failed_resume_leaves_the_stack_unfinished(make_repo: MakeRepo) -> None:
    bench = _bench(make_repo)
    report = bench.end(Diagnostic("error", "no such network"), resumed=ResumedApply())
    assert (report.result, bench.entry().result) == ("interrupted", "interrupted")
    assert "infra resume dev/net" in report.advice


def test_a_resume_that_could_not_import_all_leaves_the_stack_unfinished(make_repo: MakeRepo) -> None:
    bench = _bench(make_repo)
    report = bench.end(ok=True, resumed=ResumedApply((f"{NETWORK} (main): Bad id",), "Import it by hand."))
    assert (report.result, bench.entry().result) == ("interrupted", "interrupted")
    assert f"{NETWORK} (main): Bad id" in report.reason
    assert report.advice == "Import it by hand."
    assert report.exit_code(applying=True, detailed=False) == 7


def test_a_complete_resume_ends_the_unfinished_work(make_repo: MakeRepo) -> None:
    bench = _bench(make_repo)
    assert (bench.end(ok=True, resumed=ResumedApply()).result, bench.entry().result) == ("applied", "applied")


def test_the_plan_notes_what_an_import_id_is_made_of_and_what_is_replaced() -> None:
    attributes = (
        AttributeChange("id", "old-id", None, unknown=True),
        AttributeChange("rule_number", 90, 100),
        AttributeChange("egress", None, False),
        AttributeChange("network_acl_id", "acl-1", "acl-1"),
        AttributeChange("protocol", None, "tcp", sensitive=True),
        AttributeChange("cidr_block", None, "10.0.0.0/8"),
    )
    change = ResourceChange(
        "aws_network_acl_rule.x", ("delete", "create"), "aws_network_acl_rule", attributes=attributes
    )
    (line,) = planned_lines(Plan("1.11.4", "1.2", (change,)))
    document = json.loads(line)
    assert document["values"] == {"rule_number": "100", "egress": "false", "network_acl_id": "acl-1"}
    assert document["replaces"] == "old-id"


@pytest.mark.parametrize("refresh_only", [True, False])
def test_a_refresh_applies_no_part_of_a_commit(make_repo: MakeRepo, refresh_only: bool) -> None:
    """Else the next check for drift would call that commit applied in part."""
    bench = _bench(make_repo, refresh_only=refresh_only)
    assert bench.end(ok=True).result == "applied"
    assert bool(bench.entry().attempted) is not refresh_only


GONE = LockHolder()
MEANWHILE: dict[str, tuple[LockHolder | None, Callable[[ClaimedStack], Any], int]] = {
    "nothing": (GONE, lambda bench: None, 2),
    "no lock kept it out": (None, lambda bench: None, 1),
    "somebody has the lock": (LockHolder(id="7", who="grace@elsewhere"), lambda bench: None, 1),
    "who had the lock applied": (GONE, lambda bench: bench.bucket.write(STATE, b"{}"), 1),
}


@pytest.mark.parametrize("name", MEANWHILE)
def test_a_lost_race_for_a_lock_is_run_again_only_on_the_state_that_was_planned(
    make_repo: MakeRepo, name: str
) -> None:
    """Terraform would refuse the plan as stale, and report a failed apply."""
    locked, happens, attempts = MEANWHILE[name]
    bench = _bench(make_repo)
    ended = ApplyOutcome(False, 1, "exited", bench.journal)
    outcomes = [replace(ended, locked=locked), replace(ended, ok=True)]
    client = SimpleNamespace(apply=lambda *arguments, **options: outcomes.pop(0))
    bench.recorder.session = replace(bench.session, terraform=cast(Any, SimpleNamespace(client=client)))
    states, stack = bench.session.memory.states, bench.claim.stack
    planned = StackPlan(StackReport("dev/net", "dev", "changed"), generation=states.generation(stack))
    root = bench.session.context.project.root
    work, plan_file = Workdir(root, root / "data", root / "run", {}), root / "plan.tfplan"
    _apply(
        bench.recorder,
        bench.claim,
        work,
        planned,
        plan_file,
        on_line=lambda line: None,
        sleep=lambda seconds: happens(bench),
    )
    assert len(outcomes) == 2 - attempts
