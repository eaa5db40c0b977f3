"""Which stacks' outputs an attribute is made from: followed through the code, never evaluated.

What cannot be told reaches nothing: a difference there is then for people to approve.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from orchestrator.project.edges import Edges
from orchestrator.project.model import Project, Stack
from orchestrator.repository.hcl import Expression, Reference, References
from orchestrator.repository.hcl.text import Scope
from orchestrator.repository.references import Body, Definitions, definitions
from orchestrator.repository.source import Source
from orchestrator.repository.variables import call_scope

Stacks = frozenset[str]
NONE: Stacks = frozenset()

_STEP = re.compile(r'\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')


def reach(project: Project, stack: str) -> Callable[[str, str], Stacks]:
    """Given an address and an attribute's path, the stacks whose remote states its expression reaches.

    Directly, or through locals, variables and outputs of modules, other resources and data sources of the
    stack, and what repeats a block. What the code leaves to the provider comes from the resource's other
    arguments. An output of the stack is `output.NAME` with an empty path.
    """
    found = project.stacks.get(stack)
    if found is None:
        return lambda address, path: NONE
    return _Reach(project, found).of


@dataclass(frozen=True)
class _Instance:
    """A module as it is called from one place. `names` lead there: the root's are empty."""

    names: tuple[str, ...]
    folder: str
    scope: Scope = field(compare=False, repr=False)
    caller: _Instance | None = field(default=None, compare=False, repr=False)
    call: Body = field(default_factory=Body, compare=False, repr=False)

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
        self.edges = Edges(self.source, project.stacks, project.coverage.scopes)
        folder = self.source.real(stack.path)
        self.root = _Instance((), folder, project.coverage.scopes[stack.id])
        self.definitions: dict[str, Definitions] = {}
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
            return self._follow((at, one, None) for one in value.references) if value else NONE
        body = self._in(at).resources.get((names[0], names[1])) if len(names) == 2 else None
        return self._inside(at, body, steps, body.repeats) if body else NONE

    # From a path to expressions

    def _inside(
        self, at: _Instance, body: Body, steps: tuple[str | int, ...], repeats: Expression | None
    ) -> Stacks:
        """What a path inside a block reaches."""
        if steps and isinstance(steps[0], str):
            name, rest = steps[0], steps[1:]
            if name in body.attributes:
                told = _element(body.attributes[name], rest)
                return self._follow((at, one, repeats) for one in told)
            blocks = body.named(name)
            if blocks:
                rest = rest[1:] if rest and isinstance(rest[0], int) else rest
                return self._in_all(at, blocks, rest, repeats)
        # Not in the code: the provider makes it from what is.
        return self._follow((at, one, repeats) for one in _arguments(body))

    def _in_all(
        self, at: _Instance, blocks: Iterable[Body], steps: tuple[str | int, ...], repeats: Expression | None
    ) -> Stacks:
        """Which of several blocks an index means cannot be told, so what all of them reach is reached."""
        found = []
        for one in blocks:
            inside = self._inside(at, one, steps, repeats)
            many = one.repeats.references if one.repeats else frozenset()
            found.append(inside | self._follow((at, each, repeats) for each in many))
        return frozenset.intersection(*found)

    # From expressions to remote states

    def _follow(self, uses: Iterable[_Use]) -> Stacks:
        found: set[str] = set()
        todo = list(uses)
        seen: set[tuple[tuple[str, ...], Reference, References]] = set()
        while todo:
            at, reference, repeats = todo.pop()
            key = (at.names, reference, repeats.references if repeats else frozenset())
            if key in seen:
                continue
            seen.add(key)
            match reference:
                case ("data", "terraform_remote_state", name, *_):
                    owner = self.edges.owner_of(self.stack, at.folder, name, at.scope)
                    found |= {owner} if owner else set()
                case _:
                    todo += self._next(at, reference, repeats)
        return frozenset(found)

    def _next(self, at: _Instance, reference: Reference, repeats: Expression | None) -> Iterator[_Use]:
        """The names that stand behind a name."""
        known = self._in(at)
        match reference:
            case ("local", name, *rest) if name in known.locals:
                yield from ((at, one, None) for one in _element(known.locals[name], _bare(rest)))
            case ("var", name, *rest) if at.caller is not None and name in at.call.attributes:
                told = _element(at.call.attributes[name], _bare(rest))
                yield from ((at.caller, one, at.call.repeats) for one in told)
            case ("each", "value", *_) if repeats is not None:
                yield from ((at, one, None) for one in repeats.references)
            case ("module", name, *rest):
                yield from self._outputs(at, name, rest)
            case ("data", type_, name, *_) if (type_, name) in known.data:
                yield from self._whole(at, known.data[type_, name])
            case (type_, name, *_) if (type_, name) in known.resources:
                yield from self._whole(at, known.resources[type_, name])

    def _whole(self, at: _Instance, body: Body) -> Iterator[_Use]:
        yield from ((at, one, body.repeats) for one in body.references())

    def _outputs(self, at: _Instance, name: str, rest: list[str]) -> Iterator[_Use]:
        """The outputs of a module that are read: one by its name, or any."""
        below = self._called(at, name)
        if below is None:
            return
        many = [one for one in (below.call.repeats, below.call.count) if one]
        # Which instances there are is part of what is read.
        yield from ((at, one, None) for each in many for one in each.references)
        if rest and (rest[0] == "[" or (many and rest[0].startswith("["))):
            rest = rest[1:]
        outputs = self._in(below).outputs
        wanted = outputs.values()
        if rest:
            one = outputs.get(rest[0].removeprefix("["))
            wanted = [one] if one else []  # type: ignore[assignment]
            rest = rest[1:]
        for value in wanted:
            yield from ((below, one, None) for one in _element(value, _bare(rest)))

    def _called(self, at: _Instance, name: str) -> _Instance | None:
        """The module that a call leads to; None where that is not in the project."""
        found = next((one for one in self.source.calls(at.folder) if one.call.name == name), None)
        body = self._in(at).modules.get(name)
        if found is None or found.path is None or body is None or found.path in at.above:
            return None
        scope = call_scope(self.source.directory(found.path), found.path, found.call, at.scope)
        return _Instance((*at.names, name), found.path, scope, at, body)

    def _in(self, at: _Instance) -> Definitions:
        if at.folder not in self.definitions:
            self.definitions[at.folder] = definitions(self.source, at.folder)
        return self.definitions[at.folder]


