"""Patterns of folders that are stacks, such as `{stage}/envs/{environment}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

ENVIRONMENT = "environment"
# At the end of a pattern, this placeholder matches any number of folders.
STACK = "stack"
# More could be matched to a long name in more ways than could be tried.
MOST_IN_FOLDER = 3
_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*)\}")


def is_pattern(key: str) -> bool:
    """Whether a key below `stacks` in infra.yaml is a pattern of folders and no id."""
    return "{" in key or "}" in key


@dataclass(frozen=True)
class StackPattern:
    """A path from the repository's root with placeholders, one of which is `{environment}`.

    A placeholder matches one folder, or a part of its name; `{stack}` as the last folder matches any number
    of folders. What the placeholders beside `{environment}` match is the stack's name; without any it is the
    pattern's first folder.
    """

    text: str

    def __post_init__(self) -> None:
        names = _PLACEHOLDER.findall(self.text)
        if re.search(r"[{}]", _PLACEHOLDER.sub("", self.text)):
            raise ValueError("has a placeholder that is not a word in lower case, such as {stage}")
        if names.count(ENVIRONMENT) != 1:
            raise ValueError("must hold {environment} once")
        if len(set(names)) != len(names):
            raise ValueError("holds a placeholder twice")
        if any(len(_PLACEHOLDER.findall(folder)) > MOST_IN_FOLDER for folder in self.text.split("/")):
            raise ValueError(f"holds more than {MOST_IN_FOLDER} placeholders in the name of one folder")

    def match(self, folder: str) -> tuple[str, str] | None:
        """The environment and the stack's name for a folder; None where the pattern does not match it."""
        match = self._expression.fullmatch(folder)
        if match is None:
            return None
        values = match.groupdict()
        environment = values.pop(ENVIRONMENT)
        return environment, "/".join(values.values()) or self._first_folder

    @property
    def _first_folder(self) -> str:
        first = self.text.partition("/")[0]
        return "" if is_pattern(first) else first

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        *folders, last = self.text.split("/")
        parts = [_segment(folder) for folder in folders]
        parts.append(f"(?P<{STACK}>.+)" if last == f"{{{STACK}}}" else _segment(last))
        return re.compile("/".join(parts))


def _segment(folder: str) -> str:
    """The regular expression of one folder of a pattern."""
    literals_and_names = _PLACEHOLDER.split(folder)
    return "".join(
        f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part)
        for index, part in enumerate(literals_and_names)
    )
