"""Surveys the code of a repository: which folders are stacks, in which environments, with which states.

Everything comes from the files of one tree. What they do not say (an environment's name, a bucket) is left
open and becomes a question; nothing is made up.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from orchestrator.config import (
    DEFAULT_WORKSPACE,
    Config,
    Environment,
    FileBackend,
    GcsBackend,
    Roots,
    SharedEnvironment,
    StackSettings,
)
from orchestrator.config.model import WELL_KNOWN
from orchestrator.config.stack_pattern import ENVIRONMENT, STACK
from orchestrator.errors import ProjectError
from orchestrator.repository.discovery import HELPERS, called_from, discover
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.repository.model import Stack, missing_settings, state_key
from orchestrator.repository.source import Source, folders
from orchestrator.repository.tree import BrokenPath, Tree
from orchestrator.repository.variables import auto_names
from orchestrator.state.backends import backend_kind

# Names of environments in the usual order of promotion.
PROMOTION_NAMES = (
    *("dev", "develop", "development", "int", "integration", "test", "tst", "qa", "uat", "acc", "acceptance"),
    *("nonprod", "nonproduction", "non-production", "staging", "stage", "stg", "preprod", "pre-prod"),
    *("prd", "prod", "production"),
)
# Environments only beside others: what they hold serves all.
SHARED_NAMES = frozenset({"shared", "common", "global", "mgmt", "management", "ops", "sandbox", "sbx"})
# Folders whose folders are environments, whatever they are called.
CONTAINERS = frozenset({"env", "envs", "environment", "environments"})
LIVE = "live"
# Parts of a path below which code is not a root module of the team's own.
NO_ROOTS = HELPERS | {"modules", "bootstrap"}
# Folders that are copied to make an environment, or are no longer one.
TEMPLATES = frozenset({"template", "templates", "_template", "skeleton", "archive", "archived", "deprecated"})
TERRAGRUNT = "terragrunt.hcl"
# Folders that a message names.
NAMED = 4
VAR_FILES = (".tfvars", ".tfvars.json")
BACKEND_FILES = (".tfbackend", ".hcl")
_WORKSPACE = "terraform.workspace"
_COMPARED = re.compile(rb'terraform\.workspace\s*[!=]=\s*"([^"\n]+)"')
_OBJECT_KEY = re.compile(rb'(?m)^\s*"?([A-Za-z][\w-]*)"?\s*[=:]\s*[{"\w\[]')


@dataclass(frozen=True)
class Answers:
    """What a person has said: the environments in promotion order, and the bucket of the states."""

    environments: tuple[str, ...] = ()
    bucket: str = ""


@dataclass(frozen=True)
class Layout:
    """One way to read a repository.

    `config` are the settings that find its stacks, `reasons` say where each came from, by key. `environments`
    are in promotion order as far as it is known, `unordered` the others. `left_out` are root modules that
    belong to no environment, `lacking` stacks whose backend has settings that no file gives.
    """

    config: Config
    stacks: Mapping[str, Stack]
    environments: tuple[str, ...]
    unordered: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def needs_bucket(self) -> bool:
        """Whether a stack's state would be in a bucket that nothing names."""
        return any(self.stacks[id_].backend.kind == GcsBackend.kind for id_ in self.lacking)


@dataclass(frozen=True)
class Survey:
    """The root modules of a repository, and the ways to read them.

    Several `layouts` are a choice that only people can make. Without any, `question` says what is missing.
    """

    roots: tuple[str, ...]
    layouts: tuple[Layout, ...] = ()
    question: str = ""


@dataclass(frozen=True)
class _Assigned:
    """A root module with the position of its environment in its path."""

    path: str
    index: int

    @property
    def parts(self) -> list[str]:
        return self.path.split("/")

    @property
    def environment(self) -> str:
        return self.parts[self.index]

    @property
    def above(self) -> tuple[str, ...]:
        return tuple(self.parts[: self.index])

    @property
    def below(self) -> tuple[str, ...]:
        return tuple(self.parts[self.index + 1 :])


