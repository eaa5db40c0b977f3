"""The hooks of trunk, with real programs and a real repository: what runs, with which files and variables."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.engine.hooks import HookProcess, HookRunner
from orchestrator.errors import HookError, InterruptedRunError
from orchestrator.masking import Masker
from orchestrator.masking.secret_names import HIDDEN
from orchestrator.process import Supervisor
from orchestrator.report.model import StackReport
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo
from tests.support.repo import Repo
from tests.support.schemas import check_schema

STACK = 'terraform {\n  backend "local" {}\n}\n'
FILES = {"infra/envs/dev/a/main.tf": STACK, "infra/envs/dev/b/main.tf": STACK}
# Writes what it was told, and whose file it is, to the file that KEEP names.
PROGRAM = """#!/bin/sh
echo "{who} $INFRA_HOOK $INFRA_HOOK_NAME $INFRA_HOOK_ENVIRONMENT $INFRA_HOOK_STACK" >> "$KEEP"
env >> "$KEEP.env"
cat "$INFRA_HOOK_INPUT" > "$KEEP.json"
"""


def config(hooks: str, more: str = "") -> str:
    return f"environments: {{dev: {{hooks: {{{hooks}}}}}}}\n{more}"


def hook(event: str, command: str, more: str = "env: [KEEP]") -> str:
    return f"{event}: [{{name: h, command: [{command}], {more}}}]"


class Kept:
    """What hooks wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    @property
    def variables(self) -> dict[str, str]:
        text = self.path.with_name(f"{self.path.name}.env").read_text()
        return dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)

    @property
    def document(self) -> dict[str, object]:
        loaded: dict[str, object] = json.loads(self.path.with_name(f"{self.path.name}.json").read_text())
        return loaded


@pytest.fixture
def hook_runs(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "kept")


def with_program(make_repo: MakeRepo, settings: str, who: str = "trunk") -> Repo:
    repo = make_repo({**FILES, "infra.yaml": settings, "bin/hook": PROGRAM.format(who=who)})
    (repo.root / "bin/hook").chmod(0o755)
    repo.commit(message="A program")
    return repo


@contextmanager
def running(repo: Repo, hook_runs: Kept, more: Mapping[str, str] | None = None) -> Iterator[HookRunner]:
    environ = {"PATH": os.environ["PATH"], "KEEP": str(hook_runs.path), **(more or {})}
    process = HookProcess(Supervisor(), environ, Masker().mask_text)
    runner = HookRunner(load(repo.root), process, {"RUN": "R1", "COMMIT": repo.head})
    try:
        yield runner
    finally:
        runner.close()


def report_of(stack: str, result: str = "applied") -> StackReport:
    return StackReport(stack, "dev", result)  # type: ignore[arg-type]


def test_an_environments_hook_runs_once_and_a_stacks_for_the_stack(
    make_repo: MakeRepo, hook_runs: Kept
) -> None:
    more = f"stacks: {{dev/b: {{hooks: {{{hook('before_plan', 'bin/hook')}}}}}}}\n"
    repo = with_program(make_repo, config(hook("before_plan", "bin/hook"), more))
    with running(repo, hook_runs) as runner:
        for _ in range(2):
            for stack in load(repo.root).stacks.values():
                runner.before_plan(stack)
    assert hook_runs.lines == ["trunk before_plan h dev ", "trunk before_plan h dev dev/b"]
    check_schema(hook_runs.document, "hook")
    assert hook_runs.document == {
        "version": 1,
        "event": "before_plan",
        "environment": "dev",
        "stack": "dev/b",
        "stacks": [],
        "run": "R1",
        "commit": repo.head,
        "base": repo.head,
    }


