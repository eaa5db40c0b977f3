"""Terraform's version constraints."""

from __future__ import annotations

import random

import pytest

from orchestrator.terraform.version import (
    ConstraintError,
    Version,
    constraint_of_version_file,
    satisfies,
)


@pytest.mark.parametrize(
    ("constraint", "fits", "does_not"),
    [
        ("", ["0.1.0", "9.9.9"], []),
        ("1.11.4", ["1.11.4", "v1.11.4"], ["1.11.3", "1.11.5"]),
        ("= 1.11.4", ["1.11.4"], ["1.11.5"]),
        ("!= 1.11.4", ["1.11.5"], ["1.11.4"]),
        (">= 1.11", ["1.11.0", "1.11.4", "2.0.0"], ["1.10.9"]),
        ("> 1.11", ["1.11.1"], ["1.11.0"]),
        ("< 1.11", ["1.10.9"], ["1.11.0"]),
        ("<= 1.11", ["1.11.0"], ["1.11.1"]),
        ("~> 1.11", ["1.11.0", "1.12.0", "1.99.0"], ["1.10.9", "2.0.0"]),
        ("~> 1.11.2", ["1.11.2", "1.11.9"], ["1.11.1", "1.12.0"]),
        ("~> 1", ["1.0.0", "2.0.0"], ["0.9.0"]),
        (">= 1.11, < 2.0, != 1.12.0", ["1.11.4", "1.12.1"], ["1.12.0", "2.0.0"]),
        (">=1.11,<2", ["1.11.4"], ["2.0.0"]),
        # Terraform takes a pre-release of itself for its release
        (">= 1.12", ["1.12.0-beta1"], ["1.11.4-rc2"]),
        (">= 1.12.0-beta2", ["1.12.0-beta2", "1.12.0-rc1", "1.12.0"], ["1.12.0-beta1", "1.13.0"]),
        ("= 1.12.0-beta2", ["1.12.0-beta2"], ["1.12.0", "1.12.0-beta1"]),
    ],
)
def test_constraints(constraint: str, fits: list[str], does_not: list[str]) -> None:
    assert [v for v in fits if not satisfies(v, constraint)] == []
    assert [v for v in does_not if satisfies(v, constraint)] == []


@pytest.mark.parametrize("constraint", ["latest", ">= x", "=> 1.2", "1.2,", "1.x", ">= 1.2 < 2"])
def test_what_is_not_a_constraint(constraint: str) -> None:
    with pytest.raises(ConstraintError):
        satisfies("1.11.4", constraint)


def test_versions_are_ordered_as_in_semver() -> None:
    texts = ["1.2.0-alpha", "1.2.0-alpha.1", "1.2.0-alpha.beta", "1.2.0-beta.2", "1.2.0-beta.11"]
    texts += ["1.2.0-rc1", "1.2.0", "1.2.1", "1.10.0"]
    mixed = random.Random(7).sample(texts, len(texts))
    assert sorted(mixed, key=lambda text: Version.parse(text).order) == texts


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("1.11.4\n", "= 1.11.4"),
        ("v1.11.4", "= 1.11.4"),
        ("1.12.0-beta1 # soon\n", "= 1.12.0-beta1"),
        ("latest:^1.11\n", None),
        ("min-required", None),
        ("", None),
    ],
)
def test_version_files(text: str, constraint: str | None) -> None:
    assert constraint_of_version_file(text) == constraint


def test_a_version_file_with_something_else_is_an_error() -> None:
    with pytest.raises(ConstraintError):
        constraint_of_version_file("terraform")
