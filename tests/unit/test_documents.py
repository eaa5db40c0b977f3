"""What the documents say is what the program does."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli.context import App
from orchestrator.cli.main import COMMANDS, cli, run
from orchestrator.config import json_schema
from orchestrator.errors import PRECEDENCE, Exit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def infra(*argv: str) -> tuple[int, str]:
    """Run a command in this process; its exit code and output."""
    out = io.StringIO()
    app = App({"COLUMNS": "200"}, io.StringIO(), out, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        return run(argv, app), out.getvalue()


def section(text: str, title: str) -> str:
    """The part of a document below a heading, up to the next one of its rank."""
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def test_the_command_table_is_the_help() -> None:
    told = re.findall(r"^\| `infra ([a-z]+)` \| (.*) \|$", section(README, "Commands"), re.MULTILINE)
    code, text = infra("--help")
    shown = re.findall(r"^  ([a-z]+)  +(.*\.)$", text.partition("Commands:")[2], re.MULTILINE)

    assert code == 0
    assert told == shown == [(name, line) for name, (_, line) in COMMANDS.items()]


def test_the_exit_codes_are_the_program_s() -> None:
    told = re.findall(r"^\| (\d+) \|", section(README, "Exit codes"), re.MULTILINE)
    order = ", ".join(str(int(code)) for code in PRECEDENCE)

    assert [int(code) for code in told] == [int(code) for code in Exit]
    assert order in section(README, "Exit codes")


def test_every_key_of_infra_yaml_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    schema = json_schema()
    keys = {*schema["properties"], *(key for part in schema["$defs"].values() for key in part["properties"])}

    assert {key for key in keys if not re.search(rf"[`.]{key}[`.:]", text)} == set()


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")), ids=lambda one: one.name
)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text(encoding="utf-8"))
    inside = [
        (document.parent / path if path else document, anchor)
        for path, anchor in targets
        if "://" not in path
    ]

    assert [path for path, _ in inside if not path.exists()] == []
    assert [(path.name, anchor) for path, anchor in inside if anchor and anchor not in anchors(path)] == []


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain}


def commands(group: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path of a command and of every command below it."""
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            below = group.get_command(context, name)
            assert below
            yield from commands(below, (*path, name))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command

    for path in commands(command, (name,)):
        code, text = infra(*path, "--help")
        assert code == 0
        assert f"infra {' '.join(path)}" in text.partition("Examples:")[2], path
