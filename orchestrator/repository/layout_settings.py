"""Writes the settings that describe a layout as infra.yaml has them: only what differs from the defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.config import (
    DEFAULT_WORKSPACE,
    Backend,
    Config,
    Environment,
    Roots,
    SharedEnvironment,
    StackSettings,
)

# Words that YAML reads as they are written; all others are quoted.
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "."})


def layout_document(config: Config) -> dict[str, Any]:
    """The keys of infra.yaml for roots, exclusions, Terraform, backends, environments and stacks."""
    usual = Config()
    roots = {
        key: str(getattr(config.roots, key))
        for key in ("envs", "modules")
        if getattr(config.roots, key) != getattr(Roots(), key)
    }
    terraform = {
        key: getattr(config.terraform, key)
        for key in ("binary", "version", "install")
        if getattr(config.terraform, key) != getattr(usual.terraform, key)
    }
    document = {
        "trunk": config.trunk,
        "roots": roots,
        "exclude": list(config.exclude),
        "terraform": terraform,
        "backend": _backend_document(config.backend),
        "environments": {name: _environment(settings) for name, settings in config.environments.items()},
        "stacks": {name: _stack(settings) for name, settings in config.stacks.items()},
    }
    return {key: value for key, value in document.items() if value}


def _backend_document(backend: Backend | None) -> dict[str, Any]:
    """The settings below `backend`."""
    return backend.document() if backend else {}


def _environment(settings: Environment) -> dict[str, Any]:
    document = {
        "protected": settings.protected,
        "apply": "ci" if settings.apply == "ci" else None,
        "backend": _backend_document(settings.backend),
        "var_files": [str(path) for path in settings.var_files],
    }
    return {key: value for key, value in document.items() if value}


def _stack(settings: StackSettings) -> dict[str, Any]:
    document = {
        "path": str(settings.path) if settings.path is not None else None,
        "backend": _backend_document(settings.backend),
        "environments": {name: _shared(each) for name, each in settings.environments.items()},
    }
    return {key: value for key, value in document.items() if value}


def _shared(settings: SharedEnvironment) -> dict[str, Any]:
    document = {
        "workspace": settings.workspace if settings.workspace != DEFAULT_WORKSPACE else None,
        "var_files": [str(path) for path in settings.var_files],
    }
    return {key: value for key, value in document.items() if value}


def scalar(value: object) -> str:
    """A value as YAML writes it on one line; texts that it would read as something else in quotes."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, bool) or (_PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT):
        return text
    return json.dumps(text, ensure_ascii=False)


def render_lines(document: Mapping[str, Any], reasons: Mapping[str, str], above: str = "") -> Iterator[str]:
    """The document as YAML, each line with what it is for; `reasons` are by the path of a key."""
    indent = "  " * (above.count("\0") + bool(above))
    for key, value in document.items():
        path = f"{above}\0{key}" if above else key
        reason = reasons.get(path.replace("\0", ".")) or _meaning(path)
        comment = f"  # {reason}" if reason else ""
        if isinstance(value, dict) and value:
            yield f"{indent}{scalar(key)}:{comment}"
            yield from render_lines(value, reasons, path)
        elif isinstance(value, dict):
            yield f"{indent}{scalar(key)}: {{}}{comment}"
        elif isinstance(value, list):
            yield f"{indent}{scalar(key)}: [{', '.join(scalar(item) for item in value)}]{comment}"
        else:
            yield f"{indent}{scalar(key)}: {scalar(value)}{comment}"


_MEANINGS = {
    ("trunk",): "the branch everything merges to",
    ("roots",): "where this repository has its folders",
    ("roots", "envs"): "the folder of the environments",
    ("roots", "modules"): "the folder of the modules",
    ("exclude",): "folders that are no stacks",
    ("terraform",): "which Terraform runs",
    ("terraform", "binary"): "the program on PATH",
    ("terraform", "version"): "the version that this repository names",
    ("terraform", "install"): "how the workflows get it",
    ("backend",): "for backend blocks that leave settings open",
    ("backend", "config_file"): "as -backend-config takes it",
    ("backend", "gcs"): "states in Google Cloud Storage",
    ("environments",): "in promotion order",
    ("stacks",): "root modules in other folders",
}
_BY_KEY = {
    "bucket": "the bucket of the states",
    "prefix": "the state's folder in the bucket",
    "config_file": "as -backend-config takes it",
    "gcs": "states in Google Cloud Storage",
    "backend": "where its states are",
    "var_files": "as -var-file takes them",
    "workspace": "the workspace of its state",
    "path": "the folder of the root module",
    "environments": "the environments that it serves",
    "protected": "wants an approved plan",
    "apply": "applied by the workflows only",
}


def _meaning(path: str) -> str:
    """What a key is for, where the survey has no reason of its own."""
    keys = tuple(path.split("\0"))
    if keys in _MEANINGS:
        return _MEANINGS[keys]
    if keys[0] == "environments" and len(keys) == 2:
        return "an environment"
    if keys[0] == "stacks" and len(keys) == 4 and keys[2] == "environments":
        return "an environment of this root module"
    return _BY_KEY.get(keys[-1], "")
