"""The demo's repository, its words on a terminal, and that it insists."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli.terminal.demo_narrator import RichNarrator
from orchestrator.config import load
from orchestrator.errors import SandboxError
from orchestrator.process import Supervisor
from orchestrator.sandbox import attach
from orchestrator.sandbox.demo import STORY, Stage, play, repository
from orchestrator.sandbox.demo.estate import STACKS
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.stage import DemoJob

NOBODY = attach.Info(Path(), 1, "", 0, "", 0, {}, "{}")


def console(*, coloured: bool = False) -> Console:
    """A console on a text of its own."""
    return Console(file=StringIO(), width=80, force_terminal=coloured, highlight=False)


def text_of(scene_stage: Console) -> str:
    """What was printed on it."""
    assert isinstance(scene_stage.file, StringIO)
    return scene_stage.file.getvalue()


def test_the_example_is_laid_out(tmp_path: Path) -> None:
    repository.lay_out(tmp_path, date(2026, 1, 5))

    envs = tmp_path / "infra/envs"
    roots = {str(path.parent.relative_to(envs)) for path in envs.rglob("versions.tf")}
    assert roots == set(STACKS)
    settings = load(tmp_path)
    assert settings.drift.ignore[0].until == date(2026, 4, 5)
    assert settings.drift.action("staging", "reverted") == "pr"
    assert not list(tmp_path.rglob("*.tftest.hcl"))


def changed_lines(folder: Path, name: Path, change: Callable[[Path], str]) -> tuple[list[str], list[str]]:
    """The lines of a file that a change takes away, and those that it brings."""
    before = (folder / name).read_text().splitlines()
    change(folder)
    after = (folder / name).read_text().splitlines()
    ndiff = list(difflib.ndiff(before, after))
    return [item[2:] for item in ndiff if item[0] == "-"], [item[2:] for item in ndiff if item[0] == "+"]


def test_the_changes_are_such_that_the_example_has_room_for(tmp_path: Path) -> None:
    repository.lay_out(tmp_path, date(2026, 1, 5))

    removed, new = changed_lines(tmp_path, repository.CHANGED_FILE, repository.change_memory)
    assert (len(removed), len(new)) == (1, 1)
    assert '"512Mi"' in removed[0]
    assert '"1Gi"' in new[0]

    removed, new = changed_lines(tmp_path, Path("infra/envs/staging/network/main.tf"), repository.add_subnet)
    assert not removed
    assert f'      region        = "{repository.NEW_REGION}"' in new


def test_a_change_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / repository.CHANGED_FILE).parent.mkdir(parents=True)
    (tmp_path / repository.CHANGED_FILE).write_text("")

    with pytest.raises(SandboxError):
        repository.change_memory(tmp_path)


def test_nothing_of_another_repository_or_cloud_comes_along() -> None:
    base = {
        "PATH": "/bin",
        "HOME": "/elsewhere/home",
        "GIT_DIR": "/elsewhere/.git",
        "TF_WORKSPACE": "other",
        "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
        "INFRA_SANDBOX": "/elsewhere",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "CI": "true",
    }

    environment = repository.environment(base)

    assert {name: value for name, value in environment.items() if name not in repository.GIT} == {
        "PATH": "/bin",
        "HOME": "/elsewhere/home",
    }
    assert environment["GIT_CONFIG_GLOBAL"] == "/dev/null"


def stage(tmp_path: Path, narrator: RichNarrator) -> Stage:
    """A stage with real processes and no sandbox."""
    environ = {"PATH": "/usr/bin:/bin", **repository.GIT}
    return Stage(tmp_path, environ, Supervisor(), narrator, NOBODY, lambda: NOBODY)


def test_a_command_is_shown_with_its_output_and_its_time(tmp_path: Path) -> None:
    screen = console()
    narrator = RichNarrator(screen)

    stage(tmp_path, narrator).git("init", "--initial-branch=main")

    assert "$ git init --initial-branch=main" in text_of(screen)
    assert "Initialized empty Git repository" in text_of(screen)
    assert 0 < narrator.seconds < 30


def test_a_command_that_fails_ends_the_demo(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="git switch failed"):
        stage(tmp_path, RichNarrator(console())).git("switch", "nowhere")


def test_what_is_not_so_ends_the_demo(tmp_path: Path) -> None:
    screen = console()
    demo_stage = stage(tmp_path, RichNarrator(screen))

    demo_stage.check(True, "water is wet")
    with pytest.raises(SandboxError, match="the moon is cheese"):
        demo_stage.check(False, "the moon is cheese")

    assert "✓ water is wet" in text_of(screen)
    assert "the moon" not in text_of(screen)


def test_scenes_are_counted_through_all_chapters_and_end_where_something_is_not_so(tmp_path: Path) -> None:
    screen = console()
    demo_stage = stage(tmp_path, RichNarrator(screen))
    good = SceneStep("Good", "It goes well.", lambda scene_stage: scene_stage.check(True, "it went well"))
    bad = SceneStep("Bad", "It does not.", lambda scene_stage: scene_stage.check(False, "it went well"))

    with pytest.raises(SandboxError):
        play(demo_stage, (Chapter("First", (good,)), Chapter("Second", (bad, replace(good, title="Never")))))

    text = text_of(screen)
    assert text.index("First") < text.index("1/3 Good") < text.index("Second") < text.index("2/3 Bad")
    assert "Never" not in text


def test_the_whole_story_has_scenes_for_the_picture() -> None:
    steps = [step for chapter in STORY for step in chapter.steps]
    assert len({step.title for step in steps}) == len(steps)
    assert 2 <= sum(step.pictured > 0 for step in steps) <= 5


def test_who_runs_a_command_is_reported() -> None:
    assert DemoJob().words == "a job"
    assert DemoJob(account="prod:plan", reports=False).words == "a job as prod:plan"
    assert DemoJob(who="ada").words == "ada"


def test_a_job_that_runs_terraform_has_the_rights_of_its_account_and_no_token(tmp_path: Path) -> None:
    info = replace(NOBODY, gcs=1, github=3, github_token="secret", accounts={"prod:plan": 2})
    environ = stage(tmp_path, RichNarrator(console()))
    environ.info = info

    reader = environ.environment_of(DemoJob({"GITHUB_SHA": "0"}, account="prod:plan", reports=False))
    teller = environ.environment_of(DemoJob())

    assert (reader["STORAGE_EMULATOR_HOST"], reader["GITHUB_SHA"]) == ("http://127.0.0.1:2", "0")
    assert "GITHUB_TOKEN" not in reader
    assert (teller["STORAGE_EMULATOR_HOST"], teller["GITHUB_TOKEN"]) == ("http://127.0.0.1:1", "secret")


def test_a_comment_is_shown_as_its_readers_see_it() -> None:
    screen = console()
    body = (
        "<!-- infra:plan -->\n**1 stack changes.**\n\n<details><summary>why</summary>\n\nSo.\n\n</details>\n"
    )

    RichNarrator(screen).page("What #1 is told", body)

    text = text_of(screen)
    assert "What #1 is told" in text
    assert "1 stack changes." in text
    assert "▸ why" in text
    assert "<" not in text


def test_a_long_comment_is_folded_in_the_middle() -> None:
    screen = console()
    body = "\n\n".join(f"Paragraph {number}." for number in range(1, 101))

    RichNarrator(screen).page("What #1 is told", f"<!-- infra:plan -->\n{body}\n")

    lines = text_of(screen).splitlines()
    assert len(lines) == 44 + 1 + 14
    assert "more lines" in lines[44]
    assert "Paragraph 1." in lines[2]
    assert "Paragraph 100." in lines[-2]


def test_of_some_scenes_there_is_a_picture_without_what_commands_print() -> None:
    screen, picture = console(coloured=True), console(coloured=True)
    narrator = RichNarrator(screen, picture)

    for number, pictured in enumerate((0, 5), start=1):
        narrator.scene(f"Scene {number}", "It begins.", pictured=pictured)
        narrator.command(f"infra {number}")
        narrator.line("\x1b[32mgreen\x1b[0m", aside=False)
        narrator.page("A page", "\n\n".join(f"Paragraph {number}." for number in range(9)))
        narrator.checked(f"checked {number}")

    assert "\x1b[32mgreen" in text_of(screen)
    assert "Paragraph 8." in text_of(screen)
    text = text_of(picture)
    assert [item in text for item in ("Scene 1", "infra 1", "checked 1")] == [False] * 3
    assert [item in text for item in ("Scene 2", "infra 2", "checked 2")] == [True] * 3
    assert "green" not in text
    assert ("Paragraph 0." in text, "Paragraph 8." in text) == (True, False)


def test_a_long_output_is_folded_in_the_middle() -> None:
    screen = console()
    narrator = RichNarrator(screen)

    for number in range(1, 101):
        narrator.line(f"line {number}.", aside=False)
    narrator.line("progress", aside=True)
    narrator.took(1.25)

    text = text_of(screen)
    assert [n for n in range(1, 101) if f"line {n}." not in text] == list(range(45, 87))
    assert "… 42 more lines …" in text
    assert text.index("progress") < text.index("line 100.") < text.index("1.2 s")
