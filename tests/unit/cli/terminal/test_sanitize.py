"""What others wrote does nothing where it is printed: not on a terminal, and not in a job of GitHub's."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from orchestrator.cli.app import App
from orchestrator.cli.terminal.sanitize import sanitize, sanitize_json
from orchestrator.errors import InfraError

JOB = {"GITHUB_ACTIONS": "true"}
EVIL = (
    "a\x1b]0;owned\x07\x1b[2J\r::set-output name=gate::false\n  ::add-mask::x\n"
    "\t::stop-commands::y\u202e\n##[set-output name=a]b"
)


def is_command(text: str) -> bool:
    """Whether GitHub's runner would take a line for a command, as its ActionCommand reads them."""
    return any(line.lstrip().startswith("::") or "##[" in line for line in io.StringIO(text, newline=None))


def app(environ: dict[str, str] = JOB) -> App:
    return App(environ, io.StringIO(), io.StringIO(), io.StringIO())


def written(output: App) -> str:
    streams = [text_io for text_io in (output.stdout, output.stderr) if isinstance(text_io, io.StringIO)]
    return "".join(stream.getvalue() for stream in streams)


def test_text_for_people() -> None:
    output = app()
    output.write(EVIL)
    output.note(EVIL)
    output.fail(InfraError(EVIL, advice=EVIL, file=EVIL, stack=EVIL))
    table = Table(EVIL)
    table.add_row(Text(EVIL), Text("whole"))
    output.console().print(table)
    output.console(output.stderr).print(Text(EVIL, style="bold"))
    text = written(output)
    assert not is_command(text)
    assert not set(text) & set("\x1b\x07\r\u202e")
    assert text.count("\\u001b]0;owned") >= 4
    assert "> ::add-mask" in text


def test_outside_of_a_job_only_control_characters_are_shown() -> None:
    output = app({})
    output.write("::x\n##[y]\n\tz\x1b")
    assert written(output) == "::x\n##[y]\n\tz\\u001b\n"


def test_colours_of_ours_stay() -> None:
    output = app({**JOB, "FORCE_COLOR": "1"})
    output.console().print(Text("red \x1b[0m", style="red"))
    output.fail(InfraError("no \x1b[0m"))
    text = written(output)
    assert text.count("\\u001b[0m") == 2
    assert "\x1b[31mred" in text
    assert "\x1b[31m\x1b[1merror\x1b[0m: no" in text


def test_what_programs_ask_for_is_as_it_is() -> None:
    output = app()
    output.data(EVIL)
    assert written(output) == EVIL + "\n"


def test_a_command_of_ours_is_one() -> None:
    output = app()
    output.write_workflow_command("::error file=a::b")
    assert is_command(written(output))


@pytest.mark.parametrize("value", [EVIL, "\U0001d159", "\ud800", "\x9b31m", "\xa0\u2028", "ü 😀", "##[x]"])
def test_json_shows_the_same_and_changes_nothing(value: str) -> None:
    text = sanitize_json({value: [value]})
    assert json.loads(text) == {value: [value]}
    assert not is_command(text)
    assert all(char.isprintable() or char == "\n" for char in text)
    text.encode()


@given(st.text(st.sampled_from(list(":#[ \t\n\r\x0b\x0c\x1c\x85\u2028\u3000x\x1b")), max_size=12))
def test_no_text_is_a_command(text: str) -> None:
    sanitized = sanitize(text, in_job=True)
    assert not is_command(sanitized)
    assert not is_command(sanitize(text, in_job=False).replace("::", "").replace("##[", ""))
