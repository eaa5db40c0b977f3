"""Validates a document and turns pydantic's errors into ConfigErrors with line, key and advice."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config.raw import MadeFrom, RawConfig, section_fields
from orchestrator.config.section import ConfigSection
from orchestrator.config.yaml_document import Document, Path, dotted
from orchestrator.errors import ConfigError

_MUST = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "dataclass_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "missing": "is missing",
    "string_too_short": "must not be empty",
}
# What the patterns of `raw` mean, by the last name in a path (a list's index left out).
_PATTERNS = {
    "plan": "must be an account's e-mail address",
    "apply": "must be an account's e-mail address",
    "drift": "must be an account's e-mail address",
    "env": "must be the name of an environment variable, without a value",
    "http": "must be an http or https address",
    "namespaces": "must be the name of a Rego package, such as main",
    **dict.fromkeys(
        ("webhook", "url_variable", "secret_variable"),
        "must be the name of an environment variable, without its value",
    ),
    "notify": "must be a name of lower-case letters, digits and `-`, such as operations",
    "zone": "must be a time zone such as Europe/Berlin",
    "filesystem_mirror": "must be the absolute path of a folder outside the repository",
    "network_mirror": "must be an https address",
    "credentials": "must be the name of a host, such as app.terraform.io",
    "names": "must be one word of letters, digits, - and _",
    "bucket": "must be the name of a bucket; it may hold {environment}",
    "prefix": "must be a folder such as teams/shop: letters, digits, `.`, `_` and `-` between slashes",
    "catalog": "must be a name of lower-case letters, digits and single hyphens, such as queue",
    "commit": "must be the full id of a commit, 40 or 64 hexadecimal digits",
    "git": "must be the address of a Git repository by https, ssh or file, without credentials",
    "environments": "must be a name that can be a folder: without spaces, /, commas and wildcards",
}
# Keys that hold the name of a variable: what stands there instead may be its value.
_NAMES_OF_VARIABLES = frozenset({"env", "webhook", "url_variable", "secret_variable"})
# The limits of numbers, by the last name in a path; 1 to 256 otherwise.
_RANGES = {
    "max": "0 to 1000",
    "status": "100 to 599",
    "retries": "0 to 1000",
    **dict.fromkeys(("stacks", "resources", "deletes"), "0 to 100000"),
}


def validate(document: Document) -> RawConfig:
    """The document as a `RawConfig`; a ConfigError with every mistake in it when there are any."""
    mistakes = list(document.mistakes)
    value = {} if document.value is None else document.value
    valid = None
    try:
        # A tuple is what a YAML list becomes, so that what is frozen holds nothing that is not.
        valid = RawConfig.model_validate(_tuples(value))
    except ValidationError as error:
        mistakes += [_mistake(document, details) for details in error.errors(include_url=False)]
    if mistakes or valid is None:
        first, *errors = sorted(mistakes, key=lambda mistake: (mistake.line or 0, mistake.key or ""))
        first.others = tuple(errors)
        raise first
    return valid


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(below) for key, below in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value


def _mistake(document: Document, details: ErrorDetails) -> ConfigError:
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    message, advice = _words(document, path, details)
    return ConfigError(
        message, file=document.file, line=document.line(path), key=dotted(path) or None, advice=advice
    )


def _words(document: Document, path: Path, details: ErrorDetails) -> tuple[str, str]:
    kind = details["type"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown_key(path)
    if kind == "value_error":
        message = str(details["ctx"]["error"])
    elif kind == "literal_error":
        message = "must be " + details["ctx"]["expected"].replace("'", "")
    elif kind == "string_pattern_mismatch":
        names = [part for part in path if isinstance(part, str)]
        message = _PATTERNS.get(_kind_of_name(names), "has the wrong form")
    elif kind in ("greater_than_equal", "less_than_equal"):
        message = f"must be a number from {_RANGES.get(str(path[-1]), '1 to 256')}"
    else:
        message = _MUST.get(kind, details["msg"])
    # A section's own rule says all.
    # What is missing stands nowhere: the input is then what it is missing from.
    silent = (
        kind == "missing"
        or (kind == "value_error" and isinstance(details["input"], dict))
        or not _NAMES_OF_VARIABLES.isdisjoint(path)
    )
    got = "" if silent else _got(document, path, details["input"])
    return message + got, "See `infra schema` for every key and its form."


def _kind_of_name(names: list[str]) -> str:
    if len(names) == 2 and names[0] in ("catalog", "environments", "notify"):
        return names[0]
    return names[-1] if names else ""


def _got(document: Document, path: Path, value: object) -> str:
    """The value that the file has instead, with YAML's own conversions explained."""
    written = document.written.get(path)
    if written is None or isinstance(value, dict | tuple):
        kinds: dict[type, str] = {dict: "a mapping", tuple: "a list"}
        return next((f", not {words}" for kind, words in kinds.items() if isinstance(value, kind)), "")
    if isinstance(value, str):
        return f', not "{written}"'
    if value is None:
        return ", not empty"
    what = "true or false" if isinstance(value, bool) else "a number"
    plain = {"True": "true", "False": "false"}.get(str(value), str(value))
    return f", not {written}" + ("" if plain == written else f" (YAML reads it as {what})")


def _unknown_key(path: Path) -> tuple[str, str]:
    key = str(path[-1])
    keys = _keys_at(path[:-1])
    near = difflib.get_close_matches(key.lower(), keys, n=1, cutoff=0.6)
    message = f"unknown key `{key}`" + (f"; did you mean `{near[0]}`?" if near else "")
    return message, f"Known keys here: {', '.join(keys)}."


def _keys_at(path: Path) -> list[str]:
    """The keys that the model knows at a path of infra.yaml."""
    model: Any = RawConfig
    for part in path:
        if isinstance(part, int):  # an item of a list: the model is the item's already
            continue
        if _is_section(model):
            model = _model_in(_fields(model)[str(part)])
        elif isinstance(model, tuple):
            model = model[0]
    return sorted(_fields(model)) if _is_section(model) else []


def _is_section(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, (BaseModel, ConfigSection))


def _fields(model: type[BaseModel] | type[ConfigSection]) -> dict[str, Any]:
    """The types of a section's keys, by key."""
    if issubclass(model, BaseModel):
        return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    return section_fields(model)


def _model_in(annotation: Any) -> Any:
    """The section in a field's type: `X`, `X | None`; wrapped in a tuple for `dict[str, X]`."""
    if _is_section(annotation):
        return annotation
    for part in get_args(annotation):
        # What is written differs from what it becomes.
        if isinstance(part, MadeFrom):
            return part.section
    inner = [model for part in get_args(annotation) if (model := _model_in(part)) is not None]
    if not inner:
        return None
    return (inner[0],) if get_origin(annotation) in (dict, Mapping) else inner[0]
