"""Reads the code of a tree: files, merged modules, their facts, and the targets of module calls."""

from __future__ import annotations

import posixpath
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, TypeVar

from orchestrator.jsontext import MALFORMED
from orchestrator.repository.code_cache import CodeCache, entry_key
from orchestrator.repository.fact_codec import (
    Json,
    decode_facts,
    decode_texts,
    decode_uses,
    encode_facts,
    encode_texts,
    encode_uses,
)
from orchestrator.repository.facts import (
    TEMPLATE_CALL,
    ModuleCall,
    ModuleFacts,
    PathUse,
    constant,
    module_facts,
    template_uses,
)
from orchestrator.repository.hcl import Block, File, read, read_values, unread
from orchestrator.repository.hcl.syntax import counted_size
from orchestrator.repository.hcl.text import UNKNOWN, NameScope, Ref, Text, literal, literal_prefix, resolve
from orchestrator.repository.modules import (
    MergedModule,
    Product,
    code_files,
    is_code,
    is_override,
    merge_files,
)
from orchestrator.repository.tree import BrokenPath, Tree, blob_id, inside

JSON = ".json"
MEBIBYTE = 1024 * 1024
# What a byte of JSON takes, as a part of what one of HCL does.
JSON_SHARE = 4

T = TypeVar("T")
Key = tuple[str, ...]


@dataclass(frozen=True)
class ParseCache:
    """What code says, by its bytes, so that trees read one after another share what they have in common.

    `modules` are facts by product and the names and contents of all files of a module; `contents` are the
    bytes of code files. `extracted` is what `extract` makes of each code file that no override file is merged
    into, by `file_key`: made while its syntax tree is there, since trees are too large to be kept. `stored`
    has facts, values and templates of earlier runs.
    """

    modules: dict[Key, ModuleFacts] = field(default_factory=dict)
    templates: dict[str, tuple[PathUse, ...]] = field(default_factory=dict)
    values: dict[str, dict[str, Text] | None] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    extract: Callable[[File], object] | None = None
    extracted: dict[str, object] = field(default_factory=dict)
    stored: CodeCache | None = None

    def __contains__(self, content: object) -> bool:
        return content in self.contents or content in self.templates or content in self.values


@dataclass(frozen=True)
class CodeLimits:
    """How much code is parsed and kept; all but `files_kept` are bytes of code.

    A syntax tree takes up to 200 bytes for each byte of code. `folder` limits the code of one folder, whose
    trees are needed at once, JSON counting a quarter, and `tree` that of all folders, variable files and
    templates, which would take minutes beyond it: large public repositories have a twentieth of that. Trees
    of `files_kept` files with `bytes_kept` bytes are kept, so that facts of files that are equal everywhere
    are made from one tree.
    """

    folder: int = 2 * MEBIBYTE
    tree: int = 64 * MEBIBYTE
    files_kept: int = 32
    bytes_kept: int = MEBIBYTE


DEFAULT_LIMITS = CodeLimits()


@dataclass(frozen=True)
class CallProblem:
    """What is wrong with the source of a module call, as a finding says it."""

    severity: Literal["error", "warning"]
    code: str
    message: str
    advice: str
    file: str
    line: int | None


@dataclass(frozen=True)
class ResolvedCall:
    """Where a module call leads. `path` is None for a module that is not in the project.

    `broad` is the folder to take in its stead when the source cannot be determined; `problem` says so.
    """

    call: ModuleCall
    path: str | None
    broad: str | None = None
    problem: CallProblem | None = None


