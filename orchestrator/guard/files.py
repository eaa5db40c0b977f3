"""What the guard refuses beside code: files that configure Terraform, links, names, changed rules."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from unicodedata import normalize

from orchestrator.config import Config, GcsBackend
from orchestrator.config.globs import matches
from orchestrator.config.rules import Guard
from orchestrator.guard.allowed import PLACEHOLDER, Allowed, configured_kind
from orchestrator.guard.paths import is_hidden
from orchestrator.project.model import Finding, Project
from orchestrator.repository.tree import Lost

CONFIG = "infra.yaml"
# Folders at the project's root into which jobs write reports.
REPORTS = frozenset({"report", "reports"})
# Terraform's own configuration, and where it looks for providers, modules and plans that are there already.
CLI_FILES = re.compile(
    r"(?:^|/)(?:\.terraformrc|terraform\.rc|[^/]*\.tfrc(?:\.json)?|\.tofurc|tofu\.rc"
    r"|\.terraform/.*|terraform\.d/.*|\.terraform\.d/.*|\.infra/.*)$",
    re.IGNORECASE,
)
# Files of version managers, and a version there that is a folder: it takes the place of Terraform on PATH.
VERSION_MANAGERS = re.compile(
    r"(?:^|/)(?:\.tool-versions|\.?(?:mise|rtx)(?:\.[\w-]+)*\.toml|\.?mise/.*\.toml)$"
)
VERSION_PATH = re.compile(r"\bpath:")
CODE_NAME = re.compile(r"\.(?:tf|tofu|tfvars|hcl)(?:\.json)?$", re.IGNORECASE)
WORKFLOWS = re.compile(r"\.github/(?:workflows|actions)/.*|(?:.*/)?action\.ya?ml")
CODEOWNERS = frozenset({"CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS"})
# What decides over changes: what to call it, and what it says.
KINDS = {
    "config": ("infra.yaml", "settings and rules"),
    "workflows": ("a workflow", "what runs in CI"),
    "policies": ("a policy", "what plans may do"),
    "codeowners": ("CODEOWNERS", "who must approve what"),
}


def cli_configuration(project: Project) -> Iterator[Finding]:
    """Committed files, links and submodules from which Terraform takes providers, settings or modules.

    A link or submodule called `terraform.d` is a folder to Terraform, whatever it leads to.
    """
    tree = project.tree
    folders = (f"{path}/" for path in (*tree.links, *tree.submodules))
    for path in (*tree.ids, *tree.links, *folders):
        if CLI_FILES.search(path):
            message = "Terraform takes settings, providers or modules from this file."
            advice = "Remove it: settings come from the machine, providers from the registry."
            yield Finding("error", "cli-config", message, advice, path.rstrip("/"), 1)


def version_managers(project: Project) -> Iterator[Finding]:
    """Committed files by which a version manager takes a program from a folder."""
    for path in project.tree.ids:
        if not VERSION_MANAGERS.search(path):
            continue
        lines = project.tree.read(path).decode("utf-8", "replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if VERSION_PATH.search(line):
                message = "A version manager takes a program from a folder by this file."
                yield Finding("error", "cli-config", message, "Name a version.", path, number)


def unprintable_names(project: Project, folders: Iterable[str]) -> Iterator[Finding]:
    """Files below folders that are read whose names hold what nobody sees: line ends, control characters.

    Lists of stacks are written one a line, and a reviewer could not tell such a name from another one.
    """
    tops = tuple(dict.fromkeys(folders))
    for path in (*project.tree.ids, *project.tree.links):
        if not path.isprintable() and _is_below(path, tops):
            message = "Its name holds characters that cannot be seen."
            yield Finding("error", "name", message, "Rename it, or its folder.", path, 1)


def equal_names(project: Project, folders: Iterable[str], changed: Collection[str]) -> Iterator[Finding]:
    """Code whose path differs from another one in the case or encoding of letters alone.

    Some file systems keep one of the two.
    """
    paths = (*dict.fromkeys(folders), *changed)
    by_name: dict[str, str] = {}
    for path in sorted((*project.tree.ids, *project.tree.links)):
        if not CODE_NAME.search(path):
            continue
        name = path
        while name and (other := by_name.get(_folded(name))) != name:
            by_name.setdefault(_folded(name), name)
            if other is not None and (_is_near(name, paths) or _is_near(other, paths)):
                message = f"Only the case or the encoding of letters tells {name} from {other}."
                yield Finding("error", "name", message, "Rename one of the two.", path, 1)
                break
            name = posixpath.dirname(name)


def _folded(name: str) -> str:
    return normalize("NFC", name).casefold()


def links(project: Project, folders: Iterable[str], changed: Collection[str]) -> Iterator[Finding]:
    """Links that leave the repository or lead to Git's or infra's own files, or stand where reports go.

    All that changed are judged, and those below folders that are read.
    """
    for path in project.tree.links:
        if path.casefold() in REPORTS:
            message = f"{path} is a link: jobs would write their reports where it leads."
            yield Finding("error", "link", message, "Remove it, or give it another name.", path, 1)
    tops = tuple(dict.fromkeys(folders))
    for path in project.tree.links:
        if path not in changed and not _is_below(path, tops):
            continue
        target = project.tree.resolve(path)
        if isinstance(target, Lost):
            kind = "a link in a ring of links" if target.why == "loop" else "a link out of the repository"
        elif is_hidden(target):
            kind = f"a link to {target}, which is no code"
        else:
            continue
        yield Finding("error", "link", f"{path} is {kind}.", "Put the file itself there.", path, 1)


def _is_below(path: str, tops: Iterable[str]) -> bool:
    return any(not top or path.startswith(f"{top}/") or path == top for top in tops)


def _is_near(path: str, others: Iterable[str]) -> bool:
    """Whether one of the others is this path, lies below it, or holds it."""
    return any(
        not other or other == path or other.startswith(f"{path}/") or path.startswith(f"{other}/")
        for other in others
    )


def changed_rules(changed: Iterable[str], rules: Guard, policies: str) -> Iterator[Finding]:
    """Changes of what decides over changes: a warning, or an error where infra.yaml of trunk says so."""
    for path in changed:
        kind = _kind(path, policies)
        if kind is None:
            continue
        what, why = KINDS[kind]
        prevented = kind in rules.prevent
        message = f"This changes {what}: {why}."
        advice = "It counts from the merge on. Its owners decide: see to it that CODEOWNERS names them."
        if prevented:
            message = f"This changes {what}, which `guard: {{prevent: [{kind}]}}` on trunk does not let."
            advice = "Somebody who may push to trunk, or change that rule there, does it."
        yield Finding("error" if prevented else "warning", f"changed-{kind}", message, advice, path, 1)


def _kind(path: str, policies: str) -> str | None:
    if path == CONFIG:
        return "config"
    if WORKFLOWS.fullmatch(path):
        return "workflows"
    if path in CODEOWNERS:
        return "codeowners"
    return "policies" if path.startswith(f"{policies.rstrip('/')}/") else None


def changed_backend(head: Config, base: Config, allowed: Allowed) -> Iterator[Finding]:
    """A backend in infra.yaml that trunk does not know; the other settings that matter are trunk's anyway."""
    if head.backend == base.backend:
        return
    kind = next(iter(configured_kind(head)), None)
    if kind is not None and not matches(kind, allowed.backends):
        yield _backend(f"the backend {kind} is not listed", "backends", kind)
    if isinstance(head.backend, GcsBackend):
        bucket = PLACEHOLDER.sub("x", head.backend.bucket)
        if not matches(bucket, allowed.buckets):
            yield _backend(f"the bucket {head.backend.bucket} is not listed", "buckets", "NAME")


def moved_states(head: Project, base: Project | None, allowed: Allowed) -> Iterator[Finding]:
    """States that infra.yaml takes over (`moved_from`) from a bucket that trunk does not know."""
    for stack in head.stacks.values():
        before = base.stacks.get(stack.id) if base else None
        url = stack.moved_from
        if base is None or url is None or (before and before.moved_from == url):
            continue
        bucket = url.removeprefix("gs://").partition("/")[0]
        if not matches(bucket, allowed.buckets):
            yield _backend(f"{stack.id} takes one over from {bucket}, which is not listed", "buckets", bucket)


def _backend(problem: str, key: str, value: str) -> Finding:
    message = f"infra.yaml keeps states elsewhere: {problem}."
    advice = f"An owner lists it on trunk: `guard: {{{key}: […, {value}]}}` in infra.yaml."
    return Finding("error", "backend", message, advice, CONFIG, 1)
