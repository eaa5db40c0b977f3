"""The rules file against the schema it describes, templates, and the guesses for all other types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.sandbox.provider import rules
from orchestrator.sandbox.provider.importing import import_pattern, match_import
from orchestrator.sandbox.provider.rules import ResourceRule, rule_for, written_types
from orchestrator.sandbox.provider.schema import ProviderSchema, SchemaBlock, parse_block
from orchestrator.sandbox.provider.session import ProviderError
from orchestrator.sandbox.provider.templates import Context, expand, names_in, region_code
from orchestrator.sandbox.schemas import RecordedSchemas

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TYPES = [name for name in written_types() if name != "data"]


@pytest.fixture(scope="module")
def google() -> ProviderSchema:
    return RecordedSchemas().find("google")


def context(seed: str = "seed", **values: Any) -> Context:
    return Context(values.get, seed, NOW, lambda _: 4)


def has(block: SchemaBlock, path: str) -> bool:
    """Whether a dotted path leads to an attribute or a block."""
    name, _, rest = path.partition(".")
    if not rest:
        return name in block.attributes or name in block.blocks
    return name in block.blocks and has(block.blocks[name].block, rest)


@pytest.mark.parametrize("type_", TYPES)
def test_rules_fit_the_schema(type_: str, google: ProviderSchema) -> None:
    block = google.resource(type_)
    rule = rule_for("google", type_, block)
    tables: list[Mapping[str, Any]] = [
        rule.defaults,
        rule.planned,
        rule.computed,
        rule.updated,
        rule.volatile,
    ]
    paths = [path for table in tables for path in table] + [*rule.replace, *rule.computed_blocks]
    assert [path for path in paths if not has(block, path) and path != "*"] == []
    assert [name for name in rule.identity if name not in block.attributes] == []
    assert rule.parent == "" or rule.parent in block.attributes


def test_every_google_type_has_a_rule(google: ProviderSchema) -> None:
    for type_ in sorted(google.resource_types):
        block = google.resource(type_)
        rule = rule_for("google", type_, block)
        assert all(name in block.attributes for name in rule.identity), type_
        assert rule.imports, type_


@pytest.mark.parametrize(
    ("type_", "id_", "imports", "replace"),
    [
        (
            "google_compute_instance",
            "projects/{project}/zones/{zone}/instances/{name}",
            "{project}/{zone}/{name}",
            "name",
        ),
        (
            "google_sql_user",
            "projects/{project}/global/instances/{base:instance}/users/{name}",
            "{instance}/{name}",
            "instance",
        ),
        (
            "google_pubsub_subscription_iam_member",
            "{project}/{base:subscription}/{role}/{member}",
            "{project}/{subscription}",
            "*",
        ),
    ],
)
def test_guesses(type_: str, id_: str, imports: str, replace: str, google: ProviderSchema) -> None:
    rule = rule_for("google", type_, google.resource(type_))
    assert rule.id == id_
    assert imports in rule.imports
    assert replace in rule.replace


def test_guesses_for_other_providers() -> None:
    named = parse_block({"attributes": {"name": {"type": "string", "required": True}}})
    assert rule_for("acme", "acme_thing", named).id == "{name}"
    assert rule_for("acme", "acme_thing", parse_block({})).id == "{hash:16}"


def test_a_misspelt_rule_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_document", lambda: {"acme_thing": {"replaces": ["name"]}})
    with pytest.raises(Exception, match="unknown keys \\['replaces'\\]"):
        rule_for("acme", "acme_thing", parse_block({}))


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{name}", "n"),
        ("a/{name}/b", "a/n/b"),
        ("{missing}", None),
        ("x{missing}y", "xy"),
        ("{labels}", {"a": "b"}),
        ("{base:path}", "n"),
        ("{short:region}", "ew"),
        ("{gateway:cidr}", "10.0.0.1"),
        ("{gateway:name}", ""),
        ("{increment:count}", 8),
        ("{next:name}", 5),
        ("{now}", "2026-01-02T03:04:05.000000Z"),
        ("{now:3600}", "2026-01-02T04:04:05.000000Z"),
        ("{md5hex:name}", "7b8b965ad4bca0e41ab51de7b31363a1"),
        (["{name}", {"k": "{name}"}, 3], ["n", {"k": "n"}, 3]),
    ],
)
def test_templates(template: Any, value: Any) -> None:
    template_context = context(
        name="n", path="a/b/n", region="europe-west1", cidr="10.0.0.0/24", count="7", labels={"a": "b"}
    )
    assert expand(template, template_context) == value


def test_made_up_values_differ_by_seed_and_stay_for_the_same() -> None:
    for template, size in (("{hash:8}", 8), ("{number:21}", 21), ("{uuid}", 36)):
        first, two = expand(template, context("a")), expand(template, context("b"))
        assert (len(first), first != two, expand(template, context("a"))) == (size, True, first)


def test_names_in_a_template() -> None:
    assert names_in("p/{project}/{base:network}/{hash:8}/{number}/{now}") == ["project", "network"]


def test_region_codes() -> None:
    assert [region_code(each) for each in ("us-central1", "asia-northeast1", "nowhere")] == ["uc", "an", "xx"]


def test_import_patterns_are_printed_as_google_prints_them() -> None:
    assert (
        import_pattern("projects/{project}/x/{base:name}")
        == "^projects/(?P<project>[^/]+)/x/(?P<name>[^/]+)$"
    )
    assert import_pattern("{bucket}/{%name}") == "^(?P<bucket>[^/]+)/(?P<name>.+)$"


def test_import_ids_of_access() -> None:
    rule = ResourceRule(id="b/{bucket}/{role}/{member}", imports=("b/{bucket}", "{bucket}"), iam="member")
    fields = match_import(rule, "b/x roles/viewer user:a until then")
    assert fields == {
        "bucket": "x",
        "role": "roles/viewer",
        "member": "user:a",
        "condition_title": "until then",
    }
    with pytest.raises(ProviderError, match="Wrong number of parts to Member id"):
        match_import(rule, "b/x roles/viewer")
    with pytest.raises(ProviderError, match="doesn't match any of the accepted formats"):
        match_import(rule, "a/b/c roles/viewer user:a")
