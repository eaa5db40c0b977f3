"""Reads the attributes that each resource block sets, and its `ignore_changes`. Nothing is evaluated.

Read from files on disk, so that modules which Terraform fetched can be read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.repository.hcl import Block, read
from orchestrator.repository.modules import code_files, merge_files

# What a resource block holds beside the resource's own attributes.
META = frozenset({"count", "for_each", "provider", "depends_on", "lifecycle", "connection", "provisioner"})
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|(?:#|//)[^\n]*|/\*.*?\*/', re.DOTALL)
_ITEM = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,\[\]"])+')
_STEP = re.compile(r'\[\s*(\d+)\s*\]|\[\s*"((?:[^"\\]|\\.)*)"\s*\]|([A-Za-z_][\w-]*)')


@dataclass(frozen=True)
class WrittenResource:
    """One `resource` block: the attributes and blocks it sets, as names without indices.

    `ignores` are the paths of `ignore_changes`; `ignores_all` is true for the word `all`.
    """

    paths: frozenset[tuple[str, ...]]
    ignores: tuple[tuple[str | int, ...], ...] = ()
    ignores_all: bool = False


def read_resource_code(folder: Path) -> dict[str, WrittenResource]:
    """The resources of one folder by TYPE.NAME, as Terraform merges them."""
    names = [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    files = (read(name, (folder / name).read_bytes()) for name in code_files(names, "tofu"))
    return {
        f"{type_name}.{name}": _written(block)
        for (kind, type_name, name), block in merge_files(files).resources.items()
        if kind == "resource"
    }


def _written(block: Block) -> WrittenResource:
    ignores: list[tuple[str | int, ...]] = []
    for lifecycle in block.of("lifecycle"):
        if "ignore_changes" in lifecycle.attributes:
            ignores += parse_ignored_paths(lifecycle.attributes["ignore_changes"].source)
    everything = ("all",) in ignores
    return WrittenResource(frozenset(_paths(block, ())), tuple(ignores), everything)


def _paths(block: Block, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, attribute in block.attributes.items():
        if not (not above and name in META) and attribute.source.strip() != "null":
            yield (*above, name)
    for inner in block.blocks if not block.is_json else ():
        if not above and inner.kind in META:
            continue
        if inner.kind == "dynamic" and inner.labels:
            for content in inner.of("content"):
                yield from _block_paths(content, (*above, inner.labels[0]))
        else:
            yield from _block_paths(inner, (*above, inner.kind))


def _block_paths(block: Block, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    # The block itself is set, and nothing in it by that alone.
    yield (*path, "")
    yield from _paths(block, path)


def parse_ignored_paths(source: str) -> list[tuple[str | int, ...]]:
    """The paths in `[labels, template[0].labels["x"]]`; the word `all` is a path of that one name."""
    text = _COMMENT.sub(lambda match: match[1] or "", source).strip()
    if text.startswith("["):
        text = text[1:].rsplit("]", 1)[0]
    paths = []
    for item in (match.group().strip() for match in _ITEM.finditer(text)):
        plain = item[1:-1] if item.startswith('"') and item.endswith('"') else item
        steps = [
            int(number) if number else key or name
            for number, key, name in (match.groups() for match in _STEP.finditer(plain))
        ]
        if steps:
            paths.append(tuple(steps))
    return paths
