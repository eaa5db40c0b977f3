"""Which orphans a plan imports: what Terraform refuses never blocks the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.import_attempt import (
    DOUBLED,
    IMPORTS,
    NO_IMPORT,
    WAITS,
    describe_refusal,
    destroyed_imports,
    import_notes,
    import_orphans,
    terraform_answer,
)
from orchestrator.engine.orphans import Orphan, OrphanReport
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.plan.model import Plan, ResourceChange
from orchestrator.report.model import StackReport
from orchestrator.terraform.model import Workdir

ABSENT = {"severity": "error", "summary": "Cannot import non-existent remote object"}
REFUSED = {"severity": "error", "summary": "Unexpected format of ID", "detail": "expected ROLE/POLICY"}


def orphan(name: str, *, certain: bool = True, import_id: str | None = None, type_: str = "t_x") -> Orphan:
    return Orphan(
        address=f"{type_}.{name}",
        type=type_,
        id=f"id-{name}" if certain else "",
        import_id=f"import-{name}" if import_id is None else import_id,
        name=name,
        certain=certain,
    )


@dataclass
class Terraform:
    """Plans from imports: each address of the code is created unless it is imported.

    `answers` are the diagnostics for an import, by address; `needs` the addresses that one depends on; with
    `names_address` a diagnostic says which resource it is about. `broken` makes every plan fail.
    """

    code: Sequence[str]
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names_address: bool = True
    broken: bool = False
    plans: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def plan(self, imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[StackPlan, Workdir]:
        imported = {orphan.address for orphan in imports}
        self.plans.append((sorted(imported), list(targets)))
        reached_addresses = set(targets or self.code)
        reached_addresses |= {need for address in reached_addresses for need in self.needs.get(address, ())}
        errors = [
            {**self.answers[address], **({"address": address} if self.names_address else {})}
            for address in sorted(imported & reached_addresses & self.answers.keys())
        ]
        if self.broken:
            errors.append({"severity": "error", "summary": "Reference to undeclared resource"})
        if errors:
            return StackPlan(StackReport("dev/a", "dev", "failed", diagnostics=tuple(errors))), work()
        changes = tuple(
            ResourceChange(address, ("no-op",), "t_x", import_id="x")
            if address in imported
            else ResourceChange(address, ("create",), "t_x")
            for address in self.code
            if address in reached_addresses
        )
        plan = Plan("1.11.4", "1.2", changes)
        report = StackReport("dev/a", "dev", "changed" if changes else "unchanged")
        return StackPlan(report, plan=plan), work()

    def dependents(self, where: Workdir, addresses: Collection[str], among: Collection[str]) -> list[str]:
        """Those of the second addresses that need one of the first, as `terraform graph` tells it."""
        return [name for name in among if not set(self.needs.get(name, ())).isdisjoint(addresses)]


def work() -> Workdir:
    return Workdir(Path("root"), Path("data"), Path("run"), {})


def created(planned: StackPlan) -> set[str]:
    return {change.address for change in planned.plan.changes if change.is_create} if planned.plan else set()


def test_all_that_can_be_imported_is_imported_by_one_plan() -> None:
    terraform = Terraform(["t_x.a", "t_x.b", "t_x.c"])
    result = import_orphans(terraform.plan, [orphan("a"), orphan("b", certain=False)])
    assert [orphan.address for orphan in result.taken] == ["t_x.a", "t_x.b"]
    assert created(result.planned) == {"t_x.c"}
    assert len(terraform.plans) == 1


@pytest.mark.parametrize("names_address", [True, False])
@pytest.mark.parametrize("certain", [True, False])
def test_an_object_that_is_gone_is_gone(names_address: bool, certain: bool) -> None:
    terraform = Terraform(["t_x.a", "t_x.b"], {"t_x.a": ABSENT}, names_address=names_address)
    result = import_orphans(terraform.plan, [orphan("a", certain=certain), orphan("b")])
    assert [orphan.address for orphan in result.absent] == ["t_x.a"]
    assert [orphan.address for orphan in result.taken] == ["t_x.b"]
    assert (result.refused, created(result.planned)) == ((), {"t_x.a"})


@pytest.mark.parametrize("names_address", [True, False])
def test_a_refused_import_is_named_and_the_rest_is_applied(names_address: bool) -> None:
    """A provider's own refusal has no address: it is found by planning for fewer."""
    code = [f"t_x.{name}" for name in "abcde"]
    terraform = Terraform(code, {"t_x.b": REFUSED}, names_address=names_address)
    result = import_orphans(terraform.plan, [orphan(name) for name in "abcd"])
    assert [orphan.address for orphan in result.taken] == ["t_x.a", "t_x.c", "t_x.d"]
    assert str(result.remaining[0]) == "t_x.b (id-b): Unexpected format of ID. expected ROLE/POLICY"
    assert created(result.planned) == {"t_x.e"}, "what exists is not created again"
    assert result.is_applicable


