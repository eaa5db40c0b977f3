"""The entry of the guard: judges a project before Terraform loads it, by the rules of trunk.

Code of a pull request runs with the plan account's rights before anybody has reviewed it. So the rules come
from trunk, and what cannot be told counts as forbidden.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.config import Config
from orchestrator.config.rules import Allowed as Accepted
from orchestrator.config.rules import Guard
from orchestrator.guard import files, git_files
from orchestrator.guard.allowed import Allowed, allowed_by
from orchestrator.guard.lock_files import LockRules, check_constraints, check_lock_files, no_approval
from orchestrator.guard.modules import Code
from orchestrator.guard.rules import Judge
from orchestrator.project import read_tree, uncollected
from orchestrator.project.given import mask_findings
from orchestrator.project.model import Finding, Project
from orchestrator.project.reads import glob_pattern
from orchestrator.repository.modules import TOFU_SUFFIXES, product_of
from orchestrator.repository.source import Source

SEVERITIES = ("error", "warning", "info")
ON_TRUNK = " Trunk has it already."
# Who settles these is said with them.
UNACCEPTED = frozenset(f"changed-{kind}" for kind in files.KINDS)


@dataclass(frozen=True)
class GuardResult:
    """The findings, the serious ones first, and those that infra.yaml accepts, each with its reason."""

    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, str], ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether a finding forbids the plan."""
        return any(finding.severity == "error" for finding in self.findings)


def check_project(
    head: Project,
    base: Project | None,
    changed: Sequence[str],
    rules: Guard,
    *,
    stacks: Collection[str] | None = None,
    mirrored: bool = False,
    missing_approval: Callable[[str], str] = no_approval,
) -> GuardResult:
    """Judge `head` before it is planned; findings of severity `error` forbid it.

    `base` is the commit of trunk that it is compared with, None for a project without one: then the project
    is trusted to list its own backends and buckets. `changed` are the paths from the project's root that
    differ, `rules` the base's. `stacks` are those that will be planned (None: those whose fingerprint differs
    and those that read them). `mirrored` says that trunk takes providers from a mirror; `missing_approval`
    is described at `LockRules`. Raises nothing of its own.
    """
    lock_rules = LockRules(rules.lock_file_changes, mirrored, missing_approval)
    with uncollected():
        return _check(head, base, changed, rules, stacks, lock_rules)


def _check(
    head: Project,
    base: Project | None,
    changed: Sequence[str],
    rules: Guard,
    stacks: Collection[str] | None,
    lock_rules: LockRules,
) -> GuardResult:
    planned = set(planned_stacks(head, base) if stacks is None else stacks)
    chosen = [id_ for id_ in head.stacks if id_ in planned]
    allowed = allowed_by(rules, trusted_projects(head, base))
    found: list[Finding] = []
    folders: dict[str, None] = {}
    for source in views_of(head, (base or head).config.terraform.binary):
        code = Code(head, Judge(head.tree, allowed), source)
        found += [finding for id_ in chosen for finding in code.stack(head.stacks[id_])]
        folders |= dict.fromkeys(code.folders)
    found += _beside_code(head, base, changed, rules, folders, allowed)
    found += check_lock_files(head, base, chosen, allowed, lock_rules)
    found += check_constraints(head, base, chosen, allowed, lock_rules)
    return _accept(_described(mask_findings(head, found), head, base), rules.allow)


def _beside_code(
    head: Project,
    base: Project | None,
    changed: Collection[str],
    rules: Guard,
    folders: Iterable[str],
    allowed: Allowed,
) -> Iterator[Finding]:
    yield from files.cli_configuration(head)
    yield from files.version_managers(head)
    yield from files.unprintable_names(head, folders)
    yield from files.equal_names(head, folders, changed)
    yield from files.links(head, folders, changed)
    yield from git_files.judge(head, base, allowed.modules)
    trusted = (base or head).config
    yield from files.changed_rules(changed, rules, trusted.policy.rego.folder)
    yield from files.changed_backend(head.config, trusted, allowed)
    yield from files.moved_states(head, base, allowed)


