"""What jobs hand on of report hooks: run on both sides' files, and only what trunk knows is accepted."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.hooks import Hook
from orchestrator.engine.hooks import HookProcess
from orchestrator.errors import UsageError
from orchestrator.masking import Masker
from orchestrator.process import Supervisor
from orchestrator.report.review import HookReport
from orchestrator.repository.loading import load
from orchestrator.review.hook_reports import (
    MISSING,
    HookReports,
    find_due_hooks,
    read_hook_reports,
    validate_hook_reports,
    write_hook_reports,
)
from orchestrator.review.pull_request.scope import ChangeScope, read_scope
from orchestrator.review.report_input import ReportInput, make_input, pack, run_report_hooks, unpacked
from tests.conftest import MakeRepo
from tests.support.repo import Repo
from tests.support.schemas import check_schema

CONFIG = """\
environments:
  dev:
    hooks:
      report: [{name: cost, command: [sh, bin/cost]}, {name: own, command: [sh, bin/cost], code: head}]
  prod: {hooks: {report: [{name: cost, command: [sh, bin/cost]}]}}
stacks:
  dev/a: {hooks: {report: [{name: a, command: [sh, bin/cost]}]}}
  dev/b: {hooks: {report: [{name: b, command: [sh, bin/cost]}]}}
