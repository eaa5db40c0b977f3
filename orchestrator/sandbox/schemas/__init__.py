"""Recorded provider schemas: those that come with the package, and those a user recorded."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import SandboxError

if TYPE_CHECKING:
    from orchestrator.sandbox.provider.schema import ProviderSchema

_SUFFIX = ".schema.json.gz"
_DEFAULT_HOST = "registry.terraform.io"
_SAME_HOST = "registry.opentofu.org"
_FORMATS = ("1.",)


def source_address(text: str) -> str:
    """A provider's full address: `google` is `registry.terraform.io/hashicorp/google`."""
    parts = text.lower().split("/")
    if len(parts) == 1:
        parts = ["hashicorp", *parts]
    if len(parts) == 2:
        parts = [_DEFAULT_HOST, *parts]
    if parts[0] == _SAME_HOST:
        parts[0] = _DEFAULT_HOST
    return "/".join(parts)


def record_schemas(schema_json: bytes, folder: Path) -> list[Path]:
    """Save the output of `terraform providers schema -json`, one file a provider; the files written."""
    providers = _providers(schema_json, "the output of `terraform providers schema -json`")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source, raw in sorted(providers.items()):
        if source.startswith("terraform.io/builtin/"):
            continue
        path = folder / (source_address(source).replace("/", "_") + _SUFFIX)
        document = {"format_version": "1.0", "provider_schemas": {source_address(source): raw}}
        data = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
        partial = path.with_suffix(".partial")
        partial.write_bytes(gzip.compress(data, mtime=0))
        partial.replace(path)
        written.append(path)
    return written


class RecordedSchemas:
    """Finds recorded schemas by provider; a user's own recording hides the package's."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = (*folders, Path(__file__).parent)
        self._found: dict[str, ProviderSchema] = {}
        self._read: dict[Path, int] = {}
        self._lock = threading.Lock()

    def sources(self) -> list[str]:
        """The addresses of all providers that have a recording."""
        return sorted(self._load())

    def find(self, source: str) -> ProviderSchema:
        """The schema of the provider with this address, in any of its spellings."""
        provider_schema = self._load().get(source_address(source))
        if provider_schema is None:
            raise SandboxError(
                f"no schema of the provider {source_address(source)} has been recorded",
                advice="Run `infra sandbox record` in a stack that uses it, where it can be installed.",
            )
        return provider_schema

    def _load(self) -> dict[str, ProviderSchema]:
        """The schemas by address; a file that is new or was written again is read, also later on."""
        from orchestrator.sandbox.provider.schema import ProviderSchema

        with self._lock:
            for folder in reversed(self._folders):
                for path in sorted(folder.glob("*.json.gz")):
                    stamp = path.stat().st_mtime_ns
                    if self._read.get(path) == stamp:
                        continue
                    for source, raw in _providers(_unpack(path), path.name).items():
                        address = source_address(source)
                        self._found[address] = ProviderSchema(address, raw)
                    self._read[path] = stamp
            return dict(self._found)


def _unpack(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise SandboxError(
            f"the recorded schema {path} cannot be read: {error}",
            advice="Delete it and run `infra sandbox record` again.",
            file=str(path),
        ) from error


def _providers(data: bytes, name: str) -> Mapping[str, Any]:
    """The schemas in a document, by source address."""
    try:
        document = json.loads(data)
        providers: Mapping[str, Any] = document["provider_schemas"]
        is_known_format = str(document["format_version"]).startswith(_FORMATS)
    except (ValueError, KeyError, TypeError) as error:
        raise SandboxError(
            f"{name} is not a provider schema document",
            advice="It must be the whole output of `terraform providers schema -json`.",
        ) from error
    if not is_known_format:
        raise SandboxError(
            f"{name} has the format {document['format_version']}, which is not known",
            advice="Record it with a Terraform that writes format 1.",
        )
    return providers
