"""Which modules there are to test, what belongs to each one's tests, and which have changed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from orchestrator.errors import ConfigError, ProjectError, UsageError
from orchestrator.quality.code_folders import collect_types
from orchestrator.repository.affected import base_commit
from orchestrator.repository.discovery import nearest
from orchestrator.repository.facts import ProviderTypes, provider_of
from orchestrator.repository.file_reads import glob_pattern
from orchestrator.repository.hcl import Block, read
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project
from orchestrator.repository.modules import is_code
from orchestrator.repository.source import is_local
from orchestrator.repository.tree import inside

TEST_SUFFIXES = (".tftest.hcl", ".tftest.json", ".tofutest.hcl", ".tofutest.json")
# Where Terraform looks for tests: beside the module's code, and in this folder.
TESTS = "tests"
PROSE = (".md", ".txt")
# The key of an instance in an address.
_KEY = re.compile(r"\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\]")


@dataclass(frozen=True)
class RunBlock:
    """A `run` block of a test file. `asserts` is true when it asserts or expects a failure."""

    name: str
    line: int
    asserts: bool
    source: str | None


@dataclass(frozen=True)
class Mocks:
    """What a test file mocks: providers by their local names, and resources by their addresses."""

    providers: frozenset[str]
    resources: frozenset[str]

    def is_mocked(self, address: str, providers: Mapping[str, Collection[str]]) -> bool:
        """Whether a resource is certainly mocked; `providers` are the local names by type."""
        base = _KEY.sub("", address)
        if any(base == target or base.startswith(f"{target}.") for target in self.resources):
            return True
        names = providers.get(base.rsplit(".", 2)[-2], ()) if "." in base else ()
        return bool(names) and self.providers.issuperset(names)


def test_files(project: Project, module: str) -> tuple[str, ...]:
    """The module's test files, as paths from the project's root."""
    tree = project.tree
    return tuple(
        posixpath.join(folder, name)
        for folder in (module, posixpath.join(module, TESTS))
        for name in tree.files(folder)
        if name.endswith(TEST_SUFFIXES)
    )


def runs_of(project: Project, file: str) -> tuple[RunBlock, ...]:
    """The run blocks of a test file, in order."""
    path = project.tree.find(file)
    data = project.tree.read(path) if path else b""
    root = read(file, data).root
    return tuple(
        RunBlock(block.name, block.line, _asserts(block), _source(block))
        for block in root.of("run")
        if block.labels
    )


def mocks_of(project: Project, file: str) -> Mocks:
    """What a test file mocks. A provider that it also configures is not certain to be mocked."""
    path = project.tree.find(file)
    root = read(file, project.tree.read(path) if path else b"").root
    configured = {block.name for block in root.of("provider")}
    mocked = {block.name for block in root.of("mock_provider")}
    overrides = [
        override
        for block in (root, *root.of("mock_provider"), *root.of("run"))
        for kind in ("override_resource", "override_module")
        for override in block.of(kind)
    ]
    targets = {block.attributes["target"].source for block in overrides if "target" in block.attributes}
    return Mocks(frozenset(mocked - configured), frozenset(_KEY.sub("", target) for target in targets))


def resource_providers(project: Project, module: str) -> dict[str, set[str]]:
    """Resource type → the local names of its providers, in all code that the module's tests reach."""
    names: dict[str, set[str]] = {}
    for folder in find_reachable_folders(project, module):
        for _, root in project.coverage.source.blocks(folder):
            for block in root.of("resource"):
                if block.labels:
                    names.setdefault(block.labels[0], set()).add(provider_of(block))
    return names


def _asserts(run: Block) -> bool:
    expected = run.attributes.get("expect_failures")
    return bool(run.of("assert")) or (expected is not None and expected.source.strip(" \n[]") != "")


def _source(run: Block) -> str | None:
    """The module that the run is about, when it is not the one tested."""
    for block in run.of("module"):
        if "source" in block.attributes:
            return block.attributes["source"].value
    return None


def find_reachable_folders(project: Project, module: str) -> tuple[str, ...]:
    """Every folder whose code the module's tests can reach: examples, helpers and called modules too."""
    own = {
        posixpath.dirname(path) for path in project.tree.below(module) if is_code(posixpath.basename(path))
    }
    for file in test_files(project, module):
        for run in runs_of(project, file):
            if run.source and is_local(run.source):
                target = inside(posixpath.join(module, run.source))
                own |= {target} if target is not None else set()
    source = project.coverage.source
    return tuple(sorted(own.union({module}, *(source.reached(source.real(folder)) for folder in own))))


def content_key(project: Project, module: str) -> str:
    """A hash of all that the module's tests read in the repository; prose is not read."""
    tree = project.tree
    files = {
        path: tree.ids.get(path) or f"-> {tree.links[path]}"
        for path in tree.below(module)
        if not path.endswith(PROSE)
    }
    for folder in find_reachable_folders(project, module):
        files |= project.coverage.module(folder).files
    return sha256("\n".join(f"{path}\0{id_}" for path, id_ in sorted(files.items())).encode()).hexdigest()


def collect_module_types(project: Project, modules: Sequence[str]) -> ProviderTypes:
    """Resource and data source types that the modules' tests use; `providers` are full addresses."""
    return collect_types(
        project, {folder for module in modules for folder in find_reachable_folders(project, module)}
    )


def changed_modules(project: Project) -> tuple[str, ...]:
    """The modules whose content differs from where the work at hand parted from trunk; else all of them."""
    base = base_commit(project)
    if base is None:
        return tuple(project.modules)
    try:
        before = load_commit(project, base)
    except (ConfigError, ProjectError):
        return tuple(project.modules)
    return tuple(
        module
        for module in project.modules
        if module not in before.modules or content_key(before, module) != content_key(project, module)
    )


def select_modules(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """The modules that names mean: `network`, `infra/modules/network`, or a glob of either."""
    chosen = {module for name in names for module in _named(project, name)}
    return tuple(module for module in project.modules if module in chosen)


def _named(project: Project, name: str) -> list[str]:
    root = str(project.config.roots.modules)
    clean = posixpath.normpath(name.rstrip("/")) if name.strip("/") else ""
    short = {module: module.removeprefix(f"{root}/") for module in project.modules}
    modules = [module for module in project.modules if clean in (module, short[module])]
    if not modules and clean:
        pattern = glob_pattern(clean)
        modules = [
            module
            for module in project.modules
            if pattern.fullmatch(module) or pattern.fullmatch(short[module])
        ]
    if modules:
        return modules
    advice = nearest(clean, list(short.values())) or f"Modules lie in {root}; `infra list` shows them."
    raise UsageError(f"There is no module {name!r}.", advice=advice)


def hollow_files(project: Project, module: str) -> Iterator[tuple[str, int | None]]:
    """Test files in which no run asserts anything, each with the line of its first run."""
    for file in test_files(project, module):
        runs = runs_of(project, file)
        if not any(run.asserts for run in runs):
            yield file, runs[0].line if runs else None
