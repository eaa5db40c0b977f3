"""JSON → values with their lines. Keys that stand twice are kept: Terraform reads both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.repository.hcl.syntax import BOM, MAX_NESTING, Problem, character, normalized

# Programs write it, and it takes less memory than HCL.
MAX_JSON_BYTES = 4 * 1024 * 1024

_BLANK = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_ESCAPE = re.compile(
    r'\\(?:(["\\/bfnrt])|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u(.{4}))'
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A number as it is written."""

    raw: str


@dataclass(frozen=True, slots=True)
class JsonObject:
    """The members of an object in order; a key may stand twice."""

    members: tuple[tuple[str, JsonValue], ...]

    def get(self, key: str) -> JsonValue | None:
        """The last value of a key."""
        return next((value for name, value in reversed(self.members) if name == key), None)


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value, and the line where it begins."""

    value: str | JsonNumber | bool | tuple[JsonValue, ...] | JsonObject | None
    line: int

    def objects(self) -> Iterator[tuple[JsonObject, int]]:
        """A block's bodies with their lines: JSON writes one as an object and several as an array."""
        if isinstance(self.value, JsonObject):
            yield self.value, self.line
        elif isinstance(self.value, tuple):
            for item in self.value:
                yield from item.objects()


EMPTY = JsonValue(JsonObject(()), 1)


class _BrokenError(Exception):
    """What is no JSON: the index where, and what."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index
        self.message = message


def parse_json(data: bytes) -> tuple[JsonValue, Problem | None, Problem | None]:
    """A document, what does not parse, and what is read in more than one way by JSON parsers."""
    if len(data) > MAX_JSON_BYTES:
        return EMPTY, (None, f"it is larger than {MAX_JSON_BYTES // 1024 // 1024} MiB"), None
    text = data.removeprefix(BOM).decode("utf-8", "surrogateescape")
    parser = _Parser(text)
    try:
        value = parser.document()
    except _BrokenError as error:
        return EMPTY, (parser.line(error.index), error.message), None
    return value, None, parser.unclear


class _Parser:
    """Reads one document by recursion, which the limit on nesting keeps small."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.unclear: Problem | None = None
        self._counted = 0
        self._lines = 1

    def line(self, index: int) -> int:
        """The line of an index; requested in rising order, so that each character is counted once."""
        if index >= self._counted:
            self._lines += self.text.count("\n", self._counted, index)
            self._counted = index
            return self._lines
        return self.text.count("\n", 0, index) + 1

    def document(self) -> JsonValue:
        index = self.blank(0)
        value, index = self.value(index, 0)
        index = self.blank(index)
        if index < len(self.text):
            raise _BrokenError(index, "something follows the end of the document")
        return value

    def blank(self, index: int) -> int:
        match = _BLANK.match(self.text, index)
        return match.end() if match else index

    def value(self, index: int, depth: int) -> tuple[JsonValue, int]:
        if depth > MAX_NESTING:
            raise _BrokenError(index, f"it is nested more than {MAX_NESTING} deep")
        first = self.text[index : index + 1]
        line = self.line(index)
        if first == "{":
            return self.object(index, line, depth)
        if first == "[":
            return self.array(index, line, depth)
        if first == '"':
            string, index = self.string(index)
            return JsonValue(string, line), index
        for word, meaning in _WORDS.items():
            if self.text.startswith(word, index):
                return JsonValue(meaning, line), index + len(word)
        match = _NUMBER.match(self.text, index)
        if match is None:
            raise _BrokenError(index, "a value is missing")
        return JsonValue(JsonNumber(match[0]), line), match.end()

    def object(self, index: int, line: int, depth: int) -> tuple[JsonValue, int]:
        members: list[tuple[str, JsonValue]] = []
        keys: set[str] = set()
        index = self.blank(index + 1)
        while self.text[index : index + 1] != "}":
            if members:
                index = self.expect(",", index)
            start = index
            key, index = self.string(index)
            if key in keys and self.unclear is None:
                self.unclear = self.line(start), f"the key {key!r} stands twice in one object"
            keys.add(key)
            value, index = self.value(self.expect(":", self.blank(index)), depth + 1)
            members.append((key, value))
            index = self.blank(index)
        return JsonValue(JsonObject(tuple(members)), line), index + 1

    def array(self, index: int, line: int, depth: int) -> tuple[JsonValue, int]:
        items: list[JsonValue] = []
        index = self.blank(index + 1)
        while self.text[index : index + 1] != "]":
            if items:
                index = self.expect(",", index)
            value, index = self.value(index, depth + 1)
            items.append(value)
            index = self.blank(index)
        return JsonValue(tuple(items), line), index + 1

    def expect(self, char: str, index: int) -> int:
        if self.text[index : index + 1] != char:
            raise _BrokenError(index, f"`{char}` is missing")
        return self.blank(index + 1)

    def string(self, index: int) -> tuple[str, int]:
        match = _STRING.match(self.text, index)
        if match is None:
            raise _BrokenError(index, "a string is missing, or does not end")
        raw = match[1]
        if "\\" not in raw:
            return normalized(raw), match.end()
        text = _ESCAPE.sub(_unescaped, raw)
        if "\ufffd" in text and _HALF.search(raw) and self.unclear is None:
            self.unclear = self.line(index), "a string holds half a pair of surrogates"
        return normalized(text), match.end()


def _unescaped(match: re.Match[str]) -> str:
    simple, high, low, code = match.groups()
    if simple:
        return _ESCAPES.get(simple, simple)
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return character(int(code, 16))
