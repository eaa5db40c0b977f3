"""Which plan may be applied, by what is pending on trunk and who approved it, with a host in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.model import Environment
from orchestrator.errors import StateError
from orchestrator.plan.digest import Digest, empty_plan_digest, encode, sha256
from orchestrator.repository.loading import load
from orchestrator.review.approvals import Approvals, TrunkRules, Unapproved, strictest_unapproved
from orchestrator.review.pending_rules import PendingRules
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.folder import Folder
from orchestrator.state.records import LedgerEntry
from tests.support.approving import APP, CONFIG, FILES, ApprovingInMemory
from tests.support.memory_host import MemoryTeams
from tests.support.memory_storage import MemoryStorage
from tests.support.repo import Repo
from tests.support.sessions import session_in_memory
from tests.unit.plan.test_digest import change
from tests.unit.plan.test_digest_comparison import create, delete, output, plan, update

PLAIN, READER = "terraform_data.plain", "terraform_data.reader"


def app(*changes: object, **more: object) -> Digest:
    return plan(*changes, stack="prod/app", **more)  # type: ignore[arg-type]


def to(value: str, before: str = "one") -> Digest:
    return app(update(PLAIN, input=(before, value)))


TWO, THREE = to("two"), to("three")


@pytest.fixture
def trunk(tmp_path: Path) -> Iterator[ApprovingInMemory]:
    with ApprovingInMemory(tmp_path) as approving_in_memory:
        yield approving_in_memory


# How it was merged


def _edited(trunk: ApprovingInMemory, files: dict[str, str]) -> Repo:
    """A clone with a commit on trunk, to be pushed directly."""
    trunk.update()
    trunk.job.commit(files, "Pushed")
    return trunk.job


def test_a_branch_behind_trunk_is_pending_with_what_trunk_had_meanwhile(trunk: ApprovingInMemory) -> None:
    old = trunk.change("prod/app", "two")
    net = trunk.approved("prod/net", "moved")
    trunk.post(old, TWO)
    trunk.github.review(old, "bert")
    trunk.github.merge(old, "squash")
    verdict = trunk.check_plan(TWO)
    # The network's change is one that the stack reads; nobody planned the stack for it.
    assert (verdict.kind, verdict.pull_requests) == ("approved", (net, old))


def test_two_merges_within_a_second_and_an_evicted_run_are_pending_together(trunk: ApprovingInMemory) -> None:
    first = trunk.change("prod/app", "two")
    trunk.post(first, TWO)
    second = trunk.change(
        "prod/app",
        "one",
        branch="other",
        **{"infra/envs/prod/app/more.tf": 'resource "terraform_data" "more" {}\n'},
    )
    trunk.post(second, app(create("terraform_data.more", ["id"])))
    for number in (first, second):
        trunk.github.review(number, "bert")
    trunk.github.merge(first, "squash")
    trunk.github.merge(second, "squash")
    for number in (first, second):
        trunk.github.edit(number, merged_at="2026-01-05T10:00:00Z")

    both = app(update(PLAIN, input=("one", "two")), create("terraform_data.more", ["id"]))
    verdict = trunk.check_plan(both)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (first, second))
    # The first one's part was applied by a run that was interrupted: it has become empty.
    assert trunk.check_plan(app(create("terraform_data.more", ["id"]))).kind == "approved"
    assert trunk.check_plan(app(update(PLAIN, input=("one", "three")))).kind == "mismatch"


def test_the_newest_plan_counts_and_not_the_newest_merge(trunk: ApprovingInMemory) -> None:
    """Planned first and merged last, after a pull request that was planned later."""
    more = {"infra/envs/prod/app/more.tf": "# more\n"}
    first = trunk.change("prod/app", "one", branch="first", **more)
    trunk.post(first, TWO)
    trunk.github.review(first, "bert")
    trunk.approved("prod/app", "three", THREE)
    trunk.github.merge(first, "squash")
    assert trunk.check_plan(THREE).kind == "approved"
    assert trunk.check_plan(TWO).kind == "mismatch"


def test_a_revert_is_pending_with_what_it_reverts(trunk: ApprovingInMemory) -> None:
    first = trunk.approved("prod/app", "two", TWO)
    trunk.github.commit("revert", {"infra/envs/prod/app/main.tf": APP + "# reverted\n"})
    second = trunk.github.open("revert")
    add = app(create("terraform_data.more", ["id"]))
    trunk.post(second, add)
    trunk.github.review(second, "bert")
    trunk.github.merge(second, "merge")
    verdict = trunk.check_plan(add)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (first, second))
    assert trunk.check_plan(TWO).kind == "approved", "the newest approval that names the address"


def test_documents_leave_nothing_pending_and_approve_nothing(trunk: ApprovingInMemory) -> None:
    trunk.github.commit("docs", {"README.md": "Better.\n", "infra/envs/prod/app/README.md": "Words.\n"})
    number = trunk.github.open("docs")
    trunk.github.review(number, "bert")
    trunk.github.merge(number)
    verdict = trunk.check_plan(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("gate", ())
    assert "no merged pull request changed prod/app" in verdict.reason


def test_a_project_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    with ApprovingInMemory(tmp_path, below="deploy/") as trunk:
        trunk.github.commit("outside", {"infra/envs/prod/app/main.tf": "# elsewhere\n", "infra.yaml": "{}\n"})
        trunk.github.merge(trunk.github.open("outside"))
        number = trunk.approved("prod/app", "two", TWO)
        verdict = trunk.check_plan(TWO)
        assert (verdict.kind, verdict.pull_requests) == ("approved", (number,))


@pytest.mark.parametrize("name", ['q"uote.tf', "tab\t.tf", "line\nfeed.tf", "\x01.tf", "ünï.tf"])
def test_no_name_of_a_file_hides_a_push(trunk: ApprovingInMemory, name: str) -> None:
    trunk.approved("prod/app", "two", TWO)
    trunk.update()
    trunk.job.commit({f"infra/envs/prod/app/{name}": "# direct\n"}, "Pushed")
    trunk.github.push(trunk.job, "main")
    verdict = trunk.check_plan(THREE)
    assert f"{trunk.job.head[:10]} changed prod/app without a pull request" in verdict.reason


def test_a_link_hides_no_push(tmp_path: Path) -> None:
    files = {**FILES, "shared/more.tf": "# shared\n"}
    with ApprovingInMemory(tmp_path, files) as trunk:
        link = trunk.job.root / "infra/envs/prod/app/more.tf"
        link.symlink_to("../../../../shared/more.tf")
        trunk.applied = trunk.job.commit({}, "Link")
        trunk.github.push(trunk.job, "main")
        trunk.approved("prod/app", "two", TWO)
        trunk.github.push(_edited(trunk, {"shared/more.tf": "# direct\n"}), "main")
        assert f"{trunk.job.head[:10]} changed prod/app" in trunk.check_plan(THREE).reason


def test_a_file_that_came_and_went_was_there(trunk: ApprovingInMemory) -> None:
    """Its half of an apply may have been carried out before it went."""
    more = {"infra/envs/prod/app/more.tf": 'resource "terraform_data" "more" {}\n'}
    trunk.github.commit("come", more)
    first = trunk.github.open("come")
    trunk.github.review(first, "bert")
    trunk.github.merge(first)
    trunk.github.commit("go", {"infra/envs/prod/app/more.tf": None})
    second = trunk.github.open("go")
    digest = app(change("terraform_data.more", {"id": "1"}, None, "forget"))
    trunk.post(second, digest)
    trunk.github.review(second, "bert")
    trunk.github.merge(second)
    assert trunk.check_plan(digest).pull_requests == (first, second)
    # The first one was approved before any plan of it was attested, so its code counts as not approved.
    assert f"#{first}: no plan of prod was attested" in trunk.check_plan(THREE).reason


# Who approved


def test_where_the_merge_approves_the_newest_plan_before_it_counts(tmp_path: Path) -> None:
    files = {**FILES, "infra.yaml": CONFIG.replace("true}", "true, approved_by: merge}")}
    with ApprovingInMemory(tmp_path, files) as trunk:
        number = trunk.change("prod/app", "two")
        trunk.post(number, THREE)
        trunk.post(number, TWO)
        trunk.github.merge(number, "squash")
        trunk.post(number, THREE)
        assert trunk.check_plan(TWO).kind == "approved"
        assert trunk.check_plan(THREE).kind == "mismatch"


# What stands in the bucket


@pytest.mark.parametrize("of", ["another pull request", "another head", "another run", "no JSON", "no hash"])
def test_an_attestation_is_of_its_own_head_and_run(trunk: ApprovingInMemory, of: str) -> None:
    """It counts for nothing else; and one that cannot be read hides what was attested before."""
    number = trunk.change("prod/app", "two")
    trunk.post(number, TWO, run="7-1")
    head, objects = trunk.github.head(number), trunk.objects()
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
    Folder(objects.storage.root, trunk.github.clock).write(  # type: ignore[attr-defined]
        f"prod/attestations/{number}/{head}/8-1.json", text
    )
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    verdict = trunk.check_plan(TWO)
    assert verdict.kind == "gate"
    assert "8-1.json cannot be read" in verdict.reason


def test_an_attestation_is_written_once(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "two")
    first = trunk.post(number, TWO)
    with pytest.raises(StateError, match="none is ever written twice"):
        trunk.attest(number, replace(first, plans={"prod/app": "e" * 64}))


@pytest.mark.parametrize("how", ["another content", "one less", "no digest"])
def test_objects_that_are_not_those_that_were_attested_are_refused(
    trunk: ApprovingInMemory, how: str
) -> None:
    number = trunk.change("prod/app", "two")
    trunk.post(number, TWO, plan(create("x.y"), stack="prod/net"), run="7-1")
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    objects, head = trunk.objects(), trunk.github.head(number)
    name = f"prod/plans/{number}/{head}/app/7-1.json"
    if how == "another content":
        objects.storage.write(name, encode(to("evil")))
    elif how == "one less":
        objects.storage.delete(f"prod/plans/{number}/{head}/net/7-1.json")
    else:
        objects.storage.write(name, b"{}")
    for now in (TWO, to("evil")):
        verdict = trunk.check_plan(now)
        assert verdict.kind == "gate"
        assert "not those that were attested" in verdict.reason


def test_the_newest_attestation_must_name_plans(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "two")
    trunk.post(number, TWO)
    trunk.post(number, problem="not planned: prod/net")
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    assert "do not count: not planned: prod/net" in trunk.check_plan(TWO).reason
    assert trunk.check_plan(TWO).kind == "gate"


# What nobody approved


@pytest.mark.parametrize("unapproved", ["gate", "refuse", "apply"])
def test_the_environment_states_what_becomes_of_what_nobody_approved(tmp_path: Path, unapproved: str) -> None:
    files = {**FILES, "infra.yaml": CONFIG.replace("true}", f"true, unapproved: {unapproved}}}")}
    with ApprovingInMemory(tmp_path, files) as trunk:
        trunk.github.push(_edited(trunk, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
        verdict = trunk.check_plan(TWO)
        assert verdict.kind == unapproved
        assert f"{trunk.job.head[:10]} changed prod/app without a pull request" in verdict.reason


def test_a_direct_push_after_the_approval_hides_behind_nothing(trunk: ApprovingInMemory) -> None:
    """What is not known yet is decided by the code, and nobody approved this code."""
    digest = app(create("terraform_data.more", ["id"], input="x"))
    trunk.approved("prod/app", "two", digest)
    assert trunk.check_plan(digest).kind == "approved"
    trunk.github.push(_edited(trunk, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
    verdict = trunk.check_plan(digest)
    assert verdict.kind == "mismatch"
    assert [difference.path for difference in verdict.differences] == ["id"]
    assert "without a pull request" in verdict.reason


@pytest.mark.parametrize("unapproved", ["gate", "refuse", "apply"])
@pytest.mark.parametrize("first", ["the approval", "the push"])
def test_code_that_nobody_approved_does_not_pass_with_a_plan_that_somebody_did(
    tmp_path: Path, unapproved: str, first: str
) -> None:
    """The plans are equal: what a write-only attribute gets stands in none of them."""
    files = {**FILES, "infra.yaml": CONFIG.replace("true}", f"true, unapproved: {unapproved}}}")}
    with ApprovingInMemory(tmp_path, files) as trunk:
        number = trunk.change("prod/app", "two")
        hidden = {"infra/envs/prod/app/more.tf": "# In place of a changed `password_wo`.\n"}
        if first == "the push":
            trunk.github.push(_edited(trunk, hidden), "main")
        trunk.post(number, TWO)
        trunk.github.review(number, "bert")
        trunk.github.merge(number, "squash")
        if first == "the approval":
            assert trunk.check_plan(TWO).kind == "approved"
            trunk.github.push(_edited(trunk, hidden), "main")
        verdict = trunk.check_plan(TWO)
        assert verdict.kind == unapproved
        assert "changed prod/app without a pull request" in verdict.reason


def test_code_that_nobody_approved_does_not_hold_back_a_plan_that_changes_nothing(
    trunk: ApprovingInMemory,
) -> None:
    trunk.approved("prod/app", "two", app())
    trunk.github.push(_edited(trunk, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
    assert trunk.check_plan(app()).kind == "approved"


def test_a_pull_request_made_to_approve_covers_what_was_there(trunk: ApprovingInMemory) -> None:
    direct = _edited(trunk, {"infra/envs/prod/app/more.tf": "# direct\n"})
    trunk.github.push(direct, "main", pusher="carla")
    digest = app(create("terraform_data.more", ["id"], input="x"))
    assert trunk.check_plan(digest).kind == "gate"
    branch = f"approve/prod/{trunk.job.head[:10]}"
    trunk.github.commit(branch, {}, "Approve what is pending in prod")
    number = trunk.github.open(branch)
    trunk.post(number, replace(digest, facts={"base": trunk.job.head}))
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    assert (trunk.check_plan(digest).kind, trunk.check_plan(digest).pull_requests) == ("approved", (number,))
    # What was pushed after it was planned is nothing that it approved.
    trunk.github.push(_edited(trunk, {"infra/envs/prod/app/again.tf": "# direct\n"}), "main")
    assert trunk.check_plan(digest).kind == "mismatch"
    # Nobody knows who pushed that, so nobody can be known to be somebody else.
    branch = f"approve/prod/{trunk.job.head[:10]}"
    trunk.github.commit(branch, {}, "Approve what is pending in prod")
    number = trunk.github.open(branch)
    trunk.post(number, replace(digest, facts={"base": trunk.job.head}))
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    assert not trunk.check_plan(digest).may_apply


def test_it_covers_nothing_that_was_pushed_between_its_plan_and_its_merge(trunk: ApprovingInMemory) -> None:
    trunk.github.push(_edited(trunk, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main", pusher="carla")
    planned_at = trunk.job.head
    digest = app(create("terraform_data.more", ["id"], input="x"))
    branch = f"approve/prod/{planned_at[:10]}"
    trunk.github.commit(branch, {}, "Approve what is pending")
    number = trunk.github.open(branch)
    trunk.post(number, replace(digest, facts={"base": planned_at}))
    trunk.github.review(number, "bert")
    trunk.github.push(_edited(trunk, {"infra/envs/prod/app/again.tf": "# direct\n"}), "main", pusher="carla")
    later = trunk.job.head[:10]
    trunk.github.merge(number, "squash")
    verdict = trunk.check_plan(digest)
    assert verdict.kind == "mismatch"
    assert f"{later} changed prod/app without a pull request" in verdict.reason
    assert planned_at[:10] not in verdict.reason


def test_the_gate_of_this_run_approves_what_it_saw(trunk: ApprovingInMemory) -> None:
    trunk.github.push(_edited(trunk, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
    digest = app(create("terraform_data.more", ["id"], input="x"))
    assert trunk.check_plan(digest, gated=digest).kind == "approved"
    verdict = trunk.check_plan(app(create("terraform_data.more", ["id"], input="y")), gated=digest)
    assert [difference.path for difference in verdict.differences] == ["input"]
    assert verdict.kind == "mismatch"


def test_a_gate_that_saw_another_plan_takes_nothing_from_an_approval(trunk: ApprovingInMemory) -> None:
    trunk.approved("prod/app", "two", TWO)
    assert trunk.check_plan(TWO, gated=THREE).kind == "approved"


@pytest.mark.parametrize("method", ["squash", "merge", "rebase"])
def test_nobody_loosens_the_rules_by_which_their_own_change_is_checked(
    trunk: ApprovingInMemory, method: str
) -> None:
    loose = CONFIG.replace("true}", "true, approved_by: merge, unapproved: apply, approval: actions}")
    number = trunk.change("prod/app", "two", **{"infra.yaml": loose})
    trunk.post(number, TWO)
    trunk.github.merge(number, method)
    assert trunk.check_plan(TWO).kind == "gate"
    # The next change is judged by the rules that trunk has by then.
    applied = trunk.job.head
    trunk.change("prod/app", "three", branch="next")
    trunk.github.merge(number + 1, "squash")
    assert trunk.check_plan(to("three", "two"), applied).kind == "apply"


# Stacks behind a changed stack


def test_a_pending_dependent_without_changed_code_belongs_to_its_upstreams_pull_request(
    trunk: ApprovingInMemory,
) -> None:
    waits = empty_plan_digest("prod/app", lineage="L", lock_file="", provisional=["prod/net"])
    number = trunk.approved("prod/net", "moved", plan(update("terraform_data.n"), stack="prod/net"), waits)
    moved = trunk.check_plan(app(update(READER, input=("one", "moved"))))
    assert (moved.kind, moved.pull_requests) == ("provisional", (number,))
    assert "prod/net" in moved.reason
    own = trunk.check_plan(app(update(PLAIN, input=("one", "moved"))))
    assert (own.kind, [difference.address for difference in own.differences]) == ("mismatch", [PLAIN])
    assert trunk.check_plan(app(create(READER, input="moved"))).kind == "mismatch"


def test_a_dependent_that_was_not_planned_is_approved_by_nobody(trunk: ApprovingInMemory) -> None:
    trunk.approved("prod/net", "moved", plan(update("terraform_data.n"), stack="prod/net"))
    verdict = trunk.check_plan(app(update(READER, input=("one", "moved"))))
    assert verdict.kind == "gate"
    assert "no plan of prod/app was there to be approved" in verdict.reason


def test_a_stack_that_was_never_applied_is_pending_since_it_was_added(trunk: ApprovingInMemory) -> None:
    files = {"infra/envs/prod/new/main.tf": 'resource "terraform_data" "a" { input = 1 }\n'}
    trunk.github.commit("new", files)
    number = trunk.github.open("new")
    digest = replace(plan(create("terraform_data.a", ["id"], input=1), lineage=""), stack="prod/new")
    trunk.update()
    trunk.post(number)
    data, head = encode(digest), trunk.github.head(number)
    trunk.objects().create(number, head, "prod/new", "50-1", data)
    trunk.attest(number, Attestation(number, head, "50-1", "50-1", {"prod/new": sha256(data)}))
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    verdict = trunk.check_plan(digest, None)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (number,))


def test_a_deleted_stack_is_destroyed_as_it_was_approved(trunk: ApprovingInMemory) -> None:
    digest = app({**update(PLAIN, input=("one", "two"))})
    trunk.update()
    old = trunk.session.context.project.stacks["prod/app"]
    trunk.github.commit("gone", {"infra/envs/prod/app/main.tf": None})
    number = trunk.github.open("gone")
    trunk.post(number, digest)
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    before = trunk.entry()
    trunk.update()
    assert "prod/app" not in trunk.session.context.project.stacks
    approvals = Approvals(trunk.session, trunk.host)
    assert approvals.compare(old, digest, before).kind == "approved"
    assert approvals.compare(old, THREE, before).kind == "mismatch"


def test_a_renamed_stack_has_the_pending_changes_of_its_former_name(tmp_path: Path) -> None:
    with ApprovingInMemory(tmp_path) as trunk:
        before = trunk.entry()
        trunk.github.push(_edited(trunk, {"infra/envs/prod/app/more.tf": "# direct\n"}), "main")
        pushed = trunk.job.head
        trunk.github.commit(
            "rename",
            {
                "infra/envs/prod/app/main.tf": None,
                "infra/envs/prod/app/more.tf": None,
                "infra/envs/prod/shop/main.tf": APP,
                "infra.yaml": CONFIG + "stacks:\n  prod/shop: {moved: prod/app}\n",
            },
        )
        number = trunk.github.open("rename")
        trunk.github.review(number, "bert")
        trunk.github.merge(number, "squash")
        verdict = trunk.check_plan(replace(TWO, stack="prod/shop"), replace(before, stack="prod/shop"))
        assert pushed[:10] in verdict.reason
        assert verdict.pull_requests == (number,)


# Deletions


def test_the_label_counts_only_when_a_reviewer_sets_it_after_the_plan(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "two")
    digest = app(delete(PLAIN, id="1"))
    trunk.github.label(number, "allow-destroy", by="bert")
    trunk.post(number, digest)
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    verdict = trunk.check_plan(digest)
    assert verdict.kind == "gate", "set before the plan"
    assert f"#{number} deletes or replaces {PLAIN}" in verdict.reason
    assert trunk.check_plan(digest, gated=digest).kind == "approved", "people looked at it in the gate"
    for who, kind in (("ada", "gate"), ("bert", "approved"), ("rita", "gate"), ("olga", "approved")):
        trunk.github.unlabel(number, "allow-destroy")
        trunk.github.label(number, "allow-destroy", by=who)
        assert trunk.check_plan(digest).kind == kind, who
    trunk.github.unlabel(number, "allow-destroy")
    trunk.github.label(number, "something-else", by="bert")
    assert trunk.check_plan(digest).kind == "gate", "taken off"


def test_the_label_counts_for_what_was_to_be_seen_when_it_was_set(trunk: ApprovingInMemory) -> None:
    """Setting it makes the plan anew: an equal plan does not take it back, one that deletes more does."""
    digest, more = app(delete(PLAIN, id="1")), app(delete(PLAIN, id="1"), delete(READER, id="2"))
    for value, later, kind in (("two", digest, "approved"), ("three", more, "gate")):
        number = trunk.change("prod/app", value)
        trunk.post(number, digest)
        trunk.github.label(number, "allow-destroy", by="bert")
        trunk.post(number, later)
        trunk.github.review(number, "olga")
        trunk.update()
        applied = trunk.job.head
        trunk.github.merge(number, "squash")
        assert trunk.check_plan(later, applied).kind == kind


def test_the_label_of_one_pull_request_allows_no_deletion_of_another(tmp_path: Path) -> None:
    """Also where no approval is needed: two are pending for one stack, and one of them has the label."""
    config = "version: 1\nenvironments:\n  prod: {protected: false}\npolicy: {destroy: {prod: label}}\n"
    digest, more = app(delete(PLAIN, id="1")), app(delete(PLAIN, id="1"), delete(READER, id="2"))
    with ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": config}) as trunk:
        first = trunk.change("prod/app", "two")
        trunk.post(first, digest)
        trunk.github.label(first, "allow-destroy", by="bert")
        trunk.github.merge(first, "squash")
        second = trunk.change("prod/app", "three")
        trunk.post(second, more)
        trunk.github.merge(second, "squash")
        trunk.update()
        stack = trunk.session.context.project.stacks["prod/app"]

        def missing(now: Digest) -> str:
            return PendingRules(trunk.session, trunk.host).missing_label(stack, (first, second), now)

        assert missing(digest) == "", "that is what the label was set for"
        assert "prod/app would delete or replace something" in missing(more)
        trunk.github.label(second, "allow-destroy", by="bert")
        assert missing(more) == ""


@pytest.mark.parametrize(
    ("level", "kind"), [("allow", "approved"), ("warn", "approved"), ("label", "refuse")]
)
def test_the_policy_decides_what_needs_the_label(tmp_path: Path, level: str, kind: str) -> None:
    config = CONFIG.replace("true}", "true, unapproved: apply}") + f"policy: {{destroy: {{prod: {level}}}}}\n"
    with ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": config}) as trunk:
        digest = app(delete(PLAIN, id="1"))
        trunk.approved("prod/app", "two", digest)
        assert trunk.check_plan(digest).kind == kind


# Whose rules hold


TIGHT = CONFIG.replace("true}", "true, approved_by: review, unapproved: refuse}")
LOOSE = CONFIG.replace("true}", "true, approved_by: merge, unapproved: apply}")


def configured(trunk: ApprovingInMemory, config: str, branch: str) -> None:
    """Other rules, merged to trunk."""
    trunk.github.commit(branch, {"infra.yaml": config})
    trunk.github.merge(trunk.github.open(branch, author="olga"), "squash")
    trunk.update()


def approve_pull(trunk: ApprovingInMemory, *digests: Digest, author: str = "olga", by: str = "bert") -> int:
    """What `infra ci approve` opens, planned, reviewed and merged."""
    trunk.update()
    branch = f"approve/prod/{trunk.job.head[:10]}"
    trunk.github.commit(branch, {}, "Approve what is pending")
    number = trunk.github.open(branch, author=author)
    trunk.post(number, *(replace(digest, facts={"base": trunk.job.head}) for digest in digests))
    trunk.github.review(number, by)
    trunk.github.merge(number, "squash")
    return number


def test_tightened_rules_bind_what_is_merged_later(tmp_path: Path) -> None:
    with ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": LOOSE}) as trunk:
        # An approval of something else is no reason to go back to older rules.
        approve_pull(trunk, plan(update("terraform_data.n"), stack="prod/net"))
        configured(trunk, TIGHT, "tighten")
        number = trunk.change("prod/app", "two")
        trunk.post(number, TWO)
        trunk.github.merge(number, "squash")
        verdict = trunk.check_plan(TWO)
        assert (verdict.kind, verdict.pull_requests) == ("refuse", (number,))
        assert "nobody who may write approved its last commit" in verdict.reason


def test_a_change_before_stricter_rules_is_checked_by_the_rules_of_its_time(tmp_path: Path) -> None:
    with ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": LOOSE}) as trunk:
        number = trunk.change("prod/app", "two")
        trunk.post(number, TWO)
        trunk.github.merge(number, "squash")
        configured(trunk, TIGHT, "tighten")
        assert trunk.check_plan(TWO).kind == "approved"
        more = trunk.change("prod/app", "three", branch="more")
        trunk.post(more, THREE)
        trunk.github.merge(more, "squash")
        verdict = trunk.check_plan(THREE)
        assert (verdict.kind, verdict.unapproved) == ("mismatch", "refuse")
        assert verdict.causes == (f"Not approved: #{more}: nobody who may write approved its last commit.",)


def test_a_loosening_helps_nothing_that_was_merged_before_it(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "two")
    trunk.post(number, TWO)
    trunk.github.merge(number, "squash")
    configured(trunk, LOOSE, "loosen")
    assert trunk.check_plan(TWO).kind == "gate"
    # Nor does it help with an approval made for it: its own rules say who may approve.
    branch = f"approve/prod/{trunk.job.head[:10]}"
    trunk.github.commit(branch, {}, "Approve")
    approving = trunk.github.open(branch, author="ada")
    trunk.post(approving, replace(TWO, facts={"base": trunk.job.head}))
    trunk.github.merge(approving, "squash")
    assert trunk.check_plan(TWO).kind == "gate"


def test_a_rebase_does_not_loosen_the_rules_for_its_later_commits(trunk: ApprovingInMemory) -> None:
    trunk.github.commit("both", {"infra.yaml": LOOSE}, "Loosen")
    trunk.github.commit("both", {"infra/envs/prod/app/main.tf": APP.replace('"one"', '"two"', 1)}, "Change")
    number = trunk.github.open("both")
    trunk.post(number, TWO)
    trunk.github.merge(number, "rebase")
    assert trunk.check_plan(TWO).kind == "gate"


def test_an_approve_pull_request_counts_only_for_the_stacks_of_its_plan(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "two")
    trunk.github.merge(number, "squash")
    other = plan(update("terraform_data.n"), stack="prod/net")
    first = approve_pull(trunk, other)
    verdict = trunk.check_plan(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("gate", (number,))
    second = approve_pull(trunk, TWO)
    verdict = trunk.check_plan(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (second,))
    assert first != second


@pytest.mark.parametrize("direct", [False, True])
def test_authors_of_what_an_approve_pull_request_carries_do_not_count_on_it(
    trunk: ApprovingInMemory, direct: bool
) -> None:
    if direct:
        text = APP.replace('"one"', '"two"', 1)
        trunk.github.commit("main", {"infra/envs/prod/app/main.tf": text}, pusher="bert")
    else:
        trunk.github.merge(trunk.change("prod/app", "two", author="bert"), "squash")
    approve_pull(trunk, TWO, by="bert")
    verdict = trunk.check_plan(TWO)
    assert verdict.kind == "gate"
    assert "who wrote none of what it approves" in verdict.reason
    approve_pull(trunk, TWO, by="ada")
    assert trunk.check_plan(TWO).kind == "approved"


def test_who_pushed_to_the_branch_does_not_approve_it(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "half", branch="feature")
    text = APP.replace('"one"', '"two"', 1)
    trunk.github.commit("feature", {"infra/envs/prod/app/main.tf": text}, pusher="bert")
    trunk.post(number, TWO)
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    assert trunk.check_plan(TWO).kind == "gate"


# Owners


OWNED = {
    **FILES,
    "infra.yaml": CONFIG.replace("true}", "true, approved_by: codeowners}"),
    ".github/CODEOWNERS": "/infra/envs/prod/app/ @bert\n/infra/envs/prod/app/own.tf @acme/platform\n",
}


def test_what_nobody_owns_nobody_approves(tmp_path: Path) -> None:
    with ApprovingInMemory(tmp_path, OWNED) as trunk:
        net = plan(update("terraform_data.n"), stack="prod/net")
        trunk.approved("prod/net", "two", net)
        verdict = trunk.check_plan(net)
        assert verdict.kind == "gate"
        assert "nobody owns infra/envs/prod/net by CODEOWNERS" in verdict.reason


def test_each_stack_of_one_pull_request_is_approved_by_its_own_owners(tmp_path: Path) -> None:
    """The answers of one run are remembered; those for one stack are none for another."""
    trunk = ApprovingInMemory(tmp_path, OWNED)
    net = plan(update("terraform_data.n"), stack="prod/net")
    trunk.approved("prod/app", "two", TWO, net, **{"infra/envs/prod/net/more.tf": "# more\n"})
    trunk.update()
    approvals = Approvals(trunk.session, trunk.host)
    stacks = trunk.session.context.project.stacks
    kinds = [
        approvals.compare(stacks[now.stack], now, trunk.entry(now.stack)).kind for now in (TWO, net, TWO)
    ]
    assert kinds == ["approved", "gate", "approved"]


def test_owners_are_those_of_trunk_just_before_each_change(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(tmp_path, OWNED)
    trunk.approved("prod/app", "two", TWO)
    other = OWNED[".github/CODEOWNERS"].replace("@bert", "@carla")
    trunk.github.commit("owners", {".github/CODEOWNERS": other})
    trunk.github.merge(trunk.github.open("owners", author="olga"), "squash")
    more = create("terraform_data.more", ["id"], input="x")
    number = trunk.change("prod/app", "three")
    trunk.post(number, app(more))
    trunk.github.review(number, "carla")
    trunk.github.merge(number, "squash")
    assert trunk.check_plan(app(update(PLAIN, input=("one", "two")), more)).kind == "approved"


# What may differ


def test_what_trunk_ignores_may_differ_from_the_next_change_on(trunk: ApprovingInMemory) -> None:
    rule = f"approval_ignores: [{{address: {PLAIN}, attribute: input, reason: A time.}}]"
    ignoring = CONFIG.replace("true}", f"true, {rule}}}")
    trunk.approved("prod/app", "two", TWO, **{"infra.yaml": ignoring})
    assert trunk.check_plan(THREE).kind == "mismatch", "not for the change that brings it"
    applied = trunk.job.head
    trunk.approved("prod/app", "three", to("three", "two"), branch="next")
    assert trunk.check_plan(to("four", "two"), applied).kind == "approved"
    assert trunk.check_plan(app(update(READER, input=("two", "four"))), applied).kind == "mismatch"


# What several commits of trunk say


def test_one_pending_change_that_needs_an_approval_is_enough(tmp_path: Path) -> None:
    """The environment became protected between two changes; the older one alone would need nothing."""
    open_ = CONFIG.replace("protected: true", "protected: false")
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": open_})
    trunk.github.merge(trunk.change("prod/app", "two"), "squash")
    assert trunk.check_plan(TWO).kind == "apply"
    configured(trunk, CONFIG, "protect")
    number = trunk.change("prod/app", "three")
    trunk.github.merge(number, "squash")
    verdict = trunk.check_plan(THREE)
    assert verdict.kind == "gate"
    assert verdict.reason == f"#{number}: nobody who may write approved its last commit"


def test_a_change_that_needed_no_approval_takes_nothing_from_a_later_one(tmp_path: Path) -> None:
    open_ = CONFIG.replace("protected: true", "protected: false")
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": open_})
    trunk.github.merge(trunk.change("prod/app", "two"), "squash")
    configured(trunk, CONFIG, "protect")
    digest = app(create("terraform_data.more", ["id"], input="x"))
    trunk.approved("prod/app", "three", digest)
    assert trunk.check_plan(digest).kind == "approved"


def test_what_a_change_that_needed_no_approval_showed_counts_as_approved(tmp_path: Path) -> None:
    """Its merge approved its plan; a later change under stricter rules is approved for its own part."""
    open_ = CONFIG.replace("protected: true", "protected: false")
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": open_})
    first = trunk.change("prod/app", "two")
    trunk.post(first, TWO)
    trunk.github.merge(first, "squash")
    configured(trunk, CONFIG, "protect")
    more = create("terraform_data.more", ["id"], input="x")
    trunk.approved("prod/app", "three", app(more))
    assert trunk.check_plan(app(update(PLAIN, input=("one", "two")), more)).kind == "approved"


def test_the_strictest_comparison_of_all_that_is_pending_counts(tmp_path: Path) -> None:
    """By `actions` values may differ, by `strict` they may not: the change under `actions` came first."""
    by_actions = CONFIG.replace("true}", "true, approval: actions}")
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": by_actions})
    trunk.approved("prod/app", "two", TWO)
    assert trunk.check_plan(THREE).kind == "approved"
    configured(trunk, CONFIG.replace("true}", "true, approval: strict}"), "tighten")
    trunk.approved("prod/app", "three", TWO)
    assert trunk.check_plan(THREE).kind == "mismatch"


def test_a_moved_upstream_excuses_nothing_where_trunk_compares_strictly(tmp_path: Path) -> None:
    strict = CONFIG.replace("true}", "true, approval: strict}")
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": strict})
    waits = empty_plan_digest("prod/app", lineage="L", lock_file="", provisional=["prod/net"])
    trunk.approved("prod/net", "moved", plan(update("terraform_data.n"), stack="prod/net"), waits)
    assert trunk.check_plan(app(update(READER, input=("one", "moved")))).kind == "mismatch"


@pytest.mark.parametrize(
    ("ignored", "values", "kind"),
    [
        ("input", {"input": ("one", "two", "three")}, "approved"),
        ("input", {"input": ({"a": "one"}, {"a": "two"}, {"a": "three"})}, "approved"),
        ("input", {"input": (["one"], ["two"], ["three"])}, "approved"),
        ("input.a", {"input": ({"a": "one"}, {"a": "two"}, {"a": "three"})}, "approved"),
        ("input.b", {"input": ({"a": "one"}, {"a": "two"}, {"a": "three"})}, "mismatch"),
        ("input", {"inputs": ("one", "two", "three")}, "mismatch"),
        ("inp", {"input": ("one", "two", "three")}, "mismatch"),
    ],
)
def test_an_ignored_attribute_is_itself_and_what_is_below(
    tmp_path: Path, ignored: str, values: dict[str, tuple[object, object, object]], kind: str
) -> None:
    trunk = ignoring(tmp_path, PLAIN, ignored)
    approved = {name: (before, after) for name, (before, after, _) in values.items()}
    now = {name: (before, after) for name, (before, _, after) in values.items()}
    trunk.approved("prod/app", "two", app(update(PLAIN, **approved)))
    assert trunk.check_plan(app(update(PLAIN, **now))).kind == kind


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (f'{PLAIN}["a"]', "approved"),
        (f"{PLAIN}[0]", "approved"),
        (f"{PLAIN}s", "mismatch"),
        (f"module.a.{PLAIN}", "mismatch"),
    ],
)
def test_an_ignored_address_is_itself_and_its_instances(tmp_path: Path, address: str, kind: str) -> None:
    trunk = ignoring(tmp_path, PLAIN, "input")
    trunk.approved("prod/app", "two", app(update(address, input=("one", "two"))))
    assert trunk.check_plan(app(update(address, input=("one", "three")))).kind == kind


def test_an_ignored_output_is_its_whole_value(tmp_path: Path) -> None:
    trunk = ignoring(tmp_path, "output.x", "value")
    trunk.approved("prod/app", "two", app(outputs={"x": output("one"), "y": output("one")}))
    assert trunk.check_plan(app(outputs={"x": output("two"), "y": output("one")})).kind == "approved"
    assert trunk.check_plan(app(outputs={"x": output("one"), "y": output("two")})).kind == "mismatch"


def test_what_not_all_pending_changes_ignore_must_not_differ(tmp_path: Path) -> None:
    trunk = ignoring(tmp_path, PLAIN, "input")
    configured(trunk, CONFIG, "tighten")
    trunk.approved("prod/app", "two", TWO)
    assert trunk.check_plan(THREE).kind == "mismatch"
    trunk.update()
    configured(trunk, IGNORING.format(PLAIN, "input"), "loosen")
    trunk.approved("prod/app", "three", to("three"))
    assert trunk.check_plan(to("four")).kind == "mismatch"


IGNORING = """version: 1
environments:
  prod:
    protected: true
    approval_ignores: [{{address: '{}', attribute: '{}', reason: A time.}}]
