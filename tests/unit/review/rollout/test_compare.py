"""What is pending in an environment, and what an apply says of a plan that is not what was approved."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.engine.inspection import Inspect, PlanInspection, inspect_nothing
from orchestrator.engine.pipeline import LAST_START
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.repair import Repair
from orchestrator.engine.session import Session, open_session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import MismatchError
from orchestrator.plan.digest import Digest, ResourceDigest
from orchestrator.plan.digest_comparison import DigestDifference
from orchestrator.report.model import NO_COUNTS, StackReport
from orchestrator.repository.loading import load
from orchestrator.review.approvals import Approvals, Verdict
from orchestrator.review.gate import Gate
from orchestrator.review.pending_rules import PendingRules
from orchestrator.review.promotion import EnvironmentPromotion
from orchestrator.review.rollout.compare import (
    TrunkGate,
    compare_environment,
    explain_due_checks,
    find_pending_work,
)
from orchestrator.review.volatile_attributes import VolatileAttributes
from orchestrator.state.promotion_store import CheckResult, PromotionRecord
from orchestrator.state.records import LedgerEntry, Operation
from tests.conftest import MakeRepo
from tests.support.approving import APP, FILES, ApprovingInMemory

CONFIG = """version: 1
environments:
  dev: {checks: [{name: smoke, command: ["true"]}]}
  prod: {}
policy: {deleted_stacks: destroy}
"""
STACK = 'resource "terraform_data" "x" {}\n'


def applied(session: Session, *stacks: str) -> None:
    """Record that stacks are applied at the session's commit."""
    project = session.context.project
    ledger = session.memory.ledgers.of(project.stacks[stacks[0]])
    for id_ in stacks:
        operation = Operation("R-1", "apply", "planned", "ada", "here", session.context.info.commit)
        entry = ledger.begin(id_, operation, None)
        ledger.finish(
            LedgerEntry(
                id_,
                commit=session.context.info.commit,
                fingerprint=project.fingerprint(id_),
                result="applied",
                operation=entry.operation,
                generation=entry.generation,
            )
        )


def opened(make_repo: MakeRepo) -> Session:
    """A session in which dev/a and dev/b are applied at trunk."""
    repo = make_repo(
        {
            "infra.yaml": CONFIG,
            "infra/envs/dev/a/main.tf": STACK,
            "infra/envs/dev/b/main.tf": STACK,
            "infra/envs/prod/a/main.tf": STACK,
        }
    )
    session = open_session(load(repo.root), dict(os.environ), SilentProgress())
    applied(session, "dev/a", "dev/b")
    repo.remove("infra/envs/dev/b/main.tf")
    repo.commit({}, "Without b")
    return open_session(load(repo.root), dict(os.environ), SilentProgress())


def test_a_deleted_stack_alone_makes_the_checks_due(make_repo: MakeRepo) -> None:
    session = opened(make_repo)
    pending, request, deleted = find_pending_work(session.memory, "dev")
    assert (pending, request.stacks) == ({"dev/b": "its code is gone"}, ())
    assert [stack.stack.id for stack in deleted] == ["dev/b"]
    # The checks passed at this commit, and then the stack's destruction failed, say.
    promotions = session.memory.ledgers.promotions("dev")
    assert promotions
    passed = {"smoke": CheckResult("passed", promotions.now(), "R-1")}
    promotions.update(session.context.info.commit, lambda record: PromotionRecord(record.commit, passed))
    promotion = EnvironmentPromotion(session, "dev")
    assert explain_due_checks(promotion, {}) == ""
    assert explain_due_checks(promotion, pending) == "it is about to be applied"


def test_a_comparison_starts_no_stack_when_its_credentials_end_soon(make_repo: MakeRepo) -> None:
    session = opened(make_repo)
    session = replace(session, context=replace(session.context, began=time.monotonic() - LAST_START - 1))
    (deleted,) = compare_environment(session, "dev", None).report.stacks
    assert (deleted.id, deleted.result) == ("dev/b", "unchecked")
    assert deleted.reason.startswith("50 minutes")


