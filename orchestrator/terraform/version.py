"""Terraform's version constraints: `>= 1.11, < 2.0`, `~> 1.11.2`, `!= 1.12.0`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_TERM = re.compile(r"\s*(=|!=|>=|<=|~>|>|<)?\s*(\S+)\s*")


class ConstraintError(ValueError):
    """Not a version, or not a constraint."""


@dataclass(frozen=True)
class Version:
    """A semantic version. `segments` is how many numbers were written: `~> 1.2` and `~> 1.2.0` differ."""

    numbers: tuple[int, ...]
    prerelease: str = ""
    segments: int = 3

    @classmethod
    def parse(cls, text: str) -> Version:
        """`1.11.4`, `v1.12.0-beta1`, `1.2`; raises ConstraintError."""
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise ConstraintError(f"{text!r} is not a version such as 1.11.4")
        numbers = tuple(int(part) for part in match[1].split("."))
        padded = numbers + (0,) * (3 - len(numbers))
        return cls(padded, match[2] or "", len(numbers))

    @property
    def release(self) -> Version:
        """The same without its pre-release."""
        return Version(self.numbers, "", self.segments)

    @property
    def order(self) -> tuple[object, ...]:
        """A sort key: a pre-release comes before its release, its parts compare as SemVer says."""
        parts = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease.split(".")
        )
        return (self.numbers, not self.prerelease, parts if self.prerelease else ())

    def __str__(self) -> str:
        text = ".".join(map(str, self.numbers))
        return f"{text}-{self.prerelease}" if self.prerelease else text


def satisfies(version: str, constraint: str) -> bool:
    """True when a version meets every term of a constraint; an empty constraint is met by all.

    As Terraform does for itself, a pre-release counts as its release where the term names none; where it
    names one, an ordering term is met only by versions of the same release numbers. Raises ConstraintError.
    """
    parsed = Version.parse(version)
    if not constraint.strip():
        return True
    terms = [_term(text) for text in constraint.split(",")]
    return all(_meets(parsed, operator, version) for operator, version in terms)


def _term(text: str) -> tuple[str, Version]:
    match = _TERM.fullmatch(text)
    if match is None:
        raise ConstraintError(f"{text.strip()!r} is not a version constraint such as '>= 1.11'")
    return match[1] or "=", Version.parse(match[2])


def _meets(release: Version, operator: str, version: Version) -> bool:
    if not version.prerelease:
        release = release.release
    if operator in ("=", "!="):
        return (release.order == version.order) is (operator == "=")
    if version.prerelease and release.numbers != version.numbers:
        return False
    ahead = release.order > version.order
    same = release.order == version.order
    if operator == "~>":
        fixed = version.segments - 1
        return (ahead or same) and release.numbers[:fixed] == version.numbers[:fixed]
    return {">": ahead, ">=": ahead or same, "<": not (ahead or same), "<=": not ahead}[operator]


def constraint_of_version_file(text: str) -> str | None:
    """What a `.terraform-version` file asks for; None where it leaves it open (`latest`, `min-required`).

    Raises ConstraintError for anything else that is not a version.
    """
    word = text.split("#")[0].strip()
    if not word or word.startswith(("latest", "min-required")):
        return None
    return f"= {Version.parse(word)}"
