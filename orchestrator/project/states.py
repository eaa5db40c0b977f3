"""Where the code and infra.yaml put each stack's state."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path

from orchestrator.config import DEFAULT_WORKSPACE, Config, GcsBackend, LocalBackend
from orchestrator.project.model import Backend
from orchestrator.repository.facts import BackendBlock, ModuleFacts
from orchestrator.repository.hcl.text import Scope, literal, resolve
from orchestrator.repository.variables import module_path

DEFAULT_STATE = "terraform.tfstate"
WORKSPACE_FOLDER = "terraform.tfstate.d"


def gcs_url(bucket: str, prefix: str, workspace: str = DEFAULT_WORKSPACE) -> str:
    """The object that Terraform's gcs backend uses for a workspace."""
    return f"gs://{bucket}/{posixpath.join(_clean(prefix), f'{workspace}.tfstate')}"


def object_url(url: str, workspace: str) -> str:
    """The state object that a `gs://` URL means: a folder of states holds one for each workspace."""
    if url.endswith(".tfstate"):
        return url
    bucket, _, prefix = url.removeprefix("gs://").partition("/")
    return gcs_url(bucket, prefix, workspace)


def local_workspace(directory: str, workspace: str) -> str:
    """The file that Terraform's local backend uses for a named workspace; `directory` is `workspace_dir`."""
    return posixpath.join(directory, workspace, DEFAULT_STATE)


def _clean(prefix: str) -> str:
    """A prefix as Terraform joins it: no leading slash, no empty or dotted segments."""
    clean = posixpath.normpath(prefix.lstrip("/")) if prefix.strip("/") else ""
    return "" if clean == "." else clean


def backend_of(facts: ModuleFacts, scope: Scope) -> Backend:
    """The backend that a root declares; Terraform's local one when it declares none."""
    block: BackendBlock | None = facts.backend
    if block is None:
        return Backend("local", declared=False, empty=False)
    told = {name: literal(resolve(text, scope)) for name, text in block.attributes.items()}
    attributes = {name: value for name, value in told.items() if value is not None}
    return Backend(block.kind, declared=True, empty=block.empty, attributes=attributes)


def given_settings(config: Config, backend: Backend, environment: str, name: str) -> dict[str, str]:
    """What infra.yaml gives to a stack whose backend block is empty; nothing to one that names its own."""
    if not backend.empty:
        return {}
    match config.backend, backend.kind:
        case GcsBackend() as gcs, "gcs":
            return gcs.settings(environment, name)
        case LocalBackend() as local, "local":
            return local.settings(environment, name)
    return {}


def backend_config(kind: str, given: Mapping[str, str], root: Path) -> dict[str, str]:
    """The settings as Terraform gets them: a local path, which it takes from the stack, is made absolute."""
    if kind == "local" and "path" in given:
        return {"path": str(root / given["path"])}
    return dict(given)


def state_of(
    facts: ModuleFacts, backend: Backend, given: Mapping[str, str], folder: str, workspace: str
) -> str | None:
    """The state of a stack's workspace: a `gs://` URL, a path, or None when it cannot be told."""
    if backend.kind == "gcs":
        known = {**backend.attributes, **given}
        declared = facts.backend.attributes if facts.backend else {}
        if "bucket" not in known or ("prefix" in declared and "prefix" not in known):
            return None
        return gcs_url(known["bucket"], known.get("prefix", ""), workspace)
    if backend.kind != "local":
        return None
    declared = facts.backend.attributes if facts.backend else {}
    if workspace != DEFAULT_WORKSPACE:
        # A named workspace has a folder of its own, whatever `path` says.
        if "workspace_dir" in declared and "workspace_dir" not in backend.attributes:
            return None
        directory = backend.attributes.get("workspace_dir", WORKSPACE_FOLDER)
        return module_path(folder, (local_workspace(directory, workspace),), folder)
    if "path" in given:
        return posixpath.normpath(given["path"])
    if "path" in declared and "path" not in backend.attributes:
        return None
    return module_path(folder, (backend.attributes.get("path", DEFAULT_STATE),), folder)
