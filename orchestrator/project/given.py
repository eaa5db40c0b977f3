"""Values that must not be shown where there is no plan to say what is secret: those of sensitive variables,
and those that a name gives away, as far as files and the environment tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.project.hcl import Code, Node, blocks_of, body_of, syntax_tree
from orchestrator.project.model import Project, Stack
from orchestrator.project.text import literal
from orchestrator.project.values import auto_files

JSON = ".json"
PREFIX = "TF_VAR_"
# Blocks of code that give values to variables and locals.
GIVING = ("locals", "module")

IsSecret = Callable[[str], bool]


def secret_values(
    project: Project, stack: Stack, environ: Mapping[str, str], is_secret: IsSecret
) -> Iterator[str]:
    """The texts that variables and locals of a stack's code hold and that are secret.

    Secret is what a variable holds that is declared as sensitive or whose name `is_secret`, and what stands
    below a secret key of any other. The modules that the stack calls count too. Files that cannot be read
    tell nothing.
    """
    source = project.coverage.source
    folder = source.real(stack.path)
    sensitive: set[str] = set()
    for at in (folder, *source.reached(folder)):
        for _, path in source.code(at):
            for name, is_declared, texts in _code(path, source.tree.read(path), is_secret):
                if is_declared and at == folder:
                    sensitive.add(name)
                yield from texts
    yield from (environ[PREFIX + name] for name in sorted(sensitive) if environ.get(PREFIX + name))
    files = [path for _, path in auto_files(source, folder)]
    files += [found for name in stack.var_files if (found := source.tree.find(name)) is not None]
    for file in files:
        yield from _assigned(file, source.tree.read(file), lambda name: name in sensitive, is_secret)


def _code(path: str, data: bytes, is_secret: IsSecret) -> Iterator[tuple[str, bool, list[str]]]:
    """What a file of code gives: name, whether that is a variable declared as sensitive, and secret texts."""
    if path.endswith(JSON):
        document = _json(data)
        for name, body in _members(document.get("variable")):
            declared = body.get("sensitive") in (True, "true") if isinstance(body, dict) else False
            default = body.get("default") if isinstance(body, dict) else None
            yield name, declared, list(_texts(default, is_secret, declared or is_secret(name)))
        for kind in GIVING:
            yield "", False, list(_texts(document.get(kind), is_secret))
        return
    code = Code(data)
    for block in blocks_of(syntax_tree(data)[0]):
        head = code.head(block)
        if head[:1] == ["variable"] and len(head) == 2:
            given = dict(code.attributes(body_of(block)))
            declared = "sensitive" in given and literal(code.text(given["sensitive"])) == "true"
            default = given.get("default")
            hidden = declared or is_secret(head[1])
            yield (
                head[1],
                declared,
                [] if default is None else list(_strings(code, default, is_secret, hidden)),
            )
        elif head[:1] and head[0] in GIVING:
            for name, expression in code.attributes(body_of(block)):
                yield name, False, list(_strings(code, expression, is_secret, is_secret(name)))


def _assigned(path: str, data: bytes, is_declared: IsSecret, is_secret: IsSecret) -> Iterator[str]:
    """The secret texts in a variable file."""
    if path.endswith(JSON):
        for name, value in _json(data).items():
            yield from _texts(value, is_secret, is_declared(name) or is_secret(name))
        return
    code = Code(data)
    for name, expression in code.attributes(body_of(syntax_tree(data)[0])):
        yield from _strings(code, expression, is_secret, is_declared(name) or is_secret(name))


def _strings(code: Code, expression: Node, is_secret: IsSecret, hidden: bool) -> Iterator[str]:
    """Every string in an expression, or where it is not `hidden` those below a secret key."""
    todo = [(expression, hidden)]
    while todo:
        node, hidden = todo.pop()
        if hidden and node.type == "expression":
            found = literal(code.text(node))
            if found is not None:
                yield found
                continue
        if node.type == "object_elem":
            key, value = node.child_by_field_name("key"), node.child_by_field_name("val")
            if value is not None:
                named = key is not None and is_secret(code.raw(key).strip('"'))
                todo.append((value, hidden or named))
            continue
        todo.extend((child, hidden) for child in node.named_children)


def _texts(value: Any, is_secret: IsSecret, hidden: bool = False) -> Iterator[str]:
    """Every text and number in a JSON value, or where it is not `hidden` those below a secret key."""
    todo = [(value, hidden)]
    while todo:
        value, hidden = todo.pop()
        if isinstance(value, dict):
            todo.extend((below, hidden or is_secret(str(key))) for key, below in value.items())
        elif isinstance(value, list):
            todo.extend((below, hidden) for below in value)
        elif hidden and isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """The members of a JSON object, or of each object in a list of some."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield from ((str(name), body) for name, body in one.items())


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
