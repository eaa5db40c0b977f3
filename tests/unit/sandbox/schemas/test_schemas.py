"""Recorded schemas: found by any spelling of the address, kept one file a provider, refused when spoilt."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tf.gen import tfplugin_pb2 as pb

from orchestrator.errors import SandboxError
from orchestrator.sandbox.schemas import RecordedSchemas, record_schemas, source_address


def document(**providers: Any) -> bytes:
    named = {f"registry.terraform.io/{name.replace('__', '/')}": raw for name, raw in providers.items()}
    return json.dumps({"format_version": "1.0", "provider_schemas": named}).encode()


@pytest.mark.parametrize(
    "text",
    [
        "google",
        "hashicorp/google",
        "registry.terraform.io/hashicorp/google",
        "registry.opentofu.org/hashicorp/google",
    ],
)
def test_addresses(text: str) -> None:
    assert source_address(text) == "registry.terraform.io/hashicorp/google"


def test_the_package_has_google() -> None:
    schemas = RecordedSchemas()
    google = schemas.find("google")
    assert len(google.resource_types) == 1344
    assert google is schemas.find("registry.opentofu.org/hashicorp/google")
    block = google.resource("google_secret_manager_secret_version")
    assert list(block.write_only_paths()) == ["secret_data_wo"]
    assert block.attributes["secret_data"].sensitive
    assert "description" in google.resource("google_compute_network").attributes


def test_the_wire_form_is_what_was_recorded() -> None:
    google = RecordedSchemas().find("google")
    served = pb.GetProviderSchema.Response.FromString(
        google.wire(frozenset({"google_pubsub_topic", "google_nothing"}), frozenset({"google_project"}))
    )
    assert list(served.resource_schemas) == ["google_pubsub_topic"]
    assert list(served.data_source_schemas) == ["google_project"]
    assert "region_from_zone" in served.functions
    topic = served.resource_schemas["google_pubsub_topic"].block
    attributes = {each.name: each for each in topic.attributes}
    assert json.loads(attributes["labels"].type) == ["map", "string"]
    assert attributes["name"].required
    assert not attributes["name"].computed
    nesting = {each.type_name: each for each in topic.block_types}
    assert (nesting["schema_settings"].max_items, nesting["timeouts"].nesting) == (1, 1)


def test_recordings_are_saved_one_a_provider_and_hide_the_packages(tmp_path: Path) -> None:
    raw = {"resource_schemas": {"google_only": {"version": 0, "block": {}}}}
    written = record_schemas(document(hashicorp__google=raw, acme__x={"provider": {}}), tmp_path)
    assert [path.name for path in written] == [
        "registry.terraform.io_acme_x.schema.json.gz",
        "registry.terraform.io_hashicorp_google.schema.json.gz",
    ]
    schemas = RecordedSchemas([tmp_path])
    assert schemas.sources() == ["registry.terraform.io/acme/x", "registry.terraform.io/hashicorp/google"]
    assert schemas.find("google").resource_types == {"google_only"}
    assert record_schemas(document(hashicorp__google=raw, acme__x={"provider": {}}), tmp_path) == written


def test_built_in_providers_are_not_recorded(tmp_path: Path) -> None:
    data = json.dumps({"format_version": "1.0", "provider_schemas": {"terraform.io/builtin/terraform": {}}})
    assert record_schemas(data.encode(), tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b'{"format_version": "1.0"}', b'{"format_version": "2.0", "provider_schemas": {}}'],
)
def test_what_is_no_schema_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SandboxError) as caught:
        record_schemas(data, tmp_path)
    assert caught.value.advice
    assert list(tmp_path.iterdir()) == []


def test_a_spoilt_recording_is_named(tmp_path: Path) -> None:
    spoilt = tmp_path / "x.schema.json.gz"
    spoilt.write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(SandboxError, match=r"x\.schema\.json\.gz cannot be read"):
        RecordedSchemas([tmp_path]).sources()


def test_a_provider_that_was_not_recorded() -> None:
    with pytest.raises(SandboxError) as caught:
        RecordedSchemas().find("acme/unknown")
    assert "registry.terraform.io/acme/unknown" in caught.value.message
    assert "infra sandbox record" in caught.value.advice
