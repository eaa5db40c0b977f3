"""Provider schemas for all stacks of a run: types, sensitive attributes, what only the provider can set."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import write_private
from orchestrator.engine.folders import private
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import InfraError, UnprovenPlanError
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.plan.file.schemas import TypeSchemas
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.terraform.cli_configuration import has_development_overrides
from orchestrator.terraform.client import Workdir

# What is kept of a schema: the rest is text for people.
_KEPT = frozenset(
    {"type", "nested_type", "nesting_mode", "attributes", "block_types", "block"}
    | {"sensitive", "computed", "optional", "required"}
)
_KINDS = ("resource_schemas", "data_source_schemas")
# Provider → kind of schema → type → its block.
Schemas = dict[str, dict[str, dict[str, Any]]]


class ProviderSchemas:
    """The schemas by the versions of the providers, kept in `.infra/cache`; safe from many threads.

    Without `trusts_cache` nothing is read from there: in CI a checkout may bring such a file.
    """

    def __init__(self, cache: Path, *, trusts_cache: bool = True) -> None:
        self._cache = cache / "provider-schemas"
        self._trusts_cache = trusts_cache
        self._lock = threading.Lock()
        self._known: dict[str, Schemas] = {}
        self._computed: dict[tuple[str, str, str], frozenset[str]] = {}
        self._providers: dict[tuple[str, str], TypeSchemas] = {}
        self._wanted: set[str] = set()

    def is_computed_only(
        self,
        terraform: TerraformRunner,
        work: Workdir,
        provider: str,
        kind: str,
        path: tuple[str | int, ...],
    ) -> bool:
        """Whether only the provider can set an attribute; false when the schema is not available."""
        names = [part for part in path if isinstance(part, str)]
        computed = self._computed_of(terraform, work, provider, kind)
        return any(".".join(names[:count]) in computed for count in range(1, len(names) + 1))

    def provider(self, terraform: TerraformRunner, work: Workdir, source: str) -> TypeSchemas:
        """The schema of one provider of a stack, to read plan files with.

        Asking for it takes longer than reading one plan: it is done when a second stack with the same
        providers comes. UnprovenPlanError where it is not known yet, or may change without the lock file.
        """
        if json.loads(work.env.get("TF_REATTACH_PROVIDERS") or "{}") or has_development_overrides(work.env):
            raise UnprovenPlanError("its providers are under development or simulated")
        key = _key(terraform, work)
        with self._lock:
            if (key, source) in self._providers:
                return self._providers[key, source]
            schemas = self._known.get(key) or self._read(key)
            if not schemas:
                if key not in self._wanted:
                    self._wanted.add(key)
                    raise UnprovenPlanError("the schemas of its providers are not known yet")
                schemas = self._ask(terraform, work, key)
            self._known[key] = schemas
            if source not in schemas:
                raise UnprovenPlanError(f"the schema of {source} is not known")
            self._providers[key, source] = TypeSchemas(schemas[source])
            return self._providers[key, source]

    def _computed_of(
        self, terraform: TerraformRunner, work: Workdir, provider: str, kind: str
    ) -> frozenset[str]:
        key = _key(terraform, work)
        with self._lock:
            if (key, provider, kind) not in self._computed:
                schemas = self._known.get(key) or self._read(key)
                # A simulated provider may serve more types than when the schema was cached.
                if kind not in schemas.get(provider, {}).get("resource_schemas", {}):
                    schemas = {**schemas, **self._ask(terraform, work, key)}
                self._known[key] = schemas
                schema = schemas.get(provider, {}).get("resource_schemas", {}).get(kind) or {}
                self._computed[key, provider, kind] = frozenset(computed_only(schema.get("block") or {}))
            return self._computed[key, provider, kind]

    def _read(self, key: str) -> Schemas:
        path = self._cache / f"{key}.json"
        try:
            if not self._trusts_cache or not _is_ours(path):
                return {}
            return read_object(path.read_bytes())
        except (OSError, ValueError):
            return {}

    def _ask(self, terraform: TerraformRunner, work: Workdir, key: str) -> Schemas:
        try:
            document = read_object(terraform.client.providers_schema(work))
            schemas = {
                provider: {kind: _cut(schema.get(kind) or {}) for kind in _KINDS}
                for provider, schema in (document.get("provider_schemas") or {}).items()
            }
        except (InfraError, *MALFORMED):
            # Without a schema any attribute may have been set by somebody, so it is shown.
            return {}
        with suppress(OSError):  # what cannot be cached is read again
            private(self._cache)
            write_private(self._cache / f"{key}.json", json.dumps(schemas, separators=(",", ":")).encode())
        return schemas


def _cut(tree: Any, *, names: bool = True) -> Any:
    """A part of a schema without what is text for people. With `names` its keys are names of things."""
    if not isinstance(tree, dict):
        return tree
    cut = {}
    for key, below in tree.items():
        if names:
            cut[key] = _cut(below, names=False)
        elif key == "type":
            cut[key] = below
        elif key in _KEPT:
            cut[key] = _cut(below, names=key in ("attributes", "block_types"))
    return cut


def _is_ours(path: Path) -> bool:
    """Whether a file is one that we wrote: a commit can bring a file, and not one that others cannot read."""
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def _key(terraform: TerraformRunner, work: Workdir) -> str:
    lock = terraform.client.root(work) / LOCK_FILE
    attached = sorted(json.loads(work.env.get("TF_REATTACH_PROVIDERS") or "{}"))
    inputs = [
        lock.read_text("utf-8", "replace") if lock.is_file() else "",
        attached,
        terraform.client.binary_of(work).identity,
    ]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]


def computed_only(block: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The attributes of a block of `providers schema -json` that are computed and cannot be set."""
    for name, block_type in (block.get("attributes") or {}).items():
        if block_type.get("computed") and not block_type.get("optional") and not block_type.get("required"):
            yield above + name
        elif "nested_type" in block_type:
            yield from computed_only(block_type["nested_type"], f"{above}{name}.")
    for name, block_type in (block.get("block_types") or {}).items():
        yield from computed_only(block_type.get("block") or {}, f"{above}{name}.")
