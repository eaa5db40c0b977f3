"""Secrets in running text by the name before them: `PASSWORD=x`, `"token": "x"`, `--api-key x`, `?key=x`."""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.masking.words import HIDDEN, SecretNames

_LONGEST_NAME = 80
_NAME_BEFORE = re.compile(r"[A-Za-z0-9_.\-]*\Z")
_NAME_AFTER = re.compile(r"[A-Za-z0-9_\-]*")
# What may stand before a name that begins a line: a diff's signs, a diagnostic's bar, a shell's words.
_LINE_START = re.compile(r"[\s│|]*(?:[-+~]\s+)?(?:(?:export|set|ENV|ARG|local)\s+)?(?:\\*[\"'])?")

_SEPARATOR = (
    r"(?P<close>\\*[\"']?\]?)(?P<sep>\s*(?:=>|(?<![=!<>:])=(?!=)|:(?![=:/]))[^\S\n]*|[^\S\n]+is[^\S\n]+)"
)
_QUOTED = r"(?P<open>\\*[\"'])(?P<quoted>(?:\\(?!\\*(?P=open))[^\n]|(?!(?P=open))[^\n])*)"
_WORD = r"(?P<bare>[^\s\"'\\,;&|<>(){}\[\]]+)"
_AFTER_NAME = re.compile(rf"{_SEPARATOR}(?:{_QUOTED}|{_WORD})")
_SETTING = re.compile(
    rf"{_SEPARATOR}(?:{_QUOTED}(?=(?P=open)[^\S\n]*(?:[,;#\\].*)?$)|(?P<bare>[^\n]+))", re.MULTILINE
)
_TO_SPACE = re.compile(rf"{_SEPARATOR}(?:{_QUOTED}(?=(?P=open))|(?P<bare>\S+))")
_OPTION = re.compile(rf"(?P<close>)(?P<sep>[^\S\n]+)(?:{_QUOTED}|(?P<bare>[^\s\"'\\-][^\s\"'\\]*))")
_LINE_END = re.compile(r"[^\S\n]*(?:#|\r|\n|\Z)")

# What may stand after a secret's name without being one: Terraform's own words, and references to a value.
_HARMLESS = re.compile(
    r"(?:true|false|null|nil|none|[{}\[\]()]+|->|"
    r"(?:var|local|module|data|each|self|path)\.[\w.\-\[\]\"*]+|[a-z][a-z0-9]*(?:_[a-z0-9]+)+\.[\w.\-\[\]\"*]+|"
    r"\$[\w({][^\s]*|(?:json|yaml|base64)encode\(?|sensitive\(.*|(?:template)?file\(.*|\(known after apply\)|"
    r"<<[-~]?\w+)[\s,]*(?:#.*)?",
)


class Inline:
    """Masks values by the secret name before them."""

    def __init__(self, names: SecretNames) -> None:
        self.names = names
        self.hint = names.hint()

    def mask(self, text: str, found: Callable[[str], None] | None = None, *, document: bool = False) -> str:
        """The text with such values hidden; `found` is told each.

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
            if found is not None:
                found(text[start:end])
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
        match = self._value_match(text, start, end, document)
        if match is None:
            return None
        group = "bare" if match.group("bare") is not None else "quoted"
        value = match.group(group)
        if (
            not value
            or text.startswith(HIDDEN, match.start(group))
            or (group == "bare" and _HARMLESS.fullmatch(value))
        ):
            return None
        if group == "bare" and not document and _is_sentence(name, match):
            return None
        span = match.span(group)
        return (span[0], span[0] + len(value.rstrip())) if group == "bare" else span

    def _value_match(self, text: str, start: int, end: int, document: bool) -> re.Match[str] | None:
        begins_line = _LINE_START.fullmatch(text, text.rfind("\n", 0, start) + 1, start) is not None
        match = None
        if begins_line and document:
            match = _SETTING.match(text, end)
        elif begins_line and text[end : end + 1] == "=":
            match = _TO_SPACE.match(text, end)
        match = match or _AFTER_NAME.match(text, end)
        if match is None and text.startswith("--", start):
            match = _OPTION.match(text, end)
        return match


def _is_sentence(name: str, match: re.Match[str]) -> bool:
    """Whether what follows is prose: `token: permission denied`, `var.token is required`."""
    separator = match.group("sep")
    if separator.strip() == "is":
        return True
    if ":" not in separator or separator == ":" or match.group("close") or "_" in name or "-" in name:
        return False
    return _LINE_END.match(match.string, match.end()) is None
