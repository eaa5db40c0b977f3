"""What `infra sandbox github` tells people to type."""

from __future__ import annotations

from orchestrator.cli.sandbox_github import fetch_refs


def test_without_an_origin_trunk_is_fetched_as_well() -> None:
    assert fetch_refs(1, "main", has_origin=True) == "refs/pull/1/merge"
    assert fetch_refs(1, "main", has_origin=False).split()[1] == "+refs/heads/main:refs/remotes/origin/main"
