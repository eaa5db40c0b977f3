"""The guard: what code may not hold, found before Terraform touches it. Nothing is run and nothing fetched.

Code of a pull request runs with the plan account's rights before anybody has reviewed it. So the rules come
from trunk, and what cannot be told counts as forbidden.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.config.rules import Allowed, Guard
from orchestrator.guard.files import (
    KINDS,
    backend_changed,
    links,
    lock_files,
    names,
    rules_changed,
    steering,
)
from orchestrator.guard.modules import Code
from orchestrator.guard.rules import Judge, listed
from orchestrator.project.model import Finding, Project
from orchestrator.project.reads import glob_pattern

SEVERITIES = ("error", "warning", "info")
ON_TRUNK = " Trunk has it already."
# Who settles these is said with them.
UNACCEPTED = frozenset(f"changed-{kind}" for kind in KINDS)


@dataclass(frozen=True)
class Guarded:
    """The findings, the serious ones first, and those that infra.yaml accepts, each with its reason."""

    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, str], ...] = ()


def guard(
    head: Project,
    base: Project | None,
    changed: Sequence[str],
    rules: Guard,
    *,
    stacks: Collection[str] | None = None,
    owned: Collection[str] = (),
) -> tuple[Finding, ...]:
    """What stands against planning `head`; findings of severity `error` forbid it.

    `base` is the commit of trunk that it is compared with, None for a project without one: then the project
    is trusted to list its own backends and buckets. `changed` are the paths from the project's root that
    differ, `rules` the base's. `stacks` are those that will be planned (None: those whose fingerprint differs
    and those that read them). `owned` are paths whose owner has approved this very head. Raises nothing of
    its own.
    """
    return examine(head, base, changed, rules, stacks=stacks, owned=owned).findings


def examine(
    head: Project,
    base: Project | None,
    changed: Sequence[str],
    rules: Guard,
    *,
    stacks: Collection[str] | None = None,
    owned: Collection[str] = (),
) -> Guarded:
    """The same as `guard`, with what is accepted."""
    wanted = planned(head, base) if stacks is None else stacks
    chosen = [id for id in head.stacks if id in set(wanted)]
    judge = Judge(head.tree, listed(rules, base or head))
    code = Code(head, judge)
    found = [finding for id in chosen for finding in code.stack(head.stacks[id])]
    found += steering(head)
    found += names(head, code.folders)
    found += links(head, code.folders, set(changed))
    found += lock_files(head, base, chosen, owned)
    trusted = (base or head).config
    found += rules_changed(changed, rules, trusted.policy.rego.folder)
    found += backend_changed(head.config, trusted, judge.allowed)
    return _accept(_told(found, head, base), rules.allow)


def changed_paths(head: Project, base: Project) -> tuple[str, ...]:
    """The files and links below the project's root that differ, those that only one side has included."""
    old, new = _contents(base), _contents(head)
    return tuple(sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def _contents(project: Project) -> dict[str, str]:
    return {**project.tree.ids, **project.tree.links, **project.tree.submodules}


def planned(head: Project, base: Project | None) -> tuple[str, ...]:
    """The stacks that a comparison with `base` would plan, followers included."""
    from orchestrator.project.affected import followers

    if base is None:
        return tuple(head.stacks)
    moved = [
        id for id in head.stacks if id not in base.stacks or base.fingerprint(id) != head.fingerprint(id)
    ]
    return (*moved, *followers(head, moved))


def _told(found: Iterable[Finding], head: Project, base: Project | None) -> Iterator[Finding]:
    """Each finding once, said to be old where trunk has the very file, the serious ones first."""
    once: dict[tuple[object, ...], Finding] = {}
    for one in found:
        key = (one.code, one.file, one.line, one.message)
        once[key] = replace(one, stack=None) if key in once and once[key].stack != one.stack else one
    for one in sorted(
        once.values(), key=lambda f: (SEVERITIES.index(f.severity), f.file or "", f.line or 0, f.message)
    ):
        content = head.tree.ids.get(one.file or "") or head.tree.links.get(one.file or "")
        same = (
            base is not None
            and content is not None
            and content == (base.tree.ids.get(one.file or "") or base.tree.links.get(one.file or ""))
        )
        yield replace(one, message=one.message + ON_TRUNK) if same else one


def _accept(found: Iterable[Finding], allowed: Sequence[Allowed]) -> Guarded:
    kept: list[Finding] = []
    accepted: list[tuple[Finding, str]] = []
    for one in found:
        match = next((entry for entry in allowed if _accepts(entry, one)), None)
        if match is not None:
            accepted.append((one, match.reason))
        elif one.severity == "error" and "on trunk" not in one.advice and one.code not in UNACCEPTED:
            kept.append(replace(one, advice=f"{one.advice} {how_to_allow(one)}".strip()))
        else:
            kept.append(one)
    return Guarded(tuple(kept), tuple(accepted))


def how_to_allow(finding: Finding) -> str:
    """What an owner writes to accept a finding."""
    entry = f"{{rule: {finding.code}, path: {finding.file}, reason: …}}"
    return f"If it must be: an owner accepts it on trunk, in infra.yaml: `guard: {{allow: [{entry}]}}`."


def _accepts(entry: Allowed, finding: Finding) -> bool:
    rule = glob_pattern(entry.rule).fullmatch(finding.code)
    return bool(rule and glob_pattern(entry.path).fullmatch(finding.file or ""))
