"""Rewrites literal values in the code: in resource arguments, and in variables that hold a literal.

Only the bytes of the value change. A value that cannot be determined, or whose change would affect
something else, is refused with the reason.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.repository.hcl.syntax import (
    Node,
    SourceText,
    blocks_of,
    body_of,
    inner,
    syntax_tree,
    unescape,
)
from orchestrator.repository.hcl.text import Ref, literal
from orchestrator.repository.tree import Tree

Step = str | int
FIRST = ("terraform.tfvars", "terraform.tfvars.json")
AUTO = (".auto.tfvars", ".auto.tfvars.json")
_STEP = re.compile(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([A-Za-z_][\w-]*)')
_INDEXED = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# The maximum depth of module calls that are followed.
DEEPEST = 8
NOTHING = object()


class RewriteError(Exception):
    """Why a value cannot be written."""


@dataclass(frozen=True)
class _Module:
    """A folder of code, and where it is called from: `name` in the folder of `caller`; a root has none."""

    folder: str
    name: str = ""
    caller: _Module | None = None


@dataclass(frozen=True)
class _Found:
    """An expression: the file that it stands in, and where in it."""

    path: str
    code: SourceText
    node: Node


class Rewriter:
    """Changes values in a tree of files; `files` are those that differ then, by path from its root."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.files: dict[str, bytes] = {}

    def set(self, folder: str, var_files: Sequence[str], address: str, path: str, old: Any, new: Any) -> None:
        """Write `new` for an attribute of a resource whose code says `old`; both are JSON values.

        `folder` is the stack's, `var_files` are configured ones, in order. Raises CannotError with why not.
        """
        written = render_value(new)
        steps = _steps_of(path)
        module, name = self._module(_Module(folder), address)
        follow = self._follow(self._attribute(module, name, steps), module, var_files)
        value = _value_of(follow.code, follow.node)
        if value is NOTHING:
            raise RewriteError("the code does not spell it out")
        if not _is_same_value(value, old):
            raise RewriteError(f"the code says {json.dumps(value, ensure_ascii=False)[:80]} by now")
        data = follow.code.data
        self.files[follow.path] = (
            data[: follow.node.start_byte] + written.encode() + data[follow.node.end_byte :]
        )

    # Where the resource is

    def _module(self, root: _Module, address: str) -> tuple[_Module, tuple[str, str]]:
        if _INDEXED.search(address):
            raise RewriteError("it is one of several that are written once")
        parts = address.split(".")
        module = root
        while len(parts) > 2 and parts[0] == "module":
            name, parts = parts[1], parts[2:]
            module = _Module(self._called(module, name), name, module)
        if len(parts) != 2:
            raise RewriteError("its address cannot be determined")
        return module, (parts[0], parts[1])

    def _called(self, module: _Module, name: str) -> str:
        for source_text, block in self._blocks(module.folder):
            if source_text.head(block) == ["module", name]:
                source = next(
                    (
                        literal(source_text.text(node))
                        for key, node in source_text.attributes(body_of(block))
                        if key == "source"
                    ),
                    None,
                )
                if source is not None and source.startswith("."):
                    return posixpath.normpath(posixpath.join(module.folder, source))
        raise RewriteError(f"module.{name} is not in this repository")

    def _attribute(self, module: _Module, name: tuple[str, str], steps: Sequence[Step]) -> _Found:
        for path, code, block in self._blocks_with_path(module.folder):
            if code.head(block) == ["resource", *name]:
                if any(key in ("count", "for_each") for key, _ in code.attributes(body_of(block))):
                    raise RewriteError("it is one of several that are written once")
                return _Found(path, code, _expression(code, block, steps))
        raise RewriteError("the code does not have it")

    # What the expression stands for

    def _follow(self, argument: _Found, module: _Module, var_files: Sequence[str]) -> _Found:
        """Follow variables of modules and of the root to the expression that holds the value."""
        for _ in range(DEEPEST):
            text = argument.code.text(argument.node)
            ref = text[0] if len(text) == 1 and isinstance(text[0], Ref) else None
            if ref is None or ref.kind != "var":
                if module.caller is not None:
                    raise RewriteError(f"it stands in module {module.folder}, which others may use as well")
                return argument
            if module.caller is None:
                return self._variable(module, ref.name, var_files)
            argument = self._argument(module, ref.name)
            module = module.caller
        raise RewriteError("it goes through too many modules")

    def _argument(self, module: _Module, name: str) -> _Found:
        caller = module.caller
        for path, code, block in self._blocks_with_path(caller.folder if caller else ""):
            if code.head(block) == ["module", module.name]:
                for key, node in code.attributes(body_of(block)):
                    if key == name:
                        return _Found(path, code, node)
        raise RewriteError(f"it is the default of a variable of module {module.folder}")

    def _variable(self, module: _Module, name: str, var_files: Sequence[str]) -> _Found:
        """The literal assigned to a root variable: the last file that sets it counts, as in Terraform."""
        folder_files = self._names(module.folder)
        names: list[str] = [file for file in FIRST if file in folder_files]
        names += [file for file in folder_files if file.endswith(AUTO)]
        paths = [posixpath.join(module.folder, name) for name in names] + list(var_files)
        for path in reversed(paths):
            code, root = self._parsed(path)
            if path.endswith(".json"):
                if f'"{name}"'.encode() in code.data:
                    raise RewriteError(f"var.{name} is set in {path}, which is JSON")
                continue
            for key, node in code.attributes(body_of(root)):
                if key == name:
                    return _Found(path, code, node)
        for path, code, block in self._blocks_with_path(module.folder):
            if code.head(block) == ["variable", name]:
                for key, node in code.attributes(body_of(block)):
                    if key == "default":
                        return _Found(path, code, node)
        raise RewriteError(f"var.{name} is not set by a literal")

    # Files

    def _blocks(self, folder: str) -> Iterator[tuple[SourceText, Node]]:
        return ((code, block) for _, code, block in self._blocks_with_path(folder))

    def _blocks_with_path(self, folder: str) -> Iterator[tuple[str, SourceText, Node]]:
        for name in self._names(folder):
            if name.endswith((".tf", ".tofu")):
                path = posixpath.join(folder, name)
                code, root = self._parsed(path)
                yield from ((path, code, block) for block in blocks_of(root))

    def _names(self, folder: str) -> list[str]:
        return sorted(self._tree.files(folder))

    def _parsed(self, path: str) -> tuple[SourceText, Node]:
        data = self.files.get(path)
        if data is None:
            real = self._tree.find(path)
            if real is None:
                raise RewriteError(f"{path} is not there")
            data = self._tree.read(real)
        root, error = syntax_tree(data)
        if error and not path.endswith(".json"):
            raise RewriteError(f"{path} cannot be read")
        return SourceText(data), root


