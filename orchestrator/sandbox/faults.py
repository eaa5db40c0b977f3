"""Faults that a test plays on a server: latency, error statuses and cut connections."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

CUTS = ("before", "request", "response", "answer")


@dataclass(frozen=True)
class HttpFault:
    """One rule: which requests it applies to, by method, path and account, and what happens to them.

    `method`, `path` and `account` are globs, in which `*` crosses slashes; `path` is matched with the decoded
    path and `regex` is searched in it. The first `after` matching requests pass, then at most `count` are
    struck (0: no limit), each with `probability`. `latency_ms` waits first. `status` is answered at once,
    with `message` and `retry_after` seconds if set. `cut` closes the connection: `before` the body is read,
    after `bytes` of the `request`'s body, after the work and `bytes` of the `response`'s body, or after the
    work and before any `answer`.
    """

    method: str = "*"
    path: str = "*"
    regex: str = ""
    account: str = "*"
    after: int = 0
    count: int = 0
    probability: float = 1.0
    latency_ms: float = 0
    status: int = 0
    retry_after: int | None = None
    cut: str = ""
    bytes: int = 0
    message: str = ""

    def matches(self, method: str, path: str, account: str) -> bool:
        """Whether the rule applies to a request."""
        return (
            fnmatchcase(method, self.method)
            and fnmatchcase(path, self.path)
            and fnmatchcase(account, self.account)
            and bool(re.search(self.regex, path))
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer that the fault gives."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


@dataclass
class _ActiveRule:
    fault: HttpFault
    matched: int = 0
    struck: int = 0


class HttpFaults:
    """The rules in force, each with how many requests it matched and struck."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = Lock()
        self._rules: list[_ActiveRule] = []
        self._random = random.Random(seed)  # noqa: S311 - a test's dice, not a secret

    def add(self, fault: HttpFault) -> None:
        """Put a rule in force, after the existing ones."""
        with self._lock:
            self._rules.append(_ActiveRule(fault))

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def strike(self, method: str, path: str, account: str = "") -> HttpFault | None:
        """The first rule that strikes this request, counted, or None."""
        with self._lock:
            for rule in self._rules:
                if not rule.fault.matches(method, path, account):
                    continue
                rule.matched += 1
                is_spent = rule.fault.count and rule.struck >= rule.fault.count
                if rule.matched <= rule.fault.after or is_spent:
                    continue
                if self._random.random() < rule.fault.probability:
                    rule.struck += 1
                    return rule.fault
        return None

    def report(self) -> list[dict[str, Any]]:
        """Each rule with how many requests it has `seen` and `struck`."""
        with self._lock:
            return [
                {**asdict(rule.fault), "seen": rule.matched, "struck": rule.struck} for rule in self._rules
            ]
