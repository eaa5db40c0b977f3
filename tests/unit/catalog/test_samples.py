"""Which sample a reported error is about."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.entries import CatalogEntry
from orchestrator.catalog.samples import CheckedSample, CheckName, Sample, assign_problems


def checked(name: str, *modules: str) -> CheckedSample:
    sample = Sample(CatalogEntry(name, "stack", "package", "1"), "sample", {})
    return CheckedSample(sample, f"dev/sample-{name}", f"envs/dev/sample-{name}", modules)


def error(message: str, file: str | None = None, stack: str | None = None) -> dict[str, Any]:
    return {"message": message, "file": file, "line": None, "stack": stack}


def messages(check: CheckName, *errors: dict[str, Any], rule: str = "pins") -> list[list[str]]:
    """The messages of a sample that calls a module, and of one that calls none."""
    samples = [checked("web", "modules/web"), checked("job")]
    findings = [{**problem, "rule": rule} for problem in errors]
    assign_problems(samples, check, {"errors": errors, "findings": findings})
    return [[message for _, message in sample.problems] for sample in samples]


def test_errors_are_assigned_by_stack_file_and_module() -> None:
    assert messages("plan", error("a", stack="dev/sample-job")) == [[], ["a"]]
    assert messages("guard", error("a", "envs/dev/sample-job/main.tf")) == [[], ["main.tf: a"]]
    assert messages("test", error("a", "modules/web/tests/x.tftest.hcl")) == [
        ["modules/web/tests/x.tftest.hcl: a"],
        [],
    ]
    # Not a prefix of the name alone.
    assert messages("lint", error("a", "modules/webhooks/main.tf")) == [[], []]


def test_a_failure_of_no_sample_is_one_of_all() -> None:
    assert messages("plan", error("No bucket.")) == [["No bucket."]] * 2
    assert messages("lint", error("No schema.")) == [["No schema."]] * 2
    assert messages("guard", error("a", "infra.yaml")) == [["infra.yaml: a"]] * 2
    assert messages("lint", error("a", "infra.yaml")) == [[], []]


def test_rules_of_how_a_stack_is_committed_do_not_count() -> None:
    problem = error("Nobody owns it.", "envs/dev/sample-job")
    assert messages("lint", problem, rule="no-owner") == [[], []]
    assert messages("lint", problem) == [[], ["envs/dev/sample-job: Nobody owns it."]]
