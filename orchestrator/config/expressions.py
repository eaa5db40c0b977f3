"""Regular expressions of infra.yaml, matched in time proportional to the text.

Python's own engine tries one way after another, and a pattern such as `(a+)+b` can keep it busy for years on
a text that somebody else wrote. Here all ways are followed at once. What that cannot do, such as references
to groups, is refused when the pattern is read.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

# The grammar of `re`; it has no public module since Python 3.11.
_parser: Any = importlib.import_module("re._parser")

# Whether a character is as a pattern wants it; the empty text stands for the ends of the text.
_Test = Callable[[str], bool]

_MOST_STATES = 5_000
# What is remembered of earlier texts: so many machines, each with so many transitions.
_MOST_MACHINES = 500
_MOST_TRANSITIONS = 1_000
# The newline that ends a text, which `$` may stand before.
_LAST_NEWLINE = "\n\n"
_FLAGS = re.IGNORECASE | re.ASCII | re.DOTALL
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


@dataclass(frozen=True)
class _Edge:
    """A way to another state that takes no character, if those before and after it pass the tests."""

    target: int
    behind: _Test | None = None
    ahead: _Test | None = None


@dataclass
class _State:
    """A step of a pattern: a character that passes `test` leads to `target`, an edge leads on without one."""

    edges: Sequence[_Edge] = ()
    test: _Test | None = None
    target: int = 0


class _Machine(dict[str, "_Machine"]):
    """All the ways that are open after some text; a character leads to those open after it.

    A character that completes a match raises `_MatchError` and is not stored.
    """

    __slots__ = ("behind", "expression", "is_idle", "states")

    def __init__(self, expression: LinearExpression, states: frozenset[int], behind: str) -> None:
        self.expression = expression
        self.states = states
        self.behind = behind
        self.is_idle = not states

    def __missing__(self, char: str) -> _Machine:
        after, start = self.expression.advance(dict.fromkeys(self.states, -1), 0, self.behind, char)
        if start is not None:
            raise _MatchError
        if len(self) >= _MOST_TRANSITIONS:
            self.clear()
        following = self[char] = self.expression.machine(frozenset(after), char[:1])
        return following


class _MatchError(Exception):
    """A match ends before the character that was read."""


@dataclass
class _Program:
    """Builds the states of a pattern from its syntax tree, from the last to the first."""

    states: list[_State] = field(default_factory=lambda: [_State()])

    def add(self, state: _State) -> int:
        if len(self.states) >= _MOST_STATES:
            raise ValueError("must be smaller: its repetitions are too many")
        self.states.append(state)
        return len(self.states) - 1

    def sequence(self, items: Iterable[Any], after: int, flags: int) -> int:
        for kind, argument in reversed(list(items)):
            after = self._item(str(kind), argument, after, flags)
        return after

    def _item(self, kind: str, argument: Any, after: int, flags: int) -> int:
        match kind:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self.add(_State(test=_test(kind, argument, flags), target=after))
            case "BRANCH":
                return self._either(self.sequence(items, after, flags) for items in argument[1])
            case "SUBPATTERN":
                _, added, removed, items = argument
                return self.sequence(items, after, (flags | added) & ~removed)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, items = argument
                return self._repeat(least, most, items, after, flags)
            case "AT":
                return self.add(_State(edges=_anchor(str(argument), after, flags)))
            case "ASSERT" | "ASSERT_NOT":
                return self.add(_State(edges=(_neighbor(kind, argument, after, flags),)))
        raise ValueError(
            "must do without references to groups, atomic groups and possessive repetitions, "
            "which cannot be matched in a time that is known"
        )

    def _either(self, targets: Iterable[int]) -> int:
        return self.add(_State(edges=tuple(map(_Edge, targets))))

    def _repeat(self, least: int, most: int, items: Any, after: int, flags: int) -> int:
        if most == _parser.MAXREPEAT:
            start = self._either(())
            self.states[start].edges = (_Edge(self.sequence(items, start, flags)), _Edge(after))
        else:
            start = after
            for _ in range(most - least):
                start = self._either((self.sequence(items, start, flags), after))
        for _ in range(least):
            start = self.sequence(items, start, flags)
        return start


@dataclass(frozen=True)
class LinearExpression:
    """A regular expression; the longest text counts, whether a repetition is greedy or lazy.

    Safe to share between threads.
    """

    text: str
    _states: Sequence[_State] = field(repr=False, compare=False)
    _first: int = field(repr=False, compare=False)
    # A match begins here; what is before it is a lookbehind.
    _mark: int = field(repr=False, compare=False)
    _behind: Sequence[_Test] = field(repr=False, compare=False)
    _machines: dict[tuple[frozenset[int], tuple[bool, ...]], _Machine] = field(
        default_factory=dict, repr=False, compare=False
    )

    def search(self, text: str) -> bool:
        """Whether some part of the text matches."""
        return self._next(text, 0) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The parts of a text that match, as (start, end); parts that overlap are one."""
        spans: list[tuple[int, int]] = []
        at = 0
        while (region := self._next(text, at)) is not None:
            at = self._follow(text, region, spans)
        return spans

    def _next(self, text: str, at: int) -> int | None:
        """Where no way was open last before the next match ends; None without another match."""
        machine = self.machine(frozenset(), text[at - 1 : at] if at else "")
        idle = at
        last = len(text) - 1
        try:
            for index in range(at, last):
                machine = machine[text[index]]
                if machine.is_idle:
                    idle = index + 1
            if at <= last:
                machine = machine[_LAST_NEWLINE if text[last] == "\n" else text[last]]
            machine[""]
        except _MatchError:
            return idle
        return None

    def _follow(self, text: str, at: int, spans: list[tuple[int, int]]) -> int:
        """Adds the matches from `at` on, until no way is open; where that is, or behind the text's end."""
        threads: Mapping[int, int | None] = {}
        behind = text[at - 1 : at] if at else ""
        was_match = False
        for index in range(at, len(text) + 1):
            char = text[index : index + 1]
            is_last = char == "\n" and index == len(text) - 1
            threads, start = self.advance(threads, index, behind, _LAST_NEWLINE if is_last else char)
            if start is not None:
                was_match = True
                while spans and spans[-1][0] >= start:
                    spans.pop()
                if spans and start < spans[-1][1]:
                    start = spans.pop()[0]
                spans.append((start, index))
            if was_match and not threads:
                return index + 1
            behind = char
        return len(text) + 1

    def advance(
        self, threads: Mapping[int, int | None], index: int, behind: str, char: str
    ) -> tuple[dict[int, int | None], int | None]:
        """The open ways after one more character, and where the longest match that ends before it starts.

        `threads` maps each state to where its match started, None before a match starts.
        """
        after: dict[int, int | None] = {}
        match: int | None = None
        seen: set[int] = set()
        # Who started first comes first: a state that is reached in two ways keeps the longer match.
        ordered = sorted(threads, key=lambda state: index if (at := threads[state]) is None else at)
        for first in (*ordered, self._first):
            stack = [(first, threads.get(first) if first in threads else None)]
            while stack:
                number, start = stack.pop()
                if number in seen:
                    continue
                seen.add(number)
                if number == self._mark:
                    start = index
                if number == 0 and start is not None and start < index and (match is None or start < match):
                    match = start
                state = self._states[number]
                if state.test is not None and char and state.test(char[:1]):
                    after.setdefault(state.target, start)
                for edge in state.edges:
                    if (edge.behind is None or edge.behind(behind)) and (
                        edge.ahead is None or edge.ahead(char)
                    ):
                        stack.append((edge.target, start))
        return after, match

    def machine(self, states: frozenset[int], behind: str) -> _Machine:
        """The machine with these ways open behind a character."""
        key = (states, tuple(test(behind) for test in self._behind))
        machine = self._machines.get(key)
        if machine is None:
            if len(self._machines) >= _MOST_MACHINES:
                self._machines.clear()
            machine = self._machines[key] = _Machine(self, states, behind)
        return machine


