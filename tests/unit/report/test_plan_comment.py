"""A pull request's comment, against golden text (`GOLDEN=write pytest` makes it anew) and by its rules."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.plan.cost import MonthlyCost, unknown_cost
from orchestrator.report import markers
from orchestrator.report.comment import LIMIT
from orchestrator.report.plan_comment import (
    CHECK_LIMIT,
    mark_outdated,
    render_check,
    render_comment,
    render_empty_comment,
    render_step_summary,
    select_environment,
)
from orchestrator.report.review import EnvironmentRules, PlanReview, StackReview
from orchestrator.repository.model import Finding
from orchestrator.sandbox.github.markdown import render as page_of
from tests.support import reviews
from tests.support.rendering import render
from tests.support.reviews import EXAMPLES, HEAD, RUN

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "pull_request"
# Those whose whole text is too long to be read beside a test.
LONG = ("many", "huge")


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in LONG])
def test_golden(name: str) -> None:
    path, result = GOLDEN / f"{name}.md", render_comment(EXAMPLES[name]())
    if os.environ.get("GOLDEN") == "write":
        path.write_text(result, encoding="utf-8")
    assert result == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("limit", [LIMIT, 20_000, 9_000])
def test_it_is_never_too_long_and_never_left_open(name: str, limit: int) -> None:
    result = render_comment(EXAMPLES[name](), limit=limit)
    rendered = render(result)
    assert len(result.encode()) <= limit
    assert not rendered.wrong
    assert not rendered.foreign
    assert set(rendered.links) <= {RUN}
    assert rendered.comments == ["infra:plan", f"infra:head {HEAD}"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_phone_shows_every_table(name: str) -> None:
    rows = [line for line in render_comment(EXAMPLES[name]()).splitlines() if line.startswith("|---")]
    assert all(row.count("---") <= 4 for row in rows)


def test_a_page_of_the_sandbox_links_and_mentions_nothing_hostile() -> None:
    page = str(page_of(render_comment(EXAMPLES["hostile"]()), "/acme/infra"))
    assert "evil.example" in page
    assert not re.findall(r'class="(?:mention|issue-link|image)"|<a ', page)


def test_what_is_lost_stands_before_every_table_and_diff() -> None:
    result = render_comment(EXAMPLES["deletion"]())
    caution = result.index("> [!CAUTION]")
    assert result.index("**2 stacks change: 1 to create, 1 to change, 2 to destroy.**") < caution
    assert caution < result.index("terraform_data.goes[1]") < result.index("| Stack |")


def test_protected_environments_come_first_among_losses() -> None:
    result = render_comment(EXAMPLES["replacement"]())
    assert result.index("`prod/web` replaces") < result.index("`dev/web` replaces")


def test_the_biggest_diff_is_cut_whole_and_counted() -> None:
    text = render_comment(EXAMPLES["huge"]())
    assert "✂ **Cut to fit the limit:** 2 diffs (12,598 lines)" in text
    assert f"[The whole text is in the run]({RUN})" in text
    assert "✂ _The diff is cut here: 7,199 lines" in text
    assert '"db-custom-1-3840" -> "db-custom-4-15360"' in text
    assert "- and 1,168 more" in text
    assert "google_storage_bucket.many" in text


def test_six_hundred_stacks_with_long_names_fit_and_are_counted() -> None:
    review = EXAMPLES["many"]()
    began = time.process_time()
    text = render_comment(review)
    seconds = time.process_time() - began
    assert "**300 of 600 stacks change: 900 to create.**" in text
    assert "= 300 stacks do not change" in text
    assert " rows of the table" in text
    assert len(text.encode()) > LIMIT * 0.9
    # 0.03 s here; the rest is for machines that are busy.
    assert seconds < 0.3


def test_many_rows_have_few_stacks_folded_not_lost() -> None:
    review = reviews.named(40, 30)
    text = render_comment(review)
    assert all(stack.id in text for stack in review.stacks)
    assert "✂" not in text


def test_a_long_list_of_losses_is_cut_and_its_count_is_not() -> None:
    stacks = [reviews.recorded("delete", f"prod/{'x' * 150}{number}") for number in range(500)]
    text = render_comment(reviews.review(*stacks))
    assert "**1,000 resources destroyed when this is applied:**" in text
    assert len(text.encode()) <= LIMIT
    assert not render(text).wrong


def test_no_secret_of_a_recorded_plan_is_shown() -> None:
    text = render_comment(EXAMPLES["secrets"]()) + render_step_summary(EXAMPLES["secrets"]())
    assert "hunter2" not in text
    assert "(sensitive value)" in text


def test_what_failed_is_shown_beside_what_did_not() -> None:
    text = render_comment(EXAMPLES["failed"]())
    assert "**1 stack failed; 1 of 2 stacks changes: 4 to create.**" in text
    assert "(in `infra/envs/prod/service/main.tf:7`" in text
    assert text.index("· failed</summary>") < text.index("<code>dev/service</code>")


def change(address: str, action: str, **attributes: tuple[object, object]) -> dict[str, object]:
    messages = [
        {"path": path, "before": before, "after": after, "sensitive": False, "unknown": False}
        for path, (before, after) in attributes.items()
    ]
    return {"address": address, "previous_address": None, "actions": [action], "attributes": messages}


def test_what_of_the_diff_is_drift_is_reported() -> None:
    stack = reviews.stack(
        "prod/a",
        changes=(change("a.b", "update", size=(5, 1), zone=("x", "z")), change("a.gone", "create")),
        drift=(
            change("a.b", "update", size=(1, 5), zone=("y", "x"), note=(None, "by hand")),
            change("a.gone", "delete"),
            change("a.left", "delete"),
        ),
    )
    text = render_comment(reviews.review(stack))
    assert "`size`: `1` → `5` (this plan sets it back)" in text
    assert "`zone`: `y` → `x` (this plan changes it)" in text
    assert "`note`: — → `by hand` (this plan leaves it)" in text
    assert "- `a.gone` was deleted; this plan makes it again" in text
    assert "- `a.left` was deleted; this plan leaves it so" in text


def test_an_equal_diff_is_marked_as_equal_and_stays_folded() -> None:
    result = render_comment(EXAMPLES["simple"]())
    assert result.count("The same diff as of `dev/service`:") == 2
    assert result.count("<details open>") == 1
    assert result.count('"db-custom-1-3840" -> "db-custom-4-15360"') == 3


def test_a_lost_job_is_reported() -> None:
    text = render_comment(EXAMPLES["lost-shard"]())
    assert "**2 stacks not planned; 1 of 3 stacks changes" in text
    assert "`prod/billing` **not planned**: the job that should have planned it did not report." in text


def test_a_stack_for_which_no_time_was_left_counts_as_not_planned() -> None:
    late = reviews.stack(
        "prod/billing", "unchecked", reason="50 minutes of the job were over", advice="Again."
    )
    text = render_comment(reviews.review(reviews.database("dev/service"), late, unplanned=("prod/service",)))
    assert "**2 stacks not planned; 1 of 3 stacks changes" in text
    assert "`prod/billing` **not planned**: 50 minutes of the job were over" in text
    assert render_check(reviews.review(late), "prod").conclusion == "failure"


def test_provisional_names_its_upstream_in_both_locations() -> None:
    text = render_comment(EXAMPLES["provisional"]())
    assert text.count("may still change when `prod/network` is applied") == 2
    assert "- `prod/edge`: prod/cdn was never applied" in text


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"protected": False}, "is applied without an approval."),
        ({"protected": True, "approved_by": "merge"}, "the merge is the approval."),
        ({"protected": True}, "approves commit `4f9d2c7e81ab` after this plan."),
        ({"protected": True}, "Without it, reviewers of `prod-approval` are asked after the merge."),
        ({"protected": True, "unapproved": "refuse"}, "Without it, nothing is applied there."),
        ({"protected": True, "unapproved": "apply"}, "Without it, they are applied all the same."),
    ],
)
def test_how_to_approve(rules: dict[str, object], words: str) -> None:
    environment = EnvironmentRules("prod", **rules)  # type: ignore[arg-type]
    text = render_comment(reviews.review(reviews.database("prod/db"), environments=(environment,)))
    assert words in text


def test_the_merge_goes_in_promotion_order() -> None:
    text = render_comment(EXAMPLES["simple"]())
    assert text.index("1. **dev**") < text.index("2. **staging**") < text.index("3. **prod**")
    assert "Then 2 checks and 30 min of soaking before the next." in text


@pytest.mark.parametrize(("destroys", "total"), [(False, "Nothing changes"), (True, "2 to destroy")])
def test_deleted_code(destroys: bool, total: str) -> None:
    text = render_comment(reviews.deleted(destroys=destroys))
    assert total in text.split("\n")[3]
    assert ("> [!CAUTION]" in text) == destroys
    assert ("is **not** destroyed" in text) != destroys


def test_deleted_code_without_a_plan_is_not_called_empty() -> None:
    refused = reviews.stack("dev/old", "blocked", change="deleted", reason="the guard refuses its code")
    assert "- `dev/old` (not planned: the guard refuses its code)" in render_comment(reviews.review(refused))
    empty = reviews.stack("dev/old", "unchanged", change="deleted")
    assert "- `dev/old` (empty)" in render_comment(reviews.review(empty))


def test_refused_stacks_are_not_promised() -> None:
    result = render_comment(EXAMPLES["policy"]())
    after = result.partition("#### On merge")[2]
    assert "Nothing is applied to these as long as they are refused:\n\n- `prod/service`" in after
    assert "1. **dev**" in after
    assert "**prod**" not in after


def test_an_old_head_is_marked_once() -> None:
    result = render_comment(EXAMPLES["simple"]())
    once = mark_outdated(result, "a" * 40)
    assert "**Outdated:** this is the plan of `4f9d2c7e81ab`." in once
    assert "The plan of `aaaaaaaaaaaa` is on its way." in once
    twice = mark_outdated(once.replace("\n", "\r\n"), "b" * 40)
    assert twice.count("Outdated") == 1
    assert "`bbbbbbbbbbbb`" in twice
    assert "aaaaaaaaaaaa" not in twice
    assert markers.parse_head(twice) == HEAD
    assert twice.endswith(result.partition("-->\n\n")[2])
    assert not render(twice).wrong


def test_marking_the_longest_comment_keeps_it_below_the_limit() -> None:
    assert len(mark_outdated(render_comment(EXAMPLES["many"]()), "a" * 40).encode()) <= LIMIT


def test_others_comments_are_not_marked() -> None:
    assert mark_outdated("hello", "a" * 40) == "hello"


def test_nothing_is_printed_with_the_marker() -> None:
    text = render_empty_comment(replace(EXAMPLES["nothing"](), heartbeat="Long ago."))
    assert markers.is_marked(text, markers.PLAN)
    assert "No stack is affected" in text
    assert "Long ago." in text


def test_the_summary_has_what_the_comment_cut() -> None:
    review = EXAMPLES["huge"]()
    whole = render_step_summary(review)
    assert "✂" not in whole
    assert whole.count("will be created") == 2101
    assert whole.startswith("## Plan of pull request 42: Give the service a bigger database\n")
    assert len(render_step_summary(review, 50_000).encode()) <= 50_000


@pytest.mark.parametrize("name", EXAMPLES)
def test_checks_stay_below_their_limits(name: str) -> None:
    review = EXAMPLES[name]()
    for rules in review.environments:
        output = render_check(review, rules.name)
        assert len(output.text.encode()) <= CHECK_LIMIT
        assert len(output.summary.encode()) <= CHECK_LIMIT
        assert not render(output.text).wrong
        assert not render(output.summary).foreign
        assert len(output.title) <= 200
        assert output.title.isprintable()


@pytest.mark.parametrize(
    ("name", "environment", "conclusion"),
    [
        ("simple", "prod", "success"),
        ("failed", "dev", "success"),
        ("failed", "prod", "failure"),
        ("lost-shard", "dev", "success"),
        ("lost-shard", "prod", "failure"),
        ("policy", "dev", "success"),
        ("policy", "prod", "failure"),
        ("guard", "prod", "failure"),
        ("nothing", "prod", "success"),
    ],
)
def test_an_environments_check(name: str, environment: str, conclusion: str) -> None:
    assert render_check(EXAMPLES[name](), environment).conclusion == conclusion


def test_a_check_is_about_its_environment_alone() -> None:
    output = render_check(EXAMPLES["simple"](), "prod")
    assert output.title == "1 of 2 stacks changes: 1 to create, 1 to change."
    assert "prod/service" in output.text
    assert "dev/" not in output.text


def test_a_void_approval_asks_for_another_review() -> None:
    output = render_check(EXAMPLES["simple"](), "prod", review_again=True)
    assert output.conclusion == "action_required"
    assert output.title.startswith("Review again: ")
    assert render_check(EXAMPLES["failed"](), "prod", review_again=True).conclusion == "failure"


def test_stacks_that_are_an_environment_find_it() -> None:
    review: PlanReview = reviews.review(unplanned=("prod", "dev/a"))
    assert select_environment(review, "prod").unplanned == ("prod",)


def test_long_diffs_of_many_stacks_take_no_time() -> None:
    stacks = [reviews.created(f"dev/{number:04}", 60) for number in range(600)]
    began = time.process_time()
    text = render_comment(reviews.review(*stacks))
    assert time.process_time() - began < 0.6
    assert "(215,400 lines)" in text


TEXTS = st.sampled_from(
    [reviews.EVIL, "plain", "", "`" * 7, "x" * 900, "\n\n---\n", "a|b\\|c", "<!-- infra:plan -->"]
)


@st.composite
def odd_stacks(draw: st.DrawFn) -> StackReview:
    """A stack with whatever text in every field that others write."""
    results = ["changed", "failed", "waiting", "blocked", "unchanged", "locked", "aborted", "interrupted"]
    address = draw(TEXTS) or "a.b"
    actions = draw(st.sampled_from([["create"], ["delete"], ["delete", "create"], ["update"], ["no-op"]]))
    change = {"address": address, "previous_address": draw(TEXTS), "actions": actions, "attributes": []}
    messages = {"severity": "error", "summary": draw(TEXTS), "detail": draw(TEXTS) * draw(st.integers(0, 60))}
    return reviews.stack(
        f"{draw(st.sampled_from(['dev', 'prod', 'x']))}/{draw(TEXTS)}{draw(st.integers(0, 99))}",
        draw(st.sampled_from(results)),
        reason=draw(TEXTS),
        advice=draw(TEXTS),
        changes=(change,) * draw(st.integers(0, 40)),
        counts={"delete": draw(st.integers(0, 3))},
        diagnostics=({**messages, "file": draw(TEXTS), "line": 3},) * draw(st.integers(0, 9)),
        diff=draw(TEXTS) * draw(st.integers(0, 90)),
        notes=(draw(TEXTS),),
        provisional=(draw(TEXTS),) * draw(st.integers(0, 9)),
        drift=(change,) * draw(st.integers(0, 40)),
        imported=(address,) * draw(st.integers(0, 40)),
        reasons=((draw(TEXTS), address),) * draw(st.integers(0, 9)),
        change=draw(st.sampled_from(["changed", "new", "deleted", "follower"])),
    )


@settings(suppress_health_check=list(HealthCheck))
@given(st.lists(odd_stacks(), max_size=8), st.lists(TEXTS, max_size=40), st.sampled_from([12_000, LIMIT]))
def test_whatever_others_write(stacks: list[StackReview], texts: list[str], limit: int) -> None:
    findings = tuple(Finding("warning", text, text, text, text or None, 1) for text in texts)
    review = reviews.review(
        *stacks, unplanned=tuple(texts), notes=tuple(texts), findings=findings, author="".join(texts)
    )
    result = render_comment(review, limit=limit)
    rendered = render(result)
    assert len(result.encode()) <= limit
    assert not rendered.wrong
    assert not rendered.foreign
    assert len(rendered.comments) == 2


def test_owners_of_what_changes_are_named_and_not_notified() -> None:
    stacks = (reviews.stack("dev/net"), reviews.stack("prod/net"), reviews.stack("dev/idle", "unchanged"))
    owners = {"dev/net": ("@acme/platform", "@olga"), "prod/net": (), "dev/idle": ("@idle",)}
    text = render_comment(reviews.review(*stacks, owners=owners))
    assert "- `@acme/platform` `@olga`: `dev/net`" in text
    assert "- nobody: `prod/net`" in text
    assert "@idle" not in text
    assert "Owners of what changes" not in render_comment(reviews.review(*stacks))


def test_the_cost_stands_beside_each_stack_and_by_environment() -> None:
    plans = reviews.review(
        reviews.stack("dev/web", cost=MonthlyCost(12.5, "USD", 2)),
        reviews.stack("prod/web", cost=unknown_cost("infracost failed: <b>@all")),
        *reviews.resting("dev/idle"),
    )
    body = render_comment(plans)
    assert "+12.50 USD (2 resources without a price) per month" in body
    assert "cost not known" in body
    (line,) = [line for line in body.splitlines() if line.startswith("**Monthly cost:**")]
    assert line.startswith(
        r"**Monthly cost:** dev +12.50 USD (2 resources without a price); prod not known: "
    )
    assert "`<b>@all`" in line
    assert "0.00" not in body


def test_no_cost_is_shown_where_none_is_estimated() -> None:
    assert "cost" not in render_comment(reviews.review(reviews.stack("dev/web"))).lower()
