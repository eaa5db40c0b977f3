"""Secrets in Terraform's own layout: `name = value` lines, and the blocks and heredocs that a name owns."""

from __future__ import annotations

import re

from orchestrator.masking.secret_names import HIDDEN, SecretNames, is_reference_block
from orchestrator.masking.secrets import SecretSet

# Stands behind a name whose value is to stay although the name is secret; no text has this character.
READABLE = "\ufdd0"
_SIGN = r"(?:-/\+|\+/-|<=|[-+~])"
_LEAD = re.compile(rf"[\s│|]*(?:{_SIGN}\s+)?")
_SETTING = re.compile(r"(?P<key>\"(?:[^\"\\]|\\.)*\"|[A-Za-z_][\w.\-]*)(?P<equals>\s+=>?\s+)(?P<value>.*)\Z")
_BLOCK = re.compile(r"(?P<key>[A-Za-z_][\w\-]*)(?P<equals>\s+)(?P<value>\{.*)\Z")
_HEREDOC = re.compile(r"<<[-~]?(\w+)")
_OPENS = re.compile(r"(?:\A|-> )(?:\w+\(|[\[{(])\Z")
_OPENS_HEREDOC = re.compile(r"(?:\A|-> )<<[-~]?(\w+)\Z")
_COMMENT = re.compile(r"\s# [^\"]*\Z")
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*(?:"|\Z)|->|#.*\Z|<<[-~]?\w+|'
    r"\((?:known after apply|sensitive value|(?:sensitive, )?write-only attribute)\)|"
    r"[^\s\",()\[\]{}]+|[\s\",()\[\]{}]"
)
_KEEP = re.compile(
    r"true|false|null|->|#.*|\(.*\)|[\s,()\[\]{}]|<<[-~]?\w+|(?:json|yaml|base64)encode|"
    r"(?:var|local|module|data|each|self|path)\..+|[a-z][a-z0-9]*(?:_[a-z0-9]+)+\..+|"
    r"sensitive|nonsensitive|file|templatefile"
)
_ITEM = re.compile(r'"|-?\d+(?:\.\d+)?(?:,|\Z| )')
_NAMES = frozenset({"name", "key"})


class LayoutSecrets:
    """Goes through a text line by line and keeps track of what the lines belong to."""

    def __init__(self, names: SecretNames, secrets: SecretSet) -> None:
        self.names = names
        self.at = secrets.at
        self.keys = frozenset(key for key, _ in secrets.at)
        # Below a hidden line: the column at which the hiding ends, and the heredoc's end word if it is one.
        self.hidden_from: int | None = None
        self.heredoc = ""
        self.heredoc_key = ""
        self.heredoc_column = 0
        # The column of a block that lists secrets by name, while we are inside of it.
        self.reference_column: int | None = None
        # The column of a `name = "DB_PASSWORD"` line: the `value` beside it is secret.
        self.named_column: int | None = None

    def mask(self, text: str) -> str:
        """The text with secret settings hidden, those of several lines folded into one."""
        masked = (self._line(line) for line in text.split("\n"))
        return "\n".join(line for line in masked if line is not None)

    def _line(self, line: str) -> str | None:
        """The masked line; None for one that belongs to a hidden value."""
        lead = _LEAD.match(line)
        column = lead.end() if lead else 0
        if column >= len(line):
            return None if self.hidden_from is not None and line.strip() == "" else line
        if self.hidden_from is not None:
            return self._inside_hidden(line, column)
        if self.heredoc:
            return self._inside_heredoc(line, column)
        rest = line[column:]
        if self.named_column is not None and (column < self.named_column or rest[0] in "}]"):
            self.named_column = None
        if self.reference_column is not None and column <= self.reference_column:
            self.reference_column = None
        setting = _SETTING.match(rest) or _BLOCK.match(rest)
        if setting is None:
            return line[:column] + self._item(rest, column) if "" in self.keys else line
        return self._setting(line[:column], column, setting)

    def _setting(self, lead: str, column: int, setting: re.Match[str]) -> str:
        key, equals, value = setting.group("key", "equals", "value")
        plain = key.strip('"')
        head = lead + key + equals
        if plain in _NAMES and value.startswith('"') and self._names_a_secret(value):
            self.named_column = column
            return head + value
        if is_reference_block(plain) and value.startswith("{") and "=" not in equals:
            self.reference_column = column
            return head + value
        if plain == "secret" and self.reference_column is not None:
            return lead + key + READABLE + equals + value
        beside = plain == "value" and self.named_column == column
        if beside or self.names.is_secret(plain):
            return head + self._hide(value, column)
        if heredoc := _HEREDOC.match(value):
            self.heredoc, self.heredoc_key, self.heredoc_column = heredoc.group(1), plain, column
            return head + value
        return head + self._literals(value, plain) if plain in self.keys else head + value

    def _item(self, rest: str, column: int) -> str:
        """An item of a list: a literal and nothing before it."""
        if heredoc := _HEREDOC.match(rest):
            self.heredoc, self.heredoc_key, self.heredoc_column = heredoc.group(1), "", column
        return self._literals(rest, "") if _ITEM.match(rest) else rest

    def _names_a_secret(self, value: str) -> bool:
        return any(self.names.is_secret(part) for part in re.findall(r'"((?:[^"\\]|\\.)*)"', value))

    def _hide(self, value: str, column: int) -> str:
        """The right-hand side of a secret name: literals hidden, what opens there folded away."""
        bare = _COMMENT.sub("", value).rstrip()
        if heredoc := _OPENS_HEREDOC.search(bare):
            self.hidden_from, self.heredoc = column, heredoc.group(1)
            return HIDDEN
        if _OPENS.search(bare):
            self.hidden_from = column
            return HIDDEN
        tokens = _TOKEN.findall(value)
        return "".join(
            token if _KEEP.fullmatch(token) or token in ('""', '"') else HIDDEN for token in tokens
        )

    def _literals(self, value: str, key: str) -> str:
        """A right-hand side without the values that are secret for this attribute only."""
        return "".join(
            HIDDEN if (key, token[1:-1] if token.startswith('"') else token) in self.at else token
            for token in _TOKEN.findall(value)
        )

    def _inside_hidden(self, line: str, column: int) -> str | None:
        """Nothing until what was opened is closed, which Terraform does in the opener's column."""
        end = self.hidden_from or 0
        if self.heredoc:
            # The end word stands in the opener's column or one step in; a deeper one is the value's own text.
            if _ends_heredoc(line[column:], self.heredoc) and column <= end + 4:
                self.hidden_from, self.heredoc = None, ""
            return None
        if column <= end:
            closes = line[column] in "}])"
            self.hidden_from = None
            return None if closes else self._line(line)
        return None

    def _inside_heredoc(self, line: str, column: int) -> str:
        rest = line[column:]
        if _ends_heredoc(rest, self.heredoc) and column <= self.heredoc_column + 4:
            self.heredoc = ""
            return line
        secret = (self.heredoc_key, rest.strip()) in self.at
        return line[:column] + HIDDEN if secret else line


def _ends_heredoc(rest: str, word: str) -> bool:
    return rest == word or rest.startswith((f"{word} ", f"{word},", f"{word})"))
