"""`infra ci compare` and `infra ci apply`: the merge does what was approved, and nothing else, in order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.state.plan_objects import digest_key
from tests.support.ci import CiProject, grant_plan_accounts, running
from tests.support.cli import Infra
from tests.support.merging import (
    APPLY,
    DEV,
    FILES,
    LOOK,
    PROD,
    REPORT_RIGHTS,
    apply,
    gated,
    job,
    merged,
    planned,
    rules,
    started,
    state_of,
    states,
    status_text,
    value,
    verdicts,
)
from tests.support.recorded_stack import CONFIG, UPSTREAM
from tests.support.repo import Repo
from tests.support.warm import Forked

pytestmark = pytest.mark.usefixtures("terraform_argv")


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything is applied; each test gets a copy."""
    folder = tmp_path_factory.mktemp("applied")
    with running(folder, files=FILES) as project:
        project.recorded.apply()
        for name in ("dev", "prod"):
            ledger = project.recorded.ledger(f"{name}/net")
            digest_key(ledger.storage, ledger.folder)
    return folder


@pytest.fixture
def ci(steady_path: Path, applied: Path) -> Iterator[CiProject]:
    with running(steady_path, applied) as project:
        yield project


def test_what_was_approved_is_applied_in_order_and_reported(ci: CiProject) -> None:
    number = merged(ci, {DEV: value("two"), PROD: value("two")})
    infra = job(ci)
    ran = infra("ci", "apply", "--json", code=0)
    assert states(ran) == {"dev": "applied", "prod": "applied"}
    assert verdicts(ran) == {"dev/net": "apply", "prod/net": "approved"}
    assert (state_of(ci, "dev/net"), state_of(ci, "prod/net")) == ("two", "two")
    for name in ("dev", "prod"):
        assert f"✓ {name} is done" in status_text(ci, number, name)
        assert ci.github.statuses(ci.github.trunk)[f"infra/apply/{name}"].state == "success"
    assert [
        (deployment.environment, deployment.statuses[-1].state) for deployment in ci.github.deployments()
    ] == [
        ("dev", "success"),
        ("prod", "success"),
    ]
    assert "prod is done" in Path(infra.env["GITHUB_STEP_SUMMARY"]).read_text()
    assert ci.recorded.ledger("prod/net").runs()[0].trigger == "ci"

    again = job(ci)("ci", "apply", code=0)
    assert "prod: nothing to do; no stack is pending." in again.out
    assert "✓ prod is done" in status_text(ci, number, "prod"), "what was told stays"


def test_a_world_that_changed_since_is_not_applied_over(ci: CiProject) -> None:
    secret = 'resource "terraform_data" "s" {\n  input = { password = "%s", size = "%s" }\n}\n'
    number = planned(ci, {PROD: value("two") + secret % ("hunter2hunter2", "big")})
    ci.recorded.repo.branch("hotfix")
    ci.recorded.repo.commit({PROD: value("three") + secret % ("correcthorsebattery", "small")})
    ci.recorded.apply("prod")
    ci.github.push(ci.recorded.repo, "by-hand")
    ci.github.merge(number, "squash")
    ran = apply(ci, "prod", code=5)
    assert ran.results == {"prod/net": "mismatch"}
    assert state_of(ci, "prod/net") == "three"
    body = status_text(ci, number, "prod")
    assert "terraform_data.x" in body
    assert '"three"' in body
    assert "infra ci approve prod" in body + ran.out
    for text in (ran.out, *(comment.body for comment in ci.github.comments(number))):
        assert "hunter2" not in text
        assert "correcthorse" not in text
    # The gate approves in one step what would be done now.
    looks = job(ci, LOOK)
    ran = looks("ci", "compare", "prod", "--report", "report", "--json", code=0)
    compared = ran.document
    assert compared["verdicts"] == {"prod/net": "mismatch"}
    # Whoever is asked there reads on the pull request what it is about.
    asks = job(ci, REPORT_RIGHTS)
    asks("ci", "comment", str(looks.root / "report"), code=0)
    body = status_text(ci, number, "prod")
    assert "prod waits for an approval of 1 stack" in body
    assert '"three"' in body
    assert "A reviewer of `prod-approval` approves in" in body
    assert "hunter2" not in body
    assert ci.github.statuses(ci.github.trunk)["infra/apply/prod"].state == "pending"
    assert apply(ci, "prod", *gated(ci, ran), code=0).results == {"prod/net": "applied"}
    assert state_of(ci, "prod/net") == "two"
    assert "✓ prod is done" in status_text(ci, number, "prod")