def root_modules(source: Source) -> tuple[str, ...]:
    """Folders that look like root modules, from the project's root ("" for itself), in order.

    They have a backend, a lock file or a variable file of their own; where none has, they are called by no
    other module.
    """
    code = [folder for folder in folders(source.tree, "") if not isinstance(folder, BrokenPath)]
    called = called_from(source, code)
    uncalled = [
        folder
        for folder in sorted(code)
        if source.real(folder) not in called and NO_ROOTS.isdisjoint(folder.split("/"))
    ]
    plain = [folder for folder in uncalled if _is_used_as_root(source, folder)]
    return tuple(plain or uncalled)


def _is_used_as_root(source: Source, folder: str) -> bool:
    names = [name for name, _ in source.listing(folder)]
    return (
        source.directory(source.real(folder)).backend is not None
        or LOCK_FILE in names
        or any(name.endswith(VAR_FILES) for name in names)
    )


def survey(source: Source, answers: Answers) -> Survey:
    """What the code says about environments and stacks."""
    roots = root_modules(source)
    if not roots:
        if not answers.environments:
            note = missing_roots_note(source.tree) or ()
            return Survey((), question=" ".join(["There is no root module.", *note]))
        environments = {name: Environment() for name in answers.environments}
        return Survey((), (Layout(Config(environments=environments), {}, answers.environments),))
    layouts, questions = [], []
    for assigned in _assignments(roots):
        try:
            layout = _layout(source, roots, assigned, answers)
        except ProjectError as error:
            questions.append(error.message)
            continue
        if isinstance(layout, Layout):
            layouts.append(layout)
        else:
            questions.append(layout)
    return Survey(roots, tuple(layouts), "" if layouts else questions[0])


def missing_roots_note(tree: Tree) -> tuple[str, str] | None:
    """Why a repository may have no root module of its own, and what to do about it; None for no reason."""
    if tree.submodules:
        names = name_folders(sorted(tree.submodules))
        return (
            f"Root modules in Git submodules are no stacks: {names}.",
            "Run infra in the repository of the submodule, or move the code into this one.",
        )
    units = [posixpath.dirname(path) for path in tree.ids if posixpath.basename(path) == TERRAGRUNT]
    if units:
        return (
            f"Terragrunt generates the root modules, from {TERRAGRUNT} in {name_folders(sorted(units))}.",
            "infra runs root modules of the repository: docs/adopt.md of infra says how to commit them.",
        )
    return None


def name_folders(roots: Sequence[str]) -> str:
    """A few of the folders, and how many more there are."""
    paths = [path or "the top of the repository" for path in roots]
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{', '.join(paths[:NAMED])}{more}"


def _assignments(roots: Sequence[str]) -> list[list[_Assigned]]:
    """The ways to see an environment in the paths of root modules; several where the paths do not decide."""
    positions = {path: indexes for path in roots if (indexes := _positions(path))}
    common = set.intersection(*map(set, positions.values())) if positions else set()
    if len(common) > 1:
        return [[_Assigned(path, index) for path in positions] for index in sorted(common)]
    chosen = [_Assigned(path, min(common, default=indexes[0])) for path, indexes in positions.items()]
    above = {each.above for each in chosen}
    names = sorted(path[0] for path in above if len(path) == 1 and path[0] in CONTAINERS | {LIVE})
    if len(names) == len(above) > 1:
        return [[each for each in chosen if each.above == (name,)] for name in names]
    return [chosen]


def _positions(path: str) -> list[int]:
    """The parts of a path that may be its environment."""
    parts = path.split("/")
    return (
        [index + 1 for index, part in enumerate(parts[:-1]) if part in CONTAINERS]
        or [index for index, part in enumerate(parts) if part in PROMOTION_NAMES]
        or [index + 1 for index, part in enumerate(parts[:-1]) if part == LIVE]
        or [index for index, part in enumerate(parts) if part in SHARED_NAMES]
    )