def _arguments(body: Body) -> References:
    """What a resource's arguments use, without what says how many of it there are."""
    own = (one.references for one in body.attributes.values())
    return frozenset().union(*own, *(one.references() for _, one in body.blocks))


def _element(expression: Expression, steps: Iterable[str | int]) -> References:
    """The references of the part of an expression that some steps lead to, as far as it is spelt out."""
    for step in steps:
        if expression.elements is None or step not in expression.elements:
            break
        expression = expression.elements[str(step)]
    return expression.references


def _bare(rest: Iterable[str]) -> list[str]:
    return [one.removeprefix("[") for one in rest]


def _words(address: str) -> tuple[str, ...] | None:
    """The names in an address, without the keys of instances; None for what is no address."""
    steps = _steps(address)
    # A key of a `for_each` is a name in a path, and no name in an address: it stands in brackets.
    return None if steps is None else tuple(str(one) for one, bracket in _marked(address) if not bracket)


def _steps(path: str) -> tuple[str | int, ...] | None:
    """A path's steps; None when it cannot be read."""
    found = tuple(one for one, _ in _marked(path))
    return found if "".join(match.group(0) for match in _STEP.finditer(path)) == path else None


def _marked(path: str) -> Iterator[tuple[str | int, bool]]:
    """Each step, and whether it stands in brackets."""
    for match in _STEP.finditer(path):
        name, index, key = match.groups()
        if name is not None:
            yield name, False
        elif index is not None:
            yield int(index), True
        else:
            yield re.sub(r"\\(.)", r"\1", key), True
