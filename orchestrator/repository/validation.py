"""Validates a project: all findings in one list."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.config import DEFAULT_WORKSPACE
from orchestrator.repository import graph
from orchestrator.repository.backends import elsewhere_finding
from orchestrator.repository.facts import ProviderTypes
from orchestrator.repository.fingerprint import syntax_finding
from orchestrator.repository.layout import has_stacks, no_stacks_error, survey_project
from orchestrator.repository.model import Finding, Project, Severity, Stack, missing_settings, state_key
from orchestrator.repository.modules import is_code
from orchestrator.repository.sensitive_variables import mask_findings
from orchestrator.state.backends import backend_kind
from orchestrator.state.location import Location

CONFIG = "infra.yaml"
SEVERITIES = ("error", "warning", "info")


def validate_project(project: Project) -> tuple[Finding, ...]:
    """Every finding by severity and file, without duplicates."""
    findings: dict[tuple[object, ...], Finding] = {}
    for finding in mask_findings(project, _all(project)):
        key = (finding.severity, finding.code, finding.message, finding.file, finding.line)
        findings[key] = replace(findings[key], stack=None) if key in findings else finding
    return tuple(
        sorted(
            findings.values(),
            key=lambda finding: (
                SEVERITIES.index(finding.severity),
                finding.file or "",
                finding.line or 0,
                finding.message,
            ),
        )
    )


def _all(project: Project) -> Iterator[Finding]:
    yield from project.findings
    yield from _layout(project)
    yield from _dangling_links(project)
    yield from _states(project)
    yield from _shared_folders(project)
    yield from _order(project)
    yield from _configuration(project)
    yield from approval_problems(project)
    for stack in project.stacks.values():
        yield from project.coverage.problems(stack)
        yield from _lock_file(project, stack)
        yield from _named_files(project, stack)
    yield from _modules(project)


def _layout(project: Project) -> Iterator[Finding]:
    roots = project.config.roots
    if not has_stacks(project):
        error = no_stacks_error(project, survey_project(project))
        yield Finding("error", "no-stacks", error.message, error.advice)
    for name in project.order.unordered:
        yield Finding(
            "warning",
            "environment-unordered",
            f"The place of environment {name} in the promotion order is not known.",
            "List all environments in order under `environments:` in infra.yaml to promote it.",
        )
    environments = set(project.environments)
    for name in project.config.environments:
        if name not in environments:
            message = f"Environment {name} is configured and has no stack."
            yield Finding(
                "info", "environment-empty", message, f"Add {roots.envs}/{name}, or drop it.", CONFIG
            )


def approval_problems(project: Project) -> Iterator[Finding]:
    """Environments whose `approved_by` nothing can satisfy with the CI that infra.yaml names."""
    ci, config = project.config.ci, project.config
    for name in project.environments:
        if not config.needs_approval(name, project.order):
            continue
        by = config.environment(name).approved_by
        key = f"environments.{name}.approved_by is {by}"
        if ci.has_reviews:
            if by == "manifest":
                yield Finding(
                    "error",
                    "approval",
                    f"{key}, which is for a CI other than GitHub Actions.",
                    "Name it by `ci: {system: …}`, or let reviews approve: `approved_by: review`.",
                    CONFIG,
                )
        elif by in ("review", "codeowners"):
            yield Finding(
                "error",
                "approval",
                f"{key}, and infra cannot ask for reviews where `ci.system` is {ci.system}.",
                "Set `approved_by: manifest`, or `merge` with `ci.trunk_protected: true`.",
                CONFIG,
            )
        elif by == "merge" and not ci.trunk_protected:
            yield Finding(
                "error",
                "approval",
                f"{key}, and nothing says that trunk is protected: the merge approves nothing.",
                "Protect trunk, then set `ci.trunk_protected: true`; or use `approved_by: manifest`.",
                CONFIG,
            )


def _dangling_links(project: Project) -> Iterator[Finding]:
    """Links to files that are not there, which Terraform cannot read."""
    tree = project.tree
    roots = {stack.path for stack in project.stacks.values()}
    for path, target in tree.links.items():
        folder, _, name = path.rpartition("/")
        if not (is_code(name) or name.endswith((".tfvars", ".tfvars.json"))):
            continue
        resolved = tree.resolve(path)
        if isinstance(resolved, str) and not tree.exists(resolved):
            severity: Severity = "error" if folder in roots else "warning"
            message = f"{path} is a link to {target}, which does not exist."
            yield Finding(severity, "link-dangling", message, "Commit what it names, or remove it.", path)


def _states(project: Project) -> Iterator[Finding]:
    owners: dict[str, Stack] = {}
    roots = Counter(stack.path for stack in project.stacks.values())
    for stack in project.stacks.values():
        at = stack.path
        elsewhere = elsewhere_finding(stack)
        if elsewhere:
            yield elsewhere
            continue
        if stack.shared and not stack.backend.declared and roots[stack.path] > 1:
            yield Finding(
                "error",
                "shared-root-backend",
                f"{stack.path or 'The top folder'} serves several environments without a backend block: "
                "one state for all.",
                'Declare an empty one, `terraform { backend "gcs" {} }`, and set `backend:` in infra.yaml.',
                at,
                stack=stack.id,
            )
            continue
        lacking = missing_settings(stack)
        if lacking:
            yield lacking
        elif stack.state is None and backend_kind(stack.backend.kind).is_readable:
            message = f"Where {stack.id} keeps its state cannot be determined."
            yield Finding("warning", "state-unknown", message, "Write plain strings.", at, stack=stack.id)
        if stack.moved_from:
            yield from (
                state_conflict
                for state_conflict in project.state_conflicts(stack)
                if state_conflict.code == "state-moved-from"
            )
        key = state_key(stack)
        if key is None:
            continue
        first = owners.setdefault(key, stack)
        if first is not stack:
            yield Finding(
                "error",
                "state-shared",
                f"{first.id} and {stack.id} share one state: {key}.",
                _own_state(stack),
                at,
                stack=stack.id,
            )


def _shared_folders(project: Project) -> Iterator[Finding]:
    """Environments whose states lie in one folder of a bucket, as workspaces do: IAM cannot part them."""
    owners: dict[str, Stack] = {}
    for stack in project.stacks.values():
        if stack.state is None or not Location.parse(stack.state).is_remote:
            continue
        folder = stack.state.rpartition("/")[0]
        first = owners.setdefault(folder, stack)
        if first.environment != stack.environment and stack.workspace != first.workspace:
            yield Finding(
                "warning",
                "environments-not-separated",
                f"{first.id} and {stack.id} keep their states in one folder, {folder}: an account that may "
                f"read or write the one may do so with the other.",
                "Give each environment a prefix of its own in place of a workspace to part them.",
                stack.path,
                stack=stack.id,
            )


def _own_state(stack: Stack) -> str:
    if stack.workspace != DEFAULT_WORKSPACE:
        return "Give each of them a `workspace` of its own."
    if stack.backend_config:
        return (
            "Use {environment} and {stack} in the backend's settings in infra.yaml, or a workspace for each."
        )
    return "Give each stack a prefix of its own, or an empty backend block and settings in infra.yaml."


def _order(project: Project) -> Iterator[Finding]:
    cycle = project.cycle(project.stacks)
    if cycle:
        yield cycle
    rank = {name: index for index, name in enumerate(project.order.names)}
    for edge in project.edges:
        source, target = project.stacks[edge.source], project.stacks[edge.target]
        if rank.get(source.environment, -1) > rank.get(target.environment, len(rank)):
            yield Finding(
                "warning",
                "against-promotion",
                f"{target.id} needs {source.id}, which is promoted after it.",
                "Let an environment read only itself and those before it.",
                edge.file,
                edge.line,
                target.id,
            )


def _configuration(project: Project) -> Iterator[Finding]:
    names = {*project.stacks, *(name for name, stack in project.config.stacks.items() if stack.is_shared)}
    for pattern in project.config.patterns:
        names.add(pattern.text)
        if not any(pattern.match(stack.path) for stack in project.stacks.values()):
            message = f"No stack's folder matches the pattern `stacks.{pattern.text}`."
            yield Finding("warning", "pattern-unused", message, "Correct it, or drop the entry.", CONFIG)
    for name in project.config.stacks:
        if name not in names:
            message = f"`stacks.{name}` is no stack of this project."
            yield Finding("warning", "stack-unknown", message, "Correct the id, or drop the entry.", CONFIG)


def _lock_file(project: Project, stack: Stack) -> Iterator[Finding]:
    if stack.lock_file is not None or not _locks_providers(project.types([stack.id])):
        return
    required = project.config.lock_files == "required"
    yield Finding(
        "error" if required else "warning",
        "lock-file",
        f"{stack.id} has no .terraform.lock.hcl: each run may take other provider versions.",
        f"Make one with `infra lock {stack.id}` and commit it.",
        stack.path,
        stack=stack.id,
    )


def _locks_providers(types: ProviderTypes) -> bool:
    """True when `init` would write a lock file: some provider is not built in."""
    return bool(types.providers)


def _named_files(project: Project, stack: Stack) -> Iterator[Finding]:
    tree = project.tree
    yield from project.missing_var_files(stack)
    for path in stack.reads:
        if not tree.exists(path):
            message = f"{stack.id} is said to read {path}, which does not exist."
            yield Finding("warning", "reads", message, "Correct `reads:`.", CONFIG, stack=stack.id)


def _modules(project: Project) -> Iterator[Finding]:
    source = project.coverage.source
    needs = {
        path: [call.path for call in source.calls(path) if call.path is not None] for path in project.modules
    }
    cycle = graph.find_cycle(needs)
    if cycle:
        message = f"These modules call each other: {' → '.join(cycle[::-1])}."
        yield Finding("error", "module-cycle", message, "Terraform refuses that: break the circle.", cycle[0])
    called = _called_anywhere(project)
    for path, module in project.modules.items():
        if not module.used and path not in called:
            yield Finding("info", "module-unused", f"No stack calls {path}.", "", path)
        if not module.used:
            for file, line, text in source.directory(path).broken:
                yield syntax_finding(posixpath.join(path, file), line, text)


def _called_anywhere(project: Project) -> set[str]:
    """Modules called from any code of the repository, roots that are no stacks included."""
    source = project.coverage.source
    folders = {posixpath.dirname(path) for path in project.tree.ids if is_code(posixpath.basename(path))}
    folders = {folder for folder in folders if not {"examples", "tests"} & set(folder.split("/"))}
    return {
        call.path for folder in folders for call in source.calls(folder) if call.path not in (None, folder)
    }
