"""Which modules there are to test, what belongs to each one's tests, and which have changed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from orchestrator.errors import ConfigError, ProjectError, UsageError
from orchestrator.project import load_commit
from orchestrator.project.affected import base_commit
from orchestrator.project.discovery import nearest
from orchestrator.project.model import Project
from orchestrator.project.reads import glob_pattern
from orchestrator.quality.places import types_in
from orchestrator.repository.facts import Types
from orchestrator.repository.hcl import Block, read
from orchestrator.repository.modules import is_code
from orchestrator.repository.source import is_local
from orchestrator.repository.tree import inside

TEST_SUFFIXES = (".tftest.hcl", ".tftest.json", ".tofutest.hcl", ".tofutest.json")
# Where Terraform looks for tests: beside the module's code, and in this folder.
TESTS = "tests"
PROSE = (".md", ".txt")


@dataclass(frozen=True)
class Run:
    """A `run` block of a test file. `asserts` is true when it asserts or expects a failure."""

    name: str
    line: int
    asserts: bool
    source: str | None


def test_files(project: Project, module: str) -> tuple[str, ...]:
    """The module's test files, as paths from the project's root."""
    tree = project.tree
    return tuple(
        posixpath.join(folder, name)
        for folder in (module, posixpath.join(module, TESTS))
        for name in tree.files(folder)
        if name.endswith(TEST_SUFFIXES)
    )


def runs_of(project: Project, file: str) -> tuple[Run, ...]:
    """The run blocks of a test file, in order."""
    path = project.tree.find(file)
    data = project.tree.read(path) if path else b""
    root = read(file, data).root
    return tuple(Run(one.name, one.line, _asserts(one), _source(one)) for one in root.of("run") if one.labels)


def _asserts(run: Block) -> bool:
    expected = run.attributes.get("expect_failures")
    return bool(run.of("assert")) or (expected is not None and expected.source.strip(" \n[]") != "")


def _source(run: Block) -> str | None:
    """The module that the run is about, when it is not the one tested."""
    for block in run.of("module"):
        if "source" in block.attributes:
            return block.attributes["source"].value
    return None


def folders_of(project: Project, module: str) -> tuple[str, ...]:
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
    return tuple(sorted(own.union({module}, *(source.reached(source.real(one)) for one in own))))


def content_key(project: Project, module: str) -> str:
    """A hash of all that the module's tests read in the repository; prose is not read."""
    tree = project.tree
    files = {
        path: tree.ids.get(path) or f"-> {tree.links[path]}"
        for path in tree.below(module)
        if not path.endswith(PROSE)
    }
    for folder in folders_of(project, module):
        files |= project.coverage.module(folder).files
    return sha256("\n".join(f"{path}\0{id_}" for path, id_ in sorted(files.items())).encode()).hexdigest()


def types_of(project: Project, modules: Sequence[str]) -> Types:
    """Resource and data source types that the modules' tests use; `providers` are full addresses."""
    return types_in(project, {one for module in modules for one in folders_of(project, module)})


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
    found = [module for module in project.modules if clean in (module, short[module])]
    if not found and clean:
        pattern = glob_pattern(clean)
        found = [one for one in project.modules if pattern.fullmatch(one) or pattern.fullmatch(short[one])]
    if found:
        return found
    advice = nearest(clean, list(short.values())) or f"Modules lie in {root}; `infra list` shows them."
    raise UsageError(f"There is no module {name!r}.", advice=advice)


def hollow_files(project: Project, module: str) -> Iterator[tuple[str, int | None]]:
    """Test files in which no run asserts anything, each with the line of its first run."""
    for file in test_files(project, module):
        runs = runs_of(project, file)
        if not any(run.asserts for run in runs):
            yield file, runs[0].line if runs else None