# What is new in every plan

TIME, NAME = (
    DigestDifference("terraform_data.x", "input", "one", "two", "it was another value"),
    DigestDifference("terraform_data.x", "name", "a", "b", "it was another value"),
)


class FakeRules:
    """Approvals that find every plan different from what was approved."""

    def __init__(self) -> None:
        self.approvals = cast(Approvals, self)

    def compare(self, stack: object, digest: Digest, entry: object, *, gated: object) -> Verdict:
        return Verdict("mismatch", (TIME, NAME), reason="it differs")


def test_an_apply_names_what_is_new_in_every_plan_although_nobody_compared_before(
    make_repo: MakeRepo,
) -> None:
    session = opened(make_repo)
    digest = Digest("dev/a", "", "")
    planned = StackPlan(StackReport("dev/a", "dev", "changed"), inspected=PlanInspection(digest=digest))
    compared: list[Mapping[str, Digest]] = []

    def find(
        session: Session, digests: Mapping[str, Digest], inspect: Inspect
    ) -> dict[str, VolatileAttributes]:
        compared.append(dict(digests))
        return {"dev/a": (("terraform_data.x", "input"),)}

    trunk_gate = TrunkGate(session, cast(PendingRules, FakeRules()), Gate(None, "dev"), find_volatile=find)
    with pytest.raises(MismatchError) as error:
        trunk_gate.check(session.context.project.stacks["dev/a"], planned, None)
    assert "every plan" not in error.value.message
    trunk_gate.explain_mismatches(inspect_nothing)
    assert compared == [{"dev/a": digest}]
    reports = [
        StackReport("dev/a", "dev", "mismatch", reason=error.value.message),
        StackReport("dev/c", "dev", "applied", reason="kept"),
    ]
    mismatch, other = trunk_gate.with_explanations(reports)
    assert "input: it is new in every plan of this commit" in mismatch.reason
    assert "name: it was another value" in mismatch.reason
    assert "New in every plan: terraform_data.x input. The pull request of `infra ci approve dev`" in (
        mismatch.reason
    )
    assert other.reason == "kept"


# Another CI than GitHub Actions


def test_a_merge_alone_allows_no_deletion_that_wants_a_label(tmp_path: Path) -> None:
    """Nobody can set a label there; a manifest shows the deletion, and allows it."""
    config = (
        "version: 1\nci: {system: gitlab, trunk_protected: true}\n"
        "environments: {prod: {protected: true, approved_by: merge}}\npolicy: {destroy: {prod: label}}\n"
    )
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": config})
    trunk.job.commit({"infra/envs/prod/app/main.tf": APP.replace('"one"', '"two"', 1)}, "Two")
    trunk.update()
    session, stack = trunk.session, trunk.session.context.project.stacks["prod/app"]
    digest = Digest("prod/app", "L", "", (ResourceDigest("x.y", "x", ("delete",)),))
    counts = {**NO_COUNTS, "delete": 1}
    planned = StackPlan(
        StackReport("prod/app", "prod", "changed", counts=counts), inspected=PlanInspection(digest=digest)
    )
    gate = TrunkGate(session, PendingRules(session, None), Gate(None, "prod"))
    verdict = gate.decide(stack, planned, trunk.entry())
    assert (verdict.kind, gate.way_out(stack, verdict)) == ("refuse", "manifest")
    assert "label allow-destroy" in verdict.reason
    assert "--sha256 HEX" in gate.advice(stack, verdict)
    by_manifest = replace(gate, gated={"prod/app": digest}, has_manifest=True, verdicts={})
    assert by_manifest.decide(stack, planned, trunk.entry()).kind == "approved"


# Repairs that take a yes

ASKS = Repair("the apply R was interrupted", "resumed", asks=("a state is pushed",))
SAFE = Repair("the apply R was interrupted", "resumed", steps=("its lock 7 is released",))


