"""Reads state files: serial, lineage, Terraform version, outputs and addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import StateError
from orchestrator.jsontext import MALFORMED, read_object

# The only format that Terraform 0.12 and later, and OpenTofu, write.
FORMAT = 4


@dataclass(frozen=True)
class StateFile:
    """The head of a state file. `outputs` maps names to Terraform's `{value, type, sensitive}`."""

    serial: int
    lineage: str
    terraform_version: str
    outputs: Mapping[str, Mapping[str, Any]]
    resources: int

    @property
    def is_empty(self) -> bool:
        """True for a state that Terraform has made and nothing was ever applied to, or all was destroyed."""
        return not self.resources and not self.outputs


def read_state(data: bytes, where: str) -> StateFile:
    """Read a state file; StateError when it is none, or of a format that is not known."""
    try:
        content = read_object(data)
        if content["version"] != FORMAT:
            raise StateError(
                f"{where} has state format {content['version']}; format {FORMAT} is known here.",
                advice="A newer infra may know it.",
            )
        return StateFile(
            serial=int(content.get("serial", 0)),
            lineage=str(content.get("lineage", "")),
            terraform_version=str(content.get("terraform_version", "")),
            outputs={name: dict(output) for name, output in (content.get("outputs") or {}).items()},
            resources=len(content.get("resources") or ()),
        )
    except MALFORMED as error:
        raise StateError(
            f"{where} is not a Terraform state.",
            advice="Restore an older version of the object, or find out who wrote it.",
        ) from error


def addresses_of(data: bytes) -> list[str]:
    """The addresses of every resource instance in a state file, data sources left out, sorted.

    An empty list for what cannot be read.
    """
    try:
        resources = read_object(data).get("resources") or ()
        return sorted(
            instance_address(resource, instance.get("index_key"))
            for resource in resources
            if resource.get("mode") == "managed"
            for instance in resource.get("instances") or ()
        )
    except MALFORMED:
        return []


def instance_address(resource: Mapping[str, Any], key: str | int | None) -> str:
    """The address of an instance of a resource in a state file; that of a data source begins with `data.`."""
    module = f"{resource['module']}." if resource.get("module") else ""
    mode = "data." if resource.get("mode") == "data" else ""
    index = "" if key is None else f"[{json.dumps(key)}]"
    return f"{module}{mode}{resource['type']}.{resource['name']}{index}"
