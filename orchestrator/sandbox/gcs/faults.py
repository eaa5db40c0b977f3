"""Faults that a test asks for: latency, refusals, cut connections."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

from orchestrator.sandbox.gcs.errors import invalid

CUTS = ("before", "request", "response", "answer")


@dataclass(frozen=True)
class Fault:
    """One rule: which requests it strikes, by method, path and account, and what happens to them.

    `path` is a glob over the decoded path (an upload's ends in `/o/NAME`), `regex` is searched in the same.
    The first `after` matching requests pass, then at most `count` are struck (0: no limit), each with
    `probability`. `latency_ms` waits first. `status` answers at once, with `retry_after` seconds if given.
    `cut` closes the connection: `before` the body is read, after `bytes` of the `request`'s body, after the
    work and `bytes` of the `response`'s body, or after the work and before any `answer`.
    """

    method: str = "*"
    path: str = "*"
    regex: str = ""
    account: str = "*"
    after: int = 0
    count: int = 0
    probability: float = 1.0
    latency_ms: int = 0
    status: int = 0
    retry_after: int | None = None
    cut: str = ""
    bytes: int = 0

    @classmethod
    def read(cls, rule: Mapping[str, Any]) -> Fault:
        """From JSON; an unknown key or cut is a 400."""
        unknown = set(rule) - set(cls.__dataclass_fields__)
        if unknown:
            raise invalid(f"A fault has no {', '.join(sorted(unknown))}.")
        if rule.get("cut", "") not in ("", *CUTS):
            raise invalid(f"A fault's cut is one of {', '.join(CUTS)}.")
        try:
            re.compile(str(rule.get("regex", "")))
        except re.error as error:
            raise invalid(f"A fault's regex does not parse: {error}.") from None
        return cls(**rule)

    def matches(self, method: str, path: str, account: str) -> bool:
        """True for a request that the rule is about."""
        return (
            self.method in ("*", method)
            and fnmatchcase(path, self.path)
            and fnmatchcase(account, self.account)
            and bool(re.search(self.regex, path))
        )


@dataclass
class _Active:
    fault: Fault
    seen: int = 0
    struck: int = 0


class Faults:
    """The rules in force, and how often each has struck."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = Lock()
        self._rules: list[_Active] = []
        self._random = random.Random(seed)  # noqa: S311 - a test's dice, not a secret

    def add(self, fault: Fault) -> None:
        """Put a rule in force, after those that are."""
        with self._lock:
            self._rules.append(_Active(fault))

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def strike(self, method: str, path: str, account: str) -> Fault | None:
        """The first rule that strikes this request, counted, or None."""
        with self._lock:
            for rule in self._rules:
                if not rule.fault.matches(method, path, account):
                    continue
                rule.seen += 1
                spent = rule.fault.count and rule.struck >= rule.fault.count
                if rule.seen <= rule.fault.after or spent:
                    continue
                if self._random.random() < rule.fault.probability:
                    rule.struck += 1
                    return rule.fault
        return None

    def report(self) -> list[dict[str, Any]]:
        """Each rule with how many requests it has seen and struck."""
        with self._lock:
            return [{**asdict(one.fault), "seen": one.seen, "struck": one.struck} for one in self._rules]
