"""Reading the code of a tree: facts of a file, of a directory, and where module calls lead."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.project.facts import DirFacts, FileFacts, ModuleCall, PathUse
from orchestrator.project.model import Finding
from orchestrator.project.text import Ref, Scope, Text, literal, literal_prefix, resolve
from orchestrator.project.tree import Lost, Tree, inside

JSON = ".json"
CODE_SUFFIXES = (".tf", ".tf.json", ".tofu", ".tofu.json")
OVERRIDE = re.compile(r"(?:^|_)override\.(?:tf|tofu)(?:\.json)?$")


@dataclass(frozen=True)
class Memo:
    """What files say, by content id, so that trees read one after another share what they have in common."""

    files: dict[str, FileFacts] = field(default_factory=dict)
    templates: dict[str, tuple[PathUse, ...]] = field(default_factory=dict)
    values: dict[str, dict[str, Text]] = field(default_factory=dict)

    def __contains__(self, content: object) -> bool:
        return (
            content in self.files
            or f"{content}{JSON}" in self.files
            or content in self.templates
            or content in self.values
        )


@dataclass(frozen=True)
class Call:
    """Where a module call leads. `path` is None for a module that is not in the project.

    `broad` is the folder to take in its stead when the source cannot be told; `problem` is then a finding.
    """

    call: ModuleCall
    path: str | None
    broad: str | None = None
    problem: Finding | None = None


class Source:
    """The code of one tree. Everything is read once; paths are as in `Tree`."""

    def __init__(self, tree: Tree, modules_root: str, memo: Memo | None = None) -> None:
        self.tree = tree
        self.modules_root = modules_root
        self.memo = memo or Memo()
        self._directories: dict[str, DirFacts] = {}
        self._calls: dict[str, tuple[Call, ...]] = {}
        self._listed: dict[str, tuple[tuple[str, str], ...]] = {}

    def real(self, folder: str) -> str:
        """A root's directory without links: Terraform runs in it, and takes `../` from there."""
        found = self.tree.resolve(folder)
        return found if isinstance(found, str) else folder

    def listing(self, folder: str) -> tuple[tuple[str, str], ...]:
        """Names directly in a folder, each with the resolved path of the file behind it."""
        if folder not in self._listed:
            real = self.tree.resolve(folder)
            names = self.tree.files(real) if isinstance(real, str) else []
            found = ((name, self.tree.find(f"{real}/{name}" if real else name)) for name in names)
            self._listed[folder] = tuple((name, path) for name, path in found if path is not None)
        return self._listed[folder]

    def code(self, folder: str) -> list[tuple[str, str]]:
        """The Terraform files of a folder in the order in which Terraform reads them, override files last."""
        named = {name: path for name, path in self.listing(folder) if is_code(name)}
        replaced = {name for name in named if _twin(name) in named and _twin(name) != name}
        names = sorted(named.keys() - replaced, key=lambda name: (bool(OVERRIDE.search(name)), name))
        return [(name, named[name]) for name in names]

    def file(self, path: str) -> FileFacts:
        """The facts of one file; `path` is resolved."""
        # An empty file is fine as HCL and broken as JSON.
        key = self.tree.ids[path] + (JSON if path.endswith(JSON) else "")
        facts = self.memo.files.get(key)
        if facts is None:
            facts = self.memo.files[key] = _parse(path, self.tree.read(path))
        return facts

    def template(self, path: str) -> tuple[PathUse, ...]:
        """The paths that a template file reads by functions of its own."""
        real = self.tree.find(path)
        if real is None:
            return ()
        key = self.tree.ids[real]
        if key not in self.memo.templates:
            from orchestrator.project import hclfacts

            self.memo.templates[key] = hclfacts.template_paths(self.tree.read(real))
        return self.memo.templates[key]

    def values(self, path: str) -> dict[str, Text]:
        """The strings in one variable file; `path` is resolved."""
        key = self.tree.ids[path] + (JSON if path.endswith(JSON) else "")
        if key not in self.memo.values:
            self.memo.values[key] = _parse_values(path, self.tree.read(path))
        return self.memo.values[key]

    def directory(self, folder: str) -> DirFacts:
        """The facts of a directory's files together; none when there is no such directory."""
        facts = self._directories.get(folder)
        if facts is None:
            facts = DirFacts(folder)
            for name, path in self.code(folder):
                facts.add(name, self.file(path))
            self._directories[folder] = facts
        return facts

    def calls(self, folder: str) -> tuple[Call, ...]:
        """The module calls of a directory, each with where it leads."""
        if folder not in self._calls:
            facts = self.directory(folder)
            self._calls[folder] = tuple(self._follow(folder, call) for call in facts.calls.values())
        return self._calls[folder]

    def reached(self, folder: str) -> list[str]:
        """The modules that a directory calls, directly or not, in the order in which they are met."""
        found: dict[str, None] = {}
        todo = [folder]
        while todo:
            for call in self.calls(todo.pop()):
                if call.path is not None and call.path not in found and call.path != folder:
                    found[call.path] = None
                    todo.append(call.path)
        return list(found)

    def _follow(self, folder: str, call: ModuleCall) -> Call:
        facts = self.directory(folder)
        at = posixpath.join(folder, facts.at["module", call.name])
        source = resolve(call.source or (), local_scope(facts))
        told = literal(source)

        def finding(code: str, message: str, advice: str, severity: str = "error") -> Finding:
            return Finding(severity, code, message, advice, at, call.line)  # type: ignore[arg-type]

        if told is None or call.source is None:
            prefix = literal_prefix(source)
            start = inside(posixpath.join(folder, posixpath.dirname(prefix))) if is_local(prefix) else None
            broad = start or self.modules_root
            message = f"The source of module {call.name!r} cannot be told; all of {broad} counts as its code."
            advice = "Write the source as a plain string."
            return Call(call, None, broad, finding("module-source-unknown", message, advice, "warning"))
        if not is_local(told):
            return Call(call, None)
        target = inside(posixpath.join(folder, told))
        real = self.tree.resolve(target) if target is not None else None
        if target is None or isinstance(real, Lost):
            why = (
                "a ring of links" if isinstance(real, Lost) and real.why == "loop" else "outside the project"
            )
            message = f"Module {call.name!r} leads to {told}, which is {why}."
            return Call(
                call, None, problem=finding("module-outside", message, "Keep its code in the project.")
            )
        if real is not None and (found := self.tree.submodule_of(real)):
            message = f"Module {call.name!r} lies in the Git submodule {found}, which counts as one file."
            advice = "Its own files are not read: edges in it are not seen."
            return Call(call, None, found, finding("module-in-submodule", message, advice, "warning"))
        if not self.code(target):
            message = f"Module {call.name!r} leads to {target}, where there is no Terraform code."
            advice = "Correct the source, or add the module."
            return Call(call, None, target, finding("module-missing", message, advice))
        return Call(call, target)