class Source:
    """The code of one tree. Paths are as in `Tree`.

    `product` is the program whose view the facts give; None (nobody says which) gives OpenTofu's, which reads
    every file that Terraform reads unless a `.tofu` file stands beside it.
    """

    def __init__(
        self,
        tree: Tree,
        modules_root: str,
        memo: ParseCache | None = None,
        product: Product | None = None,
        limits: CodeLimits = DEFAULT_LIMITS,
    ) -> None:
        self.tree = tree
        self.modules_root = modules_root
        self.memo = memo or ParseCache()
        self.product = product
        self.limits = limits
        self._directories: dict[str, ModuleFacts] = {}
        self._calls: dict[str, tuple[ResolvedCall, ...]] = {}
        self._listed: dict[str, tuple[tuple[str, str], ...]] = {}
        self._code: dict[tuple[str, Product], list[tuple[str, str]]] = {}
        self._contents: dict[str, str] = {}
        self._views: dict[Product, Source] = {}
        self._files: OrderedDict[tuple[str, str], File] = OrderedDict()
        self._bytes_kept = 0
        self._bytes_parsed: dict[tuple[str, str], int] = {}
        self._total_parsed = 0

    def as_read_by(self, product: Product) -> Source:
        """The same code as a product reads it."""
        if product not in self._views:
            view = Source(self.tree, self.modules_root, self.memo, product, self.limits)
            self._views[product] = self if product == self.product else view
        return self._views[product]

    def real(self, folder: str) -> str:
        """A root's directory without links: Terraform runs in it, and takes `../` from there."""
        resolved = self.tree.resolve(folder)
        return resolved if isinstance(resolved, str) else folder

    def listing(self, folder: str) -> tuple[tuple[str, str], ...]:
        """Names directly in a folder, each with the resolved path of the file behind it."""
        if folder not in self._listed:
            real = self.tree.resolve(folder)
            names = self.tree.files(real) if isinstance(real, str) else []
            resolved = ((name, self.tree.find(f"{real}/{name}" if real else name)) for name in names)
            self._listed[folder] = tuple((name, path) for name, path in resolved if path is not None)
        return self._listed[folder]

    def code(self, folder: str, product: Product | None = None) -> list[tuple[str, str]]:
        """The configuration files of a folder with their resolved paths, in the order of reading."""
        key = (folder, product or self.product or "tofu")
        if key not in self._code:
            paths = dict(self.listing(folder))
            self._code[key] = [(name, paths[name]) for name in code_files(paths, key[1])]
        return self._code[key]

    def content(self, path: str) -> str:
        """The Git object id of a file's bytes as they are checked out; `path` is resolved.

        In the working tree they may differ from what Git has, by its attributes.
        """
        content = self._contents.get(path)
        if content is None:
            if self.tree.has_bytes_of_id(path):
                return self.tree.ids[path]
            self._read_from_tree(path)
            content = self._contents[path]
        return content

    def read(self, path: str) -> bytes:
        """The bytes of a code file; `path` is resolved. Each content is read once."""
        data = self.memo.contents.get(self.content(path))
        return self._read_from_tree(path) if data is None else data

    def _read_from_tree(self, path: str) -> bytes:
        """A file's bytes, kept by their own id: a file may be saved while its project is read."""
        data, content = self._read_with_id(path)
        if self.tree.commit is None:
            self._contents[path] = content
        return self.memo.contents.setdefault(content, data)

    def _read_with_id(self, path: str) -> tuple[bytes, str]:
        data, content = self.tree.read(path), self.tree.ids[path]
        if self.tree.commit is None:
            content = blob_id(data, content)
        return data, content

    def file(self, name: str, path: str) -> File:
        """A file as it is called in a folder; `path` is resolved."""
        key = (name, self.content(path))
        file = self._files.pop(key, None)
        if file is None:
            file = self._parse(name, path, read)
            self._bytes_kept += len(file.data)
        self._files[key] = file
        while len(self._files) > 1 and (
            len(self._files) > self.limits.files_kept or self._bytes_kept > self.limits.bytes_kept
        ):
            self._bytes_kept -= len(self._files.popitem(last=False)[1].data)
        return file

    def _parse(self, name: str, path: str, parse: Callable[[str, bytes], File]) -> File:
        if self.may_parse(name, path):
            return parse(name, self.read(path))
        return unread(name, f"the repository has more than {self.limits.tree // MEBIBYTE} MiB of code")

    def may_parse(self, name: str, path: str) -> bool:
        """Whether a file can be parsed within the limit of the tree; `path` is resolved."""
        return self._may_parse(name, path, None)

    def _may_parse(self, name: str, path: str, size: int | None) -> bool:
        """As `may_parse`; `size` is as it is counted, None where the file is to be read for it."""
        key = (name, self.content(path))
        if key not in self._bytes_parsed:
            size = self._counted_size(name, path) if size is None else size
            if self._total_parsed + size > self.limits.tree:
                return False
            self._bytes_parsed[key] = size
            self._total_parsed += size
        return True

    def _counted_size(self, name: str, path: str) -> int:
        data = self.read(path)
        return len(data) if name.endswith(JSON) else counted_size(data)

    def files(self, folder: str, product: Product | None = None) -> list[File]:
        """The configuration files of a folder, in the order of reading; too much code is not read."""
        beyond = self.beyond_limit(folder, product)
        return [beyond.get(name) or self.file(name, path) for name, path in self.code(folder, product)]

    def beyond_limit(self, folder: str, product: Product | None = None) -> dict[str, File]:
        """The files of a folder that are not read, since those before them are as much as is read."""
        sizes = {
            name: self._counted_size(name, path) // (JSON_SHARE if name.endswith(JSON) else 1)
            for name, path in self.code(folder, product)
        }
        if sum(sizes.values()) <= self.limits.folder or len(sizes) == 1:
            return {}
        why = f"the folder has more than {self.limits.folder // MEBIBYTE} MiB of code"
        totals = zip(sizes, accumulate(sizes.values()), strict=True)
        return {name: unread(name, why) for name, total in totals if total > self.limits.folder}

    def file_key(self, name: str, path: str) -> str:
        """What decides what a file says: its bytes, and whether its name makes it JSON."""
        return self.content(path) + (JSON if name.endswith(JSON) else "")

    def blocks(self, folder: str) -> list[tuple[str, Block]]:
        """The configuration files of a folder as they are written, each with its path."""
        return [(posixpath.join(folder, file.name), file.root) for file in self.files(folder)]

    def module(self, folder: str, product: Product | None = None) -> MergedModule:
        """The module in a folder as a product merges it; empty when there is no such folder."""
        return merge_files(self.files(folder, product))

    def directory(self, folder: str) -> ModuleFacts:
        """The facts of the module in a folder; none when there is no such folder."""
        facts = self._directories.get(folder)
        if facts is None:
            key = self._module_key(folder)
            facts = self.memo.modules.get(key) or self._stored_facts(folder, key)
            facts = facts or self._parse_module(folder)
            self._directories[folder] = facts
        return facts

    def _module_key(self, folder: str) -> Key:
        return (self.product or "", *(f"{name}\0{self.content(path)}" for name, path in self.code(folder)))

    def _parse_module(self, folder: str) -> ModuleFacts:
        module = self.module(folder)
        facts = module_facts(module)
        if all(file.is_read for file in module.files):
            # By what was read: a file may have changed since it was listed.
            key = self._module_key(folder)
            self.memo.modules[key] = facts
            if self.memo.stored is not None:
                sizes = [self._counted_size(name, path) for name, path in self.code(folder)]
                self.memo.stored.add(entry_key("module", *key), [sizes, encode_facts(facts)])
        self._extract(folder, module)
        return facts

    def _stored_facts(self, folder: str, key: Key) -> ModuleFacts | None:
        """The facts that an earlier run stored; None without them, or where the code is beyond the limits."""
        stored = self._stored(_decode_module, "module", *key)
        code = self.code(folder)
        if stored is None or len(stored[0]) != len(code):
            return None
        sizes, facts = stored
        if not all(self._may_parse(name, path, size) for (name, path), size in zip(code, sizes, strict=True)):
            return None
        self.memo.modules[key] = facts
        return facts

    def _stored(self, decode: Callable[[Json], T], kind: str, *parts: str) -> T | None:
        """What an earlier run stored; None without it, and where files are extracted besides."""
        if self.memo.stored is None or self.memo.extract is not None:
            return None
        try:
            value = self.memo.stored.find(entry_key(kind, *parts))
            return None if value is None else decode(value)
        except MALFORMED:
            return None

    def _extract(self, folder: str, module: MergedModule) -> None:
        extract = self.memo.extract
        if extract is None or any(is_override(file.name) for file in module.files):
            return
        for (name, path), file in zip(self.code(folder), module.files, strict=True):
            key = self.file_key(name, path)
            if file.is_read and key not in self.memo.extracted:
                self.memo.extracted[key] = extract(file)

    def template(self, path: str) -> tuple[PathUse, ...]:
        """The paths that a template file reads by functions of its own."""
        real = self.tree.find(path)
        if real is None:
            return ()
        key = self.content(real)
        if key not in self.memo.templates:
            stored = self._stored(decode_uses, "template", key)
            self.memo.templates[key] = stored if stored is not None else self._parse_template(path, real)
        return self.memo.templates[key]

    def _parse_template(self, path: str, real: str) -> tuple[PathUse, ...]:
        data, content = self._read_with_id(real)
        if not TEMPLATE_CALL.search(data):
            if self.memo.stored is not None:
                self.memo.stored.add(entry_key("template", content), encode_uses(()))
            return ()
        return template_uses(data) if self.may_parse(path, real) else (PathUse("file", UNKNOWN, None),)

    def variable_file(self, path: str) -> File:
        """A variable file; `path` is resolved."""
        return self._parse(posixpath.basename(path), path, read_values)

    def values(self, path: str) -> dict[str, Text] | None:
        """The values in one variable file; None when it cannot be read. `path` is resolved."""
        name = posixpath.basename(path)
        key = self.file_key(name, path)
        if key not in self.memo.values:
            stored = self._stored(_decode_values, "values", key)
            if stored is not None and self._may_parse(name, path, stored[0]):
                self.memo.values[key] = stored[1]
            else:
                self.memo.values[key] = self._parse_values(name, path)
        return self.memo.values[key]

    def _parse_values(self, name: str, path: str) -> dict[str, Text] | None:
        file = self.variable_file(path)
        if file.problem is not None:
            return None
        values = {name: constant(value.expression) for name, value in file.attributes.items()}
        if self.memo.stored is not None:
            key = entry_key("values", self.file_key(name, path))
            self.memo.stored.add(key, [self._counted_size(name, path), encode_texts(values)])
        return values

    def calls(self, folder: str) -> tuple[ResolvedCall, ...]:
        """The module calls of a directory, each with where it leads."""
        if folder not in self._calls:
            facts = self.directory(folder)
            self._calls[folder] = tuple(self._follow(folder, call) for call in facts.calls.values())
        return self._calls[folder]

    def reached(self, folder: str) -> list[str]:
        """The modules that a directory calls, directly or not, in the order in which they are met."""
        reached: dict[str, None] = {}
        todo = [folder]
        while todo:
            for call in self.calls(todo.pop()):
                if call.path is not None and call.path not in reached and call.path != folder:
                    reached[call.path] = None
                    todo.append(call.path)
        return list(reached)

    def _follow(self, folder: str, call: ModuleCall) -> ResolvedCall:
        facts = self.directory(folder)
        at = posixpath.join(folder, facts.at["module", call.name])
        source = resolve(call.source or (), local_scope(facts))
        address = literal(source)

        def finding(
            code: str, message: str, advice: str, severity: Literal["error", "warning"] = "error"
        ) -> CallProblem:
            return CallProblem(severity, code, message, advice, at, call.line)

        if address is None or call.source is None:
            prefix = literal_prefix(source)
            start = inside(posixpath.join(folder, posixpath.dirname(prefix))) if is_local(prefix) else None
            broad = start or self.modules_root
            message = (
                f"The source of module {call.name!r} cannot be determined; all of {broad} counts as its code."
            )
            advice = "Write the source as a plain string."
            return ResolvedCall(
                call, None, broad, finding("module-source-unknown", message, advice, "warning")
            )
        if not is_local(address):
            return ResolvedCall(call, None)
        target = inside(posixpath.join(folder, address))
        real = self.tree.resolve(target) if target is not None else None
        if target is None or isinstance(real, BrokenPath):
            why = (
                "a ring of links"
                if isinstance(real, BrokenPath) and real.why == "loop"
                else "outside the project"
            )
            message = f"Module {call.name!r} leads to {address}, which is {why}."
            return ResolvedCall(
                call, None, problem=finding("module-outside", message, "Keep its code in the project.")
            )
        if real is not None and (submodule := self.tree.submodule_of(real)):
            message = f"Module {call.name!r} lies in the Git submodule {submodule}, which counts as one file."
            advice = "Its own files are not read: edges in it are not seen."
            return ResolvedCall(
                call, None, submodule, finding("module-in-submodule", message, advice, "warning")
            )
        if not self.code(target):
            message = f"Module {call.name!r} leads to {target}, where there is no Terraform code."
            advice = "Correct the source, or add the module."
            return ResolvedCall(call, None, target, finding("module-missing", message, advice))
        return ResolvedCall(call, target)


