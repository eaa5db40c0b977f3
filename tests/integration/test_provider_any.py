"""A provider that nobody wrote rules for, with every nesting and open types, from its recording alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.sandbox.schemas import RecordedSchemas, record_schemas
from orchestrator.sandbox.sentinel import Sentinel
from tests.support.simulated import SimulatedRoot, actions, attached

HEAD = """
terraform {
  required_providers {
    widgets = {
      source = "acme/widgets"
    }
  }
}
"""


def attribute(type_: Any, **flags: bool) -> dict[str, Any]:
    return {"type": type_, **(flags or {"optional": True})}


def nested(mode: str) -> dict[str, Any]:
    attributes = {"key": attribute("string", required=True), "made": attribute("string", computed=True)}
    return {"nested_type": {"attributes": attributes, "nesting_mode": mode}, "optional": True}


def block(mode: str) -> dict[str, Any]:
    attributes = {"key": attribute("string"), "made": attribute("string", computed=True, optional=True)}
    inner = {"nesting_mode": "list", "block": {"attributes": {"value": attribute("number")}}}
    return {"nesting_mode": mode, "block": {"attributes": attributes, "block_types": {"inner": inner}}}


SCHEMA = {
    "format_version": "1.0",
    "provider_schemas": {
        "registry.terraform.io/acme/widgets": {
            "provider": {"version": 0, "block": {"attributes": {"token": attribute("string")}}},
            "resource_schemas": {
                "widgets_widget": {
                    "version": 2,
                    "block": {
                        "attributes": {
                            "id": attribute("string", computed=True),
                            "name": attribute("string", required=True),
                            "size": attribute("number"),
                            "anything": attribute("dynamic"),
                            "made": attribute("dynamic", computed=True),
                            "pair": attribute(["tuple", ["string", "number"]]),
                            "tags": attribute(["set", "string"]),
                            "secret": attribute("string", optional=True, sensitive=True),
                            "single": nested("single"),
                            "list": nested("list"),
                            "set": nested("set"),
                            "map": nested("map"),
                        },
                        "block_types": {
                            "one": block("single"),
                            "group": block("group"),
                            "several": block("list"),
                            "unordered": block("set"),
                            "named": block("map"),
                        },
                    },
                }
            },
            "data_source_schemas": {
                "widgets_info": {
                    "version": 0,
                    "block": {
                        "attributes": {
                            "name": attribute("string"),
                            "answer": attribute("string", computed=True),
                            "many": attribute(["list", "number"], computed=True),
                        }
                    },
                }
            },
        }
    },
}

WIDGET = """
resource "widgets_widget" "w" {
  name     = "first"
  size     = %s
  anything = { a = [1, "two", 3.25], b = null }
  pair     = ["x", 12345678901234567890123]
  tags     = ["b", "a"]
  secret   = "hunter2"
  single   = { key = "k" }
  list     = [{ key = "l1" }, { key = "l2" }]
  set      = [{ key = "s1" }, { key = "s2" }]
  map      = { m = { key = "m1" } }

  one {
    key = "o"
    inner {
      value = 0.1
    }
  }
  several {
    key = "s1"
  }
  several {
    key = "%s"
    inner {
      value = 1e40
    }
  }
  unordered {
    key = "u1"
    inner {
      value = -1
    }
  }
  unordered {
    key = "u2"
  }
  named "n" {
    key = "n"
  }
}

data "widgets_info" "i" {
  name = widgets_widget.w.name
}
"""


@pytest.fixture
def stack(tmp_path: Path, terraform_argv: tuple[str, ...]) -> Iterator[SimulatedRoot]:
    recorded = record_schemas(json.dumps(SCHEMA).encode(), tmp_path / "schemas")
    assert [path.name for path in recorded] == ["registry.terraform.io_acme_widgets.schema.json.gz"]
    server = ProviderServer(tmp_path / "worlds", RecordedSchemas([tmp_path / "schemas"]))
    server.start()
    sentinel = Sentinel()
    yield attached(server, "any", tmp_path / "stack", terraform_argv, sentinel.pid)
    server.close()
    sentinel.close()


def test_every_nesting_and_open_types(stack: SimulatedRoot) -> None:
    stack.write(WIDGET % ("0.1", "s2"), head=HEAD)
    stack.apply()
    values = stack.values()["widgets_widget.w"]
    assert values["pair"] == ["x", 12345678901234567890123]
    assert values["anything"] == {"a": [1, "two", 3.25], "b": None}
    assert (values["size"], values["several"][1]["inner"][0]["value"]) == (0.1, 10**40)
    nested = [values["single"], *values["list"], *values["set"], values["map"]["m"], *values["several"]]
    assert [each["made"] for each in nested] == [""] * 8
    assert stack.plan()[0] == 0


def test_update_in_place_preserves_the_resource(stack: SimulatedRoot) -> None:
    stack.write(WIDGET % ("1", "s2"), head=HEAD)
    stack.apply()
    before = stack.values()["widgets_widget.w"]
    stack.write(WIDGET % ("2", "s3"), head=HEAD)
    _, document = stack.plan()
    assert actions(document) == {"widgets_widget.w": ["update"]}
    stack.run("apply", "p")
    after = stack.values()["widgets_widget.w"]
    assert [name for name in before if before[name] != after[name]] == ["several", "size"]
    assert [each["made"] for each in before["several"]] == [each["made"] for each in after["several"]]
    assert stack.plan()[0] == 0


def test_drift_rename_and_import(stack: SimulatedRoot) -> None:
    stack.write(WIDGET % ("1", "s2"), head=HEAD)
    stack.apply()
    stack.world.set("widgets_widget/first", "several[1].inner[0].value", 7)
    _, document = stack.plan()
    assert actions(document, "resource_drift") == {"widgets_widget.w": ["update"]}
    stack.apply()
    stack.run("state", "rm", "widgets_widget.w")
    stack.run("import", "widgets_widget.w", "first")
    assert stack.plan()[0] == 0
    stack.write((WIDGET % ("1", "s2")).replace('"first"', '"second"'), head=HEAD)
    assert actions(stack.plan()[1]) == {"widgets_widget.w": ["delete", "create"]}
