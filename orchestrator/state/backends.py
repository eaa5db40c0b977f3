"""Kinds of Terraform backends: their settings, and where they keep a state.

The only module that knows what is particular to a kind; others ask `backend_kind(NAME)`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.config import DEFAULT_WORKSPACE
from orchestrator.state.location import Location

DEFAULT_STATE = "terraform.tfstate"
WORKSPACE_FOLDER = "terraform.tfstate.d"


def _keys(names: str) -> frozenset[str]:
    return frozenset(names.split())


@dataclass(frozen=True)
class StatePath:
    """Where a backend keeps a state: a URL, or a path from the stack's folder or from the project's root."""

    path: str
    base: Literal["url", "stack", "project"]


class BackendKind:
    """A kind of backend whose states Terraform alone can read."""

    # Settings that always need a value.
    required_keys: tuple[str, ...] = ()
    # Arguments that distinguish its settings from those of another kind, by Terraform's documentation.
    known_keys: frozenset[str] = frozenset()
    # Whether `known_keys` lists all of its arguments.
    knows_every_key = False
    # Whether the location of its states can be determined, so that infra reads them.
    is_readable = False
    # Whether its states are files on the machine that runs Terraform.
    is_on_this_machine = False
    # Whether Terraform needs no settings for it.
    has_defaults = False
    # Whether another program plans and applies.
    runs_elsewhere = False

    def __init__(self, name: str) -> None:
        self.name = name

    def is_complete(self, keys: Collection[str], values: Mapping[str, str]) -> bool:
        """Whether a block with these keys leaves nothing open that these values would set."""
        return set(keys) >= values.keys()

    def fill_in(self, keys: Collection[str], values: Mapping[str, str]) -> dict[str, str]:
        """The values for what a block with these keys leaves open."""
        return {} if keys else dict(values)

    def locate(
        self,
        literals: Mapping[str, str],
        declared: Collection[str],
        settings: Mapping[str, str],
        workspace: str,
    ) -> StatePath | None:
        """Where the state of a workspace is; None when it cannot be determined.

        `literals` are the arguments of the block that are plain text, `declared` the names of all of them,
        and `settings` replace them.
        """
        return None

    def location(self, settings: Mapping[str, str], root: Path) -> Location | None:
        """The location of a state by the settings of infra.yaml alone, for the default workspace."""
        return None

    def folder(self, settings: Mapping[str, str]) -> Location | None:
        """The folder in a bucket that the settings of infra.yaml name; None for another kind of location."""
        return None

    def arguments(self, settings: Mapping[str, str], root: Path) -> dict[str, str]:
        """The settings as arguments of `terraform init`."""
        return dict(settings)


class GcsKind(BackendKind):
    """States in a bucket of Google Cloud Storage."""

    required_keys = ("bucket",)
    known_keys = _keys(
        "access_token bucket credentials encryption_key impersonate_service_account "
        "impersonate_service_account_delegates kms_encryption_key prefix storage_custom_endpoint"
    )
    knows_every_key = True
    is_readable = True

    def is_complete(self, keys: Collection[str], values: Mapping[str, str]) -> bool:
        return "bucket" in keys

    def fill_in(self, keys: Collection[str], values: Mapping[str, str]) -> dict[str, str]:
        if "bucket" in keys:
            return {}
        return {key: value for key, value in values.items() if key not in keys}

    def locate(
        self,
        literals: Mapping[str, str],
        declared: Collection[str],
        settings: Mapping[str, str],
        workspace: str,
    ) -> StatePath | None:
        values = {**literals, **settings}
        if "bucket" not in values or ("prefix" in declared and "prefix" not in values):
            return None
        return StatePath(gcs_url(values["bucket"], values.get("prefix", ""), workspace), "url")

    def location(self, settings: Mapping[str, str], root: Path) -> Location | None:
        return Location.parse(gcs_url(settings["bucket"], settings["prefix"]))

    def folder(self, settings: Mapping[str, str]) -> Location | None:
        return Location(settings["bucket"], settings["prefix"])


class LocalKind(BackendKind):
    """States in files beside the code, or where `path` says."""

    known_keys = frozenset({"path", "workspace_dir"})
    knows_every_key = True
    is_readable = True
    is_on_this_machine = True
    has_defaults = True

    def locate(
        self,
        literals: Mapping[str, str],
        declared: Collection[str],
        settings: Mapping[str, str],
        workspace: str,
    ) -> StatePath | None:
        if workspace != DEFAULT_WORKSPACE:
            # A named workspace has a folder of its own, whatever `path` says.
            if "workspace_dir" in declared and "workspace_dir" not in literals:
                return None
            folder = literals.get("workspace_dir", WORKSPACE_FOLDER)
            return StatePath(local_workspace(folder, workspace), "stack")
        if "path" in settings:
            return StatePath(posixpath.normpath(settings["path"]), "project")
        if "path" in declared and "path" not in literals:
            return None
        return StatePath(literals.get("path", DEFAULT_STATE), "stack")

    def location(self, settings: Mapping[str, str], root: Path) -> Location | None:
        return Location("", str(root / settings["path"]))

    def arguments(self, settings: Mapping[str, str], root: Path) -> dict[str, str]:
        """A local path becomes absolute."""
        if "path" not in settings:
            return dict(settings)
        return {**settings, "path": str(root / settings["path"])}


class S3Kind(BackendKind):
    """States in Amazon S3."""

    required_keys = ("bucket", "key")
    known_keys = _keys(
        "access_key acl assume_role assume_role_with_web_identity bucket dynamodb_table encrypt endpoint "
        "endpoints key kms_key_id profile region role_arn secret_key shared_config_files "
        "shared_credentials_files sse_customer_key token use_lockfile workspace_key_prefix"
    )


class AzureKind(BackendKind):
    """States in Azure Storage."""

    required_keys = ("container_name", "key")
    known_keys = _keys(
        "access_key client_id client_secret container_name environment key metadata_host "
        "resource_group_name sas_token snapshot storage_account_name subscription_id tenant_id "
        "use_azuread_auth use_msi use_oidc"
    )


class HttpKind(BackendKind):
    """States behind an address."""

    known_keys = _keys(
        "address lock_address lock_method password retry_max retry_wait_max retry_wait_min "
        "skip_cert_verification unlock_address unlock_method update_method username"
    )


class CloudKind(BackendKind):
    """HCP Terraform, by a `cloud` block."""

    runs_elsewhere = True


GCS, LOCAL = "gcs", "local"
_KINDS = {
    kind.name: kind
    for kind in (
        GcsKind(GCS),
        LocalKind(LOCAL),
        S3Kind("s3"),
        AzureKind("azurerm"),
        HttpKind("http"),
        CloudKind("cloud"),
    )
}


def backend_kind(name: str) -> BackendKind:
    """The kind of backend with a name; one that infra knows nothing of where it is none of those above."""
    return _KINDS.get(name) or BackendKind(name)


def kinds_with_key(key: str) -> list[str]:
    """The names of the kinds that have a setting."""
    return sorted(kind.name for kind in _KINDS.values() if key in kind.known_keys)


def gcs_url(bucket: str, prefix: str, workspace: str = DEFAULT_WORKSPACE) -> str:
    """The `gs://` URL of the state object that Terraform's gcs backend uses for a workspace."""
    return Location(bucket, posixpath.join(_clean(prefix), f"{workspace}.tfstate")).url


def object_url(url: str, workspace: str) -> str:
    """The state object that a `gs://` URL means: a folder of states holds one for each workspace."""
    if url.endswith(".tfstate"):
        return url
    folder = Location.parse(url)
    return gcs_url(folder.bucket, folder.name, workspace)


def local_workspace(directory: str, workspace: str) -> str:
    """The file that Terraform's local backend uses for a named workspace; `directory` is `workspace_dir`."""
    return posixpath.join(directory, workspace, DEFAULT_STATE)


def _clean(prefix: str) -> str:
    """A prefix as Terraform joins it: no leading slash, no empty or dotted segments."""
    clean = posixpath.normpath(prefix.lstrip("/")) if prefix.strip("/") else ""
    return "" if clean == "." else clean
