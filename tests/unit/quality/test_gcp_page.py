"""docs/gcp.md says what the program and the reference do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli.main import cli
from orchestrator.repository.hcl import Block, read
from tests.support.typed import blocks_of

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/gcp.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, ...]]:
    """Every `infra` command of the guide's shell blocks; one that runs on the sandbox too."""
    for block in blocks_of(GUIDE):
        for line in block.lines.splitlines():
            words = tuple(shlex.split(line, comments=True))
            if words[:1] == ("infra",):
                yield words[1:]
                if "--" in words:
                    yield words[words.index("--") + 2 :]


@pytest.mark.parametrize("argv", sorted(set(commands())), ids=" ".join)
def test_every_command_is_one_that_there_is(argv: tuple[str, ...]) -> None:
    context = click.Context(cli, info_name="infra")
    group: click.Command = cli
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    while isinstance(group, click.Group) and words:
        command = group.get_command(context, words.pop(0))
        assert command, argv
        group = command
    group.make_context("infra", words, parent=context, resilient_parsing=False)


def test_the_guide_goes_from_init_to_destroy() -> None:
    names = [argv[0] for argv in commands()]

    assert {"init", "validate", "bootstrap", "lock", "doctor", "affected", "destroy"} <= set(names)


def variable(path: str, name: str) -> Block:
    """A variable of the reference."""
    code = read(path, (ROOT / path).read_bytes())
    return next(block for block in code.of("variable") if block.name == name)


def test_the_roles_are_the_reference_s() -> None:
    matches = set(
        re.findall(r"roles/[\w.]+", GUIDE.partition("## Who may do what")[2].partition("\n- Who")[0])
    )
    identity = read("main.tf", (ROOT / "infra/modules/github-identity/main.tf").read_bytes())
    bucket = read("main.tf", (ROOT / "infra/modules/state-bucket/main.tf").read_bytes())
    texts = {
        string.text
        for block in (identity, bucket)
        for string in block.strings()
        if string.text.startswith("roles/")
    }
    reading = {
        string.text
        for string in variable("infra/modules/github-identity/variables.tf", "environments").strings()
        if string.path[:1] == ("type",) and string.text.startswith("roles/")
    }

    assert reading <= matches
    assert matches - reading == {
        text for text in texts if text.endswith(("projectIamAdmin", "storage.admin"))
    }
