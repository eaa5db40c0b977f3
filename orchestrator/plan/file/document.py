"""A saved plan file → the parts of `terraform show -json` that infra reads, without Terraform.

`PROVEN` names the versions of Terraform whose plan files tests read both ways. Whatever is not known to be
read as Terraform reads it raises UnprovenPlanError: the caller then runs `show -json`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import UnprovenPlanError
from orchestrator.jsontext import MALFORMED
from orchestrator.plan.file.instance_address import InstanceAddress, parse_address
from orchestrator.plan.file.messages import parse_plan
from orchestrator.plan.file.msgpack import decode_msgpack
from orchestrator.plan.file.prior_state import provider_source, read_prior_state
from orchestrator.plan.file.schemas import BUILT_IN, BUILT_IN_SCHEMA, ResourceSchema, TypeSchemas
from orchestrator.plan.file.values import (
    DYNAMIC,
    NO_MARKS,
    Marks,
    Step,
    ValueType,
    has_true,
)
from orchestrator.plan.file.variables import declared_variables

# Versions by their first two numbers: releases of one of these do not change what a plan file holds.
PROVEN = frozenset({(1, 11), (1, 15)})
# Gives the schema of a provider by its source; raises UnprovenPlanError where there is none.
FindProvider = Callable[[str], TypeSchemas]
# What `show -json` of these versions calls its format.
FORMAT_VERSION = "1.2"
_LARGEST = 1024 * 1024 * 1024
_REFRESH_ONLY = 2
# The plan's numbers, and plan JSON's names for them.
_ACTIONS = {
    0: ("no-op",),
    1: ("create",),
    2: ("read",),
    3: ("update",),
    5: ("delete",),
    6: ("delete", "create"),
    7: ("create", "delete"),
    8: ("forget",),
    9: ("create", "forget"),
}
_NO_OP, _CREATE, _DELETE, _FORGET = 0, 1, 5, 8
_REASONS = {
    1: "replace_because_tainted",
    2: "replace_by_request",
    3: "replace_because_cannot_update",
    4: "delete_because_no_resource_config",
    5: "delete_because_wrong_repetition",
    6: "delete_because_count_index",
    7: "delete_because_each_key",
    8: "delete_because_no_module",
    9: "replace_by_triggers",
    10: "read_because_config_unknown",
    11: "read_because_dependency_pending",
    12: "delete_because_no_move_target",
    13: "read_because_check_nested",
}
_CHECK_KINDS = {1: "resource", 2: "output_value", 3: "check", 4: "var"}
_CHECK_STATUSES = {0: "unknown", 1: "pass", 2: "fail", 3: "error"}


def is_proven(version: str) -> bool:
    """Whether plan files of a Terraform are read here; a pre-release is none of them."""
    numbers = version.split(".")
    return (
        len(numbers) == 3
        and all(number.isdecimal() for number in numbers)
        and (int(numbers[0]), int(numbers[1])) in PROVEN
    )


def read_plan_file(path: Path, find_provider: FindProvider) -> dict[str, Any]:
    """The parts of plan JSON that infra reads. `find_provider` is called for all but the built-in provider.

    `prior_state` has the outputs and data sources alone, `configuration` the sensitive variables.
    Raises UnprovenPlanError, also for a file that is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            plan = parse_plan(_member(archive, "tfplan"))
            if not is_proven(plan.terraform_version):
                raise UnprovenPlanError(f"it is of Terraform {plan.terraform_version}")
            state = _member(archive, "tfstate")
            declared = declared_variables(archive)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, *MALFORMED) as error:
        raise UnprovenPlanError("it is no plan file, or it is damaged") from error
    try:
        return _document(plan, declared, state, _PlanFileReader(find_provider))
    except MALFORMED as error:
        raise UnprovenPlanError("it has another form") from error


def _document(
    plan: Any, declared: Mapping[str, Mapping[str, Any]], state: bytes, reader: _PlanFileReader
) -> dict[str, Any]:
    drift = [
        entry
        for entry in plan.resource_drift
        if plan.ui_mode == _REFRESH_ONLY or entry.change.action != _NO_OP
    ]
    if drift:
        # No recorded plan file holds drift, so nothing proves that it is read as Terraform shows it.
        raise UnprovenPlanError("it holds drift")
    return {
        "format_version": FORMAT_VERSION,
        "terraform_version": plan.terraform_version,
        "timestamp": plan.timestamp,
        "applyable": plan.applyable,
        "complete": plan.complete,
        "errored": plan.errored,
        "variables": _variables(plan.variables, declared),
        "resource_drift": [],
        "resource_changes": reader.changes(plan.resource_changes),
        "output_changes": {output.name: reader.output(output) for output in plan.output_changes},
        "checks": sorted(map(_check, plan.check_results), key=lambda check: check["address"]["to_display"]),
        "relevant_attributes": [
            {"resource": relevant.resource, "attribute": _shown_path(relevant.attr)}
            for relevant in plan.relevant_attributes
        ],
        "prior_state": read_prior_state(state, reader.schema),
        "configuration": {
            "root_module": {
                "variables": {
                    name: {"sensitive": True} for name, each in declared.items() if each["sensitive"]
                }
            }
        },
    }


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise UnprovenPlanError("it is too large")
    return archive.read(name)


