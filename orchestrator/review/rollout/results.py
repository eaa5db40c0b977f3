"""From what an apply did to what people read: the landing of an environment, as a file and on the forge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import write_private
from orchestrator.engine.job_reports import find_artifacts, find_files, read_document, unreadable_report
from orchestrator.engine.pending import PAST_RULES
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import DeploymentState, StatusState
from orchestrator.forge.outbox import Outbox, find_own_comments, publish_comment, rewrite_comment
from orchestrator.json_values import from_json
from orchestrator.report.model import APPLIED_RESULTS, StackReport
from orchestrator.report.rollout import EnvironmentCheck, EnvironmentResult, StackResult, State
from orchestrator.repository.model import Project
from orchestrator.review.approvals import Verdict
from orchestrator.review.plan_reports import may_report_on
from orchestrator.review.rollout.environment_run import EnvironmentRun
from orchestrator.review.rollout.notices import list_reads, notify_open_pull_requests

VERSION = 1
PREFIX = "apply-"
# The commit status and the status of the deployment for each state.
STATUSES: dict[State, tuple[StatusState, DeploymentState]] = {
    "applied": ("success", "success"),
    "nothing": ("success", "inactive"),
    "mismatch": ("failure", "failure"),
    "gate": ("pending", "pending"),
    "blocked": ("failure", "failure"),
    "failed": ("failure", "failure"),
    "partial": ("failure", "error"),
    "stopped": ("failure", "failure"),
    "waiting": ("pending", "queued"),
    "superseded": ("failure", "inactive"),
}
CANCELLED = "the run was cancelled"
NOT_BEGUN = "the run was cancelled, or its gate was rejected, before anything was applied"
# How the headline of an environment that is done begins.
DONE_MARK = "**✓ "
# Commits of trunk before the one of a rollout whose statuses are read at most.
EARLIER = 30
INTERRUPTED = "the job that was applying it ended before it could tell how that went"


@dataclass(frozen=True)
class RolloutFacts:
    """What all landings of one job share; `trunk` is the branch's name, `url` leads to the job."""

    repository: str
    trunk: str
    commit: str
    run: str
    url: str
    order: tuple[str, ...]


def build_result(facts: RolloutFacts, run: EnvironmentRun) -> EnvironmentResult:
    """An environment as the texts want it.

    It names no gate to approve in: when something was applied, or not, this run's gate lies behind it.
    """
    name = run.environment
    later = facts.order[facts.order.index(name) + 1 :] if name in facts.order else ()
    return EnvironmentResult(
        repository=facts.repository,
        trunk=facts.trunk,
        commit=facts.commit,
        environment=name,
        state=run.state,
        stacks=tuple(_stack(stack, run.verdicts.get(stack.id)) for stack in run.stacks),
        pull_requests=run.pull_requests,
        checks=tuple(EnvironmentCheck(check.name, check.ok, check.message) for check in run.checks),
        soak=run.soaked,
        next=later,
        reason=_reason(run),
        run=facts.run,
        url=facts.url,
        way_out=run.way_out,
        heartbeat=run.heartbeat,
        held_by=run.behind if run.hold_reason else "",
        overtaken=(*run.overtaken, *run.elsewhere),
        superseded=run.superseded,
        past_rules={id_: reason for id_, reason in run.pending.items() if reason.startswith(PAST_RULES)},
        notes=(*(run.report.notes if run.report else ()), *run.notes),
    )


def _stack(report: StackReport, verdict: Verdict | None) -> StackResult:
    if verdict is None:
        return StackResult(report)
    # Of a stack that went through in the end no difference is left to tell.
    differences = verdict.differences if report.result in ("mismatch", "blocked", "changed") else ()
    causes = verdict.causes if differences else ()
    return StackResult(report, tuple(differences), tuple(verdict.pull_requests), causes)


def _reason(run: EnvironmentRun) -> str:
    if run.hold_reason:
        return run.hold_reason
    if run.behind:
        return f"{run.behind} comes before it and is not done"
    if run.error:
        return run.error.rstrip(".")
    if run.is_incomplete and run.state != "superseded":
        return f"pending and not applied: {', '.join(run.unapplied)}"
    return ""


