"""The documents that `--json` prints, checked against the schemas in docs/schemas."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def check_schema(document: Mapping[str, Any], name: str) -> None:
    """Raise when a document is not what `docs/schemas/NAME.schema.json` says."""
    _validator(name).validate(document)


@functools.cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    """A schema that is valid itself: to find that out takes half a second."""
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)
