"""Writes the accounts that a bootstrap made into the text of infra.yaml; all else of it stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from yaml import MappingNode, Node, ScalarNode, compose
from yaml.loader import SafeLoader

from orchestrator.config import FILE_NAME, load_text
from orchestrator.config.model import sort_by_order
from orchestrator.errors import ConfigError

Value = str | Mapping[str, str]


@dataclass(frozen=True)
class _Edit:
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


def write_accounts(
    text: str, accounts: Mapping[str, Mapping[str, str]], attest: str, order: Sequence[str]
) -> str:
    """The text of infra.yaml with these accounts: those of each environment, and the one that attests.

    Without `environments` in it they are listed in `order`. Raises ConfigError where the file lists
    environments and not one of these, and for a file that this cannot edit: aliases, or other than mappings.
    """
    load_text(text)
    root = compose(text, Loader=SafeLoader)
    root = root if isinstance(root, MappingNode) else None
    edits = list(_edit(text, root, accounts, attest))
    added = _list_missing(root, accounts, attest, order)
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    if added:
        text = "\n\n".join(part for part in (text.rstrip(), *added) if part) + "\n"
    _require(text, accounts, attest)
    return text


def _edit(
    text: str, root: MappingNode | None, accounts: Mapping[str, Mapping[str, str]], attest: str
) -> Iterator[_Edit]:
    """The changes of what is there."""
    shared, environments = _get(root, "accounts"), _get(root, "environments")
    if attest and shared is not None:
        yield from _set(text, shared, "attest", attest, root)
    elif attest and root is not None and root.flow_style:
        yield from _set(text, root, "accounts", {"attest": attest})
    for name in accounts if environments is not None else ():
        node = _get(environments, name)
        if node is None:
            raise ConfigError(
                f"does not list the environment {name}",
                file=FILE_NAME,
                key="environments",
                advice="Add it at its place in the promotion order, then run it again.",
            )
        yield from _set(text, node, "accounts", accounts[name], environments)


def _list_missing(
    root: MappingNode | None, accounts: Mapping[str, Mapping[str, str]], attest: str, order: Sequence[str]
) -> list[str]:
    """The keys that are not there yet, as they are added at the end; none to a file in one pair of braces."""
    if root is not None and root.flow_style:
        return []
    missing = []
    if attest and _get(root, "accounts") is None:
        missing.append(f"accounts:\n  attest: {attest}")
    if _get(root, "environments") is None:
        names = sort_by_order(accounts, order)
        lines = [f"  {name}:\n{_block('accounts', accounts[name], 4)}" for name in names]
        missing.append("environments: # in promotion order\n" + "\n".join(lines))
    return missing


def _set(text: str, node: Node, key: str, value: Value, parent: Node | None = None) -> Iterator[_Edit]:
    """Sets a key of a mapping, which is a value of `parent`."""
    if _is_empty(node):
        yield from _fill(text, node, key, value, parent)
        return
    if not isinstance(node, MappingNode):
        return
    start, existing = node.start_mark.index, _get(node, key)
    if existing is not None:
        if _plain(existing) != value:
            yield _Edit(existing.start_mark.index, _end(existing), _flow(value))
    elif node.flow_style:
        yield _Edit(start + 1, start + 1, f"{key}: {_flow(value)}, ")
    else:
        column = node.value[0][0].start_mark.column
        yield _Edit(start, start, f"{_block(key, value, column).lstrip()}\n{' ' * column}")


def _fill(text: str, node: Node, key: str, value: Value, parent: Node | None) -> Iterator[_Edit]:
    """Makes a mapping of an empty value; a comment behind it stays on its line."""
    start, end = node.start_mark.index, node.end_mark.index
    if not isinstance(parent, MappingNode) or parent.flow_style:
        space = " " if start == end else ""
        yield _Edit(start, end, f"{space}{{{key}: {_flow(value)}}}")
        return
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    column = parent.value[0][0].start_mark.column + 2
    yield _Edit(len(text[:start].rstrip(" ")), end, "")
    yield _Edit(line_end, line_end, f"\n{_block(key, value, column)}")


def _is_empty(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return node.value in ("", "null", "~")
    return isinstance(node, MappingNode) and not node.value


def _end(node: Node) -> int:
    """Where a value ends: that of a block mapping in YAML's sense is where the next key begins."""
    while isinstance(node, MappingNode) and not node.flow_style and node.value:
        node = node.value[-1][1]
    return int(node.end_mark.index)


def _get(node: Node | None, key: str) -> Node | None:
    """The value of a key; None where there is none."""
    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _plain(node: Node) -> str | dict[str, str]:
    """The value of a node that holds text, or a mapping of text."""
    if isinstance(node, MappingNode):
        return {str(name.value): str(value.value) for name, value in node.value}
    return str(node.value)


def _block(key: str, value: Value, indent: int) -> str:
    space = " " * indent
    if isinstance(value, str):
        return f"{space}{key}: {value}"
    return "\n".join([f"{space}{key}:", *(f"{space}  {name}: {each}" for name, each in value.items())])


def _flow(value: Value) -> str:
    if isinstance(value, str):
        return value
    return "{" + ", ".join(f"{name}: {each}" for name, each in value.items()) + "}"


def _require(text: str, accounts: Mapping[str, Mapping[str, str]], attest: str) -> None:
    """Raises ConfigError unless the text is a configuration with these accounts."""
    config = load_text(text)
    written = {
        name: {use: getattr(config.environment(name).accounts, use) for use in accounts[name]}
        for name in accounts
    }
    is_shared_written = not attest or config.accounts.attest == attest
    if written != {name: dict(each) for name, each in accounts.items()} or not is_shared_written:
        raise ConfigError(
            "cannot be edited here", file=FILE_NAME, advice="Put the accounts there as they are printed."
        )