"""


def ignoring(tmp_path: Path, address: str, attribute: str) -> ApprovingInMemory:
    """A project whose first commit lets an attribute differ."""
    return ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": IGNORING.format(address, attribute)})


def test_an_upstream_that_nobody_approved_takes_nothing_from_a_stacks_own_approval(
    trunk: ApprovingInMemory,
) -> None:
    """What is not known yet counts as approved where all code of the stack was reviewed."""
    trunk.github.merge(trunk.change("prod/net", "moved"), "squash")
    digest = app(create("terraform_data.more", ["id"], input="x"))
    trunk.approved("prod/app", "two", digest)
    assert trunk.check_plan(digest).kind == "approved"


# An `approve/…` pull request, further


def test_an_approve_pull_request_counts_by_the_strictest_rules_of_what_it_carries(tmp_path: Path) -> None:
    """Trunk says `merge` by now; what it carries was merged when a review was needed."""
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": TIGHT})
    trunk.github.merge(trunk.change("prod/app", "two"), "squash")
    configured(trunk, LOOSE, "loosen")
    branch = f"approve/prod/{trunk.job.head[:10]}"
    trunk.github.commit(branch, {}, "Approve")
    number = trunk.github.open(branch, author="olga")
    trunk.post(number, replace(TWO, facts={"base": trunk.job.head}))
    trunk.github.merge(number, "squash")
    verdict = trunk.check_plan(TWO)
    assert (verdict.kind, verdict.unapproved) == ("refuse", "refuse")
    assert f"#{number}: nobody who may write approved its last commit, who wrote none" in verdict.reason


def test_an_approve_pull_request_needs_a_review_where_what_it_carries_did(trunk: ApprovingInMemory) -> None:
    trunk.github.merge(trunk.change("prod/app", "two"), "squash")
    configured(trunk, CONFIG.replace("protected: true", "protected: false"), "loosen")
    trunk.github.commit("approve/prod/x", {}, "Approve")
    number = trunk.github.open("approve/prod/x", author="olga")
    trunk.post(number, replace(TWO, facts={"base": trunk.job.head}))
    trunk.github.merge(number, "squash")
    assert trunk.check_plan(TWO).kind == "gate"


def test_an_approve_pull_request_whose_plan_has_no_base_covers_nothing_older(
    trunk: ApprovingInMemory,
) -> None:
    trunk.github.merge(trunk.change("prod/app", "two"), "squash")
    digest = app(create("terraform_data.more", ["id"], input="x"))
    trunk.github.commit("approve/prod/x", {}, "Approve")
    number = trunk.github.open("approve/prod/x", author="olga")
    trunk.post(number, digest)
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    assert not trunk.check_plan(digest).may_apply


def test_who_opened_what_an_approve_pull_request_carries_is_an_author_whoever_pushed_it(
    trunk: ApprovingInMemory,
) -> None:
    carried = trunk.change("prod/app", "two", author="bert")
    trunk.github.merge(carried, "squash")
    trunk.github.edit(carried, head_ref="gone")
    approve_pull(trunk, TWO, by="bert")
    assert "who wrote none of what it approves" in trunk.check_plan(TWO).reason
    approve_pull(trunk, TWO, by="ada")
    assert trunk.check_plan(TWO).kind == "approved"


def test_owners_of_all_that_an_approve_pull_request_carries_must_approve_it(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(tmp_path, OWNED)
    trunk.github.teams = MemoryTeams({"acme/platform": ("carla",)})
    files = {"infra/envs/prod/app/own.tf": "# theirs\n"}
    trunk.github.merge(trunk.change("prod/app", "two", author="dan", **files), "squash")
    number = approve_pull(trunk, TWO)
    refused = trunk.check_plan(TWO)
    assert refused.kind == "gate"
    assert f"#{number}: no owner of infra/envs/prod/app/own.tf (@acme/platform)" in refused.reason
    trunk.github.review(number, "carla")
    assert trunk.check_plan(TWO).kind == "approved"


def test_an_approve_pull_request_for_another_environment_approves_nothing(trunk: ApprovingInMemory) -> None:
    trunk.github.merge(trunk.change("prod/app", "two"), "squash")
    trunk.github.commit("approve/dev/x", {}, "Approve")
    number = trunk.github.open("approve/dev/x", author="olga")
    trunk.post(number, replace(TWO, facts={"base": trunk.job.head}))
    trunk.github.review(number, "bert")
    trunk.github.merge(number, "squash")
    assert trunk.check_plan(TWO).kind == "gate"


def test_code_that_an_approve_pull_request_brings_itself_needs_its_own_approval(
    trunk: ApprovingInMemory,
) -> None:
    trunk.github.merge(trunk.change("prod/app", "two"), "squash")
    branch = "approve/prod/x"
    trunk.github.commit(branch, {"infra/envs/prod/app/more.tf": "# smuggled\n"}, "Approve")
    number = trunk.github.open(branch, author="olga")
    trunk.github.merge(number, "squash")
    verdict = trunk.check_plan(TWO)
    assert verdict.kind == "gate"
    assert number in verdict.pull_requests


def test_an_approve_pull_request_covers_what_reads_its_stacks_in_one_step(trunk: ApprovingInMemory) -> None:
    """Its plan names the dependent too, which the upstream's apply will move."""
    trunk.github.merge(trunk.change("prod/net", "moved"), "squash")
    moved = plan(update("terraform_data.n", input=("one", "moved")), stack="prod/net")
    now = app(update(READER, input=("one", "moved")))
    assert (trunk.check_plan(moved).kind, trunk.check_plan(now).kind) == ("gate", "gate")
    waits = empty_plan_digest("prod/app", lineage="L", lock_file="", provisional=["prod/net"])
    number = approve_pull(trunk, moved, waits)
    verdicts = [trunk.check_plan(moved), trunk.check_plan(now)]
    assert [verdict.kind for verdict in verdicts] == ["approved", "provisional"]
    assert all(verdict.pull_requests == (number,) for verdict in verdicts)
    assert not trunk.check_plan(app(update(PLAIN, input=("one", "two")))).may_apply


