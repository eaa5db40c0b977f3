"""Figures of the code: modules, lines, names, imports. `python -m bench.house` prints them."""

from __future__ import annotations

import ast
import graphlib
import statistics
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import grimp

FOLDERS = ("orchestrator", "tests", "bench", "examples", ".ci")
# Variables and parameters that name nothing; attributes and texts are not counted.
GENERIC = frozenset(
    {
        "one",
        "found",
        "made",
        "given",
        "told",
        "asked",
        "said",
        "kept",
        "held",
        "gone",
        "wanted",
        "shown",
        "place",
    }
)


def python_files(root: Path, folders: Collection[str] = FOLDERS) -> list[Path]:
    """The Python files below folders of a repository, in order."""
    return [
        path
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
        if ".venv" not in path.parts
    ]


def generic_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each use of a generic name as a variable or a parameter, with its line; imported names do not count."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) if name in GENERIC - imported:
                yield node.lineno, name


def import_graph() -> dict[str, frozenset[str]]:
    """Each module of the package with those that it imports, also inside functions; no type checking."""
    graph = grimp.build_graph("orchestrator", exclude_type_checking_imports=True, cache_dir=None)
    return {name: frozenset(graph.find_modules_directly_imported_by(name)) for name in sorted(graph.modules)}


def find_circle(imports: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Modules that import each other in a circle, the first one again as the last; empty without a circle."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return tuple(error.args[1])
    return ()


@dataclass(frozen=True)
class HouseFigures:
    """What is counted in a checkout; `root` is its top folder."""

    root: Path

    @cached_property
    def _modules(self) -> dict[str, int]:
        """The modules of the package and their lines, without the `__init__.py` files."""
        return {
            path.relative_to(self.root).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
            for path in python_files(self.root, ["orchestrator"])
            if path.name != "__init__.py"
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """What was counted, and the figure."""
        longest = max(self._modules, key=lambda name: self._modules[name])
        files = python_files(self.root, ["orchestrator"])
        yield "modules", str(len(self._modules))
        yield "lines of the package", str(sum(len(path.read_bytes().splitlines()) for path in files))
        yield "lines of the median module", f"{statistics.median(self._modules.values()):.0f}"
        yield "lines of the largest module", f"{self._modules[longest]} ({longest})"
        yield "uses of generic names in the package", str(self._generic_names(["orchestrator"]))
        yield "uses of generic names elsewhere", str(self._generic_names(FOLDERS[1:]))
        yield "class names that occur twice", str(self._names_twice())
        yield "modules in the first circle of imports", str(len(find_circle(import_graph())[1:]))

    def _generic_names(self, folders: Collection[str]) -> int:
        return sum(
            sum(1 for _ in generic_names(ast.parse(path.read_text(encoding="utf-8"))))
            for path in python_files(self.root, folders)
        )

    def _names_twice(self) -> int:
        names = Counter(
            node.name
            for path in python_files(self.root)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef)
        )
        return sum(count > 1 for count in names.values())
