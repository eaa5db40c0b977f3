"""What we say of generated modules is what Terraform makes of them, or that it cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.differential import (
    function_misses,
    generate,
    misses,
    provider_misses,
    remote_state_misses,
    variable_misses,
)

MODULES = 60
ROOTS = 6
PROVIDER_MODULES = 34
REMOTE_STATES = 60


def test_values_and_module_sources(terraform_argv: tuple[str, ...], tmp_path: Path) -> None:
    assert list(misses(terraform_argv, tmp_path, generate(1, MODULES))) == []


@pytest.mark.parametrize("seed", range(ROOTS))
def test_variables_of_a_root(terraform_argv: tuple[str, ...], tmp_path: Path, seed: int) -> None:
    assert list(variable_misses(terraform_argv, tmp_path, seed)) == []


def test_providers(terraform_argv: tuple[str, ...], tmp_path: Path) -> None:
    assert list(provider_misses(terraform_argv, tmp_path, 1, PROVIDER_MODULES)) == []


def test_locations_of_remote_states(terraform_argv: tuple[str, ...], tmp_path: Path) -> None:
    assert list(remote_state_misses(terraform_argv, tmp_path, 1, REMOTE_STATES)) == []


def test_functions_that_read_files(terraform_argv: tuple[str, ...], tmp_path: Path) -> None:
    assert list(function_misses(terraform_argv, tmp_path)) == []
