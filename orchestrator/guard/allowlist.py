"""The allowlist of trunk: providers, module sources, backends and buckets that code may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.config import Config
from orchestrator.config.globs import matches
from orchestrator.config.model import render
from orchestrator.config.rules import Guard
from orchestrator.repository.model import Project
from orchestrator.state.location import Location

BUILT_IN = "terraform.io/builtin/terraform"
DEFAULT_HOSTS = frozenset({"registry.terraform.io", "registry.opentofu.org"})


@dataclass(frozen=True)
class Allowlist:
    """Allowed names as globs."""

    providers: tuple[str, ...]
    modules: tuple[str, ...]
    backends: tuple[str, ...]
    buckets: tuple[str, ...]


def allowed_by(rules: Guard, trusted: Iterable[Project]) -> Allowlist:
    """The allowlist of the rules; a list that is not set defaults to what the trusted projects use."""
    projects = tuple(trusted)
    backends = _union(map(_backend_kinds, projects)) if rules.backends is None else rules.backends
    buckets = _union(map(state_buckets, projects)) if rules.buckets is None else rules.buckets
    providers = tuple(provider_address(source) for source in (*rules.providers, BUILT_IN))
    return Allowlist(providers, rules.modules, backends, buckets)


def _union(sets: Iterable[set[str]]) -> tuple[str, ...]:
    return tuple(sorted(set().union(*sets)))


def _backend_kinds(project: Project) -> set[str]:
    """The kinds of backends that infra.yaml and the stacks have."""
    return {stack.backend.kind for stack in project.stacks.values()} | configured_kinds(project.config)


def configured_kinds(config: Config) -> set[str]:
    """The kinds of backends that infra.yaml has settings of; a file of settings does not say its kind."""
    return {backend.kind for backend in config.backends if backend.kind}


def state_buckets(project: Project) -> set[str]:
    """The buckets that infra.yaml and the stacks have."""
    locations = [Location.parse(stack.state) for stack in project.stacks.values() if stack.state]
    return {location.bucket for location in locations if location.is_remote} | configured_buckets(project)


def configured_buckets(project: Project) -> set[str]:
    """The buckets of infra.yaml for the environments and stacks that there are.

    A placeholder stands for these alone: bucket names are global, so any other one may be a stranger's.
    """
    stacks = [stack for stack in project.stacks.values() if stack.backend_file is None]
    buckets = {stack.backend_config["bucket"] for stack in stacks if "bucket" in stack.backend_config}
    for name in (*project.environments, *project.config.environments):
        backend = project.config.backend_of(name)
        if backend and backend.bucket and "{stack}" not in backend.bucket:
            buckets.add(render(backend.bucket, name, ""))
    return buckets


def provider_address(source: str) -> str:
    """A provider source normalized for comparison: lower case, without the default registry."""
    parts = source.lower().split("/")
    return "/".join(parts[1:] if len(parts) == 3 and parts[0] in DEFAULT_HOSTS else parts)


def is_listed_provider(source: str, allowed: Allowlist) -> bool:
    """Whether a provider's source is listed."""
    return matches(provider_address(source), allowed.providers)
