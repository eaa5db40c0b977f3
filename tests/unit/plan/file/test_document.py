"""Recorded plan files, each beside what `terraform show -json` printed of it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.document import is_proven, read_plan_file
from orchestrator.plan.file.messages import parse_plan
from orchestrator.plan.file.schemas import TypeSchemas
from tests.support.plan_files import comparable

RECORDED = Path(__file__).parents[3] / "data" / "plan_files"
FILES = sorted(RECORDED.glob("*/*.tfplan"))
CREATED = RECORDED / "1.11.4" / "create.tfplan"


def recorded_json(path: Path) -> Any:
    return json.loads(gzip.decompress(path.with_suffix(".json.gz").read_bytes()))


def find_provider(path: Path) -> Callable[[str], TypeSchemas]:
    schemas = path.with_suffix(".schemas.json.gz")
    known = json.loads(gzip.decompress(schemas.read_bytes())) if schemas.exists() else {}
    return lambda source: TypeSchemas(known[source])


def read(path: Path) -> dict[str, Any]:
    return read_plan_file(path, find_provider(path))


def rewrite(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A plan file with other members: `change` gives each its bytes, None to leave it out."""
    data = io.BytesIO()
    with zipfile.ZipFile(CREATED) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    path.write_bytes(data.getvalue())
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_plan_file_is_read_as_terraform_reads_it(path: Path) -> None:
    ours, terraforms = (comparable(document) for document in (read(path), recorded_json(path)))
    assert json.loads(json.dumps(ours)) == json.loads(json.dumps(terraforms))


def test_every_kind_of_difference_is_among_the_recorded() -> None:
    """What no recorded plan has is not proved by them."""
    changes = [
        change
        for path in FILES
        for key in ("resource_changes", "resource_drift")
        for change in recorded_json(path).get(key) or ()
    ]
    bodies = [change["change"] for change in changes]
    assert {"create", "read", "update", "delete", "forget", "no-op"} <= {
        action for body in bodies for action in body["actions"]
    }
    assert {change.get("action_reason") for change in changes} > {None}
    assert {change["mode"] for change in changes} == {"managed", "data"}
    for key in ("previous_address", "deposed"):
        assert any(change.get(key) for change in changes), key
    for key in ("importing", "replace_paths", "after_unknown", "before_sensitive", "after_sensitive"):
        assert any(body.get(key) for body in bodies), key
    assert any(recorded_json(path).get("checks") for path in FILES)


@pytest.mark.parametrize(
    ("version", "proven"),
    [("1.11.0", True), ("1.11.12", True), ("1.15.5", True), ("1.12.0", False), ("1.15.0-rc1", False),
     ("2.11.4", False), ("1.11", False), ("", False), ("1.11.x", False)],
)  # fmt: skip
def test_only_versions_with_recorded_plans_are_read(version: str, proven: bool) -> None:
    assert is_proven(version) is proven
    recorded = {tuple(map(int, path.parent.name.split(".")[:2])) for path in FILES}
    assert proven is (version.count(".") == 2 and version[-1].isdigit() and "-" not in version
                      and tuple(map(int, version.split(".")[:2])) in recorded)  # fmt: skip


def with_plan(edit: Callable[[Any], None]) -> Callable[[str, bytes], bytes]:
    def change(name: str, data: bytes) -> bytes:
        if name != "tfplan":
            return data
        plan = parse_plan(data)
        edit(plan)
        return bytes(plan.SerializeToString())

    return change


def set_field(name: str, value: Any) -> Callable[[Any], None]:
    return lambda plan: setattr(plan, name, value)