def test_nothing_of_a_branch_runs(make_repo: MakeRepo, hook_runs: Kept) -> None:
    """Not its program, not its hook, not a hook that it changes; and that is said."""
    repo = with_program(make_repo, config(hook("before_plan", "bin/hook")))
    base = repo.head
    repo.git("checkout", "--quiet", "-b", "work")
    settings = config(hook("before_plan", "bin/hook, --theirs") + ", " + hook("after_apply", "bin/hook"))
    repo.write({"infra.yaml": settings, "bin/hook": PROGRAM.format(who="branch")})
    repo.commit(message="Theirs")
    repo.write({"bin/hook": PROGRAM.format(who="uncommitted")})
    stack = load(repo.root).stacks["dev/a"]
    with running(repo, hook_runs) as runner:
        runner.before_plan(stack)
        runner.after_stack(stack, report_of("dev/a"))
        runner.after_environment([report_of("dev/a")])
        (note,) = runner.notes()
    assert hook_runs.lines == ["trunk before_plan h dev "]
    assert "environments.dev.hooks.before_plan, environments.dev.hooks.after_apply of infra.yaml: " in note
    assert f"not run, since only hooks count that trunk has at {base[:10]}" in note


def test_a_branch_does_not_choose_which_branch_is_trunk(make_repo: MakeRepo, hook_runs: Kept) -> None:
    repo = with_program(make_repo, "version: 1\n")
    repo.git("checkout", "--quiet", "-b", "evil")
    repo.write({"infra.yaml": "trunk: evil\n" + config(hook("before_plan", "bin/hook"))})
    repo.commit(message="Theirs")
    with running(repo, hook_runs) as runner:
        runner.before_plan(load(repo.root).stacks["dev/a"])
    assert hook_runs.lines == []


def test_trunk_may_be_another_branch_where_trunk_itself_sets_it(make_repo: MakeRepo, hook_runs: Kept) -> None:
    repo = with_program(make_repo, "trunk: next\n")
    repo.git("checkout", "--quiet", "-b", "next")
    repo.write({"infra.yaml": "trunk: next\n" + config(hook("before_plan", "bin/hook"))})
    repo.commit(message="Next")
    with running(repo, hook_runs) as runner:
        runner.before_plan(load(repo.root).stacks["dev/a"])
    assert hook_runs.lines == ["trunk before_plan h dev "]


def test_its_files_lie_where_no_folder_above_is_the_checkout(make_repo: MakeRepo, hook_runs: Kept) -> None:
    """A program that looks for its modules or settings in the folders above finds none of the branch."""
    repo = with_program(make_repo, config(hook("before_plan", "sh, -c, 'pwd > $KEEP'")))
    with running(repo, hook_runs) as runner:
        runner.before_plan(load(repo.root).stacks["dev/a"])
        folder = Path(hook_runs.lines[0])
        assert (folder / "bin/hook").exists()
        assert not folder.resolve().is_relative_to(repo.root.resolve())
    assert not folder.exists()
    assert repo.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_a_program_of_the_checkout_is_not_found_by_path(make_repo: MakeRepo, hook_runs: Kept) -> None:
    settings = config(hook("before_plan", "hook"))
    repo = with_program(make_repo, settings)
    stack = load(repo.root).stacks["dev/a"]
    for path in (f"{repo.root}/bin", "bin"):
        with running(repo, hook_runs, {"PATH": path}) as runner, pytest.raises(HookError) as caught:
            runner.before_plan(stack)
        assert "there is no program hook on PATH outside of the checkout" in caught.value.message
    assert hook_runs.lines == []


def test_a_program_is_not_named_by_its_location_in_the_checkout(make_repo: MakeRepo, hook_runs: Kept) -> None:
    repo = with_program(make_repo, "version: 1\n")
    repo.write({"infra.yaml": config(hook("before_plan", f"{repo.root}/bin/hook"))})
    repo.commit(message="Absolute")
    with running(repo, hook_runs) as runner, pytest.raises(HookError) as caught:
        runner.before_plan(load(repo.root).stacks["dev/a"])
    assert "is in the checkout, where a branch can change it" in caught.value.message
    assert hook_runs.lines == []


