"""Finds the stacks and modules of a tree."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from orchestrator.config import DEFAULT_WORKSPACE, Config, StackSettings
from orchestrator.config.stack_pattern import StackPattern
from orchestrator.errors import ProjectError
from orchestrator.repository.backends import (
    backend_of,
    configured_settings,
    state_of,
)
from orchestrator.repository.file_reads import glob_pattern
from orchestrator.repository.hcl.text import NameScope
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.repository.model import Finding, Module, Stack
from orchestrator.repository.source import Source, folders
from orchestrator.repository.tree import BrokenPath, Tree, inside
from orchestrator.repository.variables import ephemeral_variables, root_scope
from orchestrator.state.backends import object_url

# Beside a root's own files these hold no stacks but what belongs to it.
HELPERS = frozenset({"tests", "examples", "test", "testing"})


@dataclass(frozen=True)
class RootModule:
    """A root module directory for one environment.

    `pattern` holds the settings of the pattern that finds it, None without one.
    """

    environment: str
    name: str
    path: str
    settings: StackSettings
    shared: bool = False
    pattern: StackSettings | None = None

    @property
    def id(self) -> str:
        """ENV/NAME; ENV for an environment that is itself a root."""
        return f"{self.environment}/{self.name}" if self.name else self.environment


@dataclass(frozen=True)
class Discovery:
    """All stacks by id with the names each knows, all modules by path, and what is wrong."""

    stacks: dict[str, Stack]
    scopes: dict[str, NameScope]
    modules: dict[str, Module]
    findings: list[Finding]


def discover(tree: Tree, config: Config, source: Source) -> Discovery:
    """Find all stacks and modules. Raises ProjectError when two directories have the same stack id."""
    findings: list[Finding] = []
    envs = _inside(config.roots.envs, "roots.envs")
    modules_root = _inside(config.roots.modules, "roots.modules")
    below = [
        path
        for path in _code_folders(tree, envs, findings)
        if not _below(path, modules_root) and _is_root(config, source, path)
    ]
    matches = _pattern_matches(config, source, modules_root)
    shared = list(_shared_roots(config, source, findings))
    used = called_from(source, [*below, *matches, *(root_module.path for root_module in shared)])
    taken = {root_module.path for root_module in shared}
    called = used | {source.real(path) for path in used}
    matched = {
        path: match
        for path, match in matches.items()
        if source.real(path) not in called and path not in taken
    }
    plain = _plain_roots(
        config,
        envs,
        [
            path
            for path in below
            if source.real(path) not in called and path not in taken and path not in matched
        ],
    )
    stacks: dict[str, Stack] = {}
    scopes: dict[str, NameScope] = {}
    for root_module in [*plain, *_pattern_roots(config, matched), *shared]:
        if root_module.id in stacks:
            raise ProjectError(
                f"Two directories are the stack {root_module.id}: {stacks[root_module.id].path} and "
                f"{root_module.path}.",
                advice="Name the shared root differently under `stacks:` in infra.yaml, or move one.",
                file="infra.yaml",
            )
        scopes[root_module.id], stacks[root_module.id] = stack_of_root(config, source, root_module)
    folders_of_modules = [
        path for path in _code_folders(tree, modules_root, findings) if not _is_helper(path)
    ]
    modules = _modules(source, {*folders_of_modules, *used}, stacks)
    return Discovery(stacks, scopes, modules, findings)


def _inside(path: object, key: str) -> str:
    clean = inside(str(path))
    if clean is None:
        raise ProjectError(
            f"{path} is outside the project.",
            advice=f"Give a path below the project's root for `{key}`.",
            file="infra.yaml",
        )
    return clean


def _code_folders(tree: Tree, start: str, findings: list[Finding]) -> Iterator[str]:
    """Yield folders with Terraform files; broken links become findings."""
    for folder in folders(tree, start):
        if isinstance(folder, BrokenPath):
            what = "a link in a ring of links" if folder.why == "loop" else "a link out of the project"
            findings.append(
                Finding(
                    "error",
                    f"link-{folder.why}",
                    f"{folder.link} is {what}.",
                    "Remove the link.",
                    folder.link,
                )
            )
        else:
            yield folder


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _is_root(config: Config, source: Source, path: str) -> bool:
    """Whether a folder may be a stack: it is not excluded, and holds more than `moved` blocks."""
    return not _is_excluded(path, config.exclude) and not source.directory(source.real(path)).has_only_moves


def _pattern_matches(
    config: Config, source: Source, modules_root: str
) -> dict[str, tuple[StackPattern, str, str]]:
    """Folders that a pattern matches: the first such pattern, the environment and the stack's name."""
    patterns = config.patterns
    matches: dict[str, tuple[StackPattern, str, str]] = {}
    for path in folders(source.tree, "") if patterns else ():
        if isinstance(path, BrokenPath) or _below(path, modules_root):
            continue
        for pattern in patterns:
            match = pattern.match(path)
            if match is not None and _is_root(config, source, path):
                matches.setdefault(path, (pattern, *match))
    return matches


