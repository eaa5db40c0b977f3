"""One review from the parts that jobs planned: what is missing in it, and what only the whole can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from orchestrator.ci.event import Event
from orchestrator.ci.review.believing import Believed
from orchestrator.ci.review.guarding import OpenHost, guarded
from orchestrator.ci.review.scope import Scope
from orchestrator.project.model import Finding
from orchestrator.report.review import Review, StackReview
from orchestrator.review.provisional import provisional
from orchestrator.run.policing import limits


def review_of(
    scope: Scope,
    event: Event | None,
    stacks: Sequence[StackReview],
    *,
    findings: Sequence[Finding] = (),
    notes: Sequence[str] = (),
    heartbeat: str = "",
    run: str = "",
    seconds: float = 0.0,
) -> Review:
    """The plans of a change with what a reader must know of it."""
    return Review(
        repository=event.repository if event else "",
        pull_request=(event.pull_request if event else None) or 0,
        title=event.title if event else "",
        author=event.author if event else "",
        head=scope.subject.head,
        commit=scope.subject.commit,
        base=scope.subject.base or "",
        trunk=(event.base_ref if event else "") or scope.trunk,
        environments=scope.described(),
        stacks=tuple(stacks),
        findings=tuple(findings),
        notes=(*scope.notes, *notes),
        heartbeat=heartbeat,
        destroys_deleted=scope.rules.policy.deleted_stacks == "destroy",
        run=run,
        url=event.url if event else "",
        seconds=seconds,
    )


def joined(
    scope: Scope,
    event: Event | None,
    found: Believed,
    expected: Collection[str] = (),
    only: str = "",
    open_host: OpenHost | None = None,
) -> Review:
    """The parts of all jobs as one review of this head.

    `expected` are stacks that some job was to plan besides those that the change affects; whatever was
    expected and is in no report is `unplanned`. `only` is the one stack that somebody asked for.
    `open_host` gives the host where there is one to ask.
    """
    mine, stacks = found.reports, dict(found.stacks)
    wanted = {
        *(() if only else (*scope.part(scope.environments).expected, *expected)),
        *(id_ for one in mine for id_ in one.expected),
    }
    review = review_of(
        scope,
        event,
        _refined(scope, stacks),
        findings=tuple(
            dict.fromkeys(
                (
                    *(found for one in mine for found in one.review.findings),
                    # Changed rules are told also where no job had anything to plan.
                    *guarded(scope, event, open_host),
                    *_limits(scope, stacks.values()),
                )
            )
        ),
        notes=tuple(note for one in mine for note in one.review.notes),
        heartbeat=" ".join(dict.fromkeys(one.review.heartbeat for one in mine if one.review.heartbeat)),
        run=next((one.review.run for one in mine), ""),
        seconds=max((one.review.seconds for one in mine), default=0.0),
    )
    return replace(
        review,
        notes=tuple(dict.fromkeys((*review.notes, *found.notes))),
        unplanned=tuple(_in_order(scope, wanted - stacks.keys())),
    )


def _limits(scope: Scope, stacks: Iterable[StackReview]) -> tuple[Finding, ...]:
    """What the whole is against the policy's limits: no job sees more than its part."""
    policy = scope.rules.policy
    counted = [one.report for one in stacks if one.change != "deleted" or policy.deleted_stacks == "destroy"]
    return limits(counted, scope.environments, policy)


def _refined(scope: Scope, stacks: dict[str, StackReview]) -> list[StackReview]:
    """The stacks in order, and only those provisional that still are: another job's plans are known now."""
    reports = {id_: one.report for id_, one in stacks.items() if one.change != "deleted"}
    moving = provisional(scope.project, reports)
    return [
        replace(one, provisional=tuple(name for name in one.provisional if name in moving.get(id_, ())))
        for id_, one in ((id_, stacks[id_]) for id_ in _in_order(scope, stacks))
    ]


def _in_order(scope: Scope, stacks: Iterable[str]) -> list[str]:
    """By environment in promotion order, then by id; those that are gone last."""
    places = {name: place for place, name in enumerate(scope.environments)}
    known = scope.project.stacks
    gone = {one.id: one for one in scope.deleted}

    def key(id_: str) -> tuple[bool, int, str]:
        stack = known.get(id_) or gone.get(id_)
        return id_ not in known, places.get(stack.environment if stack else "", len(places)), id_

    return sorted(stacks, key=key)