def test_several_refusals_without_an_address_are_distinguished() -> None:
    terraform = Terraform(
        [f"t_x.{name}" for name in "abcdef"], {"t_x.b": REFUSED, "t_x.e": ABSENT}, names_address=False
    )
    result = import_orphans(terraform.plan, [orphan(name) for name in "abcdef"])
    assert [refused_import.orphan.address for refused_import in result.refused] == ["t_x.b"]
    assert [orphan.address for orphan in result.absent] == ["t_x.e"]


def test_what_depends_on_a_refused_object_waits_and_the_imports_do_not() -> None:
    terraform = Terraform(
        ["t_x.a", "t_x.b", "t_x.c"], {"t_x.b": REFUSED}, {"t_x.c": ["t_x.b"]}, names_address=True
    )
    result = import_orphans(terraform.plan, [orphan("a"), orphan("b")])
    assert terraform.plans[-1] == (["t_x.a"], ["t_x.a"])
    assert (created(result.planned), result.is_applicable) == (set(), True)


def test_only_what_depends_on_a_refused_object_waits() -> None:
    code = ["t_x.a", "t_x.b", "t_x.c", "t_x.d", "t_x.e"]
    terraform = Terraform(code, {"t_x.b": REFUSED}, {"t_x.c": ["t_x.b"], "t_x.e": ["t_x.b"]})
    orphans = [orphan("a"), orphan("b"), orphan("e")]
    result = import_orphans(terraform.plan, orphans, dependents_of=terraform.dependents)
    assert (created(result.planned), result.is_applicable) == ({"t_x.d"}, True)
    assert [orphan.address for orphan in result.taken] == ["t_x.a"]
    answers = {refusal.orphan.address: refusal.answer for refusal in result.remaining}
    assert answers == {"t_x.b": "Unexpected format of ID. expected ROLE/POLICY", "t_x.e": WAITS}
    assert terraform.plans[-1] == (["t_x.a"], ["t_x.a", "t_x.d"])


def test_nothing_is_applied_where_every_plan_would_create_what_exists() -> None:
    terraform = Terraform(["t_x.b", "t_x.c"], {"t_x.b": REFUSED}, {"t_x.c": ["t_x.b"]})
    result = import_orphans(terraform.plan, [orphan("b")])
    assert (result.is_applicable, [refused_import.orphan.address for refused_import in result.remaining]) == (
        False,
        ["t_x.b"],
    )


def test_what_may_exist_and_is_refused_does_not_keep_the_rest_back() -> None:
    terraform = Terraform(["t_x.a"], {"t_x.a": REFUSED})
    result = import_orphans(terraform.plan, [orphan("a", certain=False)])
    assert (result.remaining, created(result.planned)) == ((), {"t_x.a"})
    assert [refused_import.answer for refused_import in result.refused] == [
        "Unexpected format of ID. expected ROLE/POLICY"
    ]


def test_a_plan_that_fails_without_imports_refuses_none() -> None:
    terraform = Terraform(["t_x.a"], broken=True)
    result = import_orphans(terraform.plan, [orphan("a")])
    assert (result.planned.report.result, result.refused, result.absent) == ("failed", (), ())


