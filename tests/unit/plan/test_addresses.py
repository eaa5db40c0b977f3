"""Addresses whose keys are secrets: hidden, and told from each other all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.masking import Masker
from orchestrator.plan.digest import Digest, encode
from orchestrator.plan.digest_comparison import compare
from orchestrator.plan.digest_maker import make_digest
from orchestrator.plan.reader import read_plan

KEYS = [f"ghp_{letter * 36}" for letter in "abc"]


def plan(*keys: str, previous: str = "") -> dict[str, Any]:
    def change(key: str) -> Mapping[str, Any]:
        stack_plan = {
            "address": f'x_y.each["{key}"]',
            "type": "x_y",
            "change": {"actions": ["update"], "before": {"n": "1"}, "after": {"n": "2"}},
        }
        return stack_plan | ({"previous_address": f'x_y.each["{previous}"]'} if previous else {})

    return {"format_version": "1.2", "resource_changes": [change(key) for key in keys]}


def digest(*keys: str, **more: str) -> Digest:
    raw = json.dumps(plan(*keys, **more)).encode()
    read = read_plan(raw, Masker())
    return make_digest(json.loads(raw), read, stack="dev/a", lineage="", lock_file="", key=b"k" * 32)


def test_a_secret_key_is_hidden_and_each_is_another_one() -> None:
    read = read_plan(json.dumps(plan(*KEYS[:2], "plain")), Masker())
    address = [change.address for change in read.changes]
    assert address == [
        'x_y.each["(sensitive value)"]',
        'x_y.each["(sensitive value)#2"]',
        'x_y.each["plain"]',
    ]
    assert [read.real_address(masked) for masked in address] == [
        f'x_y.each["{key}"]' for key in (*KEYS[:2], "plain")
    ]


def test_a_move_from_one_secret_key_to_another_is_one() -> None:
    (change,) = read_plan(json.dumps(plan(KEYS[0], previous=KEYS[1])), Masker()).changes
    assert change.is_move
    assert not any(key in str(change) for key in KEYS)


def test_a_digest_holds_no_key_and_knows_one_from_another() -> None:
    approved, other = digest(*KEYS[:2]), digest(KEYS[0], KEYS[2])
    assert not any(key.encode() in encode(approved) for key in KEYS)
    assert compare([approved], digest(*KEYS[:2])) == ()
    differences = compare([approved], other)
    assert len({difference.address for difference in differences}) == 2
    assert all("(sensitive value)#" in difference.address for difference in differences)
    assert compare([digest(KEYS[0], previous=KEYS[1])], digest(KEYS[0], previous=KEYS[2]))
