"""Which orphans a plan imports: what Terraform refuses never blocks the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.import_attempt import (
    DOUBLED,
    IMPORTS,
    NO_IMPORT,
    answer_of,
    described,
    lost_by,
    notes_of,
    take_back,
)
from orchestrator.engine.orphans import Comparison, Orphan
from orchestrator.engine.planned import Planned
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

    def plan(self, imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[Planned, Workdir]:
        imported = {one.address for one in imports}
        self.plans.append((sorted(imported), list(targets)))
        wanted = set(targets or self.code)
        wanted |= {need for address in wanted for need in self.needs.get(address, ())}
        errors = [
            {**self.answers[address], **({"address": address} if self.names_address else {})}
            for address in sorted(imported & wanted & self.answers.keys())
        ]
        if self.broken:
            errors.append({"severity": "error", "summary": "Reference to undeclared resource"})
        if errors:
            return Planned(StackReport("dev/a", "dev", "failed", diagnostics=tuple(errors))), work()
        changes = tuple(
            ResourceChange(address, ("no-op",), "t_x", import_id="x")
            if address in imported
            else ResourceChange(address, ("create",), "t_x")
            for address in self.code
            if address in wanted
        )
        plan = Plan("1.11.4", "1.2", changes)
        report = StackReport("dev/a", "dev", "changed" if changes else "unchanged")
        return Planned(report, plan=plan), work()


def work() -> Workdir:
    return Workdir(Path("root"), Path("data"), Path("run"), {})


def created(planned: Planned) -> set[str]:
    return {change.address for change in planned.plan.changes if change.is_create} if planned.plan else set()


def test_all_that_can_be_imported_is_imported_by_one_plan() -> None:
    terraform = Terraform(["t_x.a", "t_x.b", "t_x.c"])
    result = take_back(terraform.plan, [orphan("a"), orphan("b", certain=False)])
    assert [one.address for one in result.taken] == ["t_x.a", "t_x.b"]
    assert created(result.planned) == {"t_x.c"}
    assert len(terraform.plans) == 1


@pytest.mark.parametrize("names_address", [True, False])
@pytest.mark.parametrize("certain", [True, False])
def test_an_object_that_is_gone_is_gone(names_address: bool, certain: bool) -> None:
    terraform = Terraform(["t_x.a", "t_x.b"], {"t_x.a": ABSENT}, names_address=names_address)
    result = take_back(terraform.plan, [orphan("a", certain=certain), orphan("b")])
    assert [one.address for one in result.absent] == ["t_x.a"]
    assert [one.address for one in result.taken] == ["t_x.b"]
    assert (result.refused, created(result.planned)) == ((), {"t_x.a"})


@pytest.mark.parametrize("names_address", [True, False])
def test_a_refused_import_is_named_and_the_rest_is_applied(names_address: bool) -> None:
    """A provider's own refusal has no address: it is found by planning for fewer."""
    code = [f"t_x.{name}" for name in "abcde"]
    terraform = Terraform(code, {"t_x.b": REFUSED}, names_address=names_address)
    result = take_back(terraform.plan, [orphan(name) for name in "abcd"])
    assert [one.address for one in result.taken] == ["t_x.a", "t_x.c", "t_x.d"]
    assert str(result.remaining[0]) == "t_x.b (id-b): Unexpected format of ID. expected ROLE/POLICY"
    assert created(result.planned) == {"t_x.e"}, "what exists is not created again"
    assert result.is_applicable


def test_several_refusals_without_an_address_are_told_apart() -> None:
    terraform = Terraform(
        [f"t_x.{name}" for name in "abcdef"], {"t_x.b": REFUSED, "t_x.e": ABSENT}, names_address=False
    )
    result = take_back(terraform.plan, [orphan(name) for name in "abcdef"])
    assert [one.orphan.address for one in result.refused] == ["t_x.b"]
    assert [one.address for one in result.absent] == ["t_x.e"]


def test_what_depends_on_a_refused_object_waits_and_the_imports_do_not() -> None:
    terraform = Terraform(
        ["t_x.a", "t_x.b", "t_x.c"], {"t_x.b": REFUSED}, {"t_x.c": ["t_x.b"]}, names_address=True
    )
    result = take_back(terraform.plan, [orphan("a"), orphan("b")])
    assert terraform.plans[-1] == (["t_x.a"], ["t_x.a"])
    assert (created(result.planned), result.is_applicable) == (set(), True)


def test_nothing_is_applied_where_every_plan_would_create_what_exists() -> None:
    terraform = Terraform(["t_x.b", "t_x.c"], {"t_x.b": REFUSED}, {"t_x.c": ["t_x.b"]})
    result = take_back(terraform.plan, [orphan("b")])
    assert (result.is_applicable, [one.orphan.address for one in result.remaining]) == (False, ["t_x.b"])


def test_what_may_exist_and_is_refused_does_not_keep_the_rest_back() -> None:
    terraform = Terraform(["t_x.a"], {"t_x.a": REFUSED})
    result = take_back(terraform.plan, [orphan("a", certain=False)])
    assert (result.remaining, created(result.planned)) == ((), {"t_x.a"})
    assert [one.answer for one in result.refused] == ["Unexpected format of ID. expected ROLE/POLICY"]


