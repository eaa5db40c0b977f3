"""Modules as Terraform merges them: the files of a folder in Terraform's order, override files merged in.

`code_files(names, product)` gives the files that Terraform or OpenTofu reads, `merge_files` the
`MergedModule`: its blocks by name, every attribute with the file and line that it really comes from.
`orchestrator.repository.source.Source.module(folder, product)` reads both from a tree.
Checked against Terraform itself by tests/integration/test_modules_differential.py.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from orchestrator.repository.hcl import Attribute, Block, File
from orchestrator.repository.hcl.block import merge

_Key = TypeVar("_Key")
# Which program reads the code: OpenTofu takes `.tofu` files too, and leaves out a `.tf` file beside one.
Product = Literal["terraform", "tofu"]

TERRAFORM_SUFFIXES = (".tf", ".tf.json")
TOFU_SUFFIXES = (".tofu", ".tofu.json")
CODE_SUFFIXES = (*TERRAFORM_SUFFIXES, *TOFU_SUFFIXES)
OVERRIDE = re.compile(r"(?:^|_)override\.(?:tf|tofu)(?:\.json)?$")
RESOURCE_KINDS = frozenset({"resource", "data", "ephemeral", "action", "list"})


def product_of(binary: str | None) -> Product | None:
    """The product that a configured binary is, by its name; None when that does not say it."""
    name = posixpath.basename(binary or "").lower()
    if "tofu" in name:
        return "tofu"
    return "terraform" if "terraform" in name or name == "embedded" else None


def is_code(name: str) -> bool:
    """True for a file name that Terraform or OpenTofu reads as configuration."""
    return name.endswith(CODE_SUFFIXES) and not name.startswith(".")


def code_files(names: Iterable[str], product: Product) -> list[str]:
    """The configuration files among the names in a folder, in the order in which they are read."""
    suffixes = TERRAFORM_SUFFIXES if product == "terraform" else CODE_SUFFIXES
    code = {name for name in names if name.endswith(suffixes) and not name.startswith(".")}
    if any(name.endswith(TOFU_SUFFIXES) for name in code):
        code -= {name for name in code if _twin(name) != name and _twin(name) in code}
    return sorted(code, key=lambda name: (is_override(name), name))


def is_override(name: str) -> bool:
    """True for a file whose blocks are merged into those of the others."""
    # Most names hold no such word, and are asked about often.
    return "override" in name and OVERRIDE.search(name) is not None


def _twin(name: str) -> str:
    """The OpenTofu file that takes a Terraform file's place."""
    for suffix in TERRAFORM_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix) + suffix.replace(".tf", ".tofu")
    return name


@dataclass
class MergedModule:
    """The blocks of a module by name. Not changed once it is merged.

    `resources` are those of every kind, by kind, type and name; `providers` by name and alias; `locals` and
    `required_providers` are attributes. `others` are blocks without a name: `check`, `import`, `moved`, …
    A `cloud` block is a backend too.
    """

    files: tuple[File, ...] = ()
    backend: Block | None = None
    required_version: list[Attribute] = field(default_factory=list)
    required_providers: dict[str, Attribute] = field(default_factory=dict)
    locals: dict[str, Attribute] = field(default_factory=dict)
    variables: dict[str, Block] = field(default_factory=dict)
    outputs: dict[str, Block] = field(default_factory=dict)
    calls: dict[str, Block] = field(default_factory=dict)
    resources: dict[tuple[str, str, str], Block] = field(default_factory=dict)
    providers: dict[tuple[str, str], Block] = field(default_factory=dict)
    terraform: list[Block] = field(default_factory=list)
    other_blocks: list[Block] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """Every block, `locals` excepted, as merged."""
        yield from self.terraform
        for named in (self.providers, self.variables, self.outputs, self.calls, self.resources):
            yield from named.values()
        yield from self.other_blocks

    def merged(self, block: Block | None) -> Block | None:
        """A block of one of the files as override files leave it."""
        match (block.kind, block.labels) if block is not None else ("", ()):
            case "module", (name, *_):
                return self.calls.get(name)
            case kind, (type_name, name, *_) if kind in RESOURCE_KINDS:
                return self.resources.get((kind, type_name, name))
            case _:
                return block

    def add(self, block: Block, *, override: bool) -> None:
        """Merge one block in."""
        match block.kind, block.labels:
            case "terraform", _:
                self._add_settings(block, override=override)
            case "locals", _:
                self.locals.update(block.attributes)
            case "variable", (name, *_):
                _merge_into(self.variables, name, block)
            case "output", (name, *_):
                _merge_into(self.outputs, name, block)
            case "module", (name, *_):
                _merge_into(self.calls, name, block)
            case "provider", (name, *_):
                alias = block.expression("alias")
                _merge_into(self.providers, (name, (alias.string if alias else "") or ""), block)
            case kind, (type_name, name, *_) if kind in RESOURCE_KINDS:
                _merge_into(self.resources, (kind, type_name, name), block)
            case _:
                self.other_blocks.append(block)

    def _add_settings(self, block: Block, *, override: bool) -> None:
        self.terraform.append(block)
        if (version := block.attributes.get("required_version")) is not None:
            self.required_version = [*(self.required_version if not override else ()), version]
        for nested in block.blocks:
            if (nested.kind == "backend" and nested.labels) or nested.kind == "cloud":
                self.backend = nested
            elif nested.kind == "required_providers":
                self.required_providers.update(nested.attributes)


def _merge_into(blocks: dict[_Key, Block], name: _Key, block: Block) -> None:
    blocks[name] = merge(blocks[name], block) if name in blocks else block


def merge_files(files: Iterable[File]) -> MergedModule:
    """A module from its files, which stand in Terraform's order already."""
    module = MergedModule(tuple(files))
    for file in module.files:
        override = is_override(file.name)
        for block in file.blocks:
            module.add(block, override=override)
    return module
