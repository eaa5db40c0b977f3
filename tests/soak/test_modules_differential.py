"""The differential test of modules at length: 2,000 modules, roots and provider requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.differential import generate, misses, provider_misses, variable_misses

pytestmark = pytest.mark.soak

SEEDS = range(100, 117)


@pytest.mark.parametrize("seed", SEEDS)
def test_modules(terraform_argv: tuple[str, ...], tmp_path: Path, seed: int) -> None:
    values, providers = tmp_path / "values", tmp_path / "providers"
    values.mkdir()
    providers.mkdir()
    assert list(misses(terraform_argv, values, generate(seed, 80))) == []
    assert list(provider_misses(terraform_argv, providers, seed, 30)) == []


@pytest.mark.parametrize("seed", range(100, 230))
def test_variables_of_a_root(terraform_argv: tuple[str, ...], tmp_path: Path, seed: int) -> None:
    assert list(variable_misses(terraform_argv, tmp_path, seed)) == []
