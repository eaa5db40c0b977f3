"""Turns a state file into rows of the dataset: addresses, types, and attributes without their values."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.config.globs import matches
from orchestrator.errors import StateError
from orchestrator.jsontext import MALFORMED, items, mapping, read_object
from orchestrator.masking import HIDDEN, Masker
from orchestrator.state.statefile import instance_address, read_state

_PROVIDER = re.compile(r'provider\["([^"]+)"\]')
# Characters of a hash: enough that no two values of an estate have the same.
DIGITS = 16
# Characters of a value that is saved.
LONGEST_VALUE = 2_000


@dataclass(frozen=True)
class StateRows:
    """The rows of one state, each without its environment and stack; `problem` says why it has none."""

    serial: int | None = None
    lineage: str = ""
    terraform_version: str = ""
    problem: str = ""
    resources: Sequence[tuple[object, ...]] = ()
    outputs: Sequence[tuple[object, ...]] = ()
    attributes: Sequence[tuple[object, ...]] = ()


@dataclass(frozen=True)
class StateRules:
    """What of a state may be in the dataset.

    `values` are globs over `ADDRESS.ATTRIBUTE`; `key` is the key of the hashes.
    """

    masker: Masker
    values: tuple[str, ...]
    key: bytes


def read_state_rows(data: bytes, location: str, rules: StateRules, *, with_attributes: bool) -> StateRows:
    """The rows of a state file at a location; what cannot be read gives a `problem`."""
    try:
        head = read_state(data, location)
        resources: list[tuple[object, ...]] = []
        attributes: list[tuple[object, ...]] = []
        for resource, instance, address in _instances(read_object(data)):
            resources.append(_resource_row(resource, instance, rules.masker.mask_address(address)))
            if with_attributes and resource.get("mode") == "managed":
                attributes += _attribute_rows(instance, address, rules)
        outputs = [_output_row(name, output, rules) for name, output in sorted(head.outputs.items())]
    except StateError as error:
        return StateRows(problem=error.message)
    except MALFORMED:
        return StateRows(problem=f"{location} is not a Terraform state.")
    return StateRows(head.serial, head.lineage, head.terraform_version, "", resources, outputs, attributes)


def _instances(state: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
    for resource in items(state.get("resources")):
        for instance in items(resource.get("instances")):
            yield resource, instance, instance_address(resource, instance.get("index_key"))


def _resource_row(
    resource: Mapping[str, Any], instance: Mapping[str, Any], address: str
) -> tuple[object, ...]:
    provider = _PROVIDER.search(str(resource.get("provider", "")))
    return (
        address,
        str(resource.get("mode", "")),
        str(resource.get("module") or ""),
        str(resource["type"]),
        str(resource["name"]),
        provider[1] if provider else "",
        int(instance.get("status") == "tainted"),
    )


def _output_row(name: str, output: Mapping[str, Any], rules: StateRules) -> tuple[object, ...]:
    value, sensitive = output.get("value"), bool(output.get("sensitive"))
    hidden = _is_hidden(value, rules.masker.mask_value(value, sensitive, ("output", name)))
    return name, int(sensitive), None if hidden else _hash(value, rules.key)


def _attribute_rows(
    instance: Mapping[str, Any], address: str, rules: StateRules
) -> Iterator[tuple[object, ...]]:
    values = mapping(instance.get("attributes"))
    marks = _marks(items(instance.get("sensitive_attributes")))
    masked = rules.masker.mask_value(values, marks, (address,))
    masked_address = rules.masker.mask_address(address)
    for path, value, masked_value in _leaves(values, masked, rules.masker.shapes.mask):
        hidden = _is_hidden(value, masked_value)
        saved = None
        if not hidden and rules.values and matches(f"{address}.{path}", rules.values):
            saved = json.dumps(value, ensure_ascii=False, sort_keys=True)[:LONGEST_VALUE]
        yield masked_address, path, None if hidden else _hash(value, rules.key), int(hidden), saved


def _leaves(
    value: Any, masked: Any, mask_key: Callable[[str], str], above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Path, value and masked value of all that is no object; null attributes are left out."""
    for key, below in value.items():
        masked_key = mask_key(key)
        path = f"{above}.{masked_key}" if above else masked_key
        masked_value = masked.get(masked_key) if isinstance(masked, Mapping) else HIDDEN
        if isinstance(below, dict) and below and isinstance(masked_value, Mapping):
            yield from _leaves(below, masked_value, mask_key, path)
        elif below is not None:
            yield path, below, masked_value


def _is_hidden(value: Any, masked: Any) -> bool:
    """Whether masking hides a part of a value."""
    return bool(value != masked)


def _marks(paths: Sequence[Any]) -> dict[str, Any]:
    """The tree of sensitive marks that a state has as paths; within a list, all of the list is marked."""
    tree: dict[str, Any] = {}
    for path in paths:
        steps = [_step(step) for step in items(path)]
        keys = steps[: next((index for index, step in enumerate(steps) if step is None), len(steps))]
        branch = tree
        for key in keys[:-1]:
            below = branch.setdefault(str(key), {})
            if below is True:
                break
            branch = below
        else:
            if keys:
                branch[str(keys[-1])] = True
    return tree


def _step(step: Any) -> str | None:
    """An attribute's name, or the key of a map; None for a position in a list."""
    value = mapping(step).get("value")
    key = value.get("value") if isinstance(value, Mapping) else value
    return key if isinstance(key, str) else None


def _hash(value: Any, key: bytes) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:DIGITS]
