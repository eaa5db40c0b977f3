"""Patterns of folders that are stacks."""

from __future__ import annotations

import pytest

from orchestrator.config.stack_pattern import StackPattern, is_pattern


@pytest.mark.parametrize(
    ("pattern", "folder", "match"),
    [
        ("{stage}/envs/{environment}", "1-org/envs/shared", ("shared", "1-org")),
        ("{stage}/envs/{environment}", "1-org/modules/shared", None),
        ("{stage}/envs/{environment}", "a/1-org/envs/shared", None),
        ("{stage}/{unit}/{environment}", "4-projects/bu1/dev", ("dev", "4-projects/bu1")),
        ("{environment}/{stack}", "dev/eu/network", ("dev", "eu/network")),
        ("{stack}/{environment}", "network/dev", ("dev", "network")),
        ("{stack}/{environment}", "eu/network/dev", None),
        ("acme-{environment}/{stack}", "acme-dev/network", ("dev", "network")),
        ("network/{environment}", "network/dev", ("dev", "network")),
        ("{environment}", "dev", ("dev", "")),
        ("a.b/{environment}", "axb/dev", None),
    ],
)
def test_what_a_pattern_matches(pattern: str, folder: str, match: tuple[str, str] | None) -> None:
    assert is_pattern(pattern)
    assert StackPattern(pattern).match(folder) == match


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{stage}/envs", r"\{environment\} once"),
        ("{environment}/{environment}", r"\{environment\} once"),
        ("{environment}/{a}/{a}", "twice"),
        ("{environment}/{A}", "lower case"),
        ("{environment}/{stack", "lower case"),
        ("{environment}/{}", "lower case"),
        ("{a}-{b}-{c}{environment}/x", "more than 3 placeholders"),
    ],
)
def test_no_pattern(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        StackPattern(pattern)


def test_an_id_is_no_pattern() -> None:
    assert not is_pattern("prod/network")


def test_a_long_name_takes_no_time() -> None:
    pattern = StackPattern("/".join(["{a}x{b}x{c}x", "{d}x{e}x{environment}"]))
    assert pattern.match("x" * 120 + "/" + "y" * 120) is None
