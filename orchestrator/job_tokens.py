"""The variables of a CI job that would let a program ask for tokens in the job's name.

A module of its own, which imports nothing: the entry point needs it before everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

# Identity tokens; and GitHub's caches and artifacts.
REQUESTS = ("ACTIONS_ID_TOKEN_REQUEST_", "ACTIONS_RUNTIME_", "ACTIONS_RESULTS_", "ACTIONS_CACHE_")


def without_token_requests(env: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child, without these variables."""
    return {name: value for name, value in env.items() if not name.startswith(REQUESTS)}


def forget_token_requests(environ: MutableMapping[str, str]) -> None:
    """Remove these variables from our own environment, which Git and libraries pass on to their programs."""
    for name in [name for name in environ if name.startswith(REQUESTS)]:
        del environ[name]
