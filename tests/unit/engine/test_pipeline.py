"""What a run refuses before it plans or starts anything."""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator.cli import affected
from orchestrator.config import load_text
from orchestrator.engine.failures import not_started
from orchestrator.engine.pipeline import (
    LAST_START,
    RunRequest,
    apply,
    apply_saved_plans,
    environments_in_order,
    plan_all,
)
from orchestrator.engine.ports import Consent, SilentProgress
from orchestrator.engine.recorder import RecorderOptions
from orchestrator.engine.saved_plans import SavedPlan, SavedPlans
from orchestrator.engine.session import Session, open_session
from orchestrator.engine.terraform_command import run_terraform
from orchestrator.errors import BlockedError, ConfigError, InfraError, UsageError
from orchestrator.forge.github import workflows
from orchestrator.process import Completed
from orchestrator.report.model import RunReport
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project, Stack
from orchestrator.review.pull_request import plan_part as planning
from orchestrator.state.promotion_store import CheckResult
from orchestrator.terraform.client import PlanOptions, PlanOutcome, Workdir
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

STACK = 'resource "terraform_data" "x" {}\n'


def session_that_began(make_repo: MakeRepo, seconds_ago: float) -> Session:
    repo = make_repo({"infra/envs/dev/a/main.tf": STACK, "infra/envs/dev/b/main.tf": STACK})
    session = open_session(load(repo.root), {**os.environ, "PATH": ""}, SilentProgress())
    return replace(session, context=replace(session.context, began=time.monotonic() - seconds_ago))


def test_no_stack_is_started_when_the_credentials_of_the_job_end_soon(make_repo: MakeRepo) -> None:
    """An impersonated token lives for an hour; what is left must do for the plans that are running."""
    assert LAST_START == 3000
    session = session_that_began(make_repo, LAST_START + 1)
    planned = plan_all(session, RunRequest(("dev/a", "dev/b"), last_start=LAST_START))
    assert {id_: plan.report.result for id_, plan in planned.items()} == {
        "dev/a": "unchecked",
        "dev/b": "unchecked",
    }
    report = planned["dev/a"].report
    assert report.reason.startswith("50 minutes of the job were over before its turn came")
    assert session.context.report("plan", [report]).exit_code == 1


def test_the_advice_names_what_exists(make_repo: MakeRepo) -> None:
    session = session_that_began(make_repo, LAST_START + 1)
    advice = not_started(session.context.project.stacks["dev/a"], LAST_START).report.advice
    assert advice == (
        "Run the job again. To plan more at once, raise `environments.dev.parallelism` in infra.yaml; to "
        "spread a pull request over more jobs, add `--shards N` to `infra affected --matrix` in "
        "infra-affected.yml."
    )
    assert load_text("version: 1\nenvironments: {dev: {parallelism: 8}}").environments["dev"].parallelism == 8
    assert {"--matrix", "--shards"} <= {name for option in affected.command.params for name in option.opts}
    template = Path(workflows.__file__).with_name("affected.yml")
    assert "infra affected --matrix" in template.read_text()


def test_the_jobs_of_a_pull_request_have_that_limit(make_repo: MakeRepo) -> None:
    session = session_that_began(make_repo, LAST_START + 1)
    (planned,) = planning.plan_valid_stacks(session, ["dev/a"]).values()
    assert planned.report.reason.startswith("50 minutes")


CI_ONLY = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\nenvironments: {prod: {apply: ci}}\n",
    "infra/envs/prod/a/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
# Whoever is asked, or whatever Terraform is started, was reached too late.
NOTHING = cast(Any, None)


def _apply(session: Session, options: RecorderOptions) -> None:
    apply(session, RunRequest(("prod/a",), recorder_options=options), NOTHING)


def _destroy(session: Session, options: RecorderOptions) -> None:
    request = RunRequest(("prod/a",), PlanOptions(destroy=True), recorder_options=options)
    apply(session, request, NOTHING)


def _apply_saved(session: Session, options: RecorderOptions) -> None:
    folder = session.context.project.root / "plans"
    file = SavedPlans(folder, {}).plan_file("prod/a")
    file.parent.mkdir(parents=True, exist_ok=True)
    # In a format of its own, as another program may have: that program decides.
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tfplan", b"")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    plan = SavedPlan("F", digest, None, {}, shadow=False, destroy=False)
    (folder / "manifest.json").write_text(json.dumps({"version": 1, "stacks": {"prod/a": asdict(plan)}}))
    apply_saved_plans(session, folder, (), NOTHING, options)


def _run(session: Session, options: RecorderOptions) -> None:
    stack = session.context.project.stacks["prod/a"]
    run_terraform(session, stack, ("taint", "terraform_data.x"), NOTHING, options, NOTHING)