# As a file, from the job that runs Terraform to the one that may write on the forge


def write_result(folder: Path, result: EnvironmentResult, shard: str = "") -> Path:
    """Write `DIR/apply-ENV.json`, for the shard `I/N` `DIR/apply-ENV.I.json`, and make the folder."""
    part = f".{shard.partition('/')[0]}" if shard else ""
    return _write(folder / f"{PREFIX}{result.environment.replace('/', '%2F')}{part}.json", result)


def _write(path: Path, result: EnvironmentResult) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"version": VERSION, "kind": "apply", "result": asdict(result)}
    write_private(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())
    return path


def read_results(folders: Iterable[Path]) -> list[EnvironmentResult]:
    """Every landing in some folders and below; UsageError for a file that is none."""
    return [_read(path) for path in find_files(folders, PREFIX)]


def validate_results(
    folders: Iterable[Path], project: Project, commit: str
) -> tuple[tuple[EnvironmentResult, ...], tuple[str, ...]]:
    """The landings that are of their own job's environment and of this commit; a note for each other one.

    `commit` is the one that the workflow runs for, empty where that is not known. UsageError for a file that
    is no landing.
    """
    environments = {*project.environments, *project.environments_without_stacks}
    results: list[EnvironmentResult] = []
    notes: list[str] = []
    for path, artifact in find_artifacts(folders, PREFIX).items():
        result = _read(path)
        if (
            result.environment in environments
            and may_report_on(artifact, result.environment)
            and commit in ("", result.commit)
        ):
            results.append(result)
        else:
            notes.append(f"What {path.name} tells was left out: it is of another environment or commit.")
    return join_results(results), tuple(notes)


# Of several parts of one environment the first of these is what the whole was left with.
WORST: tuple[State, ...] = (
    *(
        "partial",
        "failed",
        "mismatch",
        "blocked",
        "gate",
        "stopped",
        "superseded",
        "waiting",
        "applied",
        "nothing",
    ),
)


def join_results(results: Iterable[EnvironmentResult]) -> tuple[EnvironmentResult, ...]:
    """The parts that several jobs applied of one environment as one result."""
    by_environment: dict[str, list[EnvironmentResult]] = {}
    for result in results:
        by_environment.setdefault(result.environment, []).append(result)
    return tuple(parts[0] if len(parts) == 1 else _whole(parts) for parts in by_environment.values())


