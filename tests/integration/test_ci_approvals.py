"""What counts as approved, on a GitHub server: merges of every kind, reviews that count, forged plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.forge.github import open_github
from orchestrator.forge.model import NewCheck
from orchestrator.plan.digest import Digest, encode
from orchestrator.review.decisions import Approval, Decisions, RefusedApproval, ReviewRule
from orchestrator.review.reviewers import Reviewers
from orchestrator.state.records import LedgerEntry
from tests.support.approving import APP, CONFIG, FILES, Approving
from tests.support.repo import Repo
from tests.unit.plan.test_digest_comparison import create, plan, update

PLAIN, READER = "terraform_data.plain", "terraform_data.reader"


def app(*changes: object, **more: object) -> Digest:
    return plan(*changes, stack="prod/app", **more)  # type: ignore[arg-type]


def to(value: str, before: str = "one") -> Digest:
    return app(update(PLAIN, input=(before, value)))


TWO, THREE = to("two"), to("three")


def decisions_of(approving: Approving) -> Decisions:
    return Decisions(approving.host, Reviewers(approving.host, approving.session.context.project.repository))


@pytest.fixture
def approving(tmp_path: Path) -> Iterator[Approving]:
    with Approving(tmp_path) as approving:
        yield approving


# How it was merged


@pytest.mark.parametrize("method", ["squash", "rebase", "merge"])
def test_what_was_approved_is_applied_however_it_was_merged(approving: Approving, method: str) -> None:
    number = approving.change("prod/app", "half", branch="feature")
    approving.github.commit("feature", {"infra/envs/prod/app/main.tf": APP.replace('"one"', '"two"', 1)})
    approving.github.commit("feature", {"README.md": "Told.\n"})
    approving.post(number, TWO)
    approving.github.review(number, "bert")
    approving.github.merge(number, method)
    # The branch is gone, and trunk has gone on with something else.
    approving.github.delete_branch("feature")
    approving.github.push(_edited(approving, {"README.md": "More.\n"}), "main")

    verdict = approving.check_plan(TWO)
    assert (verdict.kind, verdict.pull_requests, verdict.differences) == ("approved", (number,), ())
    other = approving.check_plan(THREE)
    assert (other.kind, [difference.path for difference in other.differences]) == ("mismatch", ["input"])
    assert (
        approving.check_plan(app(update(PLAIN, input=("one", "two")), create("terraform_data.more"))).kind
        == "mismatch"
    )
    # Not owed any more once it was applied.
    assert approving.check_plan(TWO, approving.job.head).kind == "gate"


def _edited(approving: Approving, files: dict[str, str]) -> Repo:
    """A clone with a commit on trunk, to be pushed directly."""
    approving.update()
    approving.job.commit(files, "Pushed")
    return approving.job


# Who approved


REVIEWS: dict[str, tuple[Callable[[Approving, int], object], bool]] = {
    "nobody": (lambda p, n: None, False),
    "the author": (lambda p, n: p.github.review(n, "ada", "COMMENTED"), False),
    "somebody who may only read": (lambda p, n: p.github.review(n, "rita"), False),
    "a comment is no approval": (lambda p, n: p.github.review(n, "bert", "COMMENTED"), False),
    "an admin": (lambda p, n: p.github.review(n, "olga"), True),
    "changes wanted afterwards": (
        lambda p, n: (p.github.review(n, "bert"), p.github.review(n, "bert", "CHANGES_REQUESTED")),
        False,
    ),
    "changes wanted before": (
        lambda p, n: (p.github.review(n, "bert", "CHANGES_REQUESTED"), p.github.review(n, "bert")),
        True,
    ),
    "changes wanted by somebody else": (
        lambda p, n: (p.github.review(n, "bert"), p.github.review(n, "olga", "CHANGES_REQUESTED")),
        True,
    ),
    "commented afterwards": (
        lambda p, n: (p.github.review(n, "bert"), p.github.review(n, "bert", "COMMENTED")),
        True,
    ),
    "another head": (
        lambda p, n: (p.github.review(n, "bert"), _forced(p, n), p.post(n, TWO)),
        False,
    ),
    "another head, approved again": (
        lambda p, n: (p.github.review(n, "bert"), _forced(p, n), p.post(n, TWO), p.github.review(n, "bert")),
        True,
    ),
}


def _forced(approving: Approving, number: int) -> str:
    """The branch is pushed anew, past its own history."""
    approving.github.work.git("checkout", "-q", "--detach", "origin/main")
    approving.github.work.commit({"infra/envs/prod/app/main.tf": APP.replace('"one"', '"two"', 1)}, "Forced")
    branch = approving.host.pull_request(number).head_ref
    return approving.github.push(approving.github.work, branch, force=True)


def test_only_a_review_of_the_head_by_another_writer_decides(approving: Approving) -> None:
    decisions = {}
    for at, (case, (review, _)) in enumerate(REVIEWS.items()):
        number = approving.change("prod/app", f"case-{at}")
        approving.post(number, TWO)
        review(approving, number)
        pull = approving.host.pull_request(number)
        answer = decisions_of(approving).approval_of(pull, "prod", ReviewRule(), [approving.objects()])
        decisions[case] = isinstance(answer, Approval)
        if isinstance(answer, RefusedApproval):
            assert answer.reason == "nobody who may write approved its last commit"
    assert decisions == {case: is_approved for case, (_, is_approved) in REVIEWS.items()}


def test_a_dismissed_review_and_a_plan_posted_after_the_review_do_not_count(approving: Approving) -> None:
    number = approving.change("prod/app", "two")
    early = approving.github.review(number, "bert")
    approving.post(number, TWO)
    decisions = decisions_of(approving)

    def approval() -> Approval | RefusedApproval:
        pull_request = approving.host.pull_request(number)
        return decisions.approval_of(pull_request, "prod", ReviewRule(), [approving.objects()])

    first = approval()
    assert isinstance(first, RefusedApproval)
    assert "no plan of prod was attested before it was approved" in first.reason
    second = approving.github.review(number, "olga")
    approving.post(number, THREE)
    approval_result = approval()
    assert isinstance(approval_result, Approval)
    assert approval_result.digests == {"prod/app": TWO}, "the newest that was there when it was reviewed"
    with approving.github.locked_repository as server:
        for review in server.pull(number).reviews:
            if review.id == second:
                review.state = "DISMISSED"
    refused = approval()
    assert isinstance(refused, RefusedApproval)
    assert early != second


# What stands in the bucket


def test_only_objects_that_an_attestation_names_count(approving: Approving) -> None:
    """Whoever holds the plan token can write an object; any workflow of a branch can post a check."""
    number = approving.change("prod/app", "two")
    approving.post(number, TWO)
    head = approving.github.head(number)
    evil = to("evil")
    # A newer object under a run of its own, and one more in the run that was attested.
    approving.objects().create(number, head, "prod/app", "99-1", encode(evil))
    approving.objects().create(number, head, "prod/net", "1-1", encode(replace(evil, stack="prod/net")))
    # Checks as the job that attests posts them: by a workflow of the branch, and by another app.
    for app in ("github-actions[bot]", "other-app[bot]"):
        host = open_github(approving.github.environ(approving.github.token(app, checks="write"), "push"))
        host.create_check(NewCheck("infra/prod", head, "success", "2 changes", ""))
        host.close()
    approving.github.review(number, "bert")
    approving.github.merge(number, "squash")
    assert approving.check_plan(evil).kind == "mismatch"
    assert approving.check_plan(replace(evil, stack="prod/net"), None).kind != "approved"
    assert approving.check_plan(TWO).kind == "approved"


# The merge queue


def test_a_queue_compares_only_what_has_nothing_unapplied_ahead(approving: Approving) -> None:
    from orchestrator.review.approvals import Approvals

    first = approving.change("prod/app", "two")
    second = approving.change("prod/net", "moved")
    for number, digest in ((first, TWO), (second, plan(update("terraform_data.n"), stack="prod/net"))):
        approving.post(number, digest)
        approving.github.review(number, "bert")
    group = approving.github.queue(first)
    approving.job.git("fetch", "-q", "origin", group["head_ref"])
    approving.job.git("checkout", "-q", "--detach", group["head_sha"])
    approving.session = approving._session()
    approvals = Approvals(approving.session, approving.host)
    stack, pull = approving.session.context.project.stacks["prod/app"], approving.host.pull_request(first)
    assert approvals.compare_queued(stack, TWO, approving.entry(), pull, group["base_sha"]).kind == "approved"
    wrong = approvals.compare_queued(stack, THREE, approving.entry(), pull, group["base_sha"])
    assert [difference.path for difference in wrong.differences] == ["input"]
    # The same stack was changed on trunk and not applied yet.
    behind = replace(approving.entry(), fingerprint="0" * 64)
    for entry in (behind, None, LedgerEntry("prod/app")):
        assert approvals.compare_queued(stack, THREE, entry, pull, group["base_sha"]).kind == "provisional"


def test_what_a_queue_merged_is_pending_for_each_of_its_pull_requests(approving: Approving) -> None:
    first = approving.change("prod/app", "two")
    second = approving.change("prod/net", "moved")
    moved = plan(update("terraform_data.n", input=("one", "moved")), stack="prod/net")
    for number, digest in ((first, TWO), (second, moved)):
        approving.post(number, digest)
        approving.github.review(number, "bert")
    approving.github.merge_group(approving.github.queue(first, second))
    assert (approving.check_plan(TWO).kind, approving.check_plan(TWO).pull_requests) == (
        "approved",
        (first, second),
    )
    assert (approving.check_plan(moved).kind, approving.check_plan(moved).pull_requests) == (
        "approved",
        (second,),
    )


def test_neither_authors_nor_bots_decide(approving: Approving) -> None:
    number = approving.change("prod/app", "two", author="bert")
    pull = approving.host.pull_request(number)
    approving.github.user("helper[bot]", "write")
    reviewers = Reviewers(approving.host)
    assert [who for who in ("bert", "BERT", "helper[bot]", "rita", "nobody", "", "ada", "olga")
            if reviewers.may_approve(who, pull)] == ["ada", "olga"]  # fmt: skip


def test_a_clean_merge_of_trunk_into_the_branch_makes_nobody_an_author(approving: Approving) -> None:
    number = approving.change("prod/app", "two", branch="feature")
    approving.github.commit("main", {"README.md": "More.\n"})
    work = approving.github.work
    work.git("fetch", "-q", "origin")
    work.git("checkout", "-q", "--detach", "origin/feature")
    work.git("merge", "-q", "--no-edit", "origin/main")
    approving.github.push(work, "feature", pusher="bert")
    approving.post(number, TWO)
    approving.github.review(number, "bert")
    approving.github.merge(number, "squash")
    assert approving.check_plan(TWO).kind == "approved"


# Owners


OWNED = {
    **FILES,
    "infra.yaml": CONFIG.replace("true}", "true, approved_by: codeowners}"),
    ".github/CODEOWNERS": "/infra/envs/prod/app/ @bert\n/infra/envs/prod/app/own.tf @acme/platform\n",
}


def test_owners_approve_by_the_stacks_folder_and_the_changed_files(tmp_path: Path) -> None:
    with Approving(tmp_path, OWNED) as approving:
        approving.github.server.set_team("acme/platform", ["carla"])
        approving.github.user("carla")
        number = approving.change("prod/app", "two", **{"infra/envs/prod/app/own.tf": "# theirs\n"})
        approving.post(number, TWO)
        approving.github.review(number, "olga")
        approving.github.review(number, "bert")
        approving.github.merge(number, "squash")
        with pytest.raises(ConfigError, match="acme/platform"):
            approving.check_plan(TWO)
        with approving.with_teams():
            refused = approving.check_plan(TWO)
            assert refused.kind == "gate"
            assert "no owner of infra/envs/prod/app/own.tf (@acme/platform)" in refused.reason
        approving.github.review(number, "carla")
        with approving.with_teams():
            verdict = approving.check_plan(TWO)
            assert verdict.kind == "approved", verdict.reason
