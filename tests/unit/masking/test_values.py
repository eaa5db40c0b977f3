"""No secret survives in values: marks, names, shapes, and JSON, base64 and files inside of strings."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import Masking
from orchestrator.masking import HIDDEN, Masker

MASKER = Masker()
B64 = base64.b64encode(b"DB_PASSWORD=hunter2\nX=1\n").decode()

# value, marks, masked
CASES: list[tuple[Any, Any, Any]] = [
    ({"a": "x", "b": "y"}, {"a": True}, {"a": HIDDEN, "b": "y"}),
    ({"a": ["x", "y"]}, {"a": [False, True]}, {"a": ["x", HIDDEN]}),
    ({"a": {"b": 1, "c": 2}}, {"a": True}, {"a": HIDDEN}),
    ({"a": None, "b": True}, {"a": True, "b": True}, {"a": None, "b": HIDDEN}),
    ("x", True, HIDDEN),
    ({"password": "x", "n": 1}, False, {"password": HIDDEN, "n": 1}),
    ({"password": "", "token": None, "tokens": True}, None, {"password": "", "token": None, "tokens": True}),
    ({"pin_token": 1234}, None, {"pin_token": HIDDEN}),
    ({"passwords": ["a", "b"]}, None, {"passwords": [HIDDEN, HIDDEN]}),
    ({"secrets": {"db": {"x": "y"}}}, None, {"secrets": {"db": {"x": HIDDEN}}}),
    ({"key": "a", "keys": ["b"], "kms_key": "c"}, None, {"key": "a", "keys": ["b"], "kms_key": "c"}),
    ([{"name": "DB_PASSWORD", "value": "x"}, {"name": "A", "value": "y"}], None,
     [{"name": "DB_PASSWORD", "value": HIDDEN}, {"name": "A", "value": "y"}]),
    ({"v": '{"user":"bob","password":"x"}'}, None, {"v": json.dumps({"user": "bob", "password": HIDDEN})}),
    ({"v": json.dumps({"in": json.dumps({"token": "x"})})}, None,
     {"v": json.dumps({"in": json.dumps({"token": HIDDEN})})}),
    ({"v": '{"user": "bob"}'}, None, {"v": '{"user": "bob"}'}),
    ({"v": "a\nexport API_TOKEN=x y\nb"}, None, {"v": f"a\nexport API_TOKEN={HIDDEN}\nb"}),
    ({"v": "user: bob\npassword: correct horse battery\n"}, None, {"v": f"user: bob\npassword: {HIDDEN}\n"}),
    ({"v": "postgres://u:hunter2@h/x"}, None, {"v": f"postgres://u:{HIDDEN}@h/x"}),
    ({"v": B64}, None, {"v": HIDDEN}),
    ({"v": base64.b64encode(b"nothing to see here at all, move on").decode()}, None,
     {"v": base64.b64encode(b"nothing to see here at all, move on").decode()}),
    ({"ghp_" + "a1B2" * 9: "x"}, None, {HIDDEN: "x"}),
    ({"v": "[1, 2"}, None, {"v": "[1, 2"}),
    # Command lines as lists: the word after a secret option.
    (["serve", "--password", "x", "-v"], None, ["serve", "--password", HIDDEN, "-v"]),
    (["--db-token", "x", "--api-key", "y"], None, ["--db-token", HIDDEN, "--api-key", HIDDEN]),
    ({"args": ["-password", "x"]}, None, {"args": ["-password", HIDDEN]}),
    ({"args": ["--token", "--verbose", "x"]}, None, {"args": ["--token", "--verbose", "x"]}),
    ({"args": ["--password=hunter2", "x"]}, None, {"args": [f"--password={HIDDEN}", "x"]}),
    ({"v": '["--password", "x"]'}, None, {"v": f'["--password", "{HIDDEN}"]'}),
    ({"args": ["-e", "DB_PASSWORD=hunter2"]}, None, {"args": ["-e", f"DB_PASSWORD={HIDDEN}"]}),
    ({"v": "args:\n- --password\n- hunter2\n"}, None, {"v": f"args:\n- --password\n- {HIDDEN}\n"}),
    # Which secret is meant must be readable.
    ({"secret_id": "db-password", "secret": "x"}, None, {"secret_id": "db-password", "secret": HIDDEN}),
    ({"secret_ids": ["a", "b"]}, None, {"secret_ids": ["a", "b"]}),
    ({"env": [{"name": "DB_PASSWORD", "value_source": [{"secret_key_ref": [
        {"secret": "db-password", "version": "latest"}]}]}]}, None,
     {"env": [{"name": "DB_PASSWORD", "value_source": [{"secret_key_ref": [
         {"secret": "db-password", "version": "latest"}]}]}]}),
    ({"secret_environment_variables": [{"key": "DB_PASSWORD", "secret": "db"}]}, None,
     {"secret_environment_variables": [{"key": "DB_PASSWORD", "secret": "db"}]}),
    ({"secret_environment_variables": {"DB": "x"}}, None, {"secret_environment_variables": {"DB": HIDDEN}}),
    ({"secret_volumes": [{"secret": "db", "token": "x"}]}, None,
     {"secret_volumes": [{"secret": "db", "token": HIDDEN}]}),
    ({"secrets": [{"secret": "x", "name": "y"}]}, None, {"secrets": [{"secret": HIDDEN, "name": HIDDEN}]}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "marks", "masked"), CASES)
def test_leaves(value: Any, marks: Any, masked: Any) -> None:
    assert MASKER.mask_value(value, marks) == masked


NAMES = [
    ("password", True), ("PASSWORD", True), ("db_password", True), ("dbPassword", True), ("dbpassword", True),
    ("passwd", True), ("secret", True), ("clientSecret", True), ("client-secret", True), ("token", True),
    ("access_tokens", True), ("credentials", True), ("credential", True), ("private_key", True),
    ("privateKeyPem", True), ("APIKey", True), ("api_key", True), ("apikey", True), ("access_key_id", True),
    ("authKey", True), ("SECRET2", True),
    ("secret_id", False), ("secretIds", False), ("db_password_secret_name", False), ("secret_version", False),
    ("secret_key_ref", False), ("passwordSecretRef", False), ("secret_id_token", True), ("token_id", True),
    ("secret_key", True), ("client_secret", True), ("secrets", True), ("secret_data", True),
    ("key", False), ("keys", False), ("kms_key_name", False), ("public_key", False), ("tokenizer", False),
    ("secretary", False), ("monkey", False), ("api", False), ("private", False), ("compass", False),
    ("", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "secret"), NAMES)
def test_names(name: str, secret: bool) -> None:
    assert MASKER.names.is_secret(name) is secret


def test_attributes_by_glob() -> None:
    masker = Masker(Masking(attributes=("google_x.*.boot", "*.spec.0.blob")))
    value = {"boot": "a", "spec": [{"blob": "b", "c": "d"}], "reboot": "e"}
    assert masker.mask_value(value, None, ("google_x.main",)) == {
        "boot": HIDDEN,
        "spec": [{"blob": HIDDEN, "c": "d"}],
        "reboot": "e",
    }


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(alphabet="abc01", max_size=20))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)
SECRETS = st.text(alphabet="QJKZqjkz", min_size=12, max_size=20)


def strings(value: Any) -> list[str]:
    """Every string of a tree, with JSON inside of strings opened."""
    if isinstance(value, dict):
        return [text for key, below in value.items() for text in (key, *strings(below))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@given(
    tree=TREES, secret=SECRETS, depth=st.integers(0, 3), how=st.sampled_from(["mark", "name", "json", "pair"])
)
def test_no_secret_survives_in_any_tree(tree: Any, secret: str, depth: int, how: str) -> None:
    value: Any
    marks: Any = None
    if how == "mark":
        value, marks = {"x": secret, "y": tree}, {"x": True}
    elif how == "name":
        value = {"api_token": {"deep": [secret]}, "y": tree}
    elif how == "json":
        value = {"x": json.dumps({"password": secret, "y": tree})}
    else:
        value = {"x": [{"name": "API_KEY", "value": secret}], "y": tree}
    for _ in range(depth):
        value, marks = {"a": tree, "b": [value]}, {"b": [marks]}
    masked = MASKER.mask_value(value, marks)
    assert secret not in json.dumps(masked, ensure_ascii=False)
    secrets = MASKER.secrets_of(
        {"resource_changes": [{"change": {"after": value, "after_sensitive": marks}}]}
    )
    assert secret in secrets.anywhere


@given(tree=TREES)
def test_masking_keeps_the_shape_and_is_done_once(tree: Any) -> None:
    once = MASKER.mask_value(tree, None, ("a",))
    assert MASKER.mask_value(once, None, ("a",)) == once
    assert leaves(once) <= leaves(tree)


def leaves(tree: Any) -> int:
    """How many values a tree holds that are no collections."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    return max(1, sum(leaves(value) for value in tree)) if isinstance(tree, list) else 1


