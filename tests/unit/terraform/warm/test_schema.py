"""A schema cut at the level of its bytes, compared with the same schema decoded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tf.gen import tfplugin_pb2 as pb

from orchestrator.terraform.warm.schema import IDENTITY_MAPS, cut_schema, words_in_code


def whole_schema() -> pb.GetProviderSchema.Response:
    response = pb.GetProviderSchema.Response()
    response.provider.block.attributes.add(name="project", type=b'"string"')
    for name in ("thing_a", "thing_b", "thing_c"):
        response.resource_schemas[name].block.attributes.add(name=f"of-{name}", type=b'"string"')
        response.data_source_schemas[name].version = 7
    response.functions["parse"].summary = "x"
    response.server_capabilities.plan_destroy = True
    return response


def test_only_the_types_in_use_are_left_and_all_else_stays() -> None:
    cut = cut_schema(whole_schema().SerializeToString(), frozenset({b"thing_b", b"other"}))
    expected = whole_schema()
    for name in ("thing_a", "thing_c"):
        del expected.resource_schemas[name]
        del expected.data_source_schemas[name]
    assert pb.GetProviderSchema.Response.FromString(cut.response) == expected
    assert cut.omitted == {b"thing_a", b"thing_c"}


def test_identities_are_cut_alike() -> None:
    # The first field: a map from a type's name.
    entry = b"\x0a\x0b\x0a\x07thing_a\x12\x00"
    assert cut_schema(entry, frozenset(), IDENTITY_MAPS).omitted == {b"thing_a"}
    assert cut_schema(entry, frozenset({b"thing_a"}), IDENTITY_MAPS).response == entry


def test_a_broken_answer_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="cut off"):
        cut_schema(whole_schema().SerializeToString()[:-1], frozenset())


def test_words_are_those_of_the_root_and_of_every_installed_module(tmp_path: Path) -> None:
    root, data, module = tmp_path / "root", tmp_path / "data", tmp_path / "root/child"
    for folder in (root, data / "modules", module, tmp_path / "unrelated"):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "main.tf").write_text('resource "thing_a" "x" {}\nmoved {\n  from = thing_b.x\n}\n')
    (root / "more.tf.json").write_text(json.dumps({"data": {"thing_c": {}}}))
    (root / "notes.md").write_text("thing_d")
    (module / "main.tf").write_text('resource "thing_e" "x" {}')
    (tmp_path / "unrelated/main.tf").write_text('resource "thing_f" "x" {}')
    modules = [{"Key": "", "Source": "", "Dir": "."}, {"Key": "child", "Source": "./child", "Dir": "child"}]
    (data / "modules/modules.json").write_text(json.dumps({"Modules": modules}))
    words = words_in_code(root, data)
    assert {name for name in "abcdef" if f"thing_{name}".encode() in words} == set("abce")
