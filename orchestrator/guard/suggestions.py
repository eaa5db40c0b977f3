"""Suggests entries of `guard` in infra.yaml that accept trunk's findings, each with its consequence."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.globs import matches
from orchestrator.repository.model import Finding

# A folder is named in place of its files when at least so many of them have the finding.
FEW = 3
OPENS = {
    "backend": "stacks may keep their states there",
    "remote-state": "code may read states there",
    "data-source": "a plan may run what these data sources run, and send or hand out what they can",
    "provisioner": "an apply may run commands that stand in these files",
    "provider-argument": "these files decide as whom a plan runs, where it sends requests, or what it runs",
    "provider-meta": "what stands there is sent with every request",
    "file-path": "a plan may read any file of the machine by what stands in these files",
    "link": "these links may show files from outside the repository",
    "unreadable": "what these files hold is not checked",
    "module-source": "code from there is run without being looked at",
    "encryption": "these files decide which program encrypts states and plans",
    "cli-config": "providers and settings are taken from these files",
    "git-conversion": "what is checked out differs from what is reviewed",
}
ORDER = ("providers", "modules", "backends", "buckets", "allow")
# What an entry of a list opens.
LISTS = {
    "providers": "this program runs in every plan that asks for it, with the plan account's rights",
    "modules": "code from there is run without being looked at",
    "backends": "states may be kept there",
    "buckets": "states may be kept and read there",
}
ELSE = "what the rule refuses is not refused there"


@dataclass(frozen=True)
class Suggestion:
    """One entry: the key below `guard`, its value as YAML, what it opens, how many findings it accepts."""

    key: str
    value: str
    opens: str
    findings: int


def suggest(findings: Iterable[Finding]) -> tuple[Suggestion, ...]:
    """The entries that would accept these errors: lists first, then paths, those that accept most first."""
    listed: dict[str, Counter[str]] = {}
    paths: dict[str, Counter[str]] = {}
    for finding in findings:
        if finding.severity != "error" or finding.code.startswith("changed-"):
            continue
        if finding.listed is not None:
            key, value = finding.listed
            listed.setdefault(key, Counter())[value] += 1
        else:
            paths.setdefault(finding.code, Counter())[finding.file or ""] += 1
    entries = [
        Suggestion(key, _quoted(glob), LISTS[key], count)
        for key, values in listed.items()
        for glob, count in _without_covered(group_paths(values, "*" if key == "modules" else None))
    ]
    entries += [
        _path_entry(rule, glob, count) for rule, path in paths.items() for glob, count in group_paths(path)
    ]
    return tuple(sorted(entries, key=lambda entry: (ORDER.index(entry.key), -entry.findings, entry.value)))


def _without_covered(groups: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Entries of a list, each counted with the glob of another one that stands for it too."""
    groups = list(groups)
    globs = sorted((value for value, _ in groups if "*" in value), key=len)
    counts: Counter[str] = Counter()
    for value, count in groups:
        counts[next((glob for glob in globs if glob != value and matches(value, [glob])), value)] += count
    return list(counts.items())


def _path_entry(rule: str, glob: str, count: int) -> Suggestion:
    value = f"{{rule: {rule}, path: {_quoted(glob)}, reason: …}}"
    return Suggestion("allow", value, OPENS.get(rule, ELSE), count)


def _quoted(glob: str) -> str:
    return f'"{glob}"' if any(char in glob for char in "*{}[],#:&!|>%@`'") else glob


def group_paths(counts: Mapping[str, int], stands_for: str | None = "**") -> list[tuple[str, int]]:
    """Names with how often each is found; several of one folder as `FOLDER/**`.

    Folders are put together from the deepest upwards, never to the top. `stands_for` is what is written for
    the names of a folder, None to leave all as they are.
    """
    weights: dict[str, Counter[str]] = {}
    for path, count in counts.items():
        weights.setdefault(posixpath.dirname(path), Counter())[path] = count
    while stands_for is not None:
        by_parent: dict[str, list[str]] = {}
        for folder in weights:
            if parent := posixpath.dirname(folder):
                by_parent.setdefault(parent, []).append(folder)
        merged = next((parent for parent, below in sorted(by_parent.items()) if len(below) >= FEW), None)
        if merged is None:
            break
        names = weights.pop(merged, Counter())
        for folder in by_parent[merged]:
            names += weights.pop(folder)
        weights[merged] = names
    entries: list[tuple[str, int]] = []
    for folder, names in sorted(weights.items()):
        if stands_for is not None and folder and len(names) >= FEW:
            entries.append((f"{folder}/{stands_for}", sum(names.values())))
        else:
            entries += sorted(names.items())
    return entries


def render_suggestions(suggestions: Sequence[Suggestion], present: Mapping[str, Sequence[str]]) -> str:
    """The entries as a piece of infra.yaml, each with a comment; `present` is what the lists hold now."""
    if not suggestions:
        return "# Nothing to add: the rules accept what is here.\n"
    lines = [
        "# For infra.yaml on trunk. A comment says what the entry below it opens.",
        "guard:",
    ]
    key = ""
    for entry in suggestions:
        if entry.key != key:
            key = entry.key
            lines.append(f"  {key}:")
            lines += [f"    - {_quoted(value)}" for value in present.get(key, ())]
        lines.append(f"    # {entry.findings}×: {entry.opens}")
        lines.append(f"    - {entry.value}")
    return "\n".join(lines) + "\n"