def _steps_of(path: str) -> tuple[Step, ...]:
    """`template[0].labels["a b"]` as its steps."""
    return tuple(
        int(number) if number else key or name
        for number, key, name in (match.groups() for match in _STEP.finditer(path))
    )


def _expression(code: SourceText, block: Node, steps: Sequence[Step]) -> Node:
    """The expression of an attribute of a block; what is below an attribute is looked for in its object."""
    name, rest = steps[0], list(steps[1:])
    for key, node in code.attributes(body_of(block)):
        if key == name:
            return _below(code, node, rest)
    same = [node for node in blocks_of(block) if code.head(node)[:1] == [name]]
    index = rest.pop(0) if rest and isinstance(rest[0], int) else 0
    if not rest or not isinstance(index, int) or index >= len(same):
        raise RewriteError("the code does not set it")
    return _expression(code, same[index], rest)


def _below(code: SourceText, node: Node, steps: Sequence[Step]) -> Node:
    for step in steps:
        member = _members(code, node).get(step)
        if member is None:
            raise RewriteError("the code does not spell it out")
        node = member
    return node


def _members(code: SourceText, node: Node) -> dict[Step, Node]:
    """The members of an object or a list that is written out."""
    listed = inner(node, "collection_value", "tuple")
    if listed is not None:
        return dict(
            enumerate(
                named_child for named_child in listed.named_children if named_child.type == "expression"
            )
        )
    written = inner(node, "collection_value", "object")
    nodes: dict[Step, Node] = {}
    for element in written.named_children if written is not None else ():
        if element.type == "object_elem":
            key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
            if key is not None and value is not None:
                raw = code.raw(key)
                nodes[unescape(raw[1:-1]) if raw.startswith('"') else raw] = value
    return nodes


def _value_of(code: SourceText, node: Node) -> Any:
    """The JSON value of a literal expression; NOTHING for any other expression."""
    constant = inner(node, "literal_value")
    if constant is not None and node.named_child_count == 1:
        kind, raw = constant.named_children[0].type, code.raw(constant)
        if kind == "string_lit":
            return unescape(raw[1:-1])
        return {"true": True, "false": False, "null": None}.get(raw, _number(raw))
    if inner(node, "operation", "unary_operation", "literal_value", "numeric_lit") is not None:
        return _number(code.raw(node))
    collection = inner(node, "collection_value")
    if collection is None or node.named_child_count != 1:
        return NOTHING
    members = {key: _value_of(code, member) for key, member in _members(code, node).items()}
    if any(member is NOTHING for member in members.values()):
        return NOTHING
    return list(members.values()) if inner(collection, "tuple") is not None else members


def _number(raw: str) -> Any:
    try:
        return json.loads(raw.replace(" ", ""))
    except ValueError:
        return NOTHING


def _is_same_value(written: Any, value: Any) -> bool:
    """Whether a written value equals another: Terraform converts between "5" and 5."""
    if isinstance(written, list) and isinstance(value, list):
        return len(written) == len(value) and all(map(_is_same_value, written, value))
    if isinstance(written, dict) and isinstance(value, dict):
        return written.keys() == value.keys() and all(
            _is_same_value(item, value[key]) for key, item in written.items()
        )
    if isinstance(written, list | dict) or isinstance(value, list | dict) or written is None or value is None:
        return written is value
    return _plain(written) == _plain(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _escaped(char: str) -> str:
    return char if char.isprintable() or ord(char) >= 0x10000 else f"\\u{ord(char):04x}"


def render_value(value: Any) -> str:
    """Render a JSON value as HCL on one line. Raises RewriteError for null."""
    if value is None:
        raise RewriteError("it has no value in the world")
    if isinstance(value, str):
        quoted = "".join(_ESCAPES.get(char) or _escaped(char) for char in value)
        return f'"{quoted.replace("${", "$${").replace("%{", "%%{")}"'
    if isinstance(value, list):
        return f"[{', '.join(map(render_value, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{render_value(str(key))} = {render_value(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return json.dumps(value)
