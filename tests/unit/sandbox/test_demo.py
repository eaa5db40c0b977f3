"""The demo's repository, its words on a terminal, and that it insists."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli.demo_narrator import RichNarrator
from orchestrator.errors import SandboxError
from orchestrator.process import Supervisor
from orchestrator.sandbox import attach
from orchestrator.sandbox.demo import Stage, repository
from orchestrator.sandbox.demo.story import STACKS

NOBODY = attach.Info(Path(), 1, "", 0, "", 0, {}, "{}")


def console(*, coloured: bool = False) -> Console:
    """A console on a text of its own."""
    return Console(file=StringIO(), width=80, force_terminal=coloured, highlight=False)


def text_of(one: Console) -> str:
    """What was printed on it."""
    assert isinstance(one.file, StringIO)
    return one.file.getvalue()


def test_the_example_is_laid_out(tmp_path: Path) -> None:
    repository.lay_out(tmp_path)

    envs = tmp_path / "infra/envs"
    roots = {str(path.parent.relative_to(envs)) for path in envs.rglob("versions.tf")}
    assert roots == set(STACKS)
    assert (tmp_path / "infra.yaml").is_file()
    assert not list(tmp_path.rglob("*.tftest.hcl"))


def test_the_change_is_one_that_the_module_has_room_for(tmp_path: Path) -> None:
    repository.lay_out(tmp_path)
    before = (tmp_path / repository.CHANGED_FILE).read_text()

    repository.change(tmp_path)

    after = (tmp_path / repository.CHANGED_FILE).read_text()
    changed = [
        pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if len(set(pair)) == 2
    ]
    assert len(changed) == 1
    assert '"512Mi"' in changed[0][0]
    assert '"1Gi"' in changed[0][1]


def test_a_change_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / repository.CHANGED_FILE).parent.mkdir(parents=True)
    (tmp_path / repository.CHANGED_FILE).write_text("")

    with pytest.raises(SandboxError):
        repository.change(tmp_path)


def test_nothing_of_another_repository_or_cloud_comes_along() -> None:
    base = {
        "PATH": "/bin",
        "HOME": "/elsewhere/home",
        "GIT_DIR": "/elsewhere/.git",
        "TF_WORKSPACE": "other",
        "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
        "INFRA_SANDBOX": "/elsewhere",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
    }

    made = repository.environment(base)

    assert {name: value for name, value in made.items() if name not in repository.GIT} == {
        "PATH": "/bin",
        "HOME": "/elsewhere/home",
    }
    assert made["GIT_CONFIG_GLOBAL"] == "/dev/null"


def stage(tmp_path: Path, narrator: RichNarrator) -> Stage:
    """A stage with real processes and no sandbox."""
    return Stage(tmp_path, {"PATH": "/usr/bin:/bin", **repository.GIT}, Supervisor(), narrator, NOBODY)


def test_a_command_is_shown_with_its_output_and_its_time(tmp_path: Path) -> None:
    shown = console()
    narrator = RichNarrator(shown)

    stage(tmp_path, narrator).git("init", "--initial-branch=main")

    assert "$ git init --initial-branch=main" in text_of(shown)
    assert "Initialized empty Git repository" in text_of(shown)
    assert 0 < narrator.seconds < 30


def test_a_command_that_fails_ends_the_demo(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="git switch failed"):
        stage(tmp_path, RichNarrator(console())).git("switch", "nowhere")


def test_what_is_not_so_ends_the_demo(tmp_path: Path) -> None:
    shown = console()
    here = stage(tmp_path, RichNarrator(shown))

    here.check(True, "water is wet")
    with pytest.raises(SandboxError, match="the moon is cheese"):
        here.check(False, "the moon is cheese")

    assert "✓ water is wet" in text_of(shown)
    assert "the moon" not in text_of(shown)


def test_colours_of_commands_are_kept_and_only_main_scenes_are_pictured() -> None:
    shown, picture = console(coloured=True), console(coloured=True)
    narrator = RichNarrator(shown, picture)

    narrator.scene("1/8 A repository", "It is there.")
    narrator.line("\x1b[32mgreen\x1b[0m", aside=False)
    narrator.scene("6/9 A change on a branch", "It is made.")
    narrator.line("\x1b[31mred\x1b[0m", aside=False)

    assert "\x1b[32mgreen" in text_of(shown)
    assert "\x1b[31mred" in text_of(shown)
    assert "green" not in text_of(picture)
    assert "\x1b[31mred" in text_of(picture)


def test_a_long_output_is_folded_in_the_middle() -> None:
    shown = console()
    narrator = RichNarrator(shown)

    for number in range(1, 101):
        narrator.line(f"line {number}.", aside=False)
    narrator.line("progress", aside=True)
    narrator.took(1.25)

    text = text_of(shown)
    assert [n for n in range(1, 101) if f"line {n}." not in text] == list(range(45, 87))
    assert "… 42 more lines …" in text
    assert text.index("progress") < text.index("line 100.") < text.index("1.2 s")
