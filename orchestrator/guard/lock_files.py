"""Checks lock files and version constraints, which decide the provider packages that plans run."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.config.rules import LockFileChanges
from orchestrator.guard.allowlist import Allowlist, is_listed_provider, provider_address
from orchestrator.repository.facts import provider_source
from orchestrator.repository.hcl import Attribute
from orchestrator.repository.lock_file import LOCK_FILE, read_lock_file
from orchestrator.repository.model import Finding, Project, Severity, Stack

# provider → (version, hashes)
Locks = Mapping[str, tuple[str | None, frozenset[str]]]
# (provider, version constraint as it is written, empty without one)
Constraint = tuple[str, str]

OUTSIDE_A_JOB = "Only a pull request's own job knows whether an owner approves it."


def no_approval(path: str) -> str:
    """Why no owner's approval counts outside a pull request's job."""
    return OUTSIDE_A_JOB


@dataclass(frozen=True)
class LockRules:
    """How lock files are checked.

    `mode` is `guard.lock_file_changes`; `mirrored` says that providers come from a mirror, whose packages no
    registry has signed. `missing_approval(path)` says why no owner of a path counts as author or approver of
    this head, and is empty where one does; it is asked only where an owner decides.
    """

    mode: LockFileChanges = "allow"
    mirrored: bool = False
    missing_approval: Callable[[str], str] = no_approval

    @property
    def effective_mode(self) -> LockFileChanges:
        """What counts: without the registry's signature, an owner must see a change."""
        return "owners" if self.mode == "allow" and self.mirrored else self.mode


def check_lock_files(
    head: Project, base: Project | None, stacks: Iterable[str], allowed: Allowlist, rules: LockRules
) -> Iterator[Finding]:
    """Lock files that name a provider package which trunk does not know.

    A package that some lock file of trunk has is known, and more hashes of a known version do no harm.
    `guard.lock_file_changes` decides over another version of a listed provider; others are refused.
    """
    if base is None:
        return
    known_packages: set[tuple[str, str | None]] | None = None
    for stack in (head.stacks[id_] for id_ in stacks):
        path = _lock_path(head, stack)
        before = base.tree.ids.get(path)
        if before == head.tree.ids.get(path):
            continue
        known_packages = known_packages if known_packages is not None else _known_packages(base)
        locks = read_lock(head.tree.read(path)) if path in head.tree.ids else {}
        old = read_lock(base.tree.read(path)) if before else {}
        for provider, message in _changes(locks, old, known_packages):
            listed = is_listed_provider(provider, allowed)
            yield _finding(provider, message, path, stack.id, rules, is_listed=listed)


def check_constraints(
    head: Project, base: Project | None, stacks: Iterable[str], allowed: Allowlist, rules: LockRules
) -> Iterator[Finding]:
    """Version constraints that trunk does not have, where no lock file says which version is taken.

    `init` then takes the newest version that fits, so a constraint decides as a lock file would.
    """
    if base is None:
        return
    known_constraints: set[Constraint] | None = None
    visited: set[str] = set()
    for stack in (head.stacks[id_] for id_ in stacks):
        if _lock_path(head, stack) in head.tree.ids:
            continue
        for folder in (head.coverage.source.real(stack.path), *head.coverage.modules(stack)):
            if folder in visited:
                continue
            visited.add(folder)
            if _code_ids(head, folder) == _code_ids(base, folder):
                continue
            known_constraints = (
                known_constraints if known_constraints is not None else _known_constraints(base)
            )
            for provider, message, attribute in _changed_constraints(head, base, folder, known_constraints):
                path = posixpath.join(folder, attribute.file)
                if is_listed_provider(provider, allowed):
                    yield _finding(provider, message, path, stack.id, rules, line=attribute.line)


