"""Lock files: which provider packages run in every plan."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.config.rules import LockFileChanges
from orchestrator.guard.allowed import Allowed, is_listed_provider
from orchestrator.project.model import Finding, Project
from orchestrator.repository.hcl import read

LOCK_FILE = ".terraform.lock.hcl"
# provider → (version, hashes)
Locks = Mapping[str, tuple[str | None, frozenset[str]]]


@dataclass(frozen=True)
class LockRules:
    """How lock files are judged.

    `mode` is `guard.lock_file_changes`; `mirrored` says that providers come from a mirror, whose packages no
    registry has signed; `owned` are paths whose owner is author or approver of this head.
    """

    mode: LockFileChanges = "allow"
    mirrored: bool = False
    owned: Collection[str] = ()

    @property
    def effective_mode(self) -> LockFileChanges:
        """What counts: without the registry's signature, an owner must see a change."""
        return "owners" if self.mode == "allow" and self.mirrored else self.mode


def check_lock_files(
    head: Project, base: Project | None, stacks: Iterable[str], allowed: Allowed, rules: LockRules
) -> Iterator[Finding]:
    """Lock files that name a provider package which trunk does not know.

    A package that some lock file of trunk has is known, and more hashes of a known version do no harm.
    `guard.lock_file_changes` decides over another version of a listed provider; others are refused.
    """
    if base is None:
        return
    known: set[tuple[str, str | None]] | None = None
    for stack in (head.stacks[id_] for id_ in stacks):
        path = posixpath.join(head.coverage.source.real(stack.path), LOCK_FILE)
        before = base.tree.ids.get(path)
        if before == head.tree.ids.get(path):
            continue
        known = known if known is not None else _known_packages(base)
        locks = read_lock(head.tree.read(path)) if path in head.tree.ids else {}
        old = read_lock(base.tree.read(path)) if before else {}
        for provider, message in _changes(locks, old, known):
            listed = is_listed_provider(provider, allowed)
            yield _finding(provider, message, path, stack.id, rules, is_listed=listed)


def _finding(
    provider: str, message: str, path: str, stack: str, rules: LockRules, *, is_listed: bool
) -> Finding:
    if path in rules.owned and rules.mode != "refuse":
        return Finding("info", "lock-file", message, "An owner of the lock file approves it.", path, 1, stack)
    if not is_listed:
        advice = f"An owner lists it on trunk: `guard: {{providers: […, {provider}]}}` in infra.yaml."
        return Finding("error", "lock-file", f"{message} The provider is not listed.", advice, path, 1, stack)
    match rules.effective_mode:
        case "allow":
            advice = "The registry signs its packages, and nothing else is configured as their source."
            return Finding("info", "lock-file", message, advice, path, 1, stack)
        case "owners":
            why = (
                "Providers come from a mirror: no registry signs them. "
                if rules.mirrored
                else "`guard.lock_file_changes: owners` wants an owner to see it. "
            )
            advice = why.strip()
        case "refuse":
            advice = "`guard.lock_file_changes: refuse` is set on trunk: an owner changes it there first."
    return Finding("error", "lock-file", message, advice, path, 1, stack)


def _changes(
    locks: Locks, old: Locks, known: Collection[tuple[str, str | None]]
) -> Iterator[tuple[str, str]]:
    """Providers with what changes about them."""
    for name, (version, hashes) in locks.items():
        if (name, version) not in known:
            instead = f" instead of {old[name][0]}" if name in old else ""
            yield name, f"The lock file takes {name} {version}{instead}, which no lock file of trunk has."
        elif name in old and old[name][0] == version and not old[name][1] <= hashes:
            yield name, f"The lock file no longer has every hash of {name} {version}."
    for name in old.keys() - locks.keys():
        yield name, f"The lock file no longer pins {name}: each run may take another version."


def _known_packages(base: Project) -> set[tuple[str, str | None]]:
    found: set[tuple[str, str | None]] = set()
    seen: set[str] = set()
    for path, content in base.tree.ids.items():
        if posixpath.basename(path) == LOCK_FILE and content not in seen:
            seen.add(content)
            found |= {(name, version) for name, (version, _) in read_lock(base.tree.read(path)).items()}
    return found


def read_lock(data: bytes) -> Locks:
    """The packages that a lock file names: version and hashes by provider address."""
    found: dict[str, tuple[str | None, frozenset[str]]] = {}
    for block in read(LOCK_FILE, data).of("provider"):
        version = block.attributes.get("version")
        hashes = frozenset(one.text for one in block.strings() if one.path == ("hashes",))
        found[block.name.lower()] = (version.value if version else None, hashes)
    return found
