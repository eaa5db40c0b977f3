"""Tells other open pull requests that stacks that they touch, or the rules for them, were changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import dirname

from orchestrator.ci.landing.landed import WENT
from orchestrator.ci.posting import Outbox, ours, rewrite, sticky
from orchestrator.errors import InfraError
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.project import load_commit
from orchestrator.project.model import Project
from orchestrator.report import markers
from orchestrator.report.landing import Landing
from orchestrator.report.review import EnvironmentRules
from orchestrator.review.approvals import APPROVED_BY, UNAPPROVED

# Open pull requests that are looked at, the newest first: each takes a request or two.
MOST = 100


def tell_others(host: Host, project: Project, landings: Sequence[Landing], outbox: Outbox) -> None:
    """Comment on every open pull request whose plan, or the rules that it shows, a merge has overtaken."""
    applied = {one.id: landing for landing in landings for one in landing.stacks if one.report.result in WENT}
    stricter = stricter_rules(project)
    if not (applied or stricter):
        return
    merged = {number for landing in landings for number in landing.pull_requests}
    reads = {id_: reads_of(project, id_) for id_ in applied}
    ruled = {name: [reads_of(project, stack.id) for stack in project.of(name)] for name in stricter}
    trunk = landings[0].trunk
    found = outbox.send("Open pull requests", lambda: host.open_pull_requests(trunk)) or []
    for one in sorted(found, key=lambda one: -one.number)[:MOST]:
        if one.number not in merged:
            outbox.send(
                f"The note on #{one.number}",
                lambda one=one: _tell(  # type: ignore[misc]
                    host, one, reads, [(stricter[name], ruled[name]) for name in ruled], landings[0].commit
                ),
            )


def stricter_rules(project: Project) -> dict[str, EnvironmentRules]:
    """The environments whose rules of approval trunk's newest commit made stricter, with the new rules."""
    try:
        parents = project.repository.commit(project.commit or "HEAD").parents
        before = load_commit(project, parents[0]) if parents else None
    except InfraError:
        return {}
    if before is None:
        return {}
    found = {}
    for name in project.environments:
        old, now = (rules_of(one, name) for one in (before, project))
        if name in before.environments and is_stricter(now, old):
            found[name] = now
    return found


def rules_of(project: Project, name: str) -> EnvironmentRules:
    """The rules of approval of an environment."""
    settings = project.config.environment(name)
    return EnvironmentRules(
        name,
        protected=project.config.needs_approval(name, project.order),
        approved_by=settings.approved_by,
        unapproved=settings.unapproved,
        checks=len(settings.checks),
        soak=settings.soak,
    )


def is_stricter(rules: EnvironmentRules, other: EnvironmentRules) -> bool:
    """Whether rules ask for something that others do not."""
    if not rules.protected:
        return False
    return (
        not other.protected
        or APPROVED_BY.index(rules.approved_by) < APPROVED_BY.index(other.approved_by)
        or UNAPPROVED.index(rules.unapproved) < UNAPPROVED.index(other.unapproved)
    )


@dataclass(frozen=True)
class Reads:
    """What a stack's plan reads: files, and folders of code in which a new file would be read too."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    def touched_by(self, paths: Iterable[str]) -> bool:
        """Whether a change of these paths may change the plan."""
        return any(path in self.files or dirname(path) in self.folders for path in paths)


def reads_of(project: Project, stack: str) -> Reads:
    """What a stack reads; nothing for one that is gone."""
    if stack not in project.stacks:
        return Reads()
    files = frozenset(project.files(stack))
    code = {dirname(path) for path in files if path.endswith((".tf", ".tf.json"))}
    return Reads(files, frozenset({project.stacks[stack].path, *code}))


def _tell(
    host: Host,
    one: PullRequest,
    reads: Mapping[str, Reads],
    ruled: Sequence[tuple[EnvironmentRules, Sequence[Reads]]],
    commit: str,
) -> None:
    """Tell one of them; only where there is a plan that can be stale. Its plan shows stricter rules too."""
    from orchestrator.report.landing_comment import stale_notice
    from orchestrator.report.pull_request import LIMIT
    from orchestrator.report.pull_request_merge import with_rules

    def renewed(body: str) -> str:
        body_now = with_rules(body, rules, one.author, markers.head_of(body))
        return body_now if len(body_now.encode()) <= LIMIT else body

    changed = host.changed_paths(one.number)
    touched = tuple(sorted(id_ for id_, one_ in reads.items() if one_.touched_by(changed)))
    rules = [each for each, mine in ruled if any(one_.touched_by(changed) for one_ in mine)]
    if (touched or rules) and ours(host, one.number, markers.PLAN):
        sticky(host, one.number, markers.STALE, stale_notice(touched, commit, rules))
        if rules:
            rewrite(host, one.number, markers.PLAN, renewed)