def reads(stack: str) -> str:
    return f"""
terraform {{
  backend "gcs" {{}}
}}
data "terraform_remote_state" "up" {{
  backend = "gcs"
  config = {{
    bucket = "states"
    prefix = "prod/state/{stack}"
  }}
}}
resource "terraform_data" "x" {{
  input = data.terraform_remote_state.up.outputs.x
}}
output "x" {{
  value = terraform_data.x.output
}}
"""


def test_a_chain_of_three_is_approved_as_it_will_become(ci: CiProject) -> None:
    """Only the first one's code changed; the others were planned with the old value, on the pull request and,
    the second time, for the gate."""
    started(ci, {"infra/envs/prod/app/main.tf": reads("net"), "infra/envs/prod/end/main.tf": reads("app")})
    for text, reviewed in (("two", True), ("three", False)):
        number = merged(ci, {PROD: value(text)}, text, review=reviewed)
        gate: tuple[str, ...] = ()
        if not reviewed:
            gate = gated(ci, job(ci, LOOK)("ci", "compare", "prod", "--json", code=0))
        ran = apply(ci, "prod", *gate, code=0)
        assert ran.results == {"prod/net": "applied", "prod/app": "applied", "prod/end": "applied"}
        kinds = verdicts(ran)
        assert kinds["prod/net"] == "approved"
        assert {kinds["prod/app"], kinds["prod/end"]} <= {"approved", "provisional"}
        assert state_of(ci, "prod/end") == text
        assert "3 stacks applied" in status_text(ci, number, "prod")


def test_what_nobody_approved_waits_for_the_gate(ci: CiProject) -> None:
    number = merged(ci, {PROD: value("two")}, review=False)
    grant_plan_accounts(ci, "prod")
    looks = ci.job(0, event="push", environment="prod", rights=LOOK, commit=ci.github.trunk)
    ran = looks("ci", "compare", "prod", "--json", code=0)
    compared = ran.document
    assert (compared["gate"], compared["pending"].keys()) == (True, {"prod/net"})
    outputs = Path(looks.env["GITHUB_OUTPUT"]).read_text().split()
    assert {"true", "1"} <= set(outputs)
    assert (
        '"two"' in Path(looks.env["GITHUB_STEP_SUMMARY"]).read_text() + compared["stacks"][0]["id"] + '"two"'
    )

    refused = apply(ci, "prod", code=4)
    assert refused.results == {"prod/net": "blocked"}
    assert states(refused) == {"prod": "gate"}
    assert "waits for an approval" in status_text(ci, number, "prod")
    assert state_of(ci, "prod/net") == "one"

    # Whoever may plan can write an object; that it is another one is seen.
    (name,) = ci.objects("prod/plans/trunk/")
    ci.recorded.server.store.insert_object("states", name.replace("/net/", "/other/"), b"{}")
    gate = gated(ci, ran)
    forged = job(ci)("ci", "apply", "prod", *gate, code=4)
    assert "are not those that went through the gate" in forged.err
    ci.recorded.server.store.delete_object("states", name.replace("/net/", "/other/"))
    assert apply(ci, "prod", *gate, code=0).results == {"prod/net": "applied"}


def test_what_cannot_be_compared_is_reported_too(ci: CiProject) -> None:
    number = merged(ci, {PROD: value("two")})
    grant_plan_accounts(ci, "dev", "prod")
    # An account that may look at dev, and not at prod.
    looks = ci.job(0, event="push", environment="dev", rights=LOOK, commit=ci.github.trunk)
    looks("ci", "compare", "prod", "--report", "report", code=1)
    job(ci, REPORT_RIGHTS)("ci", "comment", str(looks.root / "report"), code=0)
    assert "✗ prod: something went wrong; nothing was applied." in status_text(ci, number, "prod")
    assert ci.github.statuses(ci.github.trunk)["infra/apply/prod"].state == "failure"


def test_an_environment_states_what_happens_unapproved(ci: CiProject) -> None:
    started(ci, {"infra.yaml": rules(prod="unapproved: refuse", dev="unapproved: apply")})
    merged(ci, {DEV: value("two"), PROD: value("two")}, review=False)
    assert job(ci, LOOK)("ci", "compare", "prod", "--json", code=0).document["gate"] is False
    ran = apply(ci, code=4)
    assert ran.results == {"dev/net": "applied", "prod/net": "blocked"}
    assert states(ran) == {"dev": "applied", "prod": "blocked"}


