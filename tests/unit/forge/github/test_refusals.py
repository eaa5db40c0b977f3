"""What a refusal tells: the status, GitHub's words, and the permission or the setting that is missing."""

from __future__ import annotations

import pytest

from orchestrator.forge.github.refusals import build_error
from orchestrator.forge.retry_policy import RequestFailure

INTEGRATION = "Resource not accessible by integration"


@pytest.mark.parametrize(
    ("failure", "message", "advice"),
    [
        (
            RequestFailure(0, "the connection failed"),
            "did not answer (the connection failed)",
            "GITHUB_API_URL",
        ),
        (RequestFailure(401, "Bad credentials"), "does not know the token", "${{ github.token }}"),
        (RequestFailure(403, INTEGRATION), INTEGRATION, "`permissions: {checks: write}`"),
        (
            RequestFailure(
                403, INTEGRATION, {"x-accepted-github-permissions": "pull_requests=write; issues=write"}
            ),
            "does not allow it",
            "`permissions: {pull-requests: write}`",
        ),
        (
            RequestFailure(403, INTEGRATION, {"x-accepted-github-permissions": "contents=read,checks=write"}),
            "does not allow it",
            "`permissions: {contents: read, checks: write}`",
        ),
        (
            RequestFailure(403, "You must authenticate via a GitHub App."),
            "GitHub App",
            "Only an App may post checks",
        ),
        (
            RequestFailure(403, "GitHub Actions is not permitted to create or approve pull requests"),
            "not permitted",
            "Allow GitHub Actions to create and approve pull requests",
        ),
        (
            RequestFailure(403, "Resource protected by organization SAML enforcement."),
            "SAML",
            "single sign-on",
        ),
        (RequestFailure(403, "Repository was archived so is read-only."), "archived", "Unarchive"),
        (RequestFailure(404, "Not Found"), "does not find it", "`checks: write` on acme/infra"),
        (
            RequestFailure(410, "Issues has been disabled in this repository."),
            "status 410",
            "Switch issues on",
        ),
        (
            RequestFailure(422, "Validation Failed", details=("No commit found for SHA: 1",)),
            "Validation Failed; No commit found for SHA: 1",
            "Correct what the message names",
        ),
        (
            RequestFailure(422, "Workflow does not have 'workflow_dispatch' trigger"),
            "does not take it",
            "on: workflow_dispatch",
        ),
        (
            RequestFailure(429, "slow down", {"retry-after": "90"}),
            "rate limit is used up",
            "again in 90 seconds",
        ),
        (
            RequestFailure(403, "x", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000000"}),
            "rate limit",
            "again after 08:00 UTC",
        ),
        (RequestFailure(503, ""), "is in trouble, status 503.", "githubstatus.com"),
    ],
)
def test_a_refusal_states_what_to_do(failure: RequestFailure, message: str, advice: str) -> None:
    error = build_error(failure, "post the check infra/dev", "checks: write", "acme/infra")
    assert error.status == failure.status
    assert error.message.startswith("Cannot post the check infra/dev in acme/infra: ")
    assert message in error.message
    assert advice in error.advice
