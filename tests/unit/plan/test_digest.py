"""What a plan's digest holds, what it hides, and that nothing of a plan stays out of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.errors import StateError
from orchestrator.masking import Masker
from orchestrator.plan.digest import (
    AttributeDigest,
    Digest,
    OutputDigest,
    ResourceDigest,
    decode,
    empty_plan_digest,
    encode,
    sha256,
    value_at,
)
from orchestrator.plan.digest_comparison import compare
from orchestrator.plan.digest_maker import SHOWN, make_digest
from orchestrator.plan.reader import read_plan

KEY = bytes(range(32))
RECORDED = Path(__file__).parents[2] / "data" / "plans"


def plan_json(*changes: dict[str, Any], **more: Any) -> bytes:
    document = {"format_version": "1.2", "resource_changes": list(changes), **more}
    return json.dumps(document).encode()


def change(address: str, before: Any, after: Any, actions: str = "update", **more: Any) -> dict[str, Any]:
    outer: dict[str, Any] = {
        key: more.pop(key) for key in ("previous_address", "deposed", "mode") if key in more
    }
    return {
        "address": address,
        "type": address.split(".")[0],
        "mode": "managed",
        **outer,
        "change": {"actions": actions.split(","), "before": before, "after": after, **more},
    }


def digest_of(raw: bytes, key: bytes = KEY, **more: Any) -> Digest:
    defaults: dict[str, Any] = {"stack": "dev/app", "lineage": "L", "lock_file": ""}
    return make_digest(json.loads(raw), read_plan(raw, Masker()), key=key, **{**defaults, **more})


def only(digest: Digest) -> ResourceDigest:
    (resource,) = digest.resources
    return resource


@pytest.mark.parametrize("case", sorted(path.parent.name for path in RECORDED.glob("*/plan.json")))
def test_every_recorded_plan_has_a_digest_that_comes_back_from_its_object(case: str) -> None:
    raw = (RECORDED / case / "plan.json").read_bytes()
    plan = read_plan(raw, Masker())
    digest = digest_of(raw, provisional=["dev/net"], facts={"serial": 3})
    assert {resource.address for resource in digest.resources} >= {
        change.address for change in plan.shown_changes
    }
    back = decode(encode(digest))
    assert back == digest
    assert back.facts == {"serial": 3}
    assert encode(back) == encode(digest)
    assert compare(back, digest) == ()


def test_paths_are_those_that_people_see() -> None:
    raw = (RECORDED / "update" / "plan.json").read_bytes()
    plan = read_plan(raw, Masker())
    seen = {change.address: [leaf.path for leaf in change.attributes] for change in plan.shown_changes}
    digest_documents = {
        resource.address: [leaf.path for leaf in resource.attributes] for resource in digest_of(raw).resources
    }
    assert digest_documents == seen
    assert any(paths for paths in digest_documents.values())


@pytest.mark.parametrize(
    ("name", "value", "marks"),
    [
        ("plain", "open-sesame-123", {"plain": True}),
        ("admin_password", "open-sesame-123", {}),
        ("text", "ghp_" + "a1B2" * 9, {}),
        ("text", json.dumps({"db_password": "open-sesame-123"}), {}),
    ],
    ids=["marked", "by name", "by shape", "inside JSON"],
)
def test_nothing_is_shown_of_what_is_sensitive(name: str, value: str, marks: dict[str, bool]) -> None:
    raw = plan_json(change("x.y", {name: "before-0"}, {name: value}, after_sensitive=marks))
    data = encode(digest_of(raw))
    assert b"open-sesame" not in data
    assert b"ghp_" not in data
    (attribute,) = only(decode(data)).attributes
    assert attribute.sensitive
    assert (attribute.shown_before, attribute.shown_after) == (None, None)
    other = plan_json(change("x.y", {name: "before-0"}, {name: value + "4"}, after_sensitive=marks))
    assert compare(digest_of(raw), digest_of(other), approval="strict")


def test_a_secret_that_stands_elsewhere_too_is_hidden_there() -> None:
    raw = plan_json(
        change(
            "x.y",
            {"password": "a", "text": ""},
            {"password": "open-sesame-123", "text": "say open-sesame-123"},
        )
    )
    assert b"open-sesame" not in encode(digest_of(raw))


def test_a_hash_is_bound_to_key_address_and_path() -> None:
    def after(address: str, path: str, key: bytes = KEY) -> str:
        return only(digest_of(plan_json(change(address, {path: 1}, {path: 2})), key)).attributes[0].after

    hashes = [after("x.y", "a"), after("x.z", "a"), after("x.y", "b"), after("x.y", "a", bytes(32))]
    assert len(set(hashes)) == 4
    assert after("x.y", "a") == hashes[0]


@pytest.mark.parametrize(
    ("first", "other"),
    [(1, True), (1, "1"), (0, False), (None, "null"), (1.5, "1.5"), ([], {}), ("", None), ([1], "[1]")],
)
def test_values_of_other_types_are_other_values(first: Any, other: Any) -> None:
    digests = [digest_of(plan_json(change("x.y", {"a": "was"}, {"a": value}))) for value in (first, other)]
    assert compare(digests[0], digests[1], approval="strict")
    assert compare(digests[1], digests[0], approval="strict")


def test_partly_known_values_are_distinguished_by_the_known_part() -> None:
    hidden = {"a": True}
    raws = [
        plan_json(
            change("x.y", {"a": {"b": 1}}, {"a": after}, after_unknown={"a": unknown}, after_sensitive=hidden)
        )
        for after, unknown in [({"b": 2}, {"c": True}), ({"b": 2}, {"d": True}), ({"b": 3}, {"c": True})]
    ]
    attributes = [only(digest_of(raw)).attributes[0] for raw in raws]
    assert all(attribute.unknown and attribute.after for attribute in attributes)
    assert len({attribute.after for attribute in attributes}) == 3


def test_a_key_that_is_hidden_hides_no_change() -> None:
    token = "ghp_" + "a1B2" * 9
    raws = [plan_json(change("x.y", {"a": {token: 1}}, {"a": {token: after}})) for after in (2, 3)]
    digests = [digest_of(raw) for raw in raws]
    assert token.encode() not in encode(digests[0])
    assert compare(digests[0], digests[1], approval="strict")


def test_moves_imports_removals_and_deposed_objects_are_changes() -> None:
    raw = plan_json(
        change("x.moved", {"a": 1}, {"a": 1}, "no-op", previous_address="x.old"),
        change("x.imported", {"a": 1}, {"a": 1}, "no-op", importing={"id": "the-id"}),
        change("x.forgotten", {"a": 1}, None, "forget"),
        change("x.left", {"id": "1"}, None, "delete", deposed="aabbccdd"),
        change("x.still", {"a": 1}, {"a": 1}, "no-op"),
        change("data.x.read", None, {"a": 1}, "read", mode="data"),
    )
    resources = {resource.key: resource for resource in digest_of(raw).resources}
    assert set(resources) == {
        ("x.moved", ""),
        ("x.imported", ""),
        ("x.forgotten", ""),
        ("x.left", "aabbccdd"),
    }
    assert resources["x.moved", ""].previous_address == "x.old"
    assert resources["x.imported", ""].import_id == "the-id"
    other = digest_of(
        plan_json(change("x.imported", {"a": 1}, {"a": 1}, "no-op", importing={"id": "another"}))
    )
    assert resources["x.imported", ""].imported != only(other).imported


def test_an_action_that_an_apply_would_invoke_is_a_change() -> None:
    action = {"address": "action.aws_lambda_invoke.x", "type": "aws_lambda_invoke", "config_values": {"a": 1}}
    digests = [
        digest_of(plan_json(action_invocations=[{**action, "config_values": {"a": a}}])) for a in (1, 2)
    ]
    assert only(digests[0]).actions == ("invoke",)
    (difference,) = compare(digests[0], digests[1], approval="strict")
    assert difference.address == "action.aws_lambda_invoke.x"
    assert compare(empty_plan_digest("dev/app", lineage="L", lock_file=""), digests[0])


def test_a_mark_alone_is_a_change() -> None:
    raw = plan_json(change("x.y", {"a": "1"}, {"a": "1"}, before_sensitive={}, after_sensitive={"a": True}))
    assert [attribute.path for attribute in only(digest_of(raw)).attributes] == ["a"]


def test_outputs_are_saved_without_sensitive_values() -> None:
    outputs = {
        "open": {"actions": ["update"], "before": 1, "after": 2, "after_unknown": False},
        "secret": {
            "actions": ["create"],
            "before": None,
            "after": "open-sesame-123",
            "after_sensitive": True,
            "after_unknown": False,
        },
        "later": {"actions": ["create"], "before": None, "after_unknown": True},
        "same": {"actions": ["no-op"], "before": 1, "after": 1},
    }
    digest = digest_of(plan_json(output_changes=outputs))
    by_name = {output.name: output for output in digest.outputs}
    assert set(by_name) == {"open", "secret", "later"}
    assert by_name["open"].shown_after == 2
    assert (by_name["secret"].sensitive, by_name["secret"].shown_after) == (True, None)
    assert (by_name["later"].unknown, by_name["later"].after) == (True, "")
    assert b"open-sesame" not in encode(digest)


def test_what_people_see_of_a_long_value_is_cut_and_its_hash_is_not() -> None:
    digests = [digest_of(plan_json(change("x.y", {"a": ""}, {"a": "z" * 5000 + end}))) for end in "12"]
    assert len(only(digests[0]).attributes[0].shown_after) == SHOWN + 1
    assert compare(digests[0], digests[1], approval="strict")


def test_unchanged_values_never_leave() -> None:
    raw = plan_json(
        change("x.y", {"a": 1}, {"a": 2}), change("x.still", {"a": "quiet-99"}, {"a": "quiet-99"}, "no-op")
    )
    digest = digest_of(raw)
    assert digest.unchanged is not None
    assert b"quiet-99" not in encode(digest)
    assert "quiet-99" not in repr(digest)
    assert KEY.hex() not in repr(digest.unchanged)
    assert repr(KEY) not in repr(digest.unchanged)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version": 1}', b"\xff", b'{"version":1,"stack":1}'])
def test_what_is_no_digest_is_refused(data: bytes) -> None:
    with pytest.raises(StateError, match="not a digest"):
        decode(data)


def test_a_newer_version_is_refused() -> None:
    data = encode(empty_plan_digest("dev/app", lineage="", lock_file="")).replace(
        b'"version":1', b'"version":2'
    )
    with pytest.raises(StateError, match="version 2"):
        decode(data)


def test_unknown_fields_are_refused_not_dropped() -> None:
    data = encode(digest_of(plan_json(change("x.y", {"a": 1}, {"a": 2}))))
    with pytest.raises(StateError):
        decode(data.replace(b'"type":"x"', b'"type":"x","more":1'))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ('"address":"x.y"', '"address":["x.y"]'),
        ('"address":"x.y"', '"address":1'),
        ('"path":"a"', '"path":null'),
        ('"actions":["update"]', '"actions":[["update"]]'),
        ('"actions":["update"]', '"actions":"update"'),
        ('"name":"o"', '"name":{}'),
    ],
)
def test_a_value_of_another_type_is_refused(text: str, other: str) -> None:
    resource = ResourceDigest("x.y", "x", ("update",), attributes=(AttributeDigest("a", "b", "c"),))
    output = OutputDigest("o", ("update",), "d")
    data = encode(Digest("dev/app", "", "", (resource,), (output,))).decode()
    assert text in data
    with pytest.raises(StateError, match="not a digest"):
        decode(data.replace(text, other).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=8), JSON, max_size=4),
    st.dictionaries(st.text(max_size=8), JSON, max_size=4),
)
def test_two_plans_compare_equal_exactly_when_their_changes_are(
    first: dict[str, Any], other: dict[str, Any]
) -> None:
    before = {"always": 0}
    digests = [
        digest_of(plan_json(change("x.y", before, {**after, "always": 1}))) for after in (first, other)
    ]
    same = json.dumps(first, sort_keys=True) == json.dumps(other, sort_keys=True)
    plain = digests[0].resources == digests[1].resources
    assert plain or not same
    assert (compare(digests[0], digests[1], approval="strict") == ()) == plain
    assert decode(encode(digests[0])) == digests[0]
    assert sha256(encode(decode(encode(digests[1])))) == sha256(encode(digests[1]))


@example([False, True], [False, True, None])
@example(None, [{"": None}])
@given(JSON, JSON)
def test_no_changed_value_stays_out_of_the_digest(first: Any, other: Any) -> None:
    """Creating with another value is another digest, wherever in the value the difference is."""
    digests = [
        digest_of(plan_json(change("x.y", None, {"v": value, "w": 1}, "create"))) for value in (first, other)
    ]
    if json.dumps(first, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert digests[0] == digests[1]
    elif json.dumps(_valued(first), sort_keys=True) != json.dumps(_valued(other), sort_keys=True):
        assert compare(digests[0], digests[1], approval="strict")


def _valued(value: Any) -> Any:
    """Without attributes that hold nothing but null, at any depth: to Terraform that is no value."""
    if isinstance(value, dict):
        below = {key: _valued(inner) for key, inner in value.items()}
        return {key: inner for key, inner in below.items() if inner is not None} or None
    if isinstance(value, list):
        return [_valued(item) for item in value] or None
    return value


def test_a_value_is_found_by_its_path() -> None:
    value = {"a": [{"b c": {"d": 1}}, 2], "a.b": 3, "ab": 4}
    assert value_at(value, 'a[0]["b c"].d') == 1
    assert value_at(value, "a[1]") == 2
    assert value_at(value, '["a.b"]') == 3
    assert value_at(value, "ab") == 4
    assert value_at(value, "a[7]") is None
    assert value_at(value, "") == value


def test_an_empty_digest_reports_what_it_stood_on() -> None:
    digest = empty_plan_digest(
        "dev/app", lineage="L", lock_file="f", provisional=["b", "a", "a"], facts={"serial": 1}
    )
    assert digest.is_empty
    assert digest.provisional == ("a", "b")
    assert not replace(digest, outputs=(OutputDigest("x", ("create",), "h"),)).is_empty
    resource = ResourceDigest("x.y", "x", ("update",), attributes=(AttributeDigest("a", "1", "2"),))
    assert not replace(digest, resources=(resource,)).is_empty


def test_volatile_attributes_come_back_and_old_objects_have_none() -> None:
    digest = digest_of(plan_json(change("x.y", {"a": 1}, {"a": 2})))
    assert b"volatile" not in encode(digest)
    assert decode(encode(digest)).volatile == ()
    marked = replace(digest, volatile=(("x.y", "a"), ("output.o", "")))
    assert decode(encode(marked)).volatile == marked.volatile
    with pytest.raises(StateError):
        decode(encode(marked).replace(b'["x.y","a"]', b'["x.y",1]'))


def test_repairs_come_back_and_older_objects_have_none() -> None:
    digest = empty_plan_digest("dev/app", lineage="L", lock_file="")
    assert b"repairs" not in encode(digest)
    repaired = replace(digest, repairs=("its lock 7 is released",))
    assert decode(encode(repaired)) == repaired
    assert not repaired.is_empty


def test_only_imports_that_change_nothing_are_quiet() -> None:
    def imported(actions: tuple[str, ...], **more: Any) -> ResourceDigest:
        return ResourceDigest("x.y", "x", actions, imported="hash", **more)

    quiet, update = imported(("no-op",)), imported(("update",))
    moved = imported(("no-op",), previous_address="x.z")
    plain = ResourceDigest("x.q", "x", ("create",))
    digest = Digest("dev/app", "L", "", (quiet, update, moved, plain))
    assert digest.without_quiet_imports.resources == (update, moved, plain)