def _finding(
    provider: str,
    message: str,
    path: str,
    stack: str,
    rules: LockRules,
    *,
    is_listed: bool = True,
    line: int = 1,
) -> Finding:
    def finding(severity: Severity, message: str, advice: str) -> Finding:
        return Finding(severity, "lock-file", message, advice, path, line, stack)

    if rules.mode == "refuse" and is_listed:
        return finding("error", message, "`guard.lock_file_changes: refuse` is set on trunk.")
    if rules.effective_mode == "allow" and is_listed:
        return finding(
            "info",
            message,
            "The registry signs its packages, and nothing else is configured as their source.",
        )
    missing = rules.missing_approval(path) if rules.mode != "refuse" else ""
    if rules.mode != "refuse" and not missing:
        return finding("info", message, "An owner of the file wrote or approved it.")
    if not is_listed:
        advice = f"An owner lists it on trunk: `guard: {{providers: […, {provider}]}}` in infra.yaml."
        return finding("error", f"{message} The provider is not listed.", f"{advice} {missing}".strip())
    why = (
        "Providers come from a mirror: no registry signs them."
        if rules.mirrored
        else "`guard.lock_file_changes: owners` wants an owner to approve it."
    )
    return finding("error", message, f"{why} {missing}")


def _lock_path(project: Project, stack: Stack) -> str:
    return posixpath.join(project.coverage.source.real(stack.path), LOCK_FILE)


def _code_ids(project: Project, folder: str) -> list[tuple[str, str]]:
    """The code files of a folder with their contents."""
    source = project.coverage.source
    return [(name, project.tree.ids[path]) for name, path in source.code(folder)]


def _constraints(project: Project, folder: str) -> Iterator[tuple[Constraint, Attribute]]:
    """The providers that a folder requires. What cannot be determined has its own text as its constraint."""
    for name, attribute in project.coverage.source.module(folder).required_providers.items():
        elements = attribute.expression.elements
        version = attribute.expression if elements is None else elements.get("version")
        text = "" if version is None else version.string
        source = provider_source(name, attribute.expression) or f"hashicorp/{name}"
        yield (
            (provider_address(source), version.source if version and text is None else text or ""),
            attribute,
        )


def _changed_constraints(
    head: Project, base: Project, folder: str, trunk_constraints: Collection[Constraint]
) -> Iterator[tuple[str, str, Attribute]]:
    """Providers with what changes about their constraint, and where it is written."""
    old = {provider: (version, at) for (provider, version), at in _constraints(base, folder)}
    current = dict(_constraints(head, folder))
    for (provider, version), attribute in current.items():
        if (provider, version) in trunk_constraints:
            continue
        instead = f" instead of {old[provider][0] or 'no constraint'}" if provider in old else ""
        words = f"{version}" if version else "any version"
        yield provider, f"The code takes {provider} {words}{instead}, without a lock file.", attribute
    for provider in old.keys() - {provider for provider, _ in current}:
        version, attribute = old[provider]
        if version:
            yield (
                provider,
                f"The code no longer limits {provider} to {version}, without a lock file.",
                attribute,
            )


def _known_constraints(base: Project) -> set[Constraint]:
    folders: dict[str, None] = {}
    for stack in base.stacks.values():
        folders |= dict.fromkeys((base.coverage.source.real(stack.path), *base.coverage.modules(stack)))
    return {constraint for folder in folders for constraint, _ in _constraints(base, folder)}


def _changes(
    locks: Locks, old: Locks, trunk_packages: Collection[tuple[str, str | None]]
) -> Iterator[tuple[str, str]]:
    """Providers with what changes about them."""
    for name, (version, hashes) in locks.items():
        if (name, version) not in trunk_packages:
            instead = f" instead of {old[name][0]}" if name in old else ""
            yield name, f"The lock file takes {name} {version}{instead}, which no lock file of trunk has."
        elif name in old and old[name][0] == version and not old[name][1] <= hashes:
            yield name, f"The lock file no longer has every hash of {name} {version}."
    for name in old.keys() - locks.keys():
        yield name, f"The lock file no longer pins {name}: each run may take another version."


def _known_packages(base: Project) -> set[tuple[str, str | None]]:
    known_packages: set[tuple[str, str | None]] = set()
    contents_read: set[str] = set()
    for path, content in base.tree.ids.items():
        if posixpath.basename(path) == LOCK_FILE and content not in contents_read:
            contents_read.add(content)
            known_packages |= {
                (name, version) for name, (version, _) in read_lock(base.tree.read(path)).items()
            }
    return known_packages


def read_lock(data: bytes) -> Locks:
    """The packages that a lock file names: version and hashes by provider address."""
    return {
        provider.source.lower(): (provider.version, provider.checksums) for provider in read_lock_file(data)
    }
