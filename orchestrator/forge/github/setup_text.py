"""Renders the settings to make in GitHub and infra.yaml after a bootstrap, where they are made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.config.model import sort_by_order
from orchestrator.forge.github.setup_changes import VARIABLE


def render_setup(
    outputs: Mapping[str, Any], trunk: str, order: Sequence[str] = (), gates: Sequence[str] = ()
) -> Iterator[str]:
    """Renders `gh` commands; `infra bootstrap --github` does the same.

    `order` is the promotion order of the environments, which their order in infra.yaml means; `gates` are
    those in which a gate approves unapproved changes.
    """
    provider, accounts = outputs.get("workload_identity_provider"), outputs.get("accounts")
    if not provider or not isinstance(accounts, Mapping):
        yield "For GitHub the bootstrap needs the outputs workload_identity_provider and accounts."
        return
    names = sort_by_order(accounts, order)
    yield "Put this into GitHub, or run `infra bootstrap --github` with an administrator's GH_TOKEN:"
    yield ""
    yield f"  gh variable set {VARIABLE} --body '{provider}'"
    for environment in names:
        endpoint = f"repos/{{owner}}/{{repo}}/environments/{environment}"
        yield f"  gh api -X PUT '{endpoint}' --input - <<< '{POLICY}'"
        yield f"  gh api -X POST '{endpoint}/deployment-branch-policies' -f name={trunk}"
    yield ""
    for environment in gates:
        yield f"Changes of {environment} that nobody approved are asked about in {environment}-approval:"
        yield f"Settings → Environments → New environment → {environment}-approval → Required reviewers."
        yield f"Without reviewers they are refused, and approved by `infra ci approve {environment}`."
        yield ""


def render_accounts(outputs: Mapping[str, Any], order: Sequence[str] = ()) -> Iterator[str]:
    """Renders the part of infra.yaml that names the accounts, for a file that cannot be edited."""
    accounts = outputs.get("accounts")
    if not isinstance(accounts, Mapping):
        return
    yield "Put this into infra.yaml:"
    yield ""
    if outputs.get("attest_account"):
        yield "  accounts:"
        yield f"    attest: {outputs['attest_account']}"
    yield "  environments:"
    for environment in sort_by_order(accounts, order):
        yield f"    {environment}:"
        yield "      accounts:"
        yield from (f"        {use}: {email}" for use, email in accounts[environment].items())


def render_repositories(outputs: Mapping[str, Any], trunk: str) -> Iterator[str]:
    """Renders what other repositories in the bucket need, each in GitHub and in its own infra.yaml."""
    for folder, repository in (outputs.get("repositories") or {}).items():
        yield ""
        yield f"For the repository whose folder in the bucket is {folder} (`memory: {{prefix: {folder}}}`):"
        yield ""
        yield from render_setup(repository, repository.get("trunk") or trunk)
        yield from render_accounts(repository)


# Only branches that are named may deploy to the environment.
POLICY = '{"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}'
