"""What the documents say is what the program does."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli.app import App
from orchestrator.cli.main import COMMANDS, cli, run
from orchestrator.config import json_schema
from orchestrator.errors import PRECEDENCE, Exit
from orchestrator.sandbox.github.api_users import OPERATIONS
from orchestrator.sandbox.github.routes import REPOSITORY, ROUTES

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
    match = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, title
    return match[1]


def test_the_command_table_is_the_help() -> None:
    matches = re.findall(r"^\| `infra ([a-z]+)` \| (.*) \|$", section(README, "Commands"), re.MULTILINE)
    code, text = infra("--help")
    listed = re.findall(r"^  ([a-z]+)  +(.*\.)$", text.partition("Commands:")[2], re.MULTILINE)

    assert code == 0
    assert matches == listed == [(name, line) for name, (_, line) in COMMANDS.items()]


def test_the_exit_codes_are_the_program_s() -> None:
    matches = re.findall(r"^\| (\d+) \|", section(README, "Exit codes"), re.MULTILINE)
    order = ", ".join(str(int(code)) for code in PRECEDENCE)

    assert [int(code) for code in matches] == [int(code) for code in Exit]
    assert order in section(README, "Exit codes")


def test_every_key_of_infra_yaml_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    schema = json_schema()
    keys = {*schema["properties"], *(key for part in schema["$defs"].values() for key in part["properties"])}

    assert {key for key in keys if not re.search(rf"[`.]{key}[`.:]", text)} == set()


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name
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


# What a page may show in place of a value, and what a span in the text shows that is no whole command line.
PLACEHOLDERS = re.compile(r"[\[\]…|<>{}$]")
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
# What a page may leave out where it only names a command or one of its options.
SPARE = re.compile(r"Missing (argument|option|parameter)|.* requires an argument")


def documented_commands(page: Path) -> Iterator[tuple[str, ...]]:
    """Every `infra` command of a page, in its blocks and in its text; one that runs on the sandbox too."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```(?:sh|console|bash)(?: [^\n]*)?\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    outside = re.sub(r"^ *```.*?```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`(infra [^`]+)`", outside)]
    for line in [*lines, *spans]:
        if line.startswith("infra ") and not PLACEHOLDERS.search(line.partition(" #")[0]):
            words = tuple(shlex.split(line, comments=True))
            while words:
                words = words[: words.index("&&")] if "&&" in words else words
                yield words[1 : words.index("--") if "--" in words else None]
                words = words[words.index("--") + 1 :] if "--" in words else ()
                words = words if words[:1] == ("infra",) else ()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_documented_command_exists(page: Path) -> None:
    """Each command line is parsed as the program parses it, so that options and values are right."""
    problems = []
    for argv in sorted(set(documented_commands(page))):
        context, group, words = click.Context(cli, info_name="infra"), cli, list(argv)
        try:
            command: click.Command = group
            while isinstance(command, click.Group) and words and not words[0].startswith("-"):
                child = command.get_command(context, words.pop(0))
                assert child, argv
                command = child
            if not isinstance(command, click.Group) or words:
                command.make_context("infra", words, parent=context)
        except click.exceptions.Exit:
            continue
        except click.UsageError as error:
            if not SPARE.match(error.format_message()):
                problems.append(f"infra {shlex.join(argv)}: {error.format_message()}")
    assert problems == []


def test_the_sandbox_page_lists_the_endpoints_of_its_github() -> None:
    page = section((ROOT / "docs/sandbox.md").read_text(encoding="utf-8"), "Endpoints of its GitHub")
    rows = re.findall(r"^\| `(\S+)` \| ([A-Z, ]+) \|$", page, re.MULTILINE)
    listed = [(path.replace("…", REPOSITORY), tuple(methods.split(", "))) for path, methods in rows]
    served: dict[str, tuple[str, ...]] = {}
    for method, path in (*OPERATIONS, *((route.method, route.template) for route in ROUTES)):
        served[path] = (*served.get(path, ()), method)
    assert listed == list(served.items())


def test_each_number_of_a_decision_occurs_once() -> None:
    """The file's name begins with the number of its title."""
    paths = sorted((ROOT / "docs/adr").glob("*.md"))
    titles = [re.match(r"# (\d+)\b", path.read_text(encoding="utf-8")) for path in paths]
    numbers = [int(title[1]) if title else 0 for title in titles]
    assert numbers == [int(path.name[:4]) for path in paths]
    assert numbers == sorted(set(numbers))