@lru_cache(maxsize=1_000)
def parse_expression(text: str) -> LinearExpression:
    """The expression that a text says; ValueError with what is wrong about it."""
    try:
        with warnings.catch_warnings():
            # "Possible nested set": what `[[:digit:]]` means elsewhere is not what it means here.
            warnings.filterwarnings("error", message="Possible", category=FutureWarning)
            is_empty = re.compile(text).search("") is not None
            syntax = _parser.parse(text)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    except FutureWarning as warning:
        problem = str(warning).replace("Possible", "possible", 1)
        raise ValueError(
            f"must be a regular expression that says one thing: {problem}; write `\\[`, `\\-`, `\\&`, "
            "`\\~` or `\\|` for the sign itself"
        ) from None
    except (RecursionError, OverflowError):
        raise ValueError("must be a smaller regular expression") from None
    if is_empty:
        raise ValueError("must be a regular expression that does not match an empty text")
    program, flags, items = _Program(), syntax.state.flags, list(syntax)
    behind = items[:1] if items and str(items[0][0]) == "ASSERT" and items[0][1][0] < 0 else []
    mark = program.add(_State(edges=(_Edge(program.sequence(items[len(behind) :], 0, flags)),)))
    first = program.sequence(behind[0][1][1], mark, flags) if behind else mark
    tests = [edge.behind for state in program.states for edge in state.edges if edge.behind is not None]
    return LinearExpression(text, program.states, first, mark, tests)


