"""Two hundred random stacks planned with providers that stay running, as with providers of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.terraform.binary import Binary
from tests.support.crash.results import SEED, play_rounds
from tests.support.real_aws import CLI_CONFIG, PROVIDER
from tests.support.warm_oracle import aws_oracle, aws_stack, play_stacks, thing_oracle, thing_stack

pytestmark = pytest.mark.soak

# Of a round; the last rounds are of the real AWS provider, where there is one.
STACKS, AWS_STACKS = 20, 4
ROUNDS, AWS_ROUNDS = 10, 5


def test_two_hundred_stacks(binary: Binary, child_env: dict[str, str], tmp_path: Path) -> None:
    def play(number: int) -> str:
        folder = tmp_path / str(number)
        if number < ROUNDS:
            numbers = range(number * STACKS, (number + 1) * STACKS)
            with thing_oracle(binary, folder, child_env) as oracle:
                problems = play_stacks(oracle, thing_stack, SEED, numbers)
        elif PROVIDER is None:
            return "no AWS provider"
        else:
            numbers = range(number * AWS_STACKS, (number + 1) * AWS_STACKS)
            with aws_oracle(binary, folder, child_env, PROVIDER, Path(CLI_CONFIG)) as oracle:
                problems = play_stacks(oracle, aws_stack, SEED, numbers)
        assert not problems, "\n\n".join(problems)
        return "passed"

    play_rounds("warm", ROUNDS + AWS_ROUNDS, play)
