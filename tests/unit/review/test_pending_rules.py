"""By whose policy a plan on trunk is judged, and which labels allow what it deletes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.engine.ledgers import Ledgers
from orchestrator.errors import ForgeError, StateError
from orchestrator.forge.interface import Forge
from orchestrator.masking import Masker
from orchestrator.plan.digest import Digest
from orchestrator.plan.plan_json import PlanJson
from orchestrator.plan.reader import read_plan
from orchestrator.repository.loading import load
from orchestrator.repository.model import Stack
from orchestrator.review.pending_rules import PendingRules
from orchestrator.state.records import LedgerEntry
from tests.support.approving import FILES, ApprovingInMemory
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory
from tests.unit.plan.test_digest_comparison import delete, plan

RAW = (Path(__file__).parents[2] / "data/plans/delete/plan.json").read_bytes()
GONE, ALSO = delete("terraform_data.plain", id="1"), delete("terraform_data.reader", id="2")


def config(protected: bool = True, **policy: str) -> str:
    rules = ", ".join(f"{name}: {value}" for name, value in policy.items())
    return (
        f"version: 1\nenvironments: {{prod: {{protected: {str(protected).lower()}}}}}\npolicy: {{{rules}}}\n"
    )


ALLOWING = config(destroy="{prod: allow}")
PREVENTING = config(destroy="{prod: prevent}")
LABELLED = config(destroy="{prod: label}")


def app(*changes: object) -> Digest:
    return plan(*changes, stack="prod/app")  # type: ignore[arg-type]


@pytest.fixture
def trunk(tmp_path: Path) -> ApprovingInMemory:
    """A project whose policy allows to delete; prod/app was applied at its first commit."""
    return ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": ALLOWING})


class KnownLedgers:
    """The ledgers of a session, in which a stack has a given entry."""

    def __init__(self, ledgers: Ledgers, entry: LedgerEntry | None) -> None:
        self.ledgers = ledgers
        self.known = entry

    def of(self, stack: Stack) -> KnownLedgers:
        self.ledger = self.ledgers.of(stack)
        return self

    def entry(self, stack: str) -> LedgerEntry | None:
        return self.known

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)


def rules_of(trunk: ApprovingInMemory, host: Forge | None, entry: LedgerEntry | None) -> PendingRules:
    trunk.update()
    memory = trunk.session.memory
    ledgers = cast(Ledgers, KnownLedgers(memory.ledgers, entry))
    return PendingRules(replace(trunk.session, memory=replace(memory, ledgers=ledgers)), host)


def pending_rules(trunk: ApprovingInMemory, host: Forge | None = None) -> PendingRules:
    return rules_of(trunk, host or trunk.host, trunk.entry())


def stack_of(trunk: ApprovingInMemory, id_: str = "prod/app") -> Stack:
    return trunk.session.context.project.stacks[id_]


def findings(trunk: ApprovingInMemory) -> list[tuple[str, str]]:
    """Severity and rule of what the policy says of a plan that deletes."""
    rules = pending_rules(trunk)
    inspect = rules._policing(rules.session)
    plan_inspection = inspect(stack_of(trunk), read_plan(RAW, Masker()), PlanJson.of(RAW))
    return [(finding.severity, finding.code) for finding in plan_inspection.findings]


def merged(trunk: ApprovingInMemory, value: str, **files: str) -> int:
    number = trunk.change("prod/app", value, **files)
    trunk.github.merge(number, "squash")
    return number


def configured(trunk: ApprovingInMemory, text: str, branch: str) -> None:
    trunk.github.commit(branch, {"infra.yaml": text})
    trunk.github.merge(trunk.github.open(branch), "squash")


# Whose policy


def test_a_change_is_checked_by_the_policy_just_before_it(trunk: ApprovingInMemory) -> None:
    merged(trunk, "two", **{"infra.yaml": PREVENTING})
    assert findings(trunk) == [], "what it brings along holds from the next change on"
    merged(trunk, "three")
    assert findings(trunk) == [("error", "destroy")]
    configured(trunk, ALLOWING, "loosen")
    assert findings(trunk) == [("error", "destroy")], "a loosening helps nothing merged before it"


def approved_later(trunk: ApprovingInMemory, *, reviewed: bool = True) -> None:
    """Merge a pull request that approves what is pending for prod/app."""
    trunk.update()
    branch = f"approve/prod/{trunk.job.head[:10]}"
    trunk.github.commit(branch, {}, "Approve")
    number = trunk.github.open(branch, author="olga")
    trunk.post(number, replace(app(GONE), facts={"base": trunk.job.head}))
    if reviewed:
        trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")


def test_an_approve_pull_request_is_checked_by_the_policy_just_before_it(tmp_path: Path) -> None:
    """It is the way out for what an older policy refused, where trunk's newer one allows it."""
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": PREVENTING})
    merged(trunk, "two")
    approved_later(trunk)
    assert findings(trunk) == [("error", "destroy")], "trunk still forbids it"
    configured(trunk, ALLOWING, "loosen")
    assert findings(trunk) == [("error", "destroy")], "nobody approved it under the newer policy"
    approved_later(trunk, reviewed=False)
    assert findings(trunk) == [("error", "destroy")], "an approval that does not count changes nothing"
    approved_later(trunk)
    assert findings(trunk) == []


