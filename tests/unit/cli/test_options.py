"""Each command gets its options as one object, whose fields are exactly the parameters that it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import click
import pytest

from orchestrator.cli.main import cli


def commands(
    command: click.Command, context: click.Context, name: str
) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by their words on the command line."""
    if not isinstance(command, click.Group):
        yield name.strip(), command
        return
    for word in command.list_commands(context):
        below = command.get_command(context, word)
        if below is not None:
            yield from commands(below, click.Context(below, parent=context), f"{name} {word}")


COMMANDS = dict(commands(cli, click.Context(cli), ""))


def test_all_commands_are_found() -> None:
    assert len(COMMANDS) > 50
    assert {"plan", "ci apply", "state move", "sandbox faults add"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_fields_of_the_options_are_the_parameters(name: str) -> None:
    command = COMMANDS[name]
    parameters = {parameter.name for parameter in command.params}
    kind = getattr(command.callback, "options", None)
    if kind is None:
        assert not parameters
        return
    assert is_dataclass(kind)
    assert {field.name for field in fields(kind)} == parameters
