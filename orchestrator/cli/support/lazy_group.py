"""A group whose commands are imported when they are requested, so that `--help` and the others stay quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import click

from orchestrator.cli.app import App
from orchestrator.errors import UsageError


@dataclass(frozen=True)
class FormerNames:
    """Names of earlier versions that a group still accepts, with a warning.

    `commands` maps an old name to the present one, `options` those of a command, by its present name.
    """

    commands: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def translate(self, path: str, args: list[str]) -> tuple[list[str], list[str]]:
        """The arguments of the group at `path` with present names, and a warning for each old one."""
        name, *rest = args
        command = self.commands.get(name, name)
        warnings = [_warning(f"{path} {name}", f"{path} {command}")] if command != name else []
        options = self.options.get(command, {})
        words = []
        for index, word in enumerate(rest):
            if word == "--":
                words += rest[index:]
                break
            option, equals, value = word.partition("=")
            if option in options:
                warnings.append(_warning(f"{path} {command} {option}", options[option]))
                option = options[option]
            words.append(f"{option}{equals}{value}")
        return [command, *words], warnings


def _warning(old: str, new: str) -> str:
    return f"warning: `{old}` is `{new}` now; the old name goes with version 1.0."


class LazyGroup(click.Group):
    """A group made from a table: name → (module:attribute, one line for --help), in the order of --help."""

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, tuple[str, str]],
        former_names: FormerNames | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.table = table
        self.former_names = former_names

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None when there is none."""
        if cmd_name not in self.table:
            return None
        module, attribute = self.table[cmd_name][0].split(":")
        return cast(click.Command, getattr(importlib.import_module(module), attribute))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest command named when there is none of that name."""
        if args and self.former_names:
            args, warnings = self.former_names.translate(ctx.command_path, args)
            if app := ctx.find_object(App):
                for warning in warnings:
                    app.note(warning)
        unknown = args and not args[0].startswith("-") and args[0] not in self.table
        # While a shell completes, nobody reads an error.
        if unknown and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.table, n=1)
            path = ctx.command_path
            hint = f"Did you mean `{path} {near[0]}`?" if near else f"`{path} --help` lists the commands."
            raise UsageError(f"There is no command {args[0]!r}.", advice=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
