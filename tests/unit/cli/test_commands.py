"""All commands: documents of --json have a schema, and help says what no names mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli.main import cli
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import FOLDER, check_schema

STACK = 'terraform {\n  backend "local" {}\n}\n'
FILES = {f"infra/envs/{stack}/main.tf": STACK for stack in ("dev/net", "prod/net")}
# Documents of other programs.
FOREIGN = ("output",)


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command below one, with the words that start it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, info_name=path or "infra")
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, f"{path} {name}".strip())


COMMANDS = dict(commands(cli))
WITH_JSON = {
    path: command
    for path, command in COMMANDS.items()
    if any("--json" in parameter.opts for parameter in command.params)
}


def schemas() -> dict[str, str]:
    """The name of the schema of each command's document."""
    names = {}
    for path in FOLDER.glob("*.schema.json"):
        schema = json.loads(path.read_text())
        for part in (schema, *schema.get("$defs", {}).values()):
            is_failure = part is schema.get("$defs", {}).get("failure")
            command = part.get("properties", {}).get("command", {}) if not is_failure else {}
            for name in [command["const"]] if "const" in command else command.get("enum", []):
                names[name] = path.name.removesuffix(".schema.json")
    return names


@pytest.mark.parametrize("path", COMMANDS)
def test_help_explains_what_is_meant_without_a_name(path: str) -> None:
    optional = [
        parameter
        for parameter in COMMANDS[path].params
        if isinstance(parameter, click.Argument) and not parameter.required
    ]
    text = str(COMMANDS[path].help)
    assert not optional or "Without " in text or "Needs " in text


def test_every_command_has_a_schema() -> None:
    # `ci finalize` prints the document of the apply that it followed.
    written = schemas().keys() | {"ci finalize"} | set(FOREIGN)
    assert WITH_JSON.keys() - written == set()


@pytest.mark.parametrize("path", WITH_JSON)
def test_a_failure_has_a_document_of_its_command(path: str, tmp_path: Path) -> None:
    infra = Infra(tmp_path, {})
    mistyped = infra(*path.split(), "--json", "--no-such-option", code=3).document
    check_schema(mistyped, "commands")
    assert mistyped["command"] == path
    arguments = [
        "x" if not (isinstance(parameter.type, click.Choice)) else parameter.type.choices[0]
        for parameter in WITH_JSON[path].params
        if isinstance(parameter, click.Argument) and parameter.required and parameter.nargs == 1
    ]
    # Outside of a repository, and without a sandbox.
    ran = infra(*path.split(), *arguments, "--json")
    if path == "sandbox up":
        infra("sandbox", "down", code=0)
    if ran.code and ran.out:
        check_schema(ran.document, "commands")


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "status prod",
        "history",
        "version",
        "ci account dev plan",
        "fmt --check",
        "doctor",
        "ci report",
    ],
)
def test_the_documents_of_small_commands_match_their_schema(make_repo: MakeRepo, words: str) -> None:
    accounts = "environments: {dev: {accounts: {plan: p@example.iam.gserviceaccount.com}}, prod: {}}\n"
    infra = Infra(make_repo({**FILES, "infra.yaml": accounts}).root, {})
    check_schema(infra(*words.split(), "--json").document, "commands")
