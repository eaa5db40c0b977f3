"""A change cut into jobs: nothing lost, nothing twice, equal loads, the same every time."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine import shards
from orchestrator.errors import UsageError

NAMES = st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=1, max_size=60, unique=True)


@given(NAMES, st.integers(1, 20), st.dictionaries(st.text("abcdef", max_size=3), st.floats(0.1, 900)))
def test_every_stack_is_in_one_part(names: list[str], count: int, seconds: dict[str, float]) -> None:
    parts = shards.pack_units([(name,) for name in names], count, seconds)
    assert len(parts) == count
    assert sorted(stack for part in parts for stack in part) == sorted(names)
    assert parts == shards.pack_units([(name,) for name in names], count, seconds)


def test_the_longest_come_first_and_loads_are_even() -> None:
    seconds = {"a": 10.0, "b": 9.0, "c": 2.0, "d": 2.0, "e": 2.0, "f": 5.0}
    parts = shards.pack_units([(name,) for name in seconds], 2, seconds)
    assert parts == [("a", "c", "d", "e"), ("b", "f")] or sorted(
        sum(seconds[stack] for stack in part) for part in parts
    ) == [14.0, 16.0]


def test_a_dependent_stays_with_what_it_reads() -> None:
    units = shards.group_stacks(["a", "b", "c"], {"f": ("a", "b"), "g": ("f",)})
    assert sorted(sorted(unit) for unit in units) == [["a", "b", "f", "g"], ["c"]]


def test_no_more_jobs_than_a_matrix_may_have() -> None:
    many = {f"e{number}": [(f"e{number}/{stack}",) for stack in range(300)] for number in range(4)}
    shard_list = shards.make_shards(many, "200")
    assert len(shard_list) <= shards.MAX_JOBS
    assert {shard.environment for shard in shard_list} == set(many)
    assert sum(len(shard.stacks) for shard in shard_list) == 1200
    with pytest.raises(UsageError, match="at most 256"):
        shards.make_shards({f"e{number}": [("x",)] for number in range(300)})


def test_how_many_parts_by_themselves() -> None:
    few = [(str(number),) for number in range(shards.TARGET_STACKS)]
    assert shards.count_shards("auto", few, None) == 1
    assert shards.count_shards("auto", few * 4, None) == 4
    assert shards.count_shards("auto", few, dict.fromkeys("0123", 600.0)) == 5
    assert shards.count_shards("auto", [], None) == 0
    assert shards.count_shards("9", few[:2], None) == 2


@pytest.mark.parametrize("text", ["0", "-1", "257", "x", "1.5", ""])
def test_a_number_of_parts_that_is_none(text: str) -> None:
    if text:
        with pytest.raises(UsageError, match="--shards"):
            shards.count_shards(text, [("a",), ("b",)], None)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/257", "a/b", "1/2/3", "-1/2"])
def test_a_part_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="no part"):
        shards.parse_shard(text)


def test_a_part() -> None:
    assert shards.parse_shard("2/3") == (2, 3, False)
    assert shards.parse_shard("2/3:timed") == (2, 3, True)


def test_the_matrix_can_be_read_back() -> None:
    parts = [shards.Shard("dev", 1, 2, ("dev/a b", "dev/ü")), shards.Shard("dev", 2, 2, ("dev/c",))]
    text = shards.render_matrix(parts, timed=True)
    assert "\n" not in text
    assert text.isascii()
    document = json.loads(text)
    assert document["include"][0] == {
        "environment": "dev",
        "shard": "1/2:timed",
        "stacks": "dev/a b\ndev/ü",
    }
    assert shards.read_matrix_stacks(document) == ("dev/a b", "dev/ü", "dev/c")
    assert shards.read_matrix_stacks({"include": [{"stacks": 7}, 3]}) == ()
