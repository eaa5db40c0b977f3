"""The values of a root's sensitive variables, as far as files and the environment tell: what to hide
where there is no plan that would say it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.project.hcl import Code, Node, blocks_of, body_of, syntax_tree
from orchestrator.project.model import Project, Stack
from orchestrator.project.text import literal
from orchestrator.project.values import auto_files

JSON = ".json"
PREFIX = "TF_VAR_"


def sensitive_values(project: Project, stack: Stack, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names and values of the variables that the stack's code declares as sensitive.

    Of a list or a map each text in it; files that cannot be read tell nothing.
    """
    source = project.coverage.source
    folder = source.real(stack.path)
    named: set[str] = set()
    for _, path in source.code(folder):
        for name, default in _declared(path, source.tree.read(path)):
            named.add(name)
            yield from ((name, text) for text in default)
    yield from ((name, environ[PREFIX + name]) for name in sorted(named) if environ.get(PREFIX + name))
    files = [path for _, path in auto_files(source, folder)]
    files += [found for name in stack.var_files if (found := source.tree.find(name)) is not None]
    for file in files:
        for name, texts in _assigned(file, source.tree.read(file)):
            yield from ((name, text) for text in texts if name in named)


def _declared(path: str, data: bytes) -> Iterator[tuple[str, list[str]]]:
    """The sensitive variables of a file of code, each with the texts of its default."""
    if path.endswith(JSON):
        found = _json(data).get("variable")
        for name, body in found.items() if isinstance(found, dict) else ():
            if isinstance(body, dict) and body.get("sensitive") in (True, "true"):
                yield str(name), list(_texts(body.get("default")))
        return
    code = Code(data)
    for block in blocks_of(syntax_tree(data)[0]):
        head = code.head(block)
        if head[:1] == ["variable"] and len(head) == 2:
            given = dict(code.attributes(body_of(block)))
            if "sensitive" in given and literal(code.text(given["sensitive"])) == "true":
                yield head[1], list(_strings(code, given["default"])) if "default" in given else []


def _assigned(path: str, data: bytes) -> Iterator[tuple[str, list[str]]]:
    """What a variable file gives, by variable."""
    if path.endswith(JSON):
        yield from ((str(name), list(_texts(value))) for name, value in _json(data).items())
        return
    code = Code(data)
    for name, expression in code.attributes(body_of(syntax_tree(data)[0])):
        yield name, list(_strings(code, expression))


def _strings(code: Code, expression: Node) -> Iterator[str]:
    """Every string in an expression."""
    if expression.type == "expression":
        found = literal(code.text(expression))
        if found is not None:
            yield found
            return
    for child in expression.named_children:
        yield from _strings(code, child)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