def test_no_change_takes_itself_out_of_the_rules(ci: CiProject) -> None:
    loose = rules(prod="protected: false, unapproved: apply", dev="")
    merged(ci, {"infra.yaml": loose.replace(", unapproved: apply", ""), PROD: value("two")}, review=False)
    assert apply(ci, "prod", code=4).results == {"prod/net": "blocked"}
    assert state_of(ci, "prod/net") == "one"


def test_however_it_was_merged_it_is_found(ci: CiProject) -> None:
    """Two pull requests within a moment, whose first run was thrown away; then the first is taken back."""
    first = planned(ci, {PROD: value("two")}, "one")
    two = planned(ci, {"infra/envs/prod/other/main.tf": UPSTREAM}, "two")
    ci.github.merge(first, "merge")
    ci.github.merge(two, "rebase")
    ran = apply(ci, "prod", code=0)
    assert ran.results == {"prod/net": "applied", "prod/other": "applied"}
    assert verdicts(ran) == {"prod/net": "approved", "prod/other": "approved"}
    assert "2 stacks applied" in status_text(ci, first, "prod")
    assert "2 stacks applied" in status_text(ci, two, "prod")
    merged(ci, {PROD: UPSTREAM}, "revert")
    assert apply(ci, "prod", code=0).results == {"prod/net": "applied"}
    assert state_of(ci, "prod/net") == "one"


def test_what_deletes_wants_its_label_after_the_plan(ci: CiProject) -> None:
    text = UPSTREAM.replace('resource "terraform_data" "x"', 'resource "terraform_data" "z"').replace(
        "terraform_data.x", "terraform_data.z"
    )
    number = ci.change({PROD: text})
    ci.github.label(number, "allow-destroy", by="bert")
    ci.job(number)("ci", "plan", code=0)
    ci.github.review(number)
    ci.github.merge(number, "squash")
    ran = apply(ci, "prod", code=4)
    assert ran.results == {"prod/net": "blocked"}
    assert "allow-destroy" in ran.stack("prod/net")["reason"]
    assert job(ci, LOOK)("ci", "compare", "prod", "--json", code=0).document["gate"] is True
    ci.github.unlabel(number, "allow-destroy", by="bert")
    ci.github.label(number, "allow-destroy", by="bert")
    assert apply(ci, "prod", code=0).results == {"prod/net": "applied"}


def test_the_policy_is_the_one_from_before_the_change(ci: CiProject) -> None:
    """Code and the rule that forbids it: one pull request cannot bring the one and drop the other."""
    protect = "policy: {protect: [{type: terraform_data, reason: It is dear.}], destroy: {prod: allow}}\n"
    started(ci, {"infra.yaml": CONFIG + protect})
    word = (
        UPSTREAM.replace("terraform_data.x", "null").split("resource")[0]
        + 'output "x" {\n  value = "one"\n}\n'
    )
    number = ci.change({PROD: word, "infra.yaml": CONFIG + "policy: {destroy: {prod: allow}}\n"})
    ci.job(number)("ci", "plan", code=4)
    ci.github.review(number)
    ci.github.merge(number, "squash")
    ran = apply(ci, "prod", code=4)
    assert ran.results == {"prod/net": "blocked"}
    assert "the policy forbids it" in ran.stack("prod/net")["reason"]


def test_a_failed_check_stops_promotion(ci: CiProject) -> None:
    started(ci, {"infra.yaml": rules(dev='checks: [{name: smoke, command: [sh, -c, "echo bad; exit 1"]}]')})
    number = merged(ci, {DEV: value("two"), PROD: value("two")})
    ran = apply(ci, code=1)
    assert states(ran) == {"dev": "stopped", "prod": "waiting"}
    assert (state_of(ci, "dev/net"), state_of(ci, "prod/net")) == ("two", "one")
    assert "smoke" in status_text(ci, number, "dev")
    assert "exit code 1: bad" in status_text(ci, number, "dev")
    assert "prod is not begun" in status_text(ci, number, "prod")
    # With nothing owed any more dev is still not well, and still holds prod back.
    assert states(apply(ci, code=1)) == {"dev": "stopped", "prod": "waiting"}