def views_of(head: Project, binary: str | None) -> tuple[Source, ...]:
    """The code as it will be read: `binary` of trunk says by which product; unknown: by either of them."""
    source = head.coverage.source
    product = product_of(binary)
    if product is not None:
        return (source.as_read_by(product),)
    paths = (*head.tree.ids, *head.tree.links)
    if not any(path.endswith(TOFU_SUFFIXES) for path in paths):
        return (source,)
    return (source.as_read_by("terraform"), source.as_read_by("tofu"))


def trusted_projects(head: Project, base: Project | None) -> tuple[Project, ...]:
    """The projects whose backends and buckets count as known.

    Where trunk has no infra.yaml yet, its code is also read in the layout that the pull request describes,
    without the settings that only the pull request has: the pull request that adds infra.yaml passes with
    what trunk's code has.
    """
    if base is None:
        return (head,)
    if files.CONFIG in base.tree.ids:
        return (base,)
    memo = head.coverage.source.memo
    return (base, read_tree(base.repository, base.tree, memo, layout_of(head.config)))


def layout_of(config: Config) -> Config:
    """Where a configuration finds environments and stacks, and nothing else of it."""
    stacks = {
        name: replace(stack, moved=None, moved_from=None, depends_on=(), reads=())
        for name, stack in config.stacks.items()
    }
    return Config(roots=config.roots, stacks=stacks)


def changed_paths(head: Project, base: Project) -> tuple[str, ...]:
    """The files and links below the project's root that differ, those that only one side has included."""
    old, new = _contents(base), _contents(head)
    return tuple(sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def _contents(project: Project) -> dict[str, str]:
    return {**project.tree.ids, **project.tree.links, **project.tree.submodules}


def planned_stacks(head: Project, base: Project | None) -> tuple[str, ...]:
    """The stacks that a comparison with `base` would plan, followers included."""
    from orchestrator.project.affected import followers

    if base is None:
        return tuple(head.stacks)
    changed = [
        id_ for id_ in head.stacks if id_ not in base.stacks or base.fingerprint(id_) != head.fingerprint(id_)
    ]
    return (*changed, *followers(head, changed))


def _described(found: Iterable[Finding], head: Project, base: Project | None) -> Iterator[Finding]:
    """Each finding once, said to be old where trunk has the very file, the serious ones first."""
    unique: dict[tuple[object, ...], Finding] = {}
    for finding in found:
        key = (finding.code, finding.file, finding.line, finding.message)
        is_shared = key in unique and unique[key].stack != finding.stack
        unique[key] = replace(finding, stack=None) if is_shared else finding
    for finding in sorted(
        unique.values(), key=lambda f: (SEVERITIES.index(f.severity), f.file or "", f.line or 0, f.message)
    ):
        content = _content(head, finding.file)
        is_old = base is not None and content is not None and content == _content(base, finding.file)
        yield replace(finding, message=finding.message + ON_TRUNK) if is_old else finding


def _content(project: Project, file: str | None) -> str | None:
    return project.tree.ids.get(file or "") or project.tree.links.get(file or "")


def _accept(found: Iterable[Finding], accepted_entries: Sequence[Accepted]) -> GuardResult:
    kept: list[Finding] = []
    accepted: list[tuple[Finding, str]] = []
    for finding in found:
        match = next((entry for entry in accepted_entries if _accepts(entry, finding)), None)
        if match is not None:
            accepted.append((finding, match.reason))
        else:
            kept.append(_with_way_out(finding))
    return GuardResult(tuple(kept), tuple(accepted))


def _with_way_out(finding: Finding) -> Finding:
    """An error with how an owner allows it, where its advice does not say so already."""
    if finding.severity != "error" or "on trunk" in finding.advice or finding.code in UNACCEPTED:
        return finding
    return replace(finding, advice=f"{finding.advice} {how_to_allow(finding)}".strip())


def how_to_allow(finding: Finding) -> str:
    """What an owner writes to accept a finding."""
    entry = f"{{rule: {finding.code}, path: {finding.file}, reason: …}}"
    return f"If it must be: an owner accepts it on trunk, in infra.yaml: `guard: {{allow: [{entry}]}}`."


def _accepts(entry: Accepted, finding: Finding) -> bool:
    rule = glob_pattern(entry.rule).fullmatch(finding.code)
    return bool(rule and glob_pattern(entry.path).fullmatch(finding.file or ""))
