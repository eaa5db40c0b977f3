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

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/gcp.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, ...]]:
    """Every `infra` command of the guide's shell blocks; one that runs on the sandbox too."""
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL):
        for line in block.splitlines():
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
        found = group.get_command(context, words.pop(0))
        assert found, argv
        group = found
    group.make_context("infra", words, parent=context, resilient_parsing=False)


def test_the_guide_goes_through_bootstrap_lock_and_apply() -> None:
    told = [argv[0] for argv in commands()]

    assert {"bootstrap", "lock", "apply", "plan", "destroy", "lint", "test", "doctor"} <= set(told)


def variable(path: str, name: str) -> Block:
    """A variable of the reference."""
    code = read(path, (ROOT / path).read_bytes())
    return next(one for one in code.of("variable") if one.name == name)


def test_the_roles_are_the_reference_s() -> None:
    told = set(re.findall(r"roles/[\w.]+", GUIDE.partition("## Who may do what")[2].partition("\n- Who")[0]))
    identity = read("main.tf", (ROOT / "infra/modules/github-identity/main.tf").read_bytes())
    bucket = read("main.tf", (ROOT / "infra/modules/state-bucket/main.tf").read_bytes())
    given = {
        one.text for block in (identity, bucket) for one in block.strings() if one.text.startswith("roles/")
    }
    reading = {
        one.text
        for one in variable("infra/modules/github-identity/variables.tf", "environments").strings()
        if one.path[:1] == ("type",) and one.text.startswith("roles/")
    }

    assert reading <= told
    assert told - reading == {one for one in given if one.endswith(("projectIamAdmin", "storage.admin"))}


def test_the_change_that_it_makes_is_one() -> None:
    (old, new) = re.findall(r"s/(max = 2 )/(max = 3 )/", GUIDE)[0]

    assert old in (ROOT / "infra/envs/dev/service/terraform.tfvars").read_text()
    assert old != new
