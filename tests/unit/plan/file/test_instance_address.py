from __future__ import annotations

import pytest

from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.instance_address import parse_address


def test_addresses_are_sorted_as_terraform_sorts_them() -> None:
    """By depth, module and its key; data sources first; then type, name and key: none, numbers, texts."""
    addresses = [
        "data.b.z",
        "a.a",
        "a.b",
        "a.b[2]",
        "a.b[10]",
        'a.b["1"]',
        'a.b["b"]',
        "b.a",
        "module.m.data.z.z",
        "module.m.a.a",
        "module.m[2].a.a",
        "module.m[10].a.a",
        'module.m["k"].a.a',
        "module.n.a.a",
        "module.a.module.a.a.a",
    ]
    assert sorted(set(addresses), key=lambda text: parse_address(text).order) == addresses


def test_a_key_has_the_type_that_it_names() -> None:
    key = parse_address(r'a.b["x.\"y\"[0] $${é\u00e9\n"]').key
    assert key == (2, 0, 'x."y"[0] ${éé\n')


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "module.m", "a[0].b", 'a.b["x]', "a..b", "data.a.b.c"])
def test_other_forms_are_left_to_terraform(text: str) -> None:
    with pytest.raises(UnprovenPlanError):
        parse_address(text)