def test_a_plan_that_fails_without_imports_refuses_none() -> None:
    terraform = Terraform(["t_x.a"], broken=True)
    result = take_back(terraform.plan, [orphan("a")])
    assert (result.planned.report.result, result.refused, result.absent) == ("failed", (), ())


def test_an_id_that_is_known_once_others_are_imported_is_tried_then() -> None:
    """An association is imported by the ids of two objects that the same run created."""
    terraform = Terraform(["t_x.a", "t_x.b", "t_x.c"], {"t_x.b": REFUSED})
    answers = terraform.answers

    def plan(imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[Planned, Workdir]:
        ids = {one.import_id for one in imports}
        terraform.answers = {} if "a/b" in ids else answers
        return terraform.plan(imports, targets)

    begun = orphan("c", certain=False, import_id="")
    result = take_back(
        plan,
        [orphan("a"), orphan("b"), begun],
        import_id_of=lambda one, change: {"t_x.b": "a/b", "t_x.c": "a/c"}.get(one.address, ""),
    )
    assert {one.address: one.import_id for one in result.taken} == {
        "t_x.a": "import-a",
        "t_x.b": "a/b",
        "t_x.c": "a/c",
    }
    assert (result.refused, created(result.planned)) == ((), set())


def test_an_id_that_was_refused_is_not_tried_again() -> None:
    terraform = Terraform(["t_x.a"], {"t_x.a": REFUSED})
    result = take_back(terraform.plan, [orphan("a")], import_id_of=lambda one, change: "import-a")
    assert [one.orphan.address for one in result.remaining] == ["t_x.a"]


def test_a_type_without_import_is_named_as_such_before_it_is_tried() -> None:
    terraform = Terraform(["t_x.a", "t_key.k"])
    key = orphan("k", import_id="", type_="t_key")
    result = take_back(terraform.plan, [orphan("a"), key], is_importable=lambda type_: type_ != "t_key")
    assert [str(one) for one in result.remaining] == [f"t_key.k (id-k): {NO_IMPORT}"]
    assert created(result.planned) == set()


def test_two_objects_for_one_address_are_left_alone() -> None:
    double = Orphan("t_x.a", "t_x", "new", "", "a", certain=True, replaced="old")
    result = take_back(Terraform(["t_x.a", "t_x.b"]).plan, [], [double])
    assert [one.answer for one in result.remaining] == [DOUBLED.format("old")]
    assert created(result.planned) == {"t_x.b"}


def test_a_diagnostic_names_an_import_by_its_block_or_its_id() -> None:
    by_line = {**REFUSED, "file": f"infra/envs/dev/a/{IMPORTS}", "line": 6}
    by_id = {**REFUSED, "detail": 'Import id "import-b"\ndoes not match'}
    by_word = {**REFUSED, "summary": "Unexpected format for import: import-b. Use 'subnet ID/route table ID'"}
    for answer in (by_line, by_id, by_word):
        terraform = Terraform(["t_x.a", "t_x.b"], {"t_x.b": answer}, names_address=False)
        result = take_back(terraform.plan, [orphan("a"), orphan("b")])
        assert [one.orphan.address for one in result.refused] == ["t_x.b"]
        assert ["t_x.a", "t_x.b"] not in [imports for imports, _ in terraform.plans[1:]]


def test_terraforms_answer_is_one_line_without_the_code() -> None:
    detail = '  3:   id = "x"\n\nImport id "x" doesn\'t match\nany of the accepted formats.'
    assert answer_of({"summary": "Bad id", "detail": detail}) == (
        'Bad id. Import id "x" doesn\'t match any of the accepted formats'
    )
    assert len(answer_of({"summary": "x" * 900})) < 310


def test_a_refusal_says_what_import_takes() -> None:
    result = take_back(Terraform(["t_x.a"], {"t_x.a": REFUSED}).plan, [orphan("a")])
    assert described(result.remaining[0], ("{role}/{policy}",)).endswith("(import takes {role}/{policy})")


def test_a_secret_that_is_given_once_is_named_before_it_is_lost() -> None:
    result = take_back(Terraform(["t_x.a"]).plan, [orphan("a")])
    notes = notes_of(result, Comparison(), lambda type_: ("secret",))
    assert any("gives secret once" in note and "--replace t_x.a" in note for note in notes)
    assert not any(
        "once" in note for note in notes_of(result, Comparison(), lambda type_: ("secret",), ["t_x.a"])
    )


def test_what_is_imported_is_not_replaced_unless_somebody_asks() -> None:
    change = ResourceChange("t_x.a", ("delete", "create"), "t_x", import_id="x")
    plan = Plan("1.11.4", "1.2", (change,))

    def replacing(imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[Planned, Workdir]:
        return Planned(StackReport("dev/a", "dev", "changed"), plan=plan), work()

    result = take_back(replacing, [orphan("a")])
    assert (lost_by(result), lost_by(result, ["t_x.a"])) == (["t_x.a"], [])