@dataclass
class FixedApprovals:
    """Approvals that always answer the same."""

    verdict: Verdict

    @property
    def approvals(self) -> FixedApprovals:
        return self

    def compare(self, stack: object, digest: Digest, entry: object, *, gated: object) -> Verdict:
        return self.verdict

    def missing_label(self, stack: object, numbers: object, now: object) -> str:
        return ""


def repaired(repair: Repair | None, *resources: ResourceDigest, **more: Any) -> StackPlan:
    digest = Digest("dev/a", "L", "", resources, repairs=repair.approved_steps if repair else ())
    report = StackReport("dev/a", "dev", "changed")
    return StackPlan(report, inspected=PlanInspection(digest=digest), repair=repair, **more)


def verdict_of(
    session: Session, planned: StackPlan, answer: Verdict, gate: bool = False, **more: Any
) -> tuple[str, str, str]:
    """The verdict's kind and reason, and how to approve it; `gate` says whether the gate has reviewers."""
    gate_settings = Gate(None, "dev")
    vars(gate_settings)["problem"] = "" if gate else "it has no reviewers"
    trunk_gate = TrunkGate(session, cast(PendingRules, FixedApprovals(answer)), gate_settings, **more)
    stack = session.context.project.stacks["dev/a"]
    verdict = trunk_gate.decide(stack, planned, None)
    return verdict.kind, verdict.reason, trunk_gate.way_out(stack, verdict)


FREE, APPROVED = Verdict("apply", reason="dev needs no approval"), Verdict("approved")
UPDATE = ResourceDigest("x.y", "x", ("update",))


@pytest.mark.parametrize("gate", [True, False])
def test_a_repair_that_takes_a_yes_is_not_applied_without_one(make_repo: MakeRepo, gate: bool) -> None:
    session, planned = opened(make_repo), repaired(ASKS)
    kind, reason, way = verdict_of(session, planned, FREE, gate)
    assert (kind, way) == (("gate", "gate") if gate else ("refuse", "resume"))
    assert reason.startswith("the apply R was interrupted, and to go on takes a yes: a state is pushed")
    # Where a gate is there, a comment is not enough; where none is, it is.
    kind, _, _ = verdict_of(session, planned, FREE, gate, requested=frozenset({"dev/a"}))
    assert kind == ("gate" if gate else "apply")
    # The gate's own yes covers exactly these repairs and this plan.
    gated = {"dev/a": Digest("dev/a", "L", "", repairs=ASKS.approved_steps)}
    assert verdict_of(session, planned, FREE, gate, gated=gated)[0] == "apply"
    for other in (Digest("dev/a", "L", ""), Digest("dev/a", "M", "", repairs=ASKS.approved_steps)):
        assert verdict_of(session, planned, FREE, True, gated={"dev/a": other})[0] == "gate"
    more = repaired(ASKS, UPDATE)
    assert verdict_of(session, more, FREE, True, gated=gated)[0] == "gate"


def test_a_repair_that_people_approved_needs_no_other_yes(make_repo: MakeRepo) -> None:
    assert verdict_of(opened(make_repo), repaired(ASKS), APPROVED)[0] == "approved"


def test_a_repair_instead_of_the_approved_plan_needs_confirmation(make_repo: MakeRepo) -> None:
    differs = Verdict("mismatch", (TIME,), reason="it differs")
    kind, reason, _ = verdict_of(opened(make_repo), repaired(ASKS), differs, gate=True)
    assert kind == "gate"
    assert "a state is pushed" in reason


def test_a_safe_repair_is_checked_by_its_plan_alone(make_repo: MakeRepo) -> None:
    session = opened(make_repo)
    assert verdict_of(session, repaired(SAFE, UPDATE), FREE)[0] == "apply"
    differs = Verdict("mismatch", (TIME,), reason="it differs")
    assert verdict_of(session, repaired(SAFE, UPDATE), differs)[0] == "mismatch"
    # With nothing left to do only the ledger moves on.
    assert verdict_of(session, repaired(SAFE), differs)[0] == "apply"