def test_a_failed_check_outlives_the_run_that_saw_it(ci: CiProject) -> None:
    """prod alone is held, by compare and by apply, until dev's check passes; then it needs no second look."""
    flag = ci.folder / "fail"
    smoke = f'checks: [{{name: smoke, command: [test, "!", -e, "{flag}"]}}]'
    started(ci, {"infra.yaml": rules(dev=smoke)})
    number = merged(ci, {DEV: value("two"), PROD: value("two")})
    flag.touch()
    assert states(apply(ci, "dev", code=1)) == {"dev": "stopped"}
    looks = job(ci, LOOK)
    compared = looks("ci", "compare", "dev", "--json", code=0).document
    assert (compared["pending"], compared["checks_due"].startswith("check smoke failed at ")) == ({}, True)
    assert "true" in Path(looks.env["GITHUB_OUTPUT"]).read_text()
    compared = job(ci, LOOK)("ci", "compare", "prod", "--json", code=4).document
    assert (compared["gate"], compared["hold_reason"].startswith("dev has not passed: ")) == (False, True)
    ran = apply(ci, "prod", code=4)
    assert (states(ran), state_of(ci, "prod/net")) == ({"prod": "waiting"}, "one")
    assert "check smoke failed at" in status_text(ci, number, "prod")
    # Another merge, which touches neither, changes nothing about that, and is told nothing.
    docs = merged(ci, {"README.md": "Words.\n"}, "docs")
    assert states(apply(ci, code=1)) == {"dev": "stopped", "prod": "waiting"}
    assert not ci.github.comments(docs) or not status_text(ci, docs, "prod") + status_text(ci, docs, "dev")
    flag.unlink()
    assert states(apply(ci, code=0)) == {"dev": "nothing", "prod": "applied"}
    assert "✓ prod is done" in status_text(ci, number, "prod")
    # What passed stays so: a check that would fail now is not asked again.
    flag.touch()
    assert states(apply(ci, code=0)) == {"dev": "nothing", "prod": "nothing"}
    assert "✓ prod is done" in status_text(ci, number, "prod")


def test_checks_are_skipped_with_an_approval_in_the_gate(ci: CiProject) -> None:
    """The reason and the reviewer are recorded; without an answered gate nothing is skipped."""
    started(ci, {"infra.yaml": rules(dev="checks: [{name: smoke, command: ['false']}]")})
    merged(ci, {DEV: value("two"), PROD: value("two")})
    assert states(apply(ci, "dev", code=1)) == {"dev": "stopped"}
    skip = ("--skip-checks", "the probe is down")
    compared = job(ci, LOOK)("ci", "compare", "dev", *skip, "--json", code=0)
    assert compared.document["gate"] is True
    assert "Nobody approved that the checks of dev are skipped" in job(ci)("ci", "apply", "dev", *skip).err
    assert states(apply(ci, "prod", code=4)) == {"prod": "waiting"}
    assert states(apply(ci, "dev", *skip, *gated(ci, compared, "dev"), code=0)) == {"dev": "nothing"}
    status = job(ci)("status", "--json").document["environments"][0]
    assert status["skipped"] == "checks skipped by bert: the probe is down"
    assert states(apply(ci, "prod", code=0)) == {"prod": "applied"}


def test_records_that_may_not_be_read_are_no_pass(ci: CiProject) -> None:
    """The grant that is missing is named."""
    started(ci, {"infra.yaml": rules(dev="checks: [{name: smoke, command: ['true']}]")})
    merged(ci, {PROD: value("two")})
    grant_plan_accounts(ci, "prod")
    store = ci.recorded.server.store
    member = "serviceAccount:prod-plan@p.iam.gserviceaccount.com"
    binding = {"role": "roles/storage.objectUser", "members": [member]}
    store.insert_managed_folder("states", "prod/")
    store.set_managed_folder_policy("states", "prod/", {"bindings": [binding]})
    looks = ci.job(0, event="push", environment="prod", rights=APPLY, commit=ci.github.trunk)
    ran = looks("ci", "apply", "prod", "--json", code=1)
    (prod,) = ran.document["environments"]
    assert "Whether dev passed its checks cannot be read" in prod["error"]
    assert "roles/storage.objectViewer on the managed folder dev/promotion/" in prod["notes"][0]
    assert state_of(ci, "prod/net") == "one"


