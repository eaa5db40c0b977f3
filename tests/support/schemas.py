"""The documents that `--json` prints, checked against the schemas in docs/schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def check_schema(document: Mapping[str, Any], name: str) -> None:
    """Raise when a document is not what `docs/schemas/NAME.schema.json` says."""
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
