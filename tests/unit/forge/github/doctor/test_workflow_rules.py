"""What doctor says about workflow files: nothing about those that ship, and each mistake with its line."""

from __future__ import annotations

import functools
import textwrap
from dataclasses import replace

import pytest

from orchestrator.config.model import Install
from orchestrator.forge.github.doctor.workflow_files import Workflow, parse_workflow, read_workflows
from orchestrator.forge.github.doctor.workflow_rules import check_terraform, check_workflows
from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from orchestrator.repository.loading import load
from orchestrator.repository.modules import Product
from tests.conftest import MakeRepo
from tests.support.workflows import SOURCE

PIN = "a" * 40
TARGET = WorkflowTarget("acme/infra", "main", ("dev", "prod"))


@functools.cache
def shipped() -> list[Workflow]:
    """The workflows that ship."""
    return [parse_workflow(file, text) for file, text in render(TARGET, SOURCE).items()]


def outcome(text: str, name: str = "other.yml") -> list[tuple[str, str, int | None]]:
    """Severity, name and line of what is said about one more workflow."""
    workflow = parse_workflow(f".github/workflows/{name}", textwrap.dedent(text))
    others = [each for each in shipped() if each.name != name]
    return [
        (check.status, check.name, check.line)
        for check in check_workflows([*others, workflow], "acme/infra", TARGET.environments)
        if check.status != "ok"
    ]


def test_the_workflows_that_ship_are_fine() -> None:
    (check,) = check_workflows(shipped(), "acme/infra", TARGET.environments)
    assert (check.status, check.message) == ("ok", "10 files, nothing to say")


def test_missing_workflows_are_reported() -> None:
    for name in ("infra-apply.yml", "infra-attest.yml", "infra-plan-prod.yml", "infra-drift-dev.yml"):
        there = [workflow for workflow in shipped() if workflow.name != name]
        (check,) = check_workflows(there, "acme/infra", TARGET.environments)
        assert f"there is no {name} in" in check.message
        assert "infra init" in check.advice
    # Whoever has no drift workflow at all wants none.
    without = [workflow for workflow in shipped() if not workflow.name.startswith("infra-drift")]
    (check,) = check_workflows(without, "acme/infra", TARGET.environments)
    assert check.status == "ok"


def test_workflows_whose_plans_are_attested_by_nobody_are_reported() -> None:
    old = "on: pull_request\npermissions: {}\njobs: {}\n"
    assert outcome(old, "infra-plan.yml") == [("error", "workflows", None)]
    assert outcome(old, "infra-plan-run.yml") == [("error", "workflows", None)]


GOOD = f"""\
on: pull_request
permissions: {{}}
jobs:
  a:
    permissions: {{contents: read}}
    steps:
      - uses: actions/checkout@{PIN} # v5
        with: {{persist-credentials: false}}
      - run: echo "$TITLE"
        env:
          TITLE: ${{{{ github.event.pull_request.title }}}}
      - run: echo ${{{{ github.event.pull_request.number }}}} ${{{{ github.sha }}}} ${{{{ matrix.os }}}}
"""


def test_a_careful_workflow_is_fine() -> None:
    assert outcome(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (f"@{PIN} # v5", "@v5", ("error", "pins", 7)),
        (f"@{PIN} # v5", f"@{PIN[:10]}", ("error", "pins", 7)),
        (f"actions/checkout@{PIN} # v5", "docker://alpine:3", ("error", "pins", 7)),
        ("permissions: {}\n", "", None),
        ("permissions: {}\n", "permissions: write-all\n", ("warning", "permissions", None)),
        ("permissions: {}\n", "permissions: {contents: read}\n", ("warning", "permissions", None)),
        ("    permissions: {contents: read}\n", "", None),
        ("{persist-credentials: false}", "{fetch-depth: 0}", ("warning", "checkout", 7)),
        ('echo "$TITLE"', "echo ${{ github.event.pull_request.title }}", ("error", "injection", 9)),
        (
            'echo "$TITLE"',
            "|\n          true\n          echo ${{ github.head_ref }}",
            ("error", "injection", 11),
        ),
        ('echo "$TITLE"', "echo ${{ github.event['issue'].title }}", ("error", "injection", 9)),
        ('echo "$TITLE"', "echo ${{ inputs.stack }}", ("error", "injection", 9)),
        (
            'echo "$TITLE"',
            "echo ${{ format('{0}{1}', github.event.number, github.event.comment.body) }}",
            ("error", "injection", 9),
        ),
        ('run: echo "$TITLE"', f"uses: hashicorp/setup-terraform@{PIN}", ("warning", "wrapper", 9)),
        (
            'run: echo "$TITLE"',
            f"uses: hashicorp/setup-terraform@{PIN}\n        with: {{terraform_wrapper: false}}",
            None,
        ),
        (
            'run: echo "$TITLE"',
            f"uses: google-github-actions/auth@{PIN}\n        with: {{credentials_json: x}}",
            ("error", "keys", 9),
        ),
        (
            'run: echo "$TITLE"',
            f"uses: actions/github-script@{PIN}\n        with:\n          script: |\n"
            "            console.log('${{ github.event.issue.title }}')",
            ("error", "injection", 12),
        ),
    ],
)
def test_each_mistake_is_reported_with_its_line(
    old: str, new: str, expected: tuple[str, str, int | None] | None
) -> None:
    changed = GOOD.replace(old, new, 1)
    assert changed != GOOD
    assert outcome(changed) == ([expected] if expected else [])


