"""With which commit and which state a stack is compared, and what an apply of a part means for that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.config.drift import Drift
from orchestrator.drift.check import CheckSettings, check_stack, explain_partial, select_commit
from orchestrator.drift.check_all import DriftRequest, check_drift
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.drift.throttle import Throttle
from orchestrator.engine.folders import Folders
from orchestrator.engine.provider_schemas import ProviderSchemas
from orchestrator.engine.session import Session
from orchestrator.errors import TerraformError
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project, Stack
from orchestrator.state.records import LedgerEntry
from orchestrator.terraform.client import PlanOptions, Workdir
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

COMMIT = "c" * 40


def test_uncommitted_code_is_compared_with_its_commit_and_no_drift() -> None:
    entry = LedgerEntry("dev/app", commit=f"{COMMIT}+uncommitted", result="applied")
    assert select_commit(entry) == COMMIT
    assert "in no commit" in explain_partial(entry)
    failed = LedgerEntry("dev/app", commit="b" * 40, result="failed", attempted=f"{COMMIT}+uncommitted")
    assert select_commit(failed) == COMMIT


def test_a_stack_that_was_applied_whole_is_not_partial() -> None:
    assert explain_partial(LedgerEntry("dev/app", commit=COMMIT, attempted=COMMIT, result="applied")) == ""


# Which state is checked


FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
STATE = "dev/state/net/default.tfstate"


@dataclass
class PlansNothing:
    """A Terraform that notes from which state it is to plan, None for that of the backend, and fails."""

    project: Project
    folders: Folders
    states: list[bytes | None] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return self

    def binary_of(self, stack: Stack) -> Any:
        return self

    def is_older_than(self, version: str) -> bool:
        return False

    def init(self, stack: Stack, work: Workdir, *, shadow: bool = False) -> None:
        """Nothing."""

    def plan_options(self, stack: Stack, options: PlanOptions) -> PlanOptions:
        return options

    def workdir(self, stack: Stack) -> Workdir:
        root = self.project.root / stack.path
        return Workdir(root, self.folders.data(stack.id), self.folders.run("R1", stack.id), {})

    def plan(self, work: Workdir, options: PlanOptions, on_progress: Any) -> Any:
        shadow = work.root / "new.tfstate"
        self.states.append(shadow.read_bytes() if shadow.exists() else None)
        raise TerraformError("Noted.")


def state(serial: int = 3, lineage: str = "L") -> bytes:
    content = {"version": 4, "serial": serial, "lineage": lineage, "resources": [{}]}
    return json.dumps(content).encode()


@dataclass
class AppliedStack:
    """The stack dev/net, applied at HEAD with serial 3 of lineage L."""

    session: Session
    bucket: MemoryStorage
    terraform: PlansNothing
    entry: LedgerEntry

    def check(self, moved_from: str | None = None, **entry: Any) -> StackDrift:
        stack = self.session.context.project.stacks["dev/net"]
        settings = CheckSettings(
            Drift(),
            ProviderSchemas(Path()),
            Throttle(),
            date(2026, 1, 1),
            lambda stack, entry: (entry, False),
        )
        stack = replace(stack, moved_from=moved_from)
        return check_stack(self.session, stack, replace(self.entry, **entry), settings)


@pytest.fixture
def bench(make_repo: MakeRepo) -> AppliedStack:
    project, bucket = load(make_repo(FILES).root), MemoryStorage()
    session = session_in_memory(project, bucket)
    terraform = PlansNothing(project, session.context.folders)
    entry = LedgerEntry(
        "dev/net",
        commit=project.commit or "",
        fingerprint=project.fingerprint("dev/net"),
        result="applied",
        serial=3,
        lineage="L",
        state=f"gs://b/{STATE}",
        state_generation="7",
    )
    return AppliedStack(replace(session, terraform=cast(Any, terraform)), bucket, terraform, entry)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (state(lineage="M"), "has lineage M; the ledger knows L"),
        (state(serial=2), "is older than what was recorded: it has serial 2"),
        (None, "its object was deleted"),
    ],
)
def test_a_state_of_which_no_plan_is_made_is_blocked(
    bench: AppliedStack, now: bytes | None, words: str
) -> None:
    if now:
        bench.bucket.write(STATE, now)
    stack = bench.check()
    assert (stack.result, stack.failed, bench.terraform.states) == ("blocked", True, [])
    assert words in stack.reason
    assert "infra state" in stack.advice
    assert DriftReport(cast(Any, None), (stack,)).exit_code == 4


def test_the_recorded_state_is_checked(bench: AppliedStack) -> None:
    bench.bucket.write(STATE, state())
    assert bench.check().reason == "Noted."
    assert bench.terraform.states == [None]


def test_a_state_that_was_moved_is_read_where_the_ledger_has_it(bench: AppliedStack) -> None:
    """The code of the commit that was applied names the location from before the move, with the old copy."""
    bench.bucket.write(STATE, state())
    bench.bucket.write("new/net/default.tfstate", state(serial=4))
    moved: Mapping[str, str] = {"state": "gs://b/new/net/default.tfstate"}
    bench.check(**moved)
    assert bench.terraform.states == [state(serial=4)]
    assert bench.check(**moved, lineage="M").result == "blocked"
    assert len(bench.terraform.states) == 1


def test_a_state_that_has_yet_to_move_is_read_where_moved_from_has_it(bench: AppliedStack) -> None:
    old = "gs://b/old/net/default.tfstate"
    bench.bucket.write("old/net/default.tfstate", state())
    bench.check(moved_from=old, state="")
    assert bench.terraform.states == [state()]


def test_where_only_ci_applies_the_advice_is_what_works_there(make_repo: MakeRepo) -> None:
    files = {**FILES, "infra.yaml": FILES["infra.yaml"] + "environments: {dev: {apply: ci}}\n"}
    project = load(make_repo(files).root)
    (stack,) = check_drift(session_in_memory(project, MemoryStorage()), DriftRequest(("dev/net",))).stacks
    assert (stack.result, stack.reason) == ("unchecked", "it was never applied by infra")
    assert stack.advice.startswith("`/infra apply dev`")