def change_value(value: bytes) -> Callable[[Any], None]:
    return lambda plan: setattr(plan.resource_changes[0].change.values[0], "msgpack", value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_plan(set_field("version", 4)), "its format is 4"),
        (with_plan(set_field("terraform_version", "1.12.0")), "it is of Terraform 1.12.0"),
        (lambda name, data: data + b"\xfa\x01\x00" if name == "tfplan" else data, "fields that are not"),
        (lambda name, data: b"\x0a" if name == "tfplan" else data, "it is no plan of Terraform's"),
        (lambda name, data: None if name == "tfplan" else data, "no plan file, or it is damaged"),
        (lambda name, data: None if name == "tfstate" else data, "no plan file, or it is damaged"),
        (lambda name, data: b'{"version": 5}' if name == "tfstate" else data, "the format of its state is 5"),
        (lambda name, data: b"{}" if name == "tfstate" else data, "its state has another form"),
        (with_plan(lambda plan: plan.resource_drift.append(plan.resource_changes[0])), "it holds drift"),
        (with_plan(change_value(b"\xd4\x05\x00")), "the extension 5"),
        (with_plan(change_value(b"\xd4\x00")), "a value in it is damaged"),
        (with_plan(change_value(b"\xa1x")), "a value in it is no object"),
        (with_plan(lambda plan: setattr(plan.resource_changes[0].change, "action", 4)), "the number 4"),
        (with_plan(lambda plan: setattr(plan.resource_changes[0], "action_reason", 99)), "the number 99"),
        (with_plan(lambda plan: setattr(plan.resource_changes[0], "addr", "a.b.c.d")), "address in it"),
        (
            with_plan(lambda plan: setattr(plan.resource_changes[0], "addr", "terraform_other.x")),
            "the schema of terraform_other is not known",
        ),
    ],
)  # fmt: skip
def test_what_is_not_proven_is_left_to_terraform(
    tmp_path: Path, change: Callable[[str, bytes], bytes | None], reason: str
) -> None:
    path = rewrite(tmp_path / "plan", change)
    with pytest.raises(UnprovenPlanError, match=reason):
        read_plan_file(path, find_provider(path))


def test_a_data_source_that_leaves_the_state_is_not_shown(tmp_path: Path) -> None:
    def leave(plan: Any) -> None:
        entry = plan.resource_changes[0]
        entry.addr = "data.terraform_remote_state.x"
        entry.change.action = 5
        entry.change.values[0].msgpack = b"\xc0"

    path = rewrite(tmp_path / "plan", with_plan(leave))
    addresses = [
        change["address"] for change in read_plan_file(path, find_provider(path))["resource_changes"]
    ]
    assert addresses
    assert "data.terraform_remote_state.x" not in addresses


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no zip"])
def test_no_plan_file_is_left_to_terraform(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "plan").write_bytes(data)
    with pytest.raises(UnprovenPlanError, match="no plan file"):
        read_plan_file(tmp_path / "plan", find_provider(tmp_path / "plan"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('variable "x" {\n  sensitive = 1 == 1\n}', "sensitive by an expression"),
        ('variable "x" {\n  default = 1 + 1\n}', "no literal"),
        ('variable "x" {\n  type    = object({ a = optional(string, "b") })\n  default = {}\n}', "the type"),
        ('variable "x" {\n  type    = number\n  default = "1"\n}', "converted by Terraform alone"),
    ],
)
def test_variables_that_terraform_alone_evaluates(tmp_path: Path, code: str, reason: str) -> None:
    path = rewrite(
        tmp_path / "plan",
        lambda name, data: code.encode() if name.startswith("tfconfig/m-/") else data,
    )
    with pytest.raises(UnprovenPlanError, match=reason):
        read_plan_file(path, find_provider(path))


def test_overridden_variables_are_left_to_terraform(tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        return b'variable "x" {}' if name.startswith("tfconfig/m-/") else data

    path = rewrite(tmp_path / "plan", change)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("tfconfig/m-/a_override.tf", 'variable "x" {\n  sensitive = true\n}')
    with pytest.raises(UnprovenPlanError, match="overridden"):
        read_plan_file(path, find_provider(path))
