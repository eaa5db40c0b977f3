"""Terraform's argv."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.terraform import command
from orchestrator.terraform.model import PlanOptions

PLAN = ["plan", "-input=false", "-no-color", "-detailed-exitcode"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            command.init({"bucket": "b", "prefix": "dev/state/a b"}, readonly_lock=True),
            [
                *("init", "-input=false", "-no-color", "-reconfigure", "-lockfile=readonly"),
                *("-backend-config=bucket=b", "-backend-config=prefix=dev/state/a b"),
            ],
        ),
        (command.init(readonly_lock=False), ["init", "-input=false", "-no-color", "-reconfigure"]),
        (
            command.apply(Path("/r/p"), parallelism=4, lock_timeout="30s"),
            ["apply", "-json", "-input=false", "-lock-timeout=30s", "-parallelism=4", "/r/p"],
        ),
        (command.apply(Path("p")), ["apply", "-json", "-input=false", "p"]),
        (command.show_json(Path("p")), ["show", "-json", "p"]),
        (command.show_json(), ["show", "-json"]),
        (command.output(), ["output", "-json", "-no-color"]),
        (command.state_list(["module.a"]), ["state", "list", "module.a"]),
        (command.state_show('a.b["c d"]'), ["state", "show", "-no-color", 'a.b["c d"]']),
        (command.state_pull(), ["state", "pull"]),
        (command.fmt_check([]), ["fmt", "-check", "-recursive", "-no-color"]),
        (
            command.fmt_check([Path("a")], diff=True),
            ["fmt", "-check", "-recursive", "-no-color", "-diff", "a"],
        ),
        (command.validate(), ["validate", "-json"]),
        (command.providers_schema(), ["providers", "schema", "-json"]),
    ],
)
def test_commands(argv: Sequence[str], expected: list[str]) -> None:
    assert list(argv) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (PlanOptions(), [*PLAN, "-lock=false", "-out=p"]),
        (PlanOptions(lock=True), [*PLAN, "-lock=true", "-out=p"]),
        (PlanOptions(destroy=True), [*PLAN, "-lock=false", "-destroy", "-out=p"]),
        (PlanOptions(refresh_only=True), [*PLAN, "-lock=false", "-refresh-only", "-out=p"]),
        (PlanOptions(refresh=False), [*PLAN, "-lock=false", "-refresh=false", "-out=p"]),
        (PlanOptions(parallelism=3), [*PLAN, "-lock=false", "-parallelism=3", "-out=p"]),
        (
            PlanOptions(
                targets=('a.b["x"]', "module.c"),
                replaces=("d.e",),
                variables=("n=1", "list=[1, 2]"),
                var_files=(Path("/x/a b.tfvars"), Path("y.tfvars")),
            ),
            [
                *PLAN,
                "-lock=false",
                '-target=a.b["x"]',
                "-target=module.c",
                "-replace=d.e",
                "-var-file=/x/a b.tfvars",
                "-var-file=y.tfvars",
                "-var=n=1",
                "-var=list=[1, 2]",
                "-out=p",
            ],
        ),
    ],
)
def test_plans(options: PlanOptions, expected: list[str]) -> None:
    assert list(command.plan(options, Path("p"))) == expected


def test_building_reads_logs_and_warns_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # The library's own constructor would read this and fail.
    (tmp_path / "terraform.tfstate").write_text("not a state")
    code = "from orchestrator.terraform import command; print(command.state_pull())"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("('state', 'pull')\n", "")
    with caplog.at_level(logging.DEBUG):
        command.plan(PlanOptions(variables=("password=x",)), Path("p"))
    assert caplog.records == []


READS = """
version; validate; fmt -recursive; show; show plan.tfplan; output -json; console; graph; plan -out=p; get;
init -upgrade; modules -json; login; logout; providers; providers lock; providers mirror d; providers schema;
metadata functions; state list; state show a.b; state pull; state identities; -help; -version
"""
CHANGES = """
import a.b id; taint a.b; untaint a.b; test; state mv a b; state rm a.b; state push f;
state replace-provider a b; init -migrate-state;
init --migrate-state; init -force-copy; init -backend-config=bucket=b;
state; state frobnicate; providers frobnicate; metadata frobnicate; frobnicate; stacks; rpcapi; query; cloud
"""
REFUSED = """
apply; apply -auto-approve; destroy; refresh; force-unlock 1; workspace; workspace list; workspace select x;
workspace new x; workspace delete x; workspace show; env list; -chdir=x state list; --chdir=x plan; -chdir=x
"""


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        (line.strip(), effect)
        for effect, lines in (("reads", READS), ("changes", CHANGES), ("refused", REFUSED))
        for line in lines.split(";")
    ],
)
def test_what_a_command_does(line: str, effect: str) -> None:
    """By a table; what is not in it counts as a change."""
    assert command.effect_of(line.split()) == effect
    assert command.changes_state(line.split()) is (effect != "reads")


def test_every_command_of_the_table_is_tried() -> None:
    lines = {line.strip() for lines in (READS, CHANGES, REFUSED) for line in lines.split(";")}
    assert all(any(line.startswith(name) for line in lines) for name in command.EFFECTS)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("apply p", "apply -input=false p"),
        ("import a.b id", "import -input=false a.b id"),
        ("apply -input=true p", "apply -input=true p"),
        ("state rm a.b", "state rm a.b"),
        ("force-unlock 1", "force-unlock 1"),
    ],
)
def test_what_changes_state_does_not_ask(line: str, expected: str) -> None:
    assert command.without_input(line.split()) == tuple(expected.split())


@pytest.mark.parametrize(
    ("line", "writes"),
    [("init -upgrade", True), ("providers lock -platform=linux_amd64", True), ("providers schema", False)],
)
def test_which_commands_are_meant_to_write_the_lock_file(line: str, writes: bool) -> None:
    assert command.writes_lock_file(line.split()) is writes
