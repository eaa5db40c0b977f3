"""From what an apply did to what people read: the landing of an environment, as a file and on the host."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.ci.landing.landed import WENT, Landed
from orchestrator.ci.landing.notices import reads_of, tell_others
from orchestrator.ci.posting import Outbox, ours, rewrite, sticky
from orchestrator.ci.reports import artifacts_of, document_of, files_of, speaks_for, unreadable
from orchestrator.ci.values import from_json
from orchestrator.engine.folders import write_private
from orchestrator.hosts.model import DeploymentState, StatusState
from orchestrator.hosts.port import Host
from orchestrator.plan.comparing import Difference
from orchestrator.project.model import Project
from orchestrator.report.landing import LandedStack, Landing, LandingCheck, State
from orchestrator.report.model import StackReport
from orchestrator.review.approvals import Verdict

VERSION = 1
PREFIX = "apply-"
# What GitHub's own words are for a state.
WORDS: dict[State, tuple[StatusState, DeploymentState]] = {
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
CUT_OFF = "the job that was applying it ended before it could tell how that went"


@dataclass(frozen=True)
class Facts:
    """What all landings of one job share; `trunk` is the branch's name, `url` leads to the job."""

    repository: str
    trunk: str
    commit: str
    run: str
    url: str
    order: tuple[str, ...]


def landing_of(facts: Facts, landed: Landed) -> Landing:
    """An environment as the texts want it.

    It names no gate to approve in: when something was applied, or not, this run's gate lies behind it.
    """
    name = landed.environment
    later = facts.order[facts.order.index(name) + 1 :] if name in facts.order else ()
    return Landing(
        repository=facts.repository,
        trunk=facts.trunk,
        commit=facts.commit,
        environment=name,
        state=landed.state,
        stacks=tuple(_stack(one, landed.verdicts.get(one.id)) for one in landed.stacks),
        pull_requests=landed.pull_requests,
        checks=tuple(LandingCheck(one.name, one.ok, one.message) for one in landed.checks),
        soak=landed.soaked,
        next=later,
        reason=_reason(landed),
        run=facts.run,
        url=facts.url,
        way_out=landed.way_out,
        heartbeat=landed.heartbeat,
        held_by=landed.behind if landed.held else "",
        overtaken=(*landed.overtaken, *landed.elsewhere),
        superseded=landed.superseded,
        notes=(*(landed.report.notes if landed.report else ()), *landed.notes),
    )


def _stack(report: StackReport, verdict: Verdict | None) -> LandedStack:
    if verdict is None:
        return LandedStack(report)
    # Of a stack that went through in the end no difference is left to tell.
    differences = verdict.differences if report.result in ("mismatch", "blocked", "changed") else ()
    causes = verdict.causes if differences else ()
    return LandedStack(report, tuple(differences), tuple(verdict.pull_requests), causes)


def _reason(landed: Landed) -> str:
    if landed.held:
        return landed.held
    if landed.behind:
        return f"{landed.behind} comes before it and is not done"
    if landed.error:
        return landed.error.rstrip(".")
    if landed.lost and landed.state != "superseded":
        return f"pending and not applied: {', '.join(landed.left)}"
    return ""


# As a file, from the job that runs Terraform to the one that may write on the host


def write_landing(folder: Path, landing: Landing, shard: str = "") -> Path:
    """Write `DIR/apply-ENV.json`, for the shard `I/N` `DIR/apply-ENV.I.json`, and make the folder."""
    part = f".{shard.partition('/')[0]}" if shard else ""
    return _write(folder / f"{PREFIX}{landing.environment.replace('/', '%2F')}{part}.json", landing)


def _write(path: Path, landing: Landing) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"version": VERSION, "kind": "apply", "landing": asdict(landing)}
    write_private(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())
    return path


def read_landings(folders: Iterable[Path]) -> list[Landing]:
    """Every landing in some folders and below; UsageError for a file that is none."""
    return [_read(path) for path in files_of(folders, PREFIX)]