def test_it_gets_plain_variables_and_those_that_are_named(make_repo: MakeRepo, hook_runs: Kept) -> None:
    repo = with_program(make_repo, config(hook("before_plan", "bin/hook", "env: [KEEP, CHAT_TOKEN, ABSENT]")))
    secret = {
        "GITHUB_TOKEN": "g",
        "GH_TOKEN": "g",
        "GOOGLE_OAUTH_ACCESS_TOKEN": "g",
        "GOOGLE_APPLICATION_CREDENTIALS": "g",
        "TF_VAR_password": "g",
        "TF_TOKEN_app": "g",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "g",
        "SSH_AUTH_SOCK": "g",
        "AWS_SECRET_ACCESS_KEY": "g",
    }
    with running(repo, hook_runs, {**secret, "CHAT_TOKEN": "c", "LANG": "C"}) as runner:
        runner.before_plan(load(repo.root).stacks["dev/a"])
    variables = hook_runs.variables
    assert secret.keys() & variables.keys() == set()
    assert (variables["CHAT_TOKEN"], variables["LANG"]) == ("c", "C")
    assert (variables["INFRA_HOOK_COMMIT"], variables["INFRA_HOOK_RUN"]) == (repo.head, "R1")


@pytest.mark.parametrize(
    ("command", "more", "words"),
    [
        ("sh, -c, 'echo why >&2; exit 3'", "", "failed: exit code 3: why"),
        ("sh, -c, 'exec sleep 60'", "timeout: 1s", "failed: it did not end in 1 s"),
        ("bin/missing", "", "bin/missing does not exist in the files that it runs with"),
        ("sh, -c, 'echo it is $TOKEN; exit 1'", "env: [TOKEN]", "exit code 1: it is ‹hidden›"),
        ("sh, -c, 'echo password=hunter2hunter2; exit 1'", "", "exit code 1: password=‹hidden›"),
    ],
)
def test_a_failure_stops_the_plan_and_states_why(
    make_repo: MakeRepo, hook_runs: Kept, command: str, more: str, words: str
) -> None:
    repo = with_program(make_repo, config(hook("before_plan", command, more)))
    stacks = load(repo.root).stacks
    with running(repo, hook_runs, {"TOKEN": "abcdefgh12345"}) as runner:
        for stack in stacks.values():
            with pytest.raises(HookError) as caught:
                runner.before_plan(stack)
            assert words.replace("‹hidden›", HIDDEN) in caught.value.message
            assert "hooks.before_plan` of dev" in caught.value.advice


def test_after_an_apply_a_hook_receives_what_was_applied(make_repo: MakeRepo, hook_runs: Kept) -> None:
    repo = with_program(make_repo, config(hook("after_apply", "bin/hook")))
    reports = [report_of("dev/a"), report_of("dev/b", "failed")]
    with running(repo, hook_runs) as runner:
        runner.after_environment(reports[1:])
        assert hook_runs.lines == []
        runner.after_environment(reports)
        assert (runner.take_failures(), runner.take_lines()) == ((), ())
    assert hook_runs.lines == ["trunk after_apply h dev "]
    check_schema(hook_runs.document, "hook")
    assert [stack["id"] for stack in hook_runs.document["stacks"]] == ["dev/a"]  # type: ignore[attr-defined]


def test_after_an_apply_a_failure_is_one_of_the_run(make_repo: MakeRepo, hook_runs: Kept) -> None:
    settings = hook("after_apply", "sh, -c, 'echo sent; echo hunter2; exit 4'")
    repo = with_program(make_repo, f"stacks: {{dev/a: {{hooks: {{{settings}}}}}}}\n")
    with running(repo, hook_runs) as runner:
        runner.after_stack(load(repo.root).stacks["dev/a"], report_of("dev/a"))
        (failure,) = runner.take_failures()
        assert failure.message == "The hook h of dev/a failed: exit code 4: hunter2"
        assert "exit code 4: hunter2. What was applied stays applied" in failure.note()
        assert failure.document()["stack"] == "dev/a"
        assert runner.take_lines() == ("h of dev/a: sent", "h of dev/a: hunter2")
        assert (runner.take_failures(), runner.take_lines()) == ((), ())