def test_every_policy_in_force_is_evaluated(trunk: ApprovingInMemory) -> None:
    """Two changes are pending, each under rules of its own; equal findings are told once."""
    protecting = "[{type: terraform_data, reason: Data.}]"
    configured(trunk, config(destroy="{prod: warn}", protect=protecting), "one")
    merged(trunk, "two")
    configured(trunk, config(destroy="{prod: warn}", limits="{deletes: 9}"), "two")
    merged(trunk, "three")
    assert sorted(findings(trunk)) == [("error", "protect"), ("error", "protect"), ("warning", "destroy")]


def test_rego_is_the_one_of_the_same_commit(trunk: ApprovingInMemory) -> None:
    rego = 'package main\nimport rego.v1\ndeny contains "No." if { count(input.resource_changes) > 0 }\n'
    merged(trunk, "two", **{"policies/no.rego": rego})
    assert findings(trunk) == []
    merged(trunk, "three")
    assert findings(trunk) == [("error", "rego")]


def test_without_a_host_trunk_as_it_is_counts(trunk: ApprovingInMemory) -> None:
    merged(trunk, "two")
    configured(trunk, PREVENTING, "tighten")
    rules = rules_of(trunk, None, trunk.entry())
    assert rules.projects(stack_of(trunk)) == (trunk.session.context.project,)
    assert rules.pull_requests(stack_of(trunk)) == ()


class Failing:
    """A host or a ledger that does not answer."""

    repository, teams = "acme/infra", None

    def __init__(self, error: Exception) -> None:
        self.error = error

    def pull_requests_of(self, commit: str) -> list[object]:
        raise self.error


@pytest.mark.parametrize("error", [ForgeError("GitHub answers 502."), StateError("403.", advice="")])
@pytest.mark.parametrize("protected", [True, False])
def test_where_it_cannot_be_found_out_a_protected_environment_fails(
    tmp_path: Path, protected: bool, error: Exception
) -> None:
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": config(protected, destroy="{prod: allow}")})
    merged(trunk, "two")
    rules = pending_rules(trunk, cast(Forge, Failing(error)))
    stack = stack_of(trunk)
    if protected:
        with pytest.raises(type(error)):
            rules.projects(stack)
    else:
        assert rules.projects(stack) == (trunk.session.context.project,)
    if isinstance(error, ForgeError):
        assert rules.pull_requests(stack) == ()


