"""Which keys a bootstrap makes for other repositories in its bucket."""

from __future__ import annotations

from orchestrator.scaffold.bootstrap import environments_of_others


def test_each_environment_of_another_repository_gets_a_key() -> None:
    accounts = {"prod": {"plan": "p@x"}, "dev": {"plan": "d@x"}}

    assert environments_of_others(
        {"repositories": {"b": {"accounts": accounts}, "a/c": {"accounts": {}}}}
    ) == (
        "b/dev",
        "b/prod",
    )
    assert environments_of_others({}) == ()