def test_no_permissions_declared_anywhere() -> None:
    silent = GOOD.replace("permissions: {}\n", "").replace("    permissions: {contents: read}\n", "")
    assert outcome(silent) == [("warning", "permissions", None)]


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment"])
@pytest.mark.parametrize("ref", ["github.event.pull_request.head.sha", "github.head_ref"])
def test_a_head_checked_out_where_the_rights_are(event: str, ref: str) -> None:
    text = GOOD.replace("on: pull_request", f"on: [{event}]").replace(
        "{persist-credentials: false}", f"{{persist-credentials: false, ref: '${{{{ {ref} }}}}'}}"
    )
    assert ("error", "checkout", 7) in outcome(text)
    assert outcome(text.replace(f"[{event}]", "pull_request")) == []


def test_a_merge_ref_is_a_head_too() -> None:
    text = GOOD.replace("on: pull_request", "on: {issue_comment: {types: [created]}}").replace(
        "{persist-credentials: false}",
        "{persist-credentials: false, ref: 'refs/pull/${{ github.event.issue.number }}/merge'}",
    )
    assert outcome(text) == [("error", "checkout", 7)]


def test_terraform_for_forks() -> None:
    text = GOOD.replace("on: pull_request", "on: pull_request_target").replace(
        'echo "$TITLE"', "exec infra ci plan"
    )
    assert outcome(text) == [("error", "checkout", None)]


@pytest.mark.parametrize("right", ["checks", "pull-requests", "contents", "statuses"])
def test_a_job_that_runs_terraform_may_write_nothing(right: str) -> None:
    text = GOOD.replace("{contents: read}", f"{{{right}: write}}").replace(
        'echo "$TITLE"', "exec infra ci plan"
    )
    assert outcome(text) == [("error", "permissions", 5)]
    assert outcome(GOOD.replace("{contents: read}", f"{{{right}: write}}")) == []


GROUP = """\
    concurrency:
      group: infra-apply-dev
      cancel-in-progress: false
      queue: max
"""
APPLY = f"""\
on: {{push: {{branches: [main]}}}}
permissions: {{}}
jobs:
  apply:
{GROUP}    permissions: {{contents: read, id-token: write}}
    steps:
      - uses: actions/checkout@{PIN}
        with: {{persist-credentials: false}}
      - run: exec infra ci apply dev
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("      queue: max\n", "", [("error", "concurrency", 5)]),
        ("cancel-in-progress: false", "cancel-in-progress: true", [("error", "concurrency", 5)]),
        ("exec infra", "infra", [("warning", "cancel", 13)]),
        ("exec infra", "exec env -u X infra", []),
        ("jobs:", "concurrency: infra-apply\njobs:", [("error", "concurrency", 6)]),
        (GROUP, "", [("error", "concurrency", 5)]),
    ],
)
def test_applies_queue_and_hear_a_cancel(
    old: str, new: str, expected: list[tuple[str, str, int | None]]
) -> None:
    assert outcome(APPLY.replace(old, new, 1), "infra-apply.yml") == expected


def test_what_reverts_drift_needs_no_queue() -> None:
    """The ledger's claims keep it apart from an apply."""
    text = APPLY.replace(GROUP, "").replace("apply dev", 'apply dev --drift "$DRIFT"')
    assert outcome(text, "infra-apply.yml") == []


