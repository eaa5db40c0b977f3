"""Addresses of resource instances: their parts, and Terraform's order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.errors import UnprovenPlanError

_STEP = re.compile(r'(?P<name>[^.\["]+)(?:\[(?:(?P<number>\d+)|"(?P<text>(?:[^"\\]|\\.)*+)")\])?(?:\.|$)')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|([$%])[$%]\{", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
# No key, then numbers, then texts.
_Key = tuple[int, int, str]
_NO_KEY: _Key = (0, 0, "")


@dataclass(frozen=True)
class InstanceAddress:
    """The parts of an address such as `module.a["k"].data.T.N[0]`."""

    modules: tuple[tuple[str, _Key], ...]
    mode: str
    type: str
    name: str
    key: _Key

    @property
    def order(self) -> tuple[object, ...]:
        """A key that sorts addresses as Terraform does: by module, then data sources first."""
        return (len(self.modules), self.modules, self.mode, self.type, self.name, self.key)


def parse_address(text: str) -> InstanceAddress:
    """The parts of an address; UnprovenPlanError when it is of no form known here."""
    steps = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise UnprovenPlanError("an address in it has another form")
        steps.append((match["name"], _key(match)))
        at = match.end()
    modules = []
    while len(steps) > 2 and steps[0] == ("module", _NO_KEY):
        modules.append(steps[1])
        steps = steps[2:]
    mode = "data" if len(steps) == 3 and steps[0] == ("data", _NO_KEY) else "managed"
    rest = steps[1:] if mode == "data" else steps
    if len(rest) != 2 or rest[0][1] != _NO_KEY or rest[0][0] == "module":
        raise UnprovenPlanError("an address in it has another form")
    return InstanceAddress(tuple(modules), mode, rest[0][0], rest[1][0], rest[1][1])


def _key(match: re.Match[str]) -> _Key:
    if match["number"] is not None:
        return (1, int(match["number"]), "")
    if match["text"] is not None:
        return (2, 0, _ESCAPE.sub(_unescaped, match["text"]))
    return _NO_KEY


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        return chr(int(code, 16))
    if match[4]:
        return f"{match[4]}{{"
    return _PLAIN_ESCAPES.get(match[3], match[3])