def test_a_policy_that_was_merged_later_forbids_what_is_not_applied_yet(trunk: ApprovingInMemory) -> None:
    merged(trunk, "two")
    assert findings(trunk) == []
    configured(trunk, PREVENTING, "tighten")
    assert findings(trunk) == [("error", "destroy")]
    configured(trunk, ALLOWING, "loosen")
    assert findings(trunk) == [], "neither the policy before the change nor today's forbids it"


def test_trunk_is_as_it_is_now_and_not_as_the_run_found_it(trunk: ApprovingInMemory) -> None:
    """A gate may be answered days after the run began."""
    merged(trunk, "two")
    trunk.update()
    began = trunk.job.head
    configured(trunk, PREVENTING, "tighten")
    trunk.update()
    trunk.job.git("checkout", "-q", "--detach", began)
    session = session_in_memory(load(trunk.job.root), MemoryStorage())
    rules = PendingRules(session, trunk.host)
    inspect = rules._policing(session)
    inspection = inspect(stack_of(trunk), read_plan(RAW, Masker()), PlanJson.of(RAW))
    assert [finding.code for finding in inspection.findings] == ["destroy"]


def test_without_a_host_trunk_as_it_is_forbids(trunk: ApprovingInMemory) -> None:
    merged(trunk, "two")
    configured(trunk, PREVENTING, "tighten")
    rules = rules_of(trunk, None, trunk.entry())
    inspection = rules._policing(rules.session)(stack_of(trunk), read_plan(RAW, Masker()), PlanJson.of(RAW))
    assert [finding.code for finding in inspection.findings] == ["destroy"]


# The limits

LIMITED = config(destroy="{prod: allow}", limits="{stacks: 1}")


def planned(trunk: ApprovingInMemory, value: str, *digests: Digest) -> int:
    """A merged pull request and its plans."""
    number = trunk.change("prod/app", value)
    trunk.post(number, *digests)
    trunk.github.merge(number, "squash")
    return number