def test_the_plan_workflow_is_called_at_trunk() -> None:
    text = "on: pull_request\npermissions: {}\njobs:\n  plan:\n    uses: WHERE\n    permissions: {}\n"
    for name in ("infra-attest", "infra-affected", "infra-plan-dev", "infra-drift-prod"):
        run = f".github/workflows/{name}.yml"
        for where, expected in (
            (f"acme/infra/{run}@main", []),
            (f"./{run}", [("error", "plan workflow", 5)]),
            (f"evil/infra/{run}@main", [("error", "pins", 5)]),
            (f"evil/acme/infra/{run}@main", [("error", "pins", 5)]),
            ("acme/infra/.github/workflows/other.yml@main", [("error", "pins", 5)]),
        ):
            assert outcome(text.replace("WHERE", where)) == expected


@pytest.mark.parametrize(
    "text", ["", "- a\n", "a: [", "a: &x\n  b: *x\n", "just words", "jobs: {a: 1, b: [x]}"]
)
def test_files_that_are_no_workflows_are_reported_or_left(text: str) -> None:
    assert all(severity == "warning" for severity, _, _ in outcome(text))


def test_files_are_found_in_the_tree(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            ".github/workflows/a.yml": GOOD,
            ".github/workflows/b.yaml": GOOD,
            ".github/workflows/notes.md": "x",
            ".github/workflows/deep/c.yml": GOOD,
        }
    )
    assert [workflow.name for workflow in read_workflows(load(repo.root).tree)] == ["a.yml", "b.yaml"]


PINNED = f" --hash=sha256:{'a' * 64}"
INSTALL = f"""\
on: pull_request
permissions: {{}}
jobs:
  a:
    permissions: {{contents: read}}
    steps:
      - working-directory: ${{{{ runner.temp }}}}
        run: |
          python3 -I -m venv infra
          infra/bin/python -I -m pip install --require-hashes -r /dev/stdin <<'PINS'
          infra-orchestrator==1.0{PINNED}
          PINS
      - run: exec infra ci plan
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        (PINNED, "", [("error", "install", 9)]),
        (
            f"/dev/stdin <<'PINS'\n          infra-orchestrator==1.0{PINNED}",
            "pins.txt",
            [("error", "install", 9)],
        ),
        ("working-directory: ${{ runner.temp }}\n        run", "run", []),
        ("python3 -I -m", "python3 -m", []),
        ("      - run: exec infra ci plan\n", "", []),
    ],
)
def test_infra_is_installed_with_pins(
    old: str, new: str, expected: list[tuple[str, str, int | None]]
) -> None:
    """They stand in the workflow: a file of the checkout is the pull request's."""
    assert outcome(INSTALL.replace(old, new, 1)) == expected


def test_python_in_the_checkout_is_reported() -> None:
    text = INSTALL.replace("working-directory: ${{ runner.temp }}\n        run", "run").replace(" -I", "", 1)
    assert outcome(text) == [("error", "install", 8)]


@pytest.mark.parametrize(
    ("written", "configured", "version", "words"),
    [
        ("embedded", "embedded", "1.9.8", ""),
        ("own", "own", None, ""),
        ("setup", "setup", "1.9.8", ""),
        ("setup", "setup", None, ""),
        ("setup", "setup", "1.11.4", "sets up 1.9.8, the repository names 1.11.4"),
        ("setup", "embedded", None, "sets Terraform up, and `terraform.install` is embedded"),
        ("embedded", "setup", None, "sets no Terraform up, and `terraform.install` is setup"),
    ],
)
@pytest.mark.parametrize("product", ["terraform", "tofu"])
def test_the_terraform_of_the_workflows_is_compared(
    written: Install, configured: Install, version: str | None, words: str, product: Product
) -> None:
    target = replace(TARGET, install=written, version="1.9.8", product=product)
    workflows = [parse_workflow(file, text) for file, text in render(target, SOURCE).items()]
    checks = list(check_terraform(workflows, configured, version))
    assert all(words in check.message and check.status == "warning" for check in checks)
    assert bool(checks) is bool(words)


@pytest.mark.parametrize(
    "options",
    [
        {"install": "setup"},
        {"submodules": True, "lfs": True},
        {"rehearse": True},
        {"sarif": True},
        {"portal": "gcs"},
    ],
)
def test_workflows_with_options_are_fine(options: dict[str, object]) -> None:
    target = replace(TARGET, **options)  # type: ignore[arg-type]
    files = [parse_workflow(file, text) for file, text in render(target, SOURCE).items()]
    (check,) = check_workflows(files, "acme/infra", TARGET.environments)
    assert check.status == "ok", check
