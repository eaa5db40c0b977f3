"""Builds the error of a refused request: a message, and what to change."""

from __future__ import annotations

from orchestrator.errors import ForgeError
from orchestrator.forge.retry_policy import RequestFailure

# What a refusal's own words mean; the first that is found in it counts.
_SETTINGS = (
    (
        "not permitted to create or approve pull requests",
        "Allow it in GitHub: Settings → Actions → General → Workflow permissions → Allow GitHub Actions to "
        "create and approve pull requests; or give INFRA_GITHUB_TOKEN an App's token.",
    ),
    (
        "must authenticate via a github app",
        "Only an App may post checks: run this in GitHub Actions with `checks: write`, or use the token of "
        "an App.",
    ),
    ("renamed or moved", "Set GITHUB_REPOSITORY to the name that the repository has now."),
    ("saml", "Authorize the token for the organization's single sign-on, in the token's settings."),
    ("ip allow list", "The organization lets in listed addresses only; this machine's is not among them."),
    (
        "archived",
        "The repository is archived, so nothing can be written to it. Unarchive it in its settings.",
    ),
    ("issues has been disabled", "Switch issues on: Settings → General → Features → Issues."),
    ("issues are disabled", "Switch issues on: Settings → General → Features → Issues."),
    (
        "does not have 'workflow_dispatch' trigger",
        "Give the workflow `on: workflow_dispatch:` on the branch that it is started on.",
    ),
)


def build_error(failure: RequestFailure, doing: str, needs: str, repository: str) -> ForgeError:
    """The error of a request that finally failed.

    `doing` completes "cannot …"; `needs` is the permission as a workflow writes it (`checks: write`).
    """
    reason = "; ".join(part for part in (failure.message, *failure.details) if part)
    message = f"Cannot {doing} in {repository}: {_what(failure)}{f' ({reason})' if reason else ''}."
    return ForgeError(message, status=failure.status, advice=_advice(failure, needs, repository))


def _what(failure: RequestFailure) -> str:
    """The refusal as a short clause."""
    if failure.is_limit:
        return "GitHub's rate limit is used up"
    match failure.status:
        case 0:
            return "GitHub did not answer"
        case 401:
            return "GitHub does not know the token"
        case 403:
            return "GitHub does not allow it"
        case 404:
            return "GitHub does not find it"
        case 422:
            return "GitHub does not take it"
        case status if status >= 500:
            return f"GitHub is in trouble, status {status}"
        case status:
            return f"GitHub says no, status {status}"


def _advice(failure: RequestFailure, needs: str, repository: str) -> str:
    if failure.is_limit:
        return _limit_advice(failure)
    reason = " ".join((failure.message, *failure.details)).lower()
    advice = next((advice for words, advice in _SETTINGS if words in reason), "")
    if advice:
        return advice
    match failure.status:
        case 0:
            return "Look at the network, proxies and GITHUB_API_URL, then run it again."
        case 401:
            return (
                "Set GITHUB_TOKEN to a token that has not expired; in a workflow: "
                "`env: {GITHUB_TOKEN: ${{ github.token }}}`."
            )
        case 403:
            permissions = _find_missing_permissions(failure, needs)
            return f"Give the job `permissions: {{{permissions}}}`, or the token that right."
        case 404:
            return f"Either it is not there, or the token may not see it: it needs `{needs}` on {repository}."
        case 422:
            return "Correct what the message names."
        case status if status >= 500:
            return "It passes by itself: look at githubstatus.com, then run it again."
        case _:
            return f"The token needs `{needs}` on {repository}."


def _find_missing_permissions(failure: RequestFailure, needs: str) -> str:
    """The missing permissions, as a workflow writes them: GitHub's answer, else `needs`.

    GitHub separates permissions that are needed together by commas, and alternatives by semicolons.
    """
    accepted = failure.headers.get("x-accepted-github-permissions", "").split(";")[0].strip()
    if "=" not in accepted:
        return needs
    pairs = (word.strip().partition("=") for word in accepted.split(","))
    return ", ".join(f"{name.replace('_', '-')}: {right}" for name, _, right in pairs)


def _limit_advice(failure: RequestFailure) -> str:
    after = failure.headers.get("retry-after") or ""
    when = f" in {after} seconds" if after.isdigit() else ""
    reset = failure.headers.get("x-ratelimit-reset", "")
    if not when and reset.isdigit():
        from datetime import UTC, datetime

        when = f" after {datetime.fromtimestamp(int(reset), UTC):%H:%M} UTC"
    return f"Run it again{when}: what was done already is not done twice."