def _test(kind: str, argument: Any, flags: int) -> _Test:
    """Whether a character is the one, or one of those, that a part of a pattern stands for."""
    match kind:
        case "ANY":
            part = "."
        case "IN":
            part = f"[{''.join(map(_member, argument))}]"
        case _:
            part = f"[{'^' if kind == 'NOT_LITERAL' else ''}{_escaped(argument)}]"
    fullmatch = re.compile(part, flags & _FLAGS).fullmatch
    return lambda char: bool(char) and fullmatch(char[:1]) is not None


def _member(item: tuple[Any, Any]) -> str:
    kind, argument = str(item[0]), item[1]
    match kind:
        case "NEGATE":
            return "^"
        case "RANGE":
            return f"{_escaped(argument[0])}-{_escaped(argument[1])}"
        case "CATEGORY":
            return _CATEGORIES[str(argument)]
    return _escaped(argument)


def _escaped(code: int) -> str:
    return f"\\U{code:08x}"


def _is_end(char: str) -> bool:
    return not char


def _anchor(kind: str, target: int, flags: int) -> tuple[_Edge, ...]:
    """The edges of `^`, `$`, `\\A`, `\\Z`, `\\b` and `\\B`."""
    is_word = _test("IN", [("CATEGORY", "CATEGORY_WORD")], flags)

    def is_no_word(char: str) -> bool:
        return not is_word(char)

    match kind:
        case "AT_BOUNDARY":
            return _Edge(target, is_word, is_no_word), _Edge(target, is_no_word, is_word)
        case "AT_NON_BOUNDARY":
            return _Edge(target, is_word, is_word), _Edge(target, is_no_word, is_no_word)
        case "AT_BEGINNING" if flags & re.MULTILINE:
            return (_Edge(target, behind=lambda char: char in ("", "\n")),)
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return (_Edge(target, behind=_is_end),)
        case "AT_END" if flags & re.MULTILINE:
            return (_Edge(target, ahead=lambda char: char[:1] in ("", "\n")),)
        case "AT_END":
            return (_Edge(target, ahead=lambda char: char in ("", _LAST_NEWLINE)),)
    return (_Edge(target, ahead=_is_end),)


def _neighbor(kind: str, argument: Any, target: int, flags: int) -> _Edge:
    """The edge of a lookahead or lookbehind of one character."""
    direction, items = argument
    if len(items) != 1 or str(items[0][0]) not in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        raise ValueError(
            "must look ahead and behind at one character only; a lookbehind that the expression begins with "
            "may be longer"
        )
    is_wanted = _test(str(items[0][0]), items[0][1], flags)
    test: _Test = (lambda char: not is_wanted(char)) if kind == "ASSERT_NOT" else is_wanted
    return _Edge(target, behind=test) if direction < 0 else _Edge(target, ahead=test)
