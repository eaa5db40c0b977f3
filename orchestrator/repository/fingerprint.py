"""Computes stack fingerprints: hashes of everything that a stack's plan reads in the repository.

File contents are represented by their Git object ids, so hashing a stack reads no file twice.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import sha256

from orchestrator.config import DEFAULT_WORKSPACE, Config
from orchestrator.repository.backends import backend_file_findings
from orchestrator.repository.facts import NO_TYPES, PathUse, ProviderTypes
from orchestrator.repository.file_reads import (
    CodeLocation,
    FileReads,
    add_file_read,
    code_contents,
    contents,
    needs_root,
)
from orchestrator.repository.hcl.text import NameScope
from orchestrator.repository.model import Finding, Stack
from orchestrator.repository.modules import is_code
from orchestrator.repository.source import Source, local_scope
from orchestrator.repository.variables import auto_files, instances

VERSION_FILE = ".terraform-version"
BUILTIN = "terraform"


@dataclass
class FolderPart:
    """The contribution of one directory to the fingerprints of the stacks that use it.

    `files` are contents by path, `rooted` uses of paths (each with its file) that depend on the root,
    `open` the files with a path that cannot be determined.
    """

    files: dict[str, str] = field(default_factory=dict)
    rooted: list[tuple[str, PathUse]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    digest: str = ""


# How a pointer file of Git LFS begins, by its specification.
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class Coverage:
    """Fingerprints of all stacks of one tree. Shared modules are processed once."""

    def __init__(self, source: Source, config: Config, scopes: Mapping[str, NameScope]) -> None:
        self.source = source
        self.config = config
        self.scopes = scopes
        self._modules: dict[str, FolderPart] = {}
        self._roots: dict[str, FolderPart] = {}
        self._reached: dict[str, list[str]] = {}
        self._pointer: dict[str, bool] = {}

    def fingerprint(self, stack: Stack) -> str:
        """64 hexadecimal digits that change when, and only when, something that the plan reads here does."""
        lines = [f"{key}\0{value}" for key, value in self.settings(stack)]
        lines += [f"module {path}\0{self.module(path).digest}" for path in sorted(self.modules(stack))]
        lines.append(self.root(stack).digest)
        return _hash(lines)

    def files(self, stack: Stack) -> dict[str, str]:
        """Everything that the fingerprint covers, by path."""
        module_files = {
            path: id_ for module in self.modules(stack) for path, id_ in self.module(module).files.items()
        }
        return dict(sorted({**module_files, **self.root(stack).files}.items()))

    def modules(self, stack: Stack) -> list[str]:
        """The local modules that the stack reaches."""
        folder = self.source.real(stack.path)
        if folder not in self._reached:
            self._reached[folder] = self.source.reached(folder)
        return self._reached[folder]

    def settings(self, stack: Stack) -> list[tuple[str, str]]:
        """The settings of infra.yaml that reach Terraform."""
        return [
            *((f"backend.{key}", value) for key, value in sorted(stack.backend_config.items())),
            *(("var_files", path) for path in stack.var_files),
            *(("env", name) for name in sorted(stack.passed_env)),
            *([("workspace", stack.workspace)] if stack.workspace != DEFAULT_WORKSPACE else []),
            # Declaring it makes the stack pending: the next apply copies the state.
            *([("moved_from", stack.moved_from)] if stack.moved_from else []),
        ]

    def init_key(self, stack: Stack) -> str:
        """A hash of what `terraform init` looks at."""
        folder = self.source.real(stack.path)
        lines = [f"{key}\0{value}" for key, value in self.settings(stack)]
        for directory in (folder, *sorted(self.modules(stack))):
            facts = self.source.directory(directory)
            lines += [directory, *facts.settings, *sorted(facts.types.providers)]
        lock = self.source.tree.ids.get(stack.lock_file or "", "")
        return _hash([*lines, f"lock\0{lock}"])

    def problems(self, stack: Stack) -> list[Finding]:
        """Findings in the code of a stack and of the modules that it calls."""
        parts = [self.root(stack), *(self.module(path) for path in self.modules(stack))]
        findings = [finding for part in parts for finding in part.findings]
        if stack.reads:
            findings = [finding for finding in findings if finding.code != "path-unknown"]
        findings += [*backend_file_findings(self.source, stack), *self._pointers(stack)]
        findings += self._empty_submodules(stack)
        return [replace(finding, stack=stack.id) for finding in dict.fromkeys(findings)]

    def _empty_submodules(self, stack: Stack) -> list[Finding]:
        """Findings for Git submodules that a stack reads and that are not checked out."""
        empty = self.source.tree.empty_submodules
        if not empty:
            return []
        return [
            Finding(
                "error",
                "submodule-empty",
                f"{stack.id} reads {path}, a Git submodule that is not checked out: its folder is empty.",
                f"`git submodule update --init {path}` fetches it; in GitHub Actions give actions/checkout "
                "`submodules: true`.",
                path,
            )
            for path in self.files(stack)
            if path in empty
        ]

    def _pointers(self, stack: Stack) -> list[Finding]:
        """Findings for files of a stack that are unfetched Git LFS pointers."""
        if not self._uses_lfs:
            return []
        return [
            _pointer_finding(path)
            for path in self.files(stack)
            if not is_code(posixpath.basename(path)) and self._is_pointer(path)
        ]

    def _is_pointer(self, path: str) -> bool:
        if path not in self._pointer:
            real = self.source.tree.find(path)
            content = self.source.tree.read(real) if real is not None else b""
            self._pointer[path] = content.startswith(LFS_POINTER)
        return self._pointer[path]

    @cached_property
    def _uses_lfs(self) -> bool:
        """Whether this is a checkout, in which Git LFS puts files in place of their pointers."""
        tree = self.source.tree
        attributes = [path for path in tree.ids if posixpath.basename(path) == ".gitattributes"]
        return tree.commit is None and any(b"filter=lfs" in tree.read(path) for path in attributes)

    def types(self, stacks: Iterable[Stack]) -> ProviderTypes:
        """All types that stacks use; `providers` are full source addresses, the built-in one left out."""
        no_types = NO_TYPES
        folders = {f for stack in stacks for f in (self.source.real(stack.path), *self.modules(stack))}
        for folder in sorted(folders):
            facts = self.source.directory(folder)
            names = (facts.types.providers | facts.required_providers.keys()) - {BUILTIN}
            sources = {facts.required_providers.get(name, f"hashicorp/{name}") for name in names}
            no_types = no_types | replace(facts.types, providers=frozenset(map(provider_address, sources)))
        return no_types

    def module(self, folder: str) -> FolderPart:
        """What a module adds, whichever stack calls it."""
        part = self._modules.get(folder)
        if part is None:
            # Stored when it is whole: other threads may ask meanwhile.
            part = self._modules[folder] = self._module(folder)
        return part

    def root(self, stack: Stack) -> FolderPart:
        """What the stack's own directory adds, and what its modules read by the root."""
        part = self._roots.get(stack.id)
        if part is None:
            part = self._roots[stack.id] = self._root(stack)
        return part

    def _module(self, folder: str) -> FolderPart:
        part = self._directory(folder)
        scope = local_scope(self.source.directory(folder))
        reads = FileReads(part.files, part.open, part.findings)
        for file, use in self.source.directory(folder).paths:
            at = posixpath.join(folder, file)
            if needs_root(use, scope):
                part.rooted.append((at, use))
            else:
                self._read(use, at, CodeLocation(folder, folder, scope), reads, part.rooted)
        for path in dict.fromkeys(part.open):
            _add_folder(self.source, posixpath.dirname(path), part.files)
        part.digest = _hash(_lines(part.files))
        return part

    def _root(self, stack: Stack) -> FolderPart:
        tree = self.source.tree
        folder = self.source.real(stack.path)
        part = self._directory(folder)
        for name, path in auto_files(self.source, folder):
            part.files[posixpath.join(folder, name)] = tree.ids[path]
        for path in (*stack.var_files, *stack.reads):
            part.files.update(contents(tree, path))
        if stack.backend_file is not None:
            part.files.update(contents(tree, stack.backend_file))
        for single_file in (stack.lock_file, self._version_file(folder)):
            if single_file is not None:
                part.files[single_file] = tree.ids[single_file]
        location = CodeLocation(folder, folder, self.scopes[stack.id])
        reads = FileReads(part.files, part.open, part.findings)
        uses = [(posixpath.join(folder, file), use) for file, use in self.source.directory(folder).paths]
        for at, scope in self._instances(stack, folder):
            for file, use in self.module(at).rooted:
                self._read(use, file, CodeLocation(at, folder, scope), reads, uses)
        for file, use in uses:
            self._read(use, file, location, reads, uses)
        if part.open and not stack.reads:
            for path in {folder, *(posixpath.dirname(path) for path in part.open)}:
                _add_folder(self.source, path, part.files)
        part.digest = _hash(_lines(part.files))
        return part

    def _instances(self, stack: Stack, folder: str) -> Iterator[tuple[str, NameScope]]:
        """The modules whose paths depend on who calls them, once per call, with the names that they know."""
        rooted = {path for path in self.modules(stack) if self.module(path).rooted}
        if not rooted:
            return
        leading = {path for path in self.modules(stack) if rooted & {path, *self.source.reached(path)}}
        for at, scope in instances(self.source, folder, self.scopes[stack.id], lambda path: path in leading):
            if at in rooted and at != folder:
                yield at, scope

    def _directory(self, folder: str) -> FolderPart:
        """The code files of a directory, substitutes for unresolved module calls, and findings."""
        part = FolderPart()
        tree = self.source.tree
        for name, path in self.source.listing(folder):
            if is_code(name):
                part.files[posixpath.join(folder, name)] = tree.ids[path]
        for file, line, text in self.source.directory(folder).broken:
            part.findings.append(syntax_finding(posixpath.join(folder, file), line, text))
        for call in self.source.calls(folder):
            if call.problem is not None:
                part.findings.append(Finding(**asdict(call.problem)))
            if call.broad is not None:
                part.files.update(contents(tree, call.broad))
        return part

    def _read(
        self,
        use: PathUse,
        file: str,
        location: CodeLocation,
        reads: FileReads,
        later: list[tuple[str, PathUse]],
    ) -> None:
        """Add one path; a template file may read files itself, by paths that start at the root."""
        before = set(reads.files) if use.function == "templatefile" else None
        add_file_read(self.source.tree, use, file, location, reads)
        for path in set(reads.files) - before if before is not None else ():
            later.extend((path, inner) for inner in self.source.template(path))

    def _version_file(self, folder: str) -> str | None:
        """The `.terraform-version` that holds in a directory: the nearest one upward."""
        while True:
            path = posixpath.join(folder, VERSION_FILE)
            if path in self.source.tree.ids:
                return path
            if not folder:
                return None
            folder = posixpath.dirname(folder)


def provider_address(source: str) -> str:
    """A provider's source with its registry."""
    return source if source.count("/") == 2 else f"registry.terraform.io/{source}"


def _add_folder(source: Source, folder: str, files: dict[str, str]) -> None:
    for path, content in code_contents(source.tree, folder):
        files.setdefault(path, content)


def _lines(files: Mapping[str, str]) -> list[str]:
    return [f"{path}\0{content}" for path, content in sorted(files.items())]


def _hash(lines: Iterable[str]) -> str:
    return sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def syntax_finding(path: str, line: int | None, text: str) -> Finding:
    """Code that does not parse, where `text` stands in a line; a pointer of Git LFS is distinguished."""
    if text.startswith(LFS_POINTER.decode()):
        return _pointer_finding(path)
    message = f"This does not parse: {text}" if text else "This does not parse: something is not closed."
    return Finding(
        "error", "syntax", message, "`terraform fmt` on the file says what it expects there.", path, line
    )


def _pointer_finding(path: str) -> Finding:
    return Finding(
        "error",
        "lfs-pointer",
        f"{path} is kept in Git LFS and was not fetched: Terraform would read its pointer.",
        "`git lfs pull` fetches it; in GitHub Actions give actions/checkout `lfs: true`.",
        path,
    )
