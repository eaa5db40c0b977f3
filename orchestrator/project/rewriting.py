"""Writing other values into the code, where it spells them out: literals, and variables given one literally.

Only the bytes of the value change. What cannot be told, or would change something else as well, is refused
with the reason.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.repository.hcl.syntax import Code, Node, blocks_of, body_of, inner, syntax_tree, unescape
from orchestrator.repository.hcl.text import Ref, literal
from orchestrator.repository.tree import Tree

Step = str | int
FIRST = ("terraform.tfvars", "terraform.tfvars.json")
AUTO = (".auto.tfvars", ".auto.tfvars.json")
_STEP = re.compile(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([A-Za-z_][\w-]*)')
_INDEXED = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A module calls a module, and so on; deeper than this nobody looks.
DEEPEST = 8
NOTHING = object()


class CannotError(Exception):
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
    code: Code
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
        written = rendered(new)
        steps = steps_of(path)
        place, name = self._module(_Module(folder), address)
        found = self._follow(self._attribute(place, name, steps), place, var_files)
        said = value_of(found.code, found.node)
        if said is NOTHING:
            raise CannotError("the code does not spell it out")
        if not alike(said, old):
            raise CannotError(f"the code says {json.dumps(said, ensure_ascii=False)[:80]} by now")
        data = found.code.data
        self.files[found.path] = (
            data[: found.node.start_byte] + written.encode() + data[found.node.end_byte :]
        )

    # Where the resource is

    def _module(self, root: _Module, address: str) -> tuple[_Module, tuple[str, str]]:
        if _INDEXED.search(address):
            raise CannotError("it is one of several that are written once")
        parts = address.split(".")
        place = root
        while len(parts) > 2 and parts[0] == "module":
            name, parts = parts[1], parts[2:]
            place = _Module(self._called(place, name), name, place)
        if len(parts) != 2:
            raise CannotError("its address cannot be told")
        return place, (parts[0], parts[1])

    def _called(self, place: _Module, name: str) -> str:
        for found, block in self._blocks(place.folder):
            if found.head(block) == ["module", name]:
                source = next(
                    (
                        literal(found.text(node))
                        for key, node in found.attributes(body_of(block))
                        if key == "source"
                    ),
                    None,
                )
                if source is not None and source.startswith("."):
                    return posixpath.normpath(posixpath.join(place.folder, source))
        raise CannotError(f"module.{name} is not in this repository")

    def _attribute(self, place: _Module, name: tuple[str, str], steps: Sequence[Step]) -> _Found:
        for path, code, block in self._blocks_with_path(place.folder):
            if code.head(block) == ["resource", *name]:
                if any(key in ("count", "for_each") for key, _ in code.attributes(body_of(block))):
                    raise CannotError("it is one of several that are written once")
                return _Found(path, code, _expression(code, block, steps))
        raise CannotError("the code does not have it")

    # What the expression stands for

    def _follow(self, found: _Found, place: _Module, var_files: Sequence[str]) -> _Found:
        """To where the value itself stands: through variables of modules, and of the root."""
        for _ in range(DEEPEST):
            text = found.code.text(found.node)
            ref = text[0] if len(text) == 1 and isinstance(text[0], Ref) else None
            if ref is None or ref.kind != "var":
                if place.caller is not None:
                    raise CannotError(f"it stands in module {place.folder}, which others may use as well")
                return found
            if place.caller is None:
                return self._variable(place, ref.name, var_files)
            found = self._argument(place, ref.name)
            place = place.caller
        raise CannotError("it goes through too many modules")

    def _argument(self, place: _Module, name: str) -> _Found:
        caller = place.caller
        for path, code, block in self._blocks_with_path(caller.folder if caller else ""):
            if code.head(block) == ["module", place.name]:
                for key, node in code.attributes(body_of(block)):
                    if key == name:
                        return _Found(path, code, node)
        raise CannotError(f"it is the default of a variable of module {place.folder}")

    def _variable(self, place: _Module, name: str, var_files: Sequence[str]) -> _Found:
        """The literal that the root is given: the last file that says so counts, as for Terraform."""
        there = self._names(place.folder)
        names: list[str] = [one for one in FIRST if one in there]
        names += [one for one in there if one.endswith(AUTO)]
        paths = [posixpath.join(place.folder, one) for one in names] + list(var_files)
        for path in reversed(paths):
            code, root = self._parsed(path)
            if path.endswith(".json"):
                if f'"{name}"'.encode() in code.data:
                    raise CannotError(f"var.{name} is set in {path}, which is JSON")
                continue
            for key, node in code.attributes(body_of(root)):
                if key == name:
                    return _Found(path, code, node)
        for path, code, block in self._blocks_with_path(place.folder):
            if code.head(block) == ["variable", name]:
                for key, node in code.attributes(body_of(block)):
                    if key == "default":
                        return _Found(path, code, node)
        raise CannotError(f"var.{name} gets its value from elsewhere")

    # Files

    def _blocks(self, folder: str) -> Iterator[tuple[Code, Node]]:
        return ((code, block) for _, code, block in self._blocks_with_path(folder))

    def _blocks_with_path(self, folder: str) -> Iterator[tuple[str, Code, Node]]:
        for name in self._names(folder):
            if name.endswith((".tf", ".tofu")):
                path = posixpath.join(folder, name)
                code, root = self._parsed(path)
                yield from ((path, code, block) for block in blocks_of(root))

    def _names(self, folder: str) -> list[str]:
        return sorted(self._tree.files(folder))

    def _parsed(self, path: str) -> tuple[Code, Node]:
        data = self.files.get(path)
        if data is None:
            real = self._tree.find(path)
            if real is None:
                raise CannotError(f"{path} is not there")
            data = self._tree.read(real)
        root, error = syntax_tree(data)
        if error and not path.endswith(".json"):
            raise CannotError(f"{path} cannot be read")
        return Code(data), root


def steps_of(path: str) -> tuple[Step, ...]:
    """`template[0].labels["a b"]` as its steps."""
    return tuple(
        int(number) if number else key or name
        for number, key, name in (match.groups() for match in _STEP.finditer(path))
    )


def _expression(code: Code, block: Node, steps: Sequence[Step]) -> Node:
    """The expression of an attribute of a block; what is below an attribute is looked for in its object."""
    name, rest = steps[0], list(steps[1:])
    for key, node in code.attributes(body_of(block)):
        if key == name:
            return _below(code, node, rest)
    same = [one for one in blocks_of(block) if code.head(one)[:1] == [name]]
    index = rest.pop(0) if rest and isinstance(rest[0], int) else 0
    if not rest or not isinstance(index, int) or index >= len(same):
        raise CannotError("the code does not set it")
    return _expression(code, same[index], rest)


def _below(code: Code, node: Node, steps: Sequence[Step]) -> Node:
    for step in steps:
        found = _members(code, node).get(step)
        if found is None:
            raise CannotError("the code does not spell it out")
        node = found
    return node


def _members(code: Code, node: Node) -> dict[Step, Node]:
    """The members of an object or a list that is written out."""
    listed = inner(node, "collection_value", "tuple")
    if listed is not None:
        return dict(enumerate(one for one in listed.named_children if one.type == "expression"))
    written = inner(node, "collection_value", "object")
    found: dict[Step, Node] = {}
    for element in written.named_children if written is not None else ():
        if element.type == "object_elem":
            key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
            if key is not None and value is not None:
                raw = code.raw(key)
                found[unescape(raw[1:-1]) if raw.startswith('"') else raw] = value
    return found


def value_of(code: Code, node: Node) -> Any:
    """What an expression says, as JSON; NOTHING for what is more than a literal."""
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
    members = {key: value_of(code, one) for key, one in _members(code, node).items()}
    if any(one is NOTHING for one in members.values()):
        return NOTHING
    return list(members.values()) if inner(collection, "tuple") is not None else members


def _number(raw: str) -> Any:
    try:
        return json.loads(raw.replace(" ", ""))
    except ValueError:
        return NOTHING


def alike(said: Any, value: Any) -> bool:
    """Whether the code says a value: Terraform takes "5" for 5, and the other way round."""
    if isinstance(said, list) and isinstance(value, list):
        return len(said) == len(value) and all(map(alike, said, value))
    if isinstance(said, dict) and isinstance(value, dict):
        return said.keys() == value.keys() and all(alike(one, value[key]) for key, one in said.items())
    if isinstance(said, list | dict) or isinstance(value, list | dict) or said is None or value is None:
        return said is value
    return _plain(said) == _plain(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _escaped(char: str) -> str:
    return char if char.isprintable() or ord(char) >= 0x10000 else f"\\u{ord(char):04x}"


def rendered(value: Any) -> str:
    """A JSON value in HCL, on one line. CannotError for null, which says that there is none."""
    if value is None:
        raise CannotError("it has no value in the world")
    if isinstance(value, str):
        quoted = "".join(_ESCAPES.get(char) or _escaped(char) for char in value)
        return f'"{quoted.replace("${", "$${").replace("%{", "%%{")}"'
    if isinstance(value, list):
        return f"[{', '.join(map(rendered, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{rendered(str(key))} = {rendered(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return json.dumps(value)
