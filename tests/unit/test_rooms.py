"""What only one room knows, beyond what the import contracts of pyproject.toml can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import find_circle, import_graph

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestrator"
BACKENDS = {"gcs", "local", "s3", "azurerm", "http", "cloud"}
BACKEND_CLASSES = {"GcsBackend", "LocalBackend"}
SCHEME = "gs://"
# A block of code that is read may be called `backend` or `cloud`: that is no decision.
_BACKEND = re.compile(r"\bbackend\.kind\b|_kinds?\(")


def files_outside(*rooms: str) -> list[Path]:
    """The modules of the package that are in none of these rooms."""
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in {*rooms, "sandbox"}
    ]


def decisions_by_backend(tree: ast.AST) -> Iterator[int]:
    """The lines that decide something by the kind of a backend, or take a bucket's URL apart."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=[right]):
                texts = {
                    part.value
                    for side in (left, right)
                    for part in ast.walk(side)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
                if texts & BACKENDS and _BACKEND.search(ast.unparse(node)):
                    yield node.lineno
            case ast.Call(
                func=ast.Attribute(attr="startswith" | "removeprefix"), args=[ast.Constant(value=value)]
            ):
                if value == SCHEME:
                    yield node.lineno
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                if {part.id for part in ast.walk(kinds) if isinstance(part, ast.Name)} & BACKEND_CLASSES:
                    yield node.lineno
            case ast.MatchClass(cls=ast.Name(id=name)) if name in BACKEND_CLASSES:
                yield node.lineno


def test_only_state_decides_by_the_kind_of_a_backend() -> None:
    """Others ask `state/backends.py` for what a kind does, and `state/location.py` for the parts of a URL."""
    lines = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files_outside("state")
        for line in decisions_by_backend(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert lines == []


@pytest.mark.parametrize(
    "code",
    [
        'stack.backend.kind == "gcs"',
        'stack.backend.kind in ("gcs", "local")',
        'url.startswith("gs://")',
        'url.removeprefix("gs://")',
        "isinstance(backend, GcsBackend)",
        "match backend:\n    case LocalBackend(): pass",
    ],
)
def test_each_kind_of_decision_is_seen(code: str) -> None:
    assert list(decisions_by_backend(ast.parse(code)))


# What people know it by: where pull requests cannot be asked about, any CI but this one is meant.
GITHUB_ACTIONS = "GitHub Actions"


def test_review_names_no_forge() -> None:
    """Texts of `review/` take the forge's name from its words."""
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((PACKAGE / "review").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"github|web-flow|\[bot\]", line.replace(GITHUB_ACTIONS, ""), re.IGNORECASE)
    ]
    assert lines == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions count: two modules that need each other are one, or need a third."""
    assert find_circle(import_graph()) == ()


def test_a_circle_of_imports_is_seen() -> None:
    imports = {"plan": {"state"}, "state": {"ledger"}, "ledger": {"plan"}, "report": {"plan"}}
    assert sorted(set(find_circle(imports))) == ["ledger", "plan", "state"]