def test_a_job_without_rights_reports_and_another_one_reports(ci: CiProject, tmp_path: Path) -> None:
    number = merged(ci, {DEV: value("two"), PROD: value("two")})
    other = ci.change({PROD: value("three")}, "other")
    ci.job(other)("ci", "plan", code=0)
    docs = ci.change({"README.md": "Words.\n"}, "docs")
    before = ci.github.writes()
    for name in ("dev", "prod"):
        job(ci, LOOK)("ci", "apply", name, "--report", str(tmp_path / "reports"), code=0)
    assert ci.github.writes() == before
    job(ci)("ci", "comment", str(tmp_path / "reports"), code=0)
    assert "✓ prod is done" in status_text(ci, number, "prod")
    stale = [
        comment.body
        for comment in ci.github.comments(other)
        if comment.body.startswith("<!-- infra:stale -->")
    ]
    assert len(stale) == 1
    assert "`prod/net`" in stale[0]
    assert not ci.github.comments(docs)


def test_what_is_unknown_is_reported_and_changes_nothing_else(ci: CiProject) -> None:
    number = merged(ci, {PROD: value("two")})
    ci.github.fault("*/comments", method="POST", status=403, times=9)
    infra = job(ci)
    ran = infra("ci", "apply", "prod", "--json", code=0)
    assert ran.results == {"prod/net": "applied"}
    assert not status_text(ci, number, "prod")
    assert f"The comment on #{number} about prod" in ran.err
    assert "GitHub could not be told everything" in Path(infra.env["GITHUB_STEP_SUMMARY"]).read_text()


def test_a_ledger_that_cannot_be_read_is_reported(ci: CiProject) -> None:
    number = merged(ci, {DEV: value("two"), PROD: value("two")})
    grant_plan_accounts(ci, "prod")
    # An account that may look at prod, and not at dev.
    looks = ci.job(0, event="push", environment="prod", rights=APPLY, commit=ci.github.trunk)
    ran = looks("ci", "apply", "--json", code=1)
    assert states(ran) == {"dev": "failed", "prod": "waiting"}
    assert ran.document["environments"][0]["error"]
    assert "prod is not begun" in status_text(ci, number, "prod")


def test_without_an_answer_nothing_is_applied(ci: CiProject) -> None:
    merged(ci, {PROD: value("two")})
    ci.github.fault("*/reviews", method="GET", status=403, times=9)
    assert apply(ci, "prod", code=1).results == {"prod/net": "failed"}
    assert state_of(ci, "prod/net") == "one"
    nobody = ci.job(0, event="push", rights={}, commit=ci.github.trunk)
    assert "There is no token for GitHub" in nobody("ci", "apply", "prod", code=3).err


def test_a_deleted_stack_goes_when_that_was_approved(ci: CiProject) -> None:
    started(
        ci,
        {
            "infra.yaml": CONFIG + "policy: {deleted_stacks: destroy, destroy: {prod: warn}}\n",
            "infra/envs/prod/old/main.tf": UPSTREAM,
        },
    )
    number = planned(ci, {"infra/envs/prod/old/main.tf": None}, review=False)
    ci.github.merge(number, "squash")
    assert apply(ci, "prod", code=4).results == {"prod/old": "blocked"}
    gate = gated(ci, job(ci, LOOK)("ci", "compare", "prod", "--json", code=0))
    assert apply(ci, "prod", *gate, code=0).results == {"prod/old": "destroyed"}
    assert "terraform_data" not in json.dumps(
        json.loads(ci.recorded.server.store.read_object("states", "prod/state/old/default.tfstate")[1])
    )
    assert "nothing to do" in job(ci)("ci", "apply", "prod", code=0).out


def test_the_last_stack_of_an_environment_goes_when_that_was_approved(ci: CiProject) -> None:
    """infra.yaml alone knows the environment then."""
    policy = "policy: {deleted_stacks: destroy, destroy: {prod: warn}}\n"
    started(ci, {"infra.yaml": CONFIG + policy + "environments: {dev: {}, prod: {}}\n"})
    number = merged(ci, {PROD: None}, review=False)
    assert "nobody who may write approved" in apply(ci, "prod", code=4).out
    compared = job(ci, LOOK)("ci", "compare", "prod", "--json", code=0)
    reports = ci.folder / "reports"
    gate = (*gated(ci, compared), "--report", str(reports / "infra-apply-prod"))
    assert states(apply(ci, "prod", *gate, code=0)) == {"prod": "applied"}
    published = job(ci, REPORT_RIGHTS)("ci", "comment", str(reports), "--environment", "prod", code=0)
    assert "error" not in published.err
    assert "1 destroyed" in status_text(ci, number, "prod")
    nothing = ("ci", "comment", str(ci.folder / "none"), "--environment", "prod", "--pending", "0")
    job(ci, REPORT_RIGHTS)(*nothing, code=0)
    assert states(apply(ci, code=0)) == {"dev": "nothing", "prod": "nothing"}


