"""What `show -json` and the reader of plan files must agree on: every part of plan JSON that infra reads."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.plan.file.document import read_plan_file
from orchestrator.plan.file.schemas import BUILT_IN_SCHEMA
from tests.support.random_plans import random_roots

_CHANGE = (
    "actions",
    "before",
    "after",
    "after_unknown",
    "before_sensitive",
    "after_sensitive",
    "replace_paths",
    "importing",
    "generated_config",
)
_RESOURCE = (
    "address",
    "previous_address",
    "mode",
    "type",
    "name",
    "provider_name",
    "deposed",
    "action_reason",
)
_SCALARS = (
    "format_version",
    "terraform_version",
    "timestamp",
    "applyable",
    "complete",
    "errored",
    "variables",
)
# The parts that no document of the reader has: plans with them are left to Terraform.
LEFT_OUT = ("deferred_changes", "deferred_action_invocations", "action_invocations")


def comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that infra reads, in a form in which both ways must be equal."""
    prior = (document.get("prior_state") or {}).get("values") or {}
    declared = ((document.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    return {
        **{name: document.get(name) or None for name in _SCALARS},
        "resource_changes": list(map(_resource, document.get("resource_changes") or ())),
        "resource_drift": list(map(_resource, document.get("resource_drift") or ())),
        "output_changes": {
            name: _change(change) for name, change in (document.get("output_changes") or {}).items()
        },
        "checks": [_check(check) for check in document.get("checks") or ()],
        "relevant": sorted(repr(sorted(each.items())) for each in document.get("relevant_attributes") or ()),
        "prior_outputs": {
            name: (output.get("value"), output.get("sensitive"))
            for name, output in (prior.get("outputs") or {}).items()
        },
        "prior_data": {
            resource["address"]: (resource["values"], resource["sensitive_values"])
            for resource in _resources(prior.get("root_module") or {})
            if resource["mode"] == "data"
        },
        "sensitive_variables": sorted(name for name, each in declared.items() if each.get("sensitive")),
        "left_out": [name for name in LEFT_OUT if document.get(name)],
    }


def _resource(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: entry.get(name) for name in _RESOURCE}, "change": _change(entry["change"])}


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    return {name: change.get(name) for name in _CHANGE}


def _check(check: Mapping[str, Any]) -> tuple[Any, ...]:
    instances = [
        (instance["address"]["to_display"], instance["status"], instance.get("problems") or [])
        for instance in check.get("instances") or ()
    ]
    return check["address"]["to_display"], check["address"]["kind"], check["status"], instances


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources") or ()
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def plan_both_ways(
    argv: tuple[str, ...], folder: Path, *, seed: int, count: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A random plan as the reader and as Terraform see it; `argv` is a Terraform."""
    env = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    env.pop("TF_CLI_CONFIG_FILE", None)

    def run(*arguments: str) -> bytes:
        done = subprocess.run([*argv, *arguments], cwd=folder, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    before, after = random_roots(seed, count)
    (folder / "main.tf").write_text(before)
    run("apply", "-auto-approve", "-input=false")
    (folder / "main.tf").write_text(after)
    run("plan", "-out=plan", "-input=false")
    document = json.loads(run("show", "-json", "plan"))
    ours = read_plan_file(folder / "plan", lambda source: BUILT_IN_SCHEMA)
    return json.loads(json.dumps(comparable(ours))), comparable(document)
