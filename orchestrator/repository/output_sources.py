"""Finds the upstream stacks whose outputs an attribute is computed from. Code is followed, never evaluated.

An expression that cannot be resolved has no upstream: a difference there needs an approval.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.repository.edges import EdgeFinder
from orchestrator.repository.hcl import Block, Expression, Reference, References
from orchestrator.repository.hcl.text import NameScope
from orchestrator.repository.model import Project, Stack
from orchestrator.repository.source import Source
from orchestrator.repository.variables import call_scope

Stacks = frozenset[str]
NONE: Stacks = frozenset()

_STEP = re.compile(r'\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')


# What is no argument of a resource but tells Terraform how to handle it.
_META = frozenset({"depends_on", "provider", "providers", "lifecycle", "provisioner", "connection"})
_REPEATS = frozenset({"for_each", "count"})


@dataclass(frozen=True)
class _BlockBody:
    """A block's arguments and the blocks inside; `repeats` is its `for_each`, `count` its `count`."""

    attributes: Mapping[str, Expression] = field(default_factory=dict)
    blocks: tuple[tuple[str, _BlockBody], ...] = ()
    repeats: Expression | None = None
    count: Expression | None = None

    def named(self, name: str) -> tuple[_BlockBody, ...]:
        """The blocks of a name directly inside, dynamic ones included."""
        return tuple(body for kind, body in self.blocks if kind == name)

    def references(self) -> References:
        """All that is used anywhere in it."""
        own = (*self.attributes.values(), self.repeats, self.count)
        below = (body.references() for _, body in self.blocks)
        return frozenset().union(*(part.references for part in own if part is not None), *below)


@dataclass(frozen=True)
class _Definitions:
    """The definitions of a folder by name; resources and data sources by type and name."""

    locals: Mapping[str, Expression]
    outputs: Mapping[str, Expression]
    modules: Mapping[str, _BlockBody]
    resources: Mapping[tuple[str, str], _BlockBody]
    data: Mapping[tuple[str, str], _BlockBody]


def upstream_finder(project: Project, stack: str) -> Callable[[str, str], Stacks]:
    """Given an address and an attribute's path, the stacks whose remote states its expression reaches.

    Directly, or through locals, variables and outputs of modules, other resources and data sources of the
    stack, and what repeats a block. What the code leaves to the provider comes from the resource's other
    arguments. An output of the stack is `output.NAME` with an empty path.
    """
    root_stack = project.stacks.get(stack)
    if root_stack is None:
        return lambda address, path: NONE
    return _Reach(project, root_stack).of


@dataclass(frozen=True)
class _Instance:
    """A module as it is called from one place. `names` lead there: the root's are empty."""

    names: tuple[str, ...]
    folder: str
    scope: NameScope = field(compare=False, repr=False)
    caller: _Instance | None = field(default=None, compare=False, repr=False)
    call: _BlockBody = field(default_factory=_BlockBody, compare=False, repr=False)

    @property
    def above(self) -> tuple[str, ...]:
        """The folders from the root down to this one."""
        return (*(self.caller.above if self.caller else ()), self.folder)


# A use of a name: where, which, and what repeats the block that it stands in.
_Use = tuple[_Instance, Reference, Expression | None]