def test_an_approve_pull_request_accepts_any_value_that_is_new_in_every_plan(
    trunk: ApprovingInMemory,
) -> None:
    trunk.approved("prod/app", "two", TWO)
    assert trunk.check_plan(THREE).kind == "mismatch", "such as a time"
    approve_pull(trunk, replace(THREE, volatile=((PLAIN, "input"),)))
    assert trunk.check_plan(to("four")).kind == "approved"
    assert trunk.check_plan(app(update(PLAIN, input=("one", "four"), name=("a", "b")))).kind == "mismatch"
    assert trunk.check_plan(app(delete(PLAIN, input="one"))).kind == "mismatch"
    applied = trunk.job.head
    trunk.approved("prod/app", "five", to("five", "four"), branch="next")
    assert trunk.check_plan(to("six", "four"), applied).kind == "mismatch", "for that change only"


def test_a_run_links_those_that_planned_what_it_compares_with(trunk: ApprovingInMemory) -> None:
    planned = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    trunk.approved("prod/app", "two", replace(TWO, facts={"traceparent": planned}))
    linked: list[str] = []
    context = replace(trunk.session.context, link_trace=linked.append)
    session = replace(trunk.session, context=context)
    stack = session.context.project.stacks["prod/app"]
    verdict = Approvals(session, trunk.host).compare(stack, TWO, trunk.entry("prod/app", ""))
    assert verdict.kind == "approved"
    assert linked == [planned]


