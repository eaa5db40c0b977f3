"""What `terraform import` takes for a resource, by type, since it is not always the `id`.

`import_ids.toml` has what we know of single types, `import_forms_google.json` what the google provider's
documentation says of each of its types.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

from orchestrator.plan.model import ResourceChange

_PLACEHOLDER = re.compile(r"\{([\w.-]+)(?::(\w+|\*.))?\}")


@dataclass(frozen=True)
class ImportFormats:
    """The documentation of a type: the format of its `id`, and the formats that its import accepts.

    `id` is empty where the documentation does not say; no `accepted` formats: the type cannot be imported.
    """

    id: str
    accepted: tuple[str, ...]

    def import_id(self, identity: str, values: Mapping[str, str]) -> str:
        """The import id of a resource with that `id` (empty: not known) and those planned attributes.

        An `id` that has an accepted format is taken as it is; else the longest accepted format that can be
        filled in. Empty when there is none.
        """
        candidate = identity or _fill(self.id, values)
        if candidate and (self.id in self.accepted or any(_fits(form, candidate) for form in self.accepted)):
            return candidate
        known_values = {**values, **_parsed(self.id, candidate), **({"id": identity} if identity else {})}
        filled = (_fill(form, known_values) for form in sorted(self.accepted, key=len, reverse=True))
        return next((text for text in filled if text), "")


@dataclass(frozen=True)
class _Rule:
    pattern: str
    recreated: bool = False
    importable: bool = True
    templates: tuple[str, ...] = ()
    planned: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportIds:
    """How resources are imported. What neither the rules nor the documentation know has its `id`."""

    rules: tuple[_Rule, ...]
    documented: Mapping[str, ImportFormats]

    def is_recreated(self, type_: str) -> bool:
        """True for a type that needs no import: it is planned and created again without harm."""
        return any(rule.recreated for rule in self._rules(type_))

    def is_importable(self, type_: str) -> bool:
        """False for a type whose provider has no import for it."""
        forms = self._forms(type_)
        return all(rule.importable for rule in self._rules(type_)) and (forms is None or bool(forms.accepted))

    def secrets(self, type_: str) -> tuple[str, ...]:
        """The attributes that the provider gives once, when it creates the resource, and never again."""
        return next((rule.secrets for rule in self._rules(type_) if rule.secrets), ())

    def accepted(self, type_: str) -> tuple[str, ...]:
        """The formats that its import accepts, as far as they are known."""
        forms = self._forms(type_)
        return self._templates(type_) or (forms.accepted if forms else ())

    def of(self, type_: str, identity: str, values: Mapping[str, str]) -> str:
        """The import id of a resource with that `id` (empty: not known) and those planned attributes.

        Empty when it cannot be told, or when the type has no import.
        """
        if not self.is_importable(type_):
            return ""
        known_values = {**values, **({"id": identity} if identity else {})}
        rule = next((rule for rule in self._rules(type_) if rule.templates or rule.planned), None)
        if rule and rule.templates:
            return next(filter(None, (_fill(template, known_values) for template in rule.templates)), "")
        if rule:
            return identity or _fill(rule.planned, known_values)
        forms = self._forms(type_)
        return (forms.import_id(identity, values) if forms else "") or identity

    def attributes(self, type_: str) -> frozenset[str]:
        """The planned attributes that the type's import id can be made of."""
        texts = [*self._templates(type_), *(rule.planned for rule in self._rules(type_))]
        forms = self._forms(type_)
        texts += [forms.id, *forms.accepted] if forms else []
        names = {match[1].partition(".")[0] for text in texts for match in _PLACEHOLDER.finditer(text)}
        return frozenset({*names, *(name.removesuffix("_id") for name in names)}) - {"id", ""}

    def _templates(self, type_: str) -> tuple[str, ...]:
        return next((rule.templates for rule in self._rules(type_) if rule.templates), ())

    def _forms(self, type_: str) -> ImportFormats | None:
        return None if self._templates(type_) else self.documented.get(type_)

    def _rules(self, type_: str) -> Sequence[_Rule]:
        return [rule for rule in self.rules if fnmatchcase(type_, rule.pattern)]