def _pattern_roots(
    config: Config, matches: Mapping[str, tuple[StackPattern, str, str]]
) -> Iterator[RootModule]:
    """The stacks among the folders that patterns match."""
    for path, (pattern, environment, name) in sorted(matches.items()):
        if not _belongs_to_another(path, set(matches)):
            id_ = f"{environment}/{name}" if name else environment
            yield RootModule(
                environment, name, path, _settings_of(config, id_), pattern=config.patterns[pattern]
            )


def _is_excluded(path: str, globs: Iterable[str]) -> bool:
    """Whether `exclude` matches the folder or one of its parents."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    return any(glob_pattern(glob.strip("/")).fullmatch(folder) for glob in globs for folder in above)


def called_from(source: Source, start: list[str]) -> set[str]:
    """Every directory that `start` calls as a module, directly or indirectly."""
    called: set[str] = set()
    todo = [source.real(path) for path in start]
    visited = set(todo)
    while todo:
        folder = todo.pop()
        for call in source.calls(folder):
            if call.path is not None and call.path != folder:
                called.add(call.path)
                if call.path not in visited:
                    visited.add(call.path)
                    todo.append(call.path)
    return called


def _plain_roots(config: Config, envs: str, paths: list[str]) -> Iterator[RootModule]:
    """The stacks among the directories below the environments."""
    roots = set(paths)
    cut = len(envs) + 1 if envs else 0
    for path in sorted(paths):
        environment, _, name = path[cut:].partition("/")
        if not environment or _belongs_to_another(path, roots):
            continue
        id_ = f"{environment}/{name}" if name else environment
        yield RootModule(environment, name, path, _settings_of(config, id_))


def _settings_of(config: Config, stack: str) -> StackSettings:
    """The settings of one stack; those of a shared root with the same name do not count."""
    settings = config.stacks.get(stack)
    return StackSettings() if settings is None or settings.is_shared else settings


def _belongs_to_another(path: str, roots: set[str]) -> bool:
    """True for a stack's helper folders, such as `tests/setup` and `examples/basic`."""
    parts = path.split("/")
    return any(
        part in HELPERS and "/".join(parts[:index]) in roots for index, part in enumerate(parts) if index > 0
    )


def _is_helper(path: str) -> bool:
    return not HELPERS.isdisjoint(path.split("/"))


def _shared_roots(config: Config, source: Source, findings: list[Finding]) -> Iterator[RootModule]:
    """The stacks of roots that serve several environments."""
    for name, settings in config.stacks.items():
        if settings.path is None:
            continue
        path = inside(str(settings.path))
        key = f"stacks.{name}.path"
        if path is None:
            raise ProjectError(
                f"{settings.path}, the root of {name}, is outside the project.",
                advice=f"Give a path below the project's root for `{key}`.",
                file="infra.yaml",
            )
        if not source.code(path):
            message = f"There is no Terraform code in {path}, the root of {name}."
            findings.append(Finding("error", "no-root", message, f"Correct `{key}`.", "infra.yaml"))
            continue
        for environment in settings.environments:
            yield RootModule(environment, name, path, settings, shared=True)


