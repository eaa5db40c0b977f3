"""The names on docs/architecture.md and docs/how-to-add.md exist, and every room is listed."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestrator"
PAGES = ("architecture.md", "how-to-add.md")


def _text(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


REFERENCES = sorted(
    {
        (page, path, name)
        for page in PAGES
        for path, name in re.findall(r"`([\w/]+\.py)(?::([\w.]+))?`", _text(page))
    }
)


@functools.cache
def _names_in(path: Path) -> frozenset[str]:
    """What a module defines, as `name` and `Class.name`; imported names are none of them."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names |= _bound(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for part in node.body for name in _bound(part)}
    return frozenset(names)


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _file(path: str) -> Path:
    """Paths begin in the package, those of tests and benchmarks at the repository's root."""
    return (ROOT if path.startswith(("tests/", "bench/")) else PACKAGE) / path


@pytest.mark.parametrize(("page", "path", "name"), REFERENCES, ids=[f"{r[1]}:{r[2]}" for r in REFERENCES])
def test_each_name_exists(page: str, path: str, name: str) -> None:
    file = _file(path)
    assert file.is_file(), f"docs/{page} names {path}"
    assert not name or name in _names_in(file), f"docs/{page} names {name} in {path}"


def test_each_flow_is_a_numbered_list_of_functions() -> None:
    flows = re.split(
        r"^### ", _text("architecture.md").partition("## Flows")[2].partition("\n## ")[0], flags=re.M
    )
    assert len(flows[1:]) == 6
    for flow in flows[1:]:
        steps = re.findall(r"^\d+\. .*$", flow, re.MULTILINE)
        assert 4 < len(steps) < 13, flow.splitlines()[0]
        assert [step for step in steps if not re.search(r"`[\w/]+\.py:\w", step)] == []


def _rooms() -> set[str]:
    return {
        path.name + ("/" if path.is_dir() else "")
        for path in PACKAGE.iterdir()
        if (path / "__init__.py").is_file() or path.name == "errors.py"
    }


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_room_is_listed(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+(?:/|\.py))`", row)}
    assert _rooms() <= listed
    assert {name for name in listed if name.endswith("/")} <= _rooms()


def test_rooms_stand_in_the_order_of_their_imports() -> None:
    """A room in the table stands above those that it may import, as the contract says."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    level = {name: at for at, layer in enumerate(layers) for name in re.findall(r"\w+", layer)}
    table = _text("architecture.md").partition("## Rooms")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    order = [name for row in rows for name in re.findall(r"`(\w+)(?:/|\.py)`", row)]
    assert set(order) == set(level)
    assert [level[name] for name in order] == sorted(level[name] for name in order)
