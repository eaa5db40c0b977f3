"""Tells other open pull requests that stacks that they touch, or the rules for them, were changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import dirname

from orchestrator.engine.policy_inspection import read_policy
from orchestrator.errors import InfraError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.forge.outbox import Outbox, find_own_comments, publish_comment, rewrite_comment
from orchestrator.report import markers
from orchestrator.report.model import APPLIED_RESULTS
from orchestrator.report.review import EnvironmentRules
from orchestrator.report.rollout import EnvironmentResult
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project
from orchestrator.review.approvals import APPROVED_BY, UNAPPROVED

# Open pull requests that are looked at, the newest first: each takes a request or two.
MOST = 100


def notify_open_pull_requests(
    forge: Forge, project: Project, results: Sequence[EnvironmentResult], outbox: Outbox
) -> None:
    """Comment on every open pull request whose plan, or the rules that it shows, a merge has overtaken."""
    applied = {
        stack.id: result
        for result in results
        for stack in result.stacks
        if stack.report.result in APPLIED_RESULTS
    }
    before = _load_before(project)
    stricter = find_stricter_rules(project, before)
    is_policy_changed = before is not None and read_policy(before) != read_policy(project)
    if not (applied or stricter or is_policy_changed):
        return
    merged = {number for result in results for number in result.pull_requests}
    reads = {id_: list_reads(project, id_) for id_ in applied}
    reads_by_environment = {
        name: [list_reads(project, stack.id) for stack in project.of(name)] for name in stricter
    }
    trunk = results[0].trunk
    pull_requests = outbox.send("Open pull requests", lambda: forge.open_pull_requests(trunk)) or []
    for pull_request in sorted(pull_requests, key=lambda candidate: -candidate.number)[:MOST]:
        if pull_request.number not in merged:
            outbox.send(
                f"The note on #{pull_request.number}",
                lambda candidate=pull_request: _notify(  # type: ignore[misc]
                    forge,
                    candidate,
                    reads,
                    [(stricter[name], reads_by_environment[name]) for name in reads_by_environment],
                    results[0].commit,
                    is_policy_changed=is_policy_changed,
                ),
            )


def _load_before(project: Project) -> Project | None:
    """Trunk just before its newest commit; None if there is none that can be read."""
    try:
        parents = project.repository.commit(project.commit or "HEAD").parents
        return load_commit(project, parents[0]) if parents else None
    except InfraError:
        return None


def find_stricter_rules(project: Project, before: Project | None) -> dict[str, EnvironmentRules]:
    """The environments whose rules of approval are stricter than before, with the new rules."""
    if before is None:
        return {}
    stricter = {}
    for name in project.environments:
        old, now = (_read_rules(version, name) for version in (before, project))
        if name in before.environments and _is_stricter(now, old):
            stricter[name] = now
    return stricter


def _read_rules(project: Project, name: str) -> EnvironmentRules:
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


def _is_stricter(rules: EnvironmentRules, other: EnvironmentRules) -> bool:
    """Whether rules ask for something that others do not."""
    if not rules.protected:
        return False
    return (
        not other.protected
        or APPROVED_BY.index(rules.approved_by) < APPROVED_BY.index(other.approved_by)
        or UNAPPROVED.index(rules.unapproved) < UNAPPROVED.index(other.unapproved)
    )


@dataclass(frozen=True)
class StackReads:
    """What a stack's plan reads: files, and folders of code in which a new file would be read too."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    def touched_by(self, paths: Iterable[str]) -> bool:
        """Whether a change of these paths may change the plan."""
        return any(path in self.files or dirname(path) in self.folders for path in paths)


def list_reads(project: Project, stack: str) -> StackReads:
    """What a stack reads; nothing for one that is gone."""
    if stack not in project.stacks:
        return StackReads()
    files = frozenset(project.files(stack))
    code = {dirname(path) for path in files if path.endswith((".tf", ".tf.json"))}
    return StackReads(files, frozenset({project.stacks[stack].path, *code}))


def _notify(
    forge: Forge,
    pull_request: PullRequest,
    reads: Mapping[str, StackReads],
    ruled: Sequence[tuple[EnvironmentRules, Sequence[StackReads]]],
    commit: str,
    *,
    is_policy_changed: bool,
) -> None:
    """Tell one of them; only where there is a plan that can be stale. Its plan shows what changed too."""
    from orchestrator.report.comment import LIMIT
    from orchestrator.report.merge_steps import note_policy, replace_rules
    from orchestrator.report.rollout_comment import render_stale_notice

    def renewed(body: str) -> str:
        body_now = replace_rules(body, rules, pull_request.author, markers.parse_head(body))
        if is_policy_changed:
            body_now = note_policy(body_now, commit)
        return body_now if len(body_now.encode()) <= LIMIT else body

    changed = forge.changed_paths(pull_request.number)
    touched = tuple(sorted(id_ for id_, one_ in reads.items() if one_.touched_by(changed)))
    rules = [each for each, stack_readses in ruled if any(one_.touched_by(changed) for one_ in stack_readses)]
    if (touched or rules or is_policy_changed) and find_own_comments(
        forge, pull_request.number, markers.PLAN
    ):
        notice = render_stale_notice(touched, commit, rules, is_policy_changed=is_policy_changed)
        publish_comment(forge, pull_request.number, markers.STALE, notice)
        if rules or is_policy_changed:
            rewrite_comment(forge, pull_request.number, markers.PLAN, renewed)