def test_every_location_of_a_plan_is_searched() -> None:
    def change(secret: str) -> dict[str, Any]:
        return {"address": "a.b", "change": {"before": {"x": secret}, "before_sensitive": {"x": True}}}

    plan = {
        "resource_changes": [change("in-changes")],
        "resource_drift": [change("in-the-drift")],
        "deferred_changes": [{"reason": "x", "resource_change": change("in-deferred")}],
        "output_changes": {
            "o": {"after": "in-outputs", "after_sensitive": True},
            "api_key": {"after": "in-names", "after_sensitive": False},
        },
        "variables": {"v": {"value": "in-variables"}, "w": {"value": "not-a-secret"}},
        "configuration": {"root_module": {"variables": {"v": {"sensitive": True}}}},
        "prior_state": {
            "values": {
                "outputs": {"p": {"value": "in-prior-outputs", "sensitive": True}},
                "root_module": {
                    "child_modules": [
                        {
                            "resources": [
                                {
                                    "address": "m.x",
                                    "mode": "data",
                                    "values": {"s": "in-modules"},
                                    "sensitive_values": {"s": True},
                                }
                            ]
                        }
                    ]
                },
            }
        },
    }
    anywhere = MASKER.secrets_of(plan).anywhere
    assert {
        "in-changes", "in-the-drift", "in-deferred", "in-outputs", "in-names", "in-variables",
        "in-prior-outputs", "in-modules",
    } <= anywhere  # fmt: skip
    assert "not-a-secret" not in anywhere