def stack_of_root(config: Config, source: Source, root: RootModule) -> tuple[NameScope, Stack]:
    environment = config.environment(root.environment)
    own = root.settings.environments.get(root.environment) if root.shared else None
    var_files = _var_files(config, root)
    folder = source.real(root.path)
    facts = source.directory(folder)
    scope = root_scope(source, folder, var_files, environment.env)
    backend = backend_of(facts, scope)
    of_pattern = root.pattern.backend if root.pattern else None
    settings = replace(root.settings, backend=root.settings.backend or of_pattern)
    backend_settings = configured_settings(
        config, source, backend, settings, (root.environment, root.name, folder)
    )
    workspace = own.workspace if own else DEFAULT_WORKSPACE
    moved_from = own.moved_from if own else root.settings.moved_from
    lock_file = dict(source.listing(root.path)).get(LOCK_FILE)
    return scope, Stack(
        id=root.id,
        environment=root.environment,
        name=root.name,
        path=root.path,
        shared=root.shared,
        backend=backend,
        backend_config=backend_settings.values,
        backend_file=backend_settings.file,
        state=state_of(facts, backend, backend_settings.values, folder, workspace),
        workspace=workspace,
        moved_from=object_url(moved_from, workspace) if moved_from else None,
        ephemeral_variables=ephemeral_variables(source, folder),
        var_files=tuple(posixpath.normpath(path) for path in var_files),
        passed_env=environment.env,
        reads=_reads(config, root),
        depends_on=_depends_on(config, root),
        required_version=facts.required_version,
        providers=facts.required_providers,
        modules=tuple(call.path for call in source.calls(folder) if call.path is not None),
        lock_file=lock_file,
    )


def _depends_on(config: Config, root: RootModule) -> tuple[str, ...]:
    """Ids of the stacks to wait for. A shared root may name another by its bare name: the one beside it."""
    if not root.shared:
        return root.settings.depends_on
    beside = [name if "/" in name else f"{root.environment}/{name}" for name in root.settings.depends_on]
    return tuple(dict.fromkeys([*beside, *_settings_of(config, root.id).depends_on]))


def _var_files(config: Config, root: RootModule) -> list[str]:
    """The variable files that infra.yaml names, from the project's root; the last one counts most.

    First those of the environment, then those of a pattern or of a shared root module, then the stack's own.
    """
    own = root.settings.environments.get(root.environment) if root.shared else None
    of_stacks = [
        *(root.pattern.var_files if root.pattern else ()),
        *root.settings.var_files,
        *(_settings_of(config, root.id).var_files if root.shared else ()),
        *(own.var_files if own else ()),
    ]
    filled = [str(path).replace("{environment}", root.environment) for path in of_stacks]
    return [*map(str, config.environment(root.environment).var_files), *filled]


def _reads(config: Config, root: RootModule) -> tuple[str, ...]:
    """What infra.yaml says the stack reads, as paths from the project's root."""
    own = _settings_of(config, root.id).reads if root.shared else ()
    own += root.pattern.reads if root.pattern else ()
    return tuple(posixpath.normpath(str(path)) for path in (*root.settings.reads, *own))


def _modules(source: Source, paths: set[str], stacks: dict[str, Stack]) -> dict[str, Module]:
    """The modules by path; used are those that some stack reaches."""
    reached = called_from(source, sorted({stack.path for stack in stacks.values()}))
    modules = {}
    for path in sorted(paths):
        calls = dict.fromkeys(call.path for call in source.calls(path) if call.path is not None)
        modules[path] = Module(path, tuple(calls), path in reached)
    return modules


def nearest(name: str, names: list[str]) -> str:
    """ "Did you mean NAME?" for the closest name; empty when no name is close."""
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else ""