def _parse(path: str, data: bytes) -> FileFacts:
    if path.endswith(".json"):
        from orchestrator.project import tfjson

        return tfjson.parse(data)
    from orchestrator.project import hclfacts

    return hclfacts.parse(data)


def _parse_values(path: str, data: bytes) -> dict[str, Text]:
    if path.endswith(".json"):
        from orchestrator.project import tfjson

        return tfjson.parse_values(data)[0]
    from orchestrator.project import hclfacts

    return hclfacts.parse_values(data)[0]


def _twin(name: str) -> str:
    """The OpenTofu file that takes a Terraform file's place."""
    for suffix in (".tf", ".tf.json"):
        if name.endswith(suffix):
            return name.removesuffix(suffix) + suffix.replace(".tf", ".tofu")
    return name


def is_code(name: str) -> bool:
    """True for a file name that Terraform or OpenTofu reads as configuration."""
    return name.endswith(CODE_SUFFIXES) and not name.startswith(".")


def is_local(source: str) -> bool:
    """True for a module source that is a path."""
    return source.startswith(("./", "../"))


def local_scope(facts: DirFacts) -> Scope:
    """A directory's own locals, and nothing of its variables."""

    def lookup(ref: Ref) -> tuple[Text, Scope] | None:
        found = facts.locals.get(ref.name) if ref.kind == "local" else None
        return (found, scope) if found else None

    scope = Scope(lookup)
    return scope


def folders(tree: Tree, start: str) -> Iterator[str | Lost]:
    """Folders below `start` that hold code, links to folders followed; `Lost` for a link that leads nowhere.

    Folders whose names begin with a dot (`.terraform`, `.infra`, `.git`) are not looked at.
    """
    todo: list[tuple[str, tuple[str, ...]]] = [(start, ())]
    while todo:
        shown, above = todo.pop()
        real = tree.resolve(shown)
        if isinstance(real, Lost):
            yield real
            continue
        if any(real == other or other.startswith(f"{real}/") for other in above):
            yield Lost("loop", shown)
            continue
        found: dict[str, None] = {}
        cut = len(real) + 1 if real else 0
        for path in tree.below(real):
            below = path[cut:]
            folder, _, name = below.rpartition("/")
            if folder and (folder.startswith(".") or "/." in folder):
                continue
            if path in tree.links and not name.startswith("."):
                target = tree.resolve(path)
                if isinstance(target, Lost) or (target not in tree.ids and tree.is_folder(target)):
                    todo.append((posixpath.join(shown, below), (*above, real, posixpath.dirname(path))))
                    continue
            if is_code(name):
                found[posixpath.join(shown, folder) if folder else shown] = None
        yield from found
