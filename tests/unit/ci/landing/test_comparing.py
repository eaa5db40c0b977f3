"""What is pending in an environment, and what an apply says of a plan that is not what was approved."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from orchestrator.ci.landing.comparing import TrunkJudge, checks_due_for, compare, pending_work
from orchestrator.engine.inspection import Inspect, Inspected, inspect_nothing
from orchestrator.engine.planned import Planned
from orchestrator.engine.ports import Silent
from orchestrator.engine.session import Session, open_session
from orchestrator.errors import MismatchError
from orchestrator.plan.comparing import Difference
from orchestrator.plan.digest import Digest
from orchestrator.project import load
from orchestrator.report.model import StackReport
from orchestrator.review.approvals import Approvals, Verdict
from orchestrator.review.gate import Gate
from orchestrator.review.promotion import EnvironmentPromotion
from orchestrator.review.rules import PendingRules
from orchestrator.review.volatile import Attributes
from orchestrator.run.pipeline import LAST_START
from orchestrator.state.promotion import CheckResult, PromotionRecord
from orchestrator.state.records import Entry, Operation
from tests.conftest import MakeRepo

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
            Entry(
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
    session = open_session(load(repo.root), dict(os.environ), Silent())
    applied(session, "dev/a", "dev/b")
    repo.remove("infra/envs/dev/b/main.tf")
    repo.commit({}, "Without b")
    return open_session(load(repo.root), dict(os.environ), Silent())


def test_a_deleted_stack_alone_makes_the_checks_due(make_repo: MakeRepo) -> None:
    session = opened(make_repo)
    pending, request, deleted = pending_work(session.memory, "dev")
    assert (pending, request.stacks) == ({"dev/b": "its code is gone"}, ())
    assert [one.stack.id for one in deleted] == ["dev/b"]
    # The checks passed at this commit, and then the stack's destruction failed, say.
    promotions = session.memory.ledgers.promotions("dev")
    assert promotions
    passed = {"smoke": CheckResult("passed", promotions.now(), "R-1")}
    promotions.update(session.context.info.commit, lambda record: PromotionRecord(record.commit, passed))
    promotion = EnvironmentPromotion(session, "dev")
    assert checks_due_for(promotion, {}) == ""
    assert checks_due_for(promotion, pending) == "it is about to be applied"


def test_a_comparison_starts_no_stack_when_its_credentials_end_soon(make_repo: MakeRepo) -> None:
    session = opened(make_repo)
    session = replace(session, context=replace(session.context, began=time.monotonic() - LAST_START - 1))
    (deleted,) = compare(session, "dev", None).report.stacks
    assert (deleted.id, deleted.result) == ("dev/b", "unchecked")
    assert deleted.reason.startswith("50 minutes")


# What is new in every plan

TIME, NAME = (
    Difference("terraform_data.x", "input", "one", "two", "it was another value"),
    Difference("terraform_data.x", "name", "a", "b", "it was another value"),
)


class FakeRules:
    """Approvals that find every plan different from what was approved."""

    def __init__(self) -> None:
        self.approvals = cast(Approvals, self)

    def judge(self, stack: object, now: Digest, before: object, *, gated: object) -> Verdict:
        return Verdict("mismatch", (TIME, NAME), reason="it differs")


def test_an_apply_names_what_is_new_in_every_plan_although_nobody_compared_before(
    make_repo: MakeRepo,
) -> None:
    session = opened(make_repo)
    digest = Digest("dev/a", "", "")
    planned = Planned(StackReport("dev/a", "dev", "changed"), inspected=Inspected(digest=digest))
    compared: list[Mapping[str, Digest]] = []

    def find(session: Session, digests: Mapping[str, Digest], inspect: Inspect) -> dict[str, Attributes]:
        compared.append(dict(digests))
        return {"dev/a": (("terraform_data.x", "input"),)}

    judge = TrunkJudge(session, cast(PendingRules, FakeRules()), Gate(None, "dev"), find_volatile=find)
    with pytest.raises(MismatchError) as error:
        judge.check(session.context.project.stacks["dev/a"], planned, None)
    assert "every plan" not in error.value.message
    judge.explain(inspect_nothing)
    assert compared == [{"dev/a": digest}]
    reports = [
        StackReport("dev/a", "dev", "mismatch", reason=error.value.message),
        StackReport("dev/c", "dev", "applied", reason="kept"),
    ]
    mismatch, other = judge.explained(reports)
    assert "input: it is new in every plan of this commit" in mismatch.reason
    assert "name: it was another value" in mismatch.reason
    assert "New in every plan: terraform_data.x input. The pull request of `infra ci approve dev`" in (
        mismatch.reason
    )
    assert other.reason == "kept"
