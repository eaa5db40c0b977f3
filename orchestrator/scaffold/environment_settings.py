"""Adds an environment to the text of infra.yaml; all else of it stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from yaml import MappingNode, ScalarNode, compose
from yaml.loader import SafeLoader

from orchestrator.config import FILE_NAME, load_text
from orchestrator.errors import ConfigError

_KEY = "environments"


def add_environment(
    text: str, name: str, source: str, after: str, *, known: Sequence[str], protected: bool
) -> str:
    """The text with the environment `name` behind `after`, with the settings of `source` but its accounts.

    Accounts belong to one environment: `infra bootstrap` writes them. `protected` says so in the file.
    `known` are all environments in promotion order, for a file that lists none.
    Raises ConfigError for a file that does not list both, or that this cannot edit.
    """
    root = compose(text, Loader=SafeLoader) if text.strip() else None
    pairs = {key.value: value for key, value in root.value} if isinstance(root, MappingNode) else {}
    environments = pairs.get(_KEY)
    if not isinstance(environments, MappingNode):
        order = [each for listed in known for each in ((listed, name) if listed == after else (listed,))]
        listing = ", ".join(f"{each}: {{}}" for each in order)
        raise _no_edit(f"lists no {_KEY}", f"List all of them in promotion order: `{_KEY}: {{{listing}}}`.")
    nodes = {key.value: (key, value) for key, value in environments.value}
    for listed in (source, after):
        if listed not in nodes:
            raise _no_edit(f"does not list {listed}", f"List {listed} at its place in the promotion order.")
    settings = yaml.safe_load(text)[_KEY][source] or {}
    settings = {key: value for key, value in settings.items() if key != "accounts"}
    if settings.get("var_files"):
        # The values of the old environment, its projects among them, are not those of the new one.
        word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(source)}(?![A-Za-z0-9])")
        settings["var_files"] = [word.sub(name, path) for path in settings["var_files"]]
    if protected:
        settings = {"protected": True, **settings}
    key, value = nodes[after]
    if environments.flow_style:
        end = value.end_mark.index
        edited = f"{text[:end]}, {name}: {_flow(settings)}{text[end:]}"
    else:
        end = _end_of_lines(text, value if not _is_null(value) else key)
        indent = " " * key.start_mark.column
        lines = yaml.safe_dump({name: settings}, sort_keys=False, allow_unicode=True).splitlines()
        line_end = "\r\n" if "\r\n" in text else "\n"
        block = "".join(f"{indent}{line}{line_end}" for line in lines)
        before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}{line_end}"
        edited = f"{before}{block}{text[end:]}"
    _require_added(text, edited, name, after)
    return edited


def _flow(settings: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(settings, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def _is_null(node: Any) -> bool:
    return isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index


def _end_of_lines(text: str, node: Any) -> int:
    """Where the line after a value begins; a block mapping ends, in YAML's sense, at the next key."""
    while isinstance(node, MappingNode) and not node.flow_style and node.value:
        key, value = node.value[-1]
        node = key if _is_null(value) else value
    newline = text.find("\n", node.end_mark.index)
    return len(text) if newline < 0 else newline + 1


def _require_added(text: str, edited: str, name: str, after: str) -> None:
    before, config = load_text(text), load_text(edited)
    names = list(before.environments)
    names.insert(names.index(after) + 1, name)
    if list(config.environments) != names or any(
        config.environments[each] != settings for each, settings in before.environments.items()
    ):
        raise _no_edit("cannot be edited here", f"Add the environment {name} there by hand.")


def _no_edit(reason: str, advice: str) -> ConfigError:
    return ConfigError(reason, file=FILE_NAME, key=_KEY, advice=advice)
