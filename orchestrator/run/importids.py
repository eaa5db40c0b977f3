"""What `terraform import` takes for a resource: a table by type, since it is not always the `id`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class _Rule:
    pattern: str
    made_again: bool = False
    template: str = "{id}"
    planned: str = ""


@dataclass(frozen=True)
class ImportIds:
    """The table. What is not in it is imported by its `id`."""

    rules: tuple[_Rule, ...]

    def is_made_again(self, type_: str) -> bool:
        """True for a type that needs no import: it is planned and made again without harm."""
        return self._rule(type_).made_again

    def of(self, type_: str, identity: str, values: Mapping[str, str]) -> str:
        """The import id of a resource with that `id` (empty: not known) and those planned attributes.

        Empty when it cannot be told.
        """
        rule = self._rule(type_)
        known = {**values, **({"id": identity} if identity else {})}
        told = _fill(rule.template, known)
        return told or identity or _fill(rule.planned, known)

    def attributes(self, type_: str) -> frozenset[str]:
        """The planned attributes that the type's import id is made of."""
        rule = self._rule(type_)
        return frozenset(_PLACE.findall(rule.template) + _PLACE.findall(rule.planned)) - {"id"}

    def _rule(self, type_: str) -> _Rule:
        return next((one for one in self.rules if fnmatchcase(type_, one.pattern)), _Rule(type_))


def _fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its places filled in; empty when one of them is not known."""
    names = _PLACE.findall(template)
    if not template or any(not values.get(name) for name in names):
        return ""
    return _PLACE.sub(lambda match: values[match.group(1)], template)


@cache
def import_ids() -> ImportIds:
    """The table that comes with infra."""
    text = files("orchestrator.run").joinpath("importids.toml").read_text(encoding="utf-8")
    rules = [
        _Rule(
            pattern,
            made_again=bool(one.get("again")),
            template=str(one.get("import", "{id}")),
            planned=str(one.get("planned", "")),
        )
        for pattern, one in tomllib.loads(text).items()
    ]
    return ImportIds(tuple(rules))