def _layout(
    source: Source, roots: Sequence[str], assigned: Sequence[_Assigned], answers: Answers
) -> Layout | str:
    """The layout with these environments in paths; a question when it cannot be completed."""
    ordinary = [each for each in assigned if each.environment not in TEMPLATES]
    ordinary = _without_lonely_shared(ordinary)
    reasons: dict[str, str] = {}
    config = _config_of_paths(source, ordinary, reasons)
    paths = {each.path for each in ordinary}
    rest = [path for path in roots if path not in paths and path not in {each.path for each in assigned}]
    shared: dict[str, StackSettings] = {}
    for path in rest:
        environments = _environments_of_root(source, path, alone=len(roots) == 1)
        if environments:
            shared[_name_of(path, shared)] = StackSettings(
                path=PurePosixPath(path or "."), environments=environments
            )
    left_out = [path for path in rest if PurePosixPath(path or ".") not in {s.path for s in shared.values()}]
    if not ordinary and not shared:
        if not answers.environments:
            return _question(source, left_out)
        for path in left_out:
            shared[_name_of(path, shared)] = _root_with(source, path, answers.environments)
        left_out = []
    config = replace(config, stacks={**config.stacks, **shared})
    names = {each.environment for each in ordinary}
    names |= {name for settings in shared.values() for name in settings.environments}
    excluded = sorted({"/".join(e.parts[: e.index + 1]) for e in assigned if e.environment in TEMPLATES})
    config = replace(config, exclude=tuple(excluded))
    discovered = discover(source.tree, config, source).stacks.values()
    stacks = [stack for stack in discovered if stack.environment in names]
    discovered_with = config
    config = _with_exclusions(config, [stack for stack in discovered if stack.environment not in names])
    listed = [name for name in answers.environments if name in names]
    ordered = listed or [name for name in PROMOTION_NAMES if name in names]
    if not set(ordered) <= set(WELL_KNOWN) or (listed and ordered != [n for n in WELL_KNOWN if n in listed]):
        config = replace(config, environments={name: Environment() for name in ordered})
    config = _with_backends(source, config, stacks, answers.bucket, reasons)
    config = _with_var_files(source, config, stacks, ordered, reasons)
    if config != discovered_with:
        # Stacks have the settings that they were discovered with.
        stacks = list(discover(source.tree, config, source).stacks.values())
    lacking = tuple(stack.id for stack in stacks if missing_settings(stack))
    reasons.update(_shared_reasons(shared))
    unordered = tuple(sorted(names.difference(ordered)))
    by_id = {stack.id: stack for stack in stacks}
    return Layout(config, by_id, tuple(ordered), unordered, reasons, tuple(left_out), lacking)


def _without_lonely_shared(assigned: list[_Assigned]) -> list[_Assigned]:
    """Folders such as `global` are environments only beside others with the same path above."""
    above = {each.above for each in assigned if each.environment not in SHARED_NAMES}
    lone = [e for e in assigned if e.environment in SHARED_NAMES and e.above not in above]
    keep = [e for e in assigned if e not in lone]
    return keep + [e for e in lone if e.above and e.above[-1] in CONTAINERS]


def _config_of_paths(source: Source, assigned: Sequence[_Assigned], reasons: dict[str, str]) -> Config:
    """The settings that find root modules whose paths name their environment."""
    modules = _modules_folder(source, [each.path for each in assigned])
    above = {each.above for each in assigned}
    roots = Roots(modules=PurePosixPath(modules)) if modules else Roots()
    if modules and PurePosixPath(modules) != Roots().modules:
        reasons["roots.modules"] = "the modules that stacks call"
    prefix = "/".join(above.pop()) if len(above) == 1 else ""
    if prefix and not f"{prefix}/".startswith(f"{roots.modules}/"):
        reasons["roots.envs"] = _count(assigned)
        return Config(roots=replace(roots, envs=PurePosixPath(prefix)))
    stacks: dict[str, StackSettings] = {}
    for pattern, members in _patterns(assigned).items():
        stacks[pattern] = StackSettings()
        reasons[f"stacks.{pattern}"] = _count(members)
    return Config(roots=roots, stacks=stacks)


