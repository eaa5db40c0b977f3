"""Resolves the variables and locals of root modules, and the arguments of the modules that they call."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence

from orchestrator.repository.facts import ModuleCall, ModuleFacts
from orchestrator.repository.hcl.text import NULL, NameScope, Part, Ref, Text
from orchestrator.repository.source import Source, local_scope, local_text

AUTO = (".auto.tfvars", ".auto.tfvars.json")
# More calls of modules than a stack has.
MAX_INSTANCES = 5_000
FIRST = ("terraform.tfvars", "terraform.tfvars.json")


def auto_files(source: Source, folder: str) -> list[tuple[str, str]]:
    """The variable files that Terraform loads by itself, in its order: name and resolved path.

    A name may begin with a dot: only files of code are left out for that.
    """
    listed = dict(source.listing(folder))
    return [(name, listed[name]) for name in auto_names(listed)]


def auto_names(names: Iterable[str]) -> list[str]:
    """The same among the names in a folder."""
    names = set(names)
    return [name for name in FIRST if name in names] + sorted(name for name in names if name.endswith(AUTO))


def ephemeral_variables(source: Source, folder: str) -> tuple[str, ...]:
    """The root's variables that no plan file holds: an apply of a saved plan wants their values again.

    One whose `ephemeral` cannot be determined counts as one.
    """
    return tuple(name for name, facts in source.directory(folder).variables.items() if facts.ephemeral)


def root_scope(source: Source, folder: str, var_files: Sequence[str], passed: Sequence[str]) -> NameScope:
    """Names as a root module knows them. Variable files are read when a variable is first requested.

    The last file that sets a variable counts. A variable that the environment may set (`passed` holds names
    such as TF_VAR_x) has no default that counts. Where a variable file cannot be read, no variable is known.
    """
    facts = source.directory(folder)
    loaded: list[dict[str, Text] | None] = []

    def values() -> dict[str, Text] | None:
        if not loaded:
            paths = [path for _, path in auto_files(source, folder)]
            paths += [path for name in var_files if (path := source.tree.find(name)) is not None]
            files = [source.values(path) for path in paths]
            readable = [values for values in files if values is not None]
            merged = {name: text for values in readable for name, text in values.items()}
            loaded.append(merged if len(readable) == len(files) else None)
        return loaded[0]

    def lookup(ref: Ref) -> tuple[Text, NameScope] | None:
        if ref.kind != "var":
            text = local_text(facts, ref)
            return (text, scope) if text else None
        assigned = values()
        if assigned is None or (f"TF_VAR_{ref.name}" in passed and ref.name not in assigned):
            return None
        text = _value(facts, ref.name, assigned.get(ref.name))
        return (text, scope) if text else None

    scope = NameScope(lookup, folder)
    return scope


def _value(facts: ModuleFacts, name: str, assigned: Text | None) -> Text | None:
    """A variable's value when `assigned` is what it is set to, None for nothing."""
    variable = facts.variables.get(name)
    if variable is None:
        return None
    # Null means the default where null is no value of the variable.
    if assigned is None or (assigned == NULL and not variable.nullable):
        assigned = variable.default
    return variable.convert(assigned) if assigned is not None else None


def call_scope(facts: ModuleFacts, folder: str, call: ModuleCall, caller: NameScope) -> NameScope:
    """Names as a called module knows them: arguments as the caller means them, then its defaults."""

    def lookup(ref: Ref) -> tuple[Text, NameScope] | None:
        if ref.kind != "var":
            text = local_text(facts, ref)
            return (text, scope) if text else None
        # A name in an argument that turns out to be null stays unknown: it may mean the default.
        text = _value(facts, ref.name, call.arguments.get(ref.name))
        return (text, caller) if text else None

    scope = NameScope(lookup, folder)
    return scope


def instances(
    source: Source, folder: str, scope: NameScope, is_wanted: Callable[[str], bool]
) -> Iterator[tuple[str, NameScope]]:
    """A root and every module that it calls and that is wanted, once per call, with the names it knows."""
    todo: list[tuple[str, NameScope, tuple[str, ...]]] = [(folder, scope, (folder,))]
    count = 0
    while todo:
        at, names, above = todo.pop()
        count += 1
        if count > MAX_INSTANCES:
            # Calls that double at each level: what names the rest knows cannot be determined.
            rest = dict.fromkeys([at, *(path for path, _, _ in todo), *source.reached(folder)])
            yield from ((path, local_scope(source.directory(path))) for path in rest if is_wanted(path))
            return
        yield at, names
        for call in source.calls(at):
            if call.path is not None and is_wanted(call.path) and call.path not in above:
                inner = call_scope(source.directory(call.path), call.path, call.call, names)
                todo.append((call.path, inner, (*above, call.path)))


def folder_of(part: Part, folder: str, root: str) -> str | None:
    """The folder that a path begins with, for code in `folder` called by `root`; None when with none."""
    match part:
        case Ref("path", "module"):
            return folder
        case Ref("path"):
            return root
        case Ref("folder", name):
            return name
        case _:
            return None


def module_path(folder: str, text: Text, root: str) -> str | None:
    """A path text as a path from the project's root, when all of it is known; it may begin with `../`."""
    base = root
    parts = list(text)
    base_folder = folder_of(parts[0], folder, root) if parts else None
    if base_folder is not None:
        base, parts = base_folder, parts[1:]
    if not all(isinstance(part, str) for part in parts):
        return None
    path = "".join(part for part in parts if isinstance(part, str))
    if len(parts) < len(text):
        path = path.lstrip("/")
    return posixpath.normpath(posixpath.join(base, path))
