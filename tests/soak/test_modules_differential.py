"""The differential test of modules at length: 2,000 modules, and roots, providers and remote states."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crash.results import SEED, play_rounds
from tests.support.differential import (
    generate,
    misses,
    provider_misses,
    remote_state_misses,
    variable_misses,
)

pytestmark = pytest.mark.soak

# Of a round.
MODULES, PROVIDERS, ROOTS, STATES = 80, 30, 8, 40


def test_two_thousand_modules(terraform_argv: tuple[str, ...], tmp_path: Path) -> None:
    def play(number: int) -> str:
        seed, folder = SEED * 1_000 + number, tmp_path / str(number)
        values, providers, states = folder / "values", folder / "providers", folder / "states"
        values.mkdir(parents=True)
        providers.mkdir()
        states.mkdir()
        differences = list(misses(terraform_argv, values, generate(seed, MODULES)))
        differences += provider_misses(terraform_argv, providers, seed, PROVIDERS)
        differences += remote_state_misses(terraform_argv, states, seed, STATES)
        for root in range(ROOTS):
            roots = folder / f"root-{root}"
            roots.mkdir()
            differences += variable_misses(terraform_argv, roots, seed * ROOTS + root)
        assert not differences, differences
        return "passed"

    play_rounds("differential", 17, play)
