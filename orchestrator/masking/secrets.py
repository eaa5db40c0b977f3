"""Sets of secrets, and how they are removed from text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.masking.printed_forms import forms_of, terraform_quoted
from orchestrator.masking.secret_names import COMMON, HIDDEN

# An address with an instance key; possessive, so that no text takes long.
_ADDRESS = re.compile(r'[\w.-]++(?:\[(?:"(?:[^"\\\n]|\\.)*+"|\d++)\][\w.-]*+)++')
SHORTEST = 4
ALWAYS_HIDDEN_FROM = 6


@dataclass(frozen=True)
class SecretSet:
    """What to hide. `anywhere` are texts hidden wherever they appear.

    `at` holds (attribute, value) for values that are too short or too common for that: they are hidden where
    that attribute has that value. `addresses` are those of the plan with an instance key, which may be such a
    text: there it stays, since an address must name its resource. Never printed: none is in the repr.
    """

    anywhere: frozenset[str] = field(default=frozenset(), repr=False)
    at: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    addresses: frozenset[str] = field(default=frozenset(), repr=False)

    def __or__(self, other: SecretSet) -> SecretSet:
        return SecretSet(self.anywhere | other.anywhere, self.at | other.at, self.addresses | other.addresses)

    def __bool__(self) -> bool:
        return bool(self.anywhere or self.at)

    @classmethod
    def of(cls, values: Iterable[str]) -> SecretSet:
        """The set of values that are known to be secret, such as variables given on the command line."""
        collector = SecretCollector()
        for value in values:
            collector.add(value, None)
        return collector.secrets()

    @cached_property
    def _lengths(self) -> dict[str, tuple[int, ...]]:
        """The first characters of the texts, each with the lengths of those that begin so, longest first."""
        lengths: dict[str, set[int]] = {}
        for text in self.anywhere:
            lengths.setdefault(text[:SHORTEST], set()).add(len(text))
        return {start: tuple(sorted(length, reverse=True)) for start, length in lengths.items()}

    def hide(self, text: str) -> str:
        """The text without any of the secrets that are hidden anywhere.

        Linear in the text however many secrets there are: one look-up a position by the first characters.
        """
        lengths = self._lengths
        if not lengths:
            return text
        size = SHORTEST
        starts = [at for at in range(len(text) - size + 1) if text[at : at + size] in lengths]
        spans: list[list[int]] = []
        protected = iter(self._addresses_in(text) if starts else ())
        begin, until = next(protected, (len(text), len(text)))
        for start in starts:
            while until <= start < len(text) and begin < len(text):
                begin, until = next(protected, (len(text), len(text)))
            end = self._match_at(text, start, lengths[text[start : start + size]])
            if end is None or (begin <= start and end <= until):
                continue
            if spans and start < spans[-1][1]:
                spans[-1][1] = max(spans[-1][1], end)
            else:
                spans.append([start, end])
        parts: list[str] = []
        done = 0
        for start, end in spans:
            parts += (text[done:start], HIDDEN)
            done = end
        return "".join([*parts, text[done:]]) if spans else text

    def _addresses_in(self, text: str) -> Iterator[tuple[int, int]]:
        """Where addresses stand whose instance key may be read."""
        for match in _ADDRESS.finditer(text) if self.addresses else ():
            address = match.group().rstrip(".")
            if address in self.addresses:
                yield match.start(), match.start() + len(address)

    def _match_at(self, text: str, start: int, lengths: tuple[int, ...]) -> int | None:
        for length in lengths:
            end = start + length
            if text[start:end] not in self.anywhere:
                continue
            if length >= ALWAYS_HIDDEN_FROM or _stands_alone(text, start, end):
                return end
        return None


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a short match is a word of its own, not four letters of another one."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() or before == "_" or after.isalnum() or after == "_")


NO_SECRETS = SecretSet()


class SecretCollector:
    """Gathers secrets; `vocabulary` are words of the plan itself (types, names) that must stay readable.

    `addresses` are the plan's that have instance keys.
    """

    def __init__(
        self, vocabulary: frozenset[str] = frozenset(), addresses: frozenset[str] = frozenset()
    ) -> None:
        self.vocabulary = vocabulary
        self.addresses = addresses
        self.values: set[tuple[str | None, str]] = set()

    def add(self, value: object, key: str | None) -> None:
        """Add a secret value; booleans and null are never secret.

        `key` is its attribute's name, empty for a list's item, None for no place at all.
        """
        if isinstance(value, str):
            self.values.add((key, value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self.values.add((key, repr(value)))

    def secrets(self) -> SecretSet:
        """All that was gathered, in every form in which it may be printed."""
        anywhere: set[str] = set()
        at: set[tuple[str, str]] = set()
        for key, value in self.values:
            telling = self._is_telling(value)
            if telling:
                anywhere.update(filter(self._is_telling, forms_of(value)))
            if key is not None and (not telling or "\n" in value):
                at.update(
                    {(key, form) for form in (terraform_quoted(value), *map(str.strip, value.splitlines()))}
                )
        return SecretSet(
            frozenset(anywhere),
            frozenset(pair for pair in at if pair[1]),
            self.addresses if anywhere else frozenset(),
        )

    def _is_telling(self, text: str) -> bool:
        """Whether a text can be hidden wherever it appears without hiding half of everything else."""
        word = text.strip().lower()
        if len(word) < SHORTEST or word in COMMON or text in self.vocabulary or text == HIDDEN:
            return False
        return not (word.isdigit() and len(word) < ALWAYS_HIDDEN_FROM) and any(map(str.isalnum, word))