class _Reach:
    """The expressions of one stack. Answers are kept, since plans ask for the same again."""

    def __init__(self, project: Project, stack: Stack) -> None:
        self.source: Source = project.coverage.source
        self.stack = stack
        self.edges = EdgeFinder(self.source, project.stacks, project.coverage.scopes)
        folder = self.source.real(stack.path)
        self.root = _Instance((), folder, project.coverage.scopes[stack.id])
        self.definitions: dict[str, _Definitions] = {}
        self.answers: dict[tuple[str, str], Stacks] = {}

    def of(self, address: str, path: str) -> Stacks:
        key = (address, path)
        if key not in self.answers:
            self.answers[key] = self._of(address, path)
        return self.answers[key]

    def _of(self, address: str, path: str) -> Stacks:
        names, steps = _words(address), _steps(path)
        if names is None or steps is None:
            return NONE
        at = self.root
        while len(names) > 1 and names[0] == "module":
            below = self._called(at, names[1])
            if below is None:
                return NONE
            at, names = below, names[2:]
        if at is self.root and len(names) == 2 and names[0] == "output":
            value = self._in(at).outputs.get(names[1])
            return self._follow((at, reference, None) for reference in value.references) if value else NONE
        body = self._in(at).resources.get((names[0], names[1])) if len(names) == 2 else None
        return self._inside(at, body, steps, body.repeats) if body else NONE

    # From a path to expressions

    def _inside(
        self, at: _Instance, body: _BlockBody, steps: tuple[str | int, ...], repeats: Expression | None
    ) -> Stacks:
        """The stacks that a path inside a block depends on."""
        if steps and isinstance(steps[0], str):
            name, rest = steps[0], steps[1:]
            if name in body.attributes:
                element = _element(body.attributes[name], rest)
                return self._follow((at, reference, repeats) for reference in element)
            blocks = body.named(name)
            if blocks:
                rest = rest[1:] if rest and isinstance(rest[0], int) else rest
                return self._in_all(at, blocks, rest, repeats)
        # Not in the code: the provider makes it from what is.
        return self._follow((at, argument, repeats) for argument in _arguments(body))

    def _in_all(
        self,
        at: _Instance,
        blocks: Iterable[_BlockBody],
        steps: tuple[str | int, ...],
        repeats: Expression | None,
    ) -> Stacks:
        """Which block an index means is unknown, so the upstreams of all of them count."""
        reached = []
        for block in blocks:
            inside = self._inside(at, block, steps, repeats)
            many = block.repeats.references if block.repeats else frozenset()
            reached.append(inside | self._follow((at, each, repeats) for each in many))
        return frozenset.intersection(*reached)

    # From expressions to remote states

    def _follow(self, uses: Iterable[_Use]) -> Stacks:
        owners: set[str] = set()
        todo = list(uses)
        visited: set[tuple[tuple[str, ...], Reference, References]] = set()
        while todo:
            at, reference, repeats = todo.pop()
            key = (at.names, reference, repeats.references if repeats else frozenset())
            if key in visited:
                continue
            visited.add(key)
            match reference:
                case ("data", "terraform_remote_state", name, *_):
                    owner = self.edges.owner_of(self.stack, at.folder, name, at.scope)
                    owners |= {owner} if owner else set()
                case _:
                    todo += self._next(at, reference, repeats)
        return frozenset(owners)

    def _next(self, at: _Instance, reference: Reference, repeats: Expression | None) -> Iterator[_Use]:
        """The references that a name resolves to."""
        defined = self._in(at)
        match reference:
            case ("local", name, *rest) if name in defined.locals:
                yield from (
                    (at, inner, None) for inner in _element(defined.locals[name], _without_brackets(rest))
                )
            case ("var", name, *rest) if at.caller is not None and name in at.call.attributes:
                element = _element(at.call.attributes[name], _without_brackets(rest))
                yield from ((at.caller, inner, at.call.repeats) for inner in element)
            case ("each", "value", *_) if repeats is not None:
                yield from ((at, reference, None) for reference in repeats.references)
            case ("module", name, *rest):
                yield from self._outputs(at, name, rest)
            case ("data", type_, name, *_) if (type_, name) in defined.data:
                yield from self._whole(at, defined.data[type_, name])
            case (type_, name, *_) if (type_, name) in defined.resources:
                yield from self._whole(at, defined.resources[type_, name])

    def _whole(self, at: _Instance, body: _BlockBody) -> Iterator[_Use]:
        yield from ((at, reference, body.repeats) for reference in body.references())

    def _outputs(self, at: _Instance, name: str, rest: list[str]) -> Iterator[_Use]:
        """The outputs of a module that are read: one by its name, or any."""
        below = self._called(at, name)
        if below is None:
            return
        many = [expression for expression in (below.call.repeats, below.call.count) if expression]
        # Which instances there are is part of what is read.
        yield from ((at, reference, None) for each in many for reference in each.references)
        if rest and (rest[0] == "[" or (many and rest[0].startswith("["))):
            rest = rest[1:]
        outputs = self._in(below).outputs
        expressions = outputs.values()
        if rest:
            output = outputs.get(rest[0].removeprefix("["))
            expressions = [output] if output else []  # type: ignore[assignment]
            rest = rest[1:]
        for value in expressions:
            yield from ((below, reference, None) for reference in _element(value, _without_brackets(rest)))

    def _called(self, at: _Instance, name: str) -> _Instance | None:
        """The module that a call leads to; None where that is not in the project."""
        call = next((call for call in self.source.calls(at.folder) if call.call.name == name), None)
        body = self._in(at).modules.get(name)
        if call is None or call.path is None or body is None or call.path in at.above:
            return None
        scope = call_scope(self.source.directory(call.path), call.path, call.call, at.scope)
        return _Instance((*at.names, name), call.path, scope, at, body)

    def _in(self, at: _Instance) -> _Definitions:
        if at.folder not in self.definitions:
            self.definitions[at.folder] = _definitions(self.source, at.folder)
        return self.definitions[at.folder]


