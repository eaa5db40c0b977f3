"""Five axes that say nothing of one another, and nothing green that is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.portal.axes import AxisValue, StackAxes, find_axes
from orchestrator.portal.rows import PortalDrift, PortalStack
from orchestrator.portal.source import PortalEnvironment
from orchestrator.report.status import ORDER, StackStatus, StatusKind
from tests.support.insight import NOW
from tests.support.portal import make_drift, make_stack, moment

VISIBLE = PortalEnvironment("dev", protected=False)
STALE_AFTER = 172_800.0
UP_TO_DATE = StackStatus("dev/net", "dev", "up-to-date")


def axes(
    stack: PortalStack | None = None,
    status: StackStatus | None = UP_TO_DATE,
    drift: tuple[PortalDrift, ...] = (make_drift(),),
    environment: PortalEnvironment = VISIBLE,
) -> StackAxes:
    return find_axes(stack or make_stack(), environment, status, drift, NOW, STALE_AFTER)


def test_a_stack_that_is_as_it_should_be_is_green_on_each_axis() -> None:
    assert [value.level for value in axes()] == ["good"] * 5


@pytest.mark.parametrize(
    ("changed", "axis", "level", "word"),
    [
        (axes(make_stack(commit=None)), "applied", "none", "never"),
        (axes(make_stack(commits_behind=None)), "applied", "unknown", "cccccccccc"),
        (axes(make_stack(commits_behind=3)), "applied", "good", "cccccccccc"),
        (axes(make_stack(break_glass="fire")), "applied", "warn", "cccccccccc"),
        (axes(make_stack(commit="c" * 40 + "+uncommitted")), "applied", "warn", "cccccccccc+uncommitted"),
        (axes(status=StackStatus("dev/net", "dev", "pending", "x")), "pending", "warn", "pending"),
        (axes(status=StackStatus("dev/net", "dev", "blocked")), "pending", "bad", "blocked"),
        (axes(status=None), "pending", "unknown", "not visible"),
        (axes(make_stack(path=None)), "pending", "warn", "code gone"),
        (axes(make_stack(result="failed")), "run", "bad", "failed"),
        (axes(make_stack(status="unfinished")), "run", "bad", "unfinished"),
        (axes(make_stack(status="running")), "run", "busy", "running"),
        (axes(make_stack(result="something new")), "run", "unknown", "something new"),
        (axes(drift=(make_drift(result="drifted", severity="low"),)), "drift", "warn", "low"),
        (axes(drift=(make_drift(result="drifted", severity="high"),)), "drift", "bad", "high"),
    ],
)
def test_one_axis_changes_alone(changed: StackAxes, axis: str, level: str, word: str) -> None:
    value: AxisValue = getattr(changed, axis)
    assert (value.level, value.word) == (level, word)
    assert [other.level for other in changed if other.axis != axis] == ["good"] * 4


def test_an_old_check_omits_drift() -> None:
    for row in (make_drift(checked_at=moment(49)), make_drift(checked_at="nonsense")):
        old = axes(drift=(row,))
        assert (old.drift.level, old.checked.level) == ("unknown", "warn")
    failed = axes(drift=(make_drift(reason="no right"),))
    assert (failed.drift.level, failed.checked.level) == ("unknown", "warn")
    never = axes(drift=())
    assert (never.drift.level, never.checked.level, never.checked.word) == ("unknown", "unknown", "never")


LEVELS = st.sampled_from(["ledger", "runs", "drift", "states"])


@given(
    st.sets(LEVELS),
    st.sampled_from(ORDER),
    st.sampled_from(["applied", "failed", None]),
    st.sampled_from(["clean", "drifted", None]),
    st.sampled_from([None, "It was written by a newer infra."]),
)
def test_what_cannot_be_read_is_never_green(
    hidden: set[str], kind: str, result: str | None, drift: str | None, problem: str | None
) -> None:
    environment = PortalEnvironment("dev", protected=False, hidden=dict.fromkeys(hidden, "no right"))
    computed = axes(
        make_stack(result=result, problem=problem),
        StackStatus("dev/net", "dev", kind),  # type: ignore[arg-type]
        (make_drift(result=drift),),
        environment,
    )
    if "ledger" in hidden or problem:
        assert {value.level for value in (computed.applied, computed.pending, computed.run)} == {"unknown"}
    if "drift" in hidden or drift is None:
        assert computed.drift.level == "unknown"
    if "drift" in hidden:
        assert computed.checked.level == "unknown"


@pytest.mark.parametrize("kind", ["new", "pending", "blocked", "unrecorded", "deleted"])
def test_what_needs_a_person_explains_why(kind: StatusKind) -> None:
    pending = axes(status=StackStatus("dev/net", "dev", kind)).pending
    assert pending.needs_person
    assert pending.text
