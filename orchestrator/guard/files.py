"""What the guard refuses beside code: files that steer Terraform, links, lock files, changed rules."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from orchestrator.config import Config, GcsBackend
from orchestrator.config.globs import matches
from orchestrator.config.rules import Guard
from orchestrator.guard.rules import ANYTHING, Listed, configured_kind
from orchestrator.project.blocks import read as read_blocks
from orchestrator.project.model import Finding, Project
from orchestrator.project.tree import Lost

CONFIG = "infra.yaml"
LOCK_FILE = ".terraform.lock.hcl"
# Terraform's own configuration, and where it looks for providers, modules and plans that are there already.
STEERING = re.compile(
    r"(?:^|/)(?:\.terraformrc|terraform\.rc|[^/]*\.tfrc(?:\.json)?|\.tofurc|tofu\.rc"
    r"|\.terraform/.*|terraform\.d/.*|\.infra/.*)$",
    re.IGNORECASE,
)
WORKFLOWS = re.compile(r"\.github/(?:workflows|actions)/.*|(?:.*/)?action\.ya?ml")
CODEOWNERS = frozenset({"CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS"})
# What decides over changes: what to call it, and what it says.
KINDS = {
    "config": ("infra.yaml", "settings and rules"),
    "workflows": ("a workflow", "what runs in CI"),
    "policies": ("a policy", "what plans may do"),
    "codeowners": ("CODEOWNERS", "who must approve what"),
}
# provider → (version, hashes)
Locks = Mapping[str, tuple[str | None, frozenset[str]]]


def steering(project: Project) -> Iterator[Finding]:
    """Committed files from which Terraform takes providers, settings or modules."""
    for path in project.tree.ids:
        if STEERING.search(path):
            message = "Terraform takes settings, providers or modules from this file."
            advice = "Remove it: settings come from the machine, providers from the registry."
            yield Finding("error", "cli-config", message, advice, path, 1)


def names(project: Project, folders: Iterable[str]) -> Iterator[Finding]:
    """Files below folders that are read whose names hold what nobody sees: line ends, control characters.

    Lists of stacks are written one a line, and a reviewer could not tell such a name from another one.
    """
    tops = tuple(dict.fromkeys(folders))
    for path in (*project.tree.ids, *project.tree.links):
        if not path.isprintable() and any(not top or path.startswith(f"{top}/") for top in tops):
            message = "Its name holds characters that cannot be seen."
            yield Finding("error", "name", message, "Rename it, or its folder.", path, 1)


def links(project: Project, folders: Iterable[str], changed: Collection[str]) -> Iterator[Finding]:
    """Links out of the tree: all that changed, and those below folders that are read."""
    tops = tuple(dict.fromkeys(folders))
    for path in project.tree.links:
        lost = project.tree.resolve(path)
        if not isinstance(lost, Lost):
            continue
        if path in changed or any(not top or path.startswith(f"{top}/") or path == top for top in tops):
            what = "a link in a ring of links" if lost.why == "loop" else "a link out of the repository"
            yield Finding("error", "link", f"{path} is {what}.", "Put the file itself there.", path, 1)


def lock_files(
    head: Project, base: Project | None, stacks: Iterable[str], owned: Collection[str]
) -> Iterator[Finding]:
    """Lock files that name a provider package which trunk does not know.

    A version that some lock file of trunk has for the provider is known, and more hashes of a known version
    do no harm: Terraform asks the registry in either case. An owner's approval settles the rest.
    """
    if base is None:
        return
    known: set[tuple[str, str | None]] | None = None
    for stack in (head.stacks[id] for id in stacks):
        path = posixpath.join(head.coverage.source.real(stack.path), LOCK_FILE)
        before = base.tree.ids.get(path)
        if before == head.tree.ids.get(path) or path in owned:
            continue
        known = known if known is not None else _known(base)
        now = read_lock(head.tree.read(path)) if path in head.tree.ids else {}
        was = read_lock(base.tree.read(path)) if before else {}
        for message in _unknown(now, was, known):
            advice = "It decides which program runs in every plan: somebody who owns it must see it."
            yield Finding("error", "lock-file", message, advice, path, 1, stack.id)


def _unknown(now: Locks, was: Locks, known: Collection[tuple[str, str | None]]) -> Iterator[str]:
    for name, (version, hashes) in now.items():
        if (name, version) not in known:
            old = f" instead of {was[name][0]}" if name in was else ""
            yield f"The lock file takes {name} {version}{old}, which no lock file of trunk has."
        elif name in was and was[name][0] == version and not was[name][1] <= hashes:
            yield f"The lock file no longer has every hash of {name} {version}."
    for name in was.keys() - now.keys():
        yield f"The lock file no longer pins {name}: each run may take another version."


def _known(base: Project) -> set[tuple[str, str | None]]:
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
    for block in read_blocks(data).of("provider"):
        version = block.attributes.get("version")
        hashes = frozenset(one.text for one in block.strings if one.path == ("hashes",))
        found[block.name.lower()] = (version.value if version else None, hashes)
    return found


def rules_changed(changed: Iterable[str], rules: Guard, policies: str) -> Iterator[Finding]:
    """Changes of what decides over changes: a warning, or an error where infra.yaml of trunk says so."""
    for path in changed:
        kind = _kind(path, policies)
        if kind is None:
            continue
        what, why = KINDS[kind]
        severe = kind in rules.prevent
        message = f"This changes {what}: {why}."
        advice = "It counts from the merge on. Its owners decide: see to it that CODEOWNERS names them."
        if severe:
            message = f"This changes {what}, which `guard: {{prevent: [{kind}]}}` on trunk does not let."
            advice = "Somebody who may push to trunk, or change that rule there, does it."
        yield Finding("error" if severe else "warning", f"changed-{kind}", message, advice, path, 1)


def _kind(path: str, policies: str) -> str | None:
    if path == CONFIG:
        return "config"
    if WORKFLOWS.fullmatch(path):
        return "workflows"
    if path in CODEOWNERS:
        return "codeowners"
    return "policies" if path.startswith(f"{policies.rstrip('/')}/") else None


def backend_changed(head: Config, base: Config, allowed: Listed) -> Iterator[Finding]:
    """A backend in infra.yaml that trunk does not know; the other settings that matter are trunk's anyway."""
    if head.backend == base.backend:
        return
    kind = next(iter(configured_kind(head)), None)
    if kind is not None and not matches(kind, allowed.backends):
        yield _backend(f"the backend {kind} is not listed", "backends", kind)
    if isinstance(head.backend, GcsBackend):
        bucket = ANYTHING.sub("x", head.backend.bucket)
        if not matches(bucket, allowed.buckets):
            yield _backend(f"the bucket {head.backend.bucket} is not listed", "buckets", "NAME")


def _backend(what: str, key: str, value: str) -> Finding:
    message = f"infra.yaml keeps states elsewhere: {what}."
    advice = f"An owner lists it on trunk: `guard: {{{key}: […, {value}]}}` in infra.yaml."
    return Finding("error", "backend", message, advice, CONFIG, 1)
