"""The entry point of the guard: checks a project against the rules of trunk before Terraform loads it.

Code of a pull request runs with the permissions of the plan account before anyone has reviewed it. So the
rules come from trunk, and anything that cannot be determined is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.config import Backend, Config, Environment, FileBackend
from orchestrator.config.rules import AcceptedFinding as Accepted
from orchestrator.config.rules import Guard
from orchestrator.guard import files, git_files
from orchestrator.guard.allowlist import Allowlist, allowed_by
from orchestrator.guard.guarded_code import GuardedCode
from orchestrator.guard.lock_files import LockRules, check_constraints, check_lock_files, no_approval
from orchestrator.guard.rules import CodeRules
from orchestrator.repository.file_reads import glob_pattern
from orchestrator.repository.loading import no_garbage_collection, read_tree
from orchestrator.repository.model import Finding, Project
from orchestrator.repository.modules import TOFU_SUFFIXES, product_of
from orchestrator.repository.sensitive_variables import mask_findings
from orchestrator.repository.source import Source

SEVERITIES = ("error", "warning", "info")
ON_TRUNK = " Trunk has it already."
# Their advice already says who decides.
UNACCEPTED = frozenset(f"changed-{kind}" for kind in files.KINDS)


@dataclass(frozen=True)
class GuardResult:
    """The findings by severity, and those that infra.yaml accepts, each with its reason."""

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
    """Check `head` before it is planned; findings of severity `error` refuse the plan.

    `base` is the commit of trunk that it is compared with, None for a project without one: then the project
    is trusted to list its own backends and buckets. `changed` are the paths from the project's root that
    differ, `rules` the base's. `stacks` are those that will be planned (None: those whose fingerprint differs
    and those that read them). `mirrored` says that trunk takes providers from a mirror; `missing_approval`
    is described at `LockRules`. Raises nothing of its own.
    """
    lock_rules = LockRules(rules.lock_file_changes, mirrored, missing_approval)
    with no_garbage_collection():
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
    allowed = allowed_by(rules, _trusted_projects(head, base))
    findings: list[Finding] = []
    folders: dict[str, None] = {}
    binary = (base or head).config.terraform.binary
    rules_of_code = CodeRules(head.tree, allowed, is_terraform=product_of(binary) == "terraform")
    for source in _views_of(head, binary):
        code = GuardedCode(head, rules_of_code, source)
        findings += [finding for id_ in chosen for finding in code.stack(head.stacks[id_])]
        folders |= dict.fromkeys(code.folders)
    findings += files.backend_files([head.stacks[id_] for id_ in chosen], allowed)
    findings += _beside_code(head, base, changed, rules, folders, allowed)
    findings += files.variable_files(head, chosen)
    findings += check_lock_files(head, base, chosen, allowed, lock_rules)
    findings += check_constraints(head, base, chosen, allowed, lock_rules)
    return _accept(_described(mask_findings(head, findings), head, base), rules.allow)


def _beside_code(
    head: Project,
    base: Project | None,
    changed: Collection[str],
    rules: Guard,
    folders: Iterable[str],
    allowed: Allowlist,
) -> Iterator[Finding]:
    yield from files.cli_configuration(head)
    yield from files.version_managers(head, changed)
    yield from files.unprintable_names(head, folders)
    yield from files.equal_names(head, folders, changed)
    yield from files.links(head, folders, changed)
    yield from git_files.check_git_files(head, base, allowed.modules)
    trusted = base or head
    yield from files.changed_rules(changed, rules, trusted.config.policy.rego.folder)
    yield from files.configured_backends(head, trusted, allowed)
    yield from files.moved_states(head, base, allowed)


def _views_of(head: Project, binary: str | None) -> tuple[Source, ...]:
    """The code as it will be read: `binary` of trunk says by which product; unknown: by either of them."""
    source = head.coverage.source
    product = product_of(binary)
    if product is not None:
        return (source.as_read_by(product),)
    paths = (*head.tree.ids, *head.tree.links)
    if not any(path.endswith(TOFU_SUFFIXES) for path in paths):
        return (source,)
    return (source.as_read_by("terraform"), source.as_read_by("tofu"))


def _trusted_projects(head: Project, base: Project | None) -> tuple[Project, ...]:
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
    """A configuration with the layout settings of another one, and nothing else."""

    def of_files(backend: Backend | None) -> FileBackend | None:
        # A file of settings is trunk's own; buckets and prefixes in infra.yaml are the pull request's.
        return backend if isinstance(backend, FileBackend) else None

    environments = {
        name: Environment(backend=of_files(environment.backend))
        for name, environment in config.environments.items()
    }
    stacks = {
        name: replace(
            stack,
            moved=None,
            moved_from=None,
            depends_on=(),
            reads=(),
            backend=of_files(stack.backend),
            environments={
                shared: replace(settings, moved_from=None, backend=of_files(settings.backend))
                for shared, settings in stack.environments.items()
            },
        )
        for name, stack in config.stacks.items()
    }
    return Config(
        roots=config.roots,
        exclude=config.exclude,
        backend=of_files(config.backend),
        environments=environments,
        stacks=stacks,
    )


def changed_paths(head: Project, base: Project) -> tuple[str, ...]:
    """The files and links below the project's root that differ, those that only one side has included."""
    old, new = _contents(base), _contents(head)
    return tuple(sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def _contents(project: Project) -> dict[str, str]:
    return {**project.tree.ids, **project.tree.links, **project.tree.submodules}


def planned_stacks(head: Project, base: Project | None) -> tuple[str, ...]:
    """The stacks that a comparison with `base` would plan, including dependents."""
    from orchestrator.repository.affected import find_dependents

    if base is None:
        return tuple(head.stacks)
    changed = [
        id_ for id_ in head.stacks if id_ not in base.stacks or base.fingerprint(id_) != head.fingerprint(id_)
    ]
    return (*changed, *find_dependents(head, changed))


def _described(findings: Iterable[Finding], head: Project, base: Project | None) -> Iterator[Finding]:
    """Findings without duplicates, by severity; marked where trunk has the same file."""
    unique: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
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


def _accept(findings: Iterable[Finding], accepted_entries: Sequence[Accepted]) -> GuardResult:
    remaining: list[Finding] = []
    accepted: list[tuple[Finding, str]] = []
    for finding in findings:
        match = next((entry for entry in accepted_entries if _accepts(entry, finding)), None)
        if match is not None:
            accepted.append((finding, match.reason))
        else:
            remaining.append(_with_accept_advice(finding))
    return GuardResult(tuple(remaining), tuple(accepted))


def _with_accept_advice(finding: Finding) -> Finding:
    """Append to an error how an owner accepts it, unless its advice already says so."""
    if finding.severity != "error" or "on trunk" in finding.advice or finding.code in UNACCEPTED:
        return finding
    return replace(finding, advice=f"{finding.advice} {accept_advice(finding)}".strip())


def accept_advice(finding: Finding) -> str:
    """The entry that accepts a finding."""
    entry = f"{{rule: {finding.code}, path: {finding.file}, reason: …}}"
    return f"If it must be: an owner accepts it on trunk, in infra.yaml: `guard: {{allow: [{entry}]}}`."


def _accepts(entry: Accepted, finding: Finding) -> bool:
    rule = glob_pattern(entry.rule).fullmatch(finding.code)
    return bool(rule and glob_pattern(entry.path).fullmatch(finding.file or ""))
