"""Determines the state location of each stack from its backend block and infra.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.config import Config, FileBackend, StackSettings
from orchestrator.repository.facts import BackendBlock, ModuleFacts
from orchestrator.repository.hcl.text import NameScope, literal, resolve
from orchestrator.repository.model import Backend, Finding, Stack
from orchestrator.repository.source import Source
from orchestrator.repository.variables import module_path
from orchestrator.state.backends import BackendKind, backend_kind, kinds_with_key


@dataclass(frozen=True)
class BackendSettings:
    """What infra.yaml sets for the backend of one stack; `file` is the file that it names for that."""

    values: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None


def backend_of(facts: ModuleFacts, scope: NameScope) -> Backend:
    """The backend that a root declares; Terraform's local one when it declares none."""
    block: BackendBlock | None = facts.backend
    if block is None:
        return Backend("local", declared=False, empty=False)
    literals = {name: literal(resolve(text, scope)) for name, text in block.attributes.items()}
    attributes = {name: value for name, value in literals.items() if value is not None}
    keys = frozenset(block.attributes)
    return Backend(block.kind, declared=True, empty=block.empty, attributes=attributes, keys=keys)


def configured_settings(
    config: Config, source: Source, backend: Backend, settings: StackSettings, names: tuple[str, str, str]
) -> BackendSettings:
    """The backend settings of infra.yaml for a stack; `names` are its environment, its name and its folder.

    Those of the stack itself replace what its block sets, as Terraform's `-backend-config` does. Those of all
    stacks fill in what a block leaves open, and leave a complete one alone.
    """
    environment, name, folder = names
    shared = settings.environments.get(environment)
    own = (shared.backend if shared else None) or settings.backend
    if not backend.declared:
        return BackendSettings()
    configured = own or config.backend_of(environment)
    kind = backend_kind(backend.kind)
    if isinstance(configured, FileBackend):
        path = configured.path(environment, name, folder)
        values = _file_values(source, path, kind, folder)
        if own or backend.empty or not kind.is_complete(backend.keys, values):
            return BackendSettings(values, path)
    elif configured is not None and configured.kind == kind.name:
        values = configured.settings(environment, name)
        return BackendSettings(values if own else kind.fill_in(backend.keys, values))
    return BackendSettings()


def _file_values(source: Source, path: str, kind: BackendKind, folder: str) -> dict[str, str]:
    """The settings in a file as `-backend-config` takes them; empty where there is no such file.

    What is no plain text stays as it is written: Terraform reads it so. A local path starts at the root.
    """
    real = source.tree.find(path)
    if real is None:
        return {}
    attributes = source.variable_file(real).attributes
    values = {
        name: plain if (plain := attribute.expression.string) is not None else attribute.expression.source
        for name, attribute in attributes.items()
        if not attribute.expression.is_null
    }
    if kind.is_on_this_machine and (state := values.get("path")):
        values["path"] = module_path(folder, (state,), folder) or state
    return values


def backend_file_findings(source: Source, stack: Stack) -> Iterator[Finding]:
    """What is wrong with the file that infra.yaml names for a stack's backend."""
    path, kind = stack.backend_file, backend_kind(stack.backend.kind)
    if path is None:
        return
    real = source.tree.find(path)
    if real is None:
        message = f"{stack.id} takes its backend's settings from {path}, which does not exist."
        advice = "Paths of `config_file` start at the folder of infra.yaml."
        yield Finding("error", "backend-file", message, advice, "infra.yaml")
        return
    file = source.variable_file(real)
    if file.problem is not None or file.blocks:
        message = f"{path} holds more than settings of a backend, or does not parse."
        yield Finding("error", "backend-file", message, "Write `KEY = VALUE` lines only.", path)
    for key in sorted(file.attributes.keys() - kind.known_keys) if kind.known_keys else ():
        owners = kinds_with_key(key)
        if owners or kind.knows_every_key:
            of = f", a setting of {' and '.join(owners)}" if owners else ""
            message = f"{path} sets `{key}`{of}, which the backend {kind.name} of {stack.id} does not have."
            advice = f'Name the file of that stack, or change `backend "{kind.name}"`.'
            yield Finding("error", "backend-file", message, advice, path, file.attributes[key].line)


def elsewhere_finding(stack: Stack) -> Finding | None:
    """That another program plans and applies a stack; None where it keeps a state only."""
    if not backend_kind(stack.backend.kind).runs_elsewhere:
        return None
    return Finding(
        "error",
        "backend-elsewhere",
        f"{stack.id} has a `cloud` block: HCP Terraform plans and applies it by itself.",
        "Pull its state, replace the block by a backend that only keeps its state, such as gcs, and push the "
        "state there: docs/adopt.md of infra has the steps.",
        stack.path,
        stack=stack.id,
    )


def state_of(
    facts: ModuleFacts, backend: Backend, settings: Mapping[str, str], folder: str, workspace: str
) -> str | None:
    """The state of a stack's workspace: a `gs://` URL, a path, or None when it cannot be determined."""
    declared = facts.backend.attributes if facts.backend else {}
    path = backend_kind(backend.kind).locate(backend.attributes, declared, settings, workspace)
    if path is None:
        return None
    return module_path(folder, (path.path,), folder) if path.base == "stack" else path.path