def _whole(parts: Sequence[EnvironmentResult]) -> EnvironmentResult:
    worst = min(parts, key=lambda part_: WORST.index(part_.state))
    stacks = {stack.id: stack for part in parts for stack in part.stacks}
    has_applied = any(stack.report.result in APPLIED_RESULTS for stack in stacks.values())
    return replace(
        worst,
        state="partial" if worst.state == "failed" and has_applied else worst.state,
        stacks=tuple(stacks[id_] for id_ in sorted(stacks)),
        pull_requests=tuple(sorted({number for part in parts for number in part.pull_requests})),
        checks=tuple(dict.fromkeys(check for part in parts for check in part.checks)),
        soak=max(part.soak for part in parts),
        heartbeat=next((part.heartbeat for part in parts if part.heartbeat), ""),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _read(path: Path) -> EnvironmentResult:
    try:
        return from_json(EnvironmentResult, read_document(path, "apply")["result"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise unreadable_report(path, error) from error


def build_interrupted_result(facts: RolloutFacts, run: EnvironmentRun) -> EnvironmentResult:
    """What is left behind for the case that the job dies: that it was at work."""
    stacks = tuple(
        StackResult(StackReport(id_, run.environment, "interrupted", reason=INTERRUPTED))
        for id_ in run.pending
    )
    return replace(build_result(facts, run), state="partial", stacks=stacks, reason=INTERRUPTED)


def find_unreported(folder: Path) -> dict[str, list[str]]:
    """The stacks of which a cancelled apply left no outcome in a folder, by its run."""
    stacks: dict[str, list[str]] = {}
    for result in read_results([folder]) if folder.is_dir() else ():
        ids = [stack.id for stack in result.stacks if stack.report.reason == INTERRUPTED]
        stacks.setdefault(result.run, []).extend(ids)
    return stacks


def finalize_results(facts: RolloutFacts, folder: Path, reports: Iterable[StackReport]) -> None:
    """Put how a cancelled apply ended into the results that it left in a folder."""
    results = {path: _read(path) for path in find_files([folder], PREFIX)} if folder.is_dir() else {}
    by_environment: dict[str, dict[str, StackReport]] = {}
    for report in reports:
        by_environment.setdefault(report.environment, {})[report.id] = report
    for name, reports_by_id in by_environment.items():
        parts = {path: result for path, result in results.items() if result.environment == name}
        if not parts:
            missing = build_interrupted_result(
                facts, EnvironmentRun(name, pending=dict.fromkeys(reports_by_id, ""))
            )
            parts = {write_result(folder, missing): missing}
        for path, result in parts.items():
            stacks = tuple(
                replace(stack, report=reports_by_id.get(stack.id, stack.report)) for stack in result.stacks
            )
            _write(path, replace(result, stacks=stacks, **_ended(stacks)))


def _ended(stacks: Sequence[StackResult]) -> dict[str, Any]:
    """State and reason of an environment whose apply was cancelled."""
    results = {stack.report.result for stack in stacks}
    if results <= {*APPLIED_RESULTS, "unchanged"}:
        return {"state": "applied", "reason": ""}
    state = "partial" if results & {*APPLIED_RESULTS, "interrupted"} else "failed"
    return {"state": state, "reason": CANCELLED}


# On the forge


def build_unapplied_result(
    facts: RolloutFacts, environment: str, *, is_pending: bool, requested_by: int | None
) -> EnvironmentResult:
    """An environment that no job applied: nothing is pending, or the run ended before its turn came.

    `requested_by` is the pull request on which the run was requested.
    """
    run = EnvironmentRun(environment)
    numbers = (requested_by,) if requested_by else ()
    if is_pending:
        run = EnvironmentRun(environment, error=NOT_BEGUN)
    return replace(build_result(facts, run), pull_requests=numbers)


def publish_results(forge: Forge, project: Project, results: Sequence[EnvironmentResult]) -> Outbox:
    """Tell the merged pull requests, set status and deployment, and tell others that their plan is stale."""
    outbox = Outbox()
    for result in results:
        completed = _with_pull_requests(forge, project, result, outbox)
        _comment(forge, completed, outbox)
        _correct_earlier(forge, project, completed, outbox)
        _state(forge, completed, outbox)
    notify_open_pull_requests(forge, project, results, outbox)
    return outbox


def _with_pull_requests(
    forge: Forge, project: Project, result: EnvironmentResult, outbox: Outbox
) -> EnvironmentResult:
    """Where it is not known whose change it is, it is of the commit's pull requests that touch the stacks.

    A pull request that touches none of them keeps the comment that it has.
    """
    if result.pull_requests or result.state == "nothing":
        return result
    ids = [stack.id for stack in result.stacks] or [stack.id for stack in project.of(result.environment)]
    reads = [list_reads(project, id_) for id_ in ids]

    def touching() -> tuple[int, ...]:
        merged = [
            pull_request.number
            for pull_request in forge.pull_requests_of(result.commit)
            if pull_request.merged
        ]
        return tuple(
            number
            for number in merged
            if (paths := forge.changed_paths(number)) and any(read.touched_by(paths) for read in reads)
        )

    return replace(result, pull_requests=outbox.send("The pull request", touching) or ())


def _comment(forge: Forge, result: EnvironmentResult, outbox: Outbox) -> None:
    from orchestrator.report import markers
    from orchestrator.report.rollout_comment import render_rollout_comment

    if result.state == "nothing":
        _correct_comments(forge, result, outbox)
        return
    marker, body = markers.apply_marker(result.environment), render_rollout_comment(result)
    for number in result.pull_requests:
        outbox.send(
            f"The comment on #{number} about {result.environment}",
            lambda number=number: publish_comment(forge, number, marker, body),  # type: ignore[misc]
        )


def _correct_comments(forge: Forge, result: EnvironmentResult, outbox: Outbox) -> None:
    """Nothing is pending any more: comments that say otherwise are renewed, and no other is written."""
    from orchestrator.report import markers
    from orchestrator.report.rollout_comment import render_rollout_comment

    marker, body = markers.apply_marker(result.environment), render_rollout_comment(result)

    def correct(number: int) -> None:
        comments = find_own_comments(forge, number, marker)
        if comments and DONE_MARK not in comments[-1].body:
            rewrite_comment(forge, number, marker, lambda _: body)

    for number in result.pull_requests:
        outbox.send(
            f"The comment on #{number} about {result.environment}",
            lambda number=number: correct(number),  # type: ignore[misc]
        )


def _correct_earlier(forge: Forge, project: Project, result: EnvironmentResult, outbox: Outbox) -> None:
    """Once an environment is done, the merges that it was pending for say so too.

    Beside the pull requests that the rollout was about, these are commits of trunk whose status says
    otherwise, back to the newest one at which the environment was done. The oldest is corrected first, and
    this commit's status is set last: where the job ends too early, the next one finds the rest.
    """
    if result.state not in ("applied", "nothing"):
        return
    for number in result.pull_requests:
        outbox.send(
            f"The status of #{number} in {result.environment}",
            lambda number=number: _correct_status_of(forge, result, number),  # type: ignore[misc]
        )
    done = replace(result, state="nothing", stacks=(), checks=(), soak=0.0, reason="", notes=())
    commits = outbox.send(
        f"Earlier merges of {result.environment}", lambda: _wrong_commits(forge, project, result)
    )
    for commit in reversed(commits or ()):
        failures = len(outbox.failures)
        _correct_merge(forge, done, commit, outbox)
        if len(outbox.failures) > failures:
            return


def _correct_status_of(forge: Forge, result: EnvironmentResult, number: int) -> None:
    pull_request = forge.pull_request(number)
    if pull_request.merged and pull_request.merge_commit not in ("", result.commit):
        _set_done(forge, result, pull_request.merge_commit)


def _wrong_commits(forge: Forge, project: Project, result: EnvironmentResult) -> list[str]:
    """The commits before this one, newest first, whose status in the environment is another than success."""
    if not project.repository.has_commit(result.commit):
        return []
    commits = []
    for commit in project.repository.first_parents(result.commit, EARLIER + 1)[1:]:
        status = forge.status(commit, _context(result))
        if status == "success":
            break
        if status is not None:
            commits.append(commit)
    return commits


def _correct_merge(forge: Forge, result: EnvironmentResult, commit: str, outbox: Outbox) -> None:
    """Correct the comments on the pull requests of a commit, then its status."""
    name = result.environment
    merged = outbox.send(f"The pull request of {commit[:10]}", lambda: forge.pull_requests_of(commit))
    if merged is None:
        return
    numbers = tuple(pull.number for pull in merged if pull.merged)
    failures = len(outbox.failures)
    _correct_comments(forge, replace(result, pull_requests=numbers), outbox)
    if len(outbox.failures) == failures:
        outbox.send(f"The status of {commit[:10]} in {name}", lambda: _set_done(forge, result, commit))


def _set_done(forge: Forge, result: EnvironmentResult, commit: str) -> None:
    from orchestrator.report.rollout_comment import render_status

    forge.set_status(commit, _context(result), "success", render_status(result), result.url)


def _context(result: EnvironmentResult) -> str:
    """The context of the statuses of an environment."""
    return f"infra/apply/{result.environment}"


def _state(forge: Forge, result: EnvironmentResult, outbox: Outbox) -> None:
    """The commit's status, and a deployment where something was changed or was to be."""
    from orchestrator.report.rollout_comment import render_status

    status, deployment = STATUSES[result.state]
    text, name = render_status(result), result.environment
    outbox.send(
        f"The status of {name}",
        lambda: forge.set_status(result.commit, _context(result), status, text, result.url),
    )
    if result.state in ("nothing", "waiting", "gate"):
        return

    def deploy() -> None:
        id_ = forge.create_deployment(result.commit, name, text)
        forge.set_deployment(id_, deployment, text, result.url)

    outbox.send(f"The deployment of {name}", deploy)
