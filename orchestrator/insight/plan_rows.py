"""Turns a plan object into rows of the dataset: what changes, and values only as far as allowed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.config.globs import matches
from orchestrator.errors import StateError
from orchestrator.insight.state_rows import LONGEST_VALUE, StateRules
from orchestrator.plan.digest import AttributeDigest, OutputDigest, ResourceDigest, decode


@dataclass(frozen=True)
class PlanRows:
    """The rows of one plan, each without its environment and stack; `problem` says why it has none."""

    problem: str = ""
    resources: Sequence[tuple[str, ...]] = ()


def read_plan_rows(data: bytes, rules: StateRules) -> PlanRows:
    """The rows of a plan object; what cannot be read gives a `problem`."""
    try:
        digest = decode(data)
    except StateError as error:
        return PlanRows(error.message)
    return PlanRows(
        resources=[
            *(_resource_row(resource, rules) for resource in digest.resources),
            *(_output_row(output, rules) for output in digest.outputs),
        ]
    )


def _resource_row(resource: ResourceDigest, rules: StateRules) -> tuple[str, ...]:
    attributes = [_attribute(resource.address, attribute, rules) for attribute in resource.attributes]
    return (
        rules.masker.mask_address(resource.address),
        rules.masker.mask_address(resource.previous_address or ""),
        " ".join(resource.actions),
        _json(attributes),
    )


def _output_row(output: OutputDigest, rules: StateRules) -> tuple[str, ...]:
    note = _note(unknown=output.unknown, sensitive=output.sensitive)
    return rules.masker.mask_address(output.address), "", " ".join(output.actions), _json([{"note": note}])


def _attribute(address: str, attribute: AttributeDigest, rules: StateRules) -> dict[str, Any]:
    path = rules.masker.mask_text(attribute.path)
    document: dict[str, Any] = {
        "path": path,
        "note": _note(unknown=attribute.unknown, sensitive=attribute.sensitive),
    }
    if rules.values and not attribute.sensitive and matches(f"{address}.{attribute.path}", rules.values):
        for name, value in (("before", attribute.shown_before), ("after", attribute.shown_after)):
            masked = rules.masker.mask_value({attribute.path: value}, {}, (address,))
            if value is not None and masked == {attribute.path: value}:
                document[name] = _json(value)[:LONGEST_VALUE]
    return document


def _note(*, unknown: bool, sensitive: bool) -> str:
    return "sensitive" if sensitive else "known after apply" if unknown else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
