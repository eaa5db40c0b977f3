"""A GitHub for each test, and the token of a workflow that may do everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.sandbox.github.model import AREAS
from tests.support.github import ServedGitHub


@pytest.fixture
def github(tmp_path: Path) -> Iterator[ServedGitHub]:
    """The server with `acme/infra`, which has one commit."""
    with ServedGitHub(tmp_path) as github_server:
        yield github_server


@pytest.fixture
def token(github: ServedGitHub) -> str:
    """A workflow's token with every permission."""
    return github.token(**{area.replace("-", "_"): "write" for area in AREAS})
