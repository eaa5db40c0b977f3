"""Which attributes only the provider sets: its schema, asked for when a plan raises the question."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.engine.folders import private, write_private
from orchestrator.engine.session import Session
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import InfraError
from orchestrator.terraform.client import Workdir
from orchestrator.terraform.shadow import LOCK_FILE

# Provider → type → dotted paths of what is computed and nothing else.
Computed = dict[str, dict[str, list[str]]]


class Schemas:
    """Answers for all stacks of a run; kept in `.infra/cache` by the versions of the providers."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache / "schemas"
        self._lock = threading.Lock()
        self._known: dict[str, Computed] = {}

    def is_computed_only(
        self, session: Session, work: Workdir, provider: str, kind: str, path: tuple[str | int, ...]
    ) -> bool:
        """Whether code cannot set an attribute of a type; false where the schema cannot be had."""
        names = [part for part in path if isinstance(part, str)]
        found = self._of(session, work, provider, kind)
        return any(".".join(names[:count]) in found for count in range(1, len(names) + 1))

    def _of(self, session: Session, work: Workdir, provider: str, kind: str) -> frozenset[str]:
        key = _key(session.terraform, work)
        with self._lock:
            cached = self._known.get(key)
            if cached is None:
                cached = self._known[key] = self._read(key) or {}
            # A simulated provider may serve more types than when it was last asked.
            if kind not in cached.get(provider, {}):
                cached = self._known[key] = {**cached, **self._ask(session, work, key)}
                cached.setdefault(provider, {}).setdefault(kind, [])
            return frozenset(cached[provider][kind])

    def _read(self, key: str) -> Computed | None:
        try:
            found: Computed = json.loads((self._cache / f"{key}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found

    def _ask(self, session: Session, work: Workdir, key: str) -> Computed:
        try:
            document = json.loads(session.terraform.client.providers_schema(work))
        except (InfraError, ValueError):
            # Without a schema an attribute counts as one that somebody may have set: shown, not hidden.
            return {}
        made = {
            provider: {
                kind: sorted(computed_only(one.get("block") or {}))
                for kind, one in (schemas.get("resource_schemas") or {}).items()
            }
            for provider, schemas in (document.get("provider_schemas") or {}).items()
        }
        with suppress(OSError):  # what cannot be kept is asked for again
            private(self._cache)
            write_private(self._cache / f"{key}.json", json.dumps(made, separators=(",", ":")).encode())
        return made


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
    for name, one in (block.get("attributes") or {}).items():
        if one.get("computed") and not one.get("optional") and not one.get("required"):
            yield above + name
        elif "nested_type" in one:
            yield from computed_only(one["nested_type"], f"{above}{name}.")
    for name, one in (block.get("block_types") or {}).items():
        yield from computed_only(one.get("block") or {}, f"{above}{name}.")
