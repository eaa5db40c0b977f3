"""Walks the code that plans read: each folder once, module calls followed, variables resolved."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.config.globs import matches
from orchestrator.guard.code_facts import code_facts, template_reads
from orchestrator.guard.facts import CodeFacts, FileRead
from orchestrator.guard.paths import resolve_physical
from orchestrator.guard.rules import CodeRules, file_finding, texts_needing_names
from orchestrator.repository.file_reads import CodeLocation
from orchestrator.repository.hcl import Problem
from orchestrator.repository.hcl.text import NameScope, Ref, Text, literal, resolve
from orchestrator.repository.model import Finding, Project, Stack
from orchestrator.repository.modules import MergedModule, is_override
from orchestrator.repository.source import Source, is_local, local_scope
from orchestrator.repository.tree import BrokenPath, inside
from orchestrator.repository.variables import auto_files, folder_of, instances, root_scope
from orchestrator.state.backends import DEFAULT_STATE, LOCAL, WORKSPACE_FOLDER, backend_kind

TESTS = "tests"
# The facts that are checked for all stacks together, once per call of their module. Ten times what large
# projects have; more would take minutes.
MAX_CHECKED = 1_000_000
# Files of `terraform query`, checked like code: they configure providers and read resources.
QUERY_FILE = re.compile(r"\.tfquery\.(?:hcl|json)$")
TEST_FILE = re.compile(r"\.(?:tftest|tofutest)\.(?:hcl|json)$")


@dataclass
class GuardedCode:
    """The code of one tree as one product reads it. Each folder is checked once for all its stacks."""

    head: Project
    rules: CodeRules
    source: Source
    most_checked: int = MAX_CHECKED
    folders: dict[str, list[str]] = field(default_factory=dict)
    _files: dict[str, dict[str, CodeFacts]] = field(default_factory=dict)
    _findings: dict[tuple[str, bool], tuple[Finding, ...]] = field(default_factory=dict)
    _open: dict[str, bool] = field(default_factory=dict)
    _templates_read: dict[str, tuple[tuple[FileRead, ...], Problem | None]] = field(default_factory=dict)
    _checked: int = 0

    def stack(self, stack: Stack) -> Iterator[Finding]:
        """All findings in the code that a plan of the stack reads."""
        root = self.source.real(stack.path)
        reached = self.reached(root)
        for folder in reached:
            for finding in self._folder(folder, is_root=folder == root):
                yield replace(finding, stack=stack.id) if folder == root else finding
        if backend_kind(stack.backend.kind).is_on_this_machine:
            yield from self._states(stack, root)
            if not stack.backend.declared:
                yield from self._without_backend(stack, root)
        open_ = {folder for folder in reached if self._is_open(folder)}
        if open_:
            yield from self._variables(stack, root)
        if not open_:
            return
        names = self._names(stack, root)
        if open_ == {root}:
            yield from self._instance(stack, root, root, names)
        else:
            yield from self._instances(stack, root, open_, names)
        if self._checked > self.most_checked:
            message = f"What {stack.id} reads cannot be determined: its modules are called in too many ways."
            advice = "Call them in fewer places, and write paths and buckets as plain strings there."
            file = next(iter(self._code_of(root)), root)
            yield Finding("error", "unreadable", message, advice, file, 1, stack.id)

    def _names(self, stack: Stack, root: str) -> NameScope:
        """What the root's variables and locals are, as this product reads the code."""
        if self.source is self.head.coverage.source:
            return self.head.coverage.scopes[stack.id]
        return root_scope(self.source, root, stack.var_files, stack.passed_env)

    def reached(self, root: str) -> list[str]:
        """A root and the folders whose code it calls, directly or not."""
        folders = {root: None}
        todo = [root]
        while todo:
            for called in self._called(todo.pop()):
                if called not in folders:
                    folders[called] = None
                    todo.append(called)
        return list(folders)

    def _states(self, stack: Stack, root: str) -> Iterator[Finding]:
        """Local states that are committed: `init` installs every provider that a state names."""
        tree = self.head.tree
        workspaces = tree.resolve(posixpath.join(root, WORKSPACE_FOLDER))
        paths = {stack.state, stack.moved_from, posixpath.join(root, DEFAULT_STATE)}
        paths |= set(tree.below(workspaces)) if isinstance(workspaces, str) else set()
        for path in sorted(filter(None, paths)):
            real = tree.find(path)
            if real is not None:
                for finding in self.rules.state(path, tree.read(real)):
                    yield replace(finding, stack=stack.id)

    def _without_backend(self, stack: Stack, root: str) -> Iterator[Finding]:
        if matches(LOCAL, self.rules.allowed.backends):
            return
        message = f"{stack.id} has no backend block: its state would stay on the machine that plans."
        advice = 'Declare the project\'s backend, such as `terraform { backend "gcs" {} }`.'
        file = next(iter(self._code_of(root)), root)
        yield Finding("error", "backend", message, advice, file, 1, stack.id)

    def _variables(self, stack: Stack, root: str) -> Iterator[Finding]:
        """Findings for unreadable variable files: paths and buckets depend on them."""
        source = self.source
        paths = [path for _, path in auto_files(source, root)]
        paths += [path for name in stack.var_files if (path := source.tree.find(name)) is not None]
        for path in paths:
            if source.values(path) is not None:
                continue
            unreadable = source.variable_file(path).problem
            if unreadable:
                message = f"What this file sets cannot be determined: {unreadable[1]}."
                advice = "Write it in plain Terraform."
                yield Finding("error", "unreadable", message, advice, path, unreadable[0] or 1)

    def _called(self, folder: str) -> list[str]:
        if folder not in self.folders:
            self._folder(folder, is_root=False)
        return self.folders[folder]

    def _code_of(self, folder: str) -> dict[str, CodeFacts]:
        """The code files of a folder."""
        if folder not in self._files:
            paths = dict(self.source.code(folder))
            merged = self.source.module(folder) if any(map(is_override, paths)) else None
            paths |= {name: path for name, path in self.source.listing(folder) if QUERY_FILE.search(name)}
            beyond = self.source.beyond_limit(folder)
            self._files[folder] = {
                posixpath.join(folder, name): code_facts(beyond[name])
                if name in beyond
                else self._read(name, path, merged)
                for name, path in paths.items()
            }
        return self._files[folder]

    def _read(self, name: str, path: str, merged: MergedModule | None) -> CodeFacts:
        """The facts of a file; they depend on its content alone where no override file is merged in."""
        source = self.source
        if merged is not None:
            return code_facts(source.file(name, path), merged)
        key = source.file_key(name, path)
        facts = source.memo.extracted.get(key)
        if not isinstance(facts, CodeFacts):
            facts = source.memo.extracted[key] = code_facts(source.file(name, path))
        return facts

    def _folder(self, folder: str, *, is_root: bool) -> tuple[Finding, ...]:
        """What is wrong in a folder, whoever calls it; notes where its calls lead."""
        if (folder, is_root) not in self._findings:
            files = self._code_of(folder)
            tests = self._tests_of(folder)
            required = {each.name for facts in files.values() for each in facts.required}
            findings = [*self.rules.folder(files, is_root=is_root), *self.rules.tests(tests, required)]
            called = dict.fromkeys(self._follow(folder, {**files, **tests}, findings))
            self.folders[folder] = list(called)
            scope = local_scope(self.source.directory(folder))
            self._open[folder] = any(_is_open(facts, scope) for facts in files.values())
            if not self._open[folder]:
                location = CodeLocation(folder, folder, scope)
                findings += self.rules.instance(files, location, is_root=is_root)
                findings += self._templates(files, location)
            self._findings[folder, is_root] = tuple(findings)
        return self._findings[folder, is_root]

    def _tests_of(self, folder: str) -> dict[str, CodeFacts]:
        """The test files of a folder, from which `init` takes providers and modules too."""
        return {
            posixpath.join(at, name): self._read(name, path, None)
            for at in (folder, posixpath.join(folder, TESTS))
            for name, path in self.source.listing(at)
            if TEST_FILE.search(name)
        }

    def _is_open(self, folder: str) -> bool:
        return self._open.get(folder, False)

    def _follow(self, folder: str, files: Mapping[str, CodeFacts], findings: list[Finding]) -> Iterator[str]:
        """The folders that calls lead to; calls that lead elsewhere become findings."""
        tree = self.head.tree
        for file, facts in files.items():
            for call in facts.calls:
                source = literal(call.source)
                if source is None or not is_local(source):
                    findings.extend(self.rules.module(file, call.line, source, f"module {call.name!r}"))
                    continue
                target = inside(posixpath.join(folder, source))
                real = tree.resolve(target) if target is not None else None
                if target is None or real is None or isinstance(real, BrokenPath):
                    message = f"The module {call.name!r} leads out of the repository: {source}."
                    advice = "Keep its code in the repository."
                    findings.append(Finding("error", "module-source", message, advice, file, call.line))
                elif (submodule := tree.submodule_of(real)) is not None:
                    message = f"The module {call.name!r} lies in the Git submodule {submodule}."
                    advice = "Its code is not looked at: keep it in the repository."
                    findings.append(Finding("error", "module-source", message, advice, file, call.line))
                elif target != folder:
                    yield target

    def _instances(self, stack: Stack, root: str, open_: set[str], scope: NameScope) -> Iterator[Finding]:
        """What depends on the names that a root gives: variables of the stack, arguments of calls."""
        source = self.source
        visited: set[str] = set()
        leading = self._leading_to(root, open_)
        for folder, names in instances(source, root, scope, lambda path: path in leading):
            self._checked += 1
            if self._checked > self.most_checked:
                return
            if folder in open_:
                visited.add(folder)
                yield from self._instance(stack, folder, root, names)
        for folder in sorted(open_ - visited):
            yield from self._instance(stack, folder, root, local_scope(source.directory(folder)))

    def _instance(self, stack: Stack, folder: str, root: str, names: NameScope) -> Iterator[Finding]:
        files = self._code_of(folder)
        self._checked += sum(map(_weight, files.values()))
        if self._checked > self.most_checked:
            return
        location = CodeLocation(folder, root, names)
        for finding in (
            *self.rules.instance(files, location, is_root=folder == root),
            *self._templates(files, location),
        ):
            yield replace(finding, stack=stack.id)

    def _leading_to(self, root: str, open_: set[str]) -> set[str]:
        """The folders from which an open one is reached."""
        callers: dict[str, list[str]] = {}
        for folder in self.reached(root):
            for called in self._called(folder):
                callers.setdefault(called, []).append(folder)
        leading = set(open_)
        todo = list(open_)
        while todo:
            caller = [folder for folder in callers.get(todo.pop(), ()) if folder not in leading]
            leading.update(caller)
            todo += caller
        return leading

    def _templates(self, files: Mapping[str, CodeFacts], location: CodeLocation) -> Iterator[Finding]:
        """Template files that read files themselves; their paths start at the root."""
        tree = self.head.tree
        for file, facts in files.items():
            for use in facts.reads:
                if use.function != "templatefile":
                    continue
                path = _template_path(location, use)
                real = resolve_physical(tree, *path) if path is not None else None
                if real is None:
                    continue
                if real not in tree.ids:
                    message = (
                        f"`templatefile` takes {real}, which is not in the repository: it may read any file."
                    )
                    yield file_finding(message, file, use.line)
                    continue
                reads, unreadable = self.template(real)
                self._checked += len(reads)
                if unreadable:
                    message = f"What the template {real} reads cannot be determined: {unreadable[1]}."
                    yield Finding("error", "unreadable", message, "", file, use.line)
                inner = CodeFacts(reads=reads)
                for finding in self.rules.instance({real: inner}, location, is_root=False):
                    yield replace(finding, line=1)

    def template(self, path: str) -> tuple[tuple[FileRead, ...], Problem | None]:
        """What a template file reads, and what is unclear in it; `path` is resolved."""
        key = self.source.content(path)
        if key not in self._templates_read:
            if self.source.may_parse(path, path):
                self._templates_read[key] = template_reads(self.head.tree.read(path))
            else:
                self._templates_read[key] = (), (None, "the repository has too much code")
        return self._templates_read[key]