@pytest.mark.parametrize("command", [_apply, _destroy, _apply_saved, _run])
def test_where_only_ci_applies_nothing_is_even_planned_elsewhere(
    make_repo: MakeRepo, command: Callable[[Session, RecorderOptions], None]
) -> None:
    session = session_in_memory(load(make_repo(CI_ONLY).root), MemoryStorage())
    with pytest.raises(BlockedError, match="Only CI applies to prod"):
        command(session, RecorderOptions())
    # A reason goes further: to what does not exist here.
    with pytest.raises((AttributeError, TypeError)):
        command(session, RecorderOptions(break_glass="the CI is down"))


def test_infra_run_asks_before_anything_and_leaves_applies_to_infra(make_repo: MakeRepo) -> None:
    session = session_in_memory(
        load(make_repo({**CI_ONLY, "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n"}).root),
        MemoryStorage(),
    )
    stack, options = session.context.project.stacks["prod/a"], RecorderOptions()

    def refuse() -> None:
        raise BlockedError("Not confirmed; nothing was changed.")

    with pytest.raises(BlockedError, match="Not confirmed"):
        run_terraform(session, stack, ("taint", "terraform_data.x"), NOTHING, options, refuse)
    with pytest.raises(UsageError, match="does not run `terraform apply`"):
        run_terraform(session, stack, ("apply", "-auto-approve"), NOTHING, options, NOTHING)


def test_environments_in_no_known_order_are_not_applied_together(make_repo: MakeRepo) -> None:
    files = {f"infra/envs/{name}/a/main.tf": STACK for name in ("blue", "green")}
    project = load(make_repo(files).root)
    with pytest.raises(ConfigError, match="promotion order is not known"):
        environments_in_order(project, ("blue/a", "green/a"))
    assert environments_in_order(project, ("blue/a",)) == [["blue/a"]]


def test_nothing_is_planned_against_the_ledger_of_another_repository(make_repo: MakeRepo) -> None:
    bucket = MemoryStorage()
    owner = session_in_memory(load(make_repo({**CI_ONLY, "README.md": "Ours"}, name="ours").root), bucket)
    owner.memory.ledgers.mark_of(owner.context.project.stacks["prod/a"])
    stranger = session_in_memory(load(make_repo({**CI_ONLY, "README.md": "Theirs"}).root), bucket)
    with pytest.raises(InfraError, match="this memory belongs to"):
        plan_all(stranger, RunRequest(("prod/a",)))


# The question, and promotions that are held

TWO_ENVIRONMENTS = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\nenvironments:\n"
    "  dev: {checks: [{name: smoke, command: ['true']}]}\n  prod: {protected: true}\n",
    "infra/envs/dev/a/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
    "infra/envs/prod/a/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
CHANGE = {
    "address": "terraform_data.x",
    "mode": "managed",
    "type": "terraform_data",
    "name": "x",
    "provider_name": "terraform.io/builtin/terraform",
    "change": {"actions": ["update"], "before": {"input": "a"}, "after": {"input": "b"}},
}
PLAN_JSON = json.dumps(
    {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": [CHANGE]}
).encode()


@dataclass(frozen=True)
class PlanningTerraform:
    """Plans one change for each stack, and applies nothing: an apply is an AttributeError."""

    project: Project

    def workdir(self, stack: Stack, run: str | None = None) -> Workdir:
        folder = self.project.root / "runs" / stack.environment
        folder.mkdir(parents=True, exist_ok=True)
        return Workdir(self.project.root / stack.path, folder / "data", folder, {})

    def binary_of(self, stack: Stack) -> Any:
        return SimpleNamespace(version="1.11.4", is_older_than=lambda version: False)

    def init(self, stack: Stack, work: Workdir, *, shadow: bool = False) -> None:
        """Nothing is installed."""

    def plan_options(self, stack: Stack, options: PlanOptions) -> PlanOptions:
        return options

    @property
    def client(self) -> Any:
        def plan(work: Workdir, options: PlanOptions, on_event: Callable[[str], None]) -> PlanOutcome:
            return PlanOutcome(True, work.run_dir / "plan.tfplan", b"", 0.0)

        return SimpleNamespace(
            plan=plan,
            show_json=lambda work, plan_file: PLAN_JSON,
            run_raw=lambda work, arguments: Completed(("terraform",), 0, b"", b"", 0.0),
        )


@dataclass
class RefusingPerson:
    """Says no, and remembers what it was shown, and whose names it was to give."""

    reports: list[RunReport] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)

    def to_apply(self, report: RunReport, *, protected: Sequence[str]) -> None:
        self.reports.append(report)
        self.protected += protected
        raise BlockedError("Not confirmed; nothing was changed.")