def _modules_folder(source: Source, roots: Sequence[str]) -> str:
    """The folder of the local modules, beside or above all root modules; empty where none is the only one."""
    holders = set()
    for path in source.tree.ids:
        parts = path.split("/")
        if path.endswith((".tf", ".tf.json")) and "modules" in parts[:-1] and not path.startswith("."):
            holders.add("/".join(parts[: parts.index("modules") + 1]))
    shared = [path for path in holders if all(_is_above(posixpath.dirname(path), root) for root in roots)]
    return shared[0] if len(shared) == 1 else ""


def _is_above(folder: str, path: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _count(assigned: Sequence[_Assigned]) -> str:
    names = sorted({each.environment for each in assigned}, key=_rank)
    modules = "root module" if len(assigned) == 1 else "root modules"
    return f"{len(assigned)} {modules} in {', '.join(names)}"


def _rank(name: str) -> tuple[int, str]:
    return (PROMOTION_NAMES.index(name) if name in PROMOTION_NAMES else len(PROMOTION_NAMES), name)


def _patterns(assigned: Iterable[_Assigned]) -> dict[str, list[_Assigned]]:
    """Patterns that match the paths, each with those that it is made from."""
    groups: dict[tuple[int, str, bool], list[_Assigned]] = {}
    for each in assigned:
        container = each.above[-1] if each.above and each.above[-1] in CONTAINERS else ""
        groups.setdefault((len(each.above), container, bool(each.below)), []).append(each)
    patterns: dict[str, list[_Assigned]] = {}
    # What has a literal folder is more exact than what has placeholders only.
    for _, members in sorted(groups.items(), key=lambda item: (not item[0][1], -item[0][0], not item[0][2])):
        patterns.setdefault(_pattern(members), []).extend(members)
    return patterns


def _pattern(members: Sequence[_Assigned]) -> str:
    columns = list(zip(*(each.above for each in members), strict=True))
    are_stages = bool(columns) and all(re.match(r"\d", name) for name in columns[0])
    names = iter(("stage" if are_stages else "component", "unit", "part", "piece"))
    parts = [values[0] if len(set(values)) == 1 else f"{{{next(names)}}}" for values in columns]
    parts.append(f"{{{ENVIRONMENT}}}")
    return "/".join([*parts, *([f"{{{STACK}}}"] if members[0].below else [])])


def _name_of(path: str, taken: Mapping[str, object]) -> str:
    """The name of a root that serves several environments: its folder's, or its path where that is taken."""
    name = posixpath.basename(path) or "main"
    return path if name in taken else name


def _environments_of_root(source: Source, path: str, *, alone: bool) -> dict[str, SharedEnvironment]:
    """The environments of a root by its variable files, backend files and workspaces; empty without any."""
    folder = "" if alone else path
    var_files = _files_by_environment(source, folder, VAR_FILES, loaded=path)
    backends = {
        name: files[0]
        for name, files in _files_by_environment(source, folder, BACKEND_FILES).items()
        if _is_backend_file(source, files[0], _kind(source, path))
    }
    uses_workspace = any(_WORKSPACE.encode() in source.read(file) for _, file in source.code(path))
    names = sorted({*var_files, *backends}, key=_rank)
    if not names and uses_workspace:
        names = sorted(_workspaces_in_code(source, path), key=_rank)
    has_workspaces = uses_workspace or not backends
    return {
        name: SharedEnvironment(
            tuple(PurePosixPath(file) for file in var_files.get(name, ())),
            name if has_workspaces and len(names) > 1 else DEFAULT_WORKSPACE,
        )
        for name in names
    }


def _kind(source: Source, path: str) -> str:
    backend = source.directory(source.real(path)).backend
    return backend.kind if backend else "local"


def _files_by_environment(
    source: Source, folder: str, endings: tuple[str, ...], loaded: str | None = None
) -> dict[str, list[str]]:
    """Files below a folder whose path names an environment; those that Terraform loads by itself are none."""
    files: dict[str, list[str]] = {}
    for path in source.tree.below(folder):
        below = path[len(folder) + 1 :] if folder else path
        if not path.endswith(endings) or "/." in f"/{below}" or posixpath.basename(path) == LOCK_FILE:
            continue
        name = posixpath.basename(path)
        if loaded is not None and posixpath.dirname(path) == loaded and auto_names([name]):
            continue
        environment = environment_in(below)
        if environment:
            files.setdefault(environment, []).append(path)
    return files


def environment_in(path: str) -> str:
    """The environment that a file's path names by a folder or a word of its name; empty without one."""
    *above, name = path.split("/")
    words = [*re.split(r"[._]", name), *re.split(r"[._-]", name), *reversed(above)]
    return next((word for word in words if word in PROMOTION_NAMES), "")


def _workspaces_in_code(source: Source, path: str) -> set[str]:
    """Workspaces that the code of a root compares with, or has settings for."""
    texts = [source.read(file) for _, file in source.code(path)]
    names = {match.decode() for text in texts for match in _COMPARED.findall(text)}
    keys = {match.decode() for text in texts for match in _OBJECT_KEY.findall(text)}
    return (names - {DEFAULT_WORKSPACE}) | (keys & set(PROMOTION_NAMES))


def _root_with(source: Source, path: str, environments: Sequence[str]) -> StackSettings:
    """A root that serves the environments that a person named, each in a workspace if there are several."""
    shared = {
        name: SharedEnvironment(workspace=name if len(environments) > 1 else DEFAULT_WORKSPACE)
        for name in environments
    }
    return StackSettings(path=PurePosixPath(path or "."), environments=shared)


def _question(source: Source, roots: Sequence[str]) -> str:
    """What a person has to say about root modules that name no environment."""
    listed = ", ".join(path or "the top folder" for path in roots[:4])
    more = f" and {len(roots) - 4} more" if len(roots) > 4 else ""
    uses_workspaces = any(
        _WORKSPACE.encode() in source.read(file) for path in roots for _, file in source.code(path)
    )
    what = "which workspaces it has" if uses_workspaces else "which environment it is"
    return f"{listed}{more}: nothing says {what}."


def _with_exclusions(config: Config, strangers: Iterable[Stack]) -> Config:
    """The settings without the folders of stacks that only look like some, such as unused modules."""
    excluded = set(config.exclude)
    for stack in strangers:
        parts = stack.path.split("/")
        excluded.add("/".join(parts[: parts.index(stack.environment) + 1]))
    return replace(config, exclude=tuple(sorted(excluded)))


def _with_backends(
    source: Source, config: Config, discovered: Sequence[Stack], bucket: str, reasons: dict[str, str]
) -> Config:
    """The settings with the file, or the bucket, that gives backends what their blocks leave open."""
    keys = [key for stack in discovered if (key := state_key(stack))]
    lacking = [
        stack
        for stack in discovered
        if missing_settings(stack) or (stack.shared and keys.count(state_key(stack) or "") > 1)
    ]
    stacks = dict(config.stacks)
    for name in {stack.name for stack in lacking if stack.shared}:
        of_root = [stack for stack in lacking if stack.shared and stack.name == name]
        if template := next(_templates(source, of_root), None):
            stacks[name] = replace(stacks[name], backend=FileBackend(template))
            lacking = [stack for stack in lacking if stack not in of_root]
    config = replace(config, stacks=stacks)
    plain = [stack for stack in lacking if missing_settings(stack)]
    if plain and (template := next(_templates(source, plain), None)):
        reasons["backend"] = "the files with what backend blocks leave open"
        return replace(config, backend=FileBackend(template))
    if bucket and any(stack.backend.kind == GcsBackend.kind for stack in plain):
        reasons["backend"] = "for backend blocks that leave the bucket open"
        return replace(config, backend=GcsBackend(bucket))
    return config


def _templates(source: Source, stacks: Sequence[Stack]) -> Iterator[str]:
    """Templates of `config_file` under which each of the stacks has a file, the nearest first."""
    first = stacks[0]
    candidates: dict[str, None] = {}
    for path in source.tree.ids:
        if not path.endswith(BACKEND_FILES) or posixpath.basename(path) == LOCK_FILE:
            continue
        named = _named(path, first.environment)
        if environment_in(named):
            continue
        in_folder = first.path and path.startswith(f"{first.path}/")
        if in_folder:
            candidates[f"{{path}}/{_named(path[len(first.path) + 1 :], first.environment)}"] = None
        if named != path:
            candidates[named] = None
        if not in_folder and named == path and "/" not in path:
            candidates[path] = None
    for template in sorted(candidates, key=lambda text: (not text.startswith("{path}"), len(text), text)):
        files = [FileBackend(template).path(s.environment, s.name, s.path) for s in stacks]
        fits = all(
            _is_backend_file(source, file, stack.backend.kind)
            for file, stack in zip(files, stacks, strict=True)
        )
        if fits:
            yield template


def _named(path: str, environment: str) -> str:
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(environment)}(?![A-Za-z0-9])", "{environment}", path)


