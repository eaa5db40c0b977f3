"""The root module's variables, from the code that a saved plan carries along."""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.values import json_number
from orchestrator.repository import hcl
from orchestrator.repository.hcl import Block, Expression

# Where a plan keeps the files of the root module.
_ROOT = "tfconfig/m-/"
_COLLECTIONS = ("list", "set", "map")


def declared_variables(archive: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """Each variable of the root module: `sensitive`, and its `default` where it has one.

    Raises UnprovenPlanError for what Terraform alone evaluates.
    """
    files = [
        (name, archive.read(name))
        for name in archive.namelist()
        if name.startswith(_ROOT) and not name.startswith(f"{_ROOT}.")
    ]
    return dict(_declarations(file for file in files if b"variable" in file[1]))


def _declarations(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, dict[str, Any]]]:
    names: set[str] = set()
    for path, data in files:
        name = path.removeprefix(_ROOT)
        file = hcl.read(name, data)
        if file.problem:
            raise UnprovenPlanError("its code cannot be read here")
        for block in file.of("variable"):
            is_override = name.partition(".")[0] == "override" or name.partition(".")[0].endswith("_override")
            if is_override or file.is_json or block.name in names:
                raise UnprovenPlanError("a variable in its code is overridden, or written in JSON")
            names.add(block.name)
            yield block.name, _declaration(block)


def _declaration(block: Block) -> dict[str, Any]:
    sensitive = block.expression("sensitive")
    text = "false" if sensitive is None or sensitive.is_null else sensitive.source.strip()
    if text not in ("true", "false"):
        raise UnprovenPlanError("a variable in its code is sensitive by an expression")
    declaration: dict[str, Any] = {"sensitive": text == "true"}
    default = block.expression("default")
    if default is not None:
        value = default.literal()
        if value is hcl.NO_LITERAL:
            raise UnprovenPlanError("a default in its code is no literal")
        declaration["default"] = _convert(_composed(value), block.expression("type"))
    return declaration


def _composed(value: Any) -> Any:
    """A value whose texts have the form of Unicode that Terraform gives them, and its numbers as JSON."""
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case bool() | None:
            return value
        case int() | float():
            return json_number(value)
        case list():
            return [_composed(item) for item in value]
        case dict():
            return {unicodedata.normalize("NFC", key): _composed(item) for key, item in value.items()}
    raise UnprovenPlanError("a default in its code is no literal")


def _convert(value: Any, type_: Expression | None) -> Any:
    """A default as its variable's type makes it."""
    if value is None or type_ is None or type_.source.strip() == "any":
        return value
    call = type_.call
    if call is None:
        return _convert_primitive(value, type_.source.strip())
    if call.function not in _COLLECTIONS or len(call.arguments) != 1:
        raise UnprovenPlanError("the type of a default in its code is not evaluated here")
    below = call.arguments[0]
    if below.source.strip() == "any":
        raise UnprovenPlanError("the type of a default in its code is not evaluated here")
    if call.function == "map":
        if not isinstance(value, Mapping):
            raise UnprovenPlanError("a default in its code is not of its type")
        return {key: _convert(item, below) for key, item in value.items()}
    if not isinstance(value, list):
        raise UnprovenPlanError("a default in its code is not of its type")
    items = [_convert(item, below) for item in value]
    if call.function == "list":
        return items
    if not all(isinstance(item, str) for item in items):
        raise UnprovenPlanError("the type of a default in its code is not evaluated here")
    return sorted(set(items))


def _convert_primitive(value: Any, type_: str) -> Any:
    if type_ == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if (type_ == "string" and isinstance(value, int)) or (type_ == "number" and isinstance(value, bool)):
        return str(value) if type_ == "string" else _not_converted()
    if type_ == "bool" and value in ("true", "false"):
        return value == "true"
    kind = {"string": str, "number": int | float, "bool": bool}.get(type_)
    return value if kind is not None and isinstance(value, kind) else _not_converted()


def _not_converted() -> Any:
    raise UnprovenPlanError("a default in its code is converted by Terraform alone")
