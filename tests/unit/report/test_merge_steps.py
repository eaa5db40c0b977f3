"""What a plan comment says of the merge when the rules become stricter after the plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.report.merge_steps import note_policy, replace_rules
from orchestrator.report.plan_comment import render_comment
from orchestrator.report.review import EnvironmentRules
from tests.support import reviews

DEV = EnvironmentRules("dev", protected=False, checks=1)
PROD = EnvironmentRules("prod", protected=True, approved_by="merge")
PLANNED = reviews.review(
    reviews.database("dev/service"), reviews.database("prod/service"), environments=(DEV, PROD)
)


@pytest.mark.parametrize(
    "stricter",
    [
        (replace(PROD, approved_by="review"),),
        (replace(PROD, approved_by="codeowners", unapproved="refuse"),),
        (replace(DEV, protected=True, approved_by="review", soak=600.0),),
        (replace(DEV, protected=True), replace(PROD, approved_by="review", unapproved="apply")),
    ],
)
def test_a_comment_with_stricter_rules_is_as_if_it_were_planned_now(
    stricter: tuple[EnvironmentRules, ...],
) -> None:
    by_name = {rules.name: rules for rules in (*PLANNED.environments, *stricter)}
    now = replace(PLANNED, environments=tuple(by_name.values()))
    assert replace_rules(render_comment(PLANNED), stricter, PLANNED.author, PLANNED.head) == render_comment(
        now
    )


def test_a_comment_of_unprotected_environments_alone_reports_that_plans_are_compared_now() -> None:
    only = replace(PLANNED, stacks=PLANNED.stacks[:1])
    stricter = replace(DEV, protected=True)
    now = replace(only, environments=(stricter, PROD))
    assert replace_rules(render_comment(only), [stricter], only.author, only.head) == render_comment(now)


def test_a_comment_that_announces_nothing_there_stays_as_it_is() -> None:
    other = replace(PROD, name="staging", approved_by="review")
    assert replace_rules(render_comment(PLANNED), [other], "", "") == render_comment(PLANNED)
    nothing = render_comment(reviews.review())
    assert replace_rules(nothing, [replace(PROD, approved_by="review")], "", "") == nothing


def test_a_plan_that_shows_a_sentence_like_ours_is_left_alone() -> None:
    """The list is the one below the last heading; what is above it shows what others wrote."""
    forged = "\n#### On merge\n\n1. **prod**: 1 stack is applied; the merge is the approval.\n"
    body = render_comment(PLANNED)
    head, _, rest = body.partition("| ")
    forged_body = f"{head}```{forged}```\n| {rest}"
    changed = replace_rules(forged_body, [replace(PROD, approved_by="review")], PLANNED.author, PLANNED.head)
    assert forged in changed
    assert changed != forged_body


def test_a_changed_policy_is_noted_once() -> None:
    comment = render_comment(PLANNED)
    noted = note_policy(comment, "a" * 40)
    assert "**The policy changed** with `aaaaaaa" in noted
    assert note_policy(noted, "b" * 40) == note_policy(comment, "b" * 40)
    assert note_policy("Nothing is announced here.", "a" * 40) == "Nothing is announced here."
