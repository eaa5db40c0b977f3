"""GitHub as a forge. PyGithub is imported only in this folder, once a forge is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.errors import UsageError
from orchestrator.forge.interface import TEAMS_TOKEN
from orchestrator.forge.retry_policy import RetryPolicy

if TYPE_CHECKING:
    from orchestrator.forge.github.client import GitHub

_DEFAULT_API = "https://api.github.com"
TOKENS = ("INFRA_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def open_github(environ: Mapping[str, str], retry_policy: RetryPolicy | None = None) -> GitHub:
    """Opens the repository that an environment names. Sends no request; close it after use.

    GITHUB_REPOSITORY is `OWNER/NAME`, the token the first of INFRA_GITHUB_TOKEN, GITHUB_TOKEN and GH_TOKEN,
    GITHUB_API_URL the address of GitHub (default github.com), INFRA_TEAMS_TOKEN a token that may read an
    organization's members (optional). Raises UsageError if one of them is missing or invalid, or if the
    sandbox is attached and the address is not on this machine.
    """
    repository = environ.get("GITHUB_REPOSITORY", "")
    owner, _, name = repository.partition("/")
    if not owner or not name or "/" in name:
        raise UsageError(
            f"GITHUB_REPOSITORY is {repository!r}." if repository else "GITHUB_REPOSITORY is not set.",
            advice="Set it to OWNER/NAME, as GitHub Actions does.",
        )
    token = next((environ[variable].strip() for variable in TOKENS if environ.get(variable, "").strip()), "")
    if not token:
        raise UsageError(
            "There is no token for GitHub.",
            advice="In a workflow: `env: {GITHUB_TOKEN: ${{ github.token }}}`. "
            'Elsewhere: `export GH_TOKEN="$(gh auth token)"`.',
        )
    api = environ.get("GITHUB_API_URL") or _DEFAULT_API
    check_address(api, sandbox=bool(environ.get("INFRA_SANDBOX")))
    from orchestrator.forge.github.client import GitHub
    from orchestrator.forge.github.teams import GitHubTeams

    host = GitHub(api, repository, token, retry_policy or RetryPolicy())
    teams_token = environ.get(TEAMS_TOKEN, "").strip()
    if teams_token:
        host.teams = GitHubTeams(api, repository, teams_token, retry_policy or RetryPolicy())
    return host


def check_address(api: str, *, sandbox: bool) -> None:
    """Rejects an address that the token must not go to: unencrypted over a network, or out of the sandbox."""
    try:
        parts = urlsplit(api)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("https", "http"):
        raise UsageError(f"GITHUB_API_URL is {api!r}.", advice="Set it to an address such as " + _DEFAULT_API)
    if host in _LOOPBACK:
        return
    if sandbox:
        raise UsageError(
            f"The sandbox is attached, and GITHUB_API_URL leads to {host}.",
            advice="Leave it as `infra sandbox exec` sets it, or work outside of the sandbox.",
        )
    if parts.scheme == "http":
        raise UsageError(
            f"GITHUB_API_URL is {api}: the token would go over the network in clear.", advice="Use https."
        )
