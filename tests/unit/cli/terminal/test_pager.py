"""The pager: which program it is, what it is given, and that nothing is hidden when it fails."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from orchestrator.cli.app import App
from orchestrator.cli.terminal.pager import pager_argv, show_in_pager
from orchestrator.errors import ProcessError

RED = "\x1b[31mdeleted\x1b[0m\n"


class PagerRun:
    """An App with streams to look into, and a folder of programs that is its whole PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out, self.errors = io.StringIO(), io.StringIO()

    def program(self, name: str, script: str) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\ncd {self.folder}\n{script}\n")
        path.chmod(0o700)
        return str(path)

    def show(self, text: str = RED, **environ: str) -> str:
        path = f"{self.folder}:{os.environ['PATH']}"
        app = App({"PATH": path, **environ}, io.StringIO(), self.out, self.errors)
        return show_in_pager(app, text)

    @property
    def paged_text(self) -> str:
        return (self.folder / "shown").read_text()


@pytest.fixture
def streams(tmp_path: Path) -> PagerRun:
    return PagerRun(tmp_path)


def test_the_usual_pager_is_less_then_more(streams: PagerRun) -> None:
    path = str(streams.folder)
    assert pager_argv({"PATH": path}) == ()
    more = streams.program("more", "")
    assert pager_argv({"PATH": path}) == (more,)
    less = streams.program("less", "")
    assert pager_argv({"PATH": path}) == (less,)
    assert pager_argv({"PATH": path, "PAGER": "more -d 'a b'"}) == (more, "-d", "a b")


@pytest.mark.parametrize("environ", [{"PAGER": ""}, {"PAGER": " "}, {"PAGER": "cat"}, {"TERM": "dumb"}])
def test_no_pager_is_wanted(environ: dict[str, str]) -> None:
    assert pager_argv({"PATH": os.environ["PATH"], **environ}) == ()


@pytest.mark.parametrize("pager", ["'unclosed", "/no/such", "nosuch-pager -R"])
def test_a_pager_that_cannot_run_is_named_and_the_output_is_printed(streams: PagerRun, pager: str) -> None:
    with pytest.raises(ProcessError, match="PAGER"):
        pager_argv({"PATH": os.environ["PATH"], "PAGER": pager})
    assert streams.show(PAGER=pager) == "printed"
    assert streams.out.getvalue() == RED
    assert "printed without a pager" in streams.errors.getvalue()


@pytest.mark.parametrize(
    ("script", "end"),
    [("exit 1", "exit code 1"), ("kill -KILL $$", "signal 9"), ("cat >&-; exit 3", "code 3")],
)
def test_a_pager_that_fails_hides_nothing(streams: PagerRun, script: str, end: str) -> None:
    text = RED * 100_000
    assert streams.show(text, PAGER=streams.program("pager", script)) == "printed"
    assert streams.out.getvalue() == text
    assert end in streams.errors.getvalue()


def test_a_program_of_another_format_hides_nothing(streams: PagerRun) -> None:
    pager = streams.folder / "pager"
    pager.write_bytes(b"\x7fELF no program")
    pager.chmod(0o700)
    assert streams.show(PAGER=str(pager)) == "printed"
    assert streams.out.getvalue() == RED


@pytest.mark.parametrize("script", ["exit 0", "kill -INT $$", "exit 130"])
def test_a_pager_may_be_left_early(streams: PagerRun, script: str) -> None:
    assert streams.show(RED * 100_000, PAGER=streams.program("pager", script)) == "paged"
    assert streams.out.getvalue() == ""
    assert streams.errors.getvalue() == ""


@pytest.mark.parametrize(
    ("name", "arguments", "less", "colour"),
    [
        ("less", "", None, True),
        ("less", "", "", False),
        ("less", "", "-i", False),
        ("less", "", "-iR", True),
        ("less", "-R", "-i", True),
        ("less", "--prompt=x", "", False),
        ("less", "--RAW-CONTROL-CHARS", "", True),
        ("other", "", "", True),
    ],
)
def test_colours_are_shown_by_what_can_show_them(
    streams: PagerRun, name: str, arguments: str, less: str | None, colour: bool
) -> None:
    pager = f"{streams.program(name, '{ echo $LESS $LV; cat; } > shown')} {arguments}"
    environ = {} if less is None else {"LESS": less}
    assert streams.show(PAGER=pager, **environ) == "paged"
    assert ("\x1b[31m" in streams.paged_text) is colour
    assert "deleted" in streams.paged_text
    if less is None:
        assert streams.paged_text.startswith("FRX -c")
