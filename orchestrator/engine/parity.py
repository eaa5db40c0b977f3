"""Compares what a stack is in one environment with what it is in the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from orchestrator.engine.memory import Memory
from orchestrator.engine.pending import pending_stacks
from orchestrator.errors import InfraError, UsageError
from orchestrator.masking import HIDDEN, Masker
from orchestrator.report.parity import Difference, StackParity, find_differences
from orchestrator.repository.lock_file import read_lock_file
from orchestrator.repository.model import Project, Stack
from orchestrator.repository.selection import select
from orchestrator.repository.variables import auto_files
from orchestrator.state.statefile import addresses_of

# The addresses of the resources in a stack's state, not masked; InfraError says why they are not known.
ReadAddresses = Callable[[Stack], Collection[str]]
# Why stacks of one environment are pending, by id; the error where its ledger cannot be read.
PendingReasons = Mapping[str, str] | InfraError

# Digits of a file's hash that are shown.
DIGITS = 8
VARIABLE_FILES = (".tfvars", ".tfvars.json")


def compare_environments(
    memory: Memory, names: Sequence[str], environments: Sequence[str]
) -> list[StackParity]:
    """The comparison of each stack `names` (without their environments) across some environments.

    States and ledgers are read, nothing is written, and Terraform is not run.
    """
    selected = frozenset(names)
    pending = {
        environment: _pending_in(
            memory, [stack.id for stack in memory.project.of(environment) if stack.name in selected]
        )
        for environment in environments
    }

    def read_addresses(stack: Stack) -> Collection[str]:
        return addresses_of(memory.states.raw(stack) or b"{}")

    return compare_stacks(memory.project, names, environments, pending, read_addresses)


def compare_stacks(
    project: Project,
    names: Sequence[str],
    environments: Sequence[str],
    pending: Mapping[str, PendingReasons],
    read_addresses: ReadAddresses,
) -> list[StackParity]:
    """The comparison of each stack `names`, by what is known of ledgers and states already."""
    masker = Masker(project.config.masking)
    stacks: dict[str, dict[str, Stack]] = {name: {} for name in names}
    for environment in environments:
        for stack in project.of(environment):
            if stack.name in stacks:
                stacks[stack.name][environment] = stack
    return [
        _compare(project, masker, name, environments, stacks[name], pending, read_addresses) for name in names
    ]


def _compare(
    project: Project,
    masker: Masker,
    name: str,
    environments: Sequence[str],
    in_order: Mapping[str, Stack],
    pending: Mapping[str, PendingReasons],
    read_addresses: ReadAddresses,
) -> StackParity:
    unseen: dict[str, str] = {}
    compared, visible = _variables(project, masker, in_order)
    return StackParity(
        name,
        tuple(in_order),
        tuple(environment for environment in environments if environment not in in_order),
        (
            *find_differences("code", {key: _code(project, stack) for key, stack in in_order.items()}),
            *find_differences("variable", compared, visible),
            *find_differences("version", {key: _versions(project, stack) for key, stack in in_order.items()}),
            *_resources(masker, in_order, read_addresses, unseen),
            *_pending(in_order, pending, unseen),
        ),
        unseen,
    )


def _code(project: Project, stack: Stack) -> dict[str, str]:
    """The files of the stack's folder and the modules that it calls, by name; variable files are left out."""
    root = f"{stack.path}/"
    files = {
        path.removeprefix(root): digest[:DIGITS]
        for path, digest in project.files(stack.id).items()
        if path.startswith(root) and not path.endswith(VARIABLE_FILES) and path != stack.lock_file
    }
    return files | {f"module {path}": "called" for path in stack.modules}