def credible(
    folders: Iterable[Path], project: Project, commit: str
) -> tuple[tuple[Landing, ...], tuple[str, ...]]:
    """The landings that are of their own job's environment and of this commit; a note for each other one.

    `commit` is the one that the workflow runs for, empty where that is not known. UsageError for a file that
    is no landing.
    """
    known = {*project.environments, *project.order.all}
    found: list[Landing] = []
    notes: list[str] = []
    for path, artifact in artifacts_of(folders, PREFIX).items():
        one = _read(path)
        if one.environment in known and speaks_for(artifact, one.environment) and commit in ("", one.commit):
            found.append(one)
        else:
            notes.append(f"What {path.name} tells was left out: it is of another environment or commit.")
    return joined(found), tuple(notes)


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


def joined(landings: Iterable[Landing]) -> tuple[Landing, ...]:
    """The parts that several jobs applied of one environment as one landing of it."""
    by_environment: dict[str, list[Landing]] = {}
    for one in landings:
        by_environment.setdefault(one.environment, []).append(one)
    return tuple(parts[0] if len(parts) == 1 else _whole(parts) for parts in by_environment.values())


def _whole(parts: Sequence[Landing]) -> Landing:
    worst = min(parts, key=lambda one: WORST.index(one.state))
    stacks = {stack.id: stack for one in parts for stack in one.stacks}
    went = any(one.report.result in WENT for one in stacks.values())
    return replace(
        worst,
        state="partial" if worst.state == "failed" and went else worst.state,
        stacks=tuple(stacks[id_] for id_ in sorted(stacks)),
        pull_requests=tuple(sorted({number for one in parts for number in one.pull_requests})),
        checks=tuple(dict.fromkeys(check for one in parts for check in one.checks)),
        soak=max(one.soak for one in parts),
        heartbeat=next((one.heartbeat for one in parts if one.heartbeat), ""),
        notes=tuple(dict.fromkeys(note for one in parts for note in one.notes)),
    )