def _weight(facts: CodeFacts) -> int:
    """The number of facts of a file that are checked for each call of its module."""
    settings = sum(len(configured.settings) for configured in facts.configured)
    settings += sum(len(resource.settings) for resource in facts.resources)
    return len(facts.reads) + len(facts.states) + settings


def _template_path(location: CodeLocation, use: FileRead) -> tuple[str, str] | None:
    text: Text = resolve(use.path, location.scope)
    base = location.root
    folder = folder_of(text[0], location.folder, location.root) if text else None
    if folder is not None:
        base = folder
        text = text[1:] or ("",)
    relative_path = literal(text)
    return None if relative_path is None else (base, relative_path)


def _is_open(facts: CodeFacts, scope: NameScope) -> bool:
    """Whether the caller determines what a file reads."""
    if facts.backends and any(backend.settings for backend in facts.backends):
        return True
    if facts.states:
        return True
    texts = (*(use.path for use in facts.reads), *texts_needing_names(facts))
    return any(_needs_caller(text, scope) for text in texts)


def _needs_caller(path: Text, scope: NameScope) -> bool:
    """True unless the path begins at the module's own folder and nothing else in it is open."""
    text = resolve(path, scope)
    first = text[0] if text else None
    own = isinstance(first, Ref) and first.kind == "path" and first.name == "module"
    return not own or literal(text[1:] or ("",)) is None
