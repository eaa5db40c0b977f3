"""Real providers on the sandbox's servers, to which variables of infra.yaml point them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from orchestrator.errors import ConfigError
from orchestrator.sandbox.attach import LOOPBACK
from orchestrator.sandbox.schemas import source_address

# Set for commands that run with real providers: their names, separated by commas.
VARIABLE = "INFRA_SANDBOX_REAL"
# Further variables by which a real provider would find a real account, by the first word of those given.
ALSO = {"GOOGLE": ("CLOUDSDK", "GCLOUD", "GCE")}


def resolve_variables(
    real: Mapping[str, Mapping[str, str]], providers: Sequence[str], addresses: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Address of each provider → its variables, `{gcs}` and `{github}` filled in from `addresses`.

    Raises ConfigError for a provider that infra.yaml gives nothing for, for an address that is not on this
    machine, and for variables without any address: a real cloud would be reached.
    """
    endpoints = {source_address(source): variables for source, variables in real.items()}
    variables_by_source = {}
    for provider in providers:
        source = source_address(provider)
        key = f"sandbox.real.{provider}.env"
        if source not in endpoints:
            raise ConfigError(
                f"no endpoint is set for {provider}, so it would reach a real cloud",
                file="infra.yaml",
                key=key,
                advice=f"Name its endpoints: `sandbox: {{real: {{{provider}: {{env: {{…}}}}}}}}`.",
            )
        filled = {name: _fill(value, addresses) for name, value in endpoints[source].items()}
        hosts = [urlsplit(value).hostname for value in filled.values() if "://" in value]
        if not hosts or any(host not in (LOOPBACK, "localhost", "::1") for host in hosts):
            raise ConfigError(
                f"the endpoints of {provider} must be on this machine, and there must be one",
                file="infra.yaml",
                key=key,
                advice="Write {gcs}, {github} or http://127.0.0.1:PORT.",
            )
        variables_by_source[source] = filled
    return variables_by_source


def use_real_providers(
    environment: Mapping[str, str], real: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """An attached environment in which some providers are the real ones.

    They are not attached, get their variables, and nothing else that begins as these do: the caller's
    accounts stay with the caller.
    """
    words = {name.partition("_")[0] for variables in real.values() for name in variables}
    words |= {other for word in words for other in ALSO.get(word, ())}
    unrelated = {name: value for name, value in environment.items() if name.partition("_")[0] not in words}
    attached = json.loads(environment["TF_REATTACH_PROVIDERS"])
    simulated = {source: how for source, how in attached.items() if source_address(source) not in real}
    real_variables = {name: value for variables in real.values() for name, value in variables.items()}
    return {
        **unrelated,
        **real_variables,
        "TF_REATTACH_PROVIDERS": json.dumps(simulated, separators=(",", ":")),
        VARIABLE: ",".join(sorted(real)),
    }


def _fill(value: str, addresses: Mapping[str, str]) -> str:
    for name, address in addresses.items():
        value = value.replace(f"{{{name}}}", address)
    return value
