"""Secrets in running text by the name before them: `PASSWORD=x`, `"token": "x"`, `--api-key x`, `?key=x`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.masking.secret_names import HIDDEN, SecretNames

_LONGEST_NAME = 80
_NAME_BEFORE = re.compile(r"[A-Za-z0-9_.\-]*\Z")
_NAME_AFTER = re.compile(r"[A-Za-z0-9_\-]*")
# What may stand before a name that begins a line: a diff's signs, a diagnostic's bar, a shell's words.
_LINE_START = re.compile(r"[\s│|]*(?:[-+~]\s+)?(?:(?:export|set|ENV|ARG|local)\s+)?(?:\\*[\"'])?")

_AFTER_NAME = re.compile(
    r"(?P<close>\\*[\"']?\]?)(?P<sep>\s*(?:=>|(?<![=!<>:])=(?!=)|:(?![=:/]))[^\S\n]*|[^\S\n]+is[^\S\n]+)"
)
_AFTER_OPTION = re.compile(r"(?P<close>)(?P<sep>[^\S\n]+)(?!-)")
# The next item of a list: `["--password", "x"]`, one a line in a diff; and in YAML, one a line.
_AFTER_QUOTED_OPTION = re.compile(r"(?P<close>\\*[\"'])(?P<sep>\s*,\s*(?:[-+~]\s+)?)(?=\\*[\"'](?!-))")
_AFTER_LISTED_OPTION = re.compile(r"(?P<close>[\"']?)(?P<sep>[^\S\n]*\n[^\S\n]*-[^\S\n]+)(?=[\"']?[^\s\"'-])")
_LIST_ITEM = re.compile(r"\s*-[^\S\n]+[\"']?")
_OPEN = re.compile(r"\\*[\"']")
_QUOTE_OR_END = re.compile(r"(\\*)([\"'])|\n|\Z")
_REST_OF_LINE = re.compile(r"[^\S\n]*(?:[,;#\\][^\n]*)?(?:\n|\Z)")
_LINE_END = re.compile(r"[^\S\n]*(?:#|\r|\n|\Z)")

# Where a bare value ends: in running text, in `NAME=value` at the start of a line, in a file's setting.
_WORD = re.compile(r"[^\s\"'\\,;&|<>(){}\[\]]+")
_TO_SPACE = re.compile(r"\S+")
_TO_END = re.compile(r"[^\n]+")

# What may stand after a secret's name without being one: Terraform's own words, and references to a value.
_NOT_SECRET = re.compile(
    r"(?:true|false|null|nil|none|[{}\[\]()]+|->|"
    r"(?:var|local|module|data|each|self|path)\.[\w.\-\[\]\"*]+|[a-z][a-z0-9]*(?:_[a-z0-9]+)+\.[\w.\-\[\]\"*]+|"
    r"\$[\w({][^\s]*|(?:json|yaml|base64)encode\(?|sensitive\(.*|(?:template)?file\(.*|\(known after apply\)|"
    r"<<[-~]?\w+)[\s,]*(?:#.*)?",
)


class InlineSecrets:
    """Masks values by the secret name before them."""

    def __init__(self, names: SecretNames) -> None:
        self.names = names
        self.hint = names.hint()

    def mask(
        self, text: str, on_secret: Callable[[str], None] | None = None, *, document: bool = False
    ) -> str:
        """The text with such values hidden; `on_secret` is called with each.

        `document` is true for a file's content, where a name that begins a line owns all that follows on it.
        In other text, `token: no permission` is a sentence.
        """
        parts: list[str] = []
        done = 0
        for hit in self.hint.finditer(text):
            if hit.start() < done:
                continue
            span = self._value_after(text, hit, document)
            if span is None or span[0] < done:
                continue
            start, end = span
            if on_secret is not None:
                on_secret(text[start:end])
            parts += (text[done:start], HIDDEN)
            done = end
        return "".join([*parts, text[done:]]) if parts else text

    def _value_after(self, text: str, hit: re.Match[str], document: bool) -> tuple[int, int] | None:
        """Where the value of the name around a hit stands, when it is a secret name with a value."""
        before = _NAME_BEFORE.search(text, max(0, hit.start() - _LONGEST_NAME), hit.start())
        after = _NAME_AFTER.match(text, hit.end(), hit.end() + _LONGEST_NAME)
        start = before.start() if before else hit.start()
        end = after.end() if after else hit.end()
        name = text[start:end]
        if not self.names.is_secret(name.rpartition(".")[2]):
            return None
        value_after = self._value(text, start, end, document)
        if value_after is None or text.startswith(HIDDEN, value_after.start):
            return None
        value = text[value_after.start : value_after.end].rstrip()
        if not value or (not value_after.quoted and _NOT_SECRET.fullmatch(value)):
            return None
        if not value_after.quoted and not document and _is_sentence(name, value_after, text):
            return None
        return value_after.start, value_after.end if value_after.quoted else value_after.start + len(value)

    def _value(self, text: str, start: int, end: int, document: bool) -> _Value | None:
        """What stands behind the name at [start, end), secret or not."""
        begins_line = _LINE_START.fullmatch(text, text.rfind("\n", 0, start) + 1, start) is not None
        after = _AFTER_NAME.match(text, end)
        if after is None and text.startswith("-", start):
            after = _AFTER_QUOTED_OPTION.match(text, end)
            if after is None and _LIST_ITEM.fullmatch(text, text.rfind("\n", 0, start) + 1, start):
                after = _AFTER_LISTED_OPTION.match(text, end)
        if after is None and text.startswith("--", start):
            after = _AFTER_OPTION.match(text, end)
        if after is None:
            return None
        at = after.end()
        if opening := _OPEN.match(text, at):
            closing = _closing_quote(text, opening.end(), opening.group())
            whole = _REST_OF_LINE.match(text, closing + len(opening.group()))
            if whole or not (document and begins_line):
                return _Value(opening.end(), closing, after, quoted=True)
        bare = _WORD
        if begins_line and document:
            bare = _TO_END
        elif begins_line and after.group("sep") == "=":
            bare = _TO_SPACE
        word = bare.match(text, at)
        return _Value(at, word.end(), after, quoted=False) if word else None


@dataclass(frozen=True)
class _Value:
    """A value at [start, end) of a text; `after` is what stands between the name and it."""

    start: int
    end: int
    after: re.Match[str]
    quoted: bool


def _closing_quote(text: str, at: int, opening: str) -> int:
    """Where the quote that opened before `at` closes; the line's end when it does not.

    `opening` may be escaped, once or more: `\\"` opens in JSON inside of a string. A longer run of
    backslashes is then part of the value, unless it is whole escaped backslashes and the closing quote.
    """
    depth, quote = len(opening) - 1, opening[-1]
    for match in _QUOTE_OR_END.finditer(text, at):
        run = match.group(1)
        if run is None:
            return match.start()
        if match.group(2) == quote and len(run) >= depth and (len(run) - depth) % (2 * (depth + 1)) == 0:
            return match.end() - len(opening)
    return len(text)


def _is_sentence(name: str, value: _Value, text: str) -> bool:
    """Whether what follows is prose: `token: permission denied`, `var.token is required`."""
    separator = value.after.group("sep")
    if separator.strip() == "is":
        return True
    if ":" not in separator or separator == ":" or value.after.group("close") or "_" in name or "-" in name:
        return False
    return _LINE_END.match(text, value.end) is None
