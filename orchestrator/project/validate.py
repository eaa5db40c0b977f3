"""What is wrong with a project, or cannot be told: all findings in one list."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.project import graph
from orchestrator.project.given import mask_findings
from orchestrator.project.layout import no_stacks, root_modules
from orchestrator.project.model import Finding, Project, Severity, Stack, missing_settings
from orchestrator.repository.facts import Types
from orchestrator.repository.modules import is_code

CONFIG = "infra.yaml"
SEVERITIES = ("error", "warning", "info")


def check(project: Project) -> tuple[Finding, ...]:
    """Every finding, the serious ones first, then by file; one that several stacks share appears once."""
    found: dict[tuple[object, ...], Finding] = {}
    for finding in mask_findings(project, _all(project)):
        key = (finding.severity, finding.code, finding.message, finding.file, finding.line)
        found[key] = replace(found[key], stack=None) if key in found else finding
    return tuple(
        sorted(
            found.values(),
            key=lambda one: (SEVERITIES.index(one.severity), one.file or "", one.line or 0, one.message),
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
    for stack in project.stacks.values():
        yield from project.coverage.problems(stack)
        yield from _lock_file(project, stack)
        yield from _named_files(project, stack)
    yield from _modules(project)


def _layout(project: Project) -> Iterator[Finding]:
    roots = project.config.roots
    if not project.stacks:
        error = no_stacks(project, root_modules(project))
        yield Finding("error", "no-stacks", error.message, error.advice)
    for name in project.order.unordered:
        yield Finding(
            "warning",
            "environment-unordered",
            f"The place of environment {name} in the promotion order is not known.",
            "List all environments in order under `environments:` in infra.yaml to promote it.",
        )
    found = set(project.environments)
    for name in project.config.environments:
        if name not in found:
            message = f"Environment {name} is configured and has no stack."
            yield Finding(
                "info", "environment-empty", message, f"Add {roots.envs}/{name}, or drop it.", CONFIG
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
        elif stack.state is None and stack.backend.kind in ("gcs", "local"):
            message = f"Where {stack.id} keeps its state cannot be told."
            yield Finding("warning", "state-unknown", message, "Write plain strings.", at, stack=stack.id)
        if stack.moved_from:
            yield from (one for one in project.state_conflicts(stack) if one.code == "state-moved-from")
        if stack.state is None:
            continue
        first = owners.setdefault(stack.state, stack)
        if first is not stack:
            yield Finding(
                "error",
                "state-shared",
                f"{first.id} and {stack.id} share one state: {stack.state}.",
                _own_state(stack),
                at,
                stack=stack.id,
            )


def _shared_folders(project: Project) -> Iterator[Finding]:
    """Environments whose states lie in one folder of a bucket, as workspaces do: IAM cannot part them."""
    owners: dict[str, Stack] = {}
    for stack in project.stacks.values():
        if stack.state is None or not stack.state.startswith("gs://"):
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
    if stack.backend_config:
        return "Use both {environment} and {stack} in the backend's settings in infra.yaml."
    return "Give each stack a prefix of its own, or an empty backend block and settings in infra.yaml."


def _order(project: Project) -> Iterator[Finding]:
    cycle = project.cycle(project.stacks)
    if cycle:
        yield cycle
    place = {name: index for index, name in enumerate(project.order.names)}
    for edge in project.edges:
        source, target = project.stacks[edge.source], project.stacks[edge.target]
        if place.get(source.environment, -1) > place.get(target.environment, len(place)):
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
    names = {*project.stacks, *(name for name, one in project.config.stacks.items() if one.is_shared)}
    for name in project.config.stacks:
        if name not in names:
            message = f"`stacks.{name}` is no stack of this project."
            yield Finding("warning", "stack-unknown", message, "Correct the id, or drop the entry.", CONFIG)


def _lock_file(project: Project, stack: Stack) -> Iterator[Finding]:
    if stack.lock_file is not None or not locks_providers(project.types([stack.id])):
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


def locks_providers(types: Types) -> bool:
    """True when `init` would write a lock file: some provider is not built in."""
    return bool(types.providers)


def _named_files(project: Project, stack: Stack) -> Iterator[Finding]:
    tree = project.tree
    for path in stack.var_files:
        if tree.find(path) is None:
            message = f"{stack.id} uses the variable file {path}, which does not exist."
            advice = "Paths of `var_files` start at the folder of infra.yaml."
            yield Finding("error", "var-file", message, advice, CONFIG, stack=stack.id)
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
                at = posixpath.join(path, file)
                yield Finding("error", "syntax", f"This does not parse: {text}", "", at, line)


def _called_anywhere(project: Project) -> set[str]:
    """Modules called from any code of the repository, roots that are no stacks included."""
    source = project.coverage.source
    folders = {posixpath.dirname(path) for path in project.tree.ids if is_code(posixpath.basename(path))}
    folders = {folder for folder in folders if not {"examples", "tests"} & set(folder.split("/"))}
    return {
        call.path for folder in folders for call in source.calls(folder) if call.path not in (None, folder)
    }