def test_a_mismatch_states_why_an_approve_pull_request_does_not_count(trunk: ApprovingInMemory) -> None:
    trunk.approved("prod/app", "two", TWO)
    number = approve_pull(trunk, THREE, by="ada")
    verdict = trunk.check_plan(THREE)
    assert verdict.kind == "mismatch"
    assert any(f"#{number}: nobody" in cause for cause in verdict.causes)


# Pending, further


def test_a_pull_request_into_another_branch_approves_nothing(trunk: ApprovingInMemory) -> None:
    number = trunk.approved("prod/app", "two", TWO)
    assert trunk.check_plan(TWO).kind == "approved"
    trunk.github.edit(number, base_ref="release")
    verdict = trunk.check_plan(TWO)
    assert verdict.kind == "gate"
    assert "without a pull request" in verdict.reason


def test_a_pull_request_that_was_not_merged_approves_nothing(trunk: ApprovingInMemory) -> None:
    """Its commits came to trunk by a push; the host names it for them all the same."""
    number = trunk.approved("prod/app", "two", TWO)
    trunk.github.edit(number, merged=False)
    verdict = trunk.check_plan(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("gate", ())


def test_a_pull_request_whose_merge_lies_elsewhere_approves_nothing(trunk: ApprovingInMemory) -> None:
    """A commit of trunk can belong to a pull request whose merge commit was dropped from it."""
    number = trunk.approved("prod/app", "two", TWO)
    trunk.github.edit(number, merge_commit=trunk.applied)
    verdict = trunk.check_plan(TWO)
    assert (verdict.kind, verdict.pull_requests) == ("gate", ())


def test_an_applied_commit_that_this_clone_does_not_have_makes_everything_pending(
    trunk: ApprovingInMemory,
) -> None:
    number = trunk.approved("prod/app", "two", TWO)
    verdict = trunk.check_plan(THREE, LedgerEntry("prod/app", commit="e" * 40))
    assert verdict.kind == "mismatch"
    assert f"{trunk.applied[:10]} changed prod/app without a pull request" in verdict.reason
    assert verdict.pull_requests == (number,)


def test_what_lies_too_far_back_was_not_reviewed(
    trunk: ApprovingInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits are lowered here: history is cut as on a trunk with very many commits."""
    trunk.approved("prod/app", "two", TWO)
    trunk.approved("prod/app", "three", THREE)
    assert trunk.check_plan(to("four")).reason.startswith("prod/app would be changed otherwise")
    for limit in ("MAX_COMMITS", "MAX_CHANGES"):
        with monkeypatch.context() as patch:
            patch.setattr(f"orchestrator.review.pending_changes.{limit}", 2)
            verdict = trunk.check_plan(to("four"))
            assert "changed prod/app without a pull request" in verdict.reason, limit


def test_infra_yaml_that_reaches_terraform_changes_a_stack(trunk: ApprovingInMemory) -> None:
    trunk.update()
    trunk.job.commit({"infra.yaml": CONFIG.replace("true}", "true, env: [TF_VAR_x]}")}, "Direct")
    trunk.github.push(trunk.job, "main")
    assert f"{trunk.job.head[:10]} changed prod/app without" in trunk.check_plan(TWO).reason


def test_an_upstream_of_an_upstream_is_what_a_stack_reads(tmp_path: Path) -> None:
    reads = APP.replace("../net/", "../app/").replace("outputs.x", "outputs.y")
    files = {
        **FILES,
        "infra/envs/prod/app/main.tf": APP + 'output "y" { value = 1 }\n',
        "infra/envs/prod/top/main.tf": reads,
    }
    trunk = ApprovingInMemory(tmp_path, files)
    moved = plan(update(READER, input=("one", "moved")), stack="prod/top")
    number = trunk.approved("prod/net", "moved", plan(update("terraform_data.n"), stack="prod/net"), moved)
    verdict = trunk.check_plan(moved)
    assert (verdict.kind, verdict.pull_requests) == ("approved", (number,))


def test_a_commit_of_trunk_that_cannot_be_read_holds_to_the_strictest_rules(tmp_path: Path) -> None:
    """It could say anything: reviews are needed, and the label for what goes."""
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": LOOSE})
    trunk.github.commit("broken", {"infra.yaml": "version: 1\nno_such_key: 1\n"})
    trunk.github.merge(trunk.github.open("broken", author="olga"), "squash")
    digest = app(delete(PLAIN, id="1"))
    number = trunk.change("prod/app", "two", **{"infra.yaml": LOOSE})
    trunk.post(number, digest)
    trunk.github.merge(number, "squash")
    assert trunk.check_plan(digest).kind == "gate"
    trunk.github.review(number, "bert")
    verdict = trunk.check_plan(digest)
    assert verdict.kind == "refuse"
    assert "set the label allow-destroy" in verdict.reason


# The merge queue


def compare_queued(
    trunk: ApprovingInMemory, number: int, now: Digest, before: LedgerEntry | None
) -> tuple[str, tuple[str, ...]]:
    """What a queue that holds one pull request says of a plan, and the paths that differ."""
    trunk.update()
    pull, base = trunk.github.pull_request(number), trunk.job.head
    trunk.job.git("checkout", "-q", "--detach", "main")
    trunk.job.git("merge", "-q", "--no-ff", "--no-edit", pull.head)
    session = session_in_memory(load(trunk.job.root), MemoryStorage(), trunk.env)
    stack = session.context.project.stacks[now.stack]
    verdict = Approvals(session, trunk.host).compare_queued(stack, now, before, pull, base)
    return verdict.kind, tuple(difference.path for difference in verdict.differences)


def test_a_queue_compares_a_plan_with_what_its_pull_request_was_approved_for(
    trunk: ApprovingInMemory,
) -> None:
    number = trunk.change("prod/app", "two")
    trunk.post(number, TWO)
    assert compare_queued(trunk, number, TWO, trunk.entry())[0] == "gate", "not reviewed"
    trunk.github.review(number, "bert")
    assert compare_queued(trunk, number, TWO, trunk.entry()) == ("approved", ())
    assert compare_queued(trunk, number, THREE, trunk.entry()) == ("mismatch", ("input",))


def test_a_queue_compares_nothing_that_has_unapplied_changes_ahead(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "two")
    for before in (replace(trunk.entry(), fingerprint="0" * 64), None, LedgerEntry("prod/app")):
        assert compare_queued(trunk, number, THREE, before) == ("provisional", ())


def test_a_queue_compares_nothing_where_trunk_cannot_be_read(trunk: ApprovingInMemory) -> None:
    number = trunk.change("prod/app", "two", **{"infra.yaml": CONFIG})
    entry = trunk.entry()
    trunk.github.commit("broken", {"infra.yaml": "version: 1\nno_such_key: 1\n"})
    trunk.github.merge(trunk.github.open("broken", author="olga"), "squash")
    base = trunk.job.head
    trunk.github.commit("repaired", {"infra.yaml": CONFIG})
    trunk.github.merge(trunk.github.open("repaired", author="olga"), "squash")
    trunk.update()
    stack = trunk.session.context.project.stacks["prod/app"]
    pull = trunk.github.pull_request(number)
    verdict = Approvals(trunk.session, trunk.host).compare_queued(stack, TWO, entry, pull, base)
    assert verdict.kind == "provisional"


def test_a_queue_compares_a_stack_that_its_pull_request_adds(trunk: ApprovingInMemory) -> None:
    """It has nothing ahead of it, although the ledger knows nothing of it, or only a claim."""
    trunk.github.commit("new", {"infra/envs/prod/new/main.tf": 'resource "terraform_data" "n" {}\n'})
    number = trunk.github.open("new")
    digest = plan(create("terraform_data.n", ["id"]), stack="prod/new")
    head = trunk.github.head(number)
    trunk.objects().create(number, head, "prod/new", "9-1", encode(digest))
    trunk.attest(number, Attestation(number, head, "9-1", "9-1", {"prod/new": sha256(encode(digest))}))
    trunk.github.review(number, "bert")
    for before in (None, LedgerEntry("prod/new")):
        assert compare_queued(trunk, number, digest, before) == ("approved", ())


def test_a_queue_asks_for_no_approval_where_none_is_needed(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": CONFIG.replace("true", "false")})
    number = trunk.change("prod/app", "two")
    assert compare_queued(trunk, number, TWO, trunk.entry()) == ("apply", ())


def test_a_queue_asks_the_owners_of_the_files_that_change(tmp_path: Path) -> None:
    trunk = ApprovingInMemory(tmp_path, OWNED)
    trunk.github.teams = MemoryTeams({"acme/platform": ("carla",)})
    number = trunk.change("prod/app", "two", **{"infra/envs/prod/app/own.tf": "# theirs\n"})
    trunk.post(number, TWO)
    trunk.github.review(number, "bert")
    assert compare_queued(trunk, number, TWO, trunk.entry())[0] == "gate"
    trunk.github.review(number, "carla")
    assert compare_queued(trunk, number, TWO, trunk.entry())[0] == "approved"


@pytest.mark.parametrize(
    ("verdicts", "strictest"),
    [(("apply", "refuse"), "refuse"), (("gate", "apply"), "gate"), (("gate", "refuse"), "refuse")],
)
def test_of_several_rules_for_what_nobody_approved_the_strictest_holds(
    verdicts: tuple[Unapproved, ...], strictest: Unapproved
) -> None:
    for order in (verdicts, verdicts[::-1]):
        rules = [
            TrunkRules(None, Environment(unapproved=unapproved), "", needed=True) for unapproved in order
        ]
        assert strictest_unapproved(rules) == strictest