class _PlanFileReader:
    """Reads the changes of one plan."""

    def __init__(self, find_provider: FindProvider) -> None:
        self.find_provider = find_provider

    def schema(self, provider: str, mode: str, type_name: str) -> ResourceSchema:
        """The schema of a type of a provider, given by its source."""
        known = BUILT_IN_SCHEMA if provider == BUILT_IN else self.find_provider(provider)
        return known.find(mode, type_name)

    def changes(self, entries: Iterable[Any]) -> list[dict[str, Any]]:
        """Entries of `resource_changes`, in Terraform's order."""
        addressed = [(parse_address(entry.addr), entry) for entry in entries]
        addressed.sort(key=lambda pair: (pair[0].order, pair[1].deposed_key))
        return [
            self.change(address, entry)
            for address, entry in addressed
            # Terraform drops a data source from its state in this way, and shows nothing of it.
            if not (address.mode == "data" and entry.change.action == _DELETE)
        ]

    def change(self, address: InstanceAddress, entry: Any) -> dict[str, Any]:
        """One change of a resource."""
        provider = provider_source(entry.provider)
        schema = self.schema(provider, address.mode, address.type)
        change = entry.change
        actions = _actions(change)
        before, after = _sides(change)
        body = {
            "actions": actions,
            **_values(before, after, schema.type, unknown={}),
            "before_sensitive": schema.sensitive_tree(before, _marks(change.before_sensitive_paths)),
            "after_sensitive": schema.sensitive_tree(after, _marks(change.after_sensitive_paths)),
        }
        if change.HasField("importing"):
            importing = change.importing
            body["importing"] = {"unknown": True} if importing.unknown else {"id": importing.id}
        if change.generated_config:
            body["generated_config"] = change.generated_config
        if entry.required_replace:
            body["replace_paths"] = [_shown_path(path) for path in entry.required_replace]
        entry_json: dict[str, Any] = {
            "address": entry.addr,
            "mode": address.mode,
            "type": address.type,
            "name": address.name,
            "provider_name": provider,
            "change": body,
        }
        if entry.prev_run_addr and entry.prev_run_addr != entry.addr:
            entry_json["previous_address"] = entry.prev_run_addr
        if entry.deposed_key:
            entry_json["deposed"] = entry.deposed_key
        if entry.action_reason:
            entry_json["action_reason"] = _name(_REASONS, entry.action_reason, "the reason of an action")
        return entry_json

    def output(self, output: Any) -> dict[str, Any]:
        """One change of an output."""
        actions = _actions(output.change)
        before, after = _sides(output.change)
        return {
            "actions": actions,
            **_values(before, after, DYNAMIC, unknown=False),
            "before_sensitive": output.sensitive,
            "after_sensitive": output.sensitive,
        }


def _sides(change: Any) -> tuple[Any, Any]:
    """The values before and after; null where there is none."""
    encoded = [value.msgpack for value in change.values]
    action = change.action
    count = 1 if action in (_NO_OP, _CREATE, _DELETE, _FORGET) else 2
    if len(encoded) < count:
        raise UnprovenPlanError("a change in it lacks a value")
    first = decode_msgpack(encoded[0])
    if count == 2:
        return first, decode_msgpack(encoded[1])
    return (None if action == _CREATE else first), (first if action in (_NO_OP, _CREATE) else None)


def _values(before: Any, after: Any, type_: ValueType, *, unknown: Any) -> dict[str, Any]:
    """Both values; `unknown` is `after_unknown` of one that is known in all its parts."""
    shown_before = type_.json(before)
    tree = unknown if after is None or after is before else type_.unknown_tree(after)
    return {
        "before": shown_before,
        "after": shown_before if after is before else type_.json(after),
        "after_unknown": tree if has_true(tree) else unknown,
    }


def _actions(change: Any) -> list[str]:
    return list(_name(_ACTIONS, change.action, "an action"))


def _name(names: Mapping[int, Any], number: int, what: str) -> Any:
    if number not in names:
        raise UnprovenPlanError(f"{what} in it has the number {number}")
    return names[number]


def _marks(paths: Any) -> Marks:
    if not paths:
        return NO_MARKS
    marks = Marks()
    for path in paths:
        marks.add(_steps(path))
    return marks


def _steps(path: Any) -> Iterator[Step]:
    for step in path.steps:
        if step.HasField("element_key"):
            key = decode_msgpack(step.element_key.msgpack)
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise UnprovenPlanError("a path in it leads into a set")
            yield (key,)
        else:
            yield str(step.attribute_name)


def _shown_path(path: Any) -> list[str | int]:
    return [step if isinstance(step, str) else step[0] for step in _steps(path)]


def _check(result: Any) -> dict[str, Any]:
    instances = [
        {
            "address": {"to_display": instance.object_addr},
            "status": _name(_CHECK_STATUSES, instance.status, "the status of a check"),
            "problems": [{"message": message} for message in sorted(instance.failure_messages)],
        }
        for instance in result.objects
    ]
    return {
        "address": {
            "to_display": result.config_addr,
            "kind": _name(_CHECK_KINDS, result.kind, "the kind of a check"),
        },
        "status": _name(_CHECK_STATUSES, result.status, "the status of a check"),
        "instances": sorted(instances, key=lambda instance: instance["address"]["to_display"]),
    }


def _variables(entries: Iterable[Any], declared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values that variables were given, and the defaults of the others."""
    defaults = {name: {"value": each["default"]} for name, each in declared.items() if "default" in each}
    values = {entry.key: {"value": DYNAMIC.json(decode_msgpack(entry.value.msgpack))} for entry in entries}
    return {**defaults, **values}
