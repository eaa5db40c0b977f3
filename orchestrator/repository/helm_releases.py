"""Finds Helm releases whose chart is a folder of the project, and the values that the code gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.repository.facts import bound_text
from orchestrator.repository.hcl import Block, Expression
from orchestrator.repository.hcl.expression import NO_LITERAL
from orchestrator.repository.hcl.text import NULL, NameScope, Text, literal, resolve
from orchestrator.repository.source import Source
from orchestrator.repository.tree import inside
from orchestrator.repository.variables import instances, module_path

RELEASE_TYPES = (("resource", "helm_release"), ("data", "helm_template"))
CHART_FILE = "Chart.yaml"
# Arguments that change what a chart renders, and that are not read here.
_UNREAD = ("set_sensitive", "set_list", "set_wo", "postrender")


@dataclass(frozen=True)
class HelmValue:
    """One value of a `set` block; a string stays a string (`--set-string`)."""

    name: str
    value: str
    is_string: bool = False


@dataclass(frozen=True)
class HelmValueFile:
    """A file of values, by its path from the project's root."""

    path: str


@dataclass(frozen=True)
class HelmValueText:
    """Values as YAML."""

    text: str


@dataclass(frozen=True)
class HelmRelease:
    """A release of a local chart. Paths are from the project's root.

    `values` are files, and YAML texts written in the code; the later one counts more. `open` names the
    arguments whose value only Terraform knows.
    """

    address: str
    chart: str
    name: str | None
    namespace: str | None
    values: tuple[HelmValueFile | HelmValueText, ...] = ()
    settings: tuple[HelmValue, ...] = ()
    open: tuple[str, ...] = ()


def find_releases(source: Source, folder: str, scope: NameScope) -> Iterator[HelmRelease]:
    """The releases in a root module and in the modules that it calls, in order of their addresses."""
    releases = [
        release
        for at, names in instances(source, folder, scope, lambda path: True)
        for (kind, type_name, _), block in source.module(at).resources.items()
        if (kind, type_name) in RELEASE_TYPES
        and (release := _Reader(source, at, folder, names).read(block)) is not None
    ]
    yield from sorted(releases, key=lambda release: (release.address, release.chart, release.name or ""))


class _Reader:
    """Reads one release in a module's folder, called by a root, with the names that it knows."""

    def __init__(self, source: Source, folder: str, root: str, scope: NameScope) -> None:
        self._source = source
        self._folder = folder
        self._root = root
        self._scope = scope
        self._open: list[str] = []

    def read(self, block: Block) -> HelmRelease | None:
        """The release; None where its chart is no folder of the project."""
        chart = block.expression("chart")
        path = self._path(self._text(chart, block)) if chart is not None else None
        if path is None or self._source.tree.find(f"{path}/{CHART_FILE}") is None:
            return None
        name, namespace = (self._string(block, key) for key in ("name", "namespace"))
        values, settings = tuple(self._values(block)), tuple(self._settings(block))
        kinds = {kind for kind, _ in block.nested()} | set(block.attributes)
        self._open += [kind for kind in _UNREAD if kind in kinds]
        prefix = "data." if block.kind == "data" else ""
        address = f"{self._folder}: {prefix}{'.'.join(block.labels)}"
        return HelmRelease(address, path, name, namespace, values, settings, tuple(dict.fromkeys(self._open)))

    def _text(self, expression: Expression, block: Block) -> Text:
        return resolve(bound_text(expression, block), self._scope)

    def _path(self, text: Text) -> str | None:
        path = module_path(self._folder, text, self._root)
        return inside(path) if path is not None else None

    def _string(self, block: Block, key: str) -> str | None:
        """A plain string; one that only Terraform knows is noted."""
        expression = block.expression(key)
        text = self._text(expression, block) if expression is not None else NULL
        if text != NULL and literal(text) is None:
            self._open.append(key)
        return literal(text)

    def _values(self, block: Block) -> Iterator[HelmValueFile | HelmValueText]:
        values = block.expression("values")
        if values is None or values.is_null:
            return
        members = values.members
        if members is None:
            self._open.append("values")
        for member in members or ():
            value = self._value(member, block)
            if value is None:
                self._open.append("values")
            else:
                yield value

    def _value(self, member: Expression, block: Block) -> HelmValueFile | HelmValueText | None:
        call = member.call
        if call is not None and call.function == "file" and call.arguments:
            path = self._path(self._text(call.arguments[0], block))
            real = self._source.tree.find(path) if path is not None else None
            return HelmValueFile(real) if real is not None else None
        if call is not None and call.function in ("yamlencode", "jsonencode") and call.arguments:
            content = self._content(call.arguments[0], "values")
            return HelmValueText(json.dumps(content)) if isinstance(content, dict) else None
        text = literal(self._text(member, block))
        return HelmValueText(text) if text is not None else None

    def _content(self, expression: Expression, label: str) -> Any:
        """An object without the members that only Terraform knows, which are noted; else NO_LITERAL."""
        content = expression.literal()
        if content is not NO_LITERAL or expression.elements is None:
            return content
        known: dict[str, Any] = {}
        for name, element in expression.elements.items():
            member = self._content(element, f"{label}.{name}")
            if member is NO_LITERAL:
                self._open.append(f"{label}.{name}")
            else:
                known[name] = member
        return known

    def _settings(self, block: Block) -> Iterator[HelmValue]:
        """The `set` blocks of the provider's version 2, and the list `set` of version 3."""
        expression = block.expression("set")
        if expression is not None and not expression.is_null:
            if expression.members is None:
                self._open.append("set")
            for member in expression.members or ():
                yield from self._setting(member.elements or {}, block)
        # In JSON a member is attribute and block alike.
        for kind, body in block.nested() if expression is None else ():
            if kind == "set":
                elements = {name: attribute.expression for name, attribute in body.attributes.items()}
                yield from self._setting(elements, block)

    def _setting(self, elements: Mapping[str, Expression], block: Block) -> Iterator[HelmValue]:
        texts = {name: literal(self._text(expression, block)) for name, expression in elements.items()}
        name, value = texts.get("name"), texts.get("value")
        if name is None or value is None:
            self._open.append(f"set {name}" if name is not None else "set")
        else:
            yield HelmValue(name, value, texts.get("type") == "string")