"""
COST = """\
echo "# By {who}"
cat "$INFRA_HOOK_HEAD_FILES/infra/envs/dev/a/main.tf"
cat "$INFRA_HOOK_BASE_FILES/infra/envs/dev/a/main.tf"
cat "$INFRA_HOOK_INPUT"
"""
FILES = {
    "infra.yaml": CONFIG,
    "bin/cost": COST.format(who="trunk"),
    **{f"infra/envs/{stack}/main.tf": "# old\n" for stack in ("dev/a", "dev/b", "prod/a")},
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    repo = make_repo(FILES)
    repo.git("checkout", "--quiet", "-b", "work")
    settings = CONFIG.replace("[sh, bin/cost]", "[sh, bin/theirs]")
    changed = {"infra/envs/dev/a/main.tf": "# new\n", "bin/cost": COST.format(who="the change")}
    repo.commit({**changed, "infra.yaml": settings}, "Work")
    return repo


@pytest.fixture
def scope(repo: Repo) -> ChangeScope:
    return read_scope(load(repo.root), None, "main")


def names(scope: ChangeScope) -> list[tuple[str, str, str]]:
    return [due.key for due in find_due_hooks(scope, scope.environments)]


def test_hooks_of_trunk_are_due_for_what_the_change_affects(scope: ChangeScope) -> None:
    assert names(scope) == [("dev", "", "cost"), ("dev", "", "own"), ("dev", "dev/a", "a")]
    due = find_due_hooks(scope, ["dev"])
    assert [each.hook.command for each in due] == [("sh", "bin/cost")] * 3


def run(data: ReportInput, folder: Path, code: str) -> dict[str, str]:
    process = HookProcess(Supervisor(), {"PATH": os.environ["PATH"]}, Masker().mask_text)
    with unpacked(folder) as (unpacked_data, folders):
        assert unpacked_data == data
        reports = run_report_hooks(process, unpacked_data, folders, code, ())
    assert all(report.code == code and not report.problem for report in reports)
    return {report.name: report.markdown for report in reports}


def test_they_run_in_a_job_without_a_checkout(scope: ChangeScope, repo: Repo, tmp_path: Path) -> None:
    """Trunk's program reads the files of the change; only where trunk says so the change's own runs."""
    data = make_input(scope, None, scope.environments)
    pack(tmp_path / "input", data, scope.project.repository)
    trunk = run(data, tmp_path / "input", "base")
    assert list(trunk) == ["cost", "a"]
    heading, new, old, document = trunk["a"].splitlines()
    assert (heading, new, old) == ("# By trunk", "# new", "# old")
    hook_report = json.loads(document)
    check_schema(hook_report, "hook")
    assert (hook_report["event"], hook_report["stack"], hook_report["commit"]) == (
        "report",
        "dev/a",
        repo.head,
    )
    assert hook_report["stacks"] == [{"id": "dev/a", "environment": "dev"}]
    own = run(data, tmp_path / "input", "head")
    assert own["own"].startswith("# By the change")
    assert repo.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_nothing_is_packed_where_no_hook_is_due(make_repo: MakeRepo, tmp_path: Path) -> None:
    scope = read_scope(load(make_repo(FILES).root), None, "main")
    pack(tmp_path / "input", make_input(scope, None, scope.environments), scope.project.repository)
    assert [path.name for path in (tmp_path / "input").iterdir()] == ["input.json"]


def test_a_failed_or_endless_one_has_a_problem(scope: ChangeScope, tmp_path: Path) -> None:
    data = make_input(scope, None, ["dev"])
    commands = {"cost": "exit 3", "own": "yes", "a": "yes | head -c 40000"}
    hooks = tuple(
        replace(due, hook=Hook(due.hook.name, ("sh", "-c", commands[due.hook.name]), timeout=1.0))
        for due in data.hooks
    )
    data = replace(data, hooks=hooks)
    pack(tmp_path / "input", data, scope.project.repository)
    process = HookProcess(Supervisor(), {"PATH": os.environ["PATH"]}, Masker().mask_text)
    with unpacked(tmp_path / "input") as (_, folders):
        reports = run_report_hooks(process, data, folders, "base", ())
    assert [(report.name, report.problem) for report in reports] == [
        ("cost", "exit code 3"),
        ("own", "it did not end in 1 s: y"),
        ("a", "it is longer than 30,000 bytes"),
    ]


def file_of(scope: ChangeScope, *reports: HookReport, **more: object) -> HookReports:
    file = HookReports(0, scope.planned.head, scope.planned.commit, "base", reports)
    return replace(file, **more)  # type: ignore[arg-type]


COSTS = HookReport("cost", "dev", markdown="9 EUR\x1b[2J")


def test_what_is_due_is_shown_without_secrets_and_the_rest_is_missing(scope: ChangeScope) -> None:
    hidden = HookReport("a", "dev", "dev/a", markdown="password=hunter2hunter2")
    reports, notes = validate_hook_reports(scope, None, [file_of(scope, COSTS, hidden)], Masker().mask_text)
    assert notes == ()
    assert [(report.name, report.problem) for report in reports] == [
        ("cost", ""),
        ("own", MISSING),
        ("a", ""),
    ]
    assert reports[0].markdown == "9 EUR[2J"
    assert "hunter2" not in reports[2].markdown


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"head": "0" * 40}, "they are of another commit"),
        ({"commit": "0" * 40}, "they are of another commit"),
        ({"artifact": "infra-plan-dev-0"}, "another job than that of the reports wrote them"),
        ({"artifact": "infra-report-head"}, "another job than that of the reports wrote them"),
        ({"code": "head"}, "they name a hook that trunk does not have"),
        ({"reports": (HookReport("theirs", "dev"),)}, "they name a hook that trunk does not have"),
        ({"reports": (HookReport("cost", "prod"),)}, "they name a hook that trunk does not have"),
        ({"reports": (HookReport("own", "dev"),)}, "they name a hook that trunk does not have"),
        ({"reports": (replace(COSTS, code="head"),)}, "they name a hook that trunk does not have"),
        ({"reports": (replace(COSTS, markdown="ä" * 15_001),)}, "one is too long"),
    ],
)
def test_anything_else_is_left_out_as_a_whole(
    scope: ChangeScope, more: dict[str, object], words: str
) -> None:
    file = file_of(scope, COSTS, **more)
    reports, (note,) = validate_hook_reports(scope, None, [file], Masker().mask_text)
    assert words in note
    assert {report.problem for report in reports} == {MISSING}


def test_a_file_is_read_back_as_it_was_and_a_broken_one_is_named(scope: ChangeScope, tmp_path: Path) -> None:
    written = write_hook_reports(tmp_path / "infra-report-base", file_of(scope, COSTS))
    assert written.name == "hook-reports-base.json"
    for name, content in (
        ("a", "[" * 100_000),
        ("b", '{"version":1,"kind":"hook-reports","head":3}'),
        ("c", "{}"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hook-reports-x.json").write_text(content)
    (file,), notes = read_hook_reports([tmp_path])
    assert (file, file.artifact) == (file_of(scope, COSTS), "infra-report-base")
    assert len(notes) == 3


def test_an_input_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"version": 1, "kind": "report-input"}')
    with pytest.raises(UsageError), unpacked(tmp_path):
        pass