def _is_backend_file(source: Source, path: str, kind: str) -> bool:
    """Whether a file holds nothing but settings of a backend of that kind."""
    real = source.tree.find(path)
    if real is None:
        return False
    file = source.variable_file(real)
    keys = file.attributes.keys()
    known = backend_kind(kind).known_keys
    return file.problem is None and not file.blocks and bool(keys) and (not known or keys <= known)


def _with_var_files(
    source: Source,
    config: Config,
    discovered: Sequence[Stack],
    environments: Sequence[str],
    reasons: dict[str, str],
) -> Config:
    """The settings with variable files of environments that set what their stacks require."""
    by_environment = _files_by_environment(source, "", VAR_FILES)
    settings = dict(config.environments)
    for name in environments:
        stacks = [stack for stack in discovered if stack.environment == name and not stack.shared]
        required = {variable for stack in stacks for variable in _required(source, stack)}
        inside = {stack.path for stack in stacks}
        files = [
            path
            for path in by_environment.get(name, ())
            if posixpath.dirname(path) not in inside and required & (source.values(path) or {}).keys()
        ]
        if files:
            settings[name] = replace(
                config.environment(name), var_files=tuple(PurePosixPath(path) for path in sorted(files))
            )
            reasons[f"environments.{name}.var_files"] = "variables that stacks require"
    if settings == dict(config.environments):
        return config
    return replace(config, environments={name: settings.get(name, Environment()) for name in environments})


def _required(source: Source, stack: Stack) -> set[str]:
    """Variables of a root without a default that no variable file of its folder sets."""
    folder = source.real(stack.path)
    listed = dict(source.listing(folder))
    assigned = {name for file in auto_names(listed) for name in source.values(listed[file]) or {}}
    variables = source.directory(folder).variables
    return {name for name, facts in variables.items() if facts.default is None} - assigned


def _shared_reasons(shared: Mapping[str, StackSettings]) -> dict[str, str]:
    reasons = {}
    for name, settings in shared.items():
        workspaces = any(each.workspace != DEFAULT_WORKSPACE for each in settings.environments.values())
        files = any(each.var_files for each in settings.environments.values())
        what = "variable files" if files else "workspaces" if workspaces else "what you said"
        reasons[f"stacks.{name}"] = f"one root module; its environments by {what}"
    return reasons