def _read(path: Path) -> Landing:
    document = document_of(path, "apply")
    try:
        content: dict[str, Any] = document["landing"]
        differences = [one.pop("differences", []) for one in content["stacks"]]
        landing = from_json(Landing, content)
        stacks = tuple(
            replace(stack, differences=tuple(from_json(Difference, one) for one in found))
            for stack, found in zip(landing.stacks, differences, strict=True)
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise unreadable(path, error) from error
    return replace(landing, stacks=stacks)


def begun(facts: Facts, landed: Landed) -> Landing:
    """What is left behind for the case that the job dies: that it was at work."""
    stacks = tuple(
        LandedStack(StackReport(id_, landed.environment, "interrupted", reason=CUT_OFF))
        for id_ in landed.owed
    )
    return replace(landing_of(facts, landed), state="partial", stacks=stacks, reason=CUT_OFF)


def unreported(folder: Path) -> dict[str, list[str]]:
    """The stacks of which a cancelled apply left no outcome in a folder, by its run."""
    stacks: dict[str, list[str]] = {}
    for landing in read_landings([folder]) if folder.is_dir() else ():
        ids = [one.id for one in landing.stacks if one.report.reason == CUT_OFF]
        stacks.setdefault(landing.run, []).extend(ids)
    return stacks


def settled(facts: Facts, folder: Path, reports: Iterable[StackReport]) -> None:
    """Put how a cancelled apply ended into the results that it left in a folder."""
    there = {path: _read(path) for path in files_of([folder], PREFIX)} if folder.is_dir() else {}
    by_environment: dict[str, dict[str, StackReport]] = {}
    for report in reports:
        by_environment.setdefault(report.environment, {})[report.id] = report
    for name, ended in by_environment.items():
        parts = {path: landing for path, landing in there.items() if landing.environment == name}
        if not parts:
            missing = begun(facts, Landed(name, owed=dict.fromkeys(ended, "")))
            parts = {write_landing(folder, missing): missing}
        for path, landing in parts.items():
            stacks = tuple(replace(one, report=ended.get(one.id, one.report)) for one in landing.stacks)
            _write(path, replace(landing, stacks=stacks, **_ended(stacks)))


def _ended(stacks: Sequence[LandedStack]) -> dict[str, Any]:
    """State and reason of an environment whose apply was cancelled."""
    results = {one.report.result for one in stacks}
    if results <= {*WENT, "unchanged"}:
        return {"state": "applied", "reason": ""}
    state = "partial" if results & {*WENT, "interrupted"} else "failed"
    return {"state": state, "reason": CANCELLED}


# On the host


def not_applied(facts: Facts, environment: str, *, is_pending: bool, requested_by: int | None) -> Landing:
    """An environment that no job applied: nothing is pending, or the run ended before its turn came.

    `requested_by` is the pull request on which the run was asked for.
    """
    landed = Landed(environment)
    numbers = (requested_by,) if requested_by else ()
    if is_pending:
        landed = Landed(environment, error=NOT_BEGUN)
    return replace(landing_of(facts, landed), pull_requests=numbers)


def tell(host: Host, project: Project, landings: Sequence[Landing]) -> Outbox:
    """Tell the merged pull requests, set status and deployment, and tell others that their plan is stale."""
    outbox = Outbox()
    for landing in landings:
        told = _with_pull_requests(host, project, landing, outbox)
        _comment(host, told, outbox)
        _state(host, told, outbox)
        _earlier_states(host, told, outbox)
    tell_others(host, project, landings, outbox)
    return outbox


def _with_pull_requests(host: Host, project: Project, landing: Landing, outbox: Outbox) -> Landing:
    """Where it is not known whose change it is, it is of the commit's pull requests that touch the stacks.

    A pull request that touches none of them keeps the comment that it has.
    """
    if landing.pull_requests or landing.state == "nothing":
        return landing
    ids = [one.id for one in landing.stacks] or [one.id for one in project.of(landing.environment)]
    reads = [reads_of(project, id_) for id_ in ids]

    def touching() -> tuple[int, ...]:
        merged = [one.number for one in host.pull_requests_of(landing.commit) if one.merged]
        return tuple(
            number
            for number in merged
            if (paths := host.changed_paths(number)) and any(one.touched_by(paths) for one in reads)
        )

    return replace(landing, pull_requests=outbox.send("The pull request", touching) or ())


def _comment(host: Host, landing: Landing, outbox: Outbox) -> None:
    from orchestrator.report import markers
    from orchestrator.report.landing_comment import landing_comment

    if landing.state == "nothing":
        _correct_comments(host, landing, outbox)
        return
    marker, body = markers.applied(landing.environment), landing_comment(landing)
    for number in landing.pull_requests:
        outbox.send(
            f"The comment on #{number} about {landing.environment}",
            lambda number=number: sticky(host, number, marker, body),  # type: ignore[misc]
        )


def _correct_comments(host: Host, landing: Landing, outbox: Outbox) -> None:
    """Nothing is pending any more: comments that say otherwise are renewed, and no other is written."""
    from orchestrator.report import markers
    from orchestrator.report.landing_comment import landing_comment

    marker, body = markers.applied(landing.environment), landing_comment(landing)

    def correct(number: int) -> None:
        known = ours(host, number, marker)
        if known and DONE_MARK not in known[-1].body:
            rewrite(host, number, marker, lambda _: body)

    for number in landing.pull_requests:
        outbox.send(
            f"The comment on #{number} about {landing.environment}",
            lambda number=number: correct(number),  # type: ignore[misc]
        )


def _earlier_states(host: Host, landing: Landing, outbox: Outbox) -> None:
    """Once an environment is done, the statuses of the merges that it was pending for say so too."""
    from orchestrator.report.landing_comment import status_text

    if landing.state not in ("applied", "nothing"):
        return
    text, context = status_text(landing), f"infra/apply/{landing.environment}"

    def correct(number: int) -> None:
        merged = host.pull_request(number)
        if merged.merged and merged.merge_commit not in ("", landing.commit):
            host.set_status(merged.merge_commit, context, "success", text, landing.url)

    for number in landing.pull_requests:
        outbox.send(
            f"The status of #{number} in {landing.environment}",
            lambda number=number: correct(number),  # type: ignore[misc]
        )


def _state(host: Host, landing: Landing, outbox: Outbox) -> None:
    """The commit's status, and a deployment where something was changed or was to be."""
    from orchestrator.report.landing_comment import status_text

    status, deployment = WORDS[landing.state]
    text, name = status_text(landing), landing.environment
    outbox.send(
        f"The status of {name}",
        lambda: host.set_status(landing.commit, f"infra/apply/{name}", status, text, landing.url),
    )
    if landing.state in ("nothing", "waiting", "gate"):
        return

    def deploy() -> None:
        id_ = host.create_deployment(landing.commit, name, text)
        host.set_deployment(id_, deployment, text, landing.url)

    outbox.send(f"The deployment of {name}", deploy)
