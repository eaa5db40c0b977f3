"""Hooks through the commands: one stops a plan, one fails after an apply, one reports into the comment."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.config import load_text
from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema
from tests.support.workflows import SOURCE, read_yaml

CONFIG = """\
environments:
  dev:
    protected: false
    hooks:
      before_plan: [{name: window, command: [sh, bin/window], env: [CLOSED]}]
      after_apply: [{name: chat, command: [sh, bin/chat], env: [CHAT_TOKEN]}]
      report: [{name: cost, command: [sh, bin/cost]}]
stacks:
  dev/b: {hooks: {report: [{name: own, command: [sh, bin/cost], code: head}]}}
"""
FILES = {
    "infra.yaml": CONFIG,
    "bin/window": 'test -z "$CLOSED" || { echo "closed until Monday" >&2; exit 1; }\n',
    "bin/chat": 'echo "told $CHAT_TOKEN"; exit 2\n',
    "bin/cost": 'echo "# **9 EUR** @admin"\n',
    **{f"infra/envs/dev/{name}/main.tf": 'output "x" {\n  value = 1\n}\n' for name in ("a", "b")},
}


def test_a_plan_waits_for_a_ledger_and_an_apply_reports_its_failure(
    make_repo: MakeRepo, terraform_argv: tuple[str, ...]
) -> None:
    root = make_repo(FILES).root
    closed = Infra(root, {"CLOSED": "1"})("plan", "dev", "--json", code=1)
    assert closed.results == {"dev/a": "failed", "dev/b": "failed"}
    reason = "The hook window of dev failed: exit code 1: closed until Monday"
    assert {error["message"] for error in closed.document["errors"]} == {reason}
    ran = Infra(root, {"CHAT_TOKEN": "tok-8f3a9b2c"})("apply", "dev", "--auto-approve", "--json", code=1)
    assert ran.results == {"dev/a": "applied", "dev/b": "applied"}
    (error,) = ran.document["errors"]
    assert (error["class"], error["stack"]) == ("HookError", None)
    assert error["message"].startswith("The hook chat of dev failed: exit code 2: told ")
    assert "tok-8f3a9b2c" not in ran.out + ran.err


def test_reports_reach_the_comment_and_only_those_of_trunk(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    repo.git("checkout", "--quiet", "-b", "work")
    theirs = CONFIG.replace("command: [sh, bin/chat]", "command: [sh, bin/evil]")
    changed = {"bin/cost": 'echo "**1 EUR** by the change"\n', "infra/envs/dev/b/main.tf": ""}
    repo.commit({**changed, "infra.yaml": theirs}, "Work")
    infra = Infra(repo.root, {})
    report_text = infra("ci", "report", code=0).out
    assert "**9 EUR `@admin`**" in report_text
    assert "**1 EUR** by the change" in report_text
    infra("ci", "report", "--pack", "pack", code=0)
    job = Infra(tmp_path, {})
    for code in ("base", "head"):
        job(
            *("ci", "report", "--input", "repo/pack", "--code", code),
            "--report",
            f"r/infra-report-{code}",
            code=0,
        )
    (tmp_path / "r/infra-report-head/hook-reports-head.json").unlink()
    document = infra("ci", "comment", str(tmp_path / "r"), "--dry-run", "--json").document
    check_schema(document, "ci-plan")
    reports = {report["name"]: (report["markdown"], report["problem"]) for report in document["reports"]}
    assert reports["cost"] == ("# **9 EUR** @admin\n", "")
    assert reports["own"][1].startswith("no job reported it")
    assert "9 EUR `@admin`" in document["body"]
    assert any(
        "environments.dev.hooks.after_apply of infra.yaml: not run" in note for note in document["notes"]
    )


def test_workflows_give_hooks_what_is_named_and_reports_nothing_at_all() -> None:
    config = load_text(CONFIG)
    variables = {"dev": config.job_variables("dev")}
    target = WorkflowTarget("a/b", "main", ("dev", "prod"), job_variables=variables, reports=True)
    files = {path.rsplit("/", 1)[-1]: read_yaml(text) for path, text in render(target, SOURCE).items()}
    report = files["infra-report.yml"]
    assert (report["permissions"], [job["permissions"] for job in report["jobs"].values()]) == ({}, [{}])
    assert files["infra-plan.yml"]["jobs"]["report"]["permissions"] == {}
    steps = report["jobs"]["report"]["steps"]
    assert not any("env" in step for step in steps)
    assert {step["uses"].partition("@")[0] for step in steps if "uses" in step} == {
        "actions/download-artifact",
        "actions/upload-artifact",
    }
    names = ["base", "head"]
    uploads = [
        step["with"]["name"] for step in report["jobs"]["report"]["steps"] if "upload" in step.get("uses", "")
    ]
    assert uploads == [f"infra-report-{name}" for name in names]
    for workflow, has_them in (
        ("plan-dev", True),
        ("drift-dev", True),
        ("plan-prod", False),
        ("drift-prod", False),
    ):
        steps = [step for job in files[f"infra-{workflow}.yml"]["jobs"].values() for step in job["steps"]]
        tokens = [
            step["env"].get("CHAT_TOKEN")
            for step in steps
            if "GOOGLE_OAUTH_ACCESS_TOKEN" in step.get("env", {})
        ]
        assert {bool(value) for value in tokens} == {has_them}
    apply_step = next(
        step for step in files["infra-apply.yml"]["jobs"]["apply-dev"]["steps"] if step.get("name") == "Apply"
    )
    assert apply_step["env"]["CHAT_TOKEN"] == "${{ secrets.CHAT_TOKEN || vars.CHAT_TOKEN }}"
    assert files["infra-plan.yml"]["jobs"]["attest"]["needs"] == [
        "affected",
        "plan-dev",
        "plan-prod",
        "report",
    ]
    assert "CHAT_TOKEN" not in json.dumps(files["infra-attest.yml"])
    plain = render(WorkflowTarget("a/b", "main", ("dev",)), SOURCE)
    assert not any("report" in path for path in plain)