def test_the_limits_count_what_one_pull_request_does(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": LIMITED})
    net = plan(GONE, stack="prod/net")
    planned(trunk, "two", app(GONE))
    planned(trunk, "three", app(ALSO))
    assert findings(trunk) == [], "each of them stays within"
    number = planned(trunk, "four", app(GONE), net)
    rules = pending_rules(trunk)
    inspection = rules._policing(rules.session)(stack_of(trunk), read_plan(RAW, Masker()), PlanJson.of(RAW))
    assert [finding.message for finding in inspection.findings] == [
        f"#{number} touches 2 stacks in prod; 1 is the limit."
    ]


def test_the_limits_are_those_before_the_change(trunk: ApprovingInMemory) -> None:
    net = plan(GONE, stack="prod/net")
    planned(trunk, "two", app(GONE), net)
    configured(trunk, LIMITED, "limit")
    assert findings(trunk) == []
    planned(trunk, "three", app(GONE), net)
    assert findings(trunk) == [("error", "limits")]


def test_a_plan_that_grew_is_as_large_as_it_is_now(tmp_path: Path) -> None:
    limited = config(destroy="{prod: allow}", limits="{deletes: 0}")
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": limited})
    planned(trunk, "two", app())
    assert findings(trunk) == [("error", "limits")]


@pytest.mark.parametrize("has_host", [True, False])
def test_what_was_never_planned_is_as_large_as_its_plan_now(tmp_path: Path, has_host: bool) -> None:
    limited = config(destroy="{prod: allow}", limits="{deletes: 0}")
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": limited})
    merged(trunk, "two")
    rules = rules_of(trunk, trunk.host if has_host else None, trunk.entry())
    inspection = rules._policing(rules.session)(stack_of(trunk), read_plan(RAW, Masker()), PlanJson.of(RAW))
    assert [finding.code for finding in inspection.findings] == ["limits"]


COST_LIMITED = config(destroy="{prod: allow}", limits="{cost: 100}") + "cost: infracost\n"


def costing(difference: float | None, problem: str = "") -> dict[str, object]:
    """The fact of a plan object that holds its cost."""
    currency = "" if problem else "USD"
    return {"cost": {"difference": difference, "currency": currency, "unpriced": 0, "problem": problem}}


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (costing(99.0), []),
        (costing(100.01), [("error", "limits")]),
        (costing(None, "infracost failed"), [("error", "limits")]),
        # Whoever plans may write anything: what is no cost is estimated again, and there is no program here.
        ({"cost": {"difference": -1e15, "currency": "USD"}}, [("error", "limits")]),
        ({"cost": "cheap"}, [("error", "limits")]),
        ({}, [("error", "limits")]),
    ],
)
def test_the_cost_that_reviewers_saw_is_held_at_the_apply(
    tmp_path: Path, fact: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": COST_LIMITED})
    planned(trunk, "two", replace(app(GONE), facts=fact))
    assert findings(trunk) == expected


def test_the_cost_of_all_stacks_of_a_pull_request_counts_together(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": COST_LIMITED})
    net = replace(plan(GONE, stack="prod/net"), facts=costing(60.0))
    planned(trunk, "two", replace(app(GONE), facts=costing(60.0)), net)
    assert findings(trunk) == [("error", "limits")]


# The label


def test_what_is_destroyed_needs_the_label_only_where_the_policy_requires_it(
    trunk: ApprovingInMemory,
) -> None:
    number = merged(trunk, "two")
    assert pending_rules(trunk).missing_label(stack_of(trunk), (number,), app(GONE)) == ""
    configured(trunk, LABELLED, "tighten")
    assert pending_rules(trunk).missing_label(stack_of(trunk), (number,), app(GONE)) == ""
    later = merged(trunk, "three")
    missing = pending_rules(trunk).missing_label(stack_of(trunk), (number, later), app(GONE))
    assert missing == (
        "prod/app would delete or replace something, and nobody who may approve has set the label "
        "allow-destroy after its plan"
    )


def test_the_label_allows_what_its_plan_showed(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": LABELLED})
    number = trunk.change("prod/app", "two")
    trunk.post(number, app(GONE))
    trunk.github.label(number, "allow-destroy", by="bert")
    trunk.github.merge(number, "squash")

    def missing(now: Digest | None, *numbers: int) -> bool:
        return bool(pending_rules(trunk).missing_label(stack_of(trunk), numbers, now))

    assert not missing(app(GONE), number)
    assert missing(app(GONE, ALSO), number), "more goes than the plan showed"
    assert missing(None, number), "nobody knows what goes"
    assert missing(app(GONE)), "the label of no pull request that is pending"
    assert missing(app()), "whatever goes without an address"
    trunk.github.unlabel(number, "allow-destroy")
    assert missing(app(GONE), number)


@pytest.mark.parametrize("by", ["ada", "rita", "robot[bot]"])
def test_the_label_of_somebody_who_may_not_approve_counts_for_nothing(tmp_path: Path, by: str) -> None:
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": LABELLED})
    number = trunk.change("prod/app", "two")
    trunk.post(number, app(GONE))
    trunk.github.label(number, "allow-destroy", by=by)
    trunk.github.merge(number, "squash")
    assert pending_rules(trunk).missing_label(stack_of(trunk), (number,), app(GONE))


def test_the_label_has_the_name_that_the_policy_gives_it(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(
        tmp_path, {**FILES, "infra.yaml": config(destroy="{prod: label}", label="may-go")}
    )
    number = trunk.change("prod/app", "two")
    trunk.post(number, app(GONE))
    trunk.github.label(number, "allow-destroy", by="bert")
    trunk.github.merge(number, "squash")
    assert "the label may-go" in pending_rules(trunk).missing_label(stack_of(trunk), (number,), app(GONE))
    trunk.github.label(number, "may-go", by="bert")
    assert pending_rules(trunk).missing_label(stack_of(trunk), (number,), app(GONE)) == ""