def _variables(
    project: Project, masker: Masker, stacks: Mapping[str, Stack]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """What variable files and defaults set, as written: to compare, and with secrets hidden."""
    compared, visible = {}, {}
    for environment, stack in stacks.items():
        source = project.coverage.source
        folder = source.real(stack.path)
        values: dict[str, str] = {}
        secret = set()
        for block in source.module(folder).blocks():
            if block.kind != "variable":
                continue
            sensitive = block.attributes.get("sensitive")
            if masker.names.is_secret(block.name) or (
                sensitive is not None and sensitive.expression.source != "false"
            ):
                secret.add(block.name)
            if "default" in block.attributes:
                values[block.name] = block.attributes["default"].expression.source
        paths = [path for _, path in auto_files(source, folder)]
        paths += [path for name in stack.var_files if (path := source.tree.find(name)) is not None]
        for path in paths:
            for name, attribute in source.variable_file(path).attributes.items():
                values[name] = attribute.expression.source
                if masker.names.is_secret(name):
                    secret.add(name)
        compared[environment] = values
        visible[environment] = {
            name: HIDDEN if name in secret else " ".join(masker.mask_text(value).split())
            for name, value in values.items()
        }
    return compared, visible


def _versions(project: Project, stack: Stack) -> dict[str, str]:
    """What the code asks of Terraform, and the locked version of each provider."""
    versions = {"terraform": ", ".join(stack.required_version)} if stack.required_version else {}
    if stack.lock_file is not None:
        providers = read_lock_file(project.tree.read(stack.lock_file))
        versions |= {provider.source: provider.version or "none" for provider in providers}
    return versions


def _resources(
    masker: Masker, stacks: Mapping[str, Stack], read_addresses: ReadAddresses, unseen: dict[str, str]
) -> list[Difference]:
    """The addresses that the states have; only those that are not in all of them."""
    addresses: dict[str, dict[str, str]] = {}
    for environment, stack in stacks.items():
        if stack.state is None:
            unseen[environment] = f"its state lies in {stack.backend.kind}, where infra does not look"
            continue
        try:
            in_state = read_addresses(stack)
        except InfraError as error:
            unseen[environment] = f"its state: {error.message}"
            continue
        addresses[environment] = dict.fromkeys(map(masker.mask_address, in_state), "there")
    return list(find_differences("resource", addresses)) if len(addresses) > 1 else []


def _pending_in(memory: Memory, stacks: Sequence[str]) -> PendingReasons:
    """Why stacks of one environment are pending, by id; the error of a ledger that cannot be read."""
    try:
        return pending_stacks(memory, stacks)
    except InfraError as error:
        return error


def _pending(
    stacks: Mapping[str, Stack],
    pending: Mapping[str, PendingReasons],
    unseen: dict[str, str],
) -> list[Difference]:
    """Where changes of trunk are not applied yet."""
    reasons: dict[str, dict[str, str]] = {}
    for environment, stack in stacks.items():
        in_environment = pending[environment]
        if isinstance(in_environment, InfraError):
            unseen.setdefault(environment, f"its ledger: {in_environment.message}")
        else:
            reasons[environment] = {"changes": in_environment.get(stack.id, "up to date")}
    return list(find_differences("pending", reasons)) if len(reasons) > 1 else []


def select_names(
    project: Project, names: Sequence[str], environments: Sequence[str], cwd: Path | None = None
) -> list[str]:
    """The names without environments that are meant, each once, in the project's order.

    `names` are such names, or what selects stacks anywhere else; none means all. Raises UsageError for one
    that means nothing, and for an environment that is none.
    """
    unknown = next((name for name in environments if name not in project.environments), None)
    if unknown is not None:
        raise UsageError(
            f"There is no environment {unknown!r}.", advice=f"There are: {', '.join(project.environments)}."
        )
    if len(environments) < 2:
        raise UsageError("One environment has nothing to compare with.", advice="Name two or more.")
    all_names = dict.fromkeys(stack.name for stack in project.stacks.values())
    if not names:
        return list(all_names)
    plain = {name for name in names if name in all_names}
    others = select(project, [name for name in names if name not in plain], cwd)
    meant = plain | {project.stacks[id_].name for id_ in others}
    return [name for name in all_names if name in meant]
