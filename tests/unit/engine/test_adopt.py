"""The report of `infra adopt`: adopted, changes, unmanaged."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.engine.adopt import (
    Adoption,
    AdoptionResult,
    Unmanaged,
    describe_unmanaged,
    find_unmanaged,
    has_state,
    summarize,
)
from orchestrator.engine.states import States
from orchestrator.errors import StateError
from orchestrator.report.model import StackReport
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage

CODE = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra/envs/dev/a/main.tf": CODE,
    "infra/envs/prod/a/main.tf": CODE,
    "tools/main.tf": CODE,
    "infra/modules/m/main.tf": "",
    "infra.yaml": "backend: {gcs: {bucket: b, prefix: 'tf/{environment}/{stack}'}}\n",
}


def outcome(stack: str, result: str, adoption: Adoption | None = None) -> AdoptionResult:
    report = StackReport(stack, stack.partition("/")[0], result)  # type: ignore[arg-type]
    return AdoptionResult(report, adoption)


def test_the_report_counts_each_outcome() -> None:
    outcomes = [
        outcome("dev/a", "unchanged", Adoption.ADOPTED),
        outcome("dev/b", "unchanged", Adoption.ADOPTED),
        outcome("dev/c", "blocked", Adoption.HAS_CHANGES),
        outcome("dev/d", "unchanged", Adoption.NO_STATE),
        outcome("dev/e", "failed"),
    ]
    assert summarize(outcomes) == [
        "Adopted: 2 (dev/a, dev/b)",
        "Has changes: 1 (dev/c)",
        "Never applied: 1 (dev/d)",
        "Not adopted, failed: 1 (dev/e)",
    ]


def test_what_no_stack_manages_is_named(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    storage = MemoryStorage()
    for name in (
        "tf/dev/a/default.tfstate",
        "tf/dev/old/default.tfstate",
        "tf/dev/a/default.tflock",
        "x.tfstate",
    ):
        storage.write(name, b"{}")

    def open_bucket(name: str, environ: Mapping[str, str]) -> MemoryStorage:
        return storage

    unmanaged = find_unmanaged(project, States(project, {}, open_bucket))  # type: ignore[arg-type]
    assert unmanaged == Unmanaged(("tools",), ("gs://b/tf/dev/old/default.tfstate",))
    assert describe_unmanaged(unmanaged) == [
        "Unmanaged root modules, which are no stacks: 1 (tools)",
        "Unmanaged states, which belong to no stack: 1 (gs://b/tf/dev/old/default.tfstate)",
    ]


def test_a_bucket_that_may_not_be_listed_is_named(make_repo: MakeRepo) -> None:
    class UnlistableStorage(MemoryStorage):
        def list(self, prefix: str) -> list[object]:  # type: ignore[override]
            raise StateError("403")

    project = load(make_repo(FILES).root)
    states = States(project, {}, lambda name, environ: UnlistableStorage())  # type: ignore[arg-type,return-value]
    unmanaged = find_unmanaged(project, states)
    assert (unmanaged.states, unmanaged.unlisted_buckets) == ((), ("b",))
    assert "Not searched for unmanaged states, since they could not be listed: gs://b" in (
        describe_unmanaged(unmanaged)
    )


def test_where_everything_is_a_stack_nothing_is_reported(make_repo: MakeRepo) -> None:
    project = load(make_repo({"infra/envs/dev/a/main.tf": "terraform {}\n"}).root)
    unmanaged = find_unmanaged(project, States(project, {}))
    assert unmanaged == Unmanaged()
    assert describe_unmanaged(unmanaged) == []


EMPTY = b'{"version": 4, "serial": 1, "lineage": "l", "outputs": {}, "resources": []}'
FULL = EMPTY.replace(b'"outputs": {}', b'"outputs": {"x": {"value": 1, "type": "number"}}')


@pytest.mark.parametrize(
    ("state", "result", "expected"),
    [
        (None, "changed", False),
        (None, "unchanged", False),
        (EMPTY, "changed", False),
        (EMPTY, "unchanged", True),
        (FULL, "changed", True),
    ],
)
def test_an_empty_state_is_none_where_the_plan_has_changes(
    make_repo: MakeRepo, state: bytes | None, result: str, *, expected: bool
) -> None:
    project, storage = load(make_repo(FILES).root), MemoryStorage()
    if state is not None:
        storage.write("tf/dev/a/default.tfstate", state)
    states = States(project, {}, lambda name, environ: storage)  # type: ignore[arg-type,return-value]
    assert has_state(project, states, outcome("dev/a", result).report) == expected