def test_an_id_that_is_known_once_others_are_imported_is_tried_then() -> None:
    """An association is imported by the ids of two objects that the same run created."""
    terraform = Terraform(["t_x.a", "t_x.b", "t_x.c"], {"t_x.b": REFUSED})
    answers = terraform.answers

    def plan(imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[StackPlan, Workdir]:
        ids = {orphan.import_id for orphan in imports}
        terraform.answers = {} if "a/b" in ids else answers
        return terraform.plan(imports, targets)

    begun = orphan("c", certain=False, import_id="")
    result = import_orphans(
        plan,
        [orphan("a"), orphan("b"), begun],
        import_id_of=lambda orphaned, change: {"t_x.b": "a/b", "t_x.c": "a/c"}.get(orphaned.address, ""),
    )
    assert {orphan.address: orphan.import_id for orphan in result.taken} == {
        "t_x.a": "import-a",
        "t_x.b": "a/b",
        "t_x.c": "a/c",
    }
    assert (result.refused, created(result.planned)) == ((), set())


def test_an_id_that_was_refused_is_not_tried_again() -> None:
    terraform = Terraform(["t_x.a"], {"t_x.a": REFUSED})
    result = import_orphans(terraform.plan, [orphan("a")], import_id_of=lambda orphaned, change: "import-a")
    assert [refused_import.orphan.address for refused_import in result.remaining] == ["t_x.a"]


def test_a_type_without_import_is_named_as_such_before_it_is_tried() -> None:
    terraform = Terraform(["t_x.a", "t_key.k"])
    key = orphan("k", import_id="", type_="t_key")
    result = import_orphans(terraform.plan, [orphan("a"), key], is_importable=lambda type_: type_ != "t_key")
    assert [str(refused_import) for refused_import in result.remaining] == [f"t_key.k (id-k): {NO_IMPORT}"]
    assert created(result.planned) == set()


def test_two_objects_for_one_address_are_left_alone() -> None:
    double = Orphan("t_x.a", "t_x", "new", "", "a", certain=True, replaced="old")
    result = import_orphans(Terraform(["t_x.a", "t_x.b"]).plan, [], [double])
    assert [refused_import.answer for refused_import in result.remaining] == [DOUBLED.format("old")]
    assert created(result.planned) == {"t_x.b"}


def test_a_diagnostic_names_an_import_by_its_block_or_its_id() -> None:
    by_line = {**REFUSED, "file": f"infra/envs/dev/a/{IMPORTS}", "line": 6}
    by_id = {**REFUSED, "detail": 'Import id "import-b"\ndoes not match'}
    by_word = {**REFUSED, "summary": "Unexpected format for import: import-b. Use 'subnet ID/route table ID'"}
    for answer in (by_line, by_id, by_word):
        terraform = Terraform(["t_x.a", "t_x.b"], {"t_x.b": answer}, names_address=False)
        result = import_orphans(terraform.plan, [orphan("a"), orphan("b")])
        assert [refused_import.orphan.address for refused_import in result.refused] == ["t_x.b"]
        assert ["t_x.a", "t_x.b"] not in [imports for imports, _ in terraform.plans[1:]]


def test_terraforms_answer_is_one_line_without_the_code() -> None:
    detail = '  3:   id = "x"\n\nImport id "x" doesn\'t match\nany of the accepted formats.'
    assert terraform_answer({"summary": "Bad id", "detail": detail}) == (
        'Bad id. Import id "x" doesn\'t match any of the accepted formats'
    )
    assert len(terraform_answer({"summary": "x" * 900})) < 310


def test_a_refusal_states_what_import_takes() -> None:
    result = import_orphans(Terraform(["t_x.a"], {"t_x.a": REFUSED}).plan, [orphan("a")])
    assert describe_refusal(result.remaining[0], ("{role}/{policy}",)).endswith(
        "(import takes {role}/{policy})"
    )


def test_a_secret_that_is_given_once_is_named_before_it_is_lost() -> None:
    result = import_orphans(Terraform(["t_x.a"]).plan, [orphan("a")])
    notes = import_notes(result, OrphanReport(), lambda type_: ("secret",))
    assert any("gives secret once" in note and "--replace t_x.a" in note for note in notes)
    assert not any(
        "once" in note for note in import_notes(result, OrphanReport(), lambda type_: ("secret",), ["t_x.a"])
    )


def test_what_is_imported_is_not_replaced_unless_somebody_asks() -> None:
    change = ResourceChange("t_x.a", ("delete", "create"), "t_x", import_id="x")
    plan = Plan("1.11.4", "1.2", (change,))

    def replacing(imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[StackPlan, Workdir]:
        return StackPlan(StackReport("dev/a", "dev", "changed"), plan=plan), work()

    result = import_orphans(replacing, [orphan("a")])
    assert (destroyed_imports(result), destroyed_imports(result, ["t_x.a"])) == (["t_x.a"], [])
