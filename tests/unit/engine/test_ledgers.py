"""Where the memory of an environment is, and what is wrong with it."""

from __future__ import annotations

import pytest

from orchestrator.engine.ledgers import memory_findings
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo

STACK = 'terraform {\n  backend "gcs" {}\n}\n'
LOCAL = 'resource "terraform_data" "x" {}\n'
USUAL = "backend:\n  gcs: {bucket: b}\n"


def backend(prefix: str) -> str:
    """The states of all environments by a template."""
    return f'backend:\n  gcs: {{bucket: b, prefix: "{prefix}"}}\n'


@pytest.mark.parametrize(
    ("config", "code", "expected"),
    [
        (USUAL, STACK, []),
        (USUAL + "memory: {bucket: other, prefix: dev}\n", STACK, []),
        (
            USUAL + "environments: {dev: {}, prod: {memory: {prefix: dev}}}\n",
            STACK,
            ["memory-apart", "memory-nested"],
        ),
        (backend("shop/{environment}/state/{stack}") + "memory: {prefix: shop}\n", STACK, []),
        (backend("shop/{environment}/state/{stack}"), STACK, []),
        (USUAL + "memory: {prefix: shop}\n", STACK, ["memory-apart", "memory-apart"]),
        (USUAL + "memory: {bucket: other, prefix: shop}\n", STACK, []),
        (backend("{environment}/plans/{stack}"), STACK, ["memory-state", "memory-state"]),
        (backend("{environment}/plans-of/{stack}"), STACK, []),
        ("memory: {prefix: shop}\n", LOCAL, ["memory-unused", "memory-unused"]),
        ("memory: {bucket: b, prefix: shop}\n", LOCAL, []),
        ("", LOCAL, []),
    ],
)
def test_a_memory_in_the_wrong_location_is_a_finding(
    make_repo: MakeRepo, config: str, code: str, expected: list[str]
) -> None:
    envs = {f"infra/envs/{name}/net/main.tf": code for name in ("dev", "prod")}
    repo = make_repo({"infra.yaml": f"version: 1\n{config}", **envs})

    findings = list(memory_findings(load(repo.root)))

    assert sorted(finding.code for finding in findings) == expected
    assert all(finding.advice for finding in findings)
