"""Reads infra.yaml into a `Config`. Without the file, the defaults hold and no YAML library is loaded."""

from __future__ import annotations

from typing import Any

from orchestrator.config.loading import FILE_NAME, link_error, load, load_text
from orchestrator.config.model import (
    DEFAULT_WORKSPACE,
    Accounts,
    Backend,
    Config,
    Environment,
    FileBackend,
    GcsBackend,
    Lint,
    LintIgnore,
    LocalBackend,
    Masking,
    MemorySettings,
    Order,
    ProviderInstallation,
    Roots,
    SandboxSettings,
    SharedAccounts,
    SharedEnvironment,
    StackSettings,
    TerraformSettings,
    Timeouts,
)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of infra.yaml, as `infra schema` prints it."""
    from orchestrator.config.schema import build_schema

    return build_schema()


__all__ = [
    "DEFAULT_WORKSPACE",
    "FILE_NAME",
    "Accounts",
    "Backend",
    "Config",
    "Environment",
    "FileBackend",
    "GcsBackend",
    "Lint",
    "LintIgnore",
    "LocalBackend",
    "Masking",
    "MemorySettings",
    "Order",
    "ProviderInstallation",
    "Roots",
    "SandboxSettings",
    "SharedAccounts",
    "SharedEnvironment",
    "StackSettings",
    "TerraformSettings",
    "Timeouts",
    "json_schema",
    "link_error",
    "load",
    "load_text",
]
