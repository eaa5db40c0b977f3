"""A template of the catalogue as a form of Backstage, by its format scaffolder.backstage.io/v1beta3.

The form starts a workflow of GitHub with the action `github:actions:dispatch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator.catalog.creation import NAME, SHARED_QUESTIONS
from orchestrator.catalog.entities import NO_OWNER
from orchestrator.catalog.entries import CatalogEntry

WORKFLOW = "infra-new.yml"
_TYPES = {"int": "integer", "float": "number", "bool": "boolean"}


@dataclass(frozen=True)
class FormTarget:
    """Where the form starts its workflow: `owner` and `name` of a repository on a host, and its trunk."""

    host: str
    owner: str
    name: str
    trunk: str


def render_form(entry: CatalogEntry, questions: Mapping[str, Mapping[str, Any]], target: FormTarget) -> str:
    """The template.yaml for Backstage: a question of the template is a field of the form.

    Left out are secret questions, and those that each environment's other stacks answer. Questions that are
    asked on a condition are optional.
    """
    fields = {
        name: question
        for name, question in questions.items()
        # Other names cannot be used in a template either, and would be code in the form.
        if name.isidentifier() and not question.get("secret") and name not in SHARED_QUESTIONS
    }
    required = [
        name for name, question in fields.items() if "default" not in question and "when" not in question
    ]
    answers = ", ".join(f'"{name}": parameters.{name}' for name in fields)
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {
            "name": f"infra-{entry.name}"[:63],
            "title": f"New {entry.name}",
            "description": entry.description or f"Opens a pull request with a {entry.kind}.",
        },
        "spec": {
            "owner": NO_OWNER,
            "type": "terraform-stack",
            "parameters": [
                {
                    "title": f"New {entry.name}",
                    "required": ["name", *required],
                    "properties": {
                        "name": {"type": "string", "title": "Name", "pattern": f"^{NAME.pattern}$"},
                        **{name: _field(name, question) for name, question in fields.items()},
                    },
                }
            ],
            "steps": [
                {
                    "id": "propose",
                    "name": "Open a pull request",
                    "action": "github:actions:dispatch",
                    "input": {
                        "repoUrl": f"{target.host}?owner={target.owner}&repo={target.name}",
                        "workflowId": WORKFLOW,
                        "branchOrTagName": target.trunk,
                        "workflowInputs": {
                            "kind": entry.kind,
                            "template": entry.name,
                            "name": "${{ parameters.name }}",
                            "answers": f"${{{{ {{ {answers} }} | dump }}}}",
                        },
                    },
                }
            ],
        },
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def _field(name: str, question: Mapping[str, Any]) -> dict[str, Any]:
    field: dict[str, Any] = {
        "type": _TYPES.get(str(question.get("type", "str")), "string"),
        "title": str(question.get("help") or name),
    }
    default = question.get("default")
    # One that is computed is known when the template is rendered.
    if default is not None and "{{" not in str(default):
        field["default"] = default
    choices = question.get("choices")
    if isinstance(choices, dict):
        field["enum"], field["enumNames"] = list(choices.values()), [str(label) for label in choices]
    elif isinstance(choices, list):
        field["enum"] = choices
    return field
