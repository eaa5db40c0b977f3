"""What Google makes of a GitHub job's token: the few words of CEL that the module github-identity uses."""

from __future__ import annotations

import re
from collections.abc import Mapping


def attribute_of(mapping: str, claims: Mapping[str, str]) -> str:
    """The value of a mapped attribute: `CONDITION ? VALUE : CONDITION ? VALUE : VALUE`."""
    for rule in mapping.split(" : "):
        condition, _, value = rule.rpartition(" ? ")
        if not condition or _evaluated(condition, claims):
            evaluated = _evaluated(value, claims)
            assert isinstance(evaluated, str)
            return evaluated
    raise AssertionError("the last rule has a condition")


def _evaluated(text: str, claims: Mapping[str, str]) -> object:
    """A condition or a value; a claim that a token lacks is an error, as it is in CEL."""
    text = re.sub(r"has\(assertion\.(\w+)\)", r"('\1' in claims)", text)
    text = re.sub(r"assertion\.(\w+)\.extract\(('[^']*')\)", r"extract(claims['\1'], \2)", text)
    text = re.sub(r"assertion\.(\w+)", r"claims['\1']", text).replace("&&", "and")
    names = {"claims": claims, "extract": _extract, "__builtins__": {}}
    return eval(text, names)  # noqa: S307 - the module's own text


def _extract(text: str, template: str) -> str:
    """Google's `extract`: what lies between the first match of what is before and after the placeholder."""
    before, after = template.split("{name}")
    start = text.find(before)
    rest = text[start + len(before) :]
    return rest[: rest.find(after)] if start >= 0 and after in rest else ""
