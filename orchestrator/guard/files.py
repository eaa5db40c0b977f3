"""Checks the files beside the code: files that configure Terraform, links, names, changed rules."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator
from unicodedata import normalize

from orchestrator.config.globs import matches
from orchestrator.config.rules import Guard
from orchestrator.guard.allowlist import Allowlist, configured_buckets, configured_kinds
from orchestrator.guard.paths import is_hidden
from orchestrator.guard.rules import STORE_ARGUMENT
from orchestrator.repository.model import Finding, Project, Stack
from orchestrator.repository.tree import BrokenPath
from orchestrator.state.location import Location

CONFIG = "infra.yaml"
# Folders at the project's root into which jobs write reports.
REPORTS = frozenset({"report", "reports"})
# Terraform's own configuration, and where it looks for providers, modules and plans that are there already.
CLI_FILES = re.compile(
    r"(?:^|/)(?:\.terraformrc|terraform\.rc|[^/]*\.tfrc(?:\.json)?|\.tofurc|tofu\.rc"
    r"|\.terraform/.*|terraform\.d/.*|\.terraform\.d/.*|\.infra/.*)$",
    re.IGNORECASE,
)
# Files of version managers whose programs stand on PATH in place of Terraform. A version with a slash is a
# folder to them, and the last kind can name programs, plugins, hooks and variables too.
VERSION_FILE = re.compile(r"(?:^|/)\.(?:terraform-version|opentofu-version|tfswitchrc)$")
TOOL_VERSIONS = re.compile(r"(?:^|/)\.tool-versions$")
TOOL_SETTINGS = re.compile(
    r"(?:^|/)(?:\.?(?:mise|miserc|rtx)(?:\.[\w-]+)*\.toml|\.?mise/.*\.toml|\.prototools)$"
)
VERSION_PATH = re.compile(r"\bpath:")
CODE_NAME = re.compile(r"\.(?:tf|tofu|tfvars|hcl)(?:\.json)?$", re.IGNORECASE)
WORKFLOWS = re.compile(r"\.github/(?:workflows|actions)/.*|(?:.*/)?action\.ya?ml")
CODEOWNERS = frozenset({"CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS"})
# Files that govern changes: their name, and what they define.
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


def version_managers(project: Project, changed: Collection[str]) -> Iterator[Finding]:
    """Committed files by which a version manager takes a program from a folder, or runs one of its own.

    What else such a file says than versions is refused where it is changed: trunk's was reviewed.
    """
    for path in project.tree.ids:
        if TOOL_SETTINGS.search(path):
            find = _line_of_program if path in changed else _line_with_path
        elif VERSION_FILE.search(path) or TOOL_VERSIONS.search(path):
            find = _line_with_folder
        else:
            continue
        line = find(project.tree.read(path).decode("utf-8", "replace"))
        if line:
            message = "A version manager takes a program from a folder by this file, or runs one."
            yield Finding("error", "cli-config", message, "Name versions alone.", path, line)


def _line_with_path(text: str) -> int | None:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if VERSION_PATH.search(line)), None)


def _line_with_folder(text: str) -> int | None:
    """The first line with a version that is a path; the name of a tool may hold slashes."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if VERSION_PATH.search(line) or any("/" in word for word in words[1:] or words):
            return number
    return None


def _line_of_program(text: str) -> int | None:
    """A line of a file that says more than which versions of which tools."""
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return 1
    tools = settings.pop("tools", {})
    settings.pop("min_version", None)
    is_plain = isinstance(tools, dict) and all(
        ":" not in name and _is_version(version) for name, version in tools.items()
    )
    return None if is_plain and not settings else _line_with_path(text) or 1


def _is_version(value: object) -> bool:
    """Whether a value is a version or a list of versions, and nothing else."""
    if isinstance(value, list):
        return all(map(_is_version, value))
    return isinstance(value, str) and re.fullmatch(r"[\w.+<>=~^ -]*", value) is not None


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

    Changed links and links below folders that are read are checked.
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
        if isinstance(target, BrokenPath):
            kind = "a link in a ring of links" if target.why == "loop" else "a link out of the repository"
        elif is_hidden(target):
            kind = f"a link to {target}, which is no code"
        else:
            continue
        yield Finding("error", "link", f"{path} is {kind}.", "Put the file itself there.", path, 1)