def is_local(source: str) -> bool:
    """True for a module source that is a path."""
    return source.startswith(("./", "../"))


def local_scope(facts: ModuleFacts) -> NameScope:
    """A directory's own locals, and nothing of its variables."""

    def lookup(ref: Ref) -> tuple[Text, NameScope] | None:
        text = local_text(facts, ref)
        return (text, scope) if text else None

    scope = NameScope(lookup)
    return scope


def local_text(facts: ModuleFacts, ref: Ref) -> Text | None:
    """What a reference to a local, or to the keys or values of a collection in one, stands for."""
    match ref.kind:
        case "local":
            return facts.locals.get(ref.name)
        case "key" | "item" if ref.name in facts.items:
            return facts.items[ref.name][ref.kind == "item"]
        case _:
            return None


def folders(tree: Tree, start: str) -> Iterator[str | BrokenPath]:
    """Folders below `start` that hold code, following links; `BrokenPath` for a link that leads nowhere.

    Folders whose names begin with a dot (`.terraform`, `.infra`, `.git`) are not looked at.
    """
    todo: list[tuple[str, tuple[str, ...]]] = [(start, ())]
    while todo:
        visible, above = todo.pop()
        real = tree.resolve(visible)
        if isinstance(real, BrokenPath):
            yield real
            continue
        if any(real == other or other.startswith(f"{real}/") for other in above):
            yield BrokenPath("loop", visible)
            continue
        code_folders: dict[str, None] = {}
        cut = len(real) + 1 if real else 0
        for path in tree.below(real):
            below = path[cut:]
            folder, _, name = below.rpartition("/")
            if folder and (folder.startswith(".") or "/." in folder):
                continue
            if path in tree.links and not name.startswith("."):
                target = tree.resolve(path)
                if isinstance(target, BrokenPath) or (target not in tree.ids and tree.is_folder(target)):
                    todo.append((posixpath.join(visible, below), (*above, real, posixpath.dirname(path))))
                    continue
            if is_code(name):
                code_folders[posixpath.join(visible, folder) if folder else visible] = None
        yield from code_folders


def _decode_module(value: Json) -> tuple[list[int], ModuleFacts]:
    """The sizes of a module's files as they are counted, and its facts."""
    sizes, facts = value
    return [int(size) for size in sizes], decode_facts(facts)


def _decode_values(value: Json) -> tuple[int, dict[str, Text]]:
    """The size of a variable file as it is counted, and its values."""
    size, texts = value
    return int(size), decode_texts(texts)
