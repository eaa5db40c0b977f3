"""Masks the leaves of a value by Terraform's sensitive marks, by name and by format."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.config.globs import matches
from orchestrator.masking.inline import InlineSecrets
from orchestrator.masking.secret_names import HIDDEN, SecretNames, is_reference_block
from orchestrator.masking.secrets import SecretCollector
from orchestrator.masking.shapes import SecretShapes

Path = tuple[str | int, ...]

# Lists of pairs, such as a container's environment: the name's text says what the value is.
_NAME_KEYS = ("name", "key", "Name", "Key")
_VALUE_KEYS = frozenset({"value", "Value", "values", "Values", "string_value", "text", "default", "content"})

_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_LARGEST_JSON = 5_000_000
_DEEPEST = 100
SHORTEST_TEXT = 8


class ValueWalker:
    """Masks one value tree and gathers what it hid."""

    def __init__(
        self,
        names: SecretNames,
        shapes: SecretShapes,
        inline: InlineSecrets,
        attributes: Sequence[str] = (),
        collector: SecretCollector | None = None,
    ) -> None:
        self.names = names
        self.shapes = shapes
        self.inline = inline
        self.attributes = attributes
        self.collector = collector or SecretCollector()
        # Texts without anything to hide; plans repeat the same few thousand times.
        self.clean: set[str] = set()

    def walk(self, value: Any, mark: Any, path: Path, hidden: bool = False) -> Any:
        """The value without its secrets.

        `mark` is Terraform's tree of sensitive marks beside it; `path` begins with an address (or an empty
        text) and goes on with attributes; `hidden` is true below a secret name.
        """
        if mark is True:
            self._gather(value, _name(path))
            return HIDDEN if value is not None else None
        hidden = hidden or self._is_secret(value, path)
        if isinstance(value, dict):
            return self._mapping(value, mark, path, hidden)
        if isinstance(value, (list, tuple)):
            return self._list(value, mark, path, hidden)
        if hidden and value is not None and not isinstance(value, bool) and value != "":
            self.collector.add(value, _name(path))
            return HIDDEN
        return self._text(value, path) if isinstance(value, str) else value

    def _list(self, value: Sequence[Any], mark: Any, path: Path, hidden: bool) -> list[Any]:
        """A list's items; in a command line the word after `--password` is secret."""
        marks = mark if isinstance(mark, list) else []
        masked = []
        option = False
        for index, item in enumerate(value):
            below = marks[index] if index < len(marks) else None
            is_word = isinstance(item, str) and not item.startswith("-")
            masked.append(self.walk(item, below, (*path, index), hidden or (option and is_word)))
            option = isinstance(item, str) and self.names.is_secret_option(item)
        return masked

    def _is_secret(self, value: Any, path: Path) -> bool:
        if not path:
            return False
        if isinstance(path[-1], str) and len(path) > 1 and self.names.is_secret(path[-1]):
            return not self._is_reference(value, path)
        return bool(self.attributes) and matches(
            ".".join(str(part) for part in path if part != ""), self.attributes
        )

    def _is_reference(self, value: Any, path: Path) -> bool:
        """Whether a secret's name stands there: `secret` in a block that lists secrets, and that block."""
        if isinstance(value, list):
            return is_reference_block(str(path[-1])) and all(isinstance(item, dict) for item in value)
        above = [part for part in path[1:-1] if isinstance(part, str)]
        return path[-1] == "secret" and bool(above) and is_reference_block(above[-1])

    def _mapping(self, value: Mapping[str, Any], mark: Any, path: Path, hidden: bool) -> dict[str, Any]:
        marks = mark if isinstance(mark, dict) else {}
        named = any(
            isinstance(name := value.get(key), str) and self.names.is_secret(name) for key in _NAME_KEYS
        )
        return {
            (key if key in self.clean else self._key(key)): self.walk(
                below, marks.get(key), (*path, key), hidden or (named and key in _VALUE_KEYS)
            )
            for key, below in value.items()
        }

    def _key(self, key: str) -> str:
        masked = self.shapes.mask(key)
        if masked == key:
            self.clean.add(key)
        return masked

    def _gather(self, value: Any, key: str, depth: int = 0) -> None:
        """Every leaf of a sensitive value, also of the JSON that a string may hold."""
        if isinstance(value, dict):
            for name, below in value.items():
                self._gather(below, str(name), depth)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self._gather(item, "", depth)
        else:
            self.collector.add(value, key)
            if isinstance(value, str) and depth < _DEEPEST and (inner := _decoded(value)) is not None:
                self._gather(inner, key, depth + 1)

    def _text(self, text: str, path: Path) -> str:
        """A string that is no secret as a whole: JSON, base64, lines and shapes inside of it."""
        if len(text) < SHORTEST_TEXT or text in self.clean:
            return text
        masked = self._searched(text, path)
        if masked == text:
            self.clean.add(text)
        return masked

    def _searched(self, text: str, path: Path) -> str:
        inner = _decoded(text) if len(path) < _DEEPEST else None
        if inner is not None:
            masked = self.walk(inner, None, (*path, 0))
            return text if masked == inner else json.dumps(masked, ensure_ascii=False)
        key = _name(path)

        def collect(secret: str) -> None:
            self.collector.add(secret, key)

        if self._hides_in_base64(text):
            collect(text)
            return HIDDEN
        return self.inline.mask(self.shapes.mask(text, collect), collect, document="\n" in text)

    def _hides_in_base64(self, text: str) -> bool:
        compact = "".join(text.split())
        if not _BASE64.fullmatch(compact) or len(compact) % 4:
            return False
        try:
            plain = base64.b64decode(compact, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return False
        secrets: list[str] = []
        self.inline.mask(self.shapes.mask(plain, secrets.append), secrets.append, document=True)
        for secret in secrets:
            self.collector.add(secret, None)
        return bool(secrets)


def _name(path: Path) -> str:
    """The attribute that a leaf belongs to; the items of a list have none of their own."""
    return str(path[-1]) if path and isinstance(path[-1], str) else ""


def _decoded(text: str) -> Any:
    """The mapping or list that a string holds as JSON, which is how Terraform prints it; else None."""
    if len(text) > _LARGEST_JSON or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
