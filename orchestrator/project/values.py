"""What a root's variables and locals are, as far as files tell, and what arguments its modules get."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence

from orchestrator.project.facts import DirFacts, ModuleCall
from orchestrator.project.source import Source
from orchestrator.project.text import UNKNOWN, Ref, Scope, Text

AUTO = (".auto.tfvars", ".auto.tfvars.json")


def auto_files(source: Source, folder: str) -> list[tuple[str, str]]:
    """The variable files that Terraform loads by itself, in its order: name and resolved path."""
    listed = dict(source.listing(folder))
    first = [name for name in ("terraform.tfvars", "terraform.tfvars.json") if name in listed]
    automatic = sorted(name for name in listed if name.endswith(AUTO) and not name.startswith("."))
    return [(name, listed[name]) for name in [*first, *automatic]]


def root_scope(source: Source, folder: str, var_files: Sequence[str], passed: Sequence[str]) -> Scope:
    """Names as a root module knows them. Variable files are read when a variable is first asked for.

    A variable that the environment may give (`passed` holds names such as TF_VAR_x) has no default that
    counts.
    """
    facts = source.directory(folder)
    loaded: list[dict[str, Text]] = []

    def files() -> dict[str, Text]:
        if not loaded:
            found = [path for _, path in auto_files(source, folder)]
            found += [path for name in var_files if (path := source.tree.find(name)) is not None]
            loaded.append({name: text for path in found for name, text in source.values(path).items()})
        return loaded[0]

    def lookup(ref: Ref) -> tuple[Text, Scope] | None:
        if ref.kind == "local":
            text = facts.locals.get(ref.name)
        else:
            text = files().get(ref.name)
            if text is None and f"TF_VAR_{ref.name}" not in passed:
                text = facts.variables.get(ref.name)
        return (text, scope) if text else None

    scope = Scope(lookup)
    return scope


def call_scope(facts: DirFacts, call: ModuleCall, caller: Scope) -> Scope:
    """Names as a called module knows them: arguments as the caller means them, then its defaults."""

    def lookup(ref: Ref) -> tuple[Text, Scope] | None:
        if ref.kind == "local":
            text = facts.locals.get(ref.name)
            return (text, scope) if text else None
        if ref.name in call.arguments:
            return call.arguments[ref.name], caller
        # An argument that is no string is not known here, and hides the default.
        text = facts.variables.get(ref.name) if ref.name not in call.given else UNKNOWN
        return (text, scope) if text else None

    scope = Scope(lookup)
    return scope


def instances(
    source: Source, folder: str, scope: Scope, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, Scope]]:
    """A root and every module that it calls and that is wanted, once per call, with the names it knows."""
    todo: list[tuple[str, Scope, tuple[str, ...]]] = [(folder, scope, (folder,))]
    while todo:
        at, names, above = todo.pop()
        yield at, names
        for call in source.calls(at):
            if call.path is not None and wanted(call.path) and call.path not in above:
                inner = call_scope(source.directory(call.path), call.call, names)
                todo.append((call.path, inner, (*above, call.path)))


def module_path(folder: str, text: Text, root: str) -> str | None:
    """A path text as a path from the project's root, when all of it is known; it may begin with `../`."""
    base = root
    parts = list(text)
    if parts and isinstance(parts[0], Ref) and parts[0].kind == "path":
        base = folder if parts.pop(0).name == "module" else root  # type: ignore[union-attr]
    if not all(isinstance(part, str) for part in parts):
        return None
    told = "".join(part for part in parts if isinstance(part, str))
    if len(parts) < len(text):
        told = told.lstrip("/")
    return posixpath.normpath(posixpath.join(base, told))
