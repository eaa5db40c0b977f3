"""What trunk lists: the providers, module sources, backends and buckets that code may use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.config import Config, GcsBackend
from orchestrator.config.globs import matches
from orchestrator.config.rules import Guard
from orchestrator.project.model import Project

BUILT_IN = "terraform.io/builtin/terraform"
DEFAULT_HOSTS = frozenset({"registry.terraform.io", "registry.opentofu.org"})
PLACEHOLDER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Allowed:
    """What is allowed, as globs."""

    providers: tuple[str, ...]
    modules: tuple[str, ...]
    backends: tuple[str, ...]
    buckets: tuple[str, ...]


def allowed_by(rules: Guard, trusted: Iterable[Project]) -> Allowed:
    """What the rules list; what they leave open is what the trusted projects have."""
    projects = tuple(trusted)
    backends = _union(map(backend_kinds, projects)) if rules.backends is None else rules.backends
    buckets = _union(map(state_buckets, projects)) if rules.buckets is None else rules.buckets
    providers = tuple(provider_address(source) for source in (*rules.providers, BUILT_IN))
    return Allowed(providers, rules.modules, backends, buckets)


def _union(sets: Iterable[set[str]]) -> tuple[str, ...]:
    return tuple(sorted(set().union(*sets)))


def backend_kinds(project: Project) -> set[str]:
    """The kinds of backends that infra.yaml and the stacks have."""
    return {stack.backend.kind for stack in project.stacks.values()} | configured_kind(project.config)


def configured_kind(config: Config) -> set[str]:
    """The kind of backend in infra.yaml."""
    if config.backend is None:
        return set()
    return {"gcs" if isinstance(config.backend, GcsBackend) else "local"}


def state_buckets(project: Project) -> set[str]:
    """The buckets that infra.yaml and the stacks have; a placeholder stands for anything."""
    found = {
        url.removeprefix("gs://").partition("/")[0]
        for stack in project.stacks.values()
        if (url := stack.state or "").startswith("gs://")
    }
    if isinstance(project.config.backend, GcsBackend):
        found.add(PLACEHOLDER.sub("*", project.config.backend.bucket))
    return found


def provider_address(source: str) -> str:
    """A provider's source as it is compared: in small letters, of the default registry without its name."""
    parts = source.lower().split("/")
    return "/".join(parts[1:] if len(parts) == 3 and parts[0] in DEFAULT_HOSTS else parts)


def is_listed_provider(source: str, allowed: Allowed) -> bool:
    """Whether a provider's source is listed."""
    return matches(provider_address(source), allowed.providers)
