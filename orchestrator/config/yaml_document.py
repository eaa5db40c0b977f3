"""Parses YAML into plain values with the line of every key. The only module that uses PyYAML.

Stricter than YAML itself: keys are text and appear once, tags and merge keys are refused, and an alias may
not blow the document up.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestrator.errors import ConfigError

MAX_VALUES = 100_000
MAX_DEPTH = 50

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_READ_AS = {"bool": "true or false", "int": "a number", "float": "a number", "null": "nothing"}


@dataclass
class Document:
    """A parsed file: its value, the line of each path, how each scalar was written, and what is wrong."""

    file: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    mistakes: list[ConfigError] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def dotted(path: Path) -> str:
    """A path as people write it: `environments.prod.checks[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse_yaml(text: str, file: str) -> Document:
    """Read YAML; ConfigError when it is not YAML at all, `mistakes` for what can be told one by one."""
    try:
        root = compose_document(text, file)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in (error.problem or ""):
            # A newer libyaml has a limit of its own, which flow collections meet before they are events.
            raise _too_large(file, error.problem_mark.line + 1 if error.problem_mark else 1) from None
        raise _malformed(error, text, file) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {str(error).splitlines()[0]}", file=file) from None
    document = Document(file)
    if root is not None:
        document.value = _YamlReader(document).read(root, ())
    return document


def compose_document(text: str, file: str) -> yaml.Node | None:
    """The nodes of a YAML file, None for an empty one.

    Raises `yaml.YAMLError`, and ConfigError for nesting that is too deep.
    """
    _check_depth(text, file)
    root: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return root


def _check_depth(text: str, file: str) -> None:
    """Refuse deep nesting before the composer sees it: libyaml's recurses and takes the process down."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_large(file, event.start_mark.line + 1 if event.start_mark else 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_large(file: str, line: int) -> ConfigError:
    return ConfigError(
        "its aliases or its nesting make it far larger than any configuration",
        file=file,
        line=line,
        advice="Write the settings out instead of building them from anchors and aliases.",
    )


def _malformed(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    """A syntax error in words: a tab is the usual culprit and PyYAML's words for it help nobody."""
    lines = text.splitlines()
    mark = error.problem_mark or error.context_mark
    if mark and mark.line >= len(lines) and error.context_mark:
        # What was opened and never closed: the end of the file tells nobody anything.
        mark = error.context_mark
    line = mark.line + 1 if mark else None
    at = lines[line - 1] if line and line <= len(lines) else ""
    if "\t" in at[: len(at) - len(at.lstrip())] or "\\t" in (error.problem or ""):
        return ConfigError(
            "a tab is used for indentation", file=file, line=line, advice="Indent YAML with spaces."
        )
    context = f" {error.context}" if error.context else ""
    return ConfigError(
        f"not valid YAML: {error.problem or 'it does not parse'}{context}",
        file=file,
        line=line,
        advice="Look at this line and the one before it: indentation, a missing colon, an open quote.",
    )


class _YamlReader:
    """Turns nodes into values and notes lines on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.values = 0
        self.open: set[int] = set()
        self.numbers = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.values += 1
        # The line of a key is noted by its mapping; a value keeps that line.
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if self.values > MAX_VALUES or len(path) > MAX_DEPTH or id(node) in self.open:
            raise _too_large(self.document.file, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self.open.discard(id(node))
        self.refuse_tag(node, path)
        return None

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any] | None:
        if node.tag != f"{_TAG}map":
            self.refuse_tag(node, path)
            return None
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self.key(key_node, path, line)
            if key is None:
                continue
            below = (*path, key)
            if key in values:
                self.mistake(below, line, f"`{key}` is given twice; the first is on line {self.line(below)}")
                continue
            self.document.lines[below] = line
            values[key] = self.read(value_node, below)
        return values

    def line(self, path: Path) -> int:
        return self.document.lines[path]

    def key(self, node: yaml.Node, path: Path, line: int) -> str | None:
        """A key's text; None after a mistake was noted."""
        if not isinstance(node, yaml.ScalarNode):
            self.mistake(path, line, "a key must be text")
            return None
        kind = node.tag.removeprefix(_TAG)
        written = str(node.value)
        if kind == "merge":
            self.mistake(path, line, "merge keys (`<<`) are not supported; write the keys out")
            return None
        if kind in _READ_AS or kind == "timestamp":
            meaning = _READ_AS.get(kind, "a date")
            self.mistake(
                (*path, written), line, f'YAML reads the name {written} as {meaning}; write "{written}"'
            )
            return None
        if kind != "str":
            self.mistake(path, line, "a key must be text without a tag")
            return None
        return written

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Hashable:
        self.document.written[path] = str(node.value)
        kind = node.tag.removeprefix(_TAG)
        text = str(node.value)
        # A date stays the text that was written: nothing here computes with dates, and JSON has none.
        if kind in ("str", "timestamp", "value"):
            return text
        if kind == "null":
            return None
        try:
            if kind == "bool":
                return text.lower() in ("yes", "true", "on")
            if kind in ("int", "float"):
                return self.number(node, kind)
        except (ValueError, OverflowError):
            self.mistake(path, node.start_mark.line + 1, f"{text} is not a number")
            return None
        self.refuse_tag(node, path)
        return None

    def number(self, node: yaml.ScalarNode, kind: str) -> float:
        """A number as YAML 1.1 reads it: octal, hexadecimal and base 60 included."""
        read = self.numbers.construct_yaml_int if kind == "int" else self.numbers.construct_yaml_float
        value: float = read(node)
        return value

    def refuse_tag(self, node: yaml.Node, path: Path) -> None:
        self.mistake(
            path, node.start_mark.line + 1, f"the tag {node.tag} is not supported; write a plain value"
        )

    def mistake(self, path: Path, line: int, message: str) -> None:
        self.document.mistakes.append(
            ConfigError(
                message, file=self.document.file, line=line, key=dotted(path), advice="See `infra schema`."
            )
        )
