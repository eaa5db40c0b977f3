"""What counts as approved, on a GitHub server: merges of every kind, reviews that count, forged plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, StateError
from orchestrator.hosts.github import open_host
from orchestrator.hosts.model import NewCheck
from orchestrator.plan.digest import Digest, empty, encode, sha256
from orchestrator.review.decisions import Approval, Decisions, Refusal, ReviewRule
from orchestrator.review.reviewers import Reviewers
from orchestrator.review.rules import PendingRules
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.folder import Folder
from orchestrator.state.records import Entry
from tests.support.approving import APP, CONFIG, FILES, Approving
from tests.support.repo import Repo
from tests.unit.plan.test_comparing import create, delete, plan, update
from tests.unit.plan.test_digest import change

PLAIN, READER = "terraform_data.plain", "terraform_data.reader"


def app(*changes: object, **more: object) -> Digest:
    return plan(*changes, stack="prod/app", **more)  # type: ignore[arg-type]


def to(value: str, before: str = "one") -> Digest:
    return app(update(PLAIN, input=(before, value)))


TWO, THREE = to("two"), to("three")


def decisions_of(place: Approving) -> Decisions:
    return Decisions(place.host, Reviewers(place.host, place.session.context.project.repository))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Approving]:
    with Approving(tmp_path) as found:
        yield found


# How it was merged


@pytest.mark.parametrize("method", ["squash", "rebase", "merge"])
def test_what_was_approved_is_applied_however_it_was_merged(place: Approving, method: str) -> None:
    number = place.change("prod/app", "half", branch="feature")
    place.github.commit("feature", {"infra/envs/prod/app/main.tf": APP.replace('"one"', '"two"', 1)})
    place.github.commit("feature", {"README.md": "Told.\n"})
    place.post(number, TWO)
    place.github.review(number, "bert")
    place.github.merge(number, method)
    # The branch is gone, and trunk has gone on with something else.
    place.github.delete_branch("feature")
    place.github.push(_edited(place, {"README.md": "More.\n"}), "main")

    verdict = place.judge(TWO)
    assert (verdict.kind, verdict.pull_requests, verdict.differences) == ("approved", (number,), ())
    other = place.judge(THREE)
    assert (other.kind, [one.path for one in other.differences]) == ("mismatch", ["input"])
    assert (
        place.judge(app(update(PLAIN, input=("one", "two")), create("terraform_data.more"))).kind
        == "mismatch"
    )
    # Not owed any more once it was applied.
    assert place.judge(TWO, place.job.head).kind == "gate"


def _edited(place: Approving, files: dict[str, str]) -> Repo:
    """A clone with a commit on trunk, to be pushed directly."""
    place.update()
    place.job.commit(files, "Pushed")
    return place.job


def test_a_branch_behind_trunk_is_owed_with_what_trunk_had_meanwhile(place: Approving) -> None:
    old = place.change("prod/app", "two")
    net = place.approved("prod/net", "moved")
    place.post(old, TWO)
    place.github.review(old, "bert")
    place.github.merge(old, "squash")
    verdict = place.judge(TWO)
    # The network's change is one that the stack reads; nobody planned the stack for it.
    assert (verdict.kind, verdict.pull_requests) == ("approved", (net, old))


def test_two_merged_within_a_second_and_an_evicted_run_are_owed_together(place: Approving) -> None:
    first = place.change("prod/app", "two")
    place.post(first, TWO)
    second = place.change(
        "prod/app",
        "one",
        branch="other",
        **{"infra/envs/prod/app/more.tf": 'resource "terraform_data" "more" {}\n'},
    )
    place.post(second, app(create("terraform_data.more", ["id"])))
    for number in (first, second):
        place.github.review(number, "bert")
    place.github.merge(first, "squash")
    place.github.merge(second, "squash")
    for number in (first, second):
        place.github.pull(number).pull.merged_at = "2026-01-05T10:00:00Z"  # type: ignore[union-attr]

    both = app(update(PLAIN, input=("one", "two")), create("terraform_data.more", ["id"]))
    verdict = place.judge(both)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (first, second))
    # The first one's part was applied by a run that was cut off: it has become empty.
    assert place.judge(app(create("terraform_data.more", ["id"]))).kind == "approved"
    assert place.judge(app(update(PLAIN, input=("one", "three")))).kind == "mismatch"


def test_a_revert_is_owed_with_what_it_takes_back(place: Approving) -> None:
    first = place.approved("prod/app", "two", TWO)
    place.github.commit("revert", {"infra/envs/prod/app/main.tf": APP + "# reverted\n"})
    second = place.github.open("revert")
    add = app(create("terraform_data.more", ["id"]))
    place.post(second, add)
    place.github.review(second, "bert")
    place.github.merge(second, "merge")
    verdict = place.judge(add)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (first, second))
    assert place.judge(TWO).kind == "approved", "the newest approval that names the address"


def test_documents_are_owed_to_nobody_and_nothing_is_approved_by_them(place: Approving) -> None:
    place.github.commit("docs", {"README.md": "Better.\n", "infra/envs/prod/app/README.md": "Words.\n"})
    number = place.github.open("docs")
    place.github.review(number, "bert")
    place.github.merge(number)
    verdict = place.judge(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("gate", ())
    assert "no merged pull request changed prod/app" in verdict.reason


def test_a_project_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    with Approving(tmp_path, below="deploy/") as place:
        place.github.commit("outside", {"infra/envs/prod/app/main.tf": "# elsewhere\n", "infra.yaml": "{}\n"})
        place.github.merge(place.github.open("outside"))
        number = place.approved("prod/app", "two", TWO)
        verdict = place.judge(TWO)
        assert (verdict.kind, verdict.pull_requests) == ("approved", (number,))


@pytest.mark.parametrize("name", ['q"uote.tf', "tab\t.tf", "line\nfeed.tf", "\x01.tf", "ünï.tf"])
def test_no_name_of_a_file_hides_a_push(place: Approving, name: str) -> None:
    place.approved("prod/app", "two", TWO)
    place.update()
    place.job.commit({f"infra/envs/prod/app/{name}": "# direct\n"}, "Pushed")
    place.github.push(place.job, "main")
    verdict = place.judge(THREE)
    assert f"{place.job.head[:10]} changed prod/app without a pull request" in verdict.reason


def test_a_link_hides_no_push(tmp_path: Path) -> None:
    files = {**FILES, "shared/more.tf": "# shared\n"}
    with Approving(tmp_path, files) as place:
        link = place.job.root / "infra/envs/prod/app/more.tf"
        link.symlink_to("../../../../shared/more.tf")
        place.applied = place.job.commit({}, "Link")
        place.github.push(place.job, "main")
        place.approved("prod/app", "two", TWO)
        place.github.push(_edited(place, {"shared/more.tf": "# direct\n"}), "main")
        assert f"{place.job.head[:10]} changed prod/app" in place.judge(THREE).reason


def test_a_file_that_came_and_went_was_there(place: Approving) -> None:
    """Its half of an apply may have been carried out before it went."""
    more = {"infra/envs/prod/app/more.tf": 'resource "terraform_data" "more" {}\n'}
    place.github.commit("come", more)
    first = place.github.open("come")
    place.github.review(first, "bert")
    place.github.merge(first)
    place.github.commit("go", {"infra/envs/prod/app/more.tf": None})
    second = place.github.open("go")
    gone = app(change("terraform_data.more", {"id": "1"}, None, "forget"))
    place.post(second, gone)
    place.github.review(second, "bert")
    place.github.merge(second)
    assert place.judge(gone).pull_requests == (first, second)
    # The first one was approved before any plan of it was attested, so its code counts as not approved.
    assert f"#{first}: no plan of prod was attested" in place.judge(THREE).reason


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


def _forced(place: Approving, number: int) -> str:
    """The branch is pushed anew, past its own history."""
    place.github.work.git("checkout", "-q", "--detach", "origin/main")
    place.github.work.commit({"infra/envs/prod/app/main.tf": APP.replace('"one"', '"two"', 1)}, "Forced")
    branch = place.host.pull_request(number).head_ref
    return place.github.push(place.github.work, branch, force=True)


def test_only_a_review_of_the_head_by_another_writer_decides(place: Approving) -> None:
    found = {}
    for at, (case, (review, _)) in enumerate(REVIEWS.items()):
        number = place.change("prod/app", f"case-{at}")
        place.post(number, TWO)
        review(place, number)
        pull = place.host.pull_request(number)
        answer = decisions_of(place).approval_of(pull, "prod", ReviewRule(), [place.objects()])
        found[case] = isinstance(answer, Approval)
        if isinstance(answer, Refusal):
            assert answer.reason == "nobody who may write approved its last commit"
    assert found == {case: wanted for case, (_, wanted) in REVIEWS.items()}


def test_a_dismissed_review_and_a_plan_posted_after_the_review_do_not_count(place: Approving) -> None:
    number = place.change("prod/app", "two")
    early = place.github.review(number, "bert")
    place.post(number, TWO)
    decisions = decisions_of(place)

    def approval() -> Approval | Refusal:
        found = place.host.pull_request(number)
        return decisions.approval_of(found, "prod", ReviewRule(), [place.objects()])

    first = approval()
    assert isinstance(first, Refusal)
    assert "no plan of prod was attested before it was approved" in first.reason
    second = place.github.review(number, "olga")
    place.post(number, THREE)
    found = approval()
    assert isinstance(found, Approval)
    assert found.digests == {"prod/app": TWO}, "the newest that was there when it was reviewed"
    with place.github.place as server:
        for one in server.pull(number).reviews:
            if one.id == second:
                one.state = "DISMISSED"
    refused = approval()
    assert isinstance(refused, Refusal)
    assert early != second


def test_where_the_merge_approves_the_newest_plan_before_it_counts(tmp_path: Path) -> None:
    files = {**FILES, "infra.yaml": CONFIG.replace("true}", "true, approved_by: merge}")}
    with Approving(tmp_path, files) as place:
        number = place.change("prod/app", "two")
        place.post(number, THREE)
        place.post(number, TWO)
        place.github.merge(number, "squash")
        place.post(number, THREE)
        assert place.judge(TWO).kind == "approved"
        assert place.judge(THREE).kind == "mismatch"


# What stands in the bucket


def test_only_objects_that_an_attestation_names_count(place: Approving) -> None:
    """Whoever holds the plan token can write an object; any workflow of a branch can post a check."""
    number = place.change("prod/app", "two")
    place.post(number, TWO)
    head = place.github.head(number)
    evil = to("evil")
    # A newer object under a run of its own, and one more in the run that was attested.
    place.objects().create(number, head, "prod/app", "99-1", encode(evil))
    place.objects().create(number, head, "prod/net", "1-1", encode(replace(evil, stack="prod/net")))
    # Checks as the job that attests posts them: by a workflow of the branch, and by another app.
    for app in ("github-actions[bot]", "other-app[bot]"):
        host = open_host(place.github.environ(place.github.token(app, checks="write"), "push"))
        host.create_check(NewCheck("infra/prod", head, "success", "2 changes", ""))
        host.close()
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    assert place.judge(evil).kind == "mismatch"
    assert place.judge(replace(evil, stack="prod/net"), None).kind != "approved"
    assert place.judge(TWO).kind == "approved"


@pytest.mark.parametrize("of", ["another pull request", "another head", "another run", "no JSON", "no hash"])
def test_an_attestation_is_of_its_own_head_and_run(place: Approving, of: str) -> None:
    """It counts for nothing else; and one that cannot be read hides what was attested before."""
    number = place.change("prod/app", "two")
    place.post(number, TWO, run="7-1")
    head, objects = place.github.head(number), place.objects()
    stored = Attestations.beside(objects)
    good = Attestation(number, head, "8-1", "7-1", {"prod/app": sha256(encode(TWO))})
    changed = {
        "another pull request": replace(good, pull_request=number + 1),
        "another head": replace(good, head="e" * 40),
        "another run": replace(good, run="9-1"),
    }.get(of, good)
    stored.create(changed)
    name = f"prod/attestations/{changed.pull_request}/{changed.head}/{changed.run}.json"
    data = objects.storage.read(name)
    assert data
    broken = {"no JSON": b"{", "no hash": data.data.replace(sha256(encode(TWO)).encode(), b"x")}
    text = broken.get(of, data.data)
    Folder(objects.storage.root, place.github.clock).write(  # type: ignore[attr-defined]
        f"prod/attestations/{number}/{head}/8-1.json", text
    )
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    verdict = place.judge(TWO)
    assert verdict.kind == "gate"
    assert "8-1.json cannot be read" in verdict.reason


def test_an_attestation_is_written_once(place: Approving) -> None:
    number = place.change("prod/app", "two")
    first = place.post(number, TWO)
    with pytest.raises(StateError, match="none is ever written twice"):
        place.attest(number, replace(first, plans={"prod/app": "e" * 64}))


@pytest.mark.parametrize("how", ["another content", "one less", "no digest"])
def test_objects_that_are_not_those_that_were_attested_are_refused(place: Approving, how: str) -> None:
    number = place.change("prod/app", "two")
    place.post(number, TWO, plan(create("x.y"), stack="prod/net"), run="7-1")
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    objects, head = place.objects(), place.github.head(number)
    name = f"prod/plans/{number}/{head}/app/7-1.json"
    if how == "another content":
        objects.storage.write(name, encode(to("evil")))
    elif how == "one less":
        objects.storage.delete(f"prod/plans/{number}/{head}/net/7-1.json")
    else:
        objects.storage.write(name, b"{}")
    for now in (TWO, to("evil")):
        verdict = place.judge(now)
        assert verdict.kind == "gate"
        assert "not those that were attested" in verdict.reason


def test_the_newest_attestation_must_name_plans(place: Approving) -> None:
    number = place.change("prod/app", "two")
    place.post(number, TWO)
    place.post(number, problem="not planned: prod/net")
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    assert "do not count: not planned: prod/net" in place.judge(TWO).reason
    assert place.judge(TWO).kind == "gate"


# What nobody approved


@pytest.mark.parametrize("unapproved", ["gate", "refuse", "apply"])
def test_the_environment_says_what_becomes_of_what_nobody_approved(tmp_path: Path, unapproved: str) -> None:
    files = {**FILES, "infra.yaml": CONFIG.replace("true}", f"true, unapproved: {unapproved}}}")}
    with Approving(tmp_path, files) as place:
        place.github.push(_edited(place, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
        verdict = place.judge(TWO)
        assert verdict.kind == unapproved
        assert f"{place.job.head[:10]} changed prod/app without a pull request" in verdict.reason


def test_a_direct_push_after_the_approval_hides_behind_nothing(place: Approving) -> None:
    """What is not known yet is decided by the code, and nobody approved this code."""
    made = app(create("terraform_data.more", ["id"], input="x"))
    place.approved("prod/app", "two", made)
    assert place.judge(made).kind == "approved"
    place.github.push(_edited(place, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
    verdict = place.judge(made)
    assert verdict.kind == "mismatch"
    assert [one.path for one in verdict.differences] == ["id"]
    assert "without a pull request" in verdict.reason


def test_a_pull_request_made_to_approve_covers_what_was_there(place: Approving) -> None:
    direct = _edited(place, {"infra/envs/prod/app/more.tf": "# direct\n"})
    place.github.push(direct, "main", pusher="carla")
    made = app(create("terraform_data.more", ["id"], input="x"))
    assert place.judge(made).kind == "gate"
    branch = f"approve/prod/{place.job.head[:10]}"
    place.github.commit(branch, {}, "Approve what prod is owed")
    number = place.github.open(branch)
    place.post(number, replace(made, facts={"base": place.job.head}))
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    assert (place.judge(made).kind, place.judge(made).pull_requests) == ("approved", (number,))
    # What was pushed after it was planned is nothing that it approved.
    place.github.push(_edited(place, {"infra/envs/prod/app/again.tf": "# direct\n"}), "main")
    assert place.judge(made).kind == "mismatch"
    # Nobody knows who pushed that, so nobody can be known to be somebody else.
    branch = f"approve/prod/{place.job.head[:10]}"
    place.github.commit(branch, {}, "Approve what prod is owed")
    number = place.github.open(branch)
    place.post(number, replace(made, facts={"base": place.job.head}))
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    assert not place.judge(made).may_apply


def test_the_gate_of_this_run_approves_what_it_saw(place: Approving) -> None:
    place.github.push(_edited(place, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
    made = app(create("terraform_data.more", ["id"], input="x"))
    assert place.judge(made, gated=made).kind == "approved"
    verdict = place.judge(app(create("terraform_data.more", ["id"], input="y")), gated=made)
    assert [one.path for one in verdict.differences] == ["input"]
    assert verdict.kind == "mismatch"


def test_nobody_loosens_the_rules_by_which_their_own_change_is_judged(place: Approving) -> None:
    loose = CONFIG.replace("true}", "true, approved_by: merge, unapproved: apply, approval: actions}")
    number = place.change("prod/app", "two", **{"infra.yaml": loose})
    place.post(number, TWO)
    place.github.merge(number, "squash")
    assert place.judge(TWO).kind == "gate"
    # The next change is judged by the rules that trunk has by then.
    applied = place.job.head
    place.change("prod/app", "three", branch="next")
    place.github.merge(number + 1, "squash")
    assert place.judge(to("three", "two"), applied).kind == "apply"


# Stacks behind a changed stack


def test_a_follower_whose_own_code_did_not_change_is_owed_to_its_upstreams_pull_request(
    place: Approving,
) -> None:
    waits = empty("prod/app", lineage="L", lock_file="", provisional=["prod/net"])
    number = place.approved("prod/net", "moved", plan(update("terraform_data.n"), stack="prod/net"), waits)
    moved = place.judge(app(update(READER, input=("one", "moved"))))
    assert (moved.kind, moved.pull_requests) == ("provisional", (number,))
    assert "prod/net" in moved.reason
    own = place.judge(app(update(PLAIN, input=("one", "moved"))))
    assert (own.kind, [one.address for one in own.differences]) == ("mismatch", [PLAIN])
    assert place.judge(app(create(READER, input="moved"))).kind == "mismatch"


def test_a_follower_that_was_not_planned_is_approved_by_nobody(place: Approving) -> None:
    place.approved("prod/net", "moved", plan(update("terraform_data.n"), stack="prod/net"))
    verdict = place.judge(app(update(READER, input=("one", "moved"))))
    assert verdict.kind == "gate"
    assert "no plan of prod/app was there to be approved" in verdict.reason


def test_a_stack_that_was_never_applied_is_owed_since_it_is_there(place: Approving) -> None:
    files = {"infra/envs/prod/new/main.tf": 'resource "terraform_data" "a" { input = 1 }\n'}
    place.github.commit("new", files)
    number = place.github.open("new")
    made = replace(plan(create("terraform_data.a", ["id"], input=1), lineage=""), stack="prod/new")
    place.update()
    place.post(number)
    data, head = encode(made), place.github.head(number)
    place.objects().create(number, head, "prod/new", "50-1", data)
    place.attest(number, Attestation(number, head, "50-1", "50-1", {"prod/new": sha256(data)}))
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    verdict = place.judge(made, None)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (number,))


def test_a_deleted_stack_is_destroyed_as_it_was_approved(place: Approving) -> None:
    gone = app({**update(PLAIN, input=("one", "two"))})
    place.update()
    old = place.session.context.project.stacks["prod/app"]
    place.github.commit("gone", {"infra/envs/prod/app/main.tf": None})
    number = place.github.open("gone")
    place.post(number, gone)
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    before = place.entry()
    place.update()
    assert "prod/app" not in place.session.context.project.stacks
    from orchestrator.review.approvals import Approvals

    judge = Approvals(place.session, place.host)
    assert judge.judge(old, gone, before).kind == "approved"
    assert judge.judge(old, THREE, before).kind == "mismatch"


def test_a_renamed_stack_is_owed_what_it_was_owed_before(tmp_path: Path) -> None:
    with Approving(tmp_path) as place:
        before = place.entry()
        place.github.push(_edited(place, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
        pushed = place.job.head
        place.github.commit(
            "rename",
            {
                "infra/envs/prod/app/main.tf": None,
                "infra/envs/prod/app/more.tf": None,
                "infra/envs/prod/shop/main.tf": APP,
                "infra.yaml": CONFIG + "stacks:\n  prod/shop: {moved: prod/app}\n",
            },
        )
        number = place.github.open("rename")
        place.github.review(number, "bert")
        place.github.merge(number, "squash")
        verdict = place.judge(replace(TWO, stack="prod/shop"), replace(before, stack="prod/shop"))
        assert pushed[:10] in verdict.reason
        assert verdict.pull_requests == (number,)


# The merge queue


def test_a_queue_compares_only_what_has_nothing_unapplied_ahead(place: Approving) -> None:
    from orchestrator.review.approvals import Approvals

    first = place.change("prod/app", "two")
    second = place.change("prod/net", "moved")
    for number, digest in ((first, TWO), (second, plan(update("terraform_data.n"), stack="prod/net"))):
        place.post(number, digest)
        place.github.review(number, "bert")
    group = place.github.queue(first)
    place.job.git("fetch", "-q", "origin", group["head_ref"])
    place.job.git("checkout", "-q", "--detach", group["head_sha"])
    place.session = place._session()
    judge = Approvals(place.session, place.host)
    stack, pull = place.session.context.project.stacks["prod/app"], place.host.pull_request(first)
    assert judge.judge_queued(stack, TWO, place.entry(), pull, group["base_sha"]).kind == "approved"
    wrong = judge.judge_queued(stack, THREE, place.entry(), pull, group["base_sha"])
    assert [one.path for one in wrong.differences] == ["input"]
    # The same stack was changed on trunk and not applied yet.
    behind = replace(place.entry(), fingerprint="0" * 64)
    for entry in (behind, None, Entry("prod/app")):
        assert judge.judge_queued(stack, THREE, entry, pull, group["base_sha"]).kind == "provisional"


def test_what_a_queue_landed_is_owed_to_each_of_its_pull_requests(place: Approving) -> None:
    first = place.change("prod/app", "two")
    second = place.change("prod/net", "moved")
    moved = plan(update("terraform_data.n", input=("one", "moved")), stack="prod/net")
    for number, digest in ((first, TWO), (second, moved)):
        place.post(number, digest)
        place.github.review(number, "bert")
    place.github.land(place.github.queue(first, second))
    assert (place.judge(TWO).kind, place.judge(TWO).pull_requests) == ("approved", (first, second))
    assert (place.judge(moved).kind, place.judge(moved).pull_requests) == ("approved", (second,))


# Deletions


def test_the_label_counts_only_when_a_reviewer_sets_it_after_the_plan(place: Approving) -> None:
    number = place.change("prod/app", "two")
    gone = app(delete(PLAIN, id="1"))
    place.github.label(number, "allow-destroy", by="bert")
    place.post(number, gone)
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    verdict = place.judge(gone)
    assert verdict.kind == "gate", "set before the plan"
    assert f"#{number} deletes or replaces {PLAIN}" in verdict.reason
    assert place.judge(gone, gated=gone).kind == "approved", "people looked at it in the gate"
    for who, kind in (("ada", "gate"), ("bert", "approved"), ("rita", "gate"), ("olga", "approved")):
        place.github.unlabel(number, "allow-destroy")
        place.github.label(number, "allow-destroy", by=who)
        assert place.judge(gone).kind == kind, who
    place.github.unlabel(number, "allow-destroy")
    place.github.label(number, "something-else", by="bert")
    assert place.judge(gone).kind == "gate", "taken off"


def test_the_label_counts_for_what_was_to_be_seen_when_it_was_set(place: Approving) -> None:
    """Setting it makes the plan anew: an equal plan does not take it back, one that deletes more does."""
    gone, more = app(delete(PLAIN, id="1")), app(delete(PLAIN, id="1"), delete(READER, id="2"))
    for value, later, kind in (("two", gone, "approved"), ("three", more, "gate")):
        number = place.change("prod/app", value)
        place.post(number, gone)
        place.github.label(number, "allow-destroy", by="bert")
        place.post(number, later)
        place.github.review(number, "olga")
        place.update()
        applied = place.job.head
        place.github.merge(number, "squash")
        assert place.judge(later, applied).kind == kind


def test_the_label_of_one_pull_request_allows_no_deletion_of_another(tmp_path: Path) -> None:
    """Also where no approval is needed: two are pending for one stack, and one of them has the label."""
    config = "version: 1\nenvironments:\n  prod: {protected: false}\npolicy: {destroy: {prod: label}}\n"
    gone, more = app(delete(PLAIN, id="1")), app(delete(PLAIN, id="1"), delete(READER, id="2"))
    with Approving(tmp_path, {**FILES, "infra.yaml": config}) as place:
        first = place.change("prod/app", "two")
        place.post(first, gone)
        place.github.label(first, "allow-destroy", by="bert")
        place.github.merge(first, "squash")
        second = place.change("prod/app", "three")
        place.post(second, more)
        place.github.merge(second, "squash")
        place.update()
        stack = place.session.context.project.stacks["prod/app"]

        def missing(now: Digest) -> str:
            return PendingRules(place.session, place.host).missing_label(stack, (first, second), now)

        assert missing(gone) == "", "that is what the label was set for"
        assert "prod/app would delete or replace something" in missing(more)
        place.github.label(second, "allow-destroy", by="bert")
        assert missing(more) == ""


@pytest.mark.parametrize(
    ("level", "kind"), [("allow", "approved"), ("warn", "approved"), ("label", "refuse")]
)
def test_the_policy_says_what_needs_the_label(tmp_path: Path, level: str, kind: str) -> None:
    config = CONFIG.replace("true}", "true, unapproved: apply}") + f"policy: {{destroy: {{prod: {level}}}}}\n"
    with Approving(tmp_path, {**FILES, "infra.yaml": config}) as place:
        gone = app(delete(PLAIN, id="1"))
        place.approved("prod/app", "two", gone)
        assert place.judge(gone).kind == kind


def test_neither_authors_nor_bots_decide(place: Approving) -> None:
    number = place.change("prod/app", "two", author="bert")
    pull = place.host.pull_request(number)
    place.github.user("helper[bot]", "write")
    reviewers = Reviewers(place.host)
    assert [who for who in ("bert", "BERT", "helper[bot]", "rita", "nobody", "", "ada", "olga")
            if reviewers.may_approve(who, pull)] == ["ada", "olga"]  # fmt: skip


# Whose rules hold


TIGHT = CONFIG.replace("true}", "true, approved_by: review, unapproved: refuse}")
LOOSE = CONFIG.replace("true}", "true, approved_by: merge, unapproved: apply}")


def configured(place: Approving, config: str, branch: str) -> None:
    """Other rules, merged to trunk."""
    place.github.commit(branch, {"infra.yaml": config})
    place.github.merge(place.github.open(branch, author="olga"), "squash")
    place.update()


def approve_pull(place: Approving, *digests: Digest, author: str = "olga", by: str = "bert") -> int:
    """What `infra ci approve` opens, planned, reviewed and merged."""
    place.update()
    branch = f"approve/prod/{place.job.head[:10]}"
    place.github.commit(branch, {}, "Approve what is pending")
    number = place.github.open(branch, author=author)
    place.post(number, *(replace(one, facts={"base": place.job.head}) for one in digests))
    place.github.review(number, by)
    place.github.merge(number, "squash")
    return number


def test_tightened_rules_bind_what_is_merged_later(tmp_path: Path) -> None:
    with Approving(tmp_path, {**FILES, "infra.yaml": LOOSE}) as place:
        # An approval of something else is no reason to go back to older rules.
        approve_pull(place, plan(update("terraform_data.n"), stack="prod/net"))
        configured(place, TIGHT, "tighten")
        number = place.change("prod/app", "two")
        place.post(number, TWO)
        place.github.merge(number, "squash")
        verdict = place.judge(TWO)
        assert (verdict.kind, verdict.pull_requests) == ("refuse", (number,))
        assert "nobody who may write approved its last commit" in verdict.reason


def test_a_change_before_the_tightening_is_judged_by_what_held_then(tmp_path: Path) -> None:
    with Approving(tmp_path, {**FILES, "infra.yaml": LOOSE}) as place:
        number = place.change("prod/app", "two")
        place.post(number, TWO)
        place.github.merge(number, "squash")
        configured(place, TIGHT, "tighten")
        assert place.judge(TWO).kind == "approved"
        more = place.change("prod/app", "three", branch="more")
        place.post(more, THREE)
        place.github.merge(more, "squash")
        verdict = place.judge(THREE)
        assert (verdict.kind, verdict.unapproved) == ("mismatch", "refuse")
        assert verdict.causes == (f"Not approved: #{more}: nobody who may write approved its last commit.",)


def test_a_loosening_helps_nothing_that_was_merged_before_it(place: Approving) -> None:
    number = place.change("prod/app", "two")
    place.post(number, TWO)
    place.github.merge(number, "squash")
    configured(place, LOOSE, "loosen")
    assert place.judge(TWO).kind == "gate"
    # Nor does it help with an approval made for it: its own rules say who may approve.
    branch = f"approve/prod/{place.job.head[:10]}"
    place.github.commit(branch, {}, "Approve")
    approving = place.github.open(branch, author="ada")
    place.post(approving, replace(TWO, facts={"base": place.job.head}))
    place.github.merge(approving, "squash")
    assert place.judge(TWO).kind == "gate"


def test_a_rebase_does_not_loosen_the_rules_for_its_later_commits(place: Approving) -> None:
    place.github.commit("both", {"infra.yaml": LOOSE}, "Loosen")
    place.github.commit("both", {"infra/envs/prod/app/main.tf": APP.replace('"one"', '"two"', 1)}, "Change")
    number = place.github.open("both")
    place.post(number, TWO)
    place.github.merge(number, "rebase")
    assert place.judge(TWO).kind == "gate"


def test_an_approve_pull_request_counts_only_for_the_stacks_of_its_plan(place: Approving) -> None:
    number = place.change("prod/app", "two")
    place.github.merge(number, "squash")
    other = plan(update("terraform_data.n"), stack="prod/net")
    first = approve_pull(place, other)
    verdict = place.judge(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("gate", (number,))
    second = approve_pull(place, TWO)
    verdict = place.judge(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (second,))
    assert first != second


@pytest.mark.parametrize("direct", [False, True])
def test_authors_of_what_an_approve_pull_request_carries_do_not_count_on_it(
    place: Approving, direct: bool
) -> None:
    if direct:
        text = APP.replace('"one"', '"two"', 1)
        place.github.commit("main", {"infra/envs/prod/app/main.tf": text}, pusher="bert")
    else:
        place.github.merge(place.change("prod/app", "two", author="bert"), "squash")
    approve_pull(place, TWO, by="bert")
    verdict = place.judge(TWO)
    assert verdict.kind == "gate"
    assert "who wrote none of what it approves" in verdict.reason
    approve_pull(place, TWO, by="ada")
    assert place.judge(TWO).kind == "approved"


def test_who_pushed_to_the_branch_does_not_approve_it(place: Approving) -> None:
    number = place.change("prod/app", "half", branch="feature")
    text = APP.replace('"one"', '"two"', 1)
    place.github.commit("feature", {"infra/envs/prod/app/main.tf": text}, pusher="bert")
    place.post(number, TWO)
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    assert place.judge(TWO).kind == "gate"


def test_a_clean_merge_of_trunk_into_the_branch_makes_nobody_an_author(place: Approving) -> None:
    number = place.change("prod/app", "two", branch="feature")
    place.github.commit("main", {"README.md": "More.\n"})
    work = place.github.work
    work.git("fetch", "-q", "origin")
    work.git("checkout", "-q", "--detach", "origin/feature")
    work.git("merge", "-q", "--no-edit", "origin/main")
    place.github.push(work, "feature", pusher="bert")
    place.post(number, TWO)
    place.github.review(number, "bert")
    place.github.merge(number, "squash")
    assert place.judge(TWO).kind == "approved"


# Owners


OWNED = {
    **FILES,
    "infra.yaml": CONFIG.replace("true}", "true, approved_by: codeowners}"),
    ".github/CODEOWNERS": "/infra/envs/prod/app/ @bert\n/infra/envs/prod/app/own.tf @acme/platform\n",
}


def test_owners_approve_by_the_stacks_folder_and_the_changed_files(tmp_path: Path) -> None:
    with Approving(tmp_path, OWNED) as place:
        place.github.server.set_team("acme/platform", ["carla"])
        place.github.user("carla")
        number = place.change("prod/app", "two", **{"infra/envs/prod/app/own.tf": "# theirs\n"})
        place.post(number, TWO)
        place.github.review(number, "olga")
        place.github.review(number, "bert")
        place.github.merge(number, "squash")
        with pytest.raises(ConfigError, match="acme/platform"):
            place.judge(TWO)
        with place.with_teams():
            refused = place.judge(TWO)
            assert refused.kind == "gate"
            assert "no owner of infra/envs/prod/app/own.tf (@acme/platform)" in refused.reason
        place.github.review(number, "carla")
        with place.with_teams():
            verdict = place.judge(TWO)
            assert verdict.kind == "approved", verdict.reason


def test_what_nobody_owns_nobody_approves(tmp_path: Path) -> None:
    with Approving(tmp_path, OWNED) as place:
        net = plan(update("terraform_data.n"), stack="prod/net")
        place.approved("prod/net", "two", net)
        verdict = place.judge(net)
        assert verdict.kind == "gate"
        assert "nobody owns infra/envs/prod/net by CODEOWNERS" in verdict.reason


# What may differ


def test_what_trunk_ignores_may_differ_from_the_next_change_on(place: Approving) -> None:
    rule = f"approval_ignores: [{{address: {PLAIN}, attribute: input, reason: A time.}}]"
    ignoring = CONFIG.replace("true}", f"true, {rule}}}")
    place.approved("prod/app", "two", TWO, **{"infra.yaml": ignoring})
    assert place.judge(THREE).kind == "mismatch", "not for the change that brings it"
    applied = place.job.head
    place.approved("prod/app", "three", to("three", "two"), branch="next")
    assert place.judge(to("four", "two"), applied).kind == "approved"
    assert place.judge(app(update(READER, input=("two", "four"))), applied).kind == "mismatch"