def _is_below(path: str, tops: Iterable[str]) -> bool:
    return any(not top or path.startswith(f"{top}/") or path == top for top in tops)


def _is_near(path: str, paths: Iterable[str]) -> bool:
    """Whether one of the others is this path, lies below it, or holds it."""
    return any(
        not other or other == path or other.startswith(f"{path}/") or path.startswith(f"{other}/")
        for other in paths
    )


def variable_files(project: Project, stacks: Iterable[str]) -> Iterator[Finding]:
    """Variable files of infra.yaml that are no code: Terraform shows lines that it cannot read."""
    for stack in (project.stacks[id_] for id_ in stacks):
        for name in stack.var_files:
            real = project.tree.resolve(name)
            target = real if isinstance(real, str) else name
            if is_hidden(name) or is_hidden(target):
                message = f"`var_files` of {stack.id} names {name}, which is no code."
                advice = "Name a variable file of the repository."
                yield Finding("error", "file-path", message, advice, CONFIG, 1, stack.id)


def changed_rules(changed: Iterable[str], rules: Guard, policies: str) -> Iterator[Finding]:
    """Changes to rules and workflows: a warning, or an error where `guard.prevent` on trunk lists them."""
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


def configured_backends(head: Project, trusted: Project, allowed: Allowlist) -> Iterator[Finding]:
    """A backend or bucket of infra.yaml that trunk neither has nor lists, also for a new environment."""
    for kind in sorted(configured_kinds(head.config) - configured_kinds(trusted.config)):
        if not matches(kind, allowed.backends):
            yield _backend(f"the backend {kind} is not listed", "backends", kind)
    for bucket in sorted(configured_buckets(head) - configured_buckets(trusted)):
        if not matches(bucket, allowed.buckets):
            yield _backend(f"the bucket {bucket} is not listed", "buckets", bucket)


def backend_files(stacks: Iterable[Stack], allowed: Allowlist) -> Iterator[Finding]:
    """Files of backend settings that name an account, an endpoint or a bucket that trunk does not know."""
    for stack in stacks:
        if stack.backend_file is None:
            continue
        for key in sorted(filter(STORE_ARGUMENT.fullmatch, stack.backend_config)):
            message = f"{stack.backend_file} sets `{key}` of the backend of {stack.id}."
            advice = "Leave it out: the account comes from the environment."
            yield Finding("error", "backend", message, advice, stack.backend_file, 1)
        bucket = stack.backend_config.get("bucket")
        if bucket is not None and not matches(bucket, allowed.buckets):
            message = f"{stack.backend_file} keeps the state of {stack.id} in {bucket}, which is not listed."
            advice = f"An owner lists it on trunk: `guard: {{buckets: […, {bucket}]}}` in infra.yaml."
            yield Finding("error", "backend", message, advice, stack.backend_file, 1)


def moved_states(head: Project, base: Project | None, allowed: Allowlist) -> Iterator[Finding]:
    """States that infra.yaml takes over (`moved_from`) from a bucket that trunk does not know."""
    for stack in head.stacks.values():
        before = base.stacks.get(stack.id) if base else None
        url = stack.moved_from
        if base is None or url is None or (before and before.moved_from == url):
            continue
        bucket = Location.parse(url).bucket
        if not matches(bucket, allowed.buckets):
            yield _backend(f"{stack.id} takes one over from {bucket}, which is not listed", "buckets", bucket)


def _backend(problem: str, key: str, value: str) -> Finding:
    message = f"infra.yaml keeps states elsewhere: {problem}."
    advice = f"An owner lists it on trunk: `guard: {{{key}: […, {value}]}}` in infra.yaml."
    return Finding("error", "backend", message, advice, CONFIG, 1)