def planned_values(change: ResourceChange) -> dict[str, str]:
    """The plain attributes of a planned resource that are known and no secrets, as an import id has them."""
    return {
        attribute.path: _text(attribute.after)
        for attribute in change.attributes
        if _text(attribute.after) and not (attribute.sensitive or attribute.unknown)
    }


def replaced_id(change: ResourceChange) -> str:
    """The `id` of the object that a planned resource replaces; empty for none."""
    before = {attribute.path: attribute.before for attribute in change.attributes}
    return _text(before.get("id")) if change.is_replace else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else ""


def _fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled in; empty when one of them is not known.

    `{x:last}` is the last segment of a path, `{x:projects}` the one after "projects", `{x:*/}` the items of a
    list with "/" between them; `{x_id}` may be filled by `x` as well.
    """
    texts: dict[str, str] = {}
    for match in _PLACEHOLDER.finditer(template):
        name, form = match[1].partition(".")[0], match[2] or ""
        value = values.get(name) or values.get(name.removesuffix("_id")) or ""
        if form.startswith("*"):
            texts[match[0]] = form[1:].join(_items(name, values))
        else:
            texts[match[0]] = _segment(value, form) if form else value
    if not texts or not all(texts.values()):
        return ""
    return _PLACEHOLDER.sub(lambda match: texts[match[0]], template)


def _items(name: str, values: Mapping[str, str]) -> Iterator[str]:
    """The items of a list, whose attributes are `name[0]`, `name[1]` and so on."""
    for index in itertools.count():
        if not (item := values.get(f"{name}[{index}]")):
            return
        yield item


def _segment(path: str, name: str) -> str:
    """The segment of a path that follows `name`, or its last one; empty when there is none."""
    if name == "last":
        return path.rsplit("/", 1)[-1]
    return path.partition(f"{name}/")[2].partition("/")[0]


def _fits(form: str, text: str) -> bool:
    """Whether a text has a format; a placeholder stands for one segment of a path."""
    return re.fullmatch(_pattern(form, "[^/]+"), text) is not None


def _parsed(form: str, text: str) -> dict[str, str]:
    """The values of a format's placeholders in a text; empty when it has another format."""
    names = [match[1] for match in _PLACEHOLDER.finditer(form)]
    match = re.fullmatch(_pattern(form, ".+"), text) if form and text else None
    return dict(zip(names, match.groups(), strict=True)) if match else {}


def _pattern(form: str, value: str) -> str:
    parts = _PLACEHOLDER.split(form)[::3]
    return f"({value})".join(re.escape(part) for part in parts)


@cache
def import_ids() -> ImportIds:
    """The rules and the data that come with infra."""
    folder = files("orchestrator.engine")
    rules = [
        _Rule(
            pattern,
            recreated=bool(rule.get("recreated")),
            importable=bool(rule.get("importable", True)),
            templates=_texts(rule.get("import", ())),
            planned=str(rule.get("planned", "")),
            secrets=tuple(rule.get("secrets", ())),
        )
        for pattern, rule in tomllib.loads(folder.joinpath("import_ids.toml").read_text("utf-8")).items()
    ]
    google = json.loads(folder.joinpath("import_forms_google.json").read_text("utf-8"))
    return ImportIds(tuple(rules), {type_: _forms(facts) for type_, facts in google["types"].items()})


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    """One text, or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def _forms(facts: str | Mapping[str, object] | None) -> ImportFormats:
    """A type's line of the data file."""
    if facts is None:
        return ImportFormats("", ())
    if isinstance(facts, str):
        return ImportFormats(facts, (facts,))
    return ImportFormats(str(facts["id"]), tuple(str(form) for form in facts["forms"]))  # type: ignore[attr-defined]
