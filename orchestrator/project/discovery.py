"""Finding the stacks and modules of a tree."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from orchestrator.config import DEFAULT_WORKSPACE, Config, StackSettings
from orchestrator.errors import ProjectError
from orchestrator.project.model import Finding, Module, Stack
from orchestrator.project.reads import glob_pattern
from orchestrator.project.states import backend_config, backend_of, given_settings, object_url, state_of
from orchestrator.repository.hcl.text import Scope
from orchestrator.repository.source import Source, folders
from orchestrator.repository.tree import Lost, Tree, inside
from orchestrator.repository.variables import ephemeral_variables, root_scope

LOCK_FILE = ".terraform.lock.hcl"
# Beside a root's own files these hold no stacks but what belongs to it.
HELPERS = frozenset({"tests", "examples", "test", "testing"})


@dataclass(frozen=True)
class Root:
    """A directory that is a stack, or several: where it lies, and for whom."""

    environment: str
    name: str
    path: str
    settings: StackSettings
    shared: bool = False

    @property
    def id(self) -> str:
        """ENV/NAME; ENV for an environment that is itself a root."""
        return f"{self.environment}/{self.name}" if self.name else self.environment


@dataclass(frozen=True)
class Found:
    """All stacks by id with the names each knows, all modules by path, and what is wrong."""

    stacks: dict[str, Stack]
    scopes: dict[str, Scope]
    modules: dict[str, Module]
    findings: list[Finding]


def discover(tree: Tree, config: Config, source: Source, root: Path) -> Found:
    """Find everything. Raises ProjectError when two stacks have one id."""
    findings: list[Finding] = []
    envs = _inside(config.roots.envs, "roots.envs")
    modules_root = _inside(config.roots.modules, "roots.modules")
    below = [
        path
        for path in _code_folders(tree, envs, findings)
        if not _is_excluded(path, config.exclude) and not source.directory(source.real(path)).has_only_moves
    ]
    shared = list(_shared_roots(config, source, findings))
    used = called_from(source, [*below, *(one.path for one in shared)])
    taken = {one.path for one in shared}
    called = used | {source.real(path) for path in used}
    plain = _plain_roots(
        config, envs, [path for path in below if source.real(path) not in called and path not in taken]
    )
    stacks: dict[str, Stack] = {}
    scopes: dict[str, Scope] = {}
    for one in [*plain, *shared]:
        if one.id in stacks:
            raise ProjectError(
                f"Two directories are the stack {one.id}: {stacks[one.id].path} and {one.path}.",
                advice="Name the shared root differently under `stacks:` in infra.yaml, or move one.",
                file="infra.yaml",
            )
        scopes[one.id], stacks[one.id] = stack_of_root(config, source, one, root)
    folders_of_modules = [
        path for path in _code_folders(tree, modules_root, findings) if not _is_helper(path)
    ]
    modules = _modules(source, {*folders_of_modules, *used}, stacks)
    return Found(stacks, scopes, modules, findings)


def _inside(path: object, key: str) -> str:
    found = inside(str(path))
    if found is None:
        raise ProjectError(
            f"{path} is outside the project.",
            advice=f"Give a path below the project's root for `{key}`.",
            file="infra.yaml",
        )
    return found


def _code_folders(tree: Tree, start: str, findings: list[Finding]) -> Iterator[str]:
    """Folders with Terraform files; links that lead nowhere become findings."""
    for one in folders(tree, start):
        if isinstance(one, Lost):
            what = "a link in a ring of links" if one.why == "loop" else "a link out of the project"
            findings.append(
                Finding("error", f"link-{one.why}", f"{one.link} is {what}.", "Remove the link.", one.link)
            )
        else:
            yield one


def _is_excluded(path: str, globs: Iterable[str]) -> bool:
    """Whether a folder, or one that it lies in, is one that infra.yaml leaves out."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    return any(glob_pattern(glob.strip("/")).fullmatch(folder) for glob in globs for folder in above)


def called_from(source: Source, start: list[str]) -> set[str]:
    """Every directory that is called as a module from those given, directly or not."""
    found: set[str] = set()
    todo = [source.real(path) for path in start]
    seen = set(todo)
    while todo:
        folder = todo.pop()
        for call in source.calls(folder):
            if call.path is not None and call.path != folder:
                found.add(call.path)
                if call.path not in seen:
                    seen.add(call.path)
                    todo.append(call.path)
    return found


def _plain_roots(config: Config, envs: str, paths: list[str]) -> Iterator[Root]:
    """The stacks among the directories below the environments."""
    roots = set(paths)
    cut = len(envs) + 1 if envs else 0
    for path in sorted(paths):
        environment, _, name = path[cut:].partition("/")
        if not environment or _belongs_to_another(path, roots):
            continue
        id_ = f"{environment}/{name}" if name else environment
        yield Root(environment, name, path, _settings_of(config, id_))


def _settings_of(config: Config, stack: str) -> StackSettings:
    """What infra.yaml says of one stack; a shared root of that name is another thing."""
    settings = config.stacks.get(stack)
    return StackSettings() if settings is None or settings.is_shared else settings


def _belongs_to_another(path: str, roots: set[str]) -> bool:
    """True for helpers of a stack: `tests/setup` and `examples/basic` beside its files."""
    parts = path.split("/")
    return any(
        part in HELPERS and "/".join(parts[:index]) in roots for index, part in enumerate(parts) if index > 0
    )


def _is_helper(path: str) -> bool:
    return not HELPERS.isdisjoint(path.split("/"))


def _shared_roots(config: Config, source: Source, findings: list[Finding]) -> Iterator[Root]:
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
            yield Root(environment, name, path, settings, shared=True)


def stack_of_root(config: Config, source: Source, root: Root, top: Path) -> tuple[Scope, Stack]:
    environment = config.environment(root.environment)
    own = root.settings.environments.get(root.environment) if root.shared else None
    var_files = [str(path) for path in (*environment.var_files, *(own.var_files if own else ()))]
    folder = source.real(root.path)
    facts = source.directory(folder)
    scope = root_scope(source, folder, var_files, environment.env)
    backend = backend_of(facts, scope)
    given = given_settings(config, backend, root.environment, root.name)
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
        backend_config=backend_config(backend.kind, given, top),
        state=state_of(facts, backend, given, folder, workspace),
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


def _depends_on(config: Config, root: Root) -> tuple[str, ...]:
    """Ids of the stacks to wait for. A shared root may name another by its bare name: the one beside it."""
    if not root.shared:
        return root.settings.depends_on
    beside = [one if "/" in one else f"{root.environment}/{one}" for one in root.settings.depends_on]
    return tuple(dict.fromkeys([*beside, *_settings_of(config, root.id).depends_on]))


def _reads(config: Config, root: Root) -> tuple[str, ...]:
    """What infra.yaml says the stack reads, as paths from the project's root."""
    own = _settings_of(config, root.id).reads if root.shared else ()
    return tuple(posixpath.normpath(str(path)) for path in (*root.settings.reads, *own))


def _modules(source: Source, paths: set[str], stacks: dict[str, Stack]) -> dict[str, Module]:
    """The modules by path; used are those that some stack reaches."""
    reached = called_from(source, sorted({stack.path for stack in stacks.values()}))
    found = {}
    for path in sorted(paths):
        calls = dict.fromkeys(call.path for call in source.calls(path) if call.path is not None)
        found[path] = Module(path, tuple(calls), path in reached)
    return found


def nearest(name: str, names: list[str]) -> str:
    """A question with the name that was probably meant; empty when nothing is near."""
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else ""