@dataclass(frozen=True)
class PlannedProject:
    """Two environments with a stack each, planned by nobody's Terraform; smoke is a check of dev."""

    session: Session
    bucket: MemoryStorage

    def record_check(self, result: str) -> None:
        store = self.session.memory.ledgers.promotions("dev")
        assert store
        checks = {"smoke": CheckResult(result, "", "R0")}  # type: ignore[arg-type]
        store.update(self.session.context.info.commit, lambda record: replace(record, checks=checks))

    def results(self, run: Callable[[Session, Consent], RunReport]) -> dict[str, str]:
        """What was shown to somebody who says no, or is the report where nobody was asked."""
        person = RefusingPerson()
        try:
            report = run(self.session, cast(Consent, person))
        except BlockedError:
            (report,) = person.reports
        assert not [name for call, name in self.bucket.calls if call == "write" and "/ledger/" in name]
        return {stack.id: stack.result for stack in report.stacks}

    def saved(self) -> Path:
        """A folder with a saved plan of each stack."""
        folder, states = self.session.context.project.root / "plans", self.session.memory.states
        plans = {}
        for stack in self.session.context.project.stacks.values():
            file = SavedPlans(folder, {}).plan_file(stack.id)
            file.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("tfplan", b"")
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            generation = states.generation(stack)
            plans[stack.id] = asdict(SavedPlan("F", digest, generation, {}, shadow=False, destroy=False))
        (folder / "manifest.json").write_text(json.dumps({"version": 1, "stacks": plans}))
        return folder


@pytest.fixture
def planned_project(make_repo: MakeRepo) -> PlannedProject:
    bucket, project = MemoryStorage(), load(make_repo(TWO_ENVIRONMENTS).root)
    for name in ("dev", "prod"):
        state: dict[str, Any] = {"version": 4, "serial": 1, "lineage": name, "resources": []}
        bucket.write(f"{name}/state/a/default.tfstate", json.dumps(state).encode())
    session = replace(session_in_memory(project, bucket), terraform=cast(Any, PlanningTerraform(project)))
    return PlannedProject(session, bucket)


def _apply_all(session: Session, consent: Consent) -> RunReport:
    return apply(session, RunRequest(("dev/a", "prod/a")), consent)


def _apply_pending(session: Session, consent: Consent) -> RunReport:
    return apply(session, RunRequest(("prod/a",), promotes=True), consent)


def _apply_named(session: Session, consent: Consent) -> RunReport:
    return apply(session, RunRequest(("prod/a",)), consent)


def _destroy_all(session: Session, consent: Consent) -> RunReport:
    return apply(session, RunRequest(("dev/a", "prod/a"), PlanOptions(destroy=True)), consent)


@pytest.mark.parametrize(
    ("run", "check", "results"),
    [
        (_apply_all, "failed", {"dev/a": "changed", "prod/a": "blocked"}),
        (_apply_all, "passed", {"dev/a": "changed", "prod/a": "changed"}),
        (_apply_all, "", {"dev/a": "changed", "prod/a": "changed"}),
        (_apply_pending, "failed", {"prod/a": "blocked"}),
        (_apply_named, "failed", {"prod/a": "changed"}),
        (_destroy_all, "failed", {"dev/a": "changed", "prod/a": "changed"}),
    ],
)
def test_nothing_is_promoted_past_checks_that_failed(
    planned_project: PlannedProject,
    run: Callable[[Session, Consent], RunReport],
    check: str,
    results: dict[str, str],
) -> None:
    """Who names one environment alone has chosen it; a destroy promotes nothing."""
    if check:
        planned_project.record_check(check)
    assert planned_project.results(run) == results


@pytest.mark.parametrize(("check", "prod"), [("failed", "blocked"), ("passed", "changed")])
def test_saved_plans_are_not_promoted_past_checks_that_failed(
    planned_project: PlannedProject, check: str, prod: str
) -> None:
    planned_project.record_check(check)
    folder = planned_project.saved()
    results = planned_project.results(
        lambda session, consent: apply_saved_plans(session, folder, (), consent, RecorderOptions())
    )
    assert results == {"dev/a": "changed", "prod/a": prod}


def test_saved_plans_are_applied_after_a_question_that_names_protected_environments(
    planned_project: PlannedProject,
) -> None:
    person, folder = RefusingPerson(), planned_project.saved()
    with pytest.raises(BlockedError, match="Not confirmed"):
        apply_saved_plans(planned_project.session, folder, (), cast(Consent, person), RecorderOptions())
    assert person.protected == ["prod"]
    assert [stack.result for stack in person.reports[0].stacks] == ["changed", "changed"]
    assert not [name for call, name in planned_project.bucket.calls if call == "write" and "/ledger/" in name]
