"""What to put into GitHub and infra.yaml after a bootstrap, from the bootstrap's outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

VARIABLE = "INFRA_WORKLOAD_IDENTITY_PROVIDER"


def lines(
    outputs: Mapping[str, Any], trunk: str, order: Sequence[str] = (), gates: Sequence[str] = ()
) -> Iterator[str]:
    """Commands of GitHub's own program, and the part of infra.yaml that names the accounts.

    `order` is the promotion order of the environments, which their order in infra.yaml means; `gates` are
    those in which a gate asks about changes that nobody approved.
    """
    provider, accounts = outputs.get("workload_identity_provider"), outputs.get("accounts")
    if not provider or not isinstance(accounts, Mapping):
        yield "For GitHub the bootstrap needs the outputs workload_identity_provider and accounts."
        return
    names = sorted(accounts, key=lambda one: (order.index(one) if one in order else len(order), one))
    yield "Put this into GitHub (gh, in a clone of the repository):"
    yield ""
    yield f"  gh variable set {VARIABLE} --body '{provider}'"
    for environment in names:
        place = f"repos/{{owner}}/{{repo}}/environments/{environment}"
        yield f"  gh api -X PUT '{place}' --input - <<< '{POLICY}'"
        yield f"  gh api -X POST '{place}/deployment-branch-policies' -f name={trunk}"
    yield ""
    for environment in gates:
        yield f"Changes of {environment} that nobody approved are asked about in {environment}-approval:"
        yield f"Settings → Environments → New environment → {environment}-approval → Required reviewers."
        yield f"Without reviewers they are refused, and approved by `infra ci approve {environment}`."
        yield ""
    yield "Put this into infra.yaml:"
    yield ""
    if outputs.get("attest_account"):
        yield "  accounts:"
        yield f"    attest: {outputs['attest_account']}"
    yield "  environments:"
    for environment in names:
        yield f"    {environment}:"
        yield "      accounts:"
        yield from (f"        {use}: {email}" for use, email in accounts[environment].items())


# Only branches that are named may deploy to the environment.
POLICY = '{"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}'