def test_what_is_not_merged_is_not_applied(ci: CiProject) -> None:
    number = planned(ci, {DEV: value("two")})
    branch = ci.job(0, event="push", rights=APPLY, commit=ci.github.head(number))
    for command in (("apply", "dev"), ("compare", "dev")):
        assert "is not on trunk" in branch("ci", *command, code=4).err
    assert state_of(ci, "dev/net") == "one"


def test_one_step_approves_what_is_pending(ci: CiProject) -> None:
    merged(ci, {DEV: value("two"), PROD: value("two")}, review=False)
    assert apply(ci, "prod", code=4).results == {"prod/net": "blocked"}
    ada = Infra(ci.checkout(ci.github.trunk), {**job(ci).env, "GITHUB_TOKEN": ci.github.token("ada")})
    ran = ada("ci", "approve", "prod", "--dry-run", code=0)
    assert "`prod/net`" in ran.out
    assert len(ci.github.branches()) == 2
    opened = ada("ci", "approve", "prod", "--json", code=0).document
    assert opened["workflows_held"] is False
    number = opened["pull_request"]
    assert f"#{number} is open already" in ada("ci", "approve", "prod", code=0).out
    ci.job(number)("ci", "plan", code=0)
    assert '"one" -> "two"' in next(comment.body for comment in ci.github.comments(number))
    ci.github.review(number)
    ci.github.merge(number)
    assert apply(ci, "prod", code=0).results == {"prod/net": "applied"}
    assert "✓ prod is done" in status_text(ci, number, "prod")
    again = Infra(ci.checkout(ci.github.trunk), dict(ada.env))("ci", "approve", "prod", code=0)
    assert "nothing to approve" in again.out
    bot = job(ci, {"pull_requests": "write", "contents": "write"})
    assert "GitHub holds its jobs back" in bot("ci", "approve", "dev", code=0).err


def test_what_is_applied_by_a_commit_that_is_gone_is_not_passed_over_in_silence(ci: CiProject) -> None:
    ci.recorded.repo.commit({PROD: value("three")})
    ci.recorded.apply("prod")
    merged(ci, {PROD: value("two")})
    ran = apply(ci, "prod", code=1)
    assert ran.results == {"prod/net": "skipped"}
    assert states(ran) == {"prod": "failed"}


def test_an_older_run_leaves_what_is_newer(ci: CiProject) -> None:
    merged(ci, {PROD: value("two")}, "one")
    older = ci.job(0, event="push", rights=APPLY, commit=ci.github.trunk)
    merged(ci, {PROD: value("three")}, "two")
    newer = apply(ci, "prod", code=0)
    assert newer.results == {"prod/net": "applied"}
    Repo(older.root).git("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*")
    ran = older("ci", "apply", "prod", "--json", code=0)
    assert ran.results == {"prod/net": "skipped"}
    assert state_of(ci, "prod/net") == "three"


def parts(ci: CiProject, attempt: str) -> list[dict[str, str]]:
    """Two parts of an apply to prod, at work at once; what came of the stacks of each."""
    running = [
        Forked(
            ("ci", "apply", "prod", "--shard", f"{part}/2", "--json"),
            infra.root,
            {**os.environ, **infra.env, "GITHUB_RUN_ATTEMPT": attempt},
        )
        for part, infra in enumerate((job(ci), job(ci)), 1)
    ]
    ended = [json.loads(forked.communicate(timeout=100)[0]) for forked in running]
    for forked in running:
        forked.close()
    return [{stack["id"]: stack["result"] for stack in document["stacks"]} for document in ended]


def test_parts_wait_for_each_other(ci: CiProject) -> None:
    """The first part's stack reads the second's; what the second one may not apply holds the first back."""
    started(ci, {"infra/envs/prod/app/main.tf": reads("net")})
    number = merged(ci, {PROD: value("two")}, review=False)
    assert parts(ci, "1") == [{"prod/app": "aborted"}, {"prod/net": "blocked"}]
    ci.github.review(number)
    assert parts(ci, "2") == [{"prod/app": "applied"}, {"prod/net": "applied"}]
    assert state_of(ci, "prod/app") == "two"