def test_a_stack_s_hook_follows_its_apply_alone(make_repo: MakeRepo, hook_runs: Kept) -> None:
    repo = with_program(make_repo, f"stacks: {{dev/a: {{hooks: {{{hook('after_apply', 'bin/hook')}}}}}}}\n")
    stack = load(repo.root).stacks["dev/a"]
    with running(repo, hook_runs) as runner:
        for result in ("failed", "unchanged", "skipped", "interrupted"):
            runner.after_stack(stack, report_of("dev/a", result))
        assert hook_runs.lines == []
        runner.after_stack(stack, report_of("dev/a"))
    assert hook_runs.lines == ["trunk after_apply h dev dev/a"]


def test_what_a_hook_prints_is_masked_where_it_succeeds(make_repo: MakeRepo, hook_runs: Kept) -> None:
    settings = hook("after_apply", "sh, -c, 'echo it is $TOKEN'", "env: [TOKEN]")
    repo = with_program(make_repo, f"stacks: {{dev/a: {{hooks: {{{settings}}}}}}}\n")
    with running(repo, hook_runs, {"TOKEN": "abcdefgh12345"}) as runner:
        runner.after_stack(load(repo.root).stacks["dev/a"], report_of("dev/a"))
        assert runner.take_lines() == (f"h of dev/a: it is {HIDDEN}",)


def test_an_interrupt_ends_a_hook_but_changes_no_apply(make_repo: MakeRepo, hook_runs: Kept) -> None:
    settings = config(
        hook("before_plan", "sh, -c, 'echo started > $KEEP; exec sleep 60'")
        + ", "
        + hook("after_apply", "bin/hook")
    )
    repo = with_program(make_repo, settings)
    with running(repo, hook_runs) as runner:
        supervisor = runner._process.supervisor
        interrupt = threading.Thread(target=interrupt_when_started, args=(hook_runs, supervisor))
        interrupt.start()
        with pytest.raises(InterruptedRunError):
            runner.before_plan(load(repo.root).stacks["dev/a"])
        interrupt.join()
        runner.after_environment([report_of("dev/a")])
        (failure,) = runner.take_failures()
        assert "Interrupted before hook h was started" in failure.message


def interrupt_when_started(hook_runs: Kept, supervisor: Supervisor) -> None:
    pause = threading.Event()
    for _ in range(6000):
        if hook_runs.lines:
            break
        pause.wait(0.01)
    supervisor.interrupt()


def test_endless_output_is_read_and_dropped(make_repo: MakeRepo, hook_runs: Kept) -> None:
    program = "sh, -c, 'yes hello | head -c 5000000; yes more & exit 0'"
    repo = with_program(make_repo, config(hook("after_apply", program)))
    with running(repo, hook_runs) as runner:
        runner.after_environment([report_of("dev/a")])
        assert runner.take_lines()[0] == "h of dev: hello"


def test_hooks_that_cannot_be_read_are_no_reason_to_plan_without_them(
    make_repo: MakeRepo, hook_runs: Kept
) -> None:
    repo = with_program(make_repo, "such: key\n")
    repo.write({"infra.yaml": config(hook("before_plan", "bin/hook"))})
    with running(repo, hook_runs) as runner, pytest.raises(HookError) as caught:
        runner.before_plan(load(repo.root).stacks["dev/a"])
    assert "Trunk's hooks cannot be read: unknown key `such`" in caught.value.message


def test_without_a_trunk_hooks_are_not_run_and_that_is_reported(make_repo: MakeRepo, hook_runs: Kept) -> None:
    repo = with_program(make_repo, config(hook("before_plan", "bin/hook")))
    repo.git("branch", "--quiet", "-m", "main", "elsewhere")
    with running(repo, hook_runs) as runner:
        runner.before_plan(load(repo.root).stacks["dev/a"])
        assert "environments.dev.hooks.before_plan of infra.yaml: not run" in runner.notes()[0]
    assert hook_runs.lines == []