def _arguments(body: _BlockBody) -> References:
    """What a resource's arguments use, without what says how many of it there are."""
    own = (attribute.references for attribute in body.attributes.values())
    return frozenset().union(*own, *(block_body.references() for _, block_body in body.blocks))


def _element(expression: Expression, steps: Iterable[str | int]) -> References:
    """The references of the part of an expression that some steps lead to, as far as it is spelt out."""
    for step in steps:
        if expression.elements is None or step not in expression.elements:
            break
        expression = expression.elements[str(step)]
    return expression.references


def _without_brackets(rest: Iterable[str]) -> list[str]:
    return [step.removeprefix("[") for step in rest]


def _words(address: str) -> tuple[str, ...] | None:
    """The names in an address, without the keys of instances; None for what is no address."""
    steps = _steps(address)
    # A key of a `for_each` is a name in a path, and no name in an address: it stands in brackets.
    return (
        None if steps is None else tuple(str(step) for step, bracket in _parse_steps(address) if not bracket)
    )


def _steps(path: str) -> tuple[str | int, ...] | None:
    """A path's steps; None when it cannot be read."""
    marked = tuple(step for step, _ in _parse_steps(path))
    return marked if "".join(match.group(0) for match in _STEP.finditer(path)) == path else None


def _parse_steps(path: str) -> Iterator[tuple[str | int, bool]]:
    """Each step, and whether it stands in brackets."""
    for match in _STEP.finditer(path):
        name, index, key = match.groups()
        if name is not None:
            yield name, False
        elif index is not None:
            yield int(index), True
        else:
            yield re.sub(r"\\(.)", r"\1", key), True


# Definitions of a folder


def _definitions(source: Source, folder: str) -> _Definitions:
    """The definitions in a folder as Terraform merges them. What does not parse is left out."""
    module = source.module(folder)
    outputs = {name: block.expression("value") for name, block in module.outputs.items()}
    by_kind: dict[str, dict[tuple[str, str], _BlockBody]] = {"resource": {}, "data": {}}
    for (kind, type_name, name), block in module.resources.items():
        if kind in by_kind:
            by_kind[kind][type_name, name] = _body_of(block)
    return _Definitions(
        {name: attribute.expression for name, attribute in module.locals.items()},
        {name: value for name, value in outputs.items() if value is not None},
        {name: _body_of(block) for name, block in module.calls.items()},
        by_kind["resource"],
        by_kind["data"],
    )


def _body_of(block: Block) -> _BlockBody:
    """A block's arguments and nested blocks, without what is for Terraform alone."""
    attributes = {name: attribute.expression for name, attribute in block.attributes.items()}
    blocks: list[tuple[str, _BlockBody]] = []
    for nested in block.blocks:
        if nested.kind == "dynamic" and nested.labels:
            blocks.append((nested.labels[0], _dynamic(nested)))
        elif nested.kind not in _META and not (nested.is_json and _is_object(attributes.get(nested.kind))):
            blocks.append((nested.kind, _body_of(nested)))
    block_kinds = {kind for kind, _ in blocks}
    expressions = {
        name: expression
        for name, expression in attributes.items()
        if name not in _META and name not in _REPEATS and name not in block_kinds and name != "dynamic"
    }
    return _BlockBody(expressions, tuple(blocks), attributes.get("for_each"), attributes.get("count"))


def _dynamic(block: Block) -> _BlockBody:
    content = next(iter(block.of("content")), None)
    return replace(
        _body_of(content) if content is not None else _BlockBody(), repeats=block.expression("for_each")
    )


def _is_object(expression: Expression | None) -> bool:
    """Whether a member of JSON is one object: a value, where a list of objects is a list of blocks."""
    return expression is not None and expression.elements is not None
